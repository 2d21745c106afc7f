"""A stretch of a live topic, chosen by partition, place or time: read from outside any group."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from streamer.app.building import reader_properties
from streamer.app.interpreting import Interpreter
from streamer.app.verifying import verify_access
from streamer.config import Settings
from streamer.engine.ports import AwaitingSchema
from streamer.errors import InvalidEvent, SourceError, UsageError
from streamer.kafka.topic_reader import Stretch, TopicReader
from streamer.local.transform import Given


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where to begin; the end is what the topic holds when it is looked at."""

    partition: int | None = None
    """This one alone; else all of them."""
    offset: int | None = None
    """From this one; a negative one counts back from the end of each partition."""
    since_ms: int | None = None
    """From what was written then, in milliseconds since 1970."""


def reader_of(settings: Settings, topic: str) -> TopicReader:
    """A reader of one topic: it joins no group and commits nothing."""
    properties = reader_properties(settings)
    return TopicReader(settings.kafka_bootstrap_servers, settings.kafka_group_id, topic, properties)


def chosen(topic: str, reader: TopicReader, beginning: Beginning) -> Mapping[int, Stretch]:
    """What is to be read of each partition. Raises UsageError where it begins nowhere in the topic."""
    held = reader.stretches()
    if beginning.partition is not None:
        if beginning.partition not in held:
            count = len(held)
            raise UsageError(
                f"--partition cannot be {beginning.partition}; {topic} has {count}, from 0 to {count - 1}"
            )
        held = {beginning.partition: held[beginning.partition]}
    if beginning.since_ms is not None:
        return reader.since(held, beginning.since_ms)
    if beginning.offset is None:
        return held
    if beginning.offset < 0:
        return {
            number: Stretch(max(each.low, each.high + beginning.offset), each.high)
            for number, each in held.items()
        }
    return {number: _from(topic, number, each, beginning.offset) for number, each in held.items()}


def _from(topic: str, partition: int, held: Stretch, offset: int) -> Stretch:
    if not held.low <= offset <= held.high:
        held_now = f"holds {held.low} to {held.high - 1} now" if held.low < held.high else "holds nothing now"
        raise UsageError(f"--offset cannot be {offset}; {topic}[{partition}] {held_now}")
    return Stretch(offset, held.high)


def given_events(settings: Settings, topic: str, beginning: Beginning) -> Iterator[Given]:
    """The events of a stretch, up to the end seen at its start.

    Raises SourceError where the topic cannot be read, or the registry does not give a schema.
    """
    verify_access(settings.model_copy(update={"kafka_topic": topic}), "transform")
    with reader_of(settings, topic) as reader, Interpreter(settings) as interpreter:
        for records in reader.read(chosen(topic, reader, beginning)):
            for record in records:
                place = (record.partition, record.offset)
                if record.value is None:
                    yield Given(place=place, is_tombstone=True)
                    continue
                try:
                    found = interpreter.decoded(record.value)
                except InvalidEvent as invalid:
                    yield Given(problem=invalid, place=place)
                    continue
                if isinstance(found, AwaitingSchema):
                    raise SourceError(
                        f"the schema registry does not give schema {found.schema_id}, which wrote "
                        f"{topic}[{record.partition}]@{record.offset}. Nothing was changed. To do: bring the "
                        "registry back, or correct STREAMER_SCHEMA_REGISTRY_URL."
                    )
                yield Given(found.value, place=place)
