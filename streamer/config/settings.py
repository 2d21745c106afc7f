"""The settings: name, type, default, limits and meaning of each, here and nowhere else.

A field `kafka_topic` is the variable `STREAMER_KAFKA_TOPIC`, or the content of the file that
`STREAMER_KAFKA_TOPIC_FILE` names. Secrets are the fields of type SecretStr, and those properties
for librdkafka whose name says so.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr

from streamer.config import values
from streamer.config.fields import derived, setting
from streamer.transform.choices import Link
from streamer.transform.rules import Rules

MIB = 2**20


def _mode(fields: dict[str, Any]) -> values.PlanhatMode:
    """By what there is to be known by: the API token is asked for in one of them alone."""
    has_token = fields.get("planhat_api_token") is not None
    return values.PlanhatMode.API if has_token else values.PlanhatMode.PASSTHROUGH


class Settings(BaseModel):
    """Everything an operator can choose. Frozen; one instance for the life of the process."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    _sources: Mapping[str, str] = PrivateAttr(default_factory=dict)
    # --- Kafka -----------------------------------------------------------------------------------
    kafka_bootstrap_servers: values.Servers = Field(description="Brokers to ask for the cluster first.")
    kafka_topic: values.Topic = setting("segment.events", "Topic the Segment events are read from.")
    kafka_group_id: values.Text = setting(
        "planhat-streamer", "Consumer group; replicas that share it share the work."
    )
    kafka_dead_letter_topic: values.Topic = derived(
        "<topic>.dead-letters",
        "{}.dead-letters",
        "kafka_topic",
        "Topic for records that can never be delivered. It must exist.",
    )
    kafka_properties: values.Properties = Field(
        default_factory=dict,
        repr=False,
        description="Further librdkafka properties, one name=value a line: security, client id, ...",
    )
    kafka_value_format: values.ValueFormat = setting(
        "auto",
        "How record values are framed. `auto` tells Confluent, Avro single-object and JSON apart by their "
        "first bytes; `bare:<schema>` says that each value is an Avro datum of that bundled schema.",
    )
    start: values.Start | None = setting(
        None,
        "Where to begin when the group has no committed offset. Required then; ignored where there is one.",
    )
    commit_interval_seconds: float = setting(
        0.5, "Seconds between commits of the partitions that moved.", low=0.05, high=60
    )
    commit_records: int = setting(
        5000,
        "Records finished with since the last commit that make the next one due before its time: what a "
        "crash at a high pace may send again.",
        low=100,
        high=10_000_000,
    )
    settled_overflow: values.SettledOverflow = setting(
        values.SettledOverflow.PAUSE,
        "When what is settled ahead of the committed offset nearly outgrows the commit's metadata: `pause` "
        "takes no new records of that partition until it shrinks, `resend` reads on, and a crash sends again "
        "what does not fit.",
    )
    kafka_group_protocol: values.GroupProtocol = setting(
        values.GroupProtocol.CLASSIC,
        "How the group shares its partitions: `classic`, or `consumer` (KIP-848, Kafka 4.0 and later), where "
        "the broker decides and says how long a session is.",
    )
    kafka_group_instance_id: values.Text | None = setting(
        None,
        "Name of a static member: a restart within the session keeps its partitions and moves nobody "
        "else's. One process at a time may bear it, such as the pod of a StatefulSet.",
    )
    session_timeout_seconds: float = setting(
        45,
        "Seconds without a heartbeat after which Kafka gives our partitions away. With the `consumer` "
        "protocol that is the broker's to say (`group.consumer.session.timeout.ms`): what it is at least.",
        low=6,
        high=1800,
    )
    max_poll_interval_seconds: float = setting(
        300, "Seconds between polls after which Kafka gives our partitions away.", low=10, high=86400
    )
    max_event_bytes: values.Bytes = setting(
        MIB,
        "Bytes of the largest record that is decoded; a larger one is dead-lettered.",
        low=1024,
        high=32 * MIB,
    )
    avro_reader: values.AvroReader = setting(
        values.AvroReader.MADE, "What reads Avro: a reader `made` for each schema, or `fastavro` alone."
    )
    duplicates_window: int = setting(
        100_000,
        "Recent messageIds whose copies are skipped as `duplicate`; 0 delivers every record. In memory: "
        "empty after a restart.",
        low=0,
        high=10_000_000,
    )
    duplicates_seconds: float = setting(
        3600, "Seconds for which a messageId is remembered, at most.", low=1, high=86400
    )

    # --- schema registry -------------------------------------------------------------------------
    schema_registry_url: values.Url | None = setting(
        None, "Schema registry for values in Confluent framing; without it such values cannot be read."
    )
    schema_registry_user: values.Text | None = setting(None, "User at the schema registry.")
    schema_registry_password: SecretStr | None = setting(None, "Password at the schema registry.")
    schema_registry_ca: values.PemPath | None = setting(
        None,
        "Path of a PEM file with the authorities to trust for the schema registry, instead of the system's.",
    )

    # --- Planhat ---------------------------------------------------------------------------------
    planhat_tenant_token: values.TenantToken = Field(
        description="Tenant token: names the tenant on the analytics host. Always needed."
    )
    planhat_api_token: values.ApiToken | None = setting(
        None,
        "API token of a service account that may write companies and endusers. Needed in `api` mode.",
    )
    planhat_mode: values.PlanhatMode = Field(
        default_factory=_mode,
        description="How calls become requests: `api` upserts companies and endusers and logs activities, "
        "`passthrough` forwards each call to Planhat's Segment endpoint.",
        json_schema_extra={"default_text": "api with an API token, else passthrough"},
    )
    planhat_subdomain: values.Subdomain = setting(
        "api",
        "Subdomain of the main API: `api`, or `api-<region>` if the app is at `app-<region>.planhat.com`.",
    )
    planhat_api_url: values.Url = derived(
        "https://<subdomain>.planhat.com",
        "https://{}.planhat.com",
        "planhat_subdomain",
        "Base URL of the main API; overrides the subdomain.",
    )
    planhat_analytics_url: values.Url = setting(
        "https://analytics.planhat.com", "Base URL of the host that takes activities."
    )
    planhat_segment_url: values.Url = setting(
        "https://analytics.planhat.com",
        "Base URL of the host with Planhat's Segment endpoint, `/dock/segment`; in `passthrough` mode alone.",
    )
    planhat_calls_per_minute: int = setting(
        160,
        "Calls a minute to the main API that the group's replicas may make together: each has what goes "
        "with its partitions. Whoever else uses the tenant's tokens shares Planhat's 200 with the group.",
        low=1,
        high=100_000,
    )
    http_main_seconds: float = setting(
        60, "Seconds one request to the main API may take in all, reply included.", low=1, high=600
    )
    http_analytics_seconds: float = setting(
        20,
        "Seconds one request to the analytics host, or to the Segment endpoint, may take in all.",
        low=1,
        high=600,
    )
    activity_workers: int = setting(
        4, "Requests with activities at one time, and as many with metrics.", low=1, high=64
    )
    segment_workers: int = setting(
        64,
        "Calls on their way to the Segment endpoint at one time, each over a connection of its own; in "
        "`passthrough` mode alone.",
        low=1,
        high=512,
    )

    # --- batches and back-pressure ---------------------------------------------------------------
    bulk_items: int = setting(
        5000, "Companies or endusers in one request; Planhat takes at most 5000.", low=1, high=5000
    )
    bulk_bytes: values.Bytes = setting(
        8 * MIB, "Bytes of companies or endusers in one request.", low=64 * 1024, high=32 * MIB
    )
    activity_bulk_items: int = setting(
        1000,
        "Activities, or metrics, in one request. A lost answer counts all of them twice, so fewer is safer.",
        low=1,
        high=50_000,
    )
    activity_bulk_bytes: values.Bytes = setting(
        4 * MIB, "Bytes of activities, or metrics, in one request.", low=64 * 1024, high=32 * MIB
    )
    linger_seconds: float = setting(
        0.25, "Seconds a request may wait to be filled while there is room to send it.", low=0, high=60
    )
    high_water_records: int = setting(
        60_000,
        "Records in flight above which no more are read; while something fails, slowly a tenth more.",
        low=1,
        high=10_000_000,
    )
    high_water_bytes: values.Bytes = setting(
        128 * MIB,
        "Bytes in flight (original, encoded, what upserts say, 1.5 KiB for each record) above which no more "
        "are read.",
        low=MIB,
        high=64 * 2**30,
    )

    low_water_ratio: float = setting(
        0.7, "Share of high water below which reading goes on again.", low=0.1, high=0.95
    )
    still_seconds: float = setting(
        5,
        "Seconds above high water before partitions are paused, which throws away what was fetched ahead.",
        low=0,
        high=60,
    )
    stuck_ratio: float = setting(
        0.05,
        "Share of high water that may wait behind users in trouble before their partitions pause.",
        low=0.001,
        high=1,
    )

    # --- trying again ----------------------------------------------------------------------------
    gate_longest_seconds: float = setting(
        60, "Longest wait after a failure before a host is asked again.", low=1, high=3600
    )
    throttled_longest_seconds: float = setting(
        120, "Longest wait after a 429 that does not say how long to wait.", low=1, high=3600
    )
    hold_probe_seconds: float = setting(60, "Seconds between probes and log lines on hold.", low=1, high=3600)
    probe_operations: int = setting(100, "Operations in the first request after a failure.", low=1, high=5000)
    extra_calls_ratio: float = setting(
        0.2,
        "Share of calls for finding the operation at fault and second looks, while full requests wait.",
        low=0.01,
        high=1,
    )
    isolation_calls: int = setting(
        26, "Calls that finding the operation at fault in one request may take.", low=1, high=1000
    )
    alone_refusals: int = setting(
        5, "Refusals on its own after which an operation is dead-lettered.", low=1, high=1000
    )
    alone_seconds: float = setting(
        600, "Seconds over which those refusals must have spread.", low=0, high=86400
    )
    duplicated_tries: int = setting(
        5, "Tries of an operation that Planhat calls a duplicate of another writer's.", low=1, high=1000
    )
    duplicated_seconds: float = setting(
        120, "Seconds over which those tries must have spread before it is dead-lettered.", low=0, high=86400
    )

    # --- stopping and giving up ------------------------------------------------------------------
    drain_seconds: float = setting(
        70,
        "Seconds to finish requests already sent when partitions are taken away or the program stops.",
        low=1,
        high=3600,
    )
    grace_seconds: float = setting(
        90,
        "Seconds the orchestrator waits from SIGTERM to SIGKILL: its terminationGracePeriodSeconds.",
        low=1,
        high=7200,
    )
    stuck_seconds: float = setting(
        120,
        "Seconds without a poll after which the log is told where each thread stands, and /livez fails, so "
        "that the program is restarted.",
        low=10,
        high=86400,
    )
    dead_letter_window: int = setting(
        1000,
        "Records, next to each other in reading, among which bad ones are counted.",
        low=100,
        high=1_000_000,
    )
    dead_letter_ratio: float = setting(
        0.2,
        "Share of bad ones among these at which nothing more is dead-lettered and a person is called; at 1 "
        "everything may be bad.",
        low=0.001,
        high=1,
    )
    on_hold: values.OnHold = setting(
        values.OnHold.HOLD,
        "When nothing can be sent until a person acts: `hold` stays joined and asks again every minute, "
        "`exit` ends the program after a while.",
    )
    on_hold_exit_seconds: float = setting(900, "Seconds on hold before `exit` exits.", low=0, high=86400)

    # --- what Planhat is told --------------------------------------------------------------------
    unassigned: values.Text = setting(
        "discard",
        "What to do with endusers for whom Planhat finds no company: `discard`, or the external id of "
        "a company that holds them.",
    )
    unchanged_ttl: float = setting(
        3600,
        "Seconds for which an enduser's upsert is skipped `unchanged` when Planhat has accepted all that it "
        "says; 0 sends every one.",
        low=0,
        high=86400,
    )
    unchanged_endusers: int = setting(
        100_000,
        "Endusers of whom is remembered what Planhat accepted; about 0.6 KB each at most.",
        low=0,
        high=10_000_000,
    )
    revived_endusers: int = setting(
        10_000,
        "Endusers skipped `no_company` of whom is kept what was said, to be told with their next call that "
        "has a company; 0 keeps none.",
        low=0,
        high=1_000_000,
    )
    link: Link = setting(
        Link.ALWAYS,
        "Whether a group call also attaches its user to the company: `always`, `if_absent` (only a user for "
        "whom Planhat finds no company), or `never`.",
    )
    consent_categories: values.Names = setting(
        (), "Consent categories that Planhat stands under; a call that refuses one of them is skipped."
    )
    integration_aliases: values.Names = setting(
        (),
        "Keys in a call's `integrations` that stand for Planhat where its own is absent: the transport of a "
        "replay, such as Kafka.",
    )
    mapping_file: values.MappingPath | None = setting(
        None,
        "Path of a file that says what becomes of traits, properties and events, read at start; without one "
        "the defaults hold.",
    )
    suppression_file: values.Suppression | None = setting(
        None,
        "Path of a list of users of whom Planhat is told nothing, read at start: user ids, e-mail addresses.",
    )

    # --- watching --------------------------------------------------------------------------------
    http_host: values.Text = setting(
        "0.0.0.0",  # noqa: S104 - a probe comes from outside the container, and nothing secret is served
        "Address on which the status page, /metrics, /livez and /readyz are served.",
    )
    http_port: int = setting(
        8000,
        "Port on which the status page, /metrics, /livez and /readyz are served; 0 takes any free one.",
        low=0,
        high=65535,
    )
    tracing: values.Tracing = setting(
        values.Tracing.OFF,
        "Whether a span is made of each request to Planhat: `off`, or `otlp`, which needs the package with "
        "`[tracing]` and sends them to the collector that OpenTelemetry's own `OTEL_*` variables name.",
    )
    log_format: values.LogFormat = setting(
        values.LogFormat.AUTO, "`json` lines, `console` for people, or `auto`: console on a terminal."
    )
    log_level: values.LogLevel = setting(values.LogLevel.INFO, "The least important level that is written.")

    @property
    def rules(self) -> Rules:
        """The choices about which calls are delivered, and as what."""
        return replace(
            Rules() if self.mapping_file is None else self.mapping_file.rules,
            consent_categories=frozenset(self.consent_categories),
            transport_aliases=self.integration_aliases,
            link=self.link,
            suppressed=None if self.suppression_file is None else self.suppression_file.suppressed,
            forwards=self.planhat_mode is values.PlanhatMode.PASSTHROUGH,
        )

    @property
    def sources(self) -> Mapping[str, str]:
        """Where each field that is not a default came from: `environment` or `file`."""
        return self._sources

    def with_sources(self, sources: Mapping[str, str]) -> "Settings":
        """The same, remembering where its values came from."""
        copy = self.model_copy()
        copy._sources = dict(sources)  # noqa: SLF001 - of our own class
        return copy
