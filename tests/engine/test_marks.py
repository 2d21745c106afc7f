"""What a commit says beyond its offset, and what whoever reads on makes of it."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from streamer.engine.limits import BulkLimits, Limits
from streamer.engine.ports import Batch, CommitResult
from streamer.engine.settled import Settled, encode
from streamer.outcomes import Answer, Endpoint, Fate, SkipReason, Transient, TransientReason
from streamer.records import Mark, MarkIgnored, Record
from tests.engine.fakes import Bench, accept, group, identify, partition, track

SMALL_READS = Limits(poll_records=10)


class Group:
    """A topic of one partition and a consumer group: members come, crash and go, commits stay."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits
        self.records: list[Record] = []
        self.members: list[Bench] = []
        self.topic_id = "Ttt8Jp8dRyKz0kqjTqYB7A"

    def produce(self, calls: Sequence[Any], gap: int = 0) -> None:
        """Append to the log, with this many offsets left out after each record."""
        scribe = Bench(partitions=0).source
        for call in calls:
            offset = self.records[-1].offset + 1 + gap if self.records else 0
            self.records.append(scribe.feed(call, offset=offset))

    def member(
        self, answer: Callable[[Batch], Answer] | None = accept, *, marks: dict[Any, Mark] | None = None
    ) -> Bench:
        """A new process that begins where the last commit says; the one before it is just gone."""
        bench = Bench(limits=self.limits, answer=answer, partitions=0)
        if self.members:
            bench.source.marks = self.members[-1].source.marks
        if marks is not None:
            bench.source.marks = marks
        bench.source.topic_id = self.topic_id
        self.members.append(bench)
        self.give(bench)
        return bench

    def give(self, bench: Bench) -> None:
        """Assign the partition, read from the committed offset."""
        start = bench.source.committed.get(partition(), 0)
        log = bench.source.logs[partition()]
        log.clear()
        log.extend(record for record in self.records if record.offset >= start)
        bench.source._next[partition()] = self.records[-1].offset + 1 if self.records else 0
        bench.source.assign(0)


def nobody_saves(user: str) -> Callable[[Bench], None]:
    """Answer all that is under way, but not what carries this user's upsert."""

    def reply(bench: Bench) -> None:
        for batch in list(bench.sink.under_way):
            if not any(each.external_id == user for each in batch.operations):
                bench.sink.reply(batch, accept(batch))

    return reply


def run(bench: Bench, reply: Callable[[Bench], None], turns: int = 12) -> None:
    """Turns, with answers between them."""
    for _ in range(turns):
        bench.turn()
        reply(bench)


def sent(bench: Bench) -> list[str | None]:
    """Whom everything that this member sent is about, in order."""
    return [each.external_id for batch in bench.sink.sent for each in batch.operations]


