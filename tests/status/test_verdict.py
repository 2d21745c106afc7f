"""The first line: whether all is well, in a sentence, and if not what is wrong and what to do."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from streamer.status.facts import AwaitedSchemas, Facts, HoldFacts, Letters
from streamer.status.gathering import facts_of
from streamer.status.reading import Reading
from streamer.status.spans import counted, listed, moment, number, span
from streamer.status.verdict import (
    DRAIN_SECONDS,
    LATE_SECONDS,
    LETTERS_COUNT,
    LETTERS_RATIO,
    OLDEST_SECONDS,
    OPENING,
    OUTSIDE_SECONDS,
    RETENTION_RATIO,
    SILENT_SECONDS,
    Level,
    verdicts,
)
from tests.status.states import FIXED, STATES, Scene, healthy
from tools import alerts

ROOT = Path(__file__).resolve().parent.parent.parent


def facts(scene: Scene | None = None) -> Facts:
    """What there is to tell of a scene; of a healthy one without another."""
    scene = scene or healthy()
    return facts_of(Reading(scene.metrics), FIXED, scene.now)


WELL = facts()
FIRST = WELL.partitions[0]
GATE = WELL.gates[0]
assert WELL.quota is not None
QUOTA = WELL.quota


def aged(seconds: float, in_flight: float = 0.0) -> Facts:
    """The first partition's oldest record is so old, and was read so long ago."""
    first = replace(FIRST, undelivered_age_seconds=seconds, oldest_unsettled_seconds=in_flight)
    return replace(WELL, partitions=[first, *WELL.partitions[1:]])


