"""Which calls say nothing new, and which are overtaken: as far as calls alone tell."""

from collections.abc import Sequence

import pytest

from streamer.app.story.repeating import tell_repeating
from streamer.app.story.values import Present, Story
from streamer.app.story.verdict import verdict
from streamer.cli.story_tables import print_story, story_json
from streamer.mapping.reading import read_mapping
from streamer.transform import Rules
from streamer.transform.choices import Companies, Deletion
from tests.story.stories import (
    ABSENT,
    COMPANY,
    EMAIL,
    USER,
    Event,
    found,
    group,
    identify,
    letter_of,
    record,
    story_of,
    story_of_records,
    track,
)

GONE = {"type": "delete", "userId": "u-1"}
PRO, FREE = identify(plan="pro"), identify(plan="free")


def by(rules: Rules, *events: Event) -> Story:
    """The story of these events by rules of one's own."""
    return story_of_records(USER, [record(number, each) for number, each in enumerate(events)], rules)


def quiet(story: Story) -> list[int]:
    """The calls that are told as perhaps unchanged."""
    return [number for number, call in enumerate(story.calls) if call.says_nothing_new]


def overtaken(story: Story) -> list[str]:
    """What overtook each call."""
    return [str(call.overtaken_by or "") for call in story.calls]


# --- nothing new -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "said_again"),
    [
        ([PRO, PRO, FREE, PRO], [1]),
        # Value by value, whichever call said it.
        ([identify(plan="pro", seats=1), PRO], [1]),
        ([PRO, identify(seats=1), identify(plan="pro", seats=1)], [2]),
        ([PRO, identify(plan="pro", seats=1)], []),
        # To Planhat 1 and true are two things.
        ([identify(seats=1), identify(seats=True)], []),
        # A link to a company is said once.
        ([group("acme", "u-1"), group("acme", "u-1")], [1]),
        # In another company, or with another address, she is another.
        ([identify("u-1", "a", plan="pro"), identify("u-1", "b"), PRO], []),
        ([identify("u-1", email="a@b.co", plan="pro"), identify("u-1", email="c@b.co"), PRO], []),
        ([identify("u-1", "a", plan="pro"), identify("u-1", "a"), PRO], [1, 2]),
        # An event counts each time, and in between it changes nothing.
        ([track(), track()], []),
        ([PRO, track(), PRO], [2]),
    ],
)
def test_what_says_nothing_new_is_told(events: Sequence[Event], said_again: list[int]) -> None:
    """Every value it sets is the one that was said last."""
    assert quiet(story_of(USER, *events)) == said_again


def test_what_was_said_long_ago_is_sent_again() -> None:
    """From `STREAMER_UNCHANGED_TTL` on, counted from when it was sent, not from when it was skipped."""
    assert quiet(story_of(USER, PRO, PRO, PRO, PRO, PRO)) == [1, 2, 4]

    # Nobody is believed in longer than her oldest value: at the fourth second all of hers is forgotten.
    seats = identify(seats=1)
    assert quiet(story_of(USER, PRO, track(), seats, seats, seats)) == [4]

    switched_off = story_of(USER)
    switched_off.calls = story_of(USER, PRO, PRO).calls
    switched_off.unchanged_seconds = 0
    tell_repeating(switched_off)
    assert quiet(switched_off) == []


def test_a_deletion_ends_what_is_known() -> None:
    """Archived or deleted: the same is sent again."""
    for deletion in (Deletion.DELETE, Deletion.ARCHIVE):
        assert quiet(by(Rules(deletion=deletion), PRO, GONE, PRO)) == []


def test_what_planhat_did_not_take_is_not_known() -> None:
    """After a dead letter the same is sent again."""
    story = story_of(USER, PRO, FREE, FREE, FREE)
    letter_of(story, 1)
    tell_repeating(story)
    assert quiet(story) == [3]


def test_another_partition_knows_nothing() -> None:
    """What was written from one is not believed in another, and an order is within one alone."""
    here, there = record(0, PRO), record(1, PRO, partition=1)
    story = story_of_records(USER, [here, there, record(2, FREE)])
    assert quiet(story) == []
    assert overtaken(story) == ["0@2", "", ""]


def test_the_order_is_that_of_offsets() -> None:
    """Whatever the clock of the one who wrote."""
    first = record(0, FREE)._replace(timestamp_ms=1_500)
    story = story_of_records(USER, [first, record(1, PRO), record(2, PRO)])
    assert {call.at.offset for call in story.calls if call.says_nothing_new} == {2}
    assert {call.at.offset: str(call.overtaken_by or "") for call in story.calls} == {0: "0@1", 1: "", 2: ""}


