"""What a member knew when it made a commit, as far as it can be seen from outside.

The broker tells when it wrote a commit, not when that was made: while a broker restarts, one made before may
be under way for seconds, and what was answered meanwhile is not in it. But a commit that tells of an answer
was made after that answer. So it had to tell of all that were there before the latest it tells of, and need
not tell of later ones.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from tests.faults.evidence import (
    COMMIT_ARRIVES_SECONDS,
    Arrivals,
    Asked,
    Commits,
    Ending,
    Places,
    Told,
)

SLACK_SECONDS: Final = 0.05
"""Clocks of one machine, logs of milliseconds, and answers that come at once, which are taken up in any
order."""
ANSWER_SECONDS: Final = 0.5
"""An answer given this shortly before a commit of every day may have been taken up only after it began."""


class Knowledge:
    """The last commits before endings, each with the moment up to which it had to know every answer."""

    def __init__(
        self, places: Places, asked: Mapping[int, Asked], commits: Commits, arrivals: Iterable[Arrivals]
    ) -> None:
        self.commits = commits
        self._answers: dict[int, list[tuple[float, int]]] = defaultdict(list)
        """By partition, when each offset was answered for the first time; in that order."""
        self._known: dict[tuple[int, float], float] = {}
        answered: dict[int, float] = {}
        for each in arrivals:
            for slot, number in each:
                request = asked[number]
                # Which of several copies was answered nobody can say.
                if request.is_answered and places.copies[slot] == 1:
                    answered[slot] = min(request.until, answered.get(slot, request.until))
        for slot, until in answered.items():
            self._answers[places.partition[slot]].append((until, places.offset[slot]))
        for answers in self._answers.values():
            answers.sort()

    def last_commit(self, partition: int, ending: Ending) -> Told:
        """A member's last acknowledged commit before this ending of its way with the partition.

        Its `at` is the latest moment of which it knew for certain: see `had_to_know`.
        """
        # A member that hands over commits when the last answer is in; else one may be waiting to be taken up.
        grace = COMMIT_ARRIVES_SECONDS if ending.is_blind else SLACK_SECONDS
        told = self.commits.last(partition, ending.at + grace)
        if ending.is_orderly:
            return told
        known = self._known.get((partition, told.at))
        if known is None:
            known = self._known[partition, told.at] = self._known_at(partition, told)
        return told._replace(at=known)

    def _known_at(self, partition: int, told: Told) -> float:
        """Up to when it had to know: at the latest answer that it tells of, if that is not just in."""
        answers = self._answers[partition]
        latest = told.at - ANSWER_SECONDS
        place = bisect_right(answers, (latest, 1 << 62))
        for until, offset in reversed(answers[:place]):
            if told.has(offset):
                return until
        return 0.0


def had_to_know(told: Told, answered_at: float) -> bool:
    """Whether who made this commit knew of the answer: it was there before, or came in the same request."""
    return answered_at == told.at or answered_at <= told.at - SLACK_SECONDS
