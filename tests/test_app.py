"""`check`, and how `run` ends at start: against the stand-ins, as an operator sees it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer

from streamer.app.building import decoder_of, limits_of, member_properties, reader_properties, wanted_fields
from streamer.avro.datum import DatumReader
from streamer.config import load_settings
from streamer.engine.limits import Limits
from streamer.events.parse import FIELDS_READ
from streamer.kafka.configuration import consumer_configuration
from streamer.outcomes import Endpoint
from streamer.standins.broker import EmbeddedBroker
from streamer.standins.planhat.child import SandboxProcess

TENANT = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    """A stand-in broker with both topics."""
    with EmbeddedBroker() as broker:
        for topic in ("segment.events", "segment.events.dead-letters"):
            broker.create_topic(topic)
        yield broker


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    """A stand-in Planhat."""
    with SandboxProcess() as sandbox:
        yield sandbox


def told_of(broker: EmbeddedBroker, sandbox: SandboxProcess, **changes: str) -> dict[str, str]:
    """An environment that names the stand-ins."""
    return {
        "PATH": os.defpath,
        "STREAMER_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "STREAMER_PLANHAT_API_TOKEN": sandbox.api_token,
        "STREAMER_PLANHAT_TENANT_TOKEN": sandbox.tenant_token,
        "STREAMER_PLANHAT_API_URL": sandbox.url,
        "STREAMER_PLANHAT_ANALYTICS_URL": sandbox.url,
        "STREAMER_HTTP_PORT": "0",
        **changes,
    }


def streamer(
    command: str, broker: EmbeddedBroker, sandbox: SandboxProcess, **changes: str
) -> subprocess.CompletedProcess[str]:
    """One command of the program, told of the stand-ins."""
    environment = told_of(broker, sandbox, **changes)
    return subprocess.run(
        [sys.executable, "-m", "streamer", command],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_check_says_what_it_verified_and_what_it_cannot(
    broker: EmbeddedBroker, sandbox: SandboxProcess
) -> None:
    """One line each for settings, schemas, topics and token; the tenant token is named as unverifiable."""
    ended = streamer("check", broker, sandbox, STREAMER_START="latest")
    assert ended.returncode == 0, ended.stderr
    assert "planhat-streamer is new and begins at latest" in ended.stdout
    assert re.search(r"^settings +ok +\d+ set, \d+ defaulted", ended.stdout, re.MULTILINE)
    assert "segment.events, 4 partitions" in ended.stdout
    assert "segment.events.dead-letters, 4 partitions" in ended.stdout
    assert re.search(r"^planhat +ok +API token accepted", ended.stdout, re.MULTILINE)
    assert re.search(r"^tenant +-- +cannot be verified", ended.stdout, re.MULTILINE)


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_refused_token_ends_with_4(command: str, broker: EmbeddedBroker, sandbox: SandboxProcess) -> None:
    """Before anything is read; the answer names the token's variable and not the token."""
    ended = streamer(
        command, broker, sandbox, STREAMER_PLANHAT_API_TOKEN="not-the-token", STREAMER_START="latest"
    )
    assert ended.returncode == 4
    assert "STREAMER_PLANHAT_API_TOKEN" in ended.stderr
    assert "not-the-token" not in ended.stderr + ended.stdout


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_token_that_may_not_delete_ends_with_4_where_a_rule_deletes(
    command: str, broker: EmbeddedBroker, tmp_path: Path
) -> None:
    """Before the first delete call stops everything; the answer names both ways out."""
    mapping = tmp_path / "mapping.toml"
    mapping.write_text('[calls]\ndelete = "delete"')
    with SandboxProcess({"denied": "endusers.delete"}) as strict:
        ended = streamer(command, broker, strict, STREAMER_START="latest", STREAMER_MAPPING_FILE=str(mapping))
    assert ended.returncode == 4
    assert "Allow the token's service account to delete" in ended.stderr
    assert "or take calls.delete out of the mapping" in ended.stderr


def test_check_deletes_nobody_where_a_rule_deletes(
    broker: EmbeddedBroker, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    """It says what was verified."""
    mapping = tmp_path / "mapping.toml"
    mapping.write_text('[calls]\ndelete = "delete"')
    ended = streamer("check", broker, sandbox, STREAMER_START="latest", STREAMER_MAPPING_FILE=str(mapping))
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"^deletions +ok +to delete nobody was not refused", ended.stdout, re.MULTILINE)


@pytest.mark.parametrize("command", ["check", "run"])
def test_an_address_that_is_not_planhats_ends_with_4(
    command: str, broker: EmbeddedBroker, sandbox: SandboxProcess
) -> None:
    """A 404 on the collection path is a misconfiguration, not an outage."""
    url = f"{sandbox.url}/elsewhere"
    ended = streamer(command, broker, sandbox, STREAMER_PLANHAT_API_URL=url, STREAMER_START="latest")
    assert ended.returncode == 4


