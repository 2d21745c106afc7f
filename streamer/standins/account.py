"""The independent account: what was produced, against what Planhat holds and Kafka keeps.

It knows nothing of the transform or the engine. It compares the makers' expectations with the
sandbox's view, the dead letters and the committed offsets, and names every event that is not where
it must be. Arrival numbers are the sandbox's: one counter over both hosts, growing with time.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from streamer.outcomes import SkipReason
from streamer.standins.account_books import UNPRODUCED, Expected, Slots
from streamer.standins.account_findings import Audit, Fault, Seen, SeenActivity, SeenLetter, SeenObject
from streamer.standins.expectations import Effect, event_key, mark_of


def audit(expected: Expected, seen: Seen) -> Audit:
    """Compare; every argument is read once."""
    account = Audit(expected.produced, dict(expected.outcomes))
    slots = Slots(expected, seen.resent)
    arrivals = _activities(account, expected, slots, seen.activities)
    _ignored(account, expected, slots, seen.ignored)
    objects = _objects(account, expected, [*seen.endusers, *seen.companies])
    for subject, number in expected.subjects.items():
        _subject(account, slots, number, subject, arrivals, objects.get(number))
        _company_of(account, expected, slots, number, subject, objects)
    if seen.merged is not None and account.merged_upserts > seen.merged:
        count = account.merged_upserts - seen.merged
        account.report(
            Fault.UNEXPLAINED_MERGE, f"{account.merged_upserts}, of which {seen.merged} merged", count
        )
    _letters(account, expected, seen.letters)
    _skips(account, expected, seen.skipped)
    for partition, end in sorted(expected.ends.items()):
        committed = seen.committed.get(partition)
        if committed != end:
            account.report(Fault.UNCOMMITTED, f"partition {partition}: {committed} of {end}")
    return account


# --- activities -----------------------------------------------------------------------------------


def _activities(
    account: Audit, expected: Expected, slots: Slots, activities: Iterable[SeenActivity]
) -> "array[int]":
    """First arrival by slot, 0 where none; counts what came too often or to the wrong place."""
    arrivals = array("q", [0]) * len(slots.effect)
    counts = array("H", [0]) * len(slots.effect)
    for activity in activities:
        slot = slots.of_event_key(activity.event_key)
        if slot is None or slots.effect[slot] == UNPRODUCED:
            account.report(Fault.UNKNOWN, f"activity {activity.event_key}")
            continue
        if slots.effect[slot] != Effect.ACTIVITY:
            account.report(Fault.LEAKED, f"activity {activity.event_key}")
            continue
        if str(activity.event_key).rpartition("#")[0] not in activity.keys:
            account.report(Fault.MISPLACED, f"activity {activity.event_key} with {activity.keys}")
        counts[slot] += 1
        if not arrivals[slot] or activity.arrival < arrivals[slot]:
            arrivals[slot] = activity.arrival
    for subject, number in expected.subjects.items():
        for sequence, slot in slots.with_effect(number, Effect.ACTIVITY):
            if counts[slot] > 1:
                _duplicates(account, slots, slot, event_key(subject, sequence), counts[slot] - 1)
            elif not counts[slot]:
                account.report(Fault.LOST_ACTIVITY, event_key(subject, sequence))
    return arrivals


def _duplicates(account: Audit, slots: Slots, slot: int, name: str, extra: int) -> None:
    from_copies = min(extra, slots.records[slot] - 1)
    from_resends = min(extra - from_copies, slots.resends[slot])
    account.duplicates_from_copies += from_copies
    account.duplicates_from_resends += from_resends
    if unexplained := extra - from_copies - from_resends:
        account.report(Fault.UNEXPLAINED_DUPLICATE, name, unexplained)


def _ignored(account: Audit, expected: Expected, slots: Slots, ignored: Iterable[tuple[str, ...]]) -> None:
    """Activities of people without a company must be here; of others, none.

    Planhat's log of them says whose they were and no more, so they are counted for each person.
    """
    counts: Counter[int] = Counter()
    for keys in ignored:
        number = next((expected.subjects[key] for key in keys if key in expected.subjects), None)
        if number is None:
            account.report(Fault.UNKNOWN, f"ignored activity of {keys}")
        else:
            counts[number] += 1
    for subject, number in expected.subjects.items():
        due = [slot for _, slot in slots.with_effect(number, Effect.IGNORED)]
        seen = counts[number]
        most = sum(slots.records[slot] + slots.resends[slot] for slot in due)
        if seen < len(due):
            account.report(Fault.LOST_IGNORED, f"{subject}: {seen} of {len(due)}", len(due) - seen)
        elif seen > most:
            account.report(Fault.UNEXPECTED_IGNORED, f"{subject}: {seen} of {most}", seen - most)


# --- endusers and companies ---------------------------------------------------------------------------


def _objects(account: Audit, expected: Expected, found: Iterable[SeenObject]) -> dict[int, SeenObject]:
    """Objects by number of subject."""
    objects: dict[int, SeenObject] = {}
    for one in found:
        number = next((expected.subjects[key] for key in one.keys if key in expected.subjects), None)
        if number is None or number in objects:
            account.report(Fault.UNKNOWN, f"{'another ' if number is not None else ''}{one.keys}")
        else:
            objects[number] = one
    return objects


def _subject(
    account: Audit,
    slots: Slots,
    number: int,
    subject: str,
    arrivals: "array[int]",
    found: SeenObject | None,
) -> None:
    """One subject's upserts and order."""
    firsts = _first_writes(account, slots, subject, found)
    named = {write.sequence for write in found.writes} if found is not None else set()
    latest_by_mark: dict[str, int] = {}
    latest = 0
    for sequence, _ in slots.with_effect(number, Effect.ENDUSER, Effect.COMPANY):
        latest = sequence
        latest_by_mark[mark_of(sequence)] = sequence
        if sequence in named:
            continue
        if sequence in firsts or _is_hidden(sequence, found):
            account.merged_upserts += 1
        else:
            account.report(Fault.LOST_UPSERT, event_key(subject, sequence))
    if found is not None and latest:
        wanted: dict[str, Any] = {**latest_by_mark, "sequence": latest}
        stale = [name for name, value in wanted.items() if found.custom.get(name) != value]
        if stale:
            account.stale.add(subject)
            account.report(Fault.STALE, f"{subject} ({', '.join(stale)})")
    _order(account, slots, number, subject, arrivals, found, firsts)


