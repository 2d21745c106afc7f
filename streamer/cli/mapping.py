"""`streamer mapping check|test|fields`: a mapping file read, tried on pairs, and measured on a sample."""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamer.cli.tables import add_row, escaped
from streamer.config import Settings, load_settings
from streamer.config.mapping_file import MappingFile, mapping_text, read_mapping_file
from streamer.errors import InvalidEvent, UsageError
from streamer.mapping import Finding, MappingMistakes, read_mapping
from streamer.transform import Rules

if TYPE_CHECKING:
    from streamer.local.custom_keys import CustomKey
    from streamer.planhat.custom_fields import Listed

EXIT_CLEAN = 0
EXIT_DIFFERENT = 1
PATIENCE_SECONDS = 20
"""For each question to Planhat."""
Read = Callable[[bytes], object]

_MAPPING_HELP = "mapping file to use (STREAMER_MAPPING_FILE)"
_PARENTS = {"company": "company", "companies": "company", "enduser": "enduser", "endusers": "enduser"}


def add_check(parser: argparse.ArgumentParser) -> None:
    """Arguments of `mapping check`."""
    parser.add_argument("file", metavar="FILE", help="mapping file to read")
    parser.add_argument("--json", action="store_true", help="one JSON object: mistakes and warnings")


def add_test(parser: argparse.ArgumentParser) -> None:
    """Arguments of `mapping test`."""
    parser.add_argument("folder", metavar="DIR", help="folder of <case>.event.json and <case>.planhat.json")
    parser.add_argument("--mapping", metavar="FILE", help=_MAPPING_HELP)
    parser.add_argument("--json", action="store_true", help="one JSON line per case")


def add_fields(parser: argparse.ArgumentParser) -> None:
    """Arguments of `mapping fields`."""
    parser.add_argument("file", metavar="FILE|-", help="events as JSON; - reads standard input")
    parser.add_argument("--mapping", metavar="FILE", help=_MAPPING_HELP)
    parser.add_argument("--json", action="store_true", help="one JSON line per field")


def check(args: argparse.Namespace) -> int:
    """Say every mistake with its line, and what is doubtful; exit 2 where there is a mistake."""
    text = _text(args.file)
    try:
        read = read_mapping(text)
    except MappingMistakes as found:
        if args.json:
            _print(_as_json(found.mistakes, ()))
            return UsageError.exit_code
        raise UsageError("\n".join(f"{args.file}: {mistake}" for mistake in found.mistakes)) from None
    if args.json:
        _print(_as_json((), read.warnings))
        return EXIT_CLEAN
    for warning in read.warnings:
        _print(f"{args.file}: {warning}")
    doubts = f", {len(read.warnings)} doubtful" if read.warnings else ""
    _print(f"{args.file}: no mistake{doubts}")
    return EXIT_CLEAN


def test(args: argparse.Namespace, read: Callable[[Settings], Read]) -> int:
    """Say which pairs hold; exit 1 where one does not."""
    from streamer.local.cases import judged  # noqa: PLC0415 - as above

    settings = load_settings(needs=())
    base = rules_of(settings, args.mapping)
    read_event = read(settings)
    own = cache(lambda path: rules_of(settings, str(path)))
    failed = total = 0
    outcome = partial(_outcome, base=base, own=own, read=read_event, settings=settings)
    for case in judged(Path(args.folder), outcome):
        total += 1
        failed += not case.holds
        if args.json:
            _print(
                json.dumps({"case": case.name, "holds": case.holds, "difference": case.difference or None})
            )
        elif not case.holds:
            _print(f"{case.name}: differs\n{case.difference}\n")
    if not args.json:
        _print(f"{total - failed} of {total} cases hold")
    return EXIT_DIFFERENT if failed else EXIT_CLEAN


def fields(args: argparse.Namespace, read: Callable[[Settings], Read]) -> int:
    """List the custom fields that a sample would write to, beside those that Planhat has."""
    from streamer.events.parse import parse  # noqa: PLC0415 - as above
    from streamer.local.custom_keys import CustomKeys  # noqa: PLC0415 - as above
    from streamer.local.lines import event_texts, opened  # noqa: PLC0415 - as above
    from streamer.transform import Transformed, transform  # noqa: PLC0415 - as above

    settings = load_settings(needs=())
    rules = rules_of(settings, args.mapping)
    read_event = read(settings)
    keys, events, invalid = CustomKeys(), 0, 0
    with opened(args.file) as stream:
        for text in event_texts(stream, read_event):
            events += 1
            try:
                result = transform(parse(read_event(text)), rules)
            except InvalidEvent:
                invalid += 1
                continue
            if isinstance(result, Transformed):
                keys.add(result.operations)
    listed = _planhat_fields(settings)
    known = {}
    for each in () if listed is None else listed.fields:
        known[_PARENTS.get(each.parent.lower(), each.parent), each.name] = each.type
    found = keys.beside(known)
    if args.json:
        for key in found:
            _print(json.dumps(_key_json(key, is_asked=listed is not None and not listed.problem)))
        return EXIT_CLEAN
    _print(f"{events} events, {invalid} of them invalid: {len(found)} custom fields")
    if keys.left_out:
        _print(f"and more: {keys.left_out} writes went to other names; are there data in the names?")
    _print(_asked(listed))
    _print_table(found, listed)
    return EXIT_CLEAN


