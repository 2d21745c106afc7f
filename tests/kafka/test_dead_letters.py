"""Dead letters against librdkafka's mock cluster, with its faults."""

import time

from streamer.engine.ports import DeadLetter
from streamer.kafka.dead_letters import KafkaDeadLetters, letter_headers
from streamer.outcomes import InvalidReason
from streamer.records import Record
from tests.kafka.dead_letter_contract import DeadLetterContract, a_letter, answers, headers_of, read_all
from tests.kafka.mock_cluster import PRODUCE, MockCluster, mock_cluster
from tests.kafka.source_contract import WAIT_SECONDS

TOPIC_AUTHORIZATION_FAILED = 29
OUT_OF_ORDER_SEQUENCE_NUMBER = 45
MSG_SIZE_TOO_LARGE = 10
INVALID_RECORD = 87


class TestDeadLetters(DeadLetterContract):
    """The contract."""


def test_a_broker_that_is_away_acknowledges_nothing() -> None:
    """Letters time out as not acknowledged while the broker is down, and can be produced again."""
    with mock_cluster() as cluster:
        topic = cluster.create_topic("away")
        letters = KafkaDeadLetters(cluster.bootstrap, topic, "g", {"delivery.timeout.ms": "1000"})
        cluster.set_down()
        letters.produce(a_letter())
        assert [acknowledged for _, acknowledged in answers(letters, 1)] == [False]
        cluster.set_up()
        deadline = time.monotonic() + WAIT_SECONDS
        is_acknowledged = False
        while not is_acknowledged:
            assert time.monotonic() < deadline, "the broker is back, but no letter gets through"
            letters.produce(a_letter())
            ((_, is_acknowledged),) = answers(letters, 1)


def test_a_refusal_is_no_acknowledgement(cluster: MockCluster) -> None:
    """What the broker refuses has not been written, and is said so."""
    letters = KafkaDeadLetters(cluster.bootstrap, cluster.create_topic("refused"), "g")
    cluster.push_errors(PRODUCE, TOPIC_AUTHORIZATION_FAILED)
    letters.produce(a_letter())
    assert [acknowledged for _, acknowledged in answers(letters, 1)] == [False]


def test_letters_share_a_request(cluster: MockCluster) -> None:
    """What comes at once is sent at once: one refusal is that of all of them."""
    letters = KafkaDeadLetters(cluster.bootstrap, cluster.create_topic("together"), "g")
    cluster.push_errors(PRODUCE, TOPIC_AUTHORIZATION_FAILED)
    cluster.set_delay(300)  # until the topic is known nothing is sent, however slow this test is
    try:
        assert all(letters.produce(a_letter(offset=number)) for number in range(5))
        assert [acknowledged for _, acknowledged in answers(letters, 5)] == [False] * 5
    finally:
        cluster.set_delay(0)


def test_what_is_refused_together_is_judged_one_by_one(cluster: MockCluster) -> None:
    """A request that is too large says nothing of its letters: all of them come, whole; later ones alone."""
    topic = cluster.create_topic("apart")
    letters = KafkaDeadLetters(cluster.bootstrap, topic, "g")
    cluster.push_errors(PRODUCE, MSG_SIZE_TOO_LARGE)
    for number in range(3):
        letters.produce(a_letter(offset=number))
    assert [acknowledged for _, acknowledged in answers(letters, 3)] == [True] * 3
    assert letters.waiting == 0
    found = read_all(cluster, topic)
    assert {headers_of(each)["offset"] for each in found} == {"0", "1", "2"}
    assert [each.value() for each in found] == [b"\x00\x01\xff"] * 3
    assert {headers_of(each)["reason"] for each in found} == {"refused"}
    cluster.push_errors(PRODUCE, INVALID_RECORD)
    for number in range(3, 6):
        letters.produce(a_letter(offset=number))
    assert sorted(acknowledged for _, acknowledged in answers(letters, 3)) == [False, True, True]