def _is_hidden(sequence: int, found: SeenObject | None) -> bool:
    """Whether an upsert that left no trace may have been merged into the next that did.

    A merged one is told by its mark, unless one of those it was merged with wrote the same mark later. Where
    not all writes are remembered, nobody can tell.
    """
    for write in found.writes if found is not None else ():
        if write.sequence is not None and write.sequence > sequence:
            mark = mark_of(sequence)
            marks = {mark_of(each) for each in (*write.brought, write.sequence) if each > sequence}
            return mark in marks or (found is not None and not found.is_whole)
    return False


def _first_writes(account: Audit, slots: Slots, subject: str, found: SeenObject | None) -> dict[int, int]:
    """Arrival of what first brought each sequence number; what comes later is a repeat, in whatever order."""
    firsts: dict[int, int] = {}
    highest = 0
    for write in found.writes if found is not None else ():
        for sequence in write.brought:
            firsts.setdefault(sequence, write.arrival)
        if write.sequence is None or write.sequence in firsts:
            continue
        firsts[write.sequence] = write.arrival
        slot = slots.of(subject, write.sequence)
        name = event_key(subject, write.sequence)
        if slot is None or slots.effect[slot] == UNPRODUCED:
            account.report(Fault.UNKNOWN, f"write {name}")
        elif slots.effect[slot] not in {Effect.ENDUSER, Effect.COMPANY}:
            account.report(Fault.LEAKED, f"write {name}")
        if write.sequence < highest:
            account.report(Fault.DISORDERED_UPSERT, name)
        highest = max(highest, write.sequence)
    return firsts


