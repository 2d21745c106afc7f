"""From one reading of the tallies, and what does not change while the program runs, to facts. Pure."""

from typing import Final

from streamer.logs import hold_advice, schema_advice
from streamer.metrics import catalogue as names
from streamer.outcomes import Endpoint, Fate
from streamer.status.facts import (
    AwaitedSchemas,
    Facts,
    Fixed,
    Gate,
    HoldFacts,
    Letters,
    Outcome,
    Partition,
    Quota,
)
from streamer.status.reading import Reading

_PASSTHROUGH: Final = "passthrough"


def facts_of(reading: Reading, fixed: Fixed, now: float) -> Facts:
    """Put them together."""
    ((version, python, mode, compiled),) = reading.by_labels(names.BUILD)
    backpressure = reading.labels_at_one(names.BACKPRESSURE)
    return Facts(
        now=now,
        version=version,
        python=python,
        mode=mode,
        is_compiled=compiled == "true",
        topic=fixed.topic,
        group=fixed.group,
        started_at=fixed.started_at,
        stuck_seconds=fixed.stuck_seconds,
        last_poll_at=reading.value(names.LAST_POLL),
        last_commit_at=reading.value(names.LAST_COMMIT),
        log_ends_at=reading.value(names.LOG_END),
        has_reported=reading.value(names.IN_FLIGHT_RECORDS) is not None,
        is_member=reading.number(names.GROUP_MEMBER) == 1,
        outside_since=reading.value(names.OUTSIDE_SINCE),
        session_seconds=fixed.session_seconds,
        minute_seconds=reading.minute.seconds,
        partitions=_partitions(reading),
        retention_seconds={topic: each for (topic,), each in reading.by_labels(names.RETENTION).items()},
        in_flight_records=round(reading.number(names.IN_FLIGHT_RECORDS)),
        backpressure=backpressure[0][0] if backpressure else "unknown",
        outcomes=[_outcome(reading, fate.label) for fate in Fate],
        quota=None if mode == _PASSTHROUGH else _quota(reading),
        gates=[_gate(reading, each, now) for each in Endpoint if _is_asked(each, mode)],
        hold=_hold(reading),
        letters_held=round(reading.number(names.HELD_DEAD_LETTERS)),
        letters=_letters(reading),
        awaited_schemas=[
            AwaitedSchemas(reason, round(count), schema_advice(fixed.schema_advice.get(reason, "")))
            for (reason,), count in reading.by_labels(names.AWAITED_SCHEMAS).items()
            if count
        ],
        failures=reading.lately(names.FAILURES),
        commits_denied=reading.lately(names.COMMITS, "denied"),
        settings=fixed.settings,
    )


def _partitions(reading: Reading) -> list[Partition]:
    assigned = {
        (topic, int(number))
        for metric in (names.PAUSED, names.OLDEST_UNSETTLED)
        for topic, number in reading.by_labels(metric)
    }
    return [_partition(reading, topic, number) for topic, number in sorted(assigned)]


def _partition(reading: Reading, topic: str, number: int) -> Partition:
    place = (topic, str(number))
    committed, undelivered = reading.value(names.COMMITTED, *place), reading.value(names.UNDELIVERED, *place)
    return Partition(
        topic=topic,
        number=number,
        committed_offset=None if committed is None else round(committed),
        oldest_unsettled_seconds=reading.number(names.OLDEST_UNSETTLED, *place),
        undelivered_records=None if undelivered is None else round(undelivered),
        undelivered_age_seconds=reading.value(names.UNDELIVERED_AGE, *place),
        is_paused=reading.number(names.PAUSED, *place) == 1,
    )


def _outcome(reading: Reading, label: str) -> Outcome:
    lately, seconds = reading.lately(names.EVENTS, label), reading.minute.seconds
    return Outcome(
        outcome=label,
        last_minute=lately,
        per_second=lately / seconds if seconds > 0 else 0.0,
        since_start=round(reading.total(names.EVENTS, label)),
    )


def _quota(reading: Reading) -> Quota:
    remaining = reading.value(names.REMAINING_CALLS)
    return Quota(
        share_per_minute=reading.number(names.QUOTA_SHARE),
        pace_per_minute=reading.number(names.QUOTA_PACE),
        tokens=reading.number(names.TOKENS),
        wait_seconds=reading.value(names.QUOTA_WAIT),
        remaining_calls=None if remaining is None else round(remaining),
        drain_seconds=reading.value(names.DRAIN_FORECAST),
    )


def _is_asked(endpoint: Endpoint, mode: str) -> bool:
    return (endpoint is Endpoint.SEGMENT) == (mode == _PASSTHROUGH)


def _gate(reading: Reading, endpoint: Endpoint, now: float) -> Gate:
    closed = reading.number(names.GATE_CLOSED, endpoint)
    results = reading.minute.counts[names.DELIVERIES.name]
    accepted = sum(results[endpoint.value, each] for each in (names.ACCEPTED, names.PARTLY_ACCEPTED))
    requests = sum(count for (where, _), count in results.items() if where == endpoint)
    return Gate(
        endpoint=endpoint.value,
        closed_seconds=closed,
        closed_until=now + closed if closed else None,
        waiting_operations=round(reading.number(names.WAITING_OPERATIONS, endpoint)),
        accepted=accepted,
        failed=requests - accepted,
    )


def _hold(reading: Reading) -> HoldFacts | None:
    for (reason,) in reading.labels_at_one(names.HOLD):
        return HoldFacts(reason, reading.value(names.HOLD_SINCE), hold_advice(reason))
    return None


def _letters(reading: Reading) -> list[Letters]:
    met = [
        Letters(
            reason=str(reason),
            last_minute=reading.lately(names.DEAD_LETTERS, reason),
            since_start=round(count),
            last_at=reading.value(names.LAST_DEAD_LETTER, reason),
        )
        for (reason,), count in reading.by_labels(names.DEAD_LETTERS).items()
        if count
    ]
    return sorted(met, key=lambda each: each.last_at or 0.0, reverse=True)
