"""What of a topic is about an object, and what is kept of it."""

import random

import pytest

from streamer.app.story import collecting
from streamer.app.story.collecting import MOST_CALLS, Collector
from streamer.app.story.values import Kind, Outcome, Story, Wanted
from streamer.engine.interpret import Interpreted
from streamer.outcomes import CallType, InvalidReason, SkipReason
from streamer.transform import Rules
from streamer.transform.operations import DeleteEnduser, Operation, UpsertEnduser
from tests.story.stories import (
    COMPANY,
    EMAIL,
    USER,
    Event,
    group,
    identify,
    record,
    story_of,
    story_of_records,
    track,
)


def test_calls_are_found_by_what_they_ask_for() -> None:
    """Identify, track and group calls about the user are its story; other users' calls are not."""
    story = story_of(USER, identify(), identify("u-2"), track(), group("acme", "u-1"), group("acme", "u-2"))

    assert [call.at.offset for call in story.calls] == [0, 2, 3]
    assert [call.type for call in story.calls] == ["identify", "track", "group"]
    assert [len(call.operations) for call in story.calls] == [1, 1, 1]  # of the group call the enduser alone
    assert story.outcomes == {"operations": 3}


@pytest.mark.parametrize(
    "event",
    [
        identify(None, id="u-1") | {"integrations": {"All": False}},
        track("u-1") | {"integrations": {"All": False}},
        {"type": "alias", "userId": "u-9", "previousId": "u-1"},
        track("u-1", event=""),
        {"type": "group", "userId": "u-1"},
        {"type": "screen", "userId": "u-1"},
    ],
)
def test_calls_that_ask_for_nothing_are_found_by_their_ids(event: Event) -> None:
    """Skipped and invalid calls are part of the story, by the ids that they name."""
    story = story_of(USER, event)
    assert [call.outcome for call in story.calls] in ([Outcome.SKIPPED], [Outcome.INVALID])
    assert not story_of(Wanted(Kind.USER, "u-2"), event).calls


def test_an_anonymous_id_is_found() -> None:
    """Who was never identified is known by the anonymous id: those calls are skipped, and it is told."""
    story = story_of(Wanted(Kind.USER, "a-1"), track(None), identify(None))
    assert [call.skipped for call in story.calls] == [SkipReason.ANONYMOUS] * 2


def test_numbers_are_ids() -> None:
    """A user id that is a number is the same as its text."""
    story = story_of(Wanted(Kind.USER, "42"), track("u-1") | {"userId": 42})
    assert story.count == 1
    skipped = track("u-1") | {"userId": 42, "integrations": {"All": False}}
    assert story_of(Wanted(Kind.USER, "42"), skipped).count == 1


def test_an_address_is_found_in_any_case() -> None:
    """An e-mail address is found whatever its case; so are calls that were skipped, and the ids beside it."""
    story = story_of(
        EMAIL,
        identify("u-7", email="u-1@ACME.example"),
        track("u-7"),
        identify(None, email="u-1@acme.example") | {"integrations": {"All": False}},
    )
    assert [call.at.offset for call in story.calls] == [0, 2]
    assert story.other_ids == {"u-7"}


def test_a_mention_is_no_call_about_it() -> None:
    """An invitation names somebody else's address: it is a call about the one who invites."""
    assert story_of(EMAIL, track("u-5", email="u-1@acme.example")).count == 0


def test_a_company_is_found_and_so_is_who_names_it() -> None:
    """Group calls are the company's story; calls of users that name it are counted."""
    refused = group("acme") | {"integrations": {"All": False}}
    story = story_of(COMPANY, group("acme", "u-1"), identify("u-1", "acme"), identify("u-2", "b"), refused)

    assert [call.at.offset for call in story.calls] == [0, 3]
    assert story.named_by == 1  # the group call makes it, though its user is put there, too
    assert story.grouped == frozenset({"acme"})


