"""One error entry of a summary, whatever its shape: the texts in it, and what kind of refusal it is. Pure.

The shape is not documented (planhat-api.md §3): a sentence, `{item, error}`, `{externalId, error}`,
`{message, index}`, a map from id to error, or anything nested. Entries are walked with bounds; one
beyond them says nothing (and so names nobody, which is safe: see `accounts`).
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from streamer.outcomes import Verdict
from streamer.transform.operations import Operation, UpsertCompany, UpsertEnduser

MOST_TEXTS = 2_000
LONGEST_TEXT = 16_384
MAP_KEY = "<key>"

# Below these fields an entry repeats what we sent: good for finding the operation, not for the reason.
_ECHO_FIELDS = frozenset(
    {"item", "items", "document", "doc", "record", "row", "object", "body", "input", "value", "operation"}
    | {"op", "enduser", "user", "company", "keyvalue", "keys"}
)
_REASON_FIELDS = frozenset(
    {"error", "errors", "message", "messages", "msg", "errmsg", "reason", "reasons", "detail", "details"}
    | {"text", "description"}
)
_LACKING = r"(?:required|missing|mandatory|empty|blank|absent|undefined|specified|provided|needed)"
_NAME = r"(?<!first )(?<!last )(?<!company )(?<!event )\bname\b"
_LACKS = r"\b(?:required|missing|mandatory|without|lacks?|needs?|must have)\b"
_NAME_MISSING = re.compile(
    rf"{_NAME}[\"'`]?\W{{0,3}}(?:\w{{1,20}}\s+){{0,4}}{_LACKING}\b"
    rf"|{_LACKS}\W{{1,3}}(?:\w{{1,20}}\W{{1,3}}){{0,4}}{_NAME}"
)
_COMPANY = r"\bcompany(?:[_ ]?id|externalid)?\b(?!\W{1,3}name)[\"'`]?"
_QUOTED = r"(?:\"[^\"]{1,300}\"|'[^']{1,300}'|`[^`]{1,300}`|extid-\S{1,300})"
_ABSENT = (
    r"(?:(?:is|was|could|can)\s+){0,2}(?:(?:not |cannot )(?:be )?found|required|missing|mandatory|unknown)"
    r"|(?:does not|doesn't) exist|must be (?:specified|provided|given|set)"
)
# Not "invalid": a reference of the wrong form would be a mistake of ours, and concern every enduser.
_COMPANY_MISSING = re.compile(
    rf"{_COMPANY}(?:\W{{1,3}}{_QUOTED})?\W{{1,3}}(?:{_ABSENT})\b"
    rf"|\b(?:no(?: such)?|unknown|missing|without|without a)\s+{_COMPANY}"
)


class Text(NamedTuple):
    """One string in an entry."""

    field: str
    """Lower-cased name of the nearest field above it; empty for a bare string, `<key>` for a map key."""
    text: str
    echoed: bool
    """Whether it is part of an item of ours that the entry repeats."""


def texts_of(entry: object) -> tuple[Text, ...]:
    """The strings in an entry, map keys included; none at all when there are absurdly many or long ones."""
    found: list[Text] = []
    for text in _walk(entry):
        if len(found) >= MOST_TEXTS or len(text.text) > LONGEST_TEXT:
            return ()
        found.append(text)
    return tuple(found)


def _walk(entry: object) -> Iterator[Text]:
    waiting: list[tuple[str, object, bool]] = [("", entry, False)]
    while waiting:
        field, value, echoed = waiting.pop()
        if isinstance(value, str):
            yield Text(field, value, echoed)
        elif isinstance(value, list):
            waiting.extend((field, part, echoed) for part in reversed(value))
        elif isinstance(value, dict):
            for name, part in reversed(value.items()):
                lowered = name.lower()
                # A key may itself be the id: {"u-1": "email duplicated"}.
                yield Text(MAP_KEY, name, echoed)
                waiting.append((lowered, part, echoed or lowered in _ECHO_FIELDS))


class Nature(NamedTuple):
    """What of an operation decides how a refusal of it is to be read."""

    nameless: bool
    """Were it a create, it would lack a name."""
    needs_company: bool
    """It is an enduser: Planhat saves none without a company."""


def nature_of(operation: Operation) -> Nature:
    """The nature of one operation."""
    nameless = isinstance(operation, UpsertCompany | UpsertEnduser) and not operation.fields.get("name")
    return Nature(nameless, isinstance(operation, UpsertEnduser))


def verdict_of(texts: tuple[Text, ...], nature: Nature) -> Verdict:
    """What an entry with these texts means for an operation of this nature.

    That an enduser's company is not found is no refusal but the same as no word of it at all, which is
    what Planhat documents: it was not saved, and may be a moment later.
    """
    reason = _reason(texts)
    if "duplicat" in reason:
        return Verdict.DUPLICATED
    if nature.nameless and _NAME_MISSING.search(reason):
        return Verdict.NAME_MISSING
    if nature.needs_company and _COMPANY_MISSING.search(reason):
        return Verdict.MISSING
    return Verdict.REFUSED


def _reason(texts: tuple[Text, ...]) -> str:
    """The words of the refusal, lower-cased, without what only repeats the item."""
    own = [text for text in texts if not text.echoed and text.field != MAP_KEY]
    said = [text.text for text in own if text.field in _REASON_FIELDS]
    if not said:
        said = [f"{text.field} {text.text}" for text in own]
    return " ".join(said).lower()
