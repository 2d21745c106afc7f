"""`streamer schemas list|check|register`: the bundled schemas, here and in a registry."""

import argparse
import sys
from typing import TYPE_CHECKING, Any, Final

from streamer.config import Settings
from streamer.errors import SchemaError, UsageError

if TYPE_CHECKING:
    from streamer.app.subjects import Beside
    from streamer.avro.evolution import Evolved
    from streamer.avro.schemas import Schema
    from streamer.avro.subjects import Added, Judgement, Standing

EXIT_CLEAN: Final = 0
_NAMES: Final = ("record", "topic-record")
"""Those of `avro.subjects.SubjectNames`, which loads late."""


def add_list(parser: argparse.ArgumentParser) -> None:
    """Arguments of `schemas list`."""
    _add_subjects(parser)
    parser.add_argument("--json", action="store_true", help="one JSON line per schema")


def add_check(parser: argparse.ArgumentParser) -> None:
    """Arguments of `schemas check`."""
    _add_subjects(parser)
    text = "compare with the released versions, also where a registry is set"
    parser.add_argument("--released", action="store_true", help=text)
    parser.add_argument("--json", action="store_true", help="one JSON line per schema")


def add_register(parser: argparse.ArgumentParser) -> None:
    """Arguments of `schemas register`."""
    _add_subjects(parser)
    parser.add_argument("--dry-run", action="store_true", help="say what would be registered; write nothing")
    parser.add_argument("--json", action="store_true", help="one JSON line per schema")


def _add_subjects(parser: argparse.ArgumentParser) -> None:
    text = "subjects are called after the record, or after topic and record (%(default)s)"
    parser.add_argument("--subjects", choices=_NAMES, default=_NAMES[0], help=text)
    parser.add_argument("--topic", help="topic of topic-record (STREAMER_KAFKA_TOPIC)")


def run(settings: Settings, args: argparse.Namespace) -> int:
    """What `args.action` names."""
    from streamer.app.subjects import beside_registry  # noqa: PLC0415 - it loads every room
    from streamer.avro.subjects import SubjectNames  # noqa: PLC0415 - as above

    names = SubjectNames(args.subjects)
    if args.topic is not None and names is not SubjectNames.TOPIC_RECORD:
        raise UsageError("--topic goes with --subjects topic-record")
    is_offline = settings.schema_registry_url is None or (args.action == "check" and args.released)
    if args.action == "list" and is_offline:
        return _list_alone(args)
    if args.action == "check" and is_offline:
        return _check_released(args)
    command = {"list": _list, "check": _check, "register": _register}[args.action]
    with beside_registry(settings, names, args.topic) as beside:
        return command(beside, args)


# --- list ------------------------------------------------------------------------------------------


def _list_alone(args: argparse.Namespace) -> int:
    from streamer.avro.schemas import load_schemas  # noqa: PLC0415 - only these commands need it

    _tell([_described(schema) for schema in load_schemas()], ("schema", "fingerprint", "fields"), args)
    return EXIT_CLEAN


def _list(beside: "Beside", args: argparse.Namespace) -> int:
    rows = [_described(found.schema) | _stands(found) for found in beside.standings()]
    _tell(rows, ("schema", "fingerprint", "fields", "subject", "id", "version", "state"), args)
    return EXIT_CLEAN


def _described(schema: "Schema") -> dict[str, Any]:
    fields = [each["name"] for each in schema.definition["fields"]]
    return {
        "schema": schema.label,
        "name": schema.name,
        "fingerprint": schema.fingerprint.hex(),
        "fields": fields,
    }


def _stands(found: "Standing") -> dict[str, Any]:
    held = found.held
    return {
        "subject": found.subject,
        "id": None if held is None else held.schema_id,
        "version": None if held is None else held.version,
        "newest": found.newest,
        "state": found.state.value,
    }


# --- check -----------------------------------------------------------------------------------------


def _check_released(args: argparse.Namespace) -> int:
    from streamer.app.subjects import beside_released  # noqa: PLC0415 - it loads every room

    found = beside_released()
    columns = ("schema", "released", "compatible")
    _tell([_evolved(each) for each in found], columns, args)
    broken = [f"{each.schema.label} {problem}" for each in found for problem in each.problems]
    if broken:
        said = "they have not evolved as promised; undo it, or add fields with a default instead"
        raise SchemaError("\n".join([*broken, said]))
    return EXIT_CLEAN