def test_what_cannot_be_read_is_known_by_its_key() -> None:
    """A damaged record, and one without a value, are told where their key is the object's id."""
    records = [
        record(0, b"\xffnonsense", key=b"u-1"),
        record(1, None, key=b"u-1"),
        record(2, b"\xffnonsense", key=b"u-2"),
        record(3, None, key=None),
        record(4, b"\xffnonsense", key=b"\xff"),
    ]
    story = story_of_records(USER, records)
    assert [(call.invalid, call.skipped) for call in story.calls] == [
        (InvalidReason.NOT_AVRO, None),
        (None, SkipReason.TOMBSTONE),
    ]


def test_the_story_is_in_the_order_of_writing() -> None:
    """Whichever partition is read first: calls are in order, later fields win, partitions are noted."""
    records = [
        record(5, identify("u-1", "late", plan="last"), partition=1, key=None),
        record(1, identify("u-1", "early", plan="first", seats=1), partition=0),
        record(3, identify("u-1", plan="middle"), partition=0),
    ]
    for _ in range(5):
        story = story_of_records(USER, records)
        assert [str(call.at) for call in story.calls] == ["0@1", "0@3", "1@5"]
        assert story.fields == {"externalId": "u-1", "custom.plan": "last", "custom.seats": 1}
        assert story.company == "late"
        assert (story.seen_on, story.null_keys) == ({0, 1}, 1)
        random.shuffle(records)


def test_a_deletion_ends_what_was_said() -> None:
    """What was said before a deletion is gone, whichever is read first; what comes after it counts."""
    story = Story(USER, "segment.events", "planhat-streamer", since_ms=0)
    collector = Collector(story)
    upserts = [
        UpsertEnduser("u-1", None, None, {}, {name: 1}, fallback_company="acme")
        for name in ("before", "after")
    ]
    told: list[tuple[int, Operation]] = [(3, upserts[1]), (1, upserts[0]), (2, DeleteEnduser("u-1", None))]
    for offset, operation in told:
        lying = record(offset, None)
        collector.add(lying, {}, Interpreted(CallType.IDENTIFY, operations=(operation,)))
    collector.finish()
    assert story.fields == {"externalId": "u-1", "custom.after": 1}
    assert story.company == "acme"


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many calls the latest are kept, and all are counted; too many companies are said to be unknown."""
    monkeypatch.setattr(collecting, "MOST_COMPANIES", 3)
    many = MOST_CALLS + 50
    story = story_of(USER, *[track()] * many, *[group(f"co-{number}") for number in range(5)])

    assert (story.count, story.outcomes["operations"]) == (many, many)
    assert [call.at.offset for call in story.calls] == list(range(50, many))
    assert story.grouped is None


def test_a_copy_is_told() -> None:
    """A call with type and messageId of an earlier one is a copy of it; another type's is not."""
    event = track() | {"messageId": "m-1"}
    story = story_of(USER, event, event, identify() | {"messageId": "m-1"})
    assert [None if call.copy_of is None else str(call.copy_of) for call in story.calls] == [
        None,
        "0@0",
        None,
    ]


def test_a_type_with_capitals_is_the_type() -> None:
    """RudderStack's `Group` makes a company, copies the call spelt otherwise, and is told as a group."""
    event = group("acme", "u-1") | {"messageId": "m-1"}
    story = story_of(USER, event, event | {"type": "Group"})
    assert story.grouped == frozenset({"acme"})
    assert [call.type for call in story.calls] == ["group", "group"]
    assert story.calls[1].copy_of == story.calls[0].at

    unsent = {"type": "Group", "userId": "u-9", "groupId": "acme", "integrations": {"All": False}}
    assert story_of(USER, unsent | {"traits": {"id": "u-1"}}).count == 0  # its traits are the company's
    assert story_of(USER, {"type": "Group chat", "userId": "u-1"}).calls[0].type == "Group chat"


def test_the_rules_in_force_decide() -> None:
    """The story is told by the rules of now."""
    refusing = track() | {"context": {"consent": {"categoryPreferences": {"crm": False}}}}
    told = story_of_records(USER, [record(0, refusing)], Rules(consent_categories=frozenset({"crm"})))
    assert told.calls[0].skipped is SkipReason.CONSENT
    assert told.outcomes == {"skipped: consent": 1}
