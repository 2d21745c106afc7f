"""Whether all is well, in a sentence, and if not what to do: for whoever is woken by it. Pure.

Thresholds are those of the alerts (k8s/alerts/streamer.rules.yaml), so that the page and a pager agree;
what an alert waits for to be sure of, the page tells at once, with the word that it may pass.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from streamer.status.facts import Facts
from streamer.status.spans import counted, listed, moment, number, span

SILENT_SECONDS: Final = 240.0
"""Kafka has not told for so long where a log ends: StreamerNotConsuming, kafka_silent."""
OLDEST_SECONDS: Final = 600.0
"""In flight for longer than that: StreamerOldestUnsettledTooOld."""
RETENTION_RATIO: Final = 0.5
"""Of Kafka's retention is used up: StreamerNotDraining, retention."""
LATE_SECONDS: Final = 900.0
DRAIN_SECONDS: Final = 21_600.0
"""Late by more than the one, and through in more than the other: StreamerNotDraining, forecast."""
LETTERS_RATIO: Final = 0.02
LETTERS_COUNT: Final = 10
"""So many letters, and more than this share of what was finished with: StreamerDeadLettersRising."""
OUTSIDE_SECONDS: Final = 300.0
"""No settled member for longer, and than a session: StreamerNotConsuming, not_a_member. What is normal, a
rebalance that waits for a drain or for a session to end, takes less."""
JOINING_SECONDS: Final = 60.0
"""After a start it is no news that the group is being joined."""


class Level(StrEnum):
    """What it asks of the reader, the most pressing first."""

    ACT = "act"
    """A person is needed now."""
    LOOK = "look"
    """A person is needed in working hours."""
    WAIT = "wait"
    """It goes on by itself."""
    WELL = "well"


OPENING: Final = {
    Level.ACT: "Act now",
    Level.LOOK: "Look into it by day",
    Level.WAIT: "Nothing to do for now",
    Level.WELL: "All is well",
}
"""How the sentence of each level begins."""


class Verdict(NamedTuple):
    """One sentence, and what to do."""

    level: Level
    what: str
    """Goes on after the level's opening and a colon."""
    advice: str = ""
    """What happens next and what to do; "" where there is nothing to be said."""

    @property
    def sentence(self) -> str:
        """All of it."""
        return f"{OPENING[self.level]}: {self.what}."


def verdicts(facts: Facts) -> Sequence[Verdict]:
    """All that is to be said, the most pressing first; never empty."""
    found = [verdict for check in _CHECKS if (verdict := check(facts)) is not None]
    order = list(Level)
    return sorted(found, key=lambda each: order.index(each.level)) or [_well(facts)]


def _runbook(name: str) -> str:
    return f"Runbook: docs/runbooks/{name}.md"


def _stuck(facts: Facts) -> Verdict | None:
    if facts.last_poll_at is None or facts.now - facts.last_poll_at <= facts.stuck_seconds:
        return None
    return Verdict(
        Level.ACT,
        f"it is stuck: it last polled {span(facts.now - facts.last_poll_at)} ago; what is below is as old",
        "/livez fails, so that Kubernetes restarts it; elsewhere restart it. It is a bug: keep the log's line"
        f" owner_stuck and report it. {_runbook('StreamerNotConsuming')}",
    )


def _on_hold(facts: Facts) -> Verdict | None:
    hold = facts.hold
    if hold is None:
        return None
    since = "" if hold.since is None else f" since {moment(hold.since)}, for {span(facts.now - hold.since)}"
    return Verdict(
        Level.ACT,
        f"it is on hold ({hold.reason}){since}",
        f"{hold.advice}. {_runbook('StreamerOnHold')}",
    )


