"""Laws of the metrics: one catalogue, closed label sets, counts as told, scrapes that disturb nothing."""

import re
import threading
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_plain
from prometheus_client.samples import Sample

from streamer.avro.registry_http import ABSENT, ADVICE, Trouble
from streamer.engine.answers import REFUSED_WHOLE
from streamer.engine.dispatch import TAKEN_APART
from streamer.engine.ports import (
    Batch,
    CommitResult,
    Delivery,
    Gauges,
    HoldReason,
    Load,
    Observer,
    OperationFate,
)
from streamer.metrics import CATALOGUE, KafkaReport, Metrics, metrics_markdown_table, registry_of
from streamer.metrics.catalogue import (
    AWAITED_REASONS,
    CHANGES,
    COMMIT_RESULTS,
    EVENT_LATENCY,
    HOLD_REASONS,
    OPERATION_FATES,
    RETRY_REASONS,
    SPAN_REASONS,
    UNKNOWN,
    Kind,
)
from streamer.metrics.tallies import Spread
from streamer.outcomes import (
    Answer,
    Answered,
    CallType,
    Endpoint,
    Fate,
    InvalidReason,
    Misconfigured,
    MisconfiguredReason,
    RefusedWhole,
    SkipReason,
    Transient,
    TransientReason,
    Verdict,
)
from streamer.records import Record, TopicPartition
from streamer.tracing import Dropped
from streamer.transform.operations import UpsertCompany
from tests.engine.fakes import Ended, lot_of

RECORD = Record("segment.events", 0, 7, 0, None, None)

NOW = 1_790_000_000.0
P0, P1 = TopicPartition("segment.events", 0), TopicPartition("segment.events", 1)
GAUGES = Gauges(
    in_flight_records=7,
    in_flight_bytes=7000,
    in_flight_by_partition={P0: 7},
    oldest_unsettled_seconds={P0: 1.5, P1: 0.0},
    oldest_unsettled_written_at={P0: NOW - 2.5},
    paused_partitions=1,
    gates_closed_seconds={Endpoint.COMPANIES: 3.0},
    waiting_operations={Endpoint.ACTIVITIES: 9},
    hold=HoldReason.CREDENTIALS,
    tokens=1.25,
    letters_held=2,
    load=Load(80.0, 40.0, 0.75, 4_900.0, 0.5),
)

KAFKA = KafkaReport(
    unread={P0: 100, P1: 50},
    undelivered_age_seconds={P0: 2.5, P1: 0.25},
    is_member=True,
    outside_since=NOW - 3,
    log_ends_at=NOW - 2,
    retention_seconds={"segment.events": 604_800.0},
    drain_forecast_seconds=36.0,
    committed={P0: 4_000},
    is_paused={P0: False, P1: True},
)


def metrics() -> Metrics:
    """Metrics at a fixed time."""
    return Metrics(mode="api", time=lambda: NOW)


def families(subject: Metrics) -> dict[str, Family]:
    """What a scrape in the plain format says, by family."""
    return {family.name: family for family in parse_plain(generate_latest(registry_of(subject)).decode())}


def samples(subject: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every sample that is not zero: by name and label values, in the order of the labels' names."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in families(subject).values()
        for sample in family.samples
        if sample.value and sample.name.startswith("streamer_")
    }


def samples_of(shown: dict[str, Family], name: str) -> list[Sample]:
    """The samples of one metric of the catalogue, if it has any."""
    family = shown.get(name.removesuffix("_total"))
    return [] if family is None else family.samples


def a_delivery(answer: Answer, operations: int = 2, remaining: int | None = None) -> Delivery:
    """One request to the companies endpoint."""
    batch = Batch(1, Endpoint.COMPANIES, (UpsertCompany("c"),) * operations, (b"12345",) * operations)
    return Delivery(batch, answer, 0.3, 200, remaining)


