"""What became of calls: by commits, what they say of the offsets ahead, and by dead letters."""

from streamer.app.story.collecting import MOST_CALLS
from streamer.app.story.settling import tell_letters, tell_settled
from streamer.app.story.values import Settling, Story
from streamer.engine.marks import place_text
from streamer.engine.ports import DeadLetter
from streamer.engine.settled import Settled, encode
from streamer.letters.history import History, State
from streamer.letters.journal import JournalEntry, ReplayFate, Settlement
from streamer.letters.subjects import subject_of
from streamer.outcomes import InvalidReason
from streamer.records import Found, Mark, Record, TopicPartition
from streamer.transform import Rules
from tests.letters.test_history import note
from tests.letters.test_letter import in_topic
from tests.story.stories import COMPANY, USER, group, identify, interpreted, record, story_of, track

SOURCE = TopicPartition("segment.events", 0)
TOPIC_ID = "an-id"


def settling(story: Story, found: Found | None) -> list[Settling]:
    """The states of its calls, by what is known of the one partition."""
    tell_settled(story, {SOURCE: found})
    return [call.settling for call in story.calls]


def test_the_committed_offset_and_what_is_ahead_of_it_decide() -> None:
    """Below the offset a call is finished with; above it as far as the commit's metadata says."""
    metadata = encode(Settled(1, (1, 3), 4), place_text(SOURCE, TOPIC_ID), 4096).text
    story = story_of(USER, *[track()] * 5)

    assert settling(story, Found(Mark(1, metadata), 5, TOPIC_ID)) == [
        Settling.COMMITTED,
        Settling.OPEN,
        Settling.AHEAD,
        Settling.OPEN,
        Settling.OPEN,
    ]
    assert story.partitions[0].committed == 1
    assert story.unknown == []


def test_metadata_of_another_topic_counts_for_nothing() -> None:
    """A topic made anew has the offsets of the old one in its metadata: nothing is called settled by it."""
    metadata = encode(Settled(0, (0,), 2), place_text(SOURCE, "the-old-one"), 4096).text
    assert settling(story_of(USER, track(), track()), Found(Mark(0, metadata), 2, TOPIC_ID)) == [
        Settling.OPEN,
        Settling.OPEN,
    ]


def test_a_group_without_offsets_and_one_that_is_not_told_are_two_things() -> None:
    """Nothing committed: nothing is finished with, and it is said. Not told: not known, and it is said."""
    story = story_of(USER, track())
    assert settling(story, Found()) == [Settling.OPEN]
    assert "has committed nothing" in story.unknown[0]

    story = story_of(USER, track())
    assert settling(story, None) == [Settling.UNKNOWN]
    assert "not told" in story.unknown[0]


def history_of(*letters: Record, notes: tuple[JournalEntry, ...] = ()) -> History:
    """A dead-letter topic that holds letters of these records, at offsets from 0 on, and these notes."""
    history = History()
    for offset, original in enumerate(letters):
        lying = in_topic(DeadLetter(original, InvalidReason.REFUSED))._replace(partition=0, offset=offset)
        letter = history.add(lying)
        assert letter is not None
        filed = history.find(letter.id)
        assert filed is not None
        filed.subject = subject_of(interpreted(original, Rules())[0], original.key)
    for entry in notes:
        history.add(note(entry))
    return history


def test_letters_find_their_calls() -> None:
    """The letter of a call is told with it, in the state that replays left it in; others' letters are not."""
    story = story_of(USER, identify(), identify("u-2"), track())
    notes = (JournalEntry(0, "run", 1, settled=(Settlement(1, ReplayFate.DELIVERED),)),)
    tell_letters(
        story,
        history_of(record(0, identify()), record(2, track()), record(1, identify("u-2")), notes=notes),
    )
    assert [(str(each.id), each.state) for each in story.letters] == [
        ("0:0", State.OPEN),
        ("0:1", State.DELIVERED),
    ]
    assert story.calls[0].letter is story.letters[0]
    assert story.calls[1].letter is story.letters[1]


def test_letters_of_calls_that_were_not_read_are_found_by_name() -> None:
    """What lies before the stretch, or in another topic, is found by whom the letter names."""
    story = story_of(USER, track(), track())
    before = record(7, identify())
    elsewhere = record(0, identify())._replace(topic="old.events")
    stranger = record(8, identify("u-2"))
    tell_letters(story, history_of(before, elsewhere, stranger))
    assert [str(each.id) for each in story.letters] == ["0:1", "0:0"]
    assert all(call.letter is None for call in story.calls)


def test_another_record_at_the_same_place_is_not_the_call() -> None:
    """Where the topic was made anew, a letter of then is not the letter of what stands there now."""
    story = story_of(USER, identify())
    tell_letters(story, history_of(record(0, identify("u-2"))._replace(timestamp_ms=99)))
    assert story.letters == []
    assert story.calls[0].letter is None


def test_letters_of_calls_that_were_not_kept_are_still_told() -> None:
    """Of many calls the early ones are not kept, but their letters are no less open."""
    story = story_of(USER, *[identify()] * (MOST_CALLS + 5))
    tell_letters(story, history_of(record(0, identify()), record(1, identify("u-2"))))
    assert [str(each.id) for each in story.letters] == ["0:0"]


def test_a_users_letter_is_no_letter_of_the_company() -> None:
    """A letter that names the company is the company's only where it is of a group call."""
    story = story_of(COMPANY)
    tell_letters(story, history_of(record(0, identify("u-1", "acme")), record(1, group("acme"))))
    assert [str(each.id) for each in story.letters] == ["0:1"]

    capital = story_of(COMPANY)
    tell_letters(capital, history_of(record(0, group("acme") | {"type": "Group"})))
    assert [each.call for each in capital.letters] == ["group"]
