"""What became of a story's calls: by the group's commits, and by the dead letters. Pure."""

from collections.abc import Mapping

from streamer.app.story.values import Kind, Settling, Story, ToldCall, ToldLetter
from streamer.engine.marks import place_text
from streamer.engine.settled import NOTHING, Settled, decode
from streamer.letters.history import Filed, History
from streamer.records import Found, TopicPartition


def tell_settled(story: Story, commits: Mapping[TopicPartition, Found | None]) -> None:
    """Tell of each call whether the group is finished with it, by its last commits (None: nobody told)."""
    ahead: dict[int, Settled] = {}
    for source, found in commits.items():
        looked_at = story.partitions.get(source.partition)
        if found is None or looked_at is None:
            continue
        looked_at.committed = 0 if found.committed is None else found.committed.offset
        decoded = decode(found, place_text(source, found.topic_id))
        ahead[source.partition] = decoded if isinstance(decoded, Settled) else NOTHING
    for call in story.calls:
        call.settling = _settling(call, story.partitions[call.at.partition].committed, ahead)
    known = [found for found in commits.values() if found is not None]
    if len(known) < len(commits):
        story.unknown.append(f"Of some partitions it was not told what group {story.group} has committed.")
    elif all(found.committed is None for found in known):
        story.unknown.append(
            f"Group {story.group} has committed nothing of {story.topic}: nobody reads it yet, or as another "
            "group (STREAMER_KAFKA_GROUP_ID)."
        )


def _settling(call: ToldCall, committed: int | None, ahead: Mapping[int, Settled]) -> Settling:
    if committed is None:
        return Settling.UNKNOWN
    if call.at.offset < committed:
        return Settling.COMMITTED
    return Settling.AHEAD if ahead[call.at.partition].has(call.at.offset) else Settling.OPEN


def tell_letters(story: Story, history: History) -> None:
    """Add the dead letters of the object, each to its call where that was met."""
    calls = {(call.at.partition, call.at.offset): call for call in story.calls}
    for filed in sorted(history, key=lambda each: each.letter.place):
        record = filed.letter.record
        call = calls.get((record.partition, record.offset)) if record.topic == story.topic else None
        if call is not None and call.at.written_ms != record.timestamp_ms:
            call = None  # the topic was made anew: another record stands there
        if call is None and not _is_of(story, filed):
            continue
        told = _told(filed)
        story.letters.append(told)
        if call is not None:
            call.letter = told


def _is_of(story: Story, filed: Filed) -> bool:
    """Whether a letter whose call was not met is about the object: by the names it bears."""
    record = filed.letter.record
    looked_at = story.partitions.get(record.partition) if record.topic == story.topic else None
    if looked_at is not None and looked_at.read.low <= record.offset < looked_at.read.high:
        # Its call was read, and is about another, unless it came before those that are kept.
        oldest = story.calls[0].at.written_ms if story.count > len(story.calls) else -1
        if record.timestamp_ms >= oldest:
            return False
    if story.wanted.kind is Kind.COMPANY and filed.subject.call != "group":
        return False
    return filed.subject.is_named(story.wanted.name)


def _told(filed: Filed) -> ToldLetter:
    letter = filed.letter
    return ToldLetter(
        letter.id,
        letter.record.partition,
        letter.record.offset,
        letter.written_ms,
        filed.reason,
        filed.detail,
        filed.state,
        filed.attempts,
        filed.subject.call,
    )
