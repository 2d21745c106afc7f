"""Building the parts and putting them together."""

import random
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from streamer.app.awaited_schemas import AwaitedSchemas
from streamer.app.told import Told
from streamer.avro.decoder import Decoder
from streamer.avro.registry import Registry
from streamer.avro.registry_client import RegistryClient
from streamer.avro.schemas import load_schemas
from streamer.config import (
    AvroReader,
    GroupProtocol,
    OnHold,
    PlanhatMode,
    Settings,
    SettledOverflow,
    Tracing,
    reload_secrets,
)
from streamer.engine.limits import DEFAULT_BULKS, BulkLimits, Limits
from streamer.engine.loop import Streamer
from streamer.engine.ports import Delivery
from streamer.errors import SettingsError
from streamer.events.parse import FIELDS_READ
from streamer.kafka.dead_letters import KafkaDeadLetters
from streamer.kafka.source import KafkaSource
from streamer.logs import Event, Level, LogObserver, log, redact_also
from streamer.metrics import Metrics
from streamer.outcomes import Endpoint
from streamer.planhat.credentials import Credentials
from streamer.planhat.items import encode_operation
from streamer.planhat.sink import MakeDelivery, PlanhatSink

SINK_CLOSE_SECONDS: Final = 1.0


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return time.monotonic()

    def time(self) -> float:
        """Seconds since 1970."""
        return time.time()


def decoder_of(
    settings: Settings,
    *,
    wanted: Collection[str] | None = None,
    told: Callable[[str, str], None] = lambda _schema_id, _why: None,
) -> Decoder:
    """A decoder over the bundled schemas and, where one is set, the registry; for the last two see there."""
    registry = None
    if settings.schema_registry_url is not None:
        client = RegistryClient(settings.schema_registry_url, **registry_access(settings))
        registry = Registry(client, time.monotonic)
    return Decoder(
        load_schemas(),
        registry=registry,
        value_format=settings.kafka_value_format,
        max_bytes=settings.max_event_bytes,
        makes_readers=settings.avro_reader is AvroReader.MADE,
        wanted=wanted,
        told=told,
    )


def registry_access(settings: Settings) -> dict[str, Any]:
    """What whoever asks the registry is given beside its URL."""
    password, ca = settings.schema_registry_password, settings.schema_registry_ca
    return {
        "user": settings.schema_registry_user,
        "password": None if password is None else password.get_secret_value(),
        "ca_file": None if ca is None else Path(ca),
    }


def wanted_fields(settings: Settings) -> Collection[str] | None:
    """The fields that tell what becomes of an event; None for all: a forwarded call goes as it came."""
    return None if settings.rules.forwards else FIELDS_READ


def tell_unmade(schema_id: str, why: str) -> None:
    """Tell that fastavro reads the records of a schema, and why."""
    log(Event.READER_NOT_MADE, schema_id=schema_id, reason=why)


def credentials_of(settings: Settings) -> Credentials:
    """The tokens read at start."""
    api_token = settings.planhat_api_token
    return Credentials(
        None if api_token is None else api_token.get_secret_value(),
        settings.planhat_tenant_token.get_secret_value(),
    )


class _CredentialReader:
    """The tokens now: those of the settings, and whatever their files say when asked again."""

    def __init__(self, settings: Settings) -> None:
        self._current = credentials_of(settings)
        self._is_first = True

    def __call__(self) -> Credentials:
        """Read the tokens; when that fails the ones in force stay."""
        if self._is_first:
            self._is_first = False
            return self._current
        try:
            tokens = reload_secrets()
        except SettingsError as error:
            problem = str(error)
            log(Event.CREDENTIALS_REFRESHED, Level.WARNING, problem=problem, next="the tokens in force stay")
            return self._current
        api_token = None if tokens.api is None else tokens.api.get_secret_value()
        self._current = Credentials(api_token, tokens.tenant.get_secret_value())
        redact_also([token for token in (api_token, self._current.tenant_token) if token is not None])
        log(Event.CREDENTIALS_REFRESHED)
        return self._current


def limits_of(settings: Settings) -> Limits:
    """The engine's numbers."""
    main = BulkLimits(settings.bulk_items, settings.bulk_bytes, settings.linger_seconds, flights=1)
    activities = BulkLimits(
        settings.activity_bulk_items,
        settings.activity_bulk_bytes,
        settings.linger_seconds,
        flights=settings.activity_workers,
    )
    holds_on = settings.on_hold is OnHold.HOLD
    return Limits(
        high_water_records=settings.high_water_records,
        high_water_bytes=settings.high_water_bytes,
        low_water_ratio=settings.low_water_ratio,
        still_seconds=settings.still_seconds,
        stuck_ratio=settings.stuck_ratio,
        commit_interval_seconds=settings.commit_interval_seconds,
        commit_records=settings.commit_records,
        pauses_on_overflow=settings.settled_overflow is SettledOverflow.PAUSE,
        membership_seconds=membership_seconds(settings),
        duplicates_window=settings.duplicates_window,
        duplicates_seconds=settings.duplicates_seconds,
        drain_seconds=settings.drain_seconds,
        calls_per_minute=settings.planhat_calls_per_minute,
        start_calls=0.0,  # the probe of the start was the one
        extra_calls_ratio=settings.extra_calls_ratio,
        bulks={
            Endpoint.COMPANIES: main,
            Endpoint.ENDUSERS: main,
            Endpoint.ACTIVITIES: activities,
            Endpoint.METRICS: activities,
            Endpoint.DELETIONS: DEFAULT_BULKS[Endpoint.DELETIONS],
            Endpoint.SEGMENT: replace(DEFAULT_BULKS[Endpoint.SEGMENT], flights=settings.segment_workers),
        },
        unchanged_seconds=settings.unchanged_ttl,
        unchanged_endusers=settings.unchanged_endusers,
        revived_endusers=settings.revived_endusers,
        probe_operations=settings.probe_operations,
        gate_longest_seconds=settings.gate_longest_seconds,
        throttled_longest_seconds=settings.throttled_longest_seconds,
        isolation_calls=settings.isolation_calls,
        alone_refusals=settings.alone_refusals,
        alone_seconds=settings.alone_seconds,
        duplicated_tries=settings.duplicated_tries,
        duplicated_seconds=settings.duplicated_seconds,
        dead_letter_window=settings.dead_letter_window,
        dead_letter_ratio=settings.dead_letter_ratio,
        on_hold_exit_seconds=None if holds_on else settings.on_hold_exit_seconds,
        hold_probe_seconds=settings.hold_probe_seconds,
        unassigned_company=None if settings.unassigned == "discard" else settings.unassigned,
        tells_origin=settings.tracing is not Tracing.OFF,
    )


