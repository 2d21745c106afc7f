"""Whom a letter is about, as far as its bytes can be read: for finding it by a person or a company."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from streamer.events.parse import type_text


class Subject(NamedTuple):
    """Who is named by an event, well-formed or not. Its repr says nothing of them."""

    call: str = ""
    """The event's type: as Segment spells it, where it is one of Segment's."""
    names: tuple[str, ...] = ()
    """Ids of the user and of the company, and e-mail addresses, most telling first."""

    def __repr__(self) -> str:
        return f"<Subject {self.call} {len(self.names)} names>"

    def is_named(self, wanted: str) -> bool:
        """Whether this is one of its names; without regard to case, as e-mail addresses are."""
        return any(name.casefold() == wanted.casefold() for name in self.names)


NOBODY: Final = Subject()

_PATHS: Final = (
    ("userId",),
    ("traits", "email"),
    ("context", "traits", "email"),
    ("properties", "email"),
    ("groupId",),
    ("context", "groupId"),
    ("anonymousId",),
)


def subject_of(value: object, key: bytes | None) -> Subject:
    """Whom a decoded event and its record's key name. Total."""
    names = dict.fromkeys(_names(value)) if isinstance(value, Mapping) else {}
    if key:
        names.setdefault(key.decode(errors="replace"))
    call = type_text(value)
    return Subject(call if call.isidentifier() else "", tuple(names))


def _names(event: Mapping[str, Any]) -> Iterator[str]:
    for path in _PATHS:
        found: object = event
        for step in path:
            found = found.get(step) if isinstance(found, Mapping) else None
        if isinstance(found, str | int) and not isinstance(found, bool) and found != "":
            yield str(found)
