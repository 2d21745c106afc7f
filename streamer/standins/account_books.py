"""What was produced and what it must come to, in compact arrays: about 40 bytes an event."""

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from streamer.outcomes import CallType, Fate
from streamer.standins.expectations import Effect, Expectation, parse_event_key

UNPRODUCED = 255
"""Effect of a sequence number that never reached the topic."""


class Expected:
    """Every acknowledged record with its expectation. Fill with `add`, then take `Slots` of it."""

    def __init__(self) -> None:
        self.subjects: dict[str, int] = {}
        self.companies: dict[int, str] = {}
        """Company external id by number of subject."""
        self.outcomes: Counter[tuple[CallType, Fate, str]] = Counter()
        self.letters: dict[tuple[int, int], str] = {}
        """Reason by partition and offset of each bad record."""
        self.ends: dict[int, int] = {}
        """Next offset by partition."""
        self.copies = 0
        self.upsert_copies = 0
        """Copies of identifies: upserts that change nothing."""
        self.numbers = array("q")  # of the subject
        self.sequences = array("L")
        self.partitions = array("H")
        self.offsets = array("q")
        self.effects = array("B")

    def add(self, partition: int, offset: int, expectation: Expectation) -> None:
        """Count one record that the broker has acknowledged at this place."""
        reason = expectation.reason
        self.outcomes[expectation.call, expectation.fate, reason.value if reason is not None else ""] += 1
        self.ends[partition] = max(self.ends.get(partition, 0), offset + 1)
        self.copies += expectation.is_copy
        self.upsert_copies += expectation.is_copy and expectation.effect is Effect.ENDUSER
        if expectation.fate is Fate.DEAD_LETTERED:
            self.letters[partition, offset] = reason.value if reason is not None else ""
        if expectation.subject is None:
            return
        number = self.subjects.setdefault(expectation.subject, len(self.subjects))
        if expectation.company is not None:
            self.companies[number] = expectation.company
        self.numbers.append(number)
        self.sequences.append(expectation.sequence)
        self.partitions.append(partition)
        self.offsets.append(offset)
        self.effects.append(expectation.effect)

    @property
    def produced(self) -> int:
        """All records, bad ones and tombstones too."""
        return self.outcomes.total()

    def skipped(self) -> Counter[str]:
        """Records that must be skipped, by reason."""
        skipped: Counter[str] = Counter()
        for (_, fate, reason), count in self.outcomes.items():
            if fate is Fate.SKIPPED:
                skipped[reason] += count
        return skipped


class Slots:
    """One slot for each subject and sequence number, side by side in the subject's order.

    A copy shares the slot of its original. `resent` are the offsets that were rightly read twice,
    by partition: a range for each time.
    """

    def __init__(self, expected: Expected, resent: Mapping[int, Sequence[range]]) -> None:
        highest = [0] * len(expected.subjects)
        for number, sequence in zip(expected.numbers, expected.sequences, strict=True):
            highest[number] = max(highest[number], sequence)
        self.first = array("L", [0])
        for count in highest:
            self.first.append(self.first[-1] + count)
        self.subjects = expected.subjects
        size = self.first[-1]
        self.effect = array("B", [UNPRODUCED]) * size
        self.records = array("H", [0]) * size
        """How often it was produced: 1, and 1 for each copy."""
        self.resends = array("H", [0]) * size
        """How often one of those was rightly read again."""
        for number, sequence, partition, offset, effect in zip(
            expected.numbers,
            expected.sequences,
            expected.partitions,
            expected.offsets,
            expected.effects,
            strict=True,
        ):
            slot = self.first[number] + sequence - 1
            self.effect[slot] = effect
            self.records[slot] += 1
            self.resends[slot] += sum(offset in offsets for offsets in resent.get(partition, ()))

    def of(self, subject: str, sequence: int) -> int | None:
        """The slot of a subject's event; None where nothing like it was ever numbered."""
        number = self.subjects.get(subject)
        if number is None:
            return None
        slot = self.first[number] + sequence - 1
        return slot if self.first[number] <= slot < self.first[number + 1] else None

    def of_event_key(self, text: object) -> int | None:
        """The slot an `eventKey` names."""
        parsed = parse_event_key(text)
        return self.of(*parsed) if parsed is not None else None

    def with_effect(self, number: int, *effects: Effect) -> Iterator[tuple[int, int]]:
        """Sequence number and slot of the subject's produced events with one of these effects."""
        start = self.first[number]
        for slot in range(start, self.first[number + 1]):
            if self.effect[slot] in effects:
                yield slot - start + 1, slot