def test_the_catalogue_follows_the_naming_rules() -> None:
    """Names have the prefix, are unique, and end in _total exactly if they count."""
    assert len({metric.name for metric in CATALOGUE}) == len(CATALOGUE) > 25
    for metric in CATALOGUE:
        assert re.fullmatch(r"streamer_[a-z_]+", metric.name)
        assert (metric.kind is Kind.COUNTER) == metric.name.endswith("_total")
        assert (metric.kind is Kind.HISTOGRAM) == bool(metric.buckets)
        assert list(metric.buckets) == sorted(set(metric.buckets))
        assert re.fullmatch(r"[A-Z1].+\.", metric.help)
        open_labels = {label for label, values in metric.labels.items() if not values}
        assert open_labels <= {"topic", "partition", "version", "python", "mode"}


def test_closed_sets_are_those_of_the_engine() -> None:
    """The sets that this room cannot import are equal to the engine's."""
    assert set(OPERATION_FATES) == set(OperationFate)
    assert set(COMMIT_RESULTS) == set(CommitResult)
    assert set(HOLD_REASONS) == set(HoldReason)
    assert COMMIT_RESULTS[0] == CommitResult.COMMITTED
    final = {Verdict.ACCEPTED, Verdict.REFUSED, Verdict.AMBIGUOUS}
    ours = {REFUSED_WHOLE, TAKEN_APART, UNKNOWN}
    assert set(RETRY_REASONS) == {*TransientReason, *Verdict, *ours} - final
    assert {"assigned", "revoked", "lost"} < set(CHANGES)
    assert set(SPAN_REASONS) == set(Dropped)
    assert set(AWAITED_REASONS) == {ABSENT, *Trouble} == set(ADVICE)