def _losing(facts: Facts) -> Verdict | None:
    worst = max(
        (
            (each.undelivered_age_seconds or 0.0) / facts.retention_seconds[each.topic]
            for each in facts.partitions
            if facts.retention_seconds.get(each.topic)
        ),
        default=0.0,
    )
    if worst <= RETENTION_RATIO:
        return None
    return Verdict(
        Level.ACT,
        f"events may be lost: the oldest one not delivered has used up {worst:.0%} of the time for "
        "which Kafka keeps it",
        f"Let Kafka keep the topic for longer, then mend what holds it up. {_runbook('StreamerNotDraining')}",
    )


def _denied(facts: Facts) -> Verdict | None:
    if not facts.commits_denied:
        return None
    return Verdict(
        Level.ACT,
        "Kafka does not let it commit",
        f"Allow READ on the group {facts.group} (docs/secured-kafka.md); where it lasts streamer stops, and "
        "what is not committed is sent again",
    )


def _kafka_silent(facts: Facts) -> Verdict | None:
    if facts.log_ends_at is None or facts.now - facts.log_ends_at <= SILENT_SECONDS:
        return None
    return Verdict(
        Level.ACT,
        f"Kafka has not told for {span(facts.now - facts.log_ends_at)} where the log of a partition ends",
        "That partition is probably not read, and how much waits there is not known; look at its leader. "
        f"{_runbook('StreamerNotConsuming')}",
    )


def _in_flight_for_long(facts: Facts) -> Verdict | None:
    if facts.hold is not None or not facts.partitions:
        return None
    oldest = max(facts.partitions, key=lambda each: each.oldest_unsettled_seconds)
    if oldest.oldest_unsettled_seconds <= OLDEST_SECONDS:
        return None
    return Verdict(
        Level.ACT,
        f"an event of partition {oldest.number} is in flight for {span(oldest.oldest_unsettled_seconds)} now",
        "Later events of the same user wait, others go on; the log's next says for what. "
        f"{_runbook('StreamerOldestUnsettledTooOld')}",
    )


def _outside(facts: Facts) -> Verdict | None:
    seconds = _seconds_outside(facts)
    if seconds <= _outside_bound(facts):
        return None
    return Verdict(
        Level.ACT,
        f"it has been no settled member of the group {facts.group} for {span(seconds)}: Kafka is out of "
        "reach from here, or the group does not come to rest",
        "What nobody else of the group reads waits in Kafka. See whether every broker can be reached from "
        f"here, and whether members come and go. {_runbook('StreamerNotConsuming')}",
    )


def _seconds_outside(facts: Facts) -> float:
    return 0.0 if facts.is_member or facts.outside_since is None else facts.now - facts.outside_since


def _outside_bound(facts: Facts) -> float:
    return max(OUTSIDE_SECONDS, facts.session_seconds)


def _own_failures(facts: Facts) -> Verdict | None:
    if not facts.failures:
        return None
    return Verdict(
        Level.LOOK,
        f"its own code failed on {counted(facts.failures, 'event')} in the last minute, which is a bug",
        "They are whole in the dead-letter topic, and can be replayed once it is mended: report the log's "
        f"line record_failed. {_runbook('StreamerDeadLettersRising')}",
    )


def _many_letters(facts: Facts) -> Verdict | None:
    letters = sum(each.last_minute for each in facts.letters)
    finished = sum(each.last_minute for each in facts.outcomes if each.outcome != "released")
    if letters < LETTERS_COUNT or letters <= LETTERS_RATIO * finished:
        return None
    return Verdict(
        Level.LOOK,
        f"{letters / finished:.0%} of the events of the last minute became dead letters",
        f"They are kept, and can be replayed. {_runbook('StreamerDeadLettersRising')}",
    )


def _too_slow(facts: Facts) -> Verdict | None:
    quota = facts.quota
    if facts.hold is not None or quota is None or (quota.drain_seconds or 0.0) <= DRAIN_SECONDS:
        return None
    if _late(facts) <= LATE_SECONDS:
        return None
    return Verdict(
        Level.LOOK,
        f"it is {span(_late(facts))} behind, and needs {span(quota.drain_seconds or 0)} more by the quota",
        f"Nothing is lost while Kafka keeps the events. {_runbook('StreamerNotDraining')}",
    )


