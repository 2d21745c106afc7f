"""The verdict: each cause in plain words, the gravest first, with what to do."""

import shlex

from streamer.app.story.notes import differences, notes
from streamer.app.story.values import Kind, Look, Outcome, Partition, Present, Settling, Story, Wanted
from streamer.app.story.verdict import verdict
from streamer.app.story.words import ADVICE, BROKEN_EVENTS
from streamer.kafka.topic_reader import Stretch
from streamer.letters.history import State
from streamer.outcomes import InvalidReason, SkipReason
from streamer.transform.operations import DeleteEnduser, ForwardCall, Operation
from tests.story.stories import (
    ABSENT,
    COMPANY,
    EMAIL,
    USER,
    found,
    group,
    identify,
    letter_of,
    record,
    story_of,
    story_of_records,
    track,
)


def test_a_company_that_nobody_made_is_named() -> None:
    """Its calls name a company that no group call made and Planhat has not: that is the verdict."""
    story = story_of(USER, *[identify("u-1", "co-9")] * 3)
    story.present, story.present_company = ABSENT, ABSENT
    told = verdict(story)

    assert told.text == (
        "not in Planhat: its last 3 calls name company co-9, which no group call made, and Planhat has none; "
        "STREAMER_UNASSIGNED is discard, so it is skipped as no_company until a call names a company."
    )
    assert "group call for co-9" in told.todo[0]


def test_a_holding_company_is_told() -> None:
    """With a holding company the same story ends there."""
    story = story_of(USER, identify("u-1", "co-9"))
    story.holding_company, story.present, story.present_company = "parking", ABSENT, ABSENT
    assert "STREAMER_UNASSIGNED puts such endusers into parking" in verdict(story).text


def test_without_asking_planhat_the_topic_speaks() -> None:
    """Where Planhat was not asked the verdict says so, and that a company no group call made is a doubt."""
    doubted = verdict(story_of(USER, identify("u-1", "co-9")))
    assert doubted.text.startswith("whether it is in Planhat was not asked (--ask-planhat); by the topic: ")
    assert "its last call names company co-9, which no group call made in what was read" in doubted.text

    fine = verdict(story_of(USER, group("co-9"), identify("u-1", "co-9")))
    assert "nothing says why it should not be there" in fine.text
    assert fine.todo == ("ask Planhat with --ask-planhat",)


def test_too_many_companies_are_no_doubt() -> None:
    """Where nobody can say which companies a group call made, none is called unmade."""
    story = story_of(USER, identify("u-1", "co-9"))
    story.grouped = None
    assert "co-9" not in verdict(story).text


def test_no_company_at_all() -> None:
    """Who names no company is not saved, and both remedies are told."""
    told = verdict(story_of(USER, identify(), track()))
    assert "its last call names no company, and Planhat saves nobody without one" in told.text
    assert told.todo[-1] == "or set STREAMER_UNASSIGNED"


def test_only_activities() -> None:
    """Activities alone make nobody: the identify call is what is missing."""
    told = verdict(story_of(USER, track(), track()))
    assert "no identify or group call tells of it, only 2 calls of activities" in told.text


def test_all_skipped() -> None:
    """Where every call is skipped, the reasons are told in words with what to do, the latest first."""
    told = verdict(story_of(Wanted(Kind.USER, "a-1"), track(None), track(None)))
    assert "none of its 2 calls is sent; they are skipped as anonymous: it names neither" in told.text
    assert told.todo == ("call identify with a userId as soon as the user is known",)

    refused = track() | {"integrations": {"Planhat": False}}
    assert "its only call is skipped as integrations" in verdict(story_of(USER, refused)).text


def test_dead_letters_come_first() -> None:
    """An open dead letter is named with the commands that show and replay it; a delivered one is no cause."""
    story = story_of(USER, identify("u-1", "acme"), group())
    letter_of(story, 0)
    told = verdict(story)
    assert "one call of it is a dead letter (refused): 0:17" in told.text
    assert told.todo[:2] == (
        "see why: `streamer dead-letters show 0:17`, and mend that",
        "then `streamer dead-letters replay --user u-1 --dry-run`",
    )

    story.letters[0].state = State.DELIVERED
    assert "dead letter" not in verdict(story).text


def test_no_replay_is_advised_for_a_broken_event() -> None:
    """What breaks Segment's rules stays broken: its sender is to be mended. Others are replayed."""
    story = story_of(USER, identify("u-1", "acme"), track(event=""), group())
    letter_of(story, 1)
    story.letters[0].reason = "event_not_defined"
    sent_anew = (
        "see what is broken: `streamer dead-letters show 0:17`; have its sender mended and the event sent "
        "anew: no replay mends it"
    )
    assert verdict(story).todo == (sent_anew,)

    letter_of(story, 0)
    assert verdict(story).todo[-1] == sent_anew
    assert "then `streamer dead-letters replay --user u-1 --dry-run`" in verdict(story).todo


