"""Which letters of a topic may go: what other letters and the source topic say of them."""

from streamer.letters.replay import Replay
from streamer.outcomes import Fate
from tests.letters.shelves import FakeReader, FakeShelf, group, identify, letter, original, replay_of


def sent_again(letters_replay: Replay) -> list[int]:
    """Later calls that are handed out now, and delivered."""
    numbered = letters_replay.hand_out(100)
    for number, _ in numbered:
        letters_replay.settle(number, Fate.DELIVERED, "")
    return [each.place.offset for _, each in numbered]


def test_what_goes_once_more_is_looked_after() -> None:
    """A later call names an enduser whom no letter names, and of whom there is a newer call."""
    first = original(1, group("u-1", "acme"))
    source = FakeReader([first])
    letters, report = replay_of(FakeShelf([letter(0, first)], source))
    replay = letters.replay
    replay.add(letters.more())
    letters.catch_up(may_stop=False)
    assert sent_again(replay) == [1]
    source.records += [original(9, group("u-2", "acme")), original(12, identify("u-2", level=2))]
    rounds = []
    for _ in range(3):
        letters.catch_up(may_stop=False)
        replay.take_answers()
        wanted = replay.take_wanted()
        replay.add_later_calls(wanted, letters.fetch(wanted))
        rounds.append(sent_again(replay))

    assert rounds == [[9], [12], []]
    assert (report.told.delivered, report.told.unmended) == (1, [])