def test_every_metric_is_exposed_and_nothing_else() -> None:
    """A scrape shows exactly the catalogue, and the process's own memory and CPU."""
    subject = metrics()
    subject.watch(kafka=lambda: KAFKA, last_poll=lambda: NOW, awaited_schemas=dict)
    subject.gauges(GAUGES)
    subject.committed(CommitResult.COMMITTED, 1)
    subject.delivered(a_delivery(Answered((Verdict.ACCEPTED,)), remaining=150))
    subject.hold_entered(HoldReason.CREDENTIALS)
    shown = families(subject)

    ours = {name for name in shown if name.startswith("streamer_")}
    assert ours == {metric.name.removesuffix("_total") for metric in CATALOGUE}
    assert {"process_resident_memory_bytes", "process_cpu_seconds"} <= set(shown)
    for metric in CATALOGUE:
        family = shown[metric.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (metric.kind, metric.help)


def test_both_formats_parse_to_the_same() -> None:
    """What is exposed is valid in Prometheus' plain format and in OpenMetrics."""
    subject = metrics()
    subject.gauges(GAUGES)
    registry = registry_of(subject)
    plain = {family.name for family in parse_plain(generate_latest(registry).decode())}
    text: str = generate_openmetrics(registry).decode()  # type: ignore[no-untyped-call]
    opened = {family.name for family in parse_openmetrics(text)}  # type: ignore[no-untyped-call]

    assert plain == opened


def test_counts_are_what_was_told() -> None:
    """Each thing told appears once, under its labels, and everything else stays at zero."""
    subject: Metrics = metrics()
    observer: Observer = subject
    observer.polled(500, 3)
    observer.settled(lot_of(Ended(RECORD, CallType.TRACK, Fate.DELIVERED)), 0.2)
    observer.settled(lot_of(Ended(RECORD, CallType.TRACK, Fate.DELIVERED)), 100_000.0)
    observer.settled(
        lot_of(Ended(RECORD._replace(timestamp_ms=-1), CallType.IDENTIFY, Fate.SKIPPED, SkipReason.CONSENT)),
        NOW,
    )
    observer.settled(
        lot_of(Ended(RECORD, CallType.UNKNOWN, Fate.DEAD_LETTERED, InvalidReason.NOT_AVRO)), -5.0
    )
    observer.settled(lot_of(Ended(RECORD, CallType.PAGE, Fate.RELEASED)), 9.0)
    observer.operations_made(Endpoint.ACTIVITIES, 4)
    observer.operations_done(Endpoint.ACTIVITIES, OperationFate.DELIVERED, 3)
    observer.retried(Endpoint.COMPANIES, TransientReason.THROTTLED, 50)
    observer.retried(Endpoint.COMPANIES, Verdict.DUPLICATED, 1)
    observer.fenced(6)
    observer.rebalanced("assigned", (), 0, is_committed=True)
    observer.committed(CommitResult.COMMITTED, 2)
    observer.committed(CommitResult.FENCED, 2)
    observer.failed(ValueError("u@example.com"))
    observer.paused("still")

    told = samples(subject)
    buckets = {key: told.pop(key) for key in list(told) if key[0].endswith("_bucket")}
    assert told == {
        ("streamer_polled_records_total", ()): 500,
        ("streamer_null_keys_total", ()): 3,
        ("streamer_events_total", ("track", "delivered")): 2,
        ("streamer_events_total", ("identify", "skipped")): 1,
        ("streamer_events_total", ("unknown", "dead_lettered")): 1,
        ("streamer_events_total", ("page", "released")): 1,
        ("streamer_skips_total", ("consent",)): 1,
        ("streamer_dead_letters_total", ("not_avro",)): 1,
        ("streamer_last_dead_letter_timestamp_seconds", ("not_avro",)): NOW,
        ("streamer_failures_total", ()): 1,
        ("streamer_event_latency_seconds_count", ()): 3,
        ("streamer_event_latency_seconds_sum", ()): 100_000.2,
        ("streamer_operations_made_total", ("activities",)): 4,
        ("streamer_operations_total", ("activities", "delivered")): 3,
        ("streamer_retried_operations_total", ("companies", "429")): 50,
        ("streamer_retried_operations_total", ("companies", "duplicated")): 1,
        ("streamer_fenced_operations_total", ()): 6,
        ("streamer_rebalances_total", ("assigned",)): 1,
        ("streamer_commits_total", ("committed",)): 1,
        ("streamer_commits_total", ("fenced",)): 1,
        ("streamer_last_commit_timestamp_seconds", ()): NOW,
        ("streamer_backpressure", ("still",)): 1,
        next(key for key in told if key[0] == "streamer_build_info"): 1,
    }
    assert buckets[("streamer_event_latency_seconds_bucket", ("0.1",))] == 1
    assert buckets[("streamer_event_latency_seconds_bucket", ("0.25",))] == 2
    assert buckets[("streamer_event_latency_seconds_bucket", ("86400.0",))] == 2
    assert buckets[("streamer_event_latency_seconds_bucket", ("+Inf",))] == 3


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (Answered((Verdict.ACCEPTED, Verdict.ACCEPTED)), "accepted"),
        (Answered((Verdict.ACCEPTED, Verdict.REFUSED)), "partly_accepted"),
        (Answered((Verdict.REFUSED, Verdict.REFUSED)), "refused"),
        (Answered((Verdict.DUPLICATED, Verdict.NAME_MISSING, Verdict.MISSING)), "refused"),
        (Answered((Verdict.AMBIGUOUS,)), "refused"),
        (Answered((Verdict.REFUSED, Verdict.UNCLEAR)), "partly_accepted"),
        (Transient(TransientReason.SERVER_ERROR), "5xx"),
        (RefusedWhole(400), "refused"),
        (Misconfigured(MisconfiguredReason.CREDENTIALS, 401), "misconfigured"),
    ],
)
def test_a_delivery_counts_by_what_it_came_to(answer: Answer, result: str) -> None:
    """A request is counted once, with its seconds, operations and bytes."""
    subject = metrics()
    subject.delivered(a_delivery(answer, remaining=42))
    told = samples(subject)

    assert told["streamer_deliveries_total", ("companies", result)] == 1
    assert told["streamer_delivery_seconds_sum", ("companies",)] == 0.3
    assert told["streamer_delivery_operations_sum", ("companies",)] == 2
    assert told["streamer_delivery_bytes_sum", ("companies",)] == 10
    assert told["streamer_delivery_seconds_bucket", ("companies", "0.5")] == 1
    assert ("streamer_delivery_seconds_bucket", ("companies", "0.25")) not in told
    assert told["streamer_quota_remaining_calls", ()] == 42