def test_a_metric_is_sent_each_time() -> None:
    """A call that pushes one is not skipped, but what it says beside is known."""
    rules = read_mapping('[identify]\nmetrics = ["score"]\n').rules
    scored = identify(plan="pro", score=7)
    assert quiet(by(rules, scored, scored, PRO)) == [2]
    assert overtaken(by(rules, scored, identify(plan="free", score=1))) == ["", ""]


def test_of_several_companies_nothing_is_said() -> None:
    """One call that is an enduser in each is many writings, of which the last is what is known."""
    both = identify(companies=[{"id": "a"}, {"id": "b"}], plan="pro")
    assert quiet(by(Rules(companies=Companies.ALL), PRO, both, PRO, both)) == []


def test_a_copy_is_told_as_a_copy() -> None:
    """It is not sent, so it neither repeats nor overtakes."""
    event = PRO | {"messageId": "m-1"}
    story = story_of(USER, event, FREE, event)
    assert quiet(story) == []
    assert overtaken(story) == ["0@1", "", ""]


# --- overtaken ---------------------------------------------------------------------------------------------


def test_what_later_calls_say_otherwise_is_overtaken() -> None:
    """Once each of its values was said anew, by the last call that it takes; a part of it is not enough."""
    both = identify(plan="pro", seats=1)
    assert overtaken(story_of(USER, both, FREE)) == ["", ""]
    assert overtaken(story_of(USER, both, FREE, identify(seats=2), FREE)) == ["0@2", "", "", ""]
    assert overtaken(story_of(USER, identify("u-1", "acme", plan="pro"), FREE)) == ["", ""]
    # What perhaps was not sent overtakes nothing, and who says nothing is not overtaken.
    assert overtaken(story_of(USER, PRO, PRO)) == ["", ""]
    assert overtaken(story_of(USER, identify(), PRO)) == ["", ""]


def test_a_deletion_overtakes_all_before_it() -> None:
    """Whatever was said before; what comes after it is not concerned."""
    assert overtaken(by(Rules(deletion=Deletion.DELETE), PRO, FREE, GONE, PRO)) == ["0@1", "0@2", "", ""]
    assert overtaken(by(Rules(deletion=Deletion.ARCHIVE), PRO, GONE)) == ["", ""]


def test_a_dead_letter_overtakes_nothing() -> None:
    """Planhat did not take it."""
    story = story_of(USER, PRO, FREE)
    story.calls[0].overtaken_by = None
    letter_of(story, 1)
    tell_repeating(story)
    assert overtaken(story) == ["", ""]


def test_companies_are_overtaken_and_never_unchanged() -> None:
    """Group calls are merged like others, but their company is sent each time."""
    story = story_of(COMPANY, group(plan="a"), group(plan="b"), group(plan="b"))
    assert quiet(story) == []
    assert overtaken(story) == ["0@1", "0@2", ""]


# --- as it is told -----------------------------------------------------------------------------------------


def test_both_are_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """In the table in words, in JSON by the place."""
    monkeypatch.setenv("COLUMNS", "200")
    story = story_of(USER, PRO, FREE, FREE)
    print_story(story, shows_values=False)
    rows = capsys.readouterr().out.splitlines()
    assert "endusers, 1 field; overtaken by 0@1 " in rows[2]
    assert "endusers, 1 field  " in rows[3]
    assert "endusers, 1 field; nothing new, so perhaps not sent (unchanged) " in rows[4]
    calls = story_json(story, shows_values=False)["calls"]
    assert [(call["says_nothing_new"], call["overtaken_by"]) for call in calls] == [
        (False, "0@1"),
        (False, None),
        (True, None),
    ]


@pytest.mark.parametrize("present", [ABSENT, found(externalId="u-1", custom={"plan": "edited"})])
def test_what_was_changed_at_planhat_may_stay(present: Present) -> None:
    """Where Planhat has it otherwise, and the latest call said nothing new, that is the verdict."""
    told = identify("u-1", "acme", plan="pro")
    story = story_of(USER, group(), told, told)
    story.present, story.present_company = present, found()
    assert "its latest call, at 0@2, says nothing new and may not have been sent" in verdict(story).text
    assert "STREAMER_UNCHANGED_TTL" in verdict(story).todo[0]

    story = story_of(USER, group(), told)
    story.present, story.present_company = present, found()
    assert "nothing new" not in verdict(story).text


def test_where_nothing_differs_nothing_is_blamed() -> None:
    """Planhat has what the calls say: that the last of them was perhaps not sent is as it should be."""
    told = identify(None, "acme", email="u-1@acme.example")
    story = story_of(EMAIL, group(), told, told)
    story.present, story.present_company = found(email="u-1@acme.example"), found()
    assert verdict(story).text == "in Planhat: this enduser is there, as its calls say."
