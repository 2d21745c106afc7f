"""The law of the final state: what Planhat holds once everything has come to rest."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from streamer.standins.planhat.choices import ExternalIdScope
from streamer.standins.planhat.entries import Entry
from streamer.standins.planhat.rows import WriteRow
from streamer.transform.operations import DeleteEnduser, UpsertCompany, UpsertEnduser
from tests.simulation.facts import Facts
from tests.simulation.law import Law, objects_of
from tests.simulation.planhat import Call
from tests.simulation.world import World

Said = defaultdict[str, defaultdict[int, set[object]]]
"""By field and event: the values it gave it."""
COMPANY = "company"


class Sent(NamedTuple):
    """One entry of a request, and whose it is."""

    item: Mapping[str, Any]
    parts: Sequence[UpsertCompany | UpsertEnduser]
    sequences: Sequence[int]
    company: str | None
    """The company it names, if Planhat knew one of that id."""


class FinalState(Law):
    """At the end every enduser and company is as its partition's events, one by one, leave it.

    In its color, and in each plain field and the company that any event gave it: the value of the last
    event that names the field. Of one that was turned away meanwhile, or read again, that may be an earlier
    one's. Who was deleted is gone, unless a later event made them anew.
    """

    name = "final state"

    def __init__(self, world: World, facts: Facts) -> None:
        super().__init__(world, facts)
        self._sent: defaultdict[int, list[Sent]] = defaultdict(list)
        """By the number of the request at Planhat."""
        self._is_global = True
        """Whether an enduser's id was unique in the tenant whenever one was written."""
        self._others: dict[int, int] = {}
        """By the number of the request at Planhat, where it upserts nothing: the newest event in it."""
        self._deletions: dict[str, int] = {}
        """By object: the newest event that deleted it."""
        self._twins: set[str] = set()
        """Entries that were named as somebody who was deleted, and were not meant."""
        self._homes: Counter[tuple[bool, int]] = Counter()
        """By whether it is a company, and event: how many such entries it was written to."""

    def served(self, call: Call, outcomes: list[str]) -> None:
        store = self._world.planhat.sandbox.store
        whom = call.batch.operations[0]
        if isinstance(whom, DeleteEnduser) and not whom.archives and outcomes == ["applied"]:
            self._deleted(call)
        if not call.batch.endpoint.is_upsert:
            if "applied" in outcomes:
                self._others[store.stamps.request] = max(call.readings)
            return
        self._is_global = self._is_global and store.board.now.external_id_scope is ExternalIdScope.GLOBAL
        for raw, told, sequences in zip(call.batch.items, call.parts, call.sequences, strict=True):
            parts = [part for part in told if isinstance(part, UpsertCompany | UpsertEnduser)]
            item = msgspec.json.decode(raw)
            company = store.companies.by_reference(item.get("companyId"))
            name = None if company is None else str(company.fields["externalId"])
            self._sent[store.stamps.request].append(Sent(item, parts, sequences, name))

    def _deleted(self, call: Call) -> None:
        (operation,), (sequence,) = call.batch.operations, call.sequences[0]
        for key in objects_of(operation):
            self._deletions[key] = max(sequence, self._deletions.get(key, 0))
        # An address may be several endusers', of whom one is deleted; of an id, all are.
        self._twins |= {entry.id for entry in self._named_so(objects_of(operation))}

    def _named_so(self, keys: Collection[str]) -> Iterator[Entry]:
        endusers = self._world.planhat.sandbox.store.endusers
        for key in keys:
            kind, _, name = key.partition(":")
            yield from endusers.by_external.get(name) if kind == "ext" else endusers.with_email(name)

    def ended(self) -> None:
        self._look_for_deleted()
        store = self._world.planhat.sandbox.store
        entries = [*store.companies.by_id.values(), *store.endusers.by_id.values()]
        for entry in entries:
            is_company = entry.id in store.companies.by_id
            self._homes.update(
                {(is_company, each) for sent in self._writes_of(entry) for each in sent.sequences}
            )
        for entry in entries:
            said: Said = defaultdict(lambda: defaultdict(set))
            writes: defaultdict[str, list[Mapping[str, object]]] = defaultdict(list)
            for sent in self._writes_of(entry):
                for name, sequence, value in _values_of(sent):
                    said[name][sequence].add(value)
                    writes[name].append(sent.item)
            for name, values in said.items():
                is_there = self._is_global or _is_where_it_belongs(entry, writes[name])
                if is_there and _have_a_key_in_common(writes[name]):
                    self._look(entry, name, values)

    def _look_for_deleted(self) -> None:
        """Who was deleted is there only if a later event made them anew."""
        for key, sequence in self._deletions.items():
            if self._facts.was_turned_away(sequence):
                continue
            partition = self._world.feds[sequence].partition
            for entry in self._named_so([key]):
                written = [each for row in entry.history or () for each in self._events_of(row, partition)]
                if entry.id not in self._twins and written and max(written) < sequence:
                    self._broken(f"{entry.id} is there, which event {sequence} deleted")

    def _events_of(self, row: WriteRow, partition: int) -> Sequence[int]:
        """Events of a partition that may have made this write; of activities, the newest in the request."""
        if row.request in self._others:
            return [self._others[row.request]]
        sent = (each for each in self._sent[row.request] if each.item == row.sent)
        return [
            sequence
            for each in sent
            for sequence in each.sequences
            if self._world.feds[sequence].partition == partition
        ]

    def _writes_of(self, entry: Entry) -> Iterator[Sent]:
        for row in entry.history or ():
            yield from (sent for sent in self._sent[row.request] if sent.item == row.sent)

    def _look(self, entry: Entry, name: str, said: Mapping[int, set[object]]) -> None:
        allowed: set[int] = set()
        closed: set[int] = set()
        is_company = entry.id in self._world.planhat.sandbox.store.companies.by_id
        for sequence in sorted(said, reverse=True):
            partition = self._world.feds[sequence].partition
            if partition not in closed:
                allowed.add(sequence)
            # Told together with others, and alone when it was read again, it may have gone elsewhere: several
            # endusers can have one e-mail address.
            has_strayed = self._homes[is_company, sequence] > 1
            if not (self._facts.was_turned_away(sequence) or has_strayed):
                closed.add(partition)
        final = _value_in(entry, name)
        if not any(final in said[sequence] for sequence in allowed):
            self._broken(f"{entry.id} ends with {name} {final!r}, not as of event {sorted(allowed)}")


