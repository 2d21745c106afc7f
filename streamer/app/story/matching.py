"""Which records are about an object: by what they ask for, and else by the ids that they name. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from streamer.app.story.values import Kind, Wanted
from streamer.engine.interpret import Interpreted
from streamer.events.parse import call_type_of
from streamer.events.values import id_text
from streamer.outcomes import CallType
from streamer.records import Record
from streamer.transform.operations import Operation

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.@-]*")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
_PATHS: Final[Mapping[Kind, tuple[tuple[str, ...], ...]]] = {
    Kind.USER: (("userId",), ("anonymousId",), ("previousId",), ("traits", "user_id"), ("traits", "id")),
    Kind.EMAIL: (("traits", "email"), ("context", "traits", "email"), ("properties", "email"), ("userId",)),
    Kind.COMPANY: (("groupId",),),
}
"""Where a call that asks for nothing names somebody."""


class Sieve:
    """Passes over records that cannot be about the object, most of a topic, before they are interpreted.

    An id or an address made of plain letters stands in a record's bytes as it is, whatever the framing:
    Avro's text is UTF-8, and nobody's JSON escapes plain letters. Of other names nothing is passed over:
    numbers may be written in many ways, and an identifier like a UUID may be sixteen bytes.
    """

    def __init__(self, wanted: Wanted) -> None:
        is_plain = _PLAIN.fullmatch(wanted.name) is not None and _UUID.fullmatch(wanted.name) is None
        self._sought = wanted.name.lower().encode() if is_plain else None

    def lets_through(self, record: Record, value: object) -> bool:
        """Whether it may be about the object, or make a company: all companies that are made matter."""
        sought = self._sought
        if (
            sought is None
            or record.value is None
            or (record.key is not None and sought in record.key.lower())
        ):
            return True
        return sought in record.value.lower() or call_type_of(value) is CallType.GROUP


def operations_about(wanted: Wanted, found: Interpreted | None) -> tuple[Operation, ...]:
    """The operations that are about it."""
    return () if found is None else tuple(each for each in found.operations if wanted.key in each.keys)


def names(wanted: Wanted, record: Record, value: object, found: Interpreted | None) -> bool:
    """Whether a record that asks for nothing is about the object, by the ids it names.

    One that cannot be read, or says nothing, is known by its key alone.
    """
    if found is not None and found.operations:
        return False  # whom it is about was decided: it only mentions the object
    if not isinstance(value, Mapping):
        return record.key is not None and _is_named(wanted, record.key.decode(errors="replace"))
    if wanted.kind is Kind.USER and call_type_of(value) is CallType.GROUP:
        return _is_named(wanted, id_text(value.get("userId")))  # its traits are the company's
    return any(_is_named(wanted, text) for text in _texts(wanted.kind, value))


def _texts(kind: Kind, value: Mapping[str, object]) -> Iterator[str | None]:
    for path in _PATHS[kind]:
        found: object = value
        for step in path:
            found = found.get(step) if isinstance(found, Mapping) else None
        yield id_text(found)


def _is_named(wanted: Wanted, text: str | None) -> bool:
    if text is None:
        return False
    if wanted.kind is Kind.EMAIL:
        return text.strip().lower() == wanted.name.lower()
    return text == wanted.name
