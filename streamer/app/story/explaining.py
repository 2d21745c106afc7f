"""Finds one object's story out: topic, commits, dead letters and, where asked, Planhat. Changes nothing.

What cannot be found out is said in the story, and the rest is told all the same; only without the event topic
there is no story.
"""

from collections.abc import Mapping
from typing import Final, Protocol

from streamer.app.building import credentials_of, wanted_fields
from streamer.app.interpreting import Interpreter
from streamer.app.shelf import Shelf
from streamer.app.story.collecting import Collector
from streamer.app.story.matching import Sieve
from streamer.app.story.repeating import tell_repeating
from streamer.app.story.settling import tell_letters, tell_settled
from streamer.app.story.values import (
    Kind,
    Look,
    Partition,
    Present,
    Story,
    Wanted,
)
from streamer.app.stretches import reader_of
from streamer.app.verifying import missing_access, verify_access
from streamer.config import Settings
from streamer.engine.ports import Decoded
from streamer.errors import PlanhatMisconfigured, SettingsError, SourceError
from streamer.kafka.topic_reader import Stretch, TopicReader
from streamer.planhat.client import Client, trusted_authorities
from streamer.planhat.look_up import Looked, LookUp

COMMAND: Final = "explain"
_LOST: Final = {"group": "whether its calls are finished with", "topic": "what dead letters it has"}
"""What is not told without an ACL, by the kind of what it is about."""


class Screen(Protocol):
    """Where the search says how it goes."""

    def say(self, text: str) -> None:
        """A line for a person."""
        ...

    def show(self, stage: str, done: int, total: int) -> None:
        """How far a stage is."""
        ...


def explain(
    settings: Settings, wanted: Wanted, since_ms: int, screen: Screen, *, asks_planhat: bool = False
) -> Story:
    """The object's story from `since_ms` (milliseconds since 1970) on, up to the topic's end seen now.

    Raises SourceError where the event topic cannot be read.
    """
    verify_access(settings, COMMAND)
    holding = None if settings.unassigned == "discard" else settings.unassigned
    story = Story(
        wanted, settings.kafka_topic, settings.kafka_group_id, since_ms, holding, settings.unchanged_ttl
    )
    missing = missing_access(settings, COMMAND)
    story.unknown += [
        f"This user is not allowed {need}, so {_LOST[need.kind]} is not known (docs/secured-kafka.md)."
        for need in missing
    ]
    kinds = {need.kind for need in missing}
    # Of an event it reads what the pipeline reads, so that both call the same records unreadable.
    interpreting = Interpreter(settings, wanted=wanted_fields(settings))
    with reader_of(settings, settings.kafka_topic) as reader, interpreting as interpreter:
        held = reader.stretches()
        wanted_stretches = reader.since(held, since_ms)
        story.partitions = {
            number: Partition(read, held[number]) for number, read in wanted_stretches.items()
        }
        _read(settings, reader, interpreter, wanted_stretches, story, screen)
        if "group" not in kinds:
            tell_settled(story, reader.committed())
    if "topic" not in kinds:
        _tell_letters(settings, story, screen)
    tell_repeating(story)
    if asks_planhat:
        _ask_planhat(settings, story)
    return story


def _read(
    settings: Settings,
    reader: TopicReader,
    interpreter: Interpreter,
    stretches: Mapping[int, Stretch],
    story: Story,
    screen: Screen,
) -> None:
    collector, sieve = Collector(story), Sieve(story.wanted)
    rules, total = settings.rules, sum(each.high - each.low for each in stretches.values())
    done = 0
    for records in reader.read(stretches):
        for record in records:
            opened = interpreter.opened(record)
            value = opened.value if isinstance(opened, Decoded) else None
            if sieve.lets_through(record, value):
                collector.add(record, value, interpreter.interpreted_of(record, opened, rules))
            else:
                story.records += 1
        done += len(records)
        screen.show(f"reading {story.topic}", min(done, total), total)
    collector.finish()


def _tell_letters(settings: Settings, story: Story, screen: Screen) -> None:
    topic = settings.kafka_dead_letter_topic
    try:
        with Shelf(settings, COMMAND) as shelf:
            screen.say(f"reading {topic}")
            history = shelf.history()
    except SourceError as error:
        story.unknown.append(f"Dead letters of it are not known: {error}")
        return
    tell_letters(story, history)


# --- Planhat ---------------------------------------------------------------------------------------------


def _ask_planhat(settings: Settings, story: Story) -> None:
    """Two calls: the object, and the company that its latest upsert names."""
    try:
        client = Client(trusted_authorities(), deadline_seconds=settings.http_main_seconds)
    except SettingsError as error:
        story.present = Present(Look.UNKNOWN, detail=str(error))
        return
    try:
        look_up = LookUp(client, settings.planhat_api_url, credentials_of(settings))
        story.present, may_go_on = _present(_look_up(look_up, story))
        if story.company is None or story.wanted.kind is Kind.COMPANY:
            return
        if may_go_on:
            story.present_company, _ = _present(look_up.company(story.company))
        else:
            story.unknown.append(f"Whether Planhat has company {story.company} was not asked.")
    except PlanhatMisconfigured as error:
        story.present = Present(Look.UNKNOWN, detail=str(error), is_refused=True)
    finally:
        client.close()


def _look_up(look_up: LookUp, story: Story) -> Looked:
    wanted = story.wanted
    match wanted.kind:
        case Kind.USER:
            return look_up.enduser(wanted.name)
        case Kind.EMAIL:
            # As it was told: nobody knows whether Planhat's own search regards the case of letters.
            return look_up.enduser_by_email(story.fields.get("email", wanted.name))
        case Kind.COMPANY:
            return look_up.company(wanted.name)


def _present(looked: Looked) -> tuple[Present, bool]:
    """What it came to, and whether another question may be asked."""
    if looked.problem:
        return Present(Look.UNKNOWN, detail=looked.problem, is_refused=looked.is_refused), looked.leaves_quota
    if looked.record is None:
        return Present(Look.ABSENT), looked.leaves_quota
    detail = f"{looked.matches} endusers have this e-mail; one of them is told" if looked.matches > 1 else ""
    return Present(Look.FOUND, looked.record, detail), looked.leaves_quota