@given(st.lists(st.floats(-10.0, 100_000.0) | st.sampled_from(EVENT_LATENCY.buckets), max_size=50))
def test_values_told_together_count_as_told_one_by_one(values: list[float]) -> None:
    """Each under the least bound that is not below it; what is negative, where clocks differ, as 0."""
    together, alone = Spread(EVENT_LATENCY), Spread(EVENT_LATENCY)
    together.observe_all(values)
    for value in values:
        alone.observe(max(0.0, value))
    (buckets, total), (others, sum_of_others) = together.read()[()], alone.read()[()]
    assert buckets == others
    assert total == pytest.approx(sum_of_others)


def test_the_state_is_shown_as_it_was_last_told() -> None:
    """Gauges show the newest state; undelivered is unread and in flight together."""
    subject = metrics()
    subject.watch(
        kafka=lambda: KAFKA,
        last_poll=lambda: NOW - 1,
        awaited_schemas=lambda: {"server_error": 2},
    )
    subject.gauges(GAUGES)
    told = {key: value for key, value in samples(subject).items() if key[0] != "streamer_build_info"}

    assert told == {
        ("streamer_in_flight_records", ()): 7,
        ("streamer_in_flight_bytes", ()): 7000,
        ("streamer_oldest_unsettled_seconds", ("0", "segment.events")): 1.5,
        ("streamer_undelivered_records", ("0", "segment.events")): 107,
        ("streamer_undelivered_records", ("1", "segment.events")): 50,
        ("streamer_undelivered_age_seconds", ("0", "segment.events")): 2.5,
        ("streamer_undelivered_age_seconds", ("1", "segment.events")): 0.25,
        ("streamer_topic_retention_seconds", ("segment.events",)): 604_800,
        ("streamer_group_member", ()): 1,
        ("streamer_group_outside_since_timestamp_seconds", ()): NOW - 3,
        ("streamer_log_end_timestamp_seconds", ()): NOW - 2,
        ("streamer_paused_partitions", ()): 1,
        ("streamer_gate_closed_seconds", ("companies",)): 3,
        ("streamer_waiting_operations", ("activities",)): 9,
        ("streamer_hold", ("credentials",)): 1,
        ("streamer_quota_tokens", ()): 1.25,
        ("streamer_held_dead_letters", ()): 2,
        ("streamer_quota_share_calls_per_minute", ()): 80,
        ("streamer_quota_pace_calls_per_minute", ()): 40,
        ("streamer_quota_wait_seconds", ()): 0.75,
        ("streamer_drain_forecast_seconds", ()): 36,
        ("streamer_committed_offset", ("0", "segment.events")): 4_000,
        ("streamer_partition_paused", ("1", "segment.events")): 1,
        ("streamer_awaited_schemas", ("server_error",)): 2,
        ("streamer_last_poll_timestamp_seconds", ()): NOW - 1,
        ("streamer_backpressure", ("flowing",)): 1,
    }


def test_a_hold_that_ends_goes_back_to_zero() -> None:
    """Every reason of a hold is always shown, so that an alert can resolve."""
    subject = metrics()
    subject.gauges(GAUGES)
    shown = {sample.labels["reason"]: sample.value for sample in families(subject)["streamer_hold"].samples}

    assert set(shown) == set(HoldReason)
    assert sum(shown.values()) == 1


def test_a_hold_is_dated_while_it_lasts() -> None:
    """From when it was entered, or first was, until it is left."""
    subject = metrics()
    subject.hold_entered(HoldReason.CREDENTIALS)
    assert samples(subject)["streamer_hold_since_timestamp_seconds", ()] == NOW
    subject.holding(HoldReason.CREDENTIALS, 60.0)
    assert samples(subject)["streamer_hold_since_timestamp_seconds", ()] == NOW - 60
    subject.hold_left(HoldReason.CREDENTIALS)
    assert ("streamer_hold_since_timestamp_seconds", ()) not in samples(subject)