def test_check_goes_on_without_planhat(broker: EmbeddedBroker, sandbox: SandboxProcess) -> None:
    """A Planhat that is away for now is no wrong setting: said, and exit 0."""
    ended = streamer(
        "check", broker, sandbox, STREAMER_PLANHAT_API_URL="http://127.0.0.1:1", STREAMER_START="latest"
    )
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"^planhat +-- +not verified", ended.stdout, re.MULTILINE)


def test_an_unreachable_broker_ends_with_3(broker: EmbeddedBroker, sandbox: SandboxProcess) -> None:
    """Told with the address that did not answer."""
    ended = streamer("check", broker, sandbox, STREAMER_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert ended.returncode == 3
    assert "127.0.0.1:1" in ended.stderr


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_new_group_without_a_start_ends_with_2(
    command: str, broker: EmbeddedBroker, sandbox: SandboxProcess
) -> None:
    """Nobody but the operator knows whether the backlog is wanted; `check` finds what `run` would."""
    ended = streamer(command, broker, sandbox)
    assert ended.returncode == 2
    assert "STREAMER_START" in ended.stderr


def test_a_signal_during_the_start_up_checks_ends_in_order(
    broker: EmbeddedBroker, sandbox: SandboxProcess
) -> None:
    """It is kept until the checks are through: exit 0, and nothing was read."""
    child = subprocess.Popen(
        [sys.executable, "-m", "streamer", "run"],
        env=told_of(broker, sandbox, STREAMER_KAFKA_GROUP_ID="early", STREAMER_START="latest"),
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stderr is not None
    try:
        while "settings_effective" not in child.stderr.readline():
            assert child.poll() is None
        child.send_signal(signal.SIGTERM)
        rest = child.communicate(timeout=40)[1]
    finally:
        child.kill()
    assert child.returncode == 0, rest
    assert "stop_requested" in rest
    assert "partitions_assigned" not in rest


REQUIRED = {
    "STREAMER_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "STREAMER_PLANHAT_API_TOKEN": "token",
    "STREAMER_PLANHAT_TENANT_TOKEN": "00000000-0000-0000-0000-000000000001",
}


@pytest.mark.parametrize("instance", ["", "streamer-0"])
@pytest.mark.parametrize(("protocol", "session"), [("classic", 45_000), ("consumer", None)])
def test_each_way_to_be_a_member_has_its_own_configuration(
    protocol: str, session: int | None, instance: str
) -> None:
    """Librdkafka takes it as it is; who only reads is no member, and bears no member's name."""
    chosen = {"STREAMER_KAFKA_GROUP_PROTOCOL": protocol, "STREAMER_KAFKA_GROUP_INSTANCE_ID": instance}
    settings = load_settings(REQUIRED | chosen)
    configuration = consumer_configuration("127.0.0.1:1", "g", member_properties(settings))
    Consumer(configuration).close()
    told = configuration.get("session.timeout.ms")
    assert (None if told is None else int(told)) == session
    assert configuration.get("group.instance.id", "") == instance
    assert not {"group.protocol", "group.instance.id"} & set(reader_properties(settings))


def test_a_proof_of_membership_is_worth_less_where_a_commit_does_not_prolong_the_session() -> None:
    """All of the session in the classic protocol, two thirds of it in the newer one."""
    newer = load_settings(REQUIRED | {"STREAMER_KAFKA_GROUP_PROTOCOL": "consumer"})
    assert limits_of(load_settings(REQUIRED)).membership_seconds == 45
    assert limits_of(newer).membership_seconds == 30


@pytest.mark.parametrize(("chosen", "is_made"), [({}, True), ({"STREAMER_AVRO_READER": "fastavro"}, False)])
def test_the_setting_says_whether_readers_are_made(chosen: dict[str, str], *, is_made: bool) -> None:
    """A schema that no reader can be made for is told of, unless none was to be made for any."""
    least = {"STREAMER_KAFKA_BOOTSTRAP_SERVERS": "b:9092", "STREAMER_PLANHAT_TENANT_TOKEN": TENANT}
    told: list[tuple[str, str]] = []
    decoder = decoder_of(load_settings({**least, **chosen}), told=lambda *words: told.append(words))

    decoder._way(DatumReader({"type": "array", "items": "null"}), "7")

    assert [schema_id for schema_id, _ in told] == (["7"] if is_made else [])


def test_forwarded_calls_are_read_whole() -> None:
    """Passthrough sends on what it read, so it reads everything; otherwise what calls are made of will do."""
    least = {"STREAMER_KAFKA_BOOTSTRAP_SERVERS": "b:9092", "STREAMER_PLANHAT_TENANT_TOKEN": TENANT}

    assert wanted_fields(load_settings(least)) is None
    assert wanted_fields(load_settings({**least, "STREAMER_PLANHAT_API_TOKEN": "a"})) == FIELDS_READ


def test_every_setting_of_the_engine_reaches_it() -> None:
    """What the settings say by default is what the engine decides by on its own.

    But for what is of a group, which an engine on its own has not: membership, copies, and the first call.
    """
    guarded = Limits(
        membership_seconds=45, duplicates_window=100_000, duplicates_seconds=3_600, start_calls=0.0
    )
    assert limits_of(load_settings(REQUIRED)) == guarded
    told = limits_of(
        load_settings(
            REQUIRED
            | {
                "STREAMER_UNASSIGNED": "lobby",
                "STREAMER_ON_HOLD": "exit",
                "STREAMER_BULK_ITEMS": "10",
                "STREAMER_ACTIVITY_WORKERS": "2",
                "STREAMER_SEGMENT_WORKERS": "12",
                "STREAMER_ALONE_SECONDS": "60",
            }
        )
    )
    assert told.unassigned_company == "lobby"
    assert told.on_hold_exit_seconds == 900
    assert {bulk.operations for bulk in told.bulks.values()} == {10, 1_000, 1}
    assert {endpoint: told.bulk(endpoint).flights for endpoint in Endpoint} == {
        Endpoint.COMPANIES: 1,
        Endpoint.ENDUSERS: 1,
        Endpoint.ACTIVITIES: 2,
        Endpoint.METRICS: 2,
        Endpoint.DELETIONS: 1,
        Endpoint.SEGMENT: 12,
    }
    assert told.alone_seconds == 60


WITHOUT_OPENTELEMETRY = (
    "import sys; sys.modules['opentelemetry'] = None; from streamer.cli import main; sys.exit(main({}))"
)
"""The program where the extra is not installed."""


@pytest.mark.parametrize("command", ["check", "run"])
def test_tracing_without_its_extra_ends_with_2(
    command: str, broker: EmbeddedBroker, sandbox: SandboxProcess
) -> None:
    """Before anything is read, with the command that installs it."""
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_OPENTELEMETRY.format([command])],
        env=told_of(broker, sandbox, STREAMER_TRACING="otlp", STREAMER_START="latest"),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 2, ended.stderr
    assert "OpenTelemetry is not installed" in ended.stderr
    assert "segment-planhat-streamer[tracing]" in ended.stderr


def test_without_tracing_its_extra_is_not_missed(broker: EmbeddedBroker, sandbox: SandboxProcess) -> None:
    """Whoever does not ask for spans need not install what makes them."""
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_OPENTELEMETRY.format(["check"])],
        env=told_of(broker, sandbox, STREAMER_START="latest"),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "tracing" not in ended.stdout


