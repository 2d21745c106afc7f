"""The one place that builds everything, and the only one that knows all rooms.

`run` is the service, `check` verifies what `run` needs and says so. Both answer with an exit code or
raise a StreamerError that carries one.
"""

import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Final

from streamer.avro.decoder import Decoder
from streamer.avro.registry import Registry
from streamer.avro.registry_client import RegistryClient
from streamer.avro.schemas import load_schemas
from streamer.config import OnHold, Settings, StartAt, reload_secrets, settings_table, settings_warnings
from streamer.engine.limits import BulkLimits, Limits
from streamer.engine.loop import Streamer
from streamer.engine.ports import Delivery, Gauges, Observer
from streamer.errors import PlanhatMisconfigured, SettingsError
from streamer.kafka.dead_letters import KafkaDeadLetters
from streamer.kafka.source import KafkaSource
from streamer.kafka.start import check_topics, resolve_start
from streamer.logs import Event, LogObserver, Observers, log
from streamer.metrics import Metrics, registry_of
from streamer.outcomes import Answered, Endpoint, Misconfigured, MisconfiguredReason
from streamer.planhat.client import Client, trusted_authorities
from streamer.planhat.credentials import Credentials
from streamer.planhat.probe import Probed, probe
from streamer.planhat.requests import encode_operation
from streamer.planhat.sink import PlanhatSink
from streamer.records import TopicPartition
from streamer.server import Health, Server, recent_poll

EXIT_CLEAN: Final = 0
SINK_CLOSE_SECONDS: Final = 1.0
LIVE_MARGIN_SECONDS: Final = 60.0
"""On top of the longest path on which the owner does not poll: handing partitions over."""


class SystemClock:
    """The machine's own clock."""

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return time.monotonic()

    def time(self) -> float:
        """Seconds since 1970."""
        return time.time()


def run(settings: Settings) -> int:
    """Stream until told to stop. The log must be configured."""
    log(Event.SETTINGS_EFFECTIVE, None, **{row.name: row.value for row in settings_table(settings)})
    for doubt in settings_warnings(settings):
        log(Event.SETTING_DOUBTED, doubt=doubt)
    with ExitStack() as stack:
        decoder = _decoder(settings)
        stack.callback(decoder.close)
        _verify(settings)
        metrics = Metrics(mode=settings.planhat_mode.value)
        streamer, source = _build(settings, decoder, metrics, stack)
        port = _serve(settings, streamer, source, metrics, stack)
        log(Event.SERVING, host=settings.http_host, port=port)
        log(
            Event.STARTED,
            topic=settings.kafka_topic,
            group=settings.kafka_group_id,
            mode=settings.planhat_mode.value,
        )
        with _signals(streamer.stop):
            streamer.run()
    log(Event.STOPPED)
    return EXIT_CLEAN


def check(settings: Settings) -> int:
    """Verify everything `run` needs, one line each, and change nothing."""
    rows = settings_table(settings)
    chosen = sum(row.source != "default" for row in rows)
    _say("settings", f"{chosen} set, {len(rows) - chosen} defaulted, mode {settings.planhat_mode.value}")
    for doubt in settings_warnings(settings):
        _say("settings", doubt, well=False)
    decoder = _decoder(settings)
    try:
        _say("schemas", f"{len(load_schemas())} bundled")
        if settings.schema_registry_url is not None:
            decoder.check()
            _say("registry", settings.schema_registry_url)
    finally:
        decoder.close()
    for topic, partitions in _check_topics(settings).items():
        _say("topic", f"{topic}, {partitions} partitions")
    answered = _probe(settings)
    if isinstance(answered.answer, Answered):
        _say("planhat", f"API token accepted by {settings.planhat_api_url}")
    elif _ends_start(answered):
        raise _refused(settings, answered)
    else:
        _say("planhat", f"not verified: {answered.detail}", well=False)
    _say("tenant", "cannot be verified: Planhat's analytics host answers 200 to any tenant token", well=False)
    return EXIT_CLEAN


def _say(what: str, words: str, *, well: bool = True) -> None:
    print(f"{what:<10} {'ok' if well else '--':<4} {words}", flush=True)  # noqa: T201 - the answer of `check`


# --- verifying --------------------------------------------------------------------------------------


def _check_topics(settings: Settings) -> Mapping[str, int]:
    topics = [settings.kafka_topic, settings.kafka_dead_letter_topic]
    return check_topics(settings.kafka_bootstrap_servers, topics, settings.kafka_properties)


def _verify(settings: Settings) -> None:
    """What must hold before the first poll; a Planhat that is away for now is no reason not to start."""
    _check_topics(settings)
    answered = _probe(settings)
    if _ends_start(answered):
        raise _refused(settings, answered)
    resolve_start(
        settings.kafka_bootstrap_servers,
        settings.kafka_group_id,
        settings.kafka_topic,
        _start_text(settings),
        settings.kafka_properties,
    )


def _start_text(settings: Settings) -> str | None:
    start = settings.start
    if start is None or isinstance(start, StartAt):
        return None if start is None else start.value
    return start.isoformat()


def _probe(settings: Settings) -> Probed:
    client = Client(trusted_authorities(), deadline_seconds=settings.http_main_seconds)
    try:
        return probe(client, settings.planhat_api_url, _credentials(settings))
    finally:
        client.close()


def _ends_start(answered: Probed) -> bool:
    """A 403 only says that this token may not read endusers, which is not needed."""
    return (
        isinstance(answered.answer, Misconfigured)
        and answered.answer.reason is not MisconfiguredReason.PERMISSION
    )