def test_reasons_of_broken_events_name_a_part_of_an_event() -> None:
    """The reasons of broken events are those that name a part of an event."""
    of_calls = ("id_", "no_user", "not_an_event", "event_", "name_", "category_")
    of_all = ("properties_", "traits_", "context_", "consent_")
    assert {each for each in InvalidReason if each.value.startswith((*of_calls, *of_all))} == BROKEN_EVENTS


def test_what_is_to_be_typed_can_be() -> None:
    """A name that a shell would take apart stands in quotes, whatever it holds."""
    story = story_of(Wanted(Kind.USER, "o'x $(id)"), identify("o'x $(id)", "acme"))
    letter_of(story, 0)

    _, replay, *_ = verdict(story).todo
    command = replay.partition("`")[2].rpartition("`")[0]
    assert shlex.split(command) == [
        "streamer", "dead-letters", "replay", "--user", "o'x $(id)", "--dry-run",
    ]  # fmt: skip


def test_a_dead_letter_of_an_activity_comes_last() -> None:
    """What keeps somebody out of Planhat is told before an activity that was lost."""
    story = story_of(USER, identify("u-1", "co-9"), track())
    letter_of(story, 1)
    text = verdict(story).text
    assert text.index("co-9") < text.index("is a dead letter")


def test_what_is_under_way_is_told() -> None:
    """Calls that the group is not finished with are named by the first of them."""
    told = verdict(story_of(USER, group(), identify("u-1", "acme"), settling=Settling.OPEN))
    assert "one call of it is not finished with yet, the first at 0@1" in told.text


def test_silence() -> None:
    """No call: what was read is told, and whether what is older is gone."""
    story = story_of(USER, identify("u-2"), identify("u-3"))
    assert "no call about it is in what was read of segment.events (2 records)" in verdict(story).text
    assert "look further back with --since" not in verdict(story).todo  # the whole topic was read

    story.partitions[0] = Partition(Stretch(500, 502), Stretch(0, 502))
    assert verdict(story).todo[0] == "look further back with --since"

    story.partitions[0] = Partition(Stretch(500, 502), Stretch(500, 502))
    told = verdict(story)
    assert "what is older was deleted by retention" in told.text
    assert "look further back with --since" not in told.todo

    assert "segment.events holds no record of that time" in verdict(story_of(USER)).text


def test_a_company_that_users_name_alone_is_no_riddle() -> None:
    """Calls name it and none makes it: that is the cause, and not that nobody knows its id."""
    story = story_of(COMPANY, identify("u-1", "acme"), track("u-2"), identify("u-3", "acme"))
    story.partitions[0] = Partition(Stretch(3, 6), Stretch(0, 6))
    told = verdict(story)

    assert "no group call of it is in what was read of segment.events" in told.text
    assert "calls of users that name it, of which there are 2, never create it" in told.text
    assert told.todo == ("look further back with --since", "send a group call for it")


def test_unread_calls_are_no_silence() -> None:
    """Where the registry gives no schema the verdict says so, and nothing reassuring."""
    story = story_of(USER, identify())
    story.calls[0].outcome, story.calls[0].operations = Outcome.UNREAD, ()
    assert "one call of it cannot be read" in verdict(story).text
    assert "nothing says why" not in verdict(story).text


def test_gone_at_planhat() -> None:
    """All is finished with and Planhat has none: somebody took it away there."""
    story = story_of(USER, group(), identify("u-1", "acme"))
    story.present, story.present_company = ABSENT, found(name="Acme")
    told = verdict(story)
    assert told.text.startswith("not in Planhat: all its calls are finished with")
    assert "deleted, merged or given another id" in told.todo[0]


def test_planhat_that_does_not_answer() -> None:
    """The verdict is the topic's, and says why Planhat's word is missing."""
    story = story_of(USER, group(), identify("u-1", "acme"), settling=Settling.UNKNOWN)
    story.present = Present(Look.UNKNOWN, detail="no reply: the connection was refused")
    text = verdict(story).text
    assert "could not be told (no reply: the connection was refused); by the topic: nothing in its" in text