def _evolved(each: "Evolved") -> dict[str, Any]:
    return {
        "schema": each.schema.label,
        "against": "released",
        "released": list(each.versions),
        "current": each.current,
        "compatible": not each.problems,
        "reasons": list(each.problems),
    }


def _check(beside: "Beside", args: argparse.Namespace) -> int:
    judged = list(beside.judgements())
    _tell([_judged(each) for each in judged], ("schema", "subject", "state", "level", "compatible"), args)
    _refuse(judged, "nothing was written")
    return EXIT_CLEAN


def _judged(each: "Judgement") -> dict[str, Any]:
    return {
        "schema": each.standing.schema.label,
        "against": "registry",
        **_stands(each.standing),
        "level": each.level,
        "compatible": each.is_compatible,
        "reasons": list(each.reasons),
    }


def _refuse(judged: "list[Judgement]", and_so: str) -> None:
    from streamer.avro.subjects import UNCHECKED  # noqa: PLC0415 - only these commands need it
    from streamer.cli.tables import printable  # noqa: PLC0415 - as above

    lines = []
    for each in judged:
        if each.is_compatible:
            continue
        stands = f"{each.standing.schema.label} may not follow version {each.standing.newest} of subject "
        by = "by our own rules, since the registry has none" if each.level == UNCHECKED else "by the registry"
        lines.append(f"{stands}{each.standing.subject} (level {each.level}, {by}):")
        lines += [f"  {printable(reason)}" for reason in each.reasons]
    if lines:
        mend = (
            f"{and_so}; see who else registers there, register under other names (--subjects), or change "
            "what the subject holds with the registry's own tools"
        )
        raise SchemaError("\n".join([*lines, mend]))


# --- register --------------------------------------------------------------------------------------


def _register(beside: "Beside", args: argparse.Namespace) -> int:
    judged = list(beside.judgements())
    _refuse(judged, "nothing was registered")
    if args.dry_run:
        for each in judged:
            _say_added(_would_add(each), args, would=True)
        return EXIT_CLEAN
    for added in beside.additions(tuple(judged)):
        # One by one: where the registry fails half-way, what was done is told.
        _say_added(added, args, would=False)
    return EXIT_CLEAN


def _would_add(each: "Judgement") -> "Added":
    from streamer.avro.subjects import Added  # noqa: PLC0415 - only these commands need it

    held = each.standing.held
    if held is None or not each.standing.is_there:
        return Added(each.standing, None, None, is_new=True)
    return Added(each.standing, held.schema_id, held.version, is_new=False)


def _say_added(added: "Added", args: argparse.Namespace, *, would: bool) -> None:
    from streamer.cli.tables import print_json  # noqa: PLC0415 - only these commands need it

    schema, subject = added.standing.schema, added.standing.subject
    if args.json:
        told = {"schema": schema.label, "subject": subject, "id": added.schema_id, "version": added.version}
        print_json({**told, "registered": added.is_new and not would, "new": added.is_new})
    elif would and added.is_new:
        sys.stdout.write(f"{schema.label}: would be registered as {subject}\n")
    else:
        done = "registered as" if added.is_new else "is there as"
        version = "an unknown version" if added.version is None else f"version {added.version}"
        sys.stdout.write(f"{schema.label}: {done} {subject}, {version}, id {added.schema_id}\n")
    sys.stdout.flush()


# --- how it is told --------------------------------------------------------------------------------


def _tell(rows: list[dict[str, Any]], columns: tuple[str, ...], args: argparse.Namespace) -> None:
    from rich.table import Table  # noqa: PLC0415 - only tables need it

    from streamer.cli.tables import add_row, console, print_json  # noqa: PLC0415 - as above

    if args.json:
        for row in rows:
            print_json(row)
        return
    table = Table(box=None, pad_edge=False, show_edge=False)
    for heading in columns:
        table.add_column(heading, overflow="fold", no_wrap=heading in {"schema", "fingerprint", "state"})
    for row in rows:
        table_row = {**row, "fields": _in_short(row, rows)}
        add_row(table, *(_cell(table_row[column]) for column in columns))
    console().print(table)


def _in_short(row: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """The fields that not every schema has, and how many more there are."""
    if "fields" not in row:
        return ""
    common = set.intersection(*(set(each["fields"]) for each in rows))
    own = [name for name in row["fields"] if name not in common]
    every = f"{len(common)} of every call"
    return f"{', '.join(own)}, and {every}" if own else every


def _cell(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(f"v{each}" for each in value) or "none yet"
        case _:
            return str(value)