def test_a_fatal_error_beside_a_refusal_in_company_costs_no_answer() -> None:
    """Every letter is answered once, whatever comes between two answers; produced again, all come whole."""
    with mock_cluster() as cluster:
        topic = cluster.create_topic("both")
        letters = KafkaDeadLetters(cluster.bootstrap, topic, "g")
        cluster.push_errors(PRODUCE, MSG_SIZE_TOO_LARGE, OUT_OF_ORDER_SEQUENCE_NUMBER)
        undelivered = [a_letter(value=b"x" * 3_000, offset=number) for number in range(300)]
        deadline = time.monotonic() + WAIT_SECONDS
        while undelivered or letters.waiting:
            assert time.monotonic() < deadline, f"{letters.waiting} letters have no answer"
            untaken = [each for each in undelivered if not letters.produce(each)]
            ended = letters.collect(0.1)
            undelivered = untaken + [letter for letter, is_acknowledged in ended if not is_acknowledged]
        assert {len(each.value() or b"") for each in read_all(cluster, topic, 300)} == {3_000}


def test_a_large_letter_is_alone_and_judged_at_once(cluster: MockCluster) -> None:
    """A letter of more than a shared request holds had no company: refused once, it is reduced."""
    topic = cluster.create_topic("large")
    letters = KafkaDeadLetters(cluster.bootstrap, topic, "g")
    cluster.push_errors(PRODUCE, MSG_SIZE_TOO_LARGE)
    letters.produce(a_letter(value=b"x" * 70_000))
    assert [acknowledged for _, acknowledged in answers(letters, 1)] == [True]
    (found,) = read_all(cluster, topic, 1)
    assert (headers_of(found)["reason"], found.value()) == ("oversize", None)


def test_a_producer_that_lost_its_sequence_is_replaced() -> None:
    """After a fatal error every letter is answered, and the next one is produced by a fresh producer."""
    with mock_cluster() as cluster:
        topic = cluster.create_topic("fatal")
        # One request at a time: the mock cluster checks no sequences, and accepts a later one right after it
        # refused an earlier. No broker does; librdkafka concludes from it that the earlier was written.
        one_by_one = {"delivery.timeout.ms": "3000", "max.in.flight": "1"}
        letters = KafkaDeadLetters(cluster.bootstrap, topic, "g", one_by_one)
        letters.produce(a_letter(offset=0))
        assert [acknowledged for _, acknowledged in answers(letters, 1)] == [True]
        cluster.push_errors(PRODUCE, *[OUT_OF_ORDER_SEQUENCE_NUMBER] * 3)
        undelivered = [a_letter(offset=number) for number in range(1, 6)]
        refused = 0
        deadline = time.monotonic() + WAIT_SECONDS
        while undelivered:
            assert time.monotonic() < deadline, "the fresh producer delivers nothing"
            untaken = [each for each in undelivered if not letters.produce(each)]
            ended = answers(letters, len(undelivered) - len(untaken))
            undelivered = untaken + [letter for letter, is_acknowledged in ended if not is_acknowledged]
            refused += len(undelivered)
        assert refused > 0
        # All of it: what was in flight at a fatal error may have been written, and is written again.
        written = {headers_of(each)["offset"] for each in read_all(cluster, topic)}
        assert written == {"0", "1", "2", "3", "4", "5"}


def test_a_full_queue_refuses_without_waiting(cluster: MockCluster) -> None:
    """Produce answers False when librdkafka's queue is full; nothing is answered for that letter."""
    topic = cluster.create_topic("full")
    letters = KafkaDeadLetters(
        cluster.bootstrap, topic, "g", {"queue.buffering.max.messages": "2", "linger.ms": "500"}
    )
    taken = [letters.produce(a_letter(offset=number)) for number in range(4)]
    assert taken == [True, True, False, False]
    assert sorted(letter.record.offset for letter, _ in answers(letters, 2)) == [0, 1]


def test_what_is_not_known_has_no_header() -> None:
    """A header is absent rather than empty."""
    letter = DeadLetter(Record("events", 0, 1, -1, None, b"x"), InvalidReason.NOT_AVRO)
    names = {name for name, _ in letter_headers(letter, "g")}
    assert names == {
        f"streamer.{each}"
        for each in ("reason", "topic", "partition", "offset", "group", "attempts", "version")
    }