def test_a_collector_that_cannot_be_spoken_to_ends_with_2(
    broker: EmbeddedBroker, sandbox: SandboxProcess
) -> None:
    """gRPC, an address without a scheme, a time-out and a certificate that are none: all are told at once."""
    ended = streamer(
        "run", broker, sandbox, STREAMER_TRACING="otlp", STREAMER_START="latest",
        OTEL_EXPORTER_OTLP_PROTOCOL="grpc", OTEL_EXPORTER_OTLP_ENDPOINT="collector:4317",
        OTEL_EXPORTER_OTLP_TIMEOUT="10s", OTEL_EXPORTER_OTLP_CERTIFICATE="/nowhere/ca.pem",
    )  # fmt: skip
    assert ended.returncode == 2, ended.stderr
    assert "OTEL_EXPORTER_OTLP_PROTOCOL='grpc'" in ended.stderr
    assert "OTEL_EXPORTER_OTLP_ENDPOINT='collector:4317'" in ended.stderr
    assert "OTEL_EXPORTER_OTLP_TIMEOUT='10s': allowed: seconds" in ended.stderr
    assert "OTEL_EXPORTER_OTLP_CERTIFICATE: the file cannot be read (No such file" in ended.stderr


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        pytest.param({}, "spans would be lost: http://127.0.0.1:1 takes none", id="away"),
        pytest.param(
            {"OTEL_SDK_DISABLED": "true"}, "no span is made: OTEL_SDK_DISABLED is true", id="disabled"
        ),
    ],
)
def test_without_a_collector_it_starts_all_the_same(
    broker: EmbeddedBroker, sandbox: SandboxProcess, variables: dict[str, str], said: str
) -> None:
    """`check` says why there would be no spans, and goes on."""
    ended = streamer(
        "check", broker, sandbox, STREAMER_TRACING="otlp", STREAMER_START="latest",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", OTEL_EXPORTER_OTLP_TIMEOUT="0.5", **variables,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert f"tracing    --   {said}" in ended.stdout
