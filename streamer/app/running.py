"""`streamer run`: the service, from its settings to its last commit."""

import time
from contextlib import ExitStack
from typing import Final

from streamer.app.building import build, decoder_of, tell_unmade, wanted_fields
from streamer.app.garbage import CycleLooks
from streamer.app.signals import stop_on_signal
from streamer.app.tracing import make_delivery_of
from streamer.app.verifying import verify
from streamer.app.watchdog import Watchdog, log_stacks
from streamer.avro.registry_http import ADVICE
from streamer.config import Settings, secret_values, settings_table, settings_warnings
from streamer.engine.loop import Streamer
from streamer.kafka.source import KafkaSource
from streamer.logs import Event, Redaction, log
from streamer.metrics import Metrics, registry_of
from streamer.server import Health, Server, recent_poll
from streamer.status import Fixed, StatusPage

EXIT_CLEAN: Final = 0


def run(settings: Settings) -> int:
    """Stream until told to stop. The log must be configured."""
    with stop_on_signal() as request, ExitStack() as stack:
        log(Event.SETTINGS_EFFECTIVE, None, **{row.name: row.value for row in settings_table(settings)})
        for doubt in settings_warnings(settings):
            log(Event.SETTING_DOUBTED, doubt=doubt)
        metrics = Metrics(mode=settings.planhat_mode.value)
        make_delivery = make_delivery_of(settings, stack, metrics.spans_dropped)
        decoder = decoder_of(settings, wanted=wanted_fields(settings), told=tell_unmade)
        stack.callback(decoder.close)
        partitions = verify(settings)
        streamer, source = build(settings, decoder, metrics, partitions, make_delivery, stack)
        request.tell(streamer.stop)
        _watch(settings, streamer, stack)
        port = _serve(settings, streamer, source, metrics, stack)
        log(Event.SERVING, host=settings.http_host, port=port)
        log(
            Event.STARTED,
            topic=settings.kafka_topic,
            group=settings.kafka_group_id,
            mode=settings.planhat_mode.value,
        )
        looks = CycleLooks()
        looks.start()
        stack.callback(looks.stop)
        streamer.run()
    log(Event.STOPPED)
    return EXIT_CLEAN


def _watch(settings: Settings, streamer: Streamer, stack: ExitStack) -> None:
    watchdog = Watchdog(
        lambda: streamer.last_poll_at, settings.stuck_seconds, log_stacks(settings.stuck_seconds)
    )
    watchdog.start()
    stack.callback(watchdog.stop)


def _serve(
    settings: Settings, streamer: Streamer, source: KafkaSource, metrics: Metrics, stack: ExitStack
) -> int:
    alive = recent_poll(lambda: streamer.last_poll_at, time.monotonic, settings.stuck_seconds)

    def ready() -> Health:
        if source.has_joined:
            return Health(is_well=True, reason="the group has been joined")
        return Health(is_well=False, reason="the group has not been joined yet")

    status = StatusPage(metrics, fixed_of(settings, time.time()))
    pages = {"/": status.html, "/status.json": status.json}
    server = Server(settings.http_host, settings.http_port, registry_of(metrics), alive, ready, pages)
    port = server.start()
    stack.callback(server.stop)
    return port


def fixed_of(settings: Settings, started_at: float) -> Fixed:
    """What the status page tells of the settings: masked, and with every secret struck out as in the log."""
    struck = Redaction(secret_values(settings)).text
    return Fixed(
        topic=struck(settings.kafka_topic),
        group=struck(settings.kafka_group_id),
        started_at=started_at,
        stuck_seconds=settings.stuck_seconds,
        session_seconds=settings.session_timeout_seconds,
        settings=[row._replace(value=struck(row.value)) for row in settings_table(settings)],
        schema_advice=ADVICE,
    )
