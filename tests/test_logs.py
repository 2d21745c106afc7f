"""Laws of the logs: fixed names, one line for many, no secret, no personal value."""

import io
import json
import logging
from pprint import pformat
from typing import Any

import pytest
from rich.pretty import pretty_repr

from streamer.avro.decoder import Decoder
from streamer.avro.schemas import load_schemas
from streamer.engine.ports import Batch, CommitResult, DeadLetter, Decoded, Delivery, HoldReason, Observer
from streamer.events.calls import Identify
from streamer.events.parse import parse
from streamer.logs import LINES, Event, LogObserver, Observers, configure_logs, log, redact_also
from streamer.logs.observer import ADVICE
from streamer.logs.quiet import MOST_KEYS, QUIET_SECONDS, Quiet
from streamer.outcomes import (
    Answered,
    CallType,
    Endpoint,
    Fate,
    InvalidReason,
    Transient,
    TransientReason,
    Verdict,
)
from streamer.planhat.items import encode_operation
from streamer.records import Record, TopicPartition
from streamer.transform import Rules, Transformed, transform
from streamer.transform.identity import identified_user
from streamer.transform.operations import UpsertCompany, UpsertEnduser
from tests.engine.fakes import Ended, lot_of

RECORD = Record("segment.events", 0, 7, 0, None, None)

TRAIT = "u-9@analytical.example"

pytestmark = pytest.mark.usefixtures("logging_restored")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Ticks:
    """A clock that stands until moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def places(*numbers: int) -> list[TopicPartition]:
    """Partitions of one topic."""
    return [TopicPartition("segment.events", number) for number in numbers]


def lines_of(stream: io.StringIO) -> list[dict[str, Any]]:
    """The JSON lines written so far."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def a_delivery(answer: Answered | Transient) -> Delivery:
    """One request about a person, and its answer."""
    operation = UpsertEnduser("u-1", TRAIT, fields={"name": TRAIT})
    batch = Batch(1, Endpoint.ENDUSERS, (operation,), (TRAIT.encode(),))
    return Delivery(batch, answer, 0.25, 200)


def test_every_event_has_a_level_and_a_meaning() -> None:
    """Each event is declared with one sentence, in snake case and the past tense of somebody's doing."""
    assert set(LINES) == set(Event)
    for event, line in LINES.items():
        assert event.value == event.name.lower()
        assert line.meaning.endswith(".")


def test_a_line_is_one_json_object() -> None:
    """A JSON line begins with time, level and event, and holds the fields as they are."""
    stream = io.StringIO()
    configure_logs(log_format="json", stream=stream)
    log(Event.STARTED, topic="segment.events", partitions=3, name="Zoë\nline")

    (line,) = lines_of(stream)
    assert list(line)[:3] == ["time", "level", "event"]
    assert line["time"].endswith("Z")
    assert (line["level"], line["event"]) == ("info", "started")
    assert (line["topic"], line["partitions"], line["name"]) == ("segment.events", 3, "Zoë\nline")


def test_auto_is_console_on_a_terminal_only() -> None:
    """`auto` writes for people on a terminal and JSON elsewhere; the other two do as they say."""
    written = {}
    for name, stream in {"auto": io.StringIO(), "auto ": Terminal(), "console": io.StringIO()}.items():
        configure_logs(log_format=name.strip(), stream=stream)
        log(Event.STARTED, topic="segment.events")
        written[name] = stream.getvalue()

    assert written["auto"].startswith("{")
    assert written["auto "].startswith("\x1b")
    assert "started" in written["console"]
    assert "\x1b" not in written["console"]


def test_the_level_cuts_off_what_matters_less() -> None:
    """Lines below the level are not written; an explicit level overrides the event's own."""
    stream = io.StringIO()
    configure_logs(log_format="json", log_level="warning", stream=stream)
    log(Event.STARTED)
    log(Event.COMMIT_FAILED)
    log(Event.STARTED, LINES[Event.FAILED].level)

    assert [line["event"] for line in lines_of(stream)] == ["commit_failed", "started"]


