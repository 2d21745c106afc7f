"""Which records are about an object: by what they ask for, and else by the ids that they name. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from streamer.app.story.values import Kind, Wanted
from streamer.engine.intake import Interpreted
from streamer.events.values import id_text
from streamer.records import Record
from streamer.transform.operations import Operation

_PATHS: Final[Mapping[Kind, tuple[tuple[str, ...], ...]]] = {
    Kind.USER: (("userId",), ("anonymousId",), ("previousId",), ("traits", "user_id"), ("traits", "id")),
    Kind.EMAIL: (("traits", "email"), ("context", "traits", "email"), ("properties", "email"), ("userId",)),
    Kind.COMPANY: (("groupId",),),
}
"""Where a call that asks for nothing names somebody."""


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
    if wanted.kind is Kind.USER and value.get("type") == "group":
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
