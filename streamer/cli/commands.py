"""What each command does. What it needs is imported when it runs: librdkafka alone takes long to load."""

import argparse
import importlib
import importlib.util
import sys
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from streamer.cli import dead_letters, explain, transform
from streamer.config import Settings, load_settings, secret_values, settings_table
from streamer.errors import SourceError, StreamerError, UsageError, place_of

EXIT_CLEAN = 0
DEMO_INSTALL = 'pip install "segment-planhat-streamer[demo]"'
ACKNOWLEDGE_SECONDS = 60

Execute = Callable[[argparse.Namespace], int]
STAND_INS = {"demo": "streamer.standins.demo", "sandbox": "streamer.standins.planhat.command"}
"""Commands that a module of the stand-ins brings along, arguments included."""


def _run(args: argparse.Namespace) -> int:
    from streamer import app  # noqa: PLC0415 - it loads every room
    from streamer.logs import Event, log, unseen_errors_told  # noqa: PLC0415 - as above

    settings = _settings_in_force(args)
    try:
        with unseen_errors_told():
            return app.run(settings)
    except StreamerError as error:
        # Whoever reads the log of a service reads nothing else: its last line says why it ended.
        log(Event.FAILED, problem=str(error), exit_code=error.exit_code)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the last door: an end that no line tells is a riddle
        code = StreamerError.exit_code
        # Not the error's own text, which may quote an event.
        problem = f"unexpected error: {type(error).__name__}; please report this line"
        log(Event.FAILED, problem=problem, where=place_of(error), exit_code=code)
        return code


def _check(args: argparse.Namespace) -> int:
    from streamer import app  # noqa: PLC0415 - it loads every room

    return app.check(_settings_in_force(args))


def _settings_in_force(args: argparse.Namespace, needs: Collection[str] | None = None) -> Settings:
    """The settings of a command that connects to everything it needs, with the log begun as they say."""
    from streamer.kafka.configuration import property_problems  # noqa: PLC0415 - slow to load
    from streamer.logs import configure_logs  # noqa: PLC0415 - as above

    wanted: dict[str, Any] = {} if needs is None else {"needs": needs}
    settings = load_settings(property_problems=property_problems, **wanted)
    level = "debug" if args.verbose else settings.log_level
    configure_logs(log_format=settings.log_format, log_level=level, secrets=secret_values(settings))
    return settings


def _stand_in(module: str, args: argparse.Namespace) -> int:
    if importlib.util.find_spec("aiohttp") is None:
        raise UsageError(f"this command needs the stand-ins, which are not installed: {DEMO_INSTALL}")
    code: int = importlib.import_module(module).run(args)
    return code


def _reader(settings: Settings) -> Callable[[bytes], object]:
    """Reads an event of a file as `run` reads a record's value of the same bytes, limits included."""
    from streamer.avro.decoder import Decoder  # noqa: PLC0415 - only two commands need it
    from streamer.avro.schemas import load_schemas  # noqa: PLC0415 - as above
    from streamer.engine.ports import Decoded  # noqa: PLC0415 - as above

    decoder = Decoder(load_schemas(), max_bytes=settings.max_event_bytes)

    def read(text: bytes) -> object:
        decoded = decoder.decode(text)
        # Only a registry is waited for, and this decoder has none.
        return decoded.value if isinstance(decoded, Decoded) else None

    return read


def _transform(args: argparse.Namespace) -> int:
    transform.check(args)
    is_file = args.topic is None
    settings = load_settings(needs=()) if is_file else _settings_in_force(args, ("kafka_bootstrap_servers",))
    return transform.transform(settings, args, _reader(settings))


def _explain(args: argparse.Namespace) -> int:
    return explain.explain(_settings_in_force(args, explain.needs_of(args)), args)


def _publish(args: argparse.Namespace) -> int:
    from streamer.avro.encoder import Encoder  # noqa: PLC0415 - only this command needs it
    from streamer.avro.schemas import load_schemas  # noqa: PLC0415 - as above
    from streamer.kafka.publish import Publisher  # noqa: PLC0415 - as above
    from streamer.kafka.start import ANSWER_SECONDS, check_topics  # noqa: PLC0415 - as above
    from streamer.local.lines import event_texts, opened  # noqa: PLC0415 - as above
    from streamer.local.publish import publish  # noqa: PLC0415 - as above

    settings = _settings_in_force(args, ("kafka_bootstrap_servers",))
    topic = args.topic or settings.kafka_topic
    broker, properties = settings.kafka_bootstrap_servers, settings.kafka_properties
    publisher = Publisher(broker, topic, properties)
    encode = partial(Encoder(load_schemas()).encode, framing=args.framing)
    read = _reader(settings)
    with opened(args.file) as stream:
        # Many a broker makes a topic of any name that is written to, a mistyped one too.
        check_topics(broker, [topic], properties, min(ANSWER_SECONDS, ACKNOWLEDGE_SECONDS))
        refusals = publish(event_texts(stream, read), read, encode, publisher.publish, key=args.key)
    missing = publisher.flush(ACKNOWLEDGE_SECONDS)
    sys.stdout.write(f"{publisher.acknowledged} events published to {topic}\n")
    if missing or publisher.failed:
        reasons = [f"{count} refused: {reason}" for reason, count in publisher.failed.items()]
        reasons += [f"{missing} not acknowledged within {ACKNOWLEDGE_SECONDS} s"] if missing else []
        raise SourceError(
            f"not every event reached {topic} at {broker} ({'; '.join(reasons)}); "
            "see that broker and topic are there, then publish what is missing"
        )
    if refusals:
        lines = [f"event {refusal.event} was left out: {refusal.reason}" for refusal in refusals]
        raise UsageError("\n".join(lines))
    return EXIT_CLEAN


def _settings(_args: argparse.Namespace) -> int:
    from rich.console import Console  # noqa: PLC0415 - only this command needs it
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    table = Table(box=None, pad_edge=False, show_edge=False)
    for heading in ("setting", "value", "from", "meaning"):
        table.add_column(heading, overflow="fold", no_wrap=heading in {"setting", "from"})
    for row in settings_table(load_settings(needs=())):
        table.add_row(*map(Text, row))
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    return EXIT_CLEAN


def _dead_letters(args: argparse.Namespace) -> int:
    needs = None if args.action == "replay" and not args.dry_run else ("kafka_bootstrap_servers",)
    return dead_letters.COMMANDS[args.action](_settings_in_force(args, needs), args)


def _mapping(args: argparse.Namespace) -> int:
    from streamer.cli import mapping  # noqa: PLC0415 - only this command needs it

    match args.action:
        case "check":
            return mapping.check(args)
        case "test":
            return mapping.test(args, _reader)
        case _:
            return mapping.fields(args, _reader)


def _schemas(args: argparse.Namespace) -> int:
    from streamer.cli import schemas  # noqa: PLC0415 - only this command needs it

    return schemas.run(load_settings(needs=()), args)


EXECUTE: dict[str, Execute] = {
    "run": _run,
    "check": _check,
    "transform": _transform,
    "explain": _explain,
    "publish": _publish,
    "settings": _settings,
    "mapping": _mapping,
    "dead-letters": _dead_letters,
    "schemas": _schemas,
    **{name: partial(_stand_in, module) for name, module in STAND_INS.items()},
}
"""Each takes the parsed arguments and returns the exit code."""