def test_secrets_are_struck_out_of_every_field() -> None:
    """A known secret never reaches the stream, wherever in the fields it stands."""
    stream = io.StringIO()
    configure_logs(log_format="json", stream=stream, secrets=["tenant-secret", "tenant", "abc"])
    log(
        Event.FAILED,
        text="GET /x/tenant-secret",
        deep={"a": "tenant-secret"},
        row=["tenant-secret"],
        abc="abc",
    )
    redact_also(["renewed-token"])
    log(Event.FAILED, text="renewed-token tenant-secret")

    assert "tenant" not in stream.getvalue()
    assert "renewed" not in stream.getvalue()
    first, second = lines_of(stream)
    assert first["text"] == "GET /x/****"
    assert (first["deep"], first["row"], first["abc"]) == ({"a": "****"}, ["****"], "abc")
    assert second["text"] == "**** ****"


def test_libraries_are_heard_from_warning_up() -> None:
    """Lines and warnings of libraries become lines of ours, redacted; their chatter stays out."""
    stream = io.StringIO()
    configure_logs(log_format="json", stream=stream, secrets=["hunter2"])
    logging.getLogger("some.library").info("chatter")
    try:
        int(TRAIT)
    except ValueError:
        logging.getLogger("some.library").exception("failed with %s", "hunter2")

    (line,) = lines_of(stream)
    assert (line["event"], line["level"], line["logger"]) == ("library_reported", "error", "some.library")
    assert line["text"] == "failed with **** (ValueError)"


def test_a_library_that_repeats_itself_is_heard_once() -> None:
    """Lines alike, numbers aside, make one line; another text or another logger makes its own."""
    stream = io.StringIO()
    configure_logs(log_format="json", stream=stream)
    for attempt in range(300):
        logging.getLogger("kafka").error("connect to 127.0.0.1:1 failed after %d ms", attempt)
    logging.getLogger("kafka").error("all brokers are down")
    logging.getLogger("http").error("all brokers are down")

    assert [(line["logger"], line["text"], line["times"]) for line in lines_of(stream)] == [
        ("kafka", "connect to 127.0.0.1:1 failed after 0 ms", 1),
        ("kafka", "all brokers are down", 1),
        ("http", "all brokers are down", 1),
    ]


def test_what_was_silent_is_counted_and_memory_is_bounded() -> None:
    """The next line stands for the silent ones too; keys without end are forgotten."""
    ticks = Ticks()
    quiet = Quiet(ticks)
    assert [quiet.due("a"), quiet.due("a", 5), quiet.due("b", 3)] == [1, 0, 3]
    ticks.now += QUIET_SECONDS
    assert [quiet.due("a"), quiet.due("a")] == [6, 0]

    for key in range(MOST_KEYS):
        quiet.due(key)
    assert quiet.due("a") == 1


def test_a_closed_stream_stops_nothing() -> None:
    """Writing where nobody can read is no error."""
    stream = io.StringIO()
    configure_logs(log_format="json", stream=stream)
    stream.close()

    log(Event.STARTED)

    assert stream.closed


def observed() -> tuple[Observer, io.StringIO, Ticks]:
    """A log observer, what it writes, and its clock."""
    stream, ticks = io.StringIO(), Ticks()
    configure_logs(log_format="json", log_level="debug", stream=stream)
    return LogObserver(monotonic=ticks), stream, ticks


