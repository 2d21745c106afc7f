"""`streamer dead-letters`: what the dead-letter topic holds, and how to get it delivered after all."""

import argparse
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from streamer.cli.letter_tables import (
    account_of,
    closing_lines,
    history_of,
    now_of,
    print_account,
    print_letter,
    print_table,
    row_of,
)
from streamer.cli.meanings import meanings
from streamer.cli.moments import MOMENT
from streamer.cli.tables import print_json
from streamer.config import Settings
from streamer.errors import MASK, UsageError
from streamer.outcomes import InvalidReason

if TYPE_CHECKING:
    from streamer.app.replay_letters import Wanted
    from streamer.letters.selection import Selection

EXIT_CLEAN: Final = 0
CALLS_PER_MINUTE: Final = 20.0
"""Beside a running pipeline, which uses 160 of Planhat's 200 calls by default."""


def add_filters(parser: argparse.ArgumentParser) -> None:
    """The filters of `list` and `replay`."""
    parser.add_argument(
        "--reason",
        action="append",
        default=[],
        metavar="REASON",
        help="only for this reason; may be repeated",
    )
    parser.add_argument("--since", metavar="TIME", help=f"only those written from then on ({MOMENT})")
    parser.add_argument("--until", metavar="TIME", help="only those written before then")
    parser.add_argument("--group", metavar="NAME", help="letters of this group (STREAMER_KAFKA_GROUP_ID)")
    parser.add_argument(
        "--user", metavar="NAME", help="only those of this user id, e-mail address, company id or record key"
    )
    parser.add_argument(
        "--partition", type=int, metavar="N", help="only those read from this partition of the event topic"
    )


def add_list(parser: argparse.ArgumentParser) -> None:
    """Arguments of `list`."""
    add_filters(parser)
    parser.add_argument("--all", action="store_true", help="also those that a replay delivered or skipped")
    parser.add_argument("--limit", type=int, metavar="N", help="only the newest N")
    parser.add_argument("--json", action="store_true", help="one JSON line per letter")
    _add_reveal(parser)


def add_show(parser: argparse.ArgumentParser) -> None:
    """Arguments of `show`."""
    parser.add_argument("--group", metavar="NAME", help="letters of this group (STREAMER_KAFKA_GROUP_ID)")
    parser.add_argument("letter", metavar="LETTER", help="partition:offset, as `list` shows it")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    _add_reveal(parser)


