"""What both models share: matching, uniqueness, creating, updating, deleting, bulks."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, ClassVar

from streamer.standins.planhat.bulk import BulkResult, Claims
from streamer.standins.planhat.choices import DuplicatesInRequest, Matching
from streamer.standins.planhat.drafts import Draft, ItemRefused, draft_of, merge, merge_custom, without_nulls
from streamer.standins.planhat.entries import Entry, IgnoredLog, Index, JsonObject, Stamps
from streamer.standins.planhat.rows import IgnoredRow, WriteRow
from streamer.standins.planhat.switches import Board

Screen = Callable[[JsonObject], None]
"""Looks at an item before it is applied; raises ItemRefused or ItemIgnored."""


class ItemIgnored(Exception):
    """Planhat takes this item and does not save it; `reason` goes into the ignored log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotPermitted(Exception):
    """The token may not do this to this model."""


class Model(ABC):
    """The entries of one model, by their keys."""

    name: ClassVar[str]
    known_fields: ClassVar[frozenset[str]]

    def __init__(self, board: Board, stamps: Stamps, ignored: IgnoredLog) -> None:
        self._board = board
        self._stamps = stamps
        self._ignored = ignored
        self.by_id: dict[str, Entry] = {}
        self.by_source: dict[str, Entry] = {}
        self.by_external = Index()
        self.counts: Counter[str] = Counter()
        """created, updated, nonupdates, ignored, deleted."""
        self.refusals: Counter[str] = Counter()
        """Refused items by the text they were refused with."""

    # --- rules that differ -----------------------------------------------------------------------

    @abstractmethod
    def named_company(self, draft: Draft) -> Entry | None:
        """The company the item names, if there is such a company."""

    @abstractmethod
    def match(self, keys: JsonObject, company: Entry | None) -> Entry | None:
        """The entry these keys stand for."""

    @abstractmethod
    def violations(self, keys: JsonObject, company: Entry | None, entry: Entry | None) -> list[str]:
        """Names of the keys that another entry than this has already."""

    @abstractmethod
    def complete(self, draft: Draft, company: Entry | None) -> Entry | None:
        """Check and complete a create; returns the company it goes to."""

    @abstractmethod
    def revise(self, entry: Entry, draft: Draft) -> None:
        """Check and complete an update; its fields may be changed."""

    def index(self, entry: Entry) -> None:
        """Enter the keys of an entry: externalId, sourceId, and the model's own."""
        fields = entry.fields
        if fields.get("externalId") is not None:
            self.by_external.add(fields["externalId"], entry)
        if fields.get("sourceId") is not None:
            self.by_source[fields["sourceId"]] = entry

    def unindex(self, entry: Entry) -> None:
        """Take out the keys of an entry."""
        fields = entry.fields
        if fields.get("externalId") is not None:
            self.by_external.remove(fields["externalId"], entry)
        if fields.get("sourceId") is not None:
            del self.by_source[fields["sourceId"]]

    # --- many at once ----------------------------------------------------------------------------

    def upsert(
        self, sent_items: Sequence[object], *, held: Iterable[Claims] = (), screen: Screen | None = None
    ) -> BulkResult:
        """Apply the items in order; good ones are kept whatever the others are.

        `held` are the claims of bulks of this model still in flight.
        """
        switches = self._board.now
        result = BulkResult(switches, len(sent_items))
        rivals = tuple(held) if switches.overlap_errors else ()
        newest_before = self._stamps.arrivals
        now = self._stamps.now()
        for sent in sent_items:
            entry: Entry | None = None
            try:
                draft = draft_of(sent, self.known_fields, switches)
                company = self.named_company(draft)
                keys = self.keys_of(draft.fields)
                entry = self.match(keys, company)
                self._claim(keys, company, result.claims, rivals)
                if screen is not None:
                    screen(sent)  # type: ignore[arg-type]  # draft_of took objects only
                self._apply(entry, draft, company, sent, now, result)  # type: ignore[arg-type]
            except ItemRefused as refused:
                existed = entry is not None and entry.arrival <= newest_before
                result.refuse(sent, refused.text, existed=existed)
                self.refusals[refused.text] += 1
            except ItemIgnored as ignored:
                result.ignore()
                self._note_ignored(sent, ignored.reason)
            except NotPermitted:
                result.deny(sent, "permission denied")
                self.refusals["permission denied"] += 1
        self.counts["created"] += len(result.inserts)
        self.counts["updated"] += len(result.updates)
        return result

    def keys_of(self, fields: JsonObject) -> JsonObject:
        """The fields in which the keys are looked up."""
        return fields

    def _claim(
        self, keys: JsonObject, company: Entry | None, claims: Claims, rivals: Sequence[Claims]
    ) -> None:
        company_id = None if company is None else company.id
        names = claims.claim(keys, company_id)
        if self._board.now.duplicates_in_request is DuplicatesInRequest.IN_TURN:
            names = []
        for rival in rivals:
            names = names or rival.conflicts(keys, company_id)
        if names:
            raise ItemRefused(f"{','.join(names)} duplicated")

    def _apply(
        self,
        entry: Entry | None,
        draft: Draft,
        company: Entry | None,
        sent: JsonObject,
        now: str,
        result: BulkResult,
    ) -> None:
        if entry is None:
            result.inserts.append(self.create(draft, company, sent, now))
        elif self.update(entry, draft, company, sent, now):
            result.updates.append(entry)
        else:
            result.nonupdates += 1
            self.counts["nonupdates"] += 1

    # --- one ---------------------------------------------------------------------------------------

    def create(self, draft: Draft, company: Entry | None, sent: JsonObject, now: str) -> Entry:
        """Store a new entry; raises ItemRefused, ItemIgnored or NotPermitted."""
        self.permit("create")
        switches = self._board.now
        company = self.complete(draft, company)
        fields = without_nulls(draft.fields, switches)
        fields.pop("_id", None)
        names = self.violations(self.keys_of(fields), company, None)
        if names:
            raise ItemRefused(f"{','.join(names)} duplicated")
        entry = Entry(self._stamps.new_id(), fields, without_nulls(draft.custom, switches), now)
        entry.company = company
        self.by_id[entry.id] = entry
        self.index(entry)
        self._write(entry, sent, now)
        return entry

    def update(self, entry: Entry, draft: Draft, company: Entry | None, sent: JsonObject, now: str) -> bool:
        """Merge into an entry; whether that changed anything. `updatedAt` moves in any case (C)."""
        self.permit("update")
        switches = self._board.now
        fields = draft.fields
        fields.pop("_id", None)
        self.revise(entry, draft)
        moves = company is not None and company is not entry.company
        rekeyed = moves or _changes_a_key(fields, entry.fields)
        if rekeyed:
            names = self.violations(self.keys_of(fields), company or entry.company, entry)
            if names:
                raise ItemRefused(f"{','.join(names)} duplicated")
        reindexed = rekeyed or "domains" in fields
        if reindexed:
            self.unindex(entry)
        entry.company = company or entry.company
        changed = merge(entry.fields, fields, switches) or moves
        if draft.custom:
            changed = merge_custom(entry.custom, draft.custom, switches) or changed
        if reindexed:
            self.index(entry)
        self._write(entry, sent, now)
        return changed

    def delete(self, entry: Entry) -> None:
        """Forget an entry."""
        self.permit("delete")
        self.unindex(entry)
        del self.by_id[entry.id]
        self.counts["deleted"] += 1

    def permit(self, verb: str) -> None:
        """Raises NotPermitted where the token lacks this permission."""
        denied = self._board.now.denied
        if denied and f"{self.name}.{verb}" in denied:
            raise NotPermitted

    def _write(self, entry: Entry, sent: JsonObject, now: str) -> None:
        entry.written(self._stamps.arrive(), now)
        history = self._board.now.history
        if history:
            entry.remember(WriteRow(entry.last_arrival, self._stamps.request, sent), history)

    def _note_ignored(self, sent: object, reason: str) -> None:
        fields: JsonObject = sent if isinstance(sent, dict) else {}
        self.counts["ignored"] += 1
        stamps = self._stamps
        row = IgnoredRow(
            stamps.arrive(),
            stamps.request,
            stamps.now(),
            self.name,
            reason,
            fields.get("externalId"),
            fields.get("email"),
            fields.get("companyId"),
        )
        self._ignored.add(row, self._board.now.keep_ignored)

    # --- looking up --------------------------------------------------------------------------------

    def by_path_id(self, path_id: str) -> Entry | None:
        """The entry of `_id`, `extid-<externalId>` or `srcid-<sourceId>` (C); oldest when ambiguous (I)."""
        if path_id.startswith("extid-"):
            found = self.by_external.get(path_id[6:])
            return found[0] if found else None
        if path_id.startswith("srcid-"):
            return self.by_source.get(path_id[6:])
        return self.by_id.get(path_id)

    def rows(self, offset: int, limit: int) -> list[Entry]:
        """A stretch of entries, oldest first."""
        return list(islice(self.by_id.values(), offset, offset + limit))

    def _by_unique_keys(self, keys: JsonObject) -> tuple[Entry | None, bool]:
        """The entry of `_id` or `sourceId`, and whether lower keys may be tried."""
        only_highest = self._board.now.matching is Matching.HIGHEST_GIVEN
        entry_id = keys.get("_id")
        if entry_id is not None:
            entry = self.by_id.get(entry_id)
            if entry is not None or only_highest:
                return entry, False
        source_id = keys.get("sourceId")
        if source_id is not None:
            entry = self.by_source.get(source_id)
            if entry is not None or only_highest:
                return entry, False
        return None, True

    def _document(self, entry: Entry) -> dict[str, Any]:
        return {
            "_id": entry.id,
            **entry.fields,
            "custom": entry.custom,
            "createDate": entry.created,
            "updatedAt": entry.updated,
            "__v": 0,
        }

    @abstractmethod
    def document(self, entry: Entry) -> dict[str, Any]:
        """The stored object as Planhat replies it."""


def _changes_a_key(fields: JsonObject, stored: JsonObject) -> bool:
    # A plain loop: this runs for every item of every bulk.
    for name in ("sourceId", "externalId", "email"):
        if name in fields and fields[name] != stored.get(name):
            return True
    return False
