"""A member is killed with one record stuck in front and hundreds delivered behind it: the next one knows."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec
import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition

from streamer.outcomes import CallType, Fate
from streamer.standins.expectations import Expectation
from streamer.standins.planhat.child import SandboxProcess
from streamer.standins.planhat.faults import Fault, FaultKind, ItemMatch
from tests.real_kafka.member import Member, wait_until
from tests.real_kafka.pipeline import Pipeline

pytestmark = pytest.mark.real_kafka

USERS: Final = 20
ACTIVITIES: Final = 400
STUCK: Final = Fault(
    kind=FaultKind.STATUS,
    endpoint="endusers",
    items=ItemMatch("externalId", frozenset({"stuck"})),
    times=None,
)
"""Whatever holds this user's upsert is answered 503, for as long as it lasts."""


def _produce(pipeline: Pipeline, calls: Iterable[dict[str, Any]]) -> None:
    for call in calls:
        kind = CallType(call["type"])
        pipeline.produce(b"key", msgspec.json.encode(call), Expectation(kind, Fate.DELIVERED))
    pipeline.feed([])  # waits for the acknowledgements


def _identify(user: str) -> dict[str, Any]:
    traits = {"name": user, "email": f"{user}@acme.example"}
    return {"type": "identify", "userId": user, "traits": traits, "context": {"groupId": "acme"}}


def _tracks(name: str, count: int) -> list[dict[str, Any]]:
    return [
        {"type": "track", "userId": f"u-{n % USERS}", "event": "Signed In", "messageId": f"{name}-{n}"}
        for n in range(count)
    ]


def _group_of(pipeline: Pipeline) -> None:
    """A company and its users, delivered and committed."""
    _produce(pipeline, [{"type": "group", "userId": "u-0", "groupId": "acme", "traits": {"name": "Acme"}}])
    _produce(pipeline, [_identify(f"u-{n}") for n in range(USERS)])
    pipeline.wait_until_committed()


def _arrived(sandbox: SandboxProcess) -> Counter[str]:
    """How often each activity arrived, by its messageId."""
    return Counter(str(row.info["messageId"]) for row in sandbox.activities() if isinstance(row.info, dict))


def _mark(pipeline: Pipeline) -> TopicPartition:
    """What the group committed, as Kafka's own tools read it."""
    asked = ConsumerGroupTopicPartitions(pipeline.group, [TopicPartition(pipeline.topic, 0)])
    admin = pipeline.kafka.admin()  # kept until it has answered
    found = admin.list_consumer_group_offsets([asked])[pipeline.group].result(10)
    mark: TopicPartition = found.topic_partitions[0]
    return mark


def _killed_with_one_stuck(pipeline: Pipeline, sandbox: SandboxProcess) -> TopicPartition:
    """The mark that a killed member left: one record unsettled, hundreds settled behind it."""
    first = pipeline.member("first").wait_until_ready()
    _group_of(pipeline)
    sandbox.add_faults(STUCK)
    before = pipeline.committed()[0]
    _produce(pipeline, [_identify("stuck"), *_tracks("old", ACTIVITIES)])
    wait_until(lambda: len(_arrived(sandbox)) == ACTIVITIES, 30, f"activities arrive\n{first.tail()}")
    # Twice the interval of commits: then the last answer is committed, too.
    wait_until(lambda: _is_still(first), 20, f"commits end\n{first.tail()}")
    first.kill()
    mark = _mark(pipeline)
    assert mark.offset == before
    assert 0 < len(mark.metadata or "") <= 4_096
    return mark


def _is_still(member: Member) -> bool:
    """Whether only the stuck one is in flight, and nothing was committed for a second."""
    scrape = member.scrape()
    now, last = (
        scrape.total("streamer_last_poll_timestamp_seconds"),
        scrape.total("streamer_last_commit_timestamp_seconds"),
    )
    return scrape.total("streamer_in_flight_records") == 1 and now - last > 1


def test_a_killed_members_deliveries_are_not_repeated(
    piped: Callable[..., Pipeline], sandbox: SandboxProcess, show: Callable[[str], None]
) -> None:
    """SIGKILL, one stuck record in front: of 401 records the next member sends that one."""
    pipeline = piped(partitions=1, session_timeout_seconds="6")
    mark = _killed_with_one_stuck(pipeline, sandbox)
    sandbox.clear_faults()
    second = pipeline.member("second").wait_until_ready()
    pipeline.wait_until_committed(60, second)
    assert set(_arrived(sandbox).values()) == {1}, "an activity came twice"
    assert "stuck" in {each.external_id for each in sandbox.endusers()}
    assert sum(each.operations for each in second.requests()) == 1
    skips = second.scrape().by("streamer_skips_total", "reason")
    assert skips["settled_before"] == ACTIVITIES
    assert not _mark(pipeline).metadata
    size = len(mark.metadata or "")
    show(f"killed with 1 of {ACTIVITIES + 1} unsettled: metadata of {size} characters, 1 sent again")


def test_a_topic_made_anew_is_not_taken_for_the_old_one(
    piped: Callable[..., Pipeline], sandbox: SandboxProcess
) -> None:
    """Deleted and created again under its name, offsets and metadata put back: nothing is skipped."""
    pipeline = piped(partitions=1, session_timeout_seconds="6")
    mark = _killed_with_one_stuck(pipeline, sandbox)
    sandbox.clear_faults()
    kafka = pipeline.kafka
    wait_until(lambda: not pipeline.assignment(), 30, "the dead member is missed")
    admin = kafka.admin()
    admin.delete_topics([pipeline.topic])[pipeline.topic].result(30)
    wait_until(lambda: pipeline.topic not in admin.list_topics(timeout=10).topics, 30, "it is gone")
    kafka.create_topic_named(pipeline.topic, 1)
    count = USERS + 2 + ACTIVITIES + 50
    pipeline.expected.ends.clear()
    _produce(pipeline, _tracks("new", count))
    tool = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": pipeline.group})
    tool.commit(offsets=[TopicPartition(pipeline.topic, 0, mark.offset, metadata=mark.metadata or "")],
                asynchronous=False)  # fmt: skip
    tool.close()
    second = pipeline.member("second").wait_until_ready()
    wait_until(lambda: pipeline.committed().get(0) == count, 60, f"all is committed\n{second.tail()}")
    arrived = _arrived(sandbox)
    assert [n for n in range(mark.offset, count) if arrived[f"new-{n}"] != 1] == []
    ignored = second.scrape().by("streamer_commit_metadata_ignored_total", "reason")
    assert {reason: number for reason, number in ignored.items() if number} == {"topic": 1}