def _outcome(
    event: bytes,
    mapping: Path | None,
    *,
    base: Rules,
    own: Callable[[Path], Rules],
    read: Read,
    settings: Settings,
) -> object:
    from streamer.events.parse import parse  # noqa: PLC0415 - only these commands need it
    from streamer.planhat.items import encode_operation  # noqa: PLC0415 - as above
    from streamer.planhat.requests import Addresses, request_for  # noqa: PLC0415 - as above
    from streamer.transform import Skipped, transform  # noqa: PLC0415 - as above

    try:
        result = transform(parse(read(event)), base if mapping is None else own(mapping))
    except InvalidEvent as invalid:
        return {"invalid": str(invalid.reason)}
    if isinstance(result, Skipped):
        return {"skipped": str(result.reason)}
    token = settings.planhat_tenant_token.get_secret_value()
    addresses = Addresses(settings.planhat_api_url, settings.planhat_analytics_url, token)
    requests = [request_for(each.endpoint, [encode_operation(each)], addresses) for each in result.operations]
    return [
        {"method": each.method, "url": each.shown_url, "body": json.loads(each.body) if each.body else None}
        for each in requests
    ]


def rules_of(settings: Settings, mapping: str | None) -> Rules:
    """The rules of the settings; with another mapping file, its rules and the settings' other choices."""
    if mapping is None:
        return settings.rules
    return settings.model_copy(update={"mapping_file": _usable(mapping)}).rules


def _usable(path: str) -> MappingFile:
    try:
        return read_mapping_file(path)
    except ValueError as mistakes:
        raise UsageError("\n".join(f"{path}: {line}" for line in str(mistakes).splitlines())) from None


def _text(path: str) -> str:
    try:
        return mapping_text(path)
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None


def _planhat_fields(settings: Settings) -> "Listed | None":
    """Those that Planhat has; None where no API token is set, so that it is not asked."""
    if "planhat_api_token" not in settings.sources or settings.planhat_api_token is None:
        return None
    from streamer.planhat.client import Client, trusted_authorities  # noqa: PLC0415 - only these need it
    from streamer.planhat.credentials import Credentials  # noqa: PLC0415 - as above
    from streamer.planhat.custom_fields import list_custom_fields  # noqa: PLC0415 - as above

    token = settings.planhat_api_token.get_secret_value()
    credentials = Credentials(token, settings.planhat_tenant_token.get_secret_value())
    client = Client(trusted_authorities(), deadline_seconds=min(PATIENCE_SECONDS, settings.http_main_seconds))
    try:
        return list_custom_fields(client, settings.planhat_api_url, credentials)
    finally:
        client.close()


def _asked(listed: "Listed | None") -> str:
    if listed is None:
        return "Planhat was not asked which fields it has: STREAMER_PLANHAT_API_TOKEN is not set"
    if listed.problem:
        return f"Planhat did not say which fields it has: {listed.problem}"
    return f"Planhat has {len(listed.fields)} custom fields of all models"


def _print_table(found: "list[CustomKey]", listed: "Listed | None") -> None:
    from rich.console import Console  # noqa: PLC0415 - only these commands need it
    from rich.table import Table  # noqa: PLC0415 - as above

    table = Table(box=None, pad_edge=False, show_edge=False)
    for heading in ("of", "custom field", "written", "as", "at Planhat"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "written" else "left")
    is_known = listed is not None and not listed.problem
    for key in found:
        there = (key.planhat_type or "no such field") if is_known else "?"
        add_row(table, key.of, key.name, str(key.count), _types(key), there)
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _types(key: "CustomKey") -> str:
    return ", ".join(sorted(key.types, key=lambda kind: -key.types[kind]))


def _key_json(key: "CustomKey", *, is_asked: bool) -> dict[str, Any]:
    at_planhat = (key.planhat_type is not None) if is_asked else None
    return {
        "of": key.of,
        "name": key.name,
        "count": key.count,
        "types": key.types,
        "atPlanhat": at_planhat,
        "planhatType": key.planhat_type,
    }


def _as_json(mistakes: Sequence[Finding], warnings: Sequence[Finding]) -> str:
    return json.dumps(
        {
            "mistakes": [each._asdict() for each in mistakes],
            "warnings": [each._asdict() for each in warnings],
        }
    )


def _print(text: str) -> None:
    sys.stdout.write(f"{escaped(text)}\n")
