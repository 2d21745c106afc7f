"""Whether what one schema wrote can be read by another: Avro's rules of resolution, told from schemas alone.

For those who read by a schema of their own. `streamer` does not: it reads by the writer's.
"""

from collections.abc import Iterator
from typing import Any, Final

from streamer.avro.datum import DatumReader
from streamer.avro.hazards import AvroType, kind

_PROMOTIONS: Final = frozenset(
    {
        *(("int", wider) for wider in ("long", "float", "double")),
        *(("long", wider) for wider in ("float", "double")),
        ("float", "double"),
        ("string", "bytes"),
        ("bytes", "string"),
    }
)
"""Written as the first, read as the second."""
_RECORDS: Final = frozenset({"record", "error"})
_TOO_DEEP: Final = "the datum: types within types too deep to be compared"
_NAMED: Final = _RECORDS | {"enum", "fixed"}


def obstacles(reader: DatumReader, writer: DatumReader) -> tuple[str, ...]:
    """Why somebody who reads by `reader` cannot read all that was written by `writer`; empty if they can.

    Each says where, by names of fields, and what; schemas hold no values of events.
    """
    try:
        return tuple(_Pair(reader, writer).differences(reader.parsed, writer.parsed, ""))
    except RecursionError:
        return (_TOO_DEEP,)


def are_equal_but_for_docs(one: DatumReader, other: DatumReader) -> bool:
    """Whether two schemas say the same, however they are spelled and documented."""
    try:
        return bool(_undocumented(one.parsed) == _undocumented(other.parsed))
    except RecursionError:
        return False  # `obstacles` tells why


def _undocumented(part: Any) -> Any:  # noqa: ANN401 a part of a schema
    if isinstance(part, list):
        return [_undocumented(each) for each in part]
    if not isinstance(part, dict):
        return part
    # A default is a value, whatever it is made of; what begins with underscores is fastavro's own.
    return {
        name: inner if name == "default" else _undocumented(inner)
        for name, inner in part.items()
        if name != "doc" and not name.startswith("__")
    }


class _Pair:
    """A reader's schema beside a writer's."""

    def __init__(self, reader: DatumReader, writer: DatumReader) -> None:
        self._reader_names = reader.named
        self._writer_names = writer.named
        self._begun: set[tuple[str, str]] = set()
        """Pairs of named types under way or done: types that contain themselves end here."""
        self._unfit: set[tuple[int, int]] = set()
        """Pairs that did not fit, by identity: branches within branches are not compared again and again."""

    def differences(self, reader: AvroType, writer: AvroType, place: str) -> Iterator[str]:
        """What stands between them, outermost first."""
        reader = self._reader_names.get(reader, reader) if isinstance(reader, str) else reader
        writer = self._writer_names.get(writer, writer) if isinstance(writer, str) else writer
        if isinstance(writer, list):
            for branch in writer:
                yield from self.differences(reader, branch, place)
            return
        if isinstance(reader, list):
            branches = [
                self._reader_names.get(each, each) if isinstance(each, str) else each for each in reader
            ]
            if any(self._fits(branch, writer) for branch in branches):
                return
            alike = next((branch for branch in branches if _are_alike(branch, writer)), None)
            if alike is not None:
                yield from self.differences(alike, writer, place)
            else:
                yield f"{place or 'the datum'}: written as {_told(writer)}, read as {_told(reader)}"
            return
        what, written = kind(reader), kind(writer)
        if what in _RECORDS and written in _RECORDS and _are_one(reader, writer):
            yield from self._in_records(reader, writer, place)
        elif what == written == "enum" and _are_one(reader, writer):
            unknown = sorted(set(writer["symbols"]) - set(reader["symbols"]))
            if unknown and "default" not in reader:
                yield f"{place or 'the datum'}: the reader does not know {', '.join(unknown)}"
        elif what == written == "array":
            yield from self.differences(reader["items"], writer["items"], f"{place}[]")
        elif what == written == "map":
            yield from self.differences(reader["values"], writer["values"], f"{place}{{}}")
        elif not _is_read_as(reader, writer):
            yield f"{place or 'the datum'}: written as {_told(writer)}, read as {_told(reader)}"

    def _fits(self, reader: AvroType, writer: AvroType) -> bool:
        """Whether a branch reads what is written; what was begun in vain to find out counts for no other."""
        pair = (id(reader), id(writer))
        if pair in self._unfit:
            return False
        begun = set(self._begun)
        fits = next(self.differences(reader, writer, ""), None) is None
        if not fits:
            self._begun = begun
            self._unfit.add(pair)
        return fits

    def _in_records(self, reader: AvroType, writer: AvroType, place: str) -> Iterator[str]:
        pair = (reader["name"], writer["name"])
        if pair in self._begun:
            return
        self._begun.add(pair)
        written = {member["name"]: member for member in writer["fields"]}
        for member in reader["fields"]:
            names = [member["name"], *member.get("aliases", ())]
            found = next((written[name] for name in names if name in written), None)
            inner = f"{place}.{member['name']}".lstrip(".")
            if found is not None:
                yield from self.differences(member["type"], found["type"], inner)
            elif "default" not in member:
                yield f"{inner}: not written, and the reader has no default for it"


def _are_one(reader: AvroType, writer: AvroType) -> bool:
    """Whether two named types bear one name, without its namespace, or the reader's alias says so."""
    return _last(reader["name"]) == _last(writer["name"]) or writer["name"] in reader.get("aliases", ())


def _are_alike(reader: AvroType, writer: AvroType) -> bool:
    """Whether a branch is the one that was meant, so that what differs within it is worth telling."""
    what = kind(writer)
    return kind(reader) == what and (what not in _NAMED or _are_one(reader, writer))


def _is_read_as(reader: AvroType, writer: AvroType) -> bool:
    what, written = kind(reader), kind(writer)
    if what == written == "fixed":
        return _are_one(reader, writer) and bool(reader["size"] == writer["size"])
    return (what == written and what not in _NAMED) or (written, what) in _PROMOTIONS


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _told(avro_type: AvroType) -> str:
    if isinstance(avro_type, list):
        return " or ".join(_told(branch) for branch in avro_type)
    what = kind(avro_type)
    if what == "fixed":
        return f"{avro_type['name']} of {avro_type['size']} bytes"
    return f"{what} {avro_type['name']}" if what in _NAMED else what