def a_slow_one_in_front(limits: Limits | None = None, count: int = 300, gap: int = 0) -> tuple[Group, Bench]:
    """One upsert that Planhat never answers, and so many activities delivered and committed behind it."""
    topic = Group(limits)
    topic.produce([identify("slow"), *(track(f"u-{n}", company=None) for n in range(count))], gap)
    first = topic.member(answer=None)
    run(first, nobody_saves("slow"), 12 + count // 10)
    assert first.told.fates[Fate.DELIVERED] == count
    assert first.source.marks[partition()].offset == 0
    return topic, first


# --- after a crash ----------------------------------------------------------------------------------


@pytest.mark.parametrize("gap", [0, 1, 7])
def test_a_crash_sends_again_only_what_was_not_answered(gap: int) -> None:
    """Hundreds were delivered behind one slow record: whoever reads on sends that one, gaps or not."""
    topic, _ = a_slow_one_in_front(gap=gap)
    second = topic.member()
    second.turn(8)
    assert sent(second) == ["slow"]
    assert second.told.reasons[SkipReason.SETTLED_BEFORE] == 300
    assert second.committed() == topic.records[-1].offset + 1
    assert second.source.marks[partition()].metadata == ""


def test_what_was_not_committed_yet_is_sent_again() -> None:
    """Answered since the last acknowledged commit: Kafka was not told, so nobody else knows."""
    topic, first = a_slow_one_in_front()
    topic.produce([track("late", company=None)])
    first.source.logs[partition()].append(topic.records[-1])
    first.source.commit_script.extend([CommitResult.RETRY] * 50)
    run(first, nobody_saves("slow"))
    second = topic.member()
    second.turn(8)
    assert set(sent(second)) == {"late", "slow"}


def test_what_is_known_survives_a_second_crash() -> None:
    """The next reader crashes before it has read all of it again: its commits pass the rest on."""
    topic, _ = a_slow_one_in_front(SMALL_READS)
    second = topic.member(answer=None)
    run(second, nobody_saves("slow"), 3)
    assert 0 < second.told.reasons[SkipReason.SETTLED_BEFORE] < 100
    third = topic.member()
    third.turn(40)
    assert sent(third) == ["slow"]


def test_the_offset_may_move_up_to_what_is_not_read_again_yet() -> None:
    """All that was read is settled, and what follows was settled before: it is still told, base and all."""
    topic, _ = a_slow_one_in_front(SMALL_READS)
    second = topic.member()
    second.turn(3)
    mark = second.source.marks[partition()]
    assert 0 < mark.offset < 100
    assert mark.metadata
    third = topic.member()
    third.turn(40)
    assert sent(third) == []
    assert third.committed() == 301


def test_a_dead_letter_behind_a_slow_record_is_not_written_twice() -> None:
    """It is settled like any other."""
    topic = Group()
    topic.produce([identify("slow"), b"{broken", group("acme")])
    first = topic.member(answer=None)
    run(first, nobody_saves("slow"))
    assert len(first.dead_letters.produced) == 1
    second = topic.member()
    second.turn(8)
    assert second.dead_letters.produced == []
    assert second.committed() == 3


def test_a_revoke_sends_nothing_again_that_was_delivered() -> None:
    """What goes back unsent holds the offset; what was delivered behind it is told beside it."""
    topic = Group(Limits(bulks={**Limits().bulks, Endpoint.ENDUSERS: BulkLimits(1, 4_096, 0.0, 1)}))
    topic.produce(
        [identify("asked"), identify("unsent"), *(track(f"u-{n}", company=None) for n in range(50))]
    )
    first = topic.member(answer=None)
    run(first, nobody_saves("asked"))
    (asked,) = first.sink.under_way
    first.sink.reply(asked, accept(asked))
    first.source.revoke(0)
    assert first.told.fates == {Fate.DELIVERED: 51, Fate.RELEASED: 1}
    assert first.source.marks[partition()].offset == 1
    second = topic.member()
    second.turn(8)
    assert sent(second) == ["unsent"]


def test_a_shutdown_sends_nothing_again_that_was_delivered() -> None:
    """As a revoke; also where the group is being rebalanced and the last commit needs a second try."""
    topic, first = a_slow_one_in_front(Limits(drain_seconds=20))
    topic.produce([track("late", company=None)])
    first.source.logs[partition()].append(topic.records[-1])
    first.turn(2)
    (late,) = [batch for batch in first.sink.under_way if batch.endpoint is Endpoint.ACTIVITIES]
    first.sink.reply(late, accept(late))
    first.source.commit_script.append(CommitResult.RETRY)
    first.streamer.stop()
    first.streamer.run()
    assert first.told.commits[CommitResult.RETRY] == 1
    second = topic.member()
    second.turn(8)
    assert sent(second) == ["slow"]


def test_a_fenced_last_commit_is_not_called_committed() -> None:
    """The group moved on: its next reader goes by what it was told before."""
    topic, first = a_slow_one_in_front()
    before = first.source.marks[partition()]
    topic.produce([track("late", company=None)])
    first.source.logs[partition()].append(topic.records[-1])
    first.turn(2)
    (late,) = [batch for batch in first.sink.under_way if batch.endpoint is Endpoint.ACTIVITIES]
    first.sink.reply(late, accept(late))
    first.source.commit_script.append(CommitResult.FENCED)
    first.source.revoke(0)
    assert first.told.commits[CommitResult.FENCED] == 1
    assert first.source.marks[partition()] == before


# --- metadata that is not to be trusted ---------------------------------------------------------------


def _changed(mark: Mark) -> Mark:
    return Mark(mark.offset, mark.metadata[:-3] + "abc")


def _cut(mark: Mark) -> Mark:
    return Mark(mark.offset, mark.metadata[:-1])


def _foreign(mark: Mark) -> Mark:
    return Mark(mark.offset, "eAFLTEoGAAJYAQA=")


def _of_the_future(mark: Mark) -> Mark:
    return Mark(mark.offset, mark.metadata.replace("streamer1:", "streamer2:"))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_changed, MarkIgnored.DAMAGED),
        (_cut, MarkIgnored.DAMAGED),
        (_foreign, MarkIgnored.FOREIGN),
        (_of_the_future, MarkIgnored.VERSION),
    ],
)
def test_metadata_that_cannot_be_read_is_ignored(spoil: Callable[[Mark], Mark], reason: MarkIgnored) -> None:
    """Everything is sent again, nothing is skipped, and it is counted why."""
    topic, first = a_slow_one_in_front()
    second = topic.member(marks={partition(): spoil(first.source.marks[partition()])})
    second.turn(8)
    assert len(sent(second)) == 301
    assert second.told.ignored == {reason: 1}
    assert second.committed() == 301


