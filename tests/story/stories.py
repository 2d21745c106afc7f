"""Stories of events in memory."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from streamer.app.story.collecting import Collector
from streamer.app.story.repeating import tell_repeating
from streamer.app.story.values import Kind, Look, Partition, Present, Settling, Story, ToldLetter, Wanted
from streamer.avro.decoder import Decoder
from streamer.avro.schemas import load_schemas
from streamer.engine.interpret import Interpreted, interpret
from streamer.engine.ports import Decoded
from streamer.errors import InvalidEvent
from streamer.kafka.topic_reader import Stretch
from streamer.letters.history import State
from streamer.letters.letter import LetterId
from streamer.records import Record
from streamer.transform import Rules

USER = Wanted(Kind.USER, "u-1")
EMAIL = Wanted(Kind.EMAIL, "U-1@acme.example")
COMPANY = Wanted(Kind.COMPANY, "acme")
UNCHANGED_SECONDS = 3.0
"""A record is written a second after the one before it: of four in a row the last comes too late."""
_DECODER = Decoder(load_schemas())

Event = Mapping[str, Any] | bytes | None
"""An event, bytes that are none, or a record without a value."""


def identify(user: str | None = "u-1", company: str | None = None, **traits: Any) -> dict[str, Any]:
    """An identify call; without a user it is anonymous."""
    event: dict[str, Any] = {"type": "identify", "anonymousId": "a-1", "userId": user, "traits": traits}
    return event if company is None else {**event, "context": {"groupId": company}}


def group(company: str = "acme", user: str | None = None, **traits: Any) -> dict[str, Any]:
    """A group call, of nobody unless a user is given."""
    return {"type": "group", "anonymousId": "a-9", "userId": user, "groupId": company, "traits": traits}


def track(user: str | None = "u-1", event: str = "Opened", **properties: Any) -> dict[str, Any]:
    """A track call."""
    return {"type": "track", "anonymousId": "a-1", "userId": user, "event": event, "properties": properties}


def record(offset: int, event: Event, *, partition: int = 0, key: bytes | None = b"k") -> Record:
    """The event as it lies in a topic; written a second after the one before it."""
    value = event if event is None or isinstance(event, bytes) else json.dumps(event).encode()
    return Record("segment.events", partition, offset, 1_000 * offset + partition, key, value)


def interpreted(lying: Record, rules: Rules) -> tuple[object, Interpreted | None]:
    """What it says and what it asks for."""
    found = interpret(lying, _DECODER, rules)
    assert isinstance(found, Interpreted)
    try:
        decoded = _DECODER.decode(lying.value or b"")
    except InvalidEvent:
        return None, found
    assert isinstance(decoded, Decoded)
    return decoded.value, found


def story_of_records(wanted: Wanted, records: Sequence[Record], rules: Rules | None = None) -> Story:
    """The story of these records, in the order in which they are read."""
    story = Story(
        wanted, "segment.events", "planhat-streamer", since_ms=0, unchanged_seconds=UNCHANGED_SECONDS
    )
    collector = Collector(story)
    for lying in records:
        collector.add(lying, *interpreted(lying, rules or Rules()))
    collector.finish()
    tell_repeating(story)
    for number in {lying.partition for lying in records}:
        story.partitions[number] = Partition(Stretch(0, len(records)), Stretch(0, len(records)))
    return story


def story_of(wanted: Wanted, *events: Event, settling: Settling = Settling.COMMITTED) -> Story:
    """The story of these events in one partition, all of them in the same state."""
    story = story_of_records(wanted, [record(offset, event) for offset, event in enumerate(events)])
    for call in story.calls:
        call.settling = settling
    return story


def letter_of(story: Story, number: int, state: State = State.OPEN) -> None:
    """Make a dead letter of one of its calls."""
    call = story.calls[number]
    told = ToldLetter(
        LetterId(0, 17), call.at.partition, call.at.offset, 5, "refused", "", state, 0, call.type
    )
    call.letter = told
    story.letters.append(told)


def found(**fields: Any) -> Present:
    """Planhat's record."""
    return Present(Look.FOUND, fields)


ABSENT = Present(Look.ABSENT)
