"""Isolation: finding the operation at fault in a bulk that was refused, or kept failing, as a whole.

Two steps. Sampling (only for a refusal): a few random operations are sent singly; when every one of
them is refused, the fault is not in an operation. Bisecting: of the suspects the first half is sent;
accepted, the rest are the suspects; refused, that half is, and the rest are free: they travel in one
normal bulk when the hunt is over (sent half by half, each would be a call of its own). So one culprit
among 5,000 costs at most 8 + 14 calls, and one for the free.

Pure: says what to send next and is told how it went.
"""

from dataclasses import dataclass, field

from streamer.engine.lanes import Place, Ticket


@dataclass(slots=True)
class Finding:
    """What one answer settled."""

    freed: list[Ticket] = field(default_factory=list)
    """No longer suspect: back to the pool."""
    culprits: list[Ticket] = field(default_factory=list)
    """Refused alone."""
    is_everything: bool = False
    """The whole sample was refused: perhaps the fault is in none of them."""


class Isolation:
    """One hunt. `suspects` are parked tickets in their batch's order, `sample` some that wait for none."""

    def __init__(
        self,
        suspects: list[Ticket],
        sample: list[Ticket],
        most_calls: int,
        sample_size: int,
        *,
        is_refusal: bool = True,
    ) -> None:
        self.is_refusal = is_refusal
        """Whether it looks for what is refused (a 4xx), not for what makes bulks fail."""
        self.size = len(suspects)
        self._suspects = suspects
        self._free: list[Ticket] = []
        """Not at fault; they wait for the end of the hunt."""
        self._sample = list(sample)
        self._asking: list[Ticket] = []
        self._calls_left = most_calls
        self._sample_size = sample_size
        self._sample_accepted = 0
        self._sample_refused: list[Ticket] = []

    def tickets(self) -> list[Ticket]:
        """Everything it still holds unsent, in order."""
        return sorted(self._left() + _parked(self._free), key=lambda ticket: ticket.number)

    def _left(self) -> list[Ticket]:
        return _parked(self._suspects)

    def next_group(self, most: int) -> list[Ticket]:
        """What to send next (at most so many), which counts as asked; empty while an answer is awaited."""
        if self._asking:
            return []
        self._sample = _parked(self._sample)
        suspects = self._left()
        if not suspects:
            # They went back to Kafka: whoever is left is asked as they were.
            suspects = self._suspects = self.tickets()
            self._free = []
        self._asking = self._sample[:1] or suspects[: min((len(suspects) + 1) // 2, most)]
        return self._asking

    def unanswered(self) -> None:
        """Nobody answered: the same is asked again (its tickets are parked again)."""
        self._asking = []

    def answered(self, *, is_refused: bool) -> Finding:
        """The group asked was refused (its tickets are parked again), or is out of our hands."""
        group, self._asking = self._asking, []
        self._calls_left -= 1
        finding = Finding()
        if not is_refused:
            # Answered for one by one: where that is another try, it is not this hunt's any more.
            cleared = set(group)
            self._suspects = [ticket for ticket in self._suspects if ticket not in cleared]
        if self._sample:
            self._sampled(group[0], finding, is_refused=is_refused)
        elif is_refused:
            self._narrow(group)
        if not self._sample:
            self._conclude(finding, group if is_refused else [])
        return finding

    def _sampled(self, ticket: Ticket, finding: Finding, *, is_refused: bool) -> None:
        del self._sample[0]
        if is_refused:
            self._sample_refused.append(ticket)
        else:
            self._sample_accepted += 1
        if self._sample:
            return
        # Some may have gone back to Kafka while the others were asked.
        refused = _parked(self._sample_refused)
        finding.is_everything = not self._sample_accepted and len(self._sample_refused) >= self._sample_size
        if refused:
            # The sample found some; whether the rest is sound is cheapest asked by a normal bulk.
            finding.culprits = refused
            self._suspects = [ticket for ticket in self._suspects if ticket not in refused]
            finding.freed = self._left()
            self._suspects = []

    def _narrow(self, group: list[Ticket]) -> None:
        inside = set(group)
        self._free += [ticket for ticket in self._left() if ticket not in inside]
        self._suspects = group

    def _conclude(self, finding: Finding, refused: list[Ticket]) -> None:
        """Who is left of all is asked as well: where many fail by chance, that one need not be at fault."""
        suspects = self._left()
        if len(refused) == 1 and suspects == refused:
            finding.culprits += suspects
            self._suspects = []
        elif self._calls_left <= 0:
            self._free += suspects
            self._suspects = []
        if not self._left():
            self._suspects = []
            finding.freed += self.tickets()
            self._free = []

    @property
    def is_over(self) -> bool:
        """Nothing left to find."""
        return not self._asking and not self.tickets()


def _parked(tickets: list[Ticket]) -> list[Ticket]:
    """Those that are still here: others went back to Kafka, or were answered for."""
    return [ticket for ticket in tickets if ticket.place is Place.PARKED]