def test_what_is_not_known_yet_is_absent_not_zero() -> None:
    """Before the first commit, poll, header and state there is no sample that could pass for one."""
    shown = families(metrics())

    for name in ("last_commit_timestamp_seconds", "last_poll_timestamp_seconds", "quota_remaining_calls"):
        assert shown[f"streamer_{name}"].samples == []
    assert "streamer_in_flight_records" not in shown


def test_no_label_value_lies_outside_its_closed_set() -> None:
    """Whatever is told, labels take words of the catalogue only; strangers count as unknown."""
    subject = metrics()
    subject.settled(
        lot_of(Ended(RECORD._replace(timestamp_ms=-1), CallType.TRACK, Fate.SKIPPED, "u@example.com")), NOW
    )
    subject.settled(
        lot_of(Ended(RECORD._replace(timestamp_ms=-1), CallType.TRACK, Fate.DEAD_LETTERED, "u@example.com")),
        NOW,
    )
    subject.retried(Endpoint.COMPANIES, "u@example.com", 1)
    subject.rebalanced("u@example.com", (), 0, is_committed=True)
    subject.paused("u@example.com")
    subject.gauges(GAUGES)
    shown = families(subject)

    assert "example" not in generate_latest(registry_of(subject)).decode()
    for metric in CATALOGUE:
        for sample in samples_of(shown, metric.name):
            for label, values in metric.labels.items():
                assert not values or sample.labels[label] in values
    assert samples(subject)["streamer_skips_total", ("unknown",)] == 1


def test_scrapes_beside_a_busy_owner_are_sound() -> None:
    """While the owner counts, every scrape is whole: counters never fall, histograms add up."""
    subject = metrics()
    registry = registry_of(subject)
    done = threading.Event()
    failures: list[BaseException] = []

    def scrape() -> None:
        seen: dict[str, float] = {}
        try:
            while not done.is_set():
                for name, value in _checked(registry_scrape()):
                    assert value >= seen.get(name, 0), name
                    seen[name] = value
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread
            failures.append(error)

    def registry_scrape() -> list[Family]:
        return list(registry.collect())

    threads = [threading.Thread(target=scrape) for _ in range(2)]
    for thread in threads:
        thread.start()
    for turn in range(4000):
        subject.settled(lot_of(Ended(RECORD, CallType.TRACK, Fate.DELIVERED)), turn % 90)
        subject.polled(1, 0)
        if turn % 50 == 0:
            subject.delivered(a_delivery(Answered((Verdict.ACCEPTED,))))
            partitions: Mapping[TopicPartition, float] = {TopicPartition("t", turn): 1.0, P0: 2.0}
            subject.gauges(
                Gauges(1, 1, {P0: turn}, partitions, {}, 0, {}, {}, None, 1.0, 0),
            )
    done.set()
    for thread in threads:
        thread.join(timeout=30)

    assert failures == []
    assert samples(subject)["streamer_events_total", ("track", "delivered")] == 4000


def _checked(scraped: list[Family]) -> Iterator[tuple[str, float]]:
    """Counters of one scrape, after its histograms were found to add up."""
    for family in scraped:
        if family.type == "histogram":
            by_series: dict[tuple[str, ...], list[float]] = {}
            for sample in family.samples:
                if sample.name.endswith("_bucket"):
                    labels = tuple(value for label, value in sample.labels.items() if label != "le")
                    by_series.setdefault(labels, []).append(sample.value)
            for cumulated in by_series.values():
                assert cumulated == sorted(cumulated)
        if family.type == "counter" and family.name.startswith("streamer"):
            for sample in family.samples:
                yield f"{sample.name} {sorted(sample.labels.items())}", sample.value


def test_every_metric_is_documented() -> None:
    """The table of the docs has one row for each metric, in the catalogue's order."""
    rows = metrics_markdown_table().splitlines()[2:]

    assert [row.split("`")[1] for row in rows] == [metric.name for metric in CATALOGUE]