def add_replay(parser: argparse.ArgumentParser) -> None:
    """Arguments of `replay`."""
    add_filters(parser)
    parser.add_argument(
        "--letter", action="append", default=[], metavar="LETTER", help="only this one; may be repeated"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be sent; send nothing")
    parser.add_argument("--force", action="store_true", help="also send what is older than a later call")
    parser.add_argument("--rate", type=float, metavar="N", help="at most N letters a second")
    parser.add_argument(
        "--calls-per-minute",
        type=float,
        default=CALLS_PER_MINUTE,
        metavar="N",
        help="calls to Planhat's main API, on top of those of a running pipeline (%(default)g)",
    )
    parser.add_argument("--json", action="store_true", help="the closing account as one JSON object")


def _add_reveal(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reveal", action="store_true", help="show users, keys and values unmasked")


# --- list -----------------------------------------------------------------------------------------


def list_letters(settings: Settings, args: argparse.Namespace) -> int:
    """List letters: those that a replay would take, or all."""
    from streamer.app.shelf import Shelf, newest_last  # noqa: PLC0415 - slow to load

    selection = _selection(args, is_settled_too=args.all)
    if args.limit is not None and args.limit < 1:
        raise UsageError(f"--limit cannot be {args.limit}; 1 or more can")
    with Shelf(settings, "dead-letters list", args.group) as shelf:
        history = shelf.history()
    found = newest_last(filed for filed in history if selection.accepts(filed))
    shown = found[-args.limit :] if args.limit else found
    if args.json:
        for filed in shown:
            print_json(row_of(filed, reveal=args.reveal))
    else:
        print_table(shown, reveal=args.reveal)
        sys.stdout.write("\n".join(closing_lines(found, len(shown), history, has_all=args.all)) + "\n")
    return EXIT_CLEAN


# --- show -----------------------------------------------------------------------------------------


def show_letter(settings: Settings, args: argparse.Namespace) -> int:
    """Everything there is to know about one letter."""
    from streamer.app.shelf import Shelf  # noqa: PLC0415 - slow to load
    from streamer.letters.letter import read_letter_id  # noqa: PLC0415 - as above
    from streamer.letters.masking import masked  # noqa: PLC0415 - as above

    letter_id = read_letter_id(args.letter)
    if letter_id is None:
        raise UsageError(f"{args.letter!r} is no letter: give partition:offset, as `list` shows it")
    with Shelf(settings, "dead-letters show", args.group) as shelf:
        filed = shelf.history().find(letter_id)
        if filed is None:
            raise UsageError(
                f"{settings.kafka_dead_letter_topic} holds no letter at {letter_id}: see `list --all`"
            )
        letter = shelf.letter(filed.letter.id) or filed.letter
        event = shelf.decoded(letter.record)
        found = None if letter.record.value is None else shelf.interpreted(letter.record, settings.rules)
    told = row_of(filed, reveal=args.reveal)
    told |= {
        "ids": [str(each) for each in filed.ids],
        "group": letter.group,
        "attempts": letter.attempts,
        "first_failure": letter.first_failure,
        "version": letter.version,
        "value_bytes": letter.value_bytes if letter.is_stub else len(letter.record.value or b""),
        "is_stub": letter.is_stub,
        "original_is_gone": letter.is_stub and letter.record.value is None,
        "meaning": meanings(InvalidReason).get(filed.reason, ""),
        "history": history_of(filed),
        "headers": [
            [name, (value or b"").decode(errors="replace") if args.reveal else MASK]
            for name, value in letter.record.headers
        ],
        "event": event if args.reveal else masked(event),
        "now": now_of(found),
    }
    if args.json:
        print_json(told)
    else:
        print_letter(told)
    return EXIT_CLEAN


# --- replay ---------------------------------------------------------------------------------------


def replay(settings: Settings, args: argparse.Namespace) -> int:
    """Deliver letters straight through the engine."""
    from streamer.app.replay_letters import Report, Wanted  # noqa: PLC0415 - slow to load
    from streamer.app.replaying import rehearse, replay_letters  # noqa: PLC0415 - as above
    from streamer.cli.progress_screen import ProgressScreen  # noqa: PLC0415 - as above

    wanted = Wanted(_selection(args), args.calls_per_minute, args.rate, args.force, args.group)
    _check_numbers(wanted)
    report = Report()
    try:
        with ProgressScreen(is_quiet=args.json) as screen:
            (rehearse if args.dry_run else replay_letters)(settings, wanted, screen, report)
    finally:
        if report.selected or not sys.exc_info()[0]:
            # However it ended: what was sent, and what is in doubt, must be told.
            (print_json(account_of(report)) if args.json else print_account(report))
    return EXIT_CLEAN


def _check_numbers(wanted: "Wanted") -> None:
    problems = []
    if not 0 < wanted.calls_per_minute <= 100_000:
        problems.append(f"--calls-per-minute cannot be {wanted.calls_per_minute:g}; above 0 to 100,000 can")
    if wanted.per_second is not None and not 0 < wanted.per_second <= 1_000_000:
        problems.append(f"--rate cannot be {wanted.per_second:g}; above 0 to 1,000,000 can")
    if problems:
        raise UsageError("\n".join(problems))


# --- shared ---------------------------------------------------------------------------------------


def _selection(args: argparse.Namespace, *, is_settled_too: bool = False) -> "Selection":
    """The filters as given. Raises UsageError with everything that is wrong with them."""
    from streamer.letters.letter import read_letter_id  # noqa: PLC0415 - only these commands need it
    from streamer.letters.selection import Selection, moment_ms  # noqa: PLC0415 - as above

    known = ", ".join(InvalidReason)
    problems = [
        f"--reason {reason} is none of: {known}"
        for reason in args.reason
        if reason not in list(InvalidReason)
    ]
    moments: dict[str, int | None] = {}
    now_ms = int(time.time() * 1000)
    for name in ("since", "until"):
        text = getattr(args, name)
        moments[name] = None if text is None else moment_ms(text, now_ms)
        if text is not None and moments[name] is None:
            problems.append(f"--{name} {text} is no time; {MOMENT}")
    ids = []
    for text in getattr(args, "letter", []):
        letter_id = read_letter_id(text)
        if letter_id is None:
            problems.append(f"--letter {text} is no letter: give partition:offset, as `list` shows it")
        else:
            ids.append(letter_id)
    if problems:
        raise UsageError("\n".join(problems))
    return Selection(
        reasons=frozenset(args.reason),
        since_ms=moments["since"],
        until_ms=moments["until"],
        user=args.user,
        partition=args.partition,
        ids=frozenset(ids),
        is_settled_too=is_settled_too,
    )


COMMANDS: Final[dict[str, Callable[[Settings, argparse.Namespace], int]]] = {
    "list": list_letters,
    "show": show_letter,
    "replay": replay,
}
