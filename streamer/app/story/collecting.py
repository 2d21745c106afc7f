"""Folds records into a story, one at a time and in any order between partitions. Bounded; does no I/O."""

import heapq
from collections.abc import Mapping, Sequence
from typing import Any, Final

from streamer.app.story.matching import names, operations_about
from streamer.app.story.values import At, Kind, Outcome, Story, ToldCall, Wanted, company_of
from streamer.engine.interpret import Interpreted
from streamer.events.parse import type_text
from streamer.records import Record
from streamer.transform.operations import DeleteEnduser, Operation, UpsertCompany, UpsertEnduser
from streamer.transform.why import fields_of

MOST_CALLS: Final = 200
"""Calls that are kept, the latest."""
MOST_COMPANIES: Final = 200_000
"""Companies whose group calls are remembered: some tens of megabytes at most."""
MOST_OTHER_IDS: Final = 20
MOST_MESSAGE_IDS: Final = 100_000
_LONGEST_FIELDS: Final = 2_000
"""Fields of one object that are put together."""


class Collector:
    """Takes records in; `finish` puts what it kept into the story."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._kept: list[tuple[At, ToldCall]] = []
        self._grouped: set[str] | None = set()
        self._fields: dict[str, tuple[At, Any]] = {}
        self._message_ids: dict[tuple[str, str], At] = {}
        self._company: tuple[At, str] | None = None
        self._deleted: At | None = None
        """Where it was deleted last: what was said before is gone."""

    def add(self, record: Record, value: object, found: Interpreted | None) -> None:
        """One record, what it says, and what it asks for by the rules in force (None: nobody can tell)."""
        story = self._story
        story.records += 1
        operations = () if found is None else found.operations
        for operation in operations:
            self._note_company(operation)
        story.named_by += _names_company(story.wanted, operations)
        about = operations_about(story.wanted, found)
        if not about and not names(story.wanted, record, value, found):
            return
        call = _call_of(record, value, found, about)
        story.count += 1
        story.seen_on.add(record.partition)
        story.null_keys += record.key is None
        story.outcomes[_label(call)] += 1
        self._note_copy(call, value)
        for operation in about:
            self._fold(call.at, operation)
        heapq.heappush(self._kept, (call.at, call))
        if len(self._kept) > MOST_CALLS:
            heapq.heappop(self._kept)

    def finish(self) -> None:
        """Put into the story what is known only at the end."""
        story = self._story
        story.calls = [call for _, call in sorted(self._kept, key=lambda each: each[0])]
        story.grouped = None if self._grouped is None else frozenset(self._grouped)
        deleted = self._deleted
        story.fields = {
            name: value for name, (at, value) in self._fields.items() if deleted is None or at > deleted
        }
        story.company = None if self._company is None else self._company[1]

    def _note_company(self, operation: Operation) -> None:
        if isinstance(operation, UpsertCompany) and self._grouped is not None:
            self._grouped.add(operation.external_id)
            if len(self._grouped) > MOST_COMPANIES:
                self._grouped = None

    def _note_copy(self, call: ToldCall, value: object) -> None:
        message_id = value.get("messageId") if isinstance(value, Mapping) else None
        if not isinstance(message_id, str) or len(self._message_ids) > MOST_MESSAGE_IDS:
            return
        first = self._message_ids.setdefault((call.type, message_id), call.at)
        if first != call.at:
            call.copy_of = first

    def _fold(self, at: At, operation: Operation) -> None:
        """Later fields win, whichever partition was read first."""
        if isinstance(operation, DeleteEnduser) and not operation.archives:
            self._deleted = max(at, self._deleted or at)
        if not isinstance(operation, UpsertCompany | UpsertEnduser):
            return
        told = fields_of(operation)
        if isinstance(operation, UpsertEnduser):
            self._note_other_ids(operation)
            company = company_of(operation)
            told.pop("companyExternalId", None)
            told.pop("fallbackCompany", None)
            if company is not None and (self._company is None or at >= self._company[0]):
                self._company = (at, company)
        for name, value in told.items():
            known = self._fields.get(name)
            if (known is None and len(self._fields) < _LONGEST_FIELDS) or (
                known is not None and at >= known[0]
            ):
                self._fields[name] = (at, value)

    def _note_other_ids(self, operation: UpsertEnduser) -> None:
        story, external_id = self._story, operation.external_id
        is_other = external_id is not None and external_id != story.wanted.name
        if external_id is not None and is_other and len(story.other_ids) < MOST_OTHER_IDS:
            story.other_ids.add(external_id)


def _names_company(wanted: Wanted, operations: Sequence[Operation]) -> bool:
    """Whether a call of a user names the company, as a group call does that makes it and links its user."""
    return (
        wanted.kind is Kind.COMPANY
        and any(wanted.key in each.parents for each in operations)
        and not any(wanted.key in each.keys for each in operations)
    )


def _call_of(
    record: Record, value: object, found: Interpreted | None, about: tuple[Operation, ...]
) -> ToldCall:
    event: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
    return ToldCall(
        at=At(record.timestamp_ms, record.partition, record.offset),
        type=type_text(event) or "unknown",
        event=_text(event, "event") or _text(event, "name"),
        timestamp=_text(event, "timestamp"),
        outcome=_outcome(found),
        skipped=None if found is None else found.skipped,
        invalid=None if found is None else found.invalid,
        detail="" if found is None else found.detail,
        operations=about,
        has_key=record.key is not None,
    )


def _outcome(found: Interpreted | None) -> Outcome:
    if found is None:
        return Outcome.UNREAD
    if found.invalid is not None:
        return Outcome.INVALID
    return Outcome.SKIPPED if found.skipped is not None else Outcome.OPERATIONS


def _label(call: ToldCall) -> str:
    reason = call.skipped or call.invalid
    return f"{call.outcome.value}: {reason.value}" if reason is not None else call.outcome.value


def _text(event: Mapping[str, Any], field: str) -> str | None:
    found = event.get(field)
    return found if isinstance(found, str) else None
