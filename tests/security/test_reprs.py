"""What holds a secret or something that an event says shows none of it when it is printed by mistake.

Every class of values is found and filled: a new one that tells is a failure, or a line in `MAY_TELL`.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pprint import pformat
from typing import Any, Final

import msgspec
import pytest
from rich.pretty import pretty_repr

import streamer

MARK: Final = "mkq7-marked"
PERSONAL_NAMES: Final = {"email", "names", "keys", "context", "traits", "properties", "integrations", "items"}
PERSONAL_NAMES.update(
    {"api_token", "tenant_token", "password", "message_id", "anonymous_id", "event", "body"}
)
"""Fields of these names hold what an event says, or a secret."""
PERSONAL_TYPES: Final = ("bytes", "Any", "object", "Mapping[str, object]")
"""So do those that may hold anything at all."""
MAY_TELL: Final = {
    "streamer.local": "a command on a file shows what is in the file",
    "streamer.mapping": "rules are the operator's own words",
    "streamer.transform.trait_rules": "rules are the operator's own words",
    "streamer.transform.activity_rules": "rules are the operator's own words",
    "streamer.standins": "made-up events",
    "streamer.avro.schemas.Schema": "a schema says how events are written, and nothing that one says",
    "streamer.avro.members.Member": "a field of a schema",
    "streamer.app.subjects.Beside.names": "names of a registry's subjects",
    "streamer.app.story.values.ToldCall.event": "`explain` shows names of events, as its page says",
    "streamer.transform.why": "names of fields, for the command on a file",
    "streamer.cli": "words of commands",
    "streamer.events.calls": "calls show their message id and user id, which tests/test_logs.py bounds",
}
"""Rooms, classes and fields that are free to, and why."""


def _classes() -> Iterator[type]:
    for module in pkgutil.walk_packages(streamer.__path__, "streamer."):
        if module.name.endswith("__main__") or ".standins" in module.name:
            continue
        room = importlib.import_module(module.name)
        for kind in vars(room).values():
            is_public = inspect.isclass(kind) and not kind.__name__.startswith("_")
            if is_public and kind.__module__ == room.__name__ and _names(kind):
                yield kind


def _names(kind: type) -> tuple[str, ...]:
    """The fields of a class of values; none where it is no such class."""
    if is_dataclass(kind):
        return tuple(each.name for each in fields(kind))
    if issubclass(kind, msgspec.Struct):
        return kind.__struct_fields__
    if _is_of_slots(kind):
        return tuple(kind.__slots__)  # type: ignore[attr-defined] # it has
    found: tuple[str, ...] = getattr(kind, "_fields", ()) if issubclass(kind, tuple) else ()
    return found


def _is_of_slots(kind: type) -> bool:
    """Whether it is a plain class that holds what its constructor is given, as records are."""
    slots = vars(kind).get("__slots__", ())
    return bool(slots) and not is_dataclass(kind) and set(slots) == inspect.signature(kind).parameters.keys()


def _hints(kind: type) -> dict[str, Any]:
    """What is written of its fields; not looked up, since some is imported for types alone."""
    found: dict[str, Any] = {}
    for each in reversed(kind.__mro__):
        found |= inspect.get_annotations(each)
    if _is_of_slots(kind):
        found |= {name: each.annotation for name, each in inspect.signature(kind).parameters.items()}
    return found


def _is_personal(name: str, hint: object) -> bool:
    text = str(hint)
    return name in PERSONAL_NAMES or any(each in text for each in PERSONAL_TYPES)


def _filled(hint: object) -> Any:
    """A marked value of about this type."""
    text = str(hint)
    if "tuple" in text or "list" in text:
        return ((MARK, MARK.encode()),) if "tuple[str, bytes" in text else (MARK,)
    if "dict" in text or "Mapping" in text:
        return {MARK: MARK}
    return MARK.encode() if "bytes" in text else MARK


def _made(kind: type, told: dict[str, Any], names: tuple[str, ...]) -> Any:
    """One of it, without asking its own constructor."""
    values = {name: told.get(name, () if "tuple" in str(_hints(kind).get(name)) else None) for name in names}
    if not is_dataclass(kind):
        return kind(**values)
    made = object.__new__(kind)
    for name, value in values.items():
        object.__setattr__(made, name, value)
    return made


def _may(kind: type, name: str) -> bool:
    place = f"{kind.__module__}.{kind.__qualname__}.{name}"
    return any(place == each or place.startswith(f"{each}.") for each in MAY_TELL)


def _telling() -> dict[str, tuple[type, str]]:
    """Each class and field that holds what may not be told."""
    found = {}
    for kind in _classes():
        hints = _hints(kind)
        for name in _names(kind):
            if _is_personal(name, hints.get(name)) and not _may(kind, name):
                found[f"{kind.__module__}.{kind.__qualname__}.{name}"] = kind, name
    return found


TELLING: Final = _telling()


@pytest.mark.parametrize("place", TELLING)
def test_what_is_told_in_confidence_is_not_printed(place: str) -> None:
    """However it is printed: by repr, str, a pretty printer or a debugger's."""
    kind, name = TELLING[place]
    made = _made(kind, {name: _filled(_hints(kind).get(name))}, _names(kind))

    for shown in (repr(made), str(made), f"{made}", pformat(made), pretty_repr(made)):
        assert "mkq7" not in shown


def test_those_that_must_not_tell_are_found() -> None:
    """The search finds what it is for."""
    known = {"records.Record.value", "engine.ports.Batch.items", "planhat.requests.Request.content",
             "planhat.credentials.Credentials.api_token", "transform.operations.UpsertEnduser.email",
             "letters.subjects.Subject.names", "planhat.client.Reply.body"}  # fmt: skip
    assert {f"streamer.{each}" for each in known} <= TELLING.keys()
    assert all(
        any(place.startswith(each) for place in _places()) for each in MAY_TELL if "standins" not in each
    )


def _places() -> list[str]:
    return [f"{kind.__module__}.{kind.__qualname__}.{name}" for kind in _classes() for name in _names(kind)]
