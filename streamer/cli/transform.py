"""`streamer transform`: what Planhat would be told of events, from a file or a live topic."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Final

from streamer.cli.mapping import rules_of
from streamer.cli.moments import MOMENT
from streamer.config import Settings
from streamer.errors import UsageError

if TYPE_CHECKING:
    from streamer.local.transform import Given, ShownRequest
    from streamer.transform import Rules
    from streamer.transform.operations import Operation

EXIT_CLEAN = 0
Read = Callable[[bytes], object]
_FORWARDED: Final = (
    "streamer: in passthrough mode Planhat maps: of a mapping file only [events] has an effect. "
    "STREAMER_PLANHAT_MODE=api shows what all of it does.\n"
)
"""Said where a mapping is tried: that nothing changes would else look like an answer."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `transform`."""
    parser.add_argument(
        "file",
        metavar="FILE|-",
        nargs="?",
        help="events as JSON, or an Avro container file; - reads standard input",
    )
    parser.add_argument("--json", action="store_true", help="one JSON line per event")
    parser.add_argument("--why", action="store_true", help="name the rule behind each field and each skip")
    parser.add_argument("--count", type=int, metavar="N", help="no more than N events")
    parser.add_argument("--mapping", metavar="NEW", help="rules of this mapping file (STREAMER_MAPPING_FILE)")
    parser.add_argument(
        "--against",
        nargs="?",
        const="",
        metavar="OLD",
        help="instead of requests: what NEW would change of what OLD makes of the events; without a name, of "
        "what the rules in force make of them",
    )
    parser.add_argument("--show-values", action="store_true", help="with --against: show values unmasked")
    live = parser.add_argument_group(
        "a live topic", "Reads up to the end seen at the start; joins no group, and commits nothing."
    )
    live.add_argument(
        "--topic",
        nargs="?",
        const="",
        metavar="NAME",
        help="read this topic instead of a file (STREAMER_KAFKA_TOPIC)",
    )
    live.add_argument("--partition", type=int, metavar="P", help="this partition alone")
    live.add_argument(
        "--offset",
        type=int,
        metavar="O",
        help="from this offset on; negative: the last of each partition (-10: the last ten)",
    )
    live.add_argument(
        "--from", dest="since", metavar="TIME", help=f"what was written from then on ({MOMENT})"
    )


def transform(settings: Settings, args: argparse.Namespace, read: Read) -> int:
    """Print what becomes of each event; the exit status is 0 whatever they were."""
    from streamer.cli.tables import escaped  # noqa: PLC0415 - only these commands need it
    from streamer.local.transform import as_json, as_text, tell  # noqa: PLC0415 - only this command needs it
    from streamer.transform.why import why  # noqa: PLC0415 - as above

    rules = rules_of(settings, args.mapping)
    if args.mapping is not None and rules.forwards:
        sys.stderr.write(_FORWARDED)
    if args.against is not None:
        return _changes(settings, args, read, rules)
    show = as_json if args.json else as_text
    with given(settings, args, read) as events:
        for told in tell(events, rules, asking(settings), why if args.why else None):
            sys.stdout.write(escaped(show(told)) + "\n")
            if args.file == "-":
                sys.stdout.flush()
    return EXIT_CLEAN


def _changes(settings: Settings, args: argparse.Namespace, read: Read, new: "Rules") -> int:
    """Print what the new rules would change; the exit status is 0 whatever that is."""
    from streamer.cli.change_tables import changes_json, print_changes  # noqa: PLC0415 - only --against needs it
    from streamer.cli.tables import print_json  # noqa: PLC0415 - as above
    from streamer.local.changes import compare_all  # noqa: PLC0415 - as above

    old = rules_of(settings, args.against or None)
    with given(settings, args, read) as events:
        changes = compare_all(events, old, new)
    if args.json:
        print_json(changes_json(changes, shows_values=args.show_values))
    else:
        print_changes(changes, shows_values=args.show_values)
    return EXIT_CLEAN


def check(args: argparse.Namespace) -> None:
    """Raise UsageError with everything that is wrong with the arguments together."""
    problems = []
    if (args.file is None) == (args.topic is None):
        problems.append("give a file of events, - for standard input, or --topic: one of them")
    if args.topic is None:
        names = {"--partition": args.partition, "--offset": args.offset, "--from": args.since}
        problems += [
            f"{name} is of a live topic: --topic" for name, value in names.items() if value is not None
        ]
    if args.offset is not None and args.since is not None:
        problems.append("--offset and --from both say where to begin: one of them")
    if args.offset is not None and args.offset >= 0 and args.partition is None:
        problems.append("--offset needs --partition: each partition counts from 0")
    if args.against is not None and (args.mapping is None or args.why):
        problems.append("--against goes with --mapping NEW, and without --why")
    if args.show_values and args.against is None:
        problems.append("--show-values is of --against: the requests are shown as they are")
    if args.count is not None and args.count < 1:
        problems.append(f"--count cannot be {args.count}; 1 or more can")
    if args.since is not None and _moment(args.since) is None:
        problems.append(f"--from {args.since} is no time; {MOMENT}")
    if problems:
        raise UsageError("\n".join(problems))


@contextmanager
def given(settings: Settings, args: argparse.Namespace, read: Read) -> Iterator[Iterator["Given"]]:
    """The events that the arguments name."""
    if args.topic is None:
        with _in_file(args.file, read) as events:
            yield islice(events, args.count)
        return
    from streamer.app.stretches import Beginning, given_events  # noqa: PLC0415 - slow to load

    since_ms = None if args.since is None else _moment(args.since)
    beginning = Beginning(args.partition, args.offset, since_ms)
    yield islice(given_events(settings, args.topic or settings.kafka_topic, beginning), args.count)


@contextmanager
def _in_file(name: str, read: Read) -> Iterator[Iterator["Given"]]:
    from streamer.avro.containers import MAGIC, container_events  # noqa: PLC0415 - slow to load
    from streamer.local.lines import event_texts, opened  # noqa: PLC0415 - as above
    from streamer.local.transform import given_texts, given_values  # noqa: PLC0415 - as above

    with opened(name) as stream:
        if stream.peek(len(MAGIC)).startswith(MAGIC):
            yield given_values(container_events(stream, name))
        else:
            yield given_texts(event_texts(stream, read), read)


def asking(settings: Settings) -> "Callable[[Operation], ShownRequest]":
    """What makes the request of an operation, with the tenant token masked."""
    from streamer.local.transform import ShownRequest  # noqa: PLC0415 - slow to load
    from streamer.planhat.items import encode_operation  # noqa: PLC0415 - as above
    from streamer.planhat.requests import Addresses, request_for  # noqa: PLC0415 - as above

    token = settings.planhat_tenant_token.get_secret_value()
    addresses = Addresses(
        settings.planhat_api_url, settings.planhat_analytics_url, token, settings.planhat_segment_url
    )

    def ask(operation: "Operation") -> ShownRequest:
        request = request_for(operation.endpoint, [encode_operation(operation)], addresses)
        return ShownRequest(request.method, request.shown_url, request.body)

    return ask


def _moment(text: str) -> int | None:
    from streamer.letters.selection import moment_ms  # noqa: PLC0415 - only this option needs it

    return moment_ms(text, int(time.time() * 1000))
