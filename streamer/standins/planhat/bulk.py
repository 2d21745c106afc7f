"""One bulk upsert: the keys it claims, and the summary it is answered with."""

from collections.abc import Sequence
from typing import Any

from streamer.standins.planhat.choices import ErrorShape, ReplyKeys, UnknownCompany
from streamer.standins.planhat.drafts import KEYS
from streamer.standins.planhat.entries import Entry, JsonObject
from streamer.standins.planhat.switches import Switches

_GLOBAL_KEYS = frozenset({"_id", "sourceId"})


class Claims:
    """The keys of the items of one bulk, so that a second item with one of them is seen.

    Where externalIds are unique per company, the same keys in different companies do not collide;
    an item without a company collides with all.
    """

    __slots__ = ("_by_key",)

    def __init__(self) -> None:
        self._by_key: dict[str, dict[str, tuple[str | None, ...]]] = {name: {} for name in KEYS}

    def conflicts(self, keys: JsonObject, company: str | None) -> list[str]:
        """Names of the keys that are claimed."""
        found = []
        for name, claimed in self._by_key.items():
            value = keys.get(name)
            owners = None if value is None else claimed.get(value)
            if owners is not None and _collide(name, owners, company):
                found.append(name)
        return found

    def claim(self, keys: JsonObject, company: str | None) -> list[str]:
        """Claim the keys of one item; returns the names of those that were claimed before."""
        found = []
        for name, claimed in self._by_key.items():
            value = keys.get(name)
            if value is None:
                continue
            owners = claimed.get(value)
            if owners is None:
                claimed[value] = (company,)
                continue
            if _collide(name, owners, company):
                found.append(name)
            claimed[value] = (*owners, company)
        return found


def _collide(name: str, owners: Sequence[str | None], company: str | None) -> bool:
    return name in _GLOBAL_KEYS or company is None or company in owners or None in owners


class BulkResult:
    """What became of the items of one bulk, counted as Planhat's summary does."""

    def __init__(self, switches: Switches, size: int) -> None:
        self._switches = switches
        self.size = size
        self.claims = Claims()
        self.inserts: list[Entry] = []
        self.updates: list[Entry] = []
        self.nonupdates = 0
        self.ignored = 0
        self.created_errors: list[Any] = []
        self.updated_errors: list[Any] = []
        self.permission_errors: list[Any] = []
        self.refused: list[tuple[object, str]] = []
        """Items with what they were refused for, also where the reply's entries do not say which they are."""

    @property
    def status(self) -> int:
        """200 all fine, 206 some failed, 400 all failed, 403 permissions (D)."""
        if self.permission_errors:
            return 403
        failed = len(self.created_errors) + len(self.updated_errors)
        if not failed:
            return 200
        return 400 if failed == self.size else 206

    def refuse(self, sent: object, text: str, *, existed: bool) -> None:
        """Count an item as refused."""
        (self.updated_errors if existed else self.created_errors).append(self._error(sent, text))
        self.refused.append((sent, text))

    def deny(self, sent: object, text: str) -> None:
        """Count an item as not permitted."""
        self.permission_errors.append(self._error(sent, text))
        self.refused.append((sent, text))

    def ignore(self) -> None:
        """Count an item that Planhat does not save and does not call an error."""
        self.ignored += 1
        if self._switches.unknown_company is UnknownCompany.NONUPDATES:
            self.nonupdates += 1

    def summary(self) -> dict[str, Any]:
        """The reply's ten keys."""
        inserted = [entry.id for entry in self.inserts]
        updated = [entry.id for entry in self.updates]
        summary = {
            "created": len(inserted),
            "createdErrors": self.created_errors,
            "insertsKeys": self._keys(self.inserts),
            "updated": len(updated),
            "updatedErrors": self.updated_errors,
            "updatesKeys": self._keys(self.updates),
            "nonupdates": self.nonupdates,
            "modified": updated,
            "upsertedIds": inserted,
        }
        if self._switches.permission_errors_key:
            summary["permissionErrors"] = self.permission_errors
        return summary

    def _keys(self, entries: Sequence[Entry]) -> list[dict[str, str]]:
        if self._switches.reply_keys is ReplyKeys.ID_ONLY:
            return [{"_id": entry.id} for entry in entries]
        return [{"_id": entry.id, **known_keys(entry.fields)} for entry in entries]

    def _error(self, sent: object, text: str) -> Any:  # noqa: ANN401 -- JSON of any shape
        shape = self._switches.error_shape
        if shape is ErrorShape.TEXT:
            return text
        if shape is ErrorShape.KEYS_ERROR:
            return {**(known_keys(sent) if isinstance(sent, dict) else {}), "error": text}
        return {"item": sent, "error": text}


def known_keys(fields: JsonObject) -> dict[str, Any]:
    """Those of the keys, `_id` aside, that there are."""
    return {name: fields[name] for name in KEYS[1:] if fields.get(name) is not None}