def test_a_group_that_was_moved_reads_what_it_was_moved_to() -> None:
    """Somebody set the offset back and kept the metadata: nothing from there on is skipped."""
    topic = Group()
    topic.produce([identify(f"u-{n}") for n in range(40)])
    first = topic.member(answer=None)
    ahead = encode(Settled(20, (20,), 40), f"{topic.topic_id}:0", 4_000).text
    first.source.marks[partition()] = Mark(10, ahead)
    second = topic.member()
    second.turn(8)
    assert len(sent(second)) == 30
    assert second.told.ignored == {MarkIgnored.OFFSET: 1}


def test_nothing_is_skipped_past_the_end_of_the_log() -> None:
    """The log ends before what the metadata speaks of: those records are others, still to be written."""
    topic = Group()
    topic.produce([identify(f"u-{n}") for n in range(40)])
    ahead = encode(Settled(0, (0,), 1 << 31), f"{topic.topic_id}:0", 4_000).text
    member = topic.member(marks={partition(): Mark(0, ahead)})
    member.turn(8)
    assert len(sent(member)) == 40
    assert member.told.ignored == {MarkIgnored.LOG_END: 1}


def test_a_topic_made_anew_is_read_as_new() -> None:
    """It has the old one's name, as many records and the group's offsets: no record is skipped."""
    topic, _ = a_slow_one_in_front()
    topic.topic_id = "9pxpZ4TqR9q8bW3WmQ2u2w"
    second = topic.member()
    second.turn(8)
    assert len(sent(second)) == 301
    assert second.told.ignored == {MarkIgnored.TOPIC: 1}


def test_a_log_that_begins_before_what_was_committed_is_another() -> None:
    """Made anew after the question which topic it is, before the first record: nothing is skipped."""
    topic, _ = a_slow_one_in_front()
    ahead = encode(Settled(100, (100,), 301), f"{topic.topic_id}:0", 4_000).text
    second = topic.member(marks={partition(): Mark(100, ahead)})
    second.source.logs[partition()].extendleft(reversed(topic.records[:100]))
    second.turn(8)
    assert len(sent(second)) == 301


def test_without_an_answer_about_the_last_commit_all_is_sent_again() -> None:
    """Kafka did not tell in time: nothing is lost, and commits go on without metadata."""
    topic, first = a_slow_one_in_front()
    second = Bench(partitions=0)
    second.source.is_mute = True
    second.source.marks = first.source.marks
    topic.give(second)
    second.turn(8)
    assert len(sent(second)) == 301
    assert second.told.ignored == {MarkIgnored.UNKNOWN: 1}
    assert second.source.marks[partition()] == Mark(301)


def test_a_cluster_that_has_no_topic_ids_gets_no_metadata() -> None:
    """What could not be told apart from another topic's later is not written."""
    topic = Group()
    topic.topic_id = ""
    topic.produce([identify("slow"), track("u-1", company=None)])
    member = topic.member(answer=None)
    run(member, nobody_saves("slow"))
    assert member.told.fates[Fate.DELIVERED] == 1
    assert member.source.marks == {}


def test_what_an_epoch_knew_ends_with_it() -> None:
    """The partition comes back with its offsets reset: what was settled before is sent once more."""
    topic, _ = a_slow_one_in_front()
    second = topic.member()
    second.turn(8)
    second.source.revoke(0)
    second.source.marks[partition()] = Mark(0)
    before = len(sent(second))
    topic.give(second)
    second.turn(8)
    assert len(sent(second)) - before == 301


# --- more than fits -----------------------------------------------------------------------------------


def _patchwork(limits: Limits, count: int) -> tuple[Group, Bench]:
    """About every other record is settled, at random, and the rest waits for Planhat."""
    topic = Group(limits)
    dice = random.Random(count)
    calls = [
        identify(f"slow-{n}") if dice.random() < 0.5 else track(f"u-{n}", company=None) for n in range(count)
    ]
    topic.produce(calls)
    return topic, topic.member(answer=None)


def only_activities(bench: Bench) -> None:
    """Planhat takes activities and answers no upsert."""
    for batch in list(bench.sink.under_way):
        if batch.endpoint is Endpoint.ACTIVITIES:
            bench.sink.reply(batch, accept(batch))