def test_many_dead_letters_make_one_line() -> None:
    """The first of a kind is told at once, the rest are counted into the next line."""
    observer, stream, ticks = observed()
    for _ in range(500):
        observer.settled(lot_of(Ended(RECORD, CallType.TRACK, Fate.DEAD_LETTERED, "id_required")), 0.1)
    observer.settled(lot_of(Ended(RECORD, CallType.PAGE, Fate.DEAD_LETTERED, "id_required")), 0.1)
    ticks.now += QUIET_SECONDS
    observer.settled(lot_of(Ended(RECORD, CallType.TRACK, Fate.DEAD_LETTERED, "id_required")), 0.1)

    assert [(line["call"], line["records"]) for line in lines_of(stream)] == [
        ("track", 1),
        ("page", 1),
        ("track", 500),
    ]


def test_what_succeeds_is_not_told() -> None:
    """Settled events, polls, counts and good commits make no line at the usual level."""
    observer, stream, _ = observed()
    observer.polled(500, 0)
    observer.settled(lot_of(Ended(RECORD, CallType.TRACK, Fate.DELIVERED)), 0.1)
    observer.settled(lot_of(Ended(RECORD, CallType.TRACK, Fate.SKIPPED, "consent")), 0.1)
    observer.operations_made(Endpoint.ACTIVITIES, 5)
    observer.committed(CommitResult.COMMITTED, 3)

    assert stream.getvalue() == ""


def test_failure_lines_say_what_happens_next() -> None:
    """Every warning and error of the observer carries `next`."""
    observer, stream, _ = observed()
    observer.settled(
        lot_of(Ended(RECORD._replace(timestamp_ms=-1), CallType.TRACK, Fate.DEAD_LETTERED, "refused")), 0.0
    )
    observer.retried(Endpoint.ENDUSERS, "5xx", 100)
    observer.fenced(3)
    observer.rebalanced("lost", places(0, 1), 10, is_committed=False)
    observer.committed(CommitResult.RETRY, 3)
    observer.committed(CommitResult.FENCED, 3)
    observer.committed(CommitResult.DENIED, 3)
    observer.hold_entered(HoldReason.CREDENTIALS)
    observer.holding(HoldReason.CREDENTIALS, 61.2)
    observer.failed(ValueError(TRAIT))

    lines = lines_of(stream)
    assert len(lines) == 10
    for line in lines:
        assert line["level"] in {"warning", "error"}
        assert len(line["next"]) > 20, line


def test_rebalances_pauses_and_the_end_of_a_hold_are_told() -> None:
    """Changes a person watches for have lines of their own."""
    observer, stream, _ = observed()
    observer.rebalanced("assigned", places(3, 0, 1, 12), 0, is_committed=True)
    observer.rebalanced("revoked", places(0, 3), 7, is_committed=False)
    observer.paused("still")
    observer.paused("flowing")
    observer.hold_left(HoldReason.NOT_FOUND)

    lines = [
        {name: line[name] for name in line if name not in {"time", "level"}} for line in lines_of(stream)
    ]
    assert lines == [
        {"event": "partitions_assigned", "partitions": 4, "numbers": "0-1 3 12"},
        {
            "event": "partitions_revoked",
            "partitions": 2,
            "numbers": "0 3",
            "released": 7,
            "committed": False,
        },
        {"event": "backpressure_changed", "stage": "still", "times": 1},
        {"event": "backpressure_changed", "stage": "flowing", "times": 1},
        {"event": "hold_left", "reason": "not_found"},
    ]


def test_every_hold_comes_with_advice() -> None:
    """Each reason for a hold says what a person should do."""
    assert set(ADVICE) == {reason.value for reason in HoldReason}


def test_no_value_of_a_record_reaches_a_line() -> None:
    """An e-mail address that fails in every way leaves no trace in the log."""
    observer, stream, _ = observed()
    try:
        dict[str, str]()[TRAIT]
    except KeyError as error:
        observer.failed(error)
    observer.delivered(a_delivery(Answered((Verdict.ACCEPTED,))))
    observer.delivered(a_delivery(Transient(TransientReason.TIMEOUT)))

    failed, delivered, lost = lines_of(stream)
    assert TRAIT not in stream.getvalue()
    assert (failed["error"], failed["where"].partition(":")[0]) == ("KeyError", "test_logs.py")
    assert (delivered["event"], delivered["operations"], delivered["accepted"]) == ("batch_delivered", 1, 1)
    assert (lost["event"], lost["answer"]) == ("delivery_failed", "Transient")


