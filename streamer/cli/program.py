"""From a command line to an exit code: parse, run one command, and say what went wrong in words."""

import faulthandler
import os
import signal
import sys
from collections.abc import Sequence
from io import TextIOWrapper

from streamer.cli.commands import EXIT_CLEAN
from streamer.cli.parser import build_parser
from streamer.errors import StreamerError, place_of, traceback_of

EXIT_UNEXPECTED = StreamerError.exit_code
EXIT_INTERRUPTED = 128 + signal.SIGINT
EXIT_PIPE_CLOSED = 128 + signal.SIGPIPE
"""The last two are what a shell reports of a program that died of the signal."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code; nothing is raised."""
    if argv is None and sys.__stderr__ is not None:
        # The process is ours. A crash of machine code, that of a library or our own, then tells where each
        # thread stands: files, lines and names of functions, never a value.
        faulthandler.enable(sys.__stderr__)
    line = sys.argv[1:] if argv is None else argv
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # JSON is, whatever the locale says
    verbose = bool({"-v", "--verbose"} & set(line))
    try:
        args = build_parser().parse_args(line)
        code: int = args.execute(args)
        sys.stdout.flush()
    except SystemExit as ending:  # argparse: help, version or a wrong command line
        return ending.code if isinstance(ending.code, int) else EXIT_CLEAN
    except StreamerError as error:
        _complain(str(error), error if verbose else None)
        return error.exit_code
    except BrokenPipeError:
        # Whoever read our output left. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE_CLOSED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last door: said in words, with an exit code
        # Not the error's own text, which may quote an event.
        where = f"{type(error).__name__} at {place_of(error)}"
        hint = "" if verbose else " -v shows the traceback."
        text = f"unexpected error: {where}. Uncommitted events will be read again. Please report it.{hint}"
        _complain(text, error if verbose else None)
        return EXIT_UNEXPECTED
    return code


def _complain(text: str, traced: BaseException | None) -> None:
    """Say on standard error what went wrong; with the traceback for whoever asked to see more."""
    if traced is not None:
        sys.stderr.write(traceback_of(traced))
    sys.stderr.writelines(f"streamer: {line}\n" for line in text.splitlines() or [""])