def _order(
    account: Audit,
    slots: Slots,
    number: int,
    subject: str,
    arrivals: "array[int]",
    found: SeenObject | None,
    firsts: Mapping[int, int],
) -> None:
    """No activity before an earlier one, nor before what an earlier upsert wrote (itself, or merged)."""
    since: dict[int, int] = {}  # from when what this sequence number wrote was there, itself or merged
    arrival_after: int | None = None
    for sequence in sorted(firsts, reverse=True):
        first = firsts[sequence]
        arrival_after = first if arrival_after is None else min(first, arrival_after)
        since[sequence] = arrival_after
    created = found.writes[0].arrival if found is not None and found.writes else None
    there: int | None = None
    last_arrival = 0
    for sequence, slot in slots.with_effect(number, Effect.ENDUSER, Effect.LINK, Effect.ACTIVITY):
        if slots.effect[slot] == Effect.LINK:
            there = created if there is None else there
        elif slots.effect[slot] == Effect.ENDUSER:
            there = since.get(sequence, there)
        elif arrivals[slot]:
            if arrivals[slot] < last_arrival:
                account.report(Fault.DISORDERED_ACTIVITY, event_key(subject, sequence))
            if there is not None and arrivals[slot] < there:
                account.report(Fault.EARLY_ACTIVITY, event_key(subject, sequence))
            last_arrival = max(last_arrival, arrivals[slot])


def _company_of(
    account: Audit,
    expected: Expected,
    slots: Slots,
    number: int,
    subject: str,
    objects: Mapping[int, SeenObject],
) -> None:
    """Who was linked or identified belongs to the company, and the company exists."""
    upserts = next(slots.with_effect(number, Effect.ENDUSER, Effect.LINK), None)
    company = expected.companies.get(number)
    if upserts is None or company is None:
        return
    found = objects.get(number)
    if found is None:
        account.report(Fault.LOST_UPSERT, subject)
    elif found.company != company:
        account.report(Fault.MISPLACED, f"{subject} in {found.company}, not {company}")


# --- what Kafka keeps and the pipeline counts ---------------------------------------------------------


def _letters(account: Audit, expected: Expected, letters: Iterable[SeenLetter]) -> None:
    """Exactly the bad records, each with its reason; a letter may come twice."""
    seen: set[tuple[int, int]] = set()
    for letter in letters:
        place = letter.partition, letter.offset
        if place in seen:
            account.letters_repeated += 1
            continue
        seen.add(place)
        wanted = expected.letters.get(place)
        name = f"partition {letter.partition} offset {letter.offset} ({letter.reason})"
        if wanted is None:
            account.report(Fault.UNEXPECTED_LETTER, name)
        elif wanted != letter.reason:
            account.report(Fault.WRONG_REASON, f"{name}, not {wanted}")
    for (partition, offset), reason in expected.letters.items():
        if (partition, offset) not in seen:
            account.report(Fault.LOST_LETTER, f"partition {partition} offset {offset} ({reason})")


def _skips(account: Audit, expected: Expected, skipped: Mapping[str, int] | None) -> None:
    """By reason. `unconfirmed` stands for what Planhat's counts leave open, and for nothing else.

    It does not say which items changed nothing and which it did not save, so an upsert without a
    company, or a copy, may end as `unconfirmed`. A copy may be skipped as such, whatever its original was.
    """
    if skipped is None:
        return
    wanted, counted = expected.skipped(), Counter(skipped)
    # Each was counted with its own reason when it was settled, or delivered: see there.
    counted.pop(SkipReason.SETTLED_BEFORE, None)
    account.unconfirmed = counted.pop(SkipReason.UNCONFIRMED, 0)
    account.copies_skipped = counted.pop(SkipReason.DUPLICATE, 0)
    if account.copies_skipped > expected.copies:
        counted[SkipReason.DUPLICATE] = account.copies_skipped - expected.copies
    missing = max(0, wanted[SkipReason.NO_COMPANY] - counted[SkipReason.NO_COMPANY])
    of_copies = min(missing, account.copies_skipped, expected.copies)
    unsaved = min(account.unconfirmed, missing - of_copies)
    counted[SkipReason.NO_COMPANY] += of_copies + unsaved
    if account.unconfirmed - unsaved > expected.upsert_copies:
        counted[SkipReason.UNCONFIRMED] = account.unconfirmed - unsaved
    for reason in sorted({*wanted, *counted}):
        if wanted[reason] != counted[reason]:
            example = f"{reason}: {counted[reason]} of {wanted[reason]}"
            account.report(Fault.SKIPPED_DIFFERS, example, abs(wanted[reason] - counted[reason]))