def everything(bench: Bench) -> None:
    """Planhat answers."""
    for batch in list(bench.sink.under_way):
        bench.sink.reply(batch, accept(batch))


def test_above_three_quarters_a_partition_takes_nothing_new_until_it_shrinks() -> None:
    """What is delivered stays told; once upserts are answered, reading goes on."""
    _, member = _patchwork(Limits(metadata_characters=200, poll_records=50), 3_000)
    run(member, only_activities, 60)
    assert member.source.paused == {partition()}
    polled = member.told.reasons["polled"]
    assert polled < 3_000
    assert member.told.last_gauges is not None
    assert 150 < member.told.last_gauges.metadata_characters <= 200
    run(member, everything, 100)
    assert member.source.paused == set()
    assert member.committed() == 3_000


def test_what_was_told_before_is_read_again_however_long_it_is() -> None:
    """Whoever takes over nearly full metadata reads: only that makes it shorter, also once all is settled."""
    topic, member = _patchwork(Limits(metadata_characters=200, poll_records=50), 3_000)
    run(member, only_activities, 60)
    assert member.source.paused == {partition()}
    second = topic.member()
    second.turn(200)
    assert second.committed() == 3_000
    assert second.source.paused == set()


@pytest.mark.parametrize(("topic_id", "is_read_on"), [("Ttt8Jp8dRyKz0kqjTqYB7A", True), ("", False)])
def test_a_slow_one_stops_its_partition_early_only_where_a_crash_would_send_all_again(
    topic_id: str, *, is_read_on: bool
) -> None:
    """Four times high water behind it where commits cannot tell, and on to twenty where they do."""
    topic = Group(Limits(high_water_records=100, poll_records=50))
    topic.topic_id = topic_id
    topic.produce([identify("slow"), *(track(f"u-{n}", company=None) for n in range(3_000))])
    member = topic.member(answer=None)
    run(member, nobody_saves("slow"), 200)
    assert (member.told.fates[Fate.DELIVERED] > 1_900) is is_read_on
    assert member.told.fates[Fate.DELIVERED] < (2_200 if is_read_on else 500)
    assert member.source.paused == {partition()}


def test_with_resend_it_reads_on_and_tells_what_fits() -> None:
    """The front of what is settled is told; a crash sends the rest again and not one record more."""
    topic, member = _patchwork(
        Limits(metadata_characters=200, poll_records=50, pauses_on_overflow=False), 2_000
    )
    run(member, only_activities, 60)
    assert member.source.paused == set()
    assert member.told.last_gauges is not None
    assert member.told.last_gauges.metadata_characters > 200
    delivered = member.told.fates[Fate.DELIVERED]
    second = topic.member()
    second.turn(60)
    kept = second.told.reasons[SkipReason.SETTLED_BEFORE]
    assert 0 < kept < delivered
    assert len(sent(second)) == 2_000 - kept


def test_a_cluster_that_takes_less_gets_less() -> None:
    """Its refusal is no reason to commit nothing: half as much, and half again, then none."""
    _, member = _patchwork(Limits(pauses_on_overflow=False), 2_000)
    member.source.commit_script.extend([CommitResult.TOO_LARGE] * 3)
    run(member, only_activities, 20)
    assert member.told.commits[CommitResult.TOO_LARGE] == 3
    assert 0 < len(member.source.marks[partition()].metadata) <= 500
    member.source.commit_script.extend([CommitResult.TOO_LARGE] * 9)
    run(member, everything, 20)
    assert member.committed() == 2_000


def _companies_alone(batch: Batch) -> Answer:
    is_up = batch.endpoint is Endpoint.COMPANIES
    return accept(batch) if is_up else Transient(TransientReason.CONNECTION)


def test_what_a_record_in_doubt_would_overwrite_goes_again_with_it() -> None:
    """It told of a company and a user; its company is there, and a later one: not to be put over that."""
    topic = Group()
    topic.produce([group("acme", "u-1", plan=1), group("acme", plan=2), screen(), group("globex", plan=3)])
    first = topic.member(answer=_companies_alone)
    first.turn(12)
    assert first.told.fates[Fate.DELIVERED] == 2
    second = topic.member()
    second.turn(8)
    companies = {each.external_id: each.custom for each in second.sink.operations(Endpoint.COMPANIES)}
    assert companies == {"acme": {"plan": 2}}, "what it would not overwrite is not sent again"


def screen() -> dict[str, Any]:
    """A call that is skipped."""
    return {"type": "screen", "messageId": "m", "userId": "u-1", "name": "Home"}
