"""`streamer check`: verify everything `run` needs, one line each, and change nothing."""

from typing import Final

from streamer.app.building import decoder_of
from streamer.app.tracing import tracing_of
from streamer.app.verifying import (
    ends_start,
    has_place,
    partitions_by_topic,
    probe_deletions,
    probe_planhat,
    refused,
    verify_access,
)
from streamer.avro.schemas import load_schemas
from streamer.config import PlanhatMode, Settings, Tracing, settings_table, settings_warnings
from streamer.outcomes import Answered

EXIT_CLEAN: Final = 0


def check(settings: Settings) -> int:
    """Verify everything `run` needs, one line each, and change nothing."""
    rows = settings_table(settings)
    chosen = sum(row.source != "default" for row in rows)
    _say("settings", f"{chosen} set, {len(rows) - chosen} defaulted, mode {settings.planhat_mode.value}")
    for doubt in settings_warnings(settings):
        _say("settings", doubt, well=False)
    _check_files(settings)
    _check_tracing(settings)
    decoder = decoder_of(settings)
    try:
        _say("schemas", f"{len(load_schemas())} bundled")
        if settings.schema_registry_url is not None:
            decoder.check()
            _say("registry", settings.schema_registry_url)
    finally:
        decoder.close()
    verify_access(settings)
    for topic, partitions in partitions_by_topic(settings).items():
        _say("topic", f"{topic}, {partitions} partitions")
    group = settings.kafka_group_id
    if has_place(settings):
        _say("start", f"{group} goes on from its committed offsets")
    else:
        _say("start", f"{group} is new and begins at {settings.start}")
    answered = probe_planhat(settings)
    is_forwarding = settings.planhat_mode is PlanhatMode.PASSTHROUGH
    if isinstance(answered.answer, Answered) and is_forwarding:
        _say("planhat", f"requests taken by {settings.planhat_segment_url}/dock/segment ({answered.detail})")
    elif isinstance(answered.answer, Answered):
        _say("planhat", f"API token accepted by {settings.planhat_api_url}")
    elif ends_start(answered):
        raise refused(settings, answered)
    else:
        _say("planhat", f"not verified: {answered.detail}", well=False)
    _check_deletions(settings)
    host = "Segment endpoint may answer" if is_forwarding else "analytics host answers"
    _say("tenant", f"cannot be verified: Planhat's {host} 200 to any tenant token", well=False)
    return EXIT_CLEAN


def _check_deletions(settings: Settings) -> None:
    answered = probe_deletions(settings)
    if answered is None:
        return
    if isinstance(answered.answer, Answered):
        _say("deletions", f"to delete nobody was not refused ({answered.detail})")
    else:
        _say("deletions", f"not verified that the token may delete: {answered.detail}", well=False)


def _check_files(settings: Settings) -> None:
    """They were read with the settings; what is doubtful in them is no mistake."""
    if settings.mapping_file is not None:
        _say("mapping", str(settings.mapping_file))
        for warning in settings.mapping_file.warnings:
            _say("mapping", str(warning), well=False)
    if settings.suppression_file is not None:
        _say("suppressed", str(settings.suppression_file))


def _check_tracing(settings: Settings) -> None:
    """A collector that is away costs spans alone, so it is no reason not to start."""
    if settings.tracing is Tracing.OFF:
        return
    made, collector = tracing_of()
    try:
        if collector.is_disabled:
            _say("tracing", "no span is made: OTEL_SDK_DISABLED is true", well=False)
        elif made.reaches_collector():
            _say("tracing", f"spans go to {collector.shown_endpoint}")
        else:
            _say("tracing", f"spans would be lost: {collector.shown_endpoint} takes none", well=False)
    finally:
        made.close()


def _say(what: str, words: str, *, well: bool = True) -> None:
    print(f"{what:<10} {'ok' if well else '--':<4} {words}", flush=True)  # noqa: T201 - the answer of `check`