def _refused(settings: Settings, answered: Probed) -> PlanhatMisconfigured:
    return PlanhatMisconfigured(
        f"{settings.planhat_api_url} refused us ({answered.detail}). Nothing was read or sent. Check "
        "STREAMER_PLANHAT_API_TOKEN, and that STREAMER_PLANHAT_SUBDOMAIN is the tenant's region: a wrong "
        "region answers like a wrong token."
    )


# --- building ---------------------------------------------------------------------------------------


def _decoder(settings: Settings) -> Decoder:
    registry = None
    if settings.schema_registry_url is not None:
        password = settings.schema_registry_password
        ca = settings.schema_registry_ca
        client = RegistryClient(
            settings.schema_registry_url,
            user=settings.schema_registry_user,
            password=None if password is None else password.get_secret_value(),
            ca_file=None if ca is None else Path(ca),
        )
        registry = Registry(client, time.monotonic)
    return Decoder(
        load_schemas(),
        registry=registry,
        value_format=settings.kafka_value_format,
        max_bytes=settings.max_event_bytes,
    )


def _credentials(settings: Settings) -> Credentials:
    return Credentials(
        settings.planhat_api_token.get_secret_value(), settings.planhat_tenant_token.get_secret_value()
    )


class _CredentialReader:
    """The tokens now: those of the settings, and whatever their files say when asked again."""

    def __init__(self, settings: Settings) -> None:
        self._current = _credentials(settings)
        self._is_first = True

    def __call__(self) -> Credentials:
        """Read the tokens; when that fails the ones in force stay."""
        if self._is_first:
            self._is_first = False
            return self._current
        try:
            tokens = reload_secrets()
        except SettingsError as error:
            log(Event.CREDENTIALS_REFRESHED, problem=str(error), next="the tokens in force stay")
            return self._current
        self._current = Credentials(tokens.api.get_secret_value(), tokens.tenant.get_secret_value())
        log(Event.CREDENTIALS_REFRESHED)
        return self._current


class _Told(Observers):
    """Every observer, and the count of unread records: it may only be asked for on the owner thread."""

    def __init__(self, source: KafkaSource, *observers: Observer) -> None:
        super().__init__(*observers)
        self._source = source
        self.unread: Mapping[TopicPartition, int] = {}

    def gauges(self, gauges: Gauges) -> None:
        """Pass on, and look at the unread."""
        self.unread = dict(self._source.unread())
        super().gauges(gauges)


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
        drain_seconds=settings.drain_seconds,
        calls_per_minute=settings.planhat_calls_per_minute,
        extra_calls_ratio=settings.extra_calls_ratio,
        bulks={Endpoint.COMPANIES: main, Endpoint.ENDUSERS: main, Endpoint.ACTIVITIES: activities},
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
    )


def consumer_properties(settings: Settings) -> dict[str, str]:
    """The operator's librdkafka properties, on top of those that are settings of their own."""
    properties = {"max.poll.interval.ms": str(int(settings.max_poll_interval_seconds * 1000))}
    if settings.kafka_properties.get("group.protocol", "").lower() != "consumer":
        properties["session.timeout.ms"] = str(int(settings.session_timeout_seconds * 1000))
    return properties | dict(settings.kafka_properties)


def _build(
    settings: Settings, decoder: Decoder, metrics: Metrics, stack: ExitStack
) -> tuple[Streamer, KafkaSource]:
    clock = SystemClock()
    servers, group = settings.kafka_bootstrap_servers, settings.kafka_group_id
    source = KafkaSource(servers, group, settings.kafka_topic, consumer_properties(settings))
    letters = KafkaDeadLetters(servers, settings.kafka_dead_letter_topic, group, settings.kafka_properties)
    stack.callback(letters.close)
    streamers: list[Streamer] = []

    def may_send() -> bool:
        # A process that was stopped for longer than its session (SIGSTOP, a frozen node) wakes up with
        # its partitions gone and must not send what their new owner sends.
        return clock.monotonic() - streamers[0].last_poll_at < settings.session_timeout_seconds

    sink = PlanhatSink(
        api_url=settings.planhat_api_url,
        analytics_url=settings.planhat_analytics_url,
        read_credentials=_CredentialReader(settings),
        may_send=may_send,
        make_delivery=Delivery,
        main_deadline_seconds=settings.http_main_seconds,
        analytics_deadline_seconds=settings.http_analytics_seconds,
        activity_workers=settings.activity_workers,
    )
    stack.callback(partial(sink.close, SINK_CLOSE_SECONDS))
    told = _Told(source, metrics, LogObserver())
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
    )
    streamers.append(streamer)

    def last_poll() -> float:
        return clock.time() - (clock.monotonic() - streamer.last_poll_at)

    metrics.watch(unread=lambda: told.unread, last_poll=last_poll)
    return streamer, source


def _serve(
    settings: Settings, streamer: Streamer, source: KafkaSource, metrics: Metrics, stack: ExitStack
) -> int:
    alive = recent_poll(
        lambda: streamer.last_poll_at, time.monotonic, settings.drain_seconds + LIVE_MARGIN_SECONDS
    )

    def ready() -> Health:
        if source.has_joined:
            return Health(is_well=True, reason="the group has been joined")
        return Health(is_well=False, reason="the group has not been joined yet")

    server = Server(settings.http_host, settings.http_port, registry_of(metrics), alive, ready)
    port = server.start()
    stack.callback(server.stop)
    return port


@contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    """SIGTERM and SIGINT ask for an end in order; a second one ends at once."""

    def ask(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        log(Event.STOP_REQUESTED, signal=signal.Signals(number).name)
        stop()

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