def sink_of(
    settings: Settings, membership: Callable[[], int | None], make_delivery: MakeDelivery = Delivery
) -> PlanhatSink:
    """Planhat, at the settings' addresses; nothing is sent while `membership` has no number."""
    return PlanhatSink(
        api_url=settings.planhat_api_url,
        analytics_url=settings.planhat_analytics_url,
        read_credentials=_CredentialReader(settings),
        membership=membership,
        make_delivery=make_delivery,
        main_deadline_seconds=settings.http_main_seconds,
        analytics_deadline_seconds=settings.http_analytics_seconds,
        segment_url=settings.planhat_segment_url,
        workers=_workers(settings),
    )


def _workers(settings: Settings) -> dict[Endpoint, int]:
    """Requests under way at once: no mode sends to the endpoints of the other."""
    is_forwarding = settings.planhat_mode is PlanhatMode.PASSTHROUGH
    limits = limits_of(settings)
    return {
        endpoint: limits.bulk(endpoint).flights
        for endpoint in Endpoint
        if (endpoint is Endpoint.SEGMENT) is is_forwarding
    }


def reader_properties(settings: Settings) -> dict[str, str]:
    """The operator's librdkafka properties, for whoever reads without being a member of the group."""
    own = {"max.poll.interval.ms": str(int(settings.max_poll_interval_seconds * 1000))}
    return own | dict(settings.kafka_properties)


def member_properties(settings: Settings) -> dict[str, str]:
    """The same for a member of the group, by the group's protocol."""
    own = {"group.protocol": settings.kafka_group_protocol.value}
    if settings.kafka_group_protocol is GroupProtocol.CLASSIC:
        own["session.timeout.ms"] = str(int(settings.session_timeout_seconds * 1000))
    if settings.kafka_group_instance_id is not None:
        own["group.instance.id"] = settings.kafka_group_instance_id
    return reader_properties(settings) | own


def membership_seconds(settings: Settings) -> float:
    """How long an acknowledged commit proves that our partitions are still ours.

    In the classic protocol a commit prolongs the session. In the newer one only heartbeats do, and the
    last one may be older than the commit by its interval: at most a third of the session, by Kafka's advice.
    """
    is_classic = settings.kafka_group_protocol is GroupProtocol.CLASSIC
    return settings.session_timeout_seconds * (1 if is_classic else 2 / 3)


def build(
    settings: Settings,
    decoder: Decoder,
    metrics: Metrics,
    topic_partitions: int,
    make_delivery: MakeDelivery,
    stack: ExitStack,
) -> tuple[Streamer, KafkaSource]:
    """The engine and all its parts; `stack` closes them. `topic_partitions`: how many there are at start."""
    clock = SystemClock()
    servers, group = settings.kafka_bootstrap_servers, settings.kafka_group_id
    source = KafkaSource(servers, group, settings.kafka_topic, member_properties(settings))
    letters = KafkaDeadLetters(servers, settings.kafka_dead_letter_topic, group, settings.kafka_properties)
    stack.callback(letters.close)
    streamers: list[Streamer] = []

    def membership() -> int | None:
        # The owner asks the same before it hands a batch out; a freeze may lie between that and this.
        return streamers[0].membership.proved(clock.monotonic())

    sink = sink_of(settings, membership, make_delivery)
    stack.callback(partial(sink.close, SINK_CLOSE_SECONDS))
    awaited_schemas = AwaitedSchemas(decoder)
    is_metered = settings.planhat_mode is PlanhatMode.API
    told = Told(source, awaited_schemas, clock.time, metrics, LogObserver(), is_metered=is_metered)
    streamer = Streamer(
        limits=limits_of(settings),
        rules=settings.rules,
        source=source,
        decoder=decoder,
        encode=encode_operation,
        sink=sink,
        dead_letters=letters,
        observer=told,
        clock=clock,
        dice=random.random,
        # Counted at start, so that the first call needs no waiting; then librdkafka tells of added ones.
        topic_partitions=lambda: max(topic_partitions, source.topic_partitions),
    )
    streamers.append(streamer)

    def last_poll() -> float:
        return clock.time() - (clock.monotonic() - streamer.last_poll_at)

    metrics.watch(
        kafka=lambda: told.kafka, last_poll=last_poll, awaited_schemas=lambda: awaited_schemas.by_reason
    )
    return streamer, source
