"""`python -m streamer` is the same as the `streamer` script."""

from streamer.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
