"""Gathering the evidence at the end of a run, so that it can be judged once more without another run."""

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from streamer.outcomes import Endpoint
from streamer.standins.account import audit
from streamer.standins.account_books import Expected, Slots
from streamer.standins.account_findings import Audit, Seen, SeenLetter
from streamer.standins.account_view import seen_activities, seen_companies, seen_endusers, seen_ignored
from streamer.standins.demo_topic import read_letters
from tests.faults.evidence import Arrivals, Asked, Careers, Ending, How, activities_of, asked_of, upserts_of
from tests.faults.plant import HTTP_SECONDS, Change, Plant
from tests.faults.strikes import Struck
from tests.real_kafka.commits import Commit, CommitHistory


@dataclass
class Evidence:
    """Everything that is judged by."""

    struck: Sequence[Struck]
    expected: Expected
    account: Audit
    letters: list[SeenLetter]
    activities: Arrivals
    upserts: Arrivals
    unclear: frozenset[int]
    """Bulks of endusers of which an item was not saved, and the reply does not say which: it may be any that
    Planhat had unchanged, and those are asked for again."""
    asked: dict[int, Asked]
    commits: list[Commit]
    topic_id: str
    careers: Careers

    def keep(self, path: Path) -> None:
        """Write it to a file."""
        path.write_bytes(pickle.dumps(self))


def kept(path: Path) -> Evidence:
    """What `keep` wrote; of our own making, so safe to load."""
    evidence = pickle.loads(path.read_bytes())
    assert isinstance(evidence, Evidence)
    return evidence


def gather(plant: Plant, struck: Sequence[Struck]) -> Evidence:
    """Members have ended; the sandbox and the broker still run."""
    pipeline, sandbox = plant.pipeline, plant.sandbox
    endusers, companies = list(sandbox.endusers()), list(sandbox.companies())
    letters = read_letters(pipeline.kafka.bootstrap, pipeline.letter_topic, pipeline.topic)
    seen = Seen(
        activities=seen_activities(sandbox.activities(), endusers),
        endusers=seen_endusers(endusers),
        companies=seen_companies(companies),
        ignored=seen_ignored(sandbox.ignored()),
        letters=letters,
        committed=pipeline.committed(),
        merged=None,
    )
    slots = Slots(pipeline.expected, {})
    history = CommitHistory(pipeline.kafka, pipeline.group, pipeline.topic)
    return Evidence(
        struck=struck,
        expected=pipeline.expected,
        account=audit(pipeline.expected, seen),
        letters=letters,
        activities=activities_of(sandbox.activities(), slots),
        upserts=upserts_of([*endusers, *companies], slots),
        unclear=frozenset(row.request for row in sandbox.ignored() if row.endpoint == Endpoint.ENDUSERS),
        asked=asked_of(sandbox.requests(), HTTP_SECONDS),
        commits=history.commits,
        topic_id=history.topic_id,
        careers=careers_of(plant, struck),
    )


def careers_of(plant: Plant, struck: Sequence[Struck]) -> Careers:
    """From the members' own logs, and from what was done to them."""
    begun: dict[str, dict[int, list[float]]] = {}
    ended: dict[str, list[Ending]] = {}
    unheard: dict[str, list[float]] = {}
    for life in plant.lives:
        assigned = life.changes("partitions_assigned")
        mine = begun.setdefault(life.name, {})
        for change in assigned:
            for partition in change.partitions:
                mine.setdefault(partition, []).append(change.at)
        told = [
            Ending(change.at, How.ORDERLY if change.is_committed else How.REVOKED, change.partitions)
            for change in life.changes("partitions_revoked")
        ]
        told += [Ending(change.at, How.LOST, change.partitions) for change in life.changes("partitions_lost")]
        cuts = [cut for each in struck for cut in each.cuts if cut.member == life.name]
        blind = [Ending(cut.at, How.BLIND, _held(cut.at, assigned, told), cut.sends_until) for cut in cuts]
        ended[life.name] = sorted(told + blind, key=lambda ending: ending.at)
        unheard[life.name] = life.unheard()
    return Careers(begun, ended, unheard)


def _held(at: float, assigned: Sequence[Change], told: Sequence[Ending]) -> frozenset[int]:
    """The partitions that a member read at this moment."""
    changes = [(change.at, True, change.partitions) for change in assigned]
    changes += [(ending.at, False, ending.partitions) for ending in told]
    held: set[int] = set()
    for moment, has_come, partitions in sorted(changes, key=lambda change: change[0]):
        if moment <= at:
            held = held | partitions if has_come else held - partitions
    return frozenset(held)