def _starting(facts: Facts) -> Verdict | None:
    if facts.has_reported or _stuck(facts):
        return None
    return Verdict(Level.WAIT, "it is starting, and has not told its state yet")


def _not_a_member(facts: Facts) -> Verdict | None:
    if facts.is_member or not facts.has_reported or _outside(facts):
        return None
    if facts.now - facts.started_at < JOINING_SECONDS:
        return Verdict(Level.WAIT, f"it is joining the group {facts.group}")
    return Verdict(
        Level.WAIT,
        f"it is not a settled member of the group {facts.group}: the group is sharing out its partitions, or "
        "Kafka is out of reach",
        "It goes on by itself; nothing is lost. Where it lasts for more than "
        f"{span(_outside_bound(facts))}, look after Kafka. {_runbook('StreamerNotConsuming')}",
    )


def _awaiting_schemas(facts: Facts) -> Verdict | None:
    if not facts.awaited_schemas:
        return None
    count = sum(each.count for each in facts.awaited_schemas)
    advice = dict.fromkeys(f"{each.reason}: {each.advice}" for each in facts.awaited_schemas)
    return Verdict(
        Level.WAIT,
        f"records wait for {counted(count, 'schema')} that the registry does not give",
        "; ".join(advice),
    )


def _planhat_away(facts: Facts) -> Verdict | None:
    failing = [each for each in facts.gates if each.is_failing]
    if not failing or facts.hold is not None:
        return None
    away = [each.endpoint for each in failing if not each.accepted]
    what = (
        f"Planhat accepts no {listed(away)}"
        if away
        else f"Planhat refuses some requests for {listed([each.endpoint for each in failing])} for now"
    )
    until = max((each.closed_until or 0.0 for each in failing), default=0.0)
    again = f"; it is asked again by {moment(until)}" if until else "; it is being asked again"
    return Verdict(
        Level.WAIT,
        what + again,
        "Events wait in order, nothing is lost, and it goes on by itself. Where this is still said in five "
        f"minutes, look after Planhat. {_runbook('StreamerPlanhatWaiting')}",
    )


def _behind(facts: Facts) -> Verdict | None:
    if facts.hold is not None or _late(facts) <= LATE_SECONDS or _too_slow(facts):
        return None
    drain = facts.quota.drain_seconds if facts.quota is not None else None
    end = "" if drain is None else f", which the quota allows to be through in {span(drain)}"
    return Verdict(
        Level.WAIT,
        f"it is {span(_late(facts))} behind with {counted(facts.undelivered_records, 'record')}{end}",
        "Nothing is lost while Kafka keeps the events. Where the number grows: docs/operations.md, Lag grows",
    )


def _late(facts: Facts) -> float:
    return max((each.undelivered_age_seconds or 0.0 for each in facts.partitions), default=0.0)


def _well(facts: Facts) -> Verdict:
    if not facts.partitions:
        return Verdict(
            Level.WELL,
            "it stands by, since other replicas read every partition of the topic and none is left for it",
        )
    if not facts.undelivered_records:
        waiting = "and nothing waits"
    else:
        waiting = f"and the oldest of {counted(facts.undelivered_records, 'record')} not delivered yet "
        waiting += f"is {span(_late(facts))} old"
    delivered = next(each for each in facts.outcomes if each.outcome == "delivered")
    return Verdict(Level.WELL, f"{number(delivered.per_second)} events a second are delivered, {waiting}")


_CHECKS: Sequence[Callable[[Facts], Verdict | None]] = (
    _stuck,
    _on_hold,
    _losing,
    _denied,
    _kafka_silent,
    _outside,
    _in_flight_for_long,
    _own_failures,
    _many_letters,
    _too_slow,
    _starting,
    _not_a_member,
    _awaiting_schemas,
    _planhat_away,
    _behind,
)
"""In the order in which what is equally pressing is told."""