HOLD = HoldFacts("dead_letters", WELL.now - 90, "nothing is sent and nothing is lost; mend the producer")
CASES: Mapping[str, tuple[Facts, Level, str, str]] = {
    "well": (WELL, Level.WELL, "10 events a second are delivered, and the oldest of 157 records", ""),
    "idle": (
        replace(WELL, partitions=[replace(FIRST, undelivered_records=0)]),
        Level.WELL,
        "and nothing waits",
        "",
    ),
    "standing by": (replace(WELL, partitions=[]), Level.WELL, "it stands by", ""),
    "stuck": (
        replace(WELL, last_poll_at=WELL.now - 180),
        Level.ACT,
        "it is stuck: it last polled 3 min ago",
        "owner_stuck",
    ),
    "on hold": (
        replace(WELL, hold=HOLD),
        Level.ACT,
        "it is on hold (dead_letters) since 2026-",
        "mend the producer",
    ),
    "losing": (
        replace(aged(800), retention_seconds={FIRST.topic: 1200.0}),
        Level.ACT,
        "has used up 67% of the time",
        "Let Kafka keep the topic for longer",
    ),
    "denied": (replace(WELL, commits_denied=1), Level.ACT, "does not let it commit", "READ on the group"),
    "kafka silent": (
        replace(WELL, log_ends_at=WELL.now - 300),
        Level.ACT,
        "not told for 5 min",
        "its leader",
    ),
    "in flight for long": (aged(700, 660), Level.ACT, "partition 0 is in flight for 11 min", "log's next"),
    "own failures": (replace(WELL, failures=2), Level.LOOK, "failed on 2 events", "record_failed"),
    "letters": (
        replace(WELL, letters=[Letters("not_avro", 30, 30, WELL.now)]),
        Level.LOOK,
        "5% of the events",
        "can be replayed",
    ),
    "too slow": (
        replace(aged(3600), quota=replace(QUOTA, drain_seconds=30_000.0)),
        Level.LOOK,
        "it is 1 h behind, and needs 8 h 20 min more by the quota",
        "while Kafka keeps",
    ),
    "starting": (replace(WELL, has_reported=False, partitions=[]), Level.WAIT, "it is starting", ""),
    "joining": (
        replace(WELL, is_member=False, started_at=WELL.now - 5),
        Level.WAIT,
        "it is joining the group planhat-streamer",
        "",
    ),
    "no member": (
        replace(WELL, is_member=False, outside_since=WELL.now - 200),
        Level.WAIT,
        "not a settled member",
        "more than 5 min",
    ),
    "outside": (
        replace(WELL, is_member=False, outside_since=WELL.now - 420),
        Level.ACT,
        "no settled member of the group planhat-streamer for 7 min",
        "every broker can be reached",
    ),
    "schemas": (
        replace(WELL, awaited_schemas=[AwaitedSchemas("timeout", 2, "its partitions wait")]),
        Level.WAIT,
        "records wait for 2 schemas",
        "timeout: its partitions wait",
    ),
    "planhat away": (
        replace(WELL, gates=[replace(GATE, closed_seconds=42, closed_until=WELL.now + 42, failed=3)]),
        Level.WAIT,
        "Planhat accepts no companies; it is asked again by 2026-",
        "goes on by itself",
    ),
    "planhat being asked again": (
        replace(WELL, gates=[replace(GATE, failed=1, waiting_operations=9)]),
        Level.WAIT,
        "Planhat accepts no companies; it is being asked again",
        "goes on by itself",
    ),
    "planhat throttles": (
        replace(
            WELL, gates=[replace(GATE, closed_seconds=2, closed_until=WELL.now + 2, failed=3, accepted=3)]
        ),
        Level.WAIT,
        "Planhat refuses some requests for companies",
        "goes on by itself",
    ),
    "behind": (
        aged(3600),
        Level.WAIT,
        "it is 1 h behind with 157 records, which the quota allows",
        "Lag grows",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_first_line_says_what_is_wrong(case: str) -> None:
    """Each trouble has its level, its sentence and its advice; alone it is all that is said."""
    told, level, what, advice = CASES[case]
    (verdict,) = verdicts(told)

    assert verdict.level is level
    assert verdict.sentence.startswith(f"{OPENING[level]}: ")
    assert what in verdict.sentence
    assert advice in verdict.advice
    assert bool(verdict.advice) or level is Level.WELL or case in {"starting", "joining"}


@pytest.mark.parametrize("case", CASES)
def test_just_short_of_a_threshold_all_is_well(case: str) -> None:
    """What has a threshold is told beyond it and not at it."""
    at_it = {
        "stuck": replace(WELL, last_poll_at=WELL.now - WELL.stuck_seconds),
        "losing": replace(aged(800), retention_seconds={FIRST.topic: 1600.0}),
        "kafka silent": replace(WELL, log_ends_at=WELL.now - SILENT_SECONDS),
        "in flight for long": aged(OLDEST_SECONDS, OLDEST_SECONDS),
        "letters": replace(WELL, letters=[Letters("not_avro", 9, 9, WELL.now)]),
        "behind": aged(LATE_SECONDS),
        "too slow": replace(aged(LATE_SECONDS), quota=replace(QUOTA, drain_seconds=30_000.0)),
        "planhat being asked again": replace(WELL, gates=[replace(GATE, failed=1, waiting_operations=0)]),
        "planhat throttles": replace(WELL, gates=[replace(GATE, failed=3, accepted=3, waiting_operations=9)]),
    }
    assert [each.level for each in verdicts(at_it.get(case, WELL))] == [Level.WELL]


def test_a_few_letters_among_many_events_are_none() -> None:
    """Ten of a thousand are no more than a source that always has a few."""
    outcomes = [replace(each, last_minute=1000) for each in WELL.outcomes]
    several = replace(WELL, letters=[Letters("not_avro", 40, 40, WELL.now)], outcomes=outcomes)
    assert verdicts(several)[0].level is Level.WELL


@pytest.mark.parametrize(("count", "level"), [(LETTERS_COUNT - 1, Level.WELL), (LETTERS_COUNT, Level.LOOK)])
def test_the_share_of_letters_is_one_of_what_was_finished_with(count: int, level: Level) -> None:
    """A few are none, even where there is nothing else; what was given back to Kafka is not finished with."""
    counts = {"delivered": 0, "skipped": 0, "dead_lettered": count, "released": 10_000}
    outcomes = [replace(each, last_minute=counts[each.outcome]) for each in WELL.outcomes]
    bad = replace(WELL, letters=[Letters("not_avro", count, count, WELL.now)], outcomes=outcomes)

    assert [each.level for each in verdicts(bad)] == [level]
    assert "100% of the events" in verdicts(bad)[0].sentence or level is Level.WELL


def test_a_member_is_outside_for_long_after_the_longest_that_is_normal() -> None:
    """Not before what the alert waits for, nor before a session may end, where that takes longer."""

    def level(outside_for: float, session_seconds: float) -> Level:
        outside = replace(WELL, is_member=False, outside_since=WELL.now - outside_for)
        (verdict,) = verdicts(replace(outside, session_seconds=session_seconds))
        return verdict.level

    assert [level(OUTSIDE_SECONDS, 45), level(OUTSIDE_SECONDS + 1, 45)] == [Level.WAIT, Level.ACT]
    assert [level(600, 600), level(601, 600)] == [Level.WAIT, Level.ACT]


def test_who_is_stuck_is_not_called_starting() -> None:
    """It never told its state, and never will."""
    told = verdicts(replace(CASES["stuck"][0], has_reported=False))
    assert [each.level for each in told] == [Level.ACT]


def test_the_most_pressing_comes_first() -> None:
    """A person who is needed now is told so before what passes by itself; the rest is told as well."""
    both = replace(CASES["planhat away"][0], failures=1, commits_denied=1)
    assert [each.level for each in verdicts(both)] == [Level.ACT, Level.LOOK, Level.WAIT]


def test_on_hold_nothing_is_said_that_follows_from_it() -> None:
    """That nothing is delivered while nothing is sent is no news."""
    old = aged(4000, 4000)
    away = [replace(GATE, closed_seconds=42, closed_until=WELL.now + 42)]
    slow = replace(QUOTA, drain_seconds=2 * DRAIN_SECONDS)
    assert len(verdicts(replace(old, hold=HOLD, gates=away, quota=slow))) == 1


@pytest.mark.parametrize("state", STATES)
def test_a_scene_has_its_level(state: str) -> None:
    """From what the engine told to the first line."""
    levels = {
        "healthy": Level.WELL,
        "on_hold": Level.ACT,
        "gate_closed": Level.WAIT,
        "no_assignment": Level.WELL,
        "letters": Level.LOOK,
    }
    assert verdicts(facts(STATES[state]()))[0].level is levels[state]


def test_before_the_first_report_it_is_starting() -> None:
    """What is not known yet is not told as if it were well."""
    (verdict,) = verdicts(facts(Scene()))
    assert "it is starting" in verdict.sentence


def test_the_thresholds_are_those_of_the_alerts() -> None:
    """The page and the pager speak of the same numbers."""
    rules = {rule["labels"].get("reason", rule["alert"]): rule["expr"] for rule in alerts.alerts()}

    def numbers(reason: str) -> set[float]:
        return {float(text) for text in re.findall(r">=? ([\d.]+)", rules[reason])}

    assert SILENT_SECONDS in numbers("kafka_silent")
    assert OLDEST_SECONDS in numbers("age")
    (waits,) = (each["for"] for each in alerts.alerts() if each["labels"].get("reason") == "not_a_member")
    assert f"{OUTSIDE_SECONDS / 60:g}m" == waits
    assert RETENTION_RATIO in numbers("retention")
    assert {LATE_SECONDS, DRAIN_SECONDS} <= numbers("forecast")
    assert {LETTERS_RATIO, LETTERS_COUNT} <= numbers("share")


def test_the_pages_it_sends_to_are_there() -> None:
    """Each runbook and page that an advice names exists."""
    source = (ROOT / "streamer/status/verdict.py").read_text(encoding="utf-8")
    source += (ROOT / "streamer/status/page.py").read_text(encoding="utf-8")
    named = {f"docs/runbooks/{name}.md" for name in re.findall(r"_runbook\('(\w+)'\)", source)}
    named |= set(re.findall(r"docs/[\w-]+\.md", source))

    assert len(named) >= 8
    assert [name for name in named if not (ROOT / name).exists()] == []
    assert "## Lag grows" in (ROOT / "docs/operations.md").read_text(encoding="utf-8")


def test_durations_and_numbers_are_read_by_people() -> None:
    """Two units at most; commas; the singular of one."""
    shown = [span(each) for each in (-1, 0.44, 12.4, 59.6, 60, 185, 3600, 7860, 90_000, 172_800)]
    assert shown == [
        "0.0 s",
        "0.4 s",
        "12 s",
        "1 min",
        "1 min",
        "3 min 5 s",
        "1 h",
        "2 h 11 min",
        "1 d 1 h",
        "2 d",
    ]
    assert [number(each) for each in (0, 1234567, 1.25, 0.031, 1234.4)] == [
        "0",
        "1,234,567",
        "1.2",
        "0.03",
        "1,234",
    ]
    assert [counted(1, "record"), counted(1200, "record")] == ["1 record", "1,200 records"]
    assert [listed([]), listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
    assert moment(0) == "1970-01-01 00:00:00 UTC"
