"""The summary Planhat answers a bulk upsert with (planhat-api.md §3), read without trusting it. Pure.

Fields used: `created`, `updated`, `nonupdates` (counts), `createdErrors`, `updatedErrors`,
`permissionErrors` (entries of undocumented shape), `insertsKeys`, `updatesKeys` (what was saved).
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any

import msgspec

MOST_VALUES = 500_000
"""Commas in a reply we are willing to turn into Python objects; 5,000 items echoed whole need half."""

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_ABSENT = msgspec.Raw(b"null")


class _Wire(msgspec.Struct, rename="camel", gc=False):
    """The reply as it stands. Lists stay raw: a reply without errors never becomes objects."""

    created: int | None = None
    updated: int | None = None
    nonupdates: int | None = None
    created_errors: msgspec.Raw = _ABSENT
    updated_errors: msgspec.Raw = _ABSENT
    permission_errors: msgspec.Raw = _ABSENT
    inserts_keys: msgspec.Raw = _ABSENT
    updates_keys: msgspec.Raw = _ABSENT


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts and error entries of one reply; `saved_keys` are decoded when asked for."""

    counted: bool
    """Whether the reply counts at all; where not, the three counts are 0 and mean nothing."""
    saved: int
    """created + updated"""
    unchanged: int
    """nonupdates: matched, nothing to change"""
    entries: tuple[Any, ...] = field(repr=False)
    """Error entries of all three lists, in that order."""
    _saved_lists: tuple[msgspec.Raw, ...] = field(repr=False)

    @property
    def total(self) -> int:
        """Items the reply counts as being at Planhat."""
        return self.saved + self.unchanged

    def saved_keys(self) -> list[Any]:
        """Entries of `insertsKeys` and `updatesKeys`; empty where they cannot be read."""
        try:
            return _lists(self._saved_lists)
        except (ValueError, RecursionError):
            return []


def read_summary(body: bytes, sent: int) -> Summary | None:
    """The summary in this body, or None: not JSON, no summary, or counts no reply to `sent` items has."""
    if body.count(b",") > MOST_VALUES:
        return None
    try:
        wire = msgspec.json.decode(_mended(body), type=_Wire)
        entries = _lists((wire.created_errors, wire.updated_errors, wire.permission_errors))
    except (ValueError, RecursionError):
        # msgspec's errors and broken UTF-8 are ValueErrors.
        return None
    created, updated, unchanged = wire.created or 0, wire.updated or 0, wire.nonupdates or 0
    if min(created, updated, unchanged) < 0 or created + updated + unchanged > sent:
        return None
    return Summary(
        counted=wire.created is not None or wire.updated is not None,
        saved=created + updated,
        unchanged=unchanged,
        entries=tuple(entries),
        _saved_lists=(wire.inserts_keys, wire.updates_keys),
    )


def _mended(body: bytes) -> bytes:
    """The same JSON without lone surrogates, which msgspec takes for a cut-off text.

    A sentence that JavaScript cuts in the middle of an emoji ends in one; one such error entry would
    otherwise make the reply to its bulk unreadable for ever.
    """
    if not _SURROGATE.search(body):
        return body
    return json.dumps(json.loads(body), ensure_ascii=False).encode("utf-8", "replace")


def _lists(raws: tuple[msgspec.Raw, ...]) -> list[Any]:
    """Everything in these lists; a lone value counts as a list of one, nothing as an empty one."""
    entries: list[Any] = []
    for raw in raws:
        value = msgspec.json.decode(raw)
        if isinstance(value, list):
            entries.extend(value)
        elif value:
            entries.append(value)
    return entries