MARK = "x@marked.example"
MARKED: dict[str, Any] = {
    "messageId": "m-1",
    "userId": "u-1",
    "groupId": "c-1",
    "event": MARK,
    "name": MARK,
    "category": MARK,
    "timestamp": MARK,
    "traits": {"email": MARK, "name": MARK, "phone": MARK, "age": [MARK], MARK: {MARK: 1}},
    "properties": {"email": MARK, "deep": [{"er": MARK}], MARK: 7},
    "context": {"ip": MARK, "traits": {"email": MARK}},
    "integrations": {"All": True, MARK: {"x": MARK}},
    "previousId": "u-0",
    MARK: MARK,
}


@pytest.mark.parametrize("kind", [kind for kind in CallType if kind is not CallType.UNKNOWN])
def test_nothing_on_the_way_shows_a_value_when_printed(kind: CallType) -> None:
    """Record, datum, call, operation, batch, dead letter: printed by mistake, they tell ids and no more."""
    text = json.dumps({"type": kind, **MARKED}).encode()
    record = Record("segment.events", 3, 42, 0, MARK.encode(), text, ((MARK, MARK.encode()),))
    decoded = Decoder(load_schemas()).decode(text)
    assert isinstance(decoded, Decoded)
    call = parse(decoded.value)
    things: list[Any] = [record, DeadLetter(record, InvalidReason.REFUSED), decoded, call]
    if isinstance(call, Identify):
        things.append(identified_user(call))
    result = transform(call, Rules(deliver_screens=True))
    things.append(result)
    operations = result.operations if isinstance(result, Transformed) else ()
    for operation in operations:
        named = [operation.named_by_id()] if isinstance(operation, UpsertCompany | UpsertEnduser) else []
        items = (encode_operation(operation),)
        batch = Batch(1, operation.endpoint, (operation,), items)
        things += [operation, *named, batch, Delivery(batch, Answered((Verdict.REFUSED,)), 0.1, 200)]
        assert MARK.encode() in items[0]

    for thing in things:
        for shown in (repr(thing), str(thing), f"{thing}", pformat(thing), pretty_repr(thing)):
            assert "marked" not in shown, type(thing)
    assert "u-1" in repr(call)
    assert repr(record) == "<Record segment.events[3]@42 " + f"{record.size_bytes} bytes>"


def test_observers_are_told_alike() -> None:
    """Whatever one observer is told through the fan-out, so is the next."""
    first, second = io.StringIO(), io.StringIO()

    def writer(stream: io.StringIO) -> LogObserver:
        def write(event: Event, level: object = None, **fields: object) -> None:
            stream.write(f"{event} {level} {fields}\n")

        return LogObserver(write)

    both: Observer = Observers(writer(first), writer(second))
    both.polled(1, 1)
    both.settled(lot_of(Ended(RECORD, CallType.TRACK, Fate.DEAD_LETTERED, "refused")), 1.0)
    both.operations_made(Endpoint.ACTIVITIES, 1)
    both.delivered(a_delivery(Answered((Verdict.ACCEPTED,))))
    both.retried(Endpoint.ACTIVITIES, "5xx", 1)
    both.fenced(1)
    both.rebalanced("assigned", places(0), 0, is_committed=True)
    both.committed(CommitResult.RETRY, 1)
    both.paused("paused")
    both.hold_entered(HoldReason.DEAD_LETTERS)
    both.holding(HoldReason.DEAD_LETTERS, 60)
    both.hold_left(HoldReason.DEAD_LETTERS)
    both.failed(ValueError("x"))

    assert first.getvalue() == second.getvalue()
    assert len(first.getvalue().splitlines()) == 11
