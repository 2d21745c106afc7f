"""Settings that are fine alone and wrong together, each with the sentence that says so. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

from streamer.config.fields import variable_name
from streamer.config.settings import Settings
from streamer.config.values import GroupProtocol, PlanhatMode

ANSWER_MARGIN_SECONDS = 10
"""What a drain needs beyond the longest request: dead letters acknowledged, then the last commit."""

LEAVE_MARGIN_SECONDS = 20
"""What leaving the group may take after a drain, where Kafka hangs."""

OWN_SETTINGS = {
    "session.timeout.ms": "session_timeout_seconds",
    "max.poll.interval.ms": "max_poll_interval_seconds",
    "group.protocol": "kafka_group_protocol",
    "group.instance.id": "kafka_group_instance_id",
}
"""Properties for librdkafka that are settings here, because other rules depend on them."""

ONLY_MEANT_FOR_API_MODE = (
    "planhat_subdomain",
    "planhat_api_url",
    "planhat_analytics_url",
    "planhat_calls_per_minute",
    "unassigned",
    "unchanged_ttl",
    "link",
    "bulk_items",
    "activity_bulk_items",
)
"""Where one is set and no mode, somebody means api mode, and the API token is what is missing.

These say where the API is, what is asked of it, or what is written there. What merely tunes a request
(`table.ONLY_IN_API_MODE` has all that say nothing) may be left from a common file: a warning is enough.
"""

OTHER_PROTOCOLS = {
    GroupProtocol.CONSUMER: ("heartbeat.interval.ms", "the broker says how often a member is heard"),
    GroupProtocol.CLASSIC: ("group.remote.assignor", "the members share the partitions out themselves"),
}
"""The property that says nothing with this protocol, and why."""


class Contradiction(NamedTuple):
    """The fields that disagree, and why they may not."""

    fields: tuple[str, ...]
    problem: str


def contradictions(settings: Settings) -> list[Contradiction]:
    """Every rule the settings break, in the order of the table; `sources` must say which are set."""
    return [*_mode(settings), *_deadlines(settings), *_sizes(settings), *_places(settings)]


def _clash(settings: Settings, first: str, second: str, why: str) -> Contradiction:
    pair = ", ".join(f"{variable_name(field)}={getattr(settings, field)}" for field in (first, second))
    return Contradiction((first, second), f"{pair}: {why}")


def _mode(settings: Settings) -> Iterator[Contradiction]:
    if settings.planhat_mode is PlanhatMode.API and settings.planhat_api_token is None:
        mode, token = variable_name("planhat_mode"), variable_name("planhat_api_token")
        problem = f"{mode}=api needs {token}: set it, or choose passthrough"
        yield Contradiction(("planhat_mode", "planhat_api_token"), problem)
    if settings.planhat_mode is PlanhatMode.PASSTHROUGH and "planhat_mode" not in settings.sources:
        yield from _forgotten_token(settings)


def _forgotten_token(settings: Settings) -> Iterator[Contradiction]:
    """Without an API token calls are forwarded: not what somebody wants who says how to use the API."""
    sources, mode, token = settings.sources, variable_name("planhat_mode"), variable_name("planhat_api_token")
    what_to_do = f"set {token}, or, if calls are to be forwarded, {mode}=passthrough"
    for field in ONLY_MEANT_FOR_API_MODE:
        if field in sources:
            problem = (
                f"{variable_name(field)} is set, which says nothing without {token} (that is passthrough "
                f"mode): {what_to_do}"
            )
            yield Contradiction((field, "planhat_mode", "planhat_api_token"), problem)
    if settings.mapping_file is not None and settings.mapping_file.maps:
        problem = (
            f"{variable_name('mapping_file')}={settings.mapping_file} has rules beside `[events]`, "
            f"which say nothing without {token} (that is passthrough mode): {what_to_do}"
        )
        yield Contradiction(("mapping_file", "planhat_mode", "planhat_api_token"), problem)


def _deadlines(settings: Settings) -> Iterator[Contradiction]:
    drain, poll_interval = settings.drain_seconds, settings.max_poll_interval_seconds
    for request in ("http_main_seconds", "http_analytics_seconds"):
        if drain < getattr(settings, request) + ANSWER_MARGIN_SECONDS:
            why = (
                f"a drain must outlast the longest request by {ANSWER_MARGIN_SECONDS} s, or answers on their "
                "way are lost and their events sent twice"
            )
            yield _clash(settings, "drain_seconds", request, why)
    if drain > poll_interval / 2:
        why = "a drain may take at most half of the poll interval, or Kafka expels us while we finish"
        yield _clash(settings, "drain_seconds", "max_poll_interval_seconds", why)
    if settings.grace_seconds <= drain:
        why = "the orchestrator must wait longer than a drain takes, or it kills us before the last commit"
        yield _clash(settings, "grace_seconds", "drain_seconds", why)
    if settings.stuck_seconds < drain + LEAVE_MARGIN_SECONDS:
        why = (
            f"a drain, and {LEAVE_MARGIN_SECONDS} s to leave the group, are no standstill: the program "
            "would be killed before its last commit"
        )
        yield _clash(settings, "stuck_seconds", "drain_seconds", why)
    if settings.stuck_seconds >= poll_interval:
        why = "a standstill must be told before Kafka expels us for it"
        yield _clash(settings, "stuck_seconds", "max_poll_interval_seconds", why)
    if settings.session_timeout_seconds > poll_interval:
        why = "the session time-out may not exceed the poll interval"
        yield _clash(settings, "session_timeout_seconds", "max_poll_interval_seconds", why)


def _sizes(settings: Settings) -> Iterator[Contradiction]:
    for bulk, water in (
        ("bulk_items", "high_water_records"),
        ("activity_bulk_items", "high_water_records"),
        ("bulk_bytes", "high_water_bytes"),
        ("activity_bulk_bytes", "high_water_bytes"),
    ):
        if getattr(settings, bulk) > getattr(settings, water) / 4:
            why = "one request may hold at most a quarter of high water, or reading stops before it is full"
            yield _clash(settings, bulk, water, why)
    for bulk in ("bulk_bytes", "activity_bulk_bytes"):
        if settings.max_event_bytes > getattr(settings, bulk):
            yield _clash(settings, "max_event_bytes", bulk, "the largest event must fit into one request")


def _places(settings: Settings) -> Iterator[Contradiction]:
    if settings.kafka_dead_letter_topic == settings.kafka_topic:
        why = "dead letters would be read again as events; name another topic"
        yield _clash(settings, "kafka_dead_letter_topic", "kafka_topic", why)
    for name, field in OWN_SETTINGS.items():
        if name in settings.kafka_properties:
            where, instead = variable_name("kafka_properties"), variable_name(field)
            problem = f"{where} sets {name}, which other rules depend on: set {instead} instead"
            yield Contradiction(("kafka_properties", field), problem)
    name, why = OTHER_PROTOCOLS[settings.kafka_group_protocol]
    if name in settings.kafka_properties:
        protocol = f"{variable_name('kafka_group_protocol')}={settings.kafka_group_protocol.value}"
        problem = f"{variable_name('kafka_properties')} sets {name}, but with {protocol} {why}: remove it"
        yield Contradiction(("kafka_properties", "kafka_group_protocol"), problem)
    user, password = "schema_registry_user", "schema_registry_password"
    if (settings.schema_registry_user is None) != (settings.schema_registry_password is None):
        both = f"{variable_name(user)} and {variable_name(password)}"
        yield Contradiction((user, password), f"{both}: set both or neither")
    for field in (user, password, "schema_registry_ca"):
        if getattr(settings, field) is not None and settings.schema_registry_url is None:
            url = variable_name("schema_registry_url")
            yield Contradiction(
                (field, "schema_registry_url"),
                f"{variable_name(field)} is set without {url}: set the URL, or remove it",
            )
