"""`python -m streamer.standins.planhat` is `streamer sandbox`, for those that start it as a child."""

import argparse
import sys

from streamer.errors import StreamerError
from streamer.standins.planhat.command import add_arguments, run


def main() -> int:
    """Serve until told to stop; returns the exit code."""
    parser = argparse.ArgumentParser(prog="streamer sandbox", allow_abbrev=False)
    add_arguments(parser)
    try:
        return run(parser.parse_args())
    except StreamerError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


if __name__ == "__main__":
    raise SystemExit(main())
