"""The parts of the demo, against the real stand-ins. The whole of it: test_demo_whole.py."""

import argparse
import re
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka import TopicPartition as Place
from rich.console import Console

from streamer.errors import SourceError, UsageError
from streamer.standins import demo
from streamer.standins.account_findings import SeenLetter, Write
from streamer.standins.account_view import (
    seen_activities,
    seen_companies,
    seen_endusers,
    seen_ignored,
    seen_letter,
)
from streamer.standins.broker import EmbeddedBroker
from streamer.standins.demo_metrics import Probe, Scrape
from streamer.standins.demo_pipeline import Pipeline, PipelineEnded, free_port
from streamer.standins.demo_progress import DemoProgress
from streamer.standins.demo_topic import DemoTopic, GroupOffsets, read_letters
from streamer.standins.planhat.rows import ActivityRow, EntryRow, IgnoredRow, WriteRow

PAGE = """\
# HELP streamer_events_total Records finished with.
# TYPE streamer_events_total counter
streamer_events_total{call="track",outcome="delivered"} 90.0
streamer_events_total{call="page",outcome="delivered"} 10.0
streamer_events_total{call="track",outcome="skipped"} 0.0
streamer_events_created{call="track"} 1.79e+09
odd{text="a \\"quoted\\" brace } and, comma"} 3
streamer_wait_seconds_bucket{endpoint="a",le="0.1"} 0.0
streamer_wait_seconds_bucket{endpoint="a",le="1.0"} 50.0
streamer_wait_seconds_bucket{endpoint="a",le="10.0"} 90.0
streamer_wait_seconds_bucket{endpoint="a",le="+Inf"} 100.0
streamer_never_bucket{le="1.0"} 0.0
streamer_never_bucket{le="+Inf"} 0.0
"""


# --- metrics ----------------------------------------------------------------------------------------


def test_metrics_are_summed_over_the_labels_not_named() -> None:
    """A total is over all series that have the labels asked for."""
    scrape = Scrape(PAGE)
    assert scrape.total("streamer_events_total") == 100
    assert scrape.total("streamer_events_total", outcome="delivered", call="page") == 10
    assert scrape.total("streamer_events_total", outcome="released") == 0
    assert scrape.total("no_such_metric") == 0
    assert scrape.total("odd") == 3


def test_sums_by_a_label_leave_out_nothing_but_zeros() -> None:
    """One sum for each value of the label."""
    assert Scrape(PAGE).by("streamer_events_total", "outcome") == {"delivered": 100}
    assert Scrape(PAGE).by("streamer_events_total", "call") == {"track": 90, "page": 10}


@pytest.mark.parametrize(
    ("share", "seconds"), [(0.25, 0.55), (0.5, 1.0), (0.7, 5.5), (0.9, 10.0), (0.99, 10.0)]
)
def test_quantiles_are_interpolated_within_their_bucket(share: float, seconds: float) -> None:
    """As Prometheus' histogram_quantile has it; beyond the last bound, the last bound."""
    assert Scrape(PAGE).quantile("streamer_wait_seconds", share) == pytest.approx(seconds)


def test_without_observations_there_is_no_quantile() -> None:
    """Nothing seen is not the same as zero."""
    assert Scrape(PAGE).quantile("streamer_never", 0.5) is None
    assert Scrape(PAGE).quantile("no_such_metric", 0.5) is None


def test_a_silent_address_is_neither_ready_nor_scraped() -> None:
    """Before the pipeline serves, the probe says so instead of raising."""
    probe = Probe(free_port())
    assert not probe.is_ready()
    assert probe.scrape() is None


# --- progress -----------------------------------------------------------------------------------------


def test_off_a_terminal_progress_is_lines_and_few() -> None:
    """One line for each stage, then at most one every few seconds; no control characters."""
    written = StringIO()
    with DemoProgress(Console(file=written), 2000) as progress:
        progress.show("starting", 0)
        for settled in range(1000):
            progress.show("delivering", settled)
    assert written.getvalue().splitlines() == [
        "starting: 0 of 2,000 events settled",
        "delivering: 0 of 2,000 events settled",
    ]


def test_on_a_terminal_progress_is_a_bar() -> None:
    """It names the stage and how many of how many."""
    written = StringIO()
    with DemoProgress(Console(file=written, force_terminal=True, width=100), 2000) as progress:
        progress.show("delivering", 700)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written.getvalue())
    assert re.search(r"delivering\s+\S+.*\s700/2000", plain)


# --- what is found at the ends ------------------------------------------------------------------------


def _entry(**fields: object) -> EntryRow:
    row: dict[str, object] = {
        "id": "e1",
        "external_id": "u-1",
        "source_id": None,
        "email": "U-1@Acme-1.example",
        "company_id": "c1",
        "company_external_id": "acme-1",
        "fields": {},
        "custom": {"sequence": 4},
        "arrival": 2,
        "last_arrival": 9,
        "writes": 3,
        "activities": 1,
        "history": [
            WriteRow(2, 1, {"externalId": "u-1"}),
            WriteRow(5, 2, {"custom": {"sequence": 3}}),
            WriteRow(9, 3, {"custom": {"sequence": 4}}),
        ],
    }
    return EntryRow(**{**row, **fields})  # type: ignore[arg-type]


def test_endusers_are_read_with_their_keys_and_numbered_writes() -> None:
    """Both keys, the company, and the sequence number of each write that has one."""
    (found,) = seen_endusers([_entry()])
    assert found.keys == ("ext:u-1", "mail:u-1@acme-1.example")
    assert found.company == "acme-1"
    assert found.writes == (Write(2, None), Write(5, 3), Write(9, 4))
    assert found.is_whole


