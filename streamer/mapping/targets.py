"""Where a trait may go, as a mapping file spells it: `phone`, `custom:Plan`, `info:amount`, `metric:mrr`."""

import difflib
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from streamer.transform.fields import legal_key
from streamer.transform.planhat_fields import COMPANY_FIELDS, ENDUSER_FIELDS, KEYS, Kind
from streamer.transform.trait_rules import Place, Target

DROP: Final = "drop"
_METRIC = re.compile(r"[A-Za-z0-9_-]{1,100}")


class Scope(NamedTuple):
    """What the traits or properties are of."""

    noun: str
    fields: Mapping[str, Kind]
    """Planhat's own that a trait may go to."""
    other: str
    """The prefix of what holds any name: `custom` or `info`."""


ENDUSER = Scope("an enduser", ENDUSER_FIELDS, "custom")
COMPANY = Scope("a company", COMPANY_FIELDS, "custom")
ACTIVITY = Scope("an activity", {}, "info")


def target_of(text: str, scope: Scope) -> Target:
    """The target; raises ValueError that says what is wrong with it and what may stand there."""
    prefix, colon, name = text.partition(":")
    if not colon:
        return _field(text, scope)
    if prefix == scope.other:
        return Target(Place.OTHER, _other(name, scope))
    if prefix == "metric":
        if not _METRIC.fullmatch(name):
            raise ValueError(f"{name!r} is no metric's id: letters, digits, _ and - only")
        return Target(Place.METRIC, name)
    raise ValueError(f"there is no {prefix!r} to go to: {_choices(scope)}")


def nearest(word: str, known: Mapping[str, object] | list[str]) -> str:
    """A question after the known word most like this one; nothing where none is like it."""
    lower = {each.lower(): each for each in known}
    found = difflib.get_close_matches(word.lower(), lower, n=1, cutoff=0.7)
    return f"; did you mean {lower[found[0]]!r}?" if found else ""


def _field(text: str, scope: Scope) -> Target:
    if text == DROP:
        raise ValueError('"drop" stands alone: what is dropped goes nowhere else')
    if text in scope.fields:
        return Target(Place.FIELD, text, scope.fields[text])
    if text in KEYS:
        raise ValueError(f"{text!r} is a key: no rule changes whom a call is about")
    if text == "source":
        raise ValueError("'source' is always Segment")
    hint = nearest(text, scope.fields)
    joint = f"{hint} Or" if hint else ":"
    raise ValueError(f"Planhat has no field {text!r} of {scope.noun}{joint} {_choices(scope)}")


def _other(name: str, scope: Scope) -> str:
    if scope.other == "info":
        if not name.strip():
            raise ValueError("info: needs a name after the colon")
        if name == "messageId":
            raise ValueError("'messageId' is the call's own in info")
    elif legal_key(name) != name or not name:
        raise ValueError(f"{name!r} is no name of a custom field: not blank, no dot, no $ at its beginning")
    return name


def _choices(scope: Scope) -> str:
    fields = "a field, " if scope.fields else ""
    return f"{fields}{scope.other}:<name>, metric:<id> or {DROP} may stand here"
