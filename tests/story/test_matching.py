"""The sieve before the story: it passes nothing over that belongs to it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.app.story.collecting import Collector
from streamer.app.story.matching import Sieve
from streamer.app.story.values import Kind, Story, Wanted
from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.errors import InvalidEvent
from streamer.records import Record
from streamer.transform import Rules
from tests.events.strategies import events, unhurried
from tests.story.stories import group, identify, interpreted, record, track

_encode = Encoder(load_schemas()).encode


def values_of(event: dict[str, Any]) -> list[bytes]:
    """The event in each framing that takes it."""
    found = [
        json.dumps(event, ensure_ascii=ascii_only).encode("utf-8", "replace") for ascii_only in (True, False)
    ]
    try:
        found.append(_encode(event))
    except (InvalidEvent, UnicodeError):
        return found
    return found


def story_of(wanted: Wanted, lying: Record, sieve: Sieve | None) -> Story:
    """What one record adds to a story, with and without a sieve before it."""
    story = Story(wanted, "segment.events", "planhat-streamer", since_ms=0)
    collector = Collector(story)
    value, found = interpreted(lying, Rules())
    if sieve is None or sieve.lets_through(lying, value):
        collector.add(lying, value, found)
    else:
        story.records += 1
    collector.finish()
    return story


@unhurried
@given(
    events,
    st.sampled_from(
        [
            *(Wanted(Kind.USER, name) for name in ("u-1", "a@b.co", "42", "1.5")),
            *(Wanted(Kind.EMAIL, name) for name in ("A@b.co", "a+b@b.co")),
            *(Wanted(Kind.COMPANY, name) for name in ("acme", "7")),
        ]
    ),
)
def test_nothing_of_a_story_is_passed_over(event: dict[str, Any], wanted: Wanted) -> None:
    """Whatever an event is and however it is framed: with the sieve and without, the story is the same."""
    for value in values_of(event):
        lying = Record("segment.events", 0, 1, 5, None, value)
        assert story_of(wanted, lying, Sieve(wanted)) == story_of(wanted, lying, None)


def test_other_peoples_records_are_passed_over() -> None:
    """It is worth its while: what names somebody else alone is not interpreted, group calls always are."""
    sieve = Sieve(Wanted(Kind.USER, "u-1"))

    def passes(event: dict[str, Any], key: bytes | None = None) -> bool:
        return sieve.lets_through(record(0, event, key=key), event)

    assert passes(identify("u-1"))
    assert passes(track("U-1"))
    assert passes(track("u-2"), key=b"u-1")
    assert passes(group("co-9"))
    assert passes(group("co-9") | {"type": "Group"})
    assert not passes(identify("u-2"))
    assert not passes(track("u-2"), key=b"u-2")


@pytest.mark.parametrize(
    "name",
    [
        "42",
        "0b7e1c9a-4f2d-4c61-9a55-3d1f0e8b7a21",
        "abcdefabcdefabcdefabcdefabcdefab",
        "a/b",
        "é",
        "a+b@c.de",
    ],
)
def test_names_that_have_many_spellings_are_not_sieved(name: str) -> None:
    """Numbers, UUIDs, and what JSON may escape could stand there in another form: everything is looked at."""
    assert Sieve(Wanted(Kind.USER, name)).lets_through(record(0, track("u-2")), track("u-2"))