def test_a_write_tells_which_upserts_were_told_with_it() -> None:
    """By their marks: its own is not among them, nor is a mark that another number would have written."""
    sent = {"custom": {"sequence": 4, "Mark 4": 4, "Mark 3": 3, "Mark 1": 1, "Mark 2": 7, "Mark 6": True}}
    (found,) = seen_endusers([_entry(history=[WriteRow(9, 3, sent)])])
    assert found.writes == (Write(9, 4, (1, 3)),)
    assert not found.is_whole, "two of its three writes are forgotten"


def test_companies_are_read_by_their_external_id() -> None:
    """A company has one key."""
    (found,) = seen_companies([_entry(external_id="acme-1", email=None, company_external_id=None)])
    assert found.keys == ("co:acme-1",)


def test_activities_are_read_with_the_keys_of_whom_they_went_to() -> None:
    """Not the ids that were sent: those of the enduser that got the activity."""
    row = ActivityRow(7, 3, "e1", "sent", None, None, "A", None, 1, 1, "m", {"eventKey": "ext:u-1#2"})
    (found,) = seen_activities([row], [_entry()])
    assert found == ("ext:u-1#2", ("ext:u-1", "mail:u-1@acme-1.example"), 7)


def test_only_activities_are_read_from_what_was_ignored() -> None:
    """Endusers without a company are in the same log."""
    rows = [
        IgnoredRow(1, 1, "", "endusers", "no_company", "u-2", None, None),
        IgnoredRow(2, 2, "", "activities", "no_enduser", "u-2", None, None),
    ]
    assert list(seen_ignored(rows)) == [("ext:u-2",)]


def test_a_dead_letter_is_read_from_its_headers() -> None:
    """The place it came from and the reason; anything else is none."""
    headers = [
        ("own", None),
        ("streamer.topic", b"t"),
        ("streamer.partition", b"3"),
        ("streamer.offset", b"17"),
        ("streamer.reason", b"not_avro"),
    ]
    assert seen_letter(headers) == ("t", SeenLetter(3, 17, "not_avro"))
    assert seen_letter(headers[:-1]) is None


# --- the ends themselves ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    """The embedded broker."""
    with EmbeddedBroker() as running:
        yield running


def test_places_come_from_acknowledgements_and_keys_choose_partitions(broker: EmbeddedBroker) -> None:
    """Each record is told its place once, and one key goes to one partition."""
    broker.create_topic("places")
    topic = DemoTopic(broker.bootstrap_servers, "places")
    places: dict[str, list[tuple[int, int]]] = {}
    for number in range(200):
        key = f"key-{number % 7}"
        topic.produce(key.encode(), b"x", lambda *place, key=key: places.setdefault(key, []).append(place))
    topic.settle()
    told = [place for of_one in places.values() for place in of_one]
    assert len(set(told)) == len(told) == 200
    assert all(len({partition for partition, _ in of_one}) == 1 for of_one in places.values())


def test_committed_offsets_are_read_without_joining(broker: EmbeddedBroker) -> None:
    """Those of the group; partitions without a commit are left out."""
    broker.create_topic("offsets")
    offsets = GroupOffsets(broker.bootstrap_servers, "some-group", "offsets")
    assert offsets.committed({0, 1}) == {}
    offsets._consumer.commit(offsets=[Place("offsets", 1, 5)], asynchronous=False)
    assert offsets.committed({0, 1}) == {1: 5}
    assert offsets.committed(set()) == {}
    offsets.close()


def test_dead_letters_are_read_to_the_end(broker: EmbeddedBroker) -> None:
    """Every letter of every partition, and a stranger among them is an error."""
    broker.create_topic("letters")
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    for offset in range(1000):
        headers = {
            "streamer.topic": "source",
            "streamer.partition": "2",
            "streamer.offset": str(offset),
            "streamer.reason": "not_avro",
        }
        producer.produce("letters", b"x", str(offset).encode(), headers=list(headers.items()))
    producer.flush(10)
    letters = read_letters(broker.bootstrap_servers, "letters", "source")
    assert sorted(letters) == [SeenLetter(2, offset, "not_avro") for offset in range(1000)]
    with pytest.raises(SourceError, match="no dead letter"):
        read_letters(broker.bootstrap_servers, "letters", "another")
    assert read_letters(broker.bootstrap_servers, "empty", "source") == []


def _watch(pipeline: Pipeline, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        pipeline.check()
        time.sleep(0.05)


def test_a_pipeline_that_ends_early_is_told_with_its_last_lines(tmp_path: Path) -> None:
    """Without settings `streamer run` exits 2; the demo says so and shows why."""
    with Pipeline({}, tmp_path / "log") as pipeline:
        with pytest.raises(PipelineEnded, match=r"exit code 2[\s\S]*STREAMER_KAFKA_BOOTSTRAP_SERVERS"):
            _watch(pipeline, seconds=30)
        assert pipeline.stop() == 2


# --- the command line -----------------------------------------------------------------------------


def _arguments(*given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    demo.add_arguments(parser)
    return parser.parse_args(given)


@pytest.mark.parametrize(
    ("option", "value"),
    [("--events", "0"), ("--events", "1000001"), ("--calls-per-minute", "0"), ("--patience", "0")],
)
def test_numbers_out_of_range_are_usage_errors(option: str, value: str) -> None:
    """Said before anything is started, with what is allowed."""
    with pytest.raises(UsageError, match=f"{option} cannot be {value}"):
        demo.run(_arguments(option, value))