def _values_of(sent: Sent) -> Iterator[tuple[str, int, object]]:
    """Field, event, value. What no part says was said before and not saved, or is a name made of an id."""
    names: set[str] = set()
    for operation, sequence in zip(sent.parts, sent.sequences, strict=True):
        values: dict[str, object] = dict(operation.fields)
        if "color" in operation.custom:
            values["color"] = operation.custom["color"]
        if isinstance(operation, UpsertEnduser):
            values["email"] = None if operation.email is None else operation.email.lower()
            values[COMPANY] = None if operation.company_external_id is None else sent.company
        for name, value in values.items():
            if value is not None:
                names.add(name)
                yield name, sequence, value
    color = sent.item.get("custom", {}).get("color")
    if color is not None and "color" not in names:
        yield "color", color, color  # it is its event's number
    if "name" in sent.item and "name" not in names:
        yield "name", min(sent.sequences), sent.item["name"]


def _value_in(entry: Entry, name: str) -> object:
    if name == "color":
        return entry.custom.get("color")
    if name == COMPANY:
        return None if entry.company is None else entry.company.fields["externalId"]
    value = entry.fields.get(name)
    return value.lower() if name == "email" and isinstance(value, str) else value


def _have_a_key_in_common(writes: Sequence[Mapping[str, object]]) -> bool:
    """Whether the lanes know them as one object: else their order is nobody's promise."""
    for name in ("externalId", "email"):
        values = {str(sent.get(name)).lower() for sent in writes}
        if len(values) == 1 and "none" not in values:
            return True
    return False


def _is_where_it_belongs(entry: Entry, writes: Sequence[Mapping[str, object]]) -> bool:
    """Whether every write named the enduser's own company, or none did.

    An enduser's id is unique in its company only: read again after a company came to be, an upsert may go
    to another enduser than the first time.
    """
    own = None if entry.company is None else f"extid-{entry.company.fields['externalId']}"
    named = {sent.get("companyId") for sent in writes}
    return named in ({own}, {None})
