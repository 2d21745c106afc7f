"""What must hold before the first poll: broker, topics, a start, and a Planhat that knows us."""

from collections.abc import Mapping

from streamer.app.building import credentials_of
from streamer.config import PlanhatMode, Settings, StartAt
from streamer.errors import PlanhatMisconfigured
from streamer.kafka.access import check_access, missing_needs
from streamer.kafka.permissions import Need, Resource, needs_of, wishes_of
from streamer.kafka.start import check_start, check_topics, resolve_start
from streamer.outcomes import Misconfigured, MisconfiguredReason
from streamer.planhat.client import Client, trusted_authorities
from streamer.planhat.probe import Probed, probe, probe_deletion, probe_segment
from streamer.transform.choices import Deletion


def verify_access(settings: Settings, command: str = "run") -> None:
    """Whether the cluster allows what a command needs. Raises SourceError that names every ACL missing."""
    needs = needs_of(command, _names(settings))
    check_access(settings.kafka_bootstrap_servers, settings.kafka_group_id, needs, settings.kafka_properties)


def missing_access(settings: Settings, command: str) -> list[Need]:
    """What a command does without, and is not allowed. Raises SourceError where the cluster is away."""
    wishes = wishes_of(command, _names(settings))
    return missing_needs(
        settings.kafka_bootstrap_servers, settings.kafka_group_id, wishes, settings.kafka_properties
    )


def _names(settings: Settings) -> Mapping[Resource, str]:
    return {
        Resource.EVENTS: settings.kafka_topic,
        Resource.LETTERS: settings.kafka_dead_letter_topic,
        Resource.GROUP: settings.kafka_group_id,
        Resource.REPLAY_GROUP: f"{settings.kafka_group_id}.replay",
    }


def partitions_by_topic(settings: Settings) -> Mapping[str, int]:
    """How many partitions the two topics have. Raises SourceError where one cannot be used."""
    topics = [settings.kafka_topic, settings.kafka_dead_letter_topic]
    return check_topics(settings.kafka_bootstrap_servers, topics, settings.kafka_properties)


def verify(settings: Settings) -> int:
    """What must hold before the first poll; a Planhat that is away for now is no reason not to start.

    Returns how many partitions the topic of events has.
    """
    verify_access(settings)
    partitions = partitions_by_topic(settings)[settings.kafka_topic]
    answered = probe_planhat(settings)
    if ends_start(answered):
        raise refused(settings, answered)
    probe_deletions(settings)
    resolve_start(
        settings.kafka_bootstrap_servers,
        settings.kafka_group_id,
        settings.kafka_topic,
        _start_text(settings),
        settings.kafka_properties,
    )
    return partitions


def has_place(settings: Settings) -> bool:
    """Whether the group has committed offsets; if not, STREAMER_START must say where it begins."""
    return check_start(
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


def probe_planhat(settings: Settings) -> Probed:
    """Ask Planhat one cheap question with the token of our mode."""
    is_forwarding = settings.planhat_mode is PlanhatMode.PASSTHROUGH
    seconds = settings.http_analytics_seconds if is_forwarding else settings.http_main_seconds
    client = Client(trusted_authorities(), deadline_seconds=seconds)
    try:
        if is_forwarding:
            return probe_segment(client, settings.planhat_segment_url, credentials_of(settings))
        return probe(client, settings.planhat_api_url, credentials_of(settings))
    finally:
        client.close()


def probe_deletions(settings: Settings) -> Probed | None:
    """Ask Planhat to delete nobody, where a rule deletes; None where none does.

    Raises PlanhatMisconfigured where the token may not: the first delete call would stop everything.
    """
    if settings.planhat_mode is PlanhatMode.PASSTHROUGH or settings.rules.deletion is not Deletion.DELETE:
        return None
    client = Client(trusted_authorities(), deadline_seconds=settings.http_main_seconds)
    try:
        answered = probe_deletion(client, settings.planhat_api_url, credentials_of(settings))
    finally:
        client.close()
    if answered.answer == Misconfigured(MisconfiguredReason.PERMISSION, 403):
        raise PlanhatMisconfigured(
            f'The mapping says calls.delete = "delete", and the API token may not delete endusers '
            f"({answered.detail}). Nothing was read or sent. Allow the token's service account to delete "
            "endusers in Planhat, or take calls.delete out of the mapping."
        )
    return answered


def ends_start(answered: Probed) -> bool:
    """A 403 only says that this token may not read endusers, which is not needed."""
    return (
        isinstance(answered.answer, Misconfigured)
        and answered.answer.reason is not MisconfiguredReason.PERMISSION
    )


def refused(settings: Settings, answered: Probed) -> PlanhatMisconfigured:
    """The error that says what Planhat refused, and where to look."""
    if settings.planhat_mode is PlanhatMode.PASSTHROUGH:
        return PlanhatMisconfigured(
            f"{settings.planhat_segment_url} refused us ({answered.detail}). Nothing was read or sent. Check "
            "STREAMER_PLANHAT_TENANT_TOKEN, and that STREAMER_PLANHAT_SEGMENT_URL is the host with Planhat's "
            "Segment endpoint: it may be the main API of the tenant's region."
        )
    return PlanhatMisconfigured(
        f"{settings.planhat_api_url} refused us ({answered.detail}). Nothing was read or sent. Check "
        "STREAMER_PLANHAT_API_TOKEN, and that STREAMER_PLANHAT_SUBDOMAIN is the tenant's region: a wrong "
        "region answers like a wrong token."
    )
