"""The command line: `python -m streamer` and the script `streamer` both begin here."""

from streamer.cli.program import main

__all__ = ["main"]