def test_it_is_there() -> None:
    """What is there as its calls say is told as such; what differs is named, with what stands in the way."""
    calls = group(), identify("u-1", "acme", email="u-1@acme.example", firstName="A", n=1)
    story = story_of(EMAIL, *calls)
    held = {"email": "U-1@acme.example", "externalId": "u-1", "firstName": "a"}
    story.present, story.present_company = found(**held, custom={"n": 1, "x": 2}), found()
    assert verdict(story).text == "in Planhat: this enduser is there, as its calls say."

    by_id = story_of(USER, *calls)
    by_id.present, by_id.present_company = found(**held, custom={"n": 3}), found()
    told = verdict(by_id)
    assert "1 field is not what its calls say: custom.n, and nothing of them says why." in told.text
    assert told.todo == ("see in Planhat who changed it: a call that says it anew puts it back",)

    story.present = found(**held, custom={"n": 3})
    letter_of(story, 0)
    told = verdict(story)
    assert differences(story) == ["custom.n"]
    assert (
        "1 field is not what its calls say: custom.n; calls with the user id u-1 alone may say so."
        in told.text
    )
    assert "What stands in the way: one call" in told.text


def test_what_differs_by_address_may_be_told_by_the_id() -> None:
    """Most calls name the id alone, so what is asked by the address is half the story, and says so."""
    one = identify("u 1", "acme", email="u-1@acme.example", plan="free")
    by_address, by_id = story_of(EMAIL, one), story_of(USER._replace(name="u 1"), one)
    for story in (by_address, by_id):
        story.present = found(email="u-1@acme.example", externalId="u 1", custom={"plan": "pro"})
    told = verdict(by_address)
    assert "custom.plan; calls with the user id u 1 alone may say so" in told.text
    assert told.todo[0] == "see what those say: `streamer explain --user 'u 1'`"
    assert "alone may say so" not in verdict(by_id).text

    unnamed = story_of(EMAIL, identify(None, "acme", email="u-1@acme.example", plan="free"))
    unnamed.present = by_address.present
    assert "the user id u 1 alone" in verdict(unnamed).text


def test_it_is_there_and_nobody_says_so() -> None:
    """It may have been made by hand: then its calls are missing, not itself."""
    story = story_of(USER)
    story.present = found(externalId="u-1")
    assert "in Planhat: this enduser is there, though segment.events holds no record" in verdict(story).text


def test_titles_go_by_both_names() -> None:
    """Planhat's own name of a job title is position: that it has no `title` is no difference."""
    story = story_of(USER, identify("u-1", title="CTO"))
    story.present = found(externalId="u-1", position="CTO")
    assert differences(story) == []


def with_operations(story: Story, *operations: Operation) -> Story:
    """The same, its latest call asking for these."""
    story.calls[-1].operations = operations
    return story


def test_what_was_deleted_or_archived_is_told() -> None:
    """An enduser that its own calls deleted, archived or only forwarded is no riddle."""
    deleted = with_operations(story_of(USER, identify("u-1", "acme"), track()), DeleteEnduser("u-1", None))
    assert "its latest call, at 0@1, deletes it" in verdict(deleted).text

    by_call = with_operations(
        story_of(USER, identify("u-1", "acme"), track()), DeleteEnduser("u-1", None, archives=True)
    )
    assert "it was archived by a call" in verdict(by_call).text
    archived = story_of(USER, group(), identify("u-1", "acme"))
    archived.fields["archived"] = True
    assert "it was archived by a call" in verdict(archived).text

    forwarded = with_operations(story_of(USER, identify()), ForwardCall("u-1", None, None, {}))
    assert "forwarded as they came" in verdict(forwarded).text
    assert "no company" not in verdict(forwarded).text


def test_a_company_without_a_group_call() -> None:
    """Calls of users never make a company; that they name it is told."""
    refused = group() | {"integrations": {"All": False}}
    story = story_of(COMPANY, identify("u-1", "acme"), refused)
    assert "its only call is skipped as integrations" in verdict(story).text
    assert "One call of a user names this company; such calls never create it." in list(notes(story))


def test_notes_of_partitions_keys_and_retention() -> None:
    """Two partitions, null keys, other ids, and what retention took are each told in a sentence."""
    records = [
        record(0, identify("u-7", email="u-1@acme.example"), partition=0, key=None),
        record(1, identify("u-8", email="u-1@acme.example"), partition=3),
    ]
    story = story_of_records(EMAIL, records)
    story.partitions[3] = Partition(Stretch(9, 12), Stretch(9, 12))
    told = "\n".join(notes(story))

    assert "on partitions 0, 3: between partitions no order is promised" in told
    assert "One call of it has no key: such records are strewn" in told
    assert "name the user id u-7, u-8" in told
    assert "Of partition 3 everything older is deleted" in told


def test_every_skip_has_its_words() -> None:
    """Each reason for which a call may be skipped is told in words, with what to do."""
    assert ADVICE.keys() == set(SkipReason)
    assert all(meaning and step for meaning, step in ADVICE.values())
