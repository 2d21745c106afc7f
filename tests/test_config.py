"""Laws of the settings: declared once, read once, every problem at once, secrets never repeated."""

import re
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from streamer.config import (
    PlanhatMode,
    Settings,
    StartAt,
    is_secret_property,
    load_settings,
    markdown_table,
    reload_secrets,
    secret_values,
    settings_table,
    settings_warnings,
    variable_name,
)
from streamer.engine.limits import Limits
from streamer.errors import SettingsError
from streamer.outcomes import Endpoint
from streamer.transform.rules import Rules

TENANT = "0b7e1c9a-4f2d-4c61-9a55-3d1f0e8b7a21"
REQUIRED = {
    "STREAMER_KAFKA_BOOTSTRAP_SERVERS": "localhost:9092",
    "STREAMER_PLANHAT_TENANT_TOKEN": TENANT,
    "STREAMER_PLANHAT_API_TOKEN": "api-token-of-the-test",
}


def revealed(secret: SecretStr | None) -> str:
    """The text of a secret that is set."""
    assert secret is not None
    return secret.get_secret_value()


def problems_of(environ: dict[str, str], **options: object) -> list[str]:
    """The problems that loading these variables reports."""
    with pytest.raises(SettingsError) as caught:
        load_settings(environ, **options)  # type: ignore[arg-type]
    return caught.value.problems


def only_problem(**variables: str) -> str:
    """The one problem that these variables cause beside the required ones."""
    problems = problems_of(REQUIRED | {f"STREAMER_{name}": text for name, text in variables.items()})
    assert len(problems) == 1, problems
    return problems[0]


def loaded(**variables: str) -> Settings:
    """Settings from these variables beside the required ones."""
    return load_settings(REQUIRED | {f"STREAMER_{name}": text for name, text in variables.items()})


def test_three_variables_are_enough() -> None:
    """The required settings alone give every other its default, derived ones included."""
    settings = load_settings(REQUIRED)

    assert settings.kafka_topic == "segment.events"
    assert settings.kafka_dead_letter_topic == "segment.events.dead-letters"
    assert settings.planhat_api_url == "https://api.planhat.com"
    assert settings.start is None
    assert settings.sources == {
        "kafka_bootstrap_servers": "environment",
        "planhat_tenant_token": "environment",
        "planhat_api_token": "environment",
    }


def test_derived_defaults_follow_their_source() -> None:
    """The dead-letter topic follows the topic, the API's address the subdomain, unless they are set."""
    settings = loaded(KAFKA_TOPIC="events", PLANHAT_SUBDOMAIN="api-us2")
    assert settings.kafka_dead_letter_topic == "events.dead-letters"
    assert settings.planhat_api_url == "https://api-us2.planhat.com"

    settings = loaded(KAFKA_DEAD_LETTER_TOPIC="bin", PLANHAT_API_URL="https://proxy.example/planhat/")
    assert settings.kafka_dead_letter_topic == "bin"
    assert settings.planhat_api_url == "https://proxy.example/planhat"


def test_every_problem_is_reported_at_once() -> None:
    """One error names each wrong, missing, unknown and contradictory setting, with what is allowed."""
    problems = problems_of(
        {
            "STREAMER_KAFKA_TOPIC": "a b",
            "STREAMER_HTTP_PORT": "99999",
            "STREAMER_BULK_ITEMS": "many",
            "STREAMER_START": "2026-01-31T00:00:00",
            "STREAMER_ON_HOLD": "panic",
            "STREAMER_GRACE_SECONDS": "70",
            "STREAMER_HTTP_PRT": "1",
            "STREAMER_PLANHAT_API_TOKEN": "x",
            "STREAMER_PLANHAT_API_TOKEN_FILE": "/run/token",
            "STREAMER_SCHEMA_REGISTRY_PASSWORD_FILE": "/does/not/exist",
        }
    )

    assert len(problems) == 11, problems
    report = "\n".join(problems)
    for words in (
        "STREAMER_KAFKA_TOPIC='a b'",
        "STREAMER_HTTP_PORT='99999': allowed: a whole number from 0 to 65535",
        "STREAMER_BULK_ITEMS='many': allowed: a whole number from 1 to 5000",
        "STREAMER_START='2026-01-31T00:00:00': has no time zone",
        "STREAMER_ON_HOLD='panic': allowed: hold, exit",
        "STREAMER_GRACE_SECONDS=70.0, STREAMER_DRAIN_SECONDS=70: the orchestrator must wait longer",
        "STREAMER_HTTP_PRT is not a setting; did you mean STREAMER_HTTP_PORT?",
        "STREAMER_PLANHAT_API_TOKEN and STREAMER_PLANHAT_API_TOKEN_FILE are both set",
        "STREAMER_SCHEMA_REGISTRY_PASSWORD_FILE='/does/not/exist': the file cannot be read",
        "STREAMER_KAFKA_BOOTSTRAP_SERVERS is required and not set: host:port",
        "STREAMER_PLANHAT_TENANT_TOKEN is required and not set: a UUID",
    ):
        assert words in report


def test_a_file_stands_for_a_variable(tmp_path: Path) -> None:
    """A `_FILE` twin gives its file's text without the trailing newline, and the table says so."""
    file = tmp_path / "token"
    file.write_bytes(b"from-a-file\r\n")
    environ = {name: text for name, text in REQUIRED.items() if not name.endswith("API_TOKEN")}
    settings = load_settings(environ | {"STREAMER_PLANHAT_API_TOKEN_FILE": str(file)})

    assert revealed(settings.planhat_api_token) == "from-a-file"
    assert settings.sources["planhat_api_token"] == "file"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "the file is empty"),
        (b"\n", "the file is empty"),
        (b"\xff\xfe", "not UTF-8"),
        (b"x" * 2**21, "larger"),
    ],
)
def test_an_unusable_file_is_one_problem(tmp_path: Path, content: bytes, complaint: str) -> None:
    """An empty, binary or huge file is named once, and is not also called missing."""
    file = tmp_path / "token"
    file.write_bytes(content)
    environ = {name: text for name, text in REQUIRED.items() if not name.endswith("API_TOKEN")}
    problems = problems_of(environ | {"STREAMER_PLANHAT_API_TOKEN_FILE": str(file)})

    assert len(problems) == 1
    assert complaint in problems[0]
    assert "STREAMER_PLANHAT_API_TOKEN_FILE" in problems[0]


def test_every_setting_has_a_file_twin(tmp_path: Path) -> None:
    """Whatever a variable may say, a file may say too."""
    environ = dict(REQUIRED)
    for field in Settings.model_fields:
        text = environ.pop(variable_name(field), None)
        if text is None:
            value = getattr(load_settings(REQUIRED), field)
            text = "" if value in (None, (), {}) else str(value)
        if text:
            (tmp_path / field).write_text(text + "\n")
            environ[variable_name(field) + "_FILE"] = str(tmp_path / field)

    settings = load_settings(environ)

    assert settings.model_dump() == load_settings(REQUIRED).model_dump()
    assert set(settings.sources.values()) == {"file"}


def test_an_empty_variable_is_not_set() -> None:
    """Compose files pass empty variables for unset ones; they count as unset."""
    assert loaded(KAFKA_TOPIC="", START="").kafka_topic == "segment.events"
    assert loaded(PLANHAT_API_TOKEN="").planhat_mode is PlanhatMode.PASSTHROUGH
    assert "required" in problems_of(REQUIRED | {"STREAMER_PLANHAT_TENANT_TOKEN": ""})[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("earliest", StartAt.EARLIEST),
        ("latest", StartAt.LATEST),
        ("2026-01-31T01:30:00+01:30", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T00:00:00Z", datetime(2026, 1, 31, tzinfo=UTC)),
    ],
)
def test_start_is_a_word_or_a_moment(text: str, expected: object) -> None:
    """STREAMER_START is earliest, latest or a time in a zone, kept in UTC."""
    assert loaded(START=text).start == expected


@pytest.mark.parametrize("text", ["2026-01-31", "2026-01-31T00:00:00", "yesterday", "1767225600", "EARLIEST"])
def test_start_refuses_what_it_cannot_know(text: str) -> None:
    """A time without a zone, or no time at all, is refused with an example of one."""
    assert "2026-01-31T00:00:00Z" in only_problem(START=text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", "http//broker"),
        ("KAFKA_BOOTSTRAP_SERVERS", "broker:99999"),
        ("KAFKA_BOOTSTRAP_SERVERS", "a:1,,b:2"),
        ("KAFKA_TOPIC", ".."),
        ("KAFKA_TOPIC", "x" * 250),
        ("KAFKA_GROUP_ID", "two\nlines"),
        ("KAFKA_VALUE_FORMAT", "bare:"),
        ("KAFKA_VALUE_FORMAT", "json"),
        ("PLANHAT_SUBDOMAIN", "evil.example/"),
        ("PLANHAT_SUBDOMAIN", "api.planhat.com"),
        ("PLANHAT_TENANT_TOKEN", "not-a-uuid"),
        ("PLANHAT_TENANT_TOKEN", TENANT + "/../x"),
        ("PLANHAT_API_TOKEN", "two words"),
        ("PLANHAT_API_TOKEN", "tökën"),
        ("PLANHAT_API_URL", "ftp://api.planhat.com"),
        ("PLANHAT_API_URL", "https://"),
        ("PLANHAT_API_URL", "https://host:port"),
        ("PLANHAT_API_URL", "https://host/?a=b"),
        ("PLANHAT_ANALYTICS_URL", "https://host /"),
        ("BULK_BYTES", "8MB"),
        ("BULK_BYTES", "-1"),
        ("BULK_BYTES", "1GiB"),
        ("LINGER_SECONDS", "nan"),
        ("HTTP_MAIN_SECONDS", "inf"),
        ("PLANHAT_CALLS_PER_MINUTE", "0"),
        ("LOG_LEVEL", "loud"),
        ("LINK", "perhaps"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(name: str, text: str) -> None:
    """Each kind of wrong value gives one problem that names the variable and what it may be."""
    problem = only_problem(**{name: text})

    assert problem.startswith(f"STREAMER_{name}=")
    assert "allowed: " in problem


def test_the_mode_follows_the_tokens() -> None:
    """With the tenant token alone calls are forwarded; a mode that is set counts."""
    both = REQUIRED
    tenant_alone = {name: text for name, text in both.items() if name != "STREAMER_PLANHAT_API_TOKEN"}
    assert load_settings(both).planhat_mode is PlanhatMode.API
    assert load_settings(tenant_alone).planhat_mode is PlanhatMode.PASSTHROUGH
    assert loaded(PLANHAT_MODE="passthrough").planhat_mode is PlanhatMode.PASSTHROUGH
    assert load_settings(tenant_alone, needs=()).planhat_mode is PlanhatMode.PASSTHROUGH
    assert load_settings({}, needs=()).planhat_mode is PlanhatMode.API


def test_a_mode_without_its_token_is_refused_with_what_to_do() -> None:
    """`api` needs the API token, and every mode the tenant token."""
    tenant_alone = {name: text for name, text in REQUIRED.items() if name != "STREAMER_PLANHAT_API_TOKEN"}
    (problem,) = problems_of(tenant_alone | {"STREAMER_PLANHAT_MODE": "api"})
    assert "needs STREAMER_PLANHAT_API_TOKEN: set it, or choose passthrough" in problem
    api_alone = {name: text for name, text in REQUIRED.items() if name != "STREAMER_PLANHAT_TENANT_TOKEN"}
    (problem,) = problems_of(api_alone)
    assert problem.startswith("STREAMER_PLANHAT_TENANT_TOKEN is required and not set: a UUID")
    assert "needed beside the API token too" in problem


TENANT_ALONE = {name: text for name, text in REQUIRED.items() if name != "STREAMER_PLANHAT_API_TOKEN"}


def test_a_forgotten_api_token_is_no_wish_to_forward() -> None:
    """Who sets what only api mode asks for hears of each such setting; to name the mode silences it."""
    meant = {
        "STREAMER_PLANHAT_SUBDOMAIN": "api-us2",
        "STREAMER_PLANHAT_CALLS_PER_MINUTE": "10",
        "STREAMER_UNASSIGNED": "drawer",
    }
    problems = problems_of(TENANT_ALONE | meant | {"STREAMER_HTTP_PORT": "many"})
    assert len(problems) == len(meant) + 1
    for name in meant:
        (problem,) = [each for each in problems if each.startswith(name)]
        assert "set STREAMER_PLANHAT_API_TOKEN, or" in problem
        assert problem.endswith("STREAMER_PLANHAT_MODE=passthrough")
    chosen = load_settings(TENANT_ALONE | meant | {"STREAMER_PLANHAT_MODE": "passthrough"})
    assert len(settings_warnings(chosen)) == len(meant)
    # What tunes requests, and commands that need no token, prove nothing.
    assert load_settings(TENANT_ALONE | {"STREAMER_LINGER_SECONDS": "2"}).sources
    assert load_settings(TENANT_ALONE | meant, needs=("kafka_bootstrap_servers",)).sources


@pytest.mark.parametrize(
    ("mapping", "is_refused"),
    [
        ('[calls]\ndelete = "delete"', True),
        ('[identify.traits]\nplan = "custom:Plan"', True),
        ('[events]\ndeny = ["Debug *"]', False),
    ],
)
def test_a_mapping_without_the_token_that_it_is_for(tmp_path: Path, mapping: str, is_refused: bool) -> None:
    """Rules say nothing where Planhat maps; lists of events do."""
    file = tmp_path / "mapping.toml"
    file.write_text(mapping)
    environ = TENANT_ALONE | {"STREAMER_MAPPING_FILE": str(file)}
    if is_refused:
        (problem,) = problems_of(environ)
        assert problem.startswith(f"STREAMER_MAPPING_FILE={file} has rules beside")
    else:
        assert load_settings(environ).planhat_mode is PlanhatMode.PASSTHROUGH
    assert load_settings(environ | {"STREAMER_PLANHAT_MODE": "passthrough"}).mapping_file is not None


def test_settings_that_say_nothing_in_a_mode_are_told() -> None:
    """Whoever limits the quota where there is none, or the connections that nobody opens, hears of it."""
    (token, quota) = settings_warnings(loaded(PLANHAT_MODE="passthrough", PLANHAT_CALLS_PER_MINUTE="10"))
    assert quota == "STREAMER_PLANHAT_CALLS_PER_MINUTE: in passthrough mode this says nothing"
    assert token.startswith("STREAMER_PLANHAT_API_TOKEN:")
    (workers,) = settings_warnings(loaded(SEGMENT_WORKERS="10"))
    assert workers == "STREAMER_SEGMENT_WORKERS: in api mode this says nothing"


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"DRAIN_SECONDS": "69"}, "must outlast the longest request by 10 s"),
        ({"HTTP_ANALYTICS_SECONDS": "61"}, "must outlast the longest request"),
        ({"MAX_POLL_INTERVAL_SECONDS": "139"}, "at most half of the poll interval"),
        ({"GRACE_SECONDS": "70"}, "the orchestrator must wait longer"),
        ({"STUCK_SECONDS": "89"}, "are no standstill"),
        ({"STUCK_SECONDS": "300"}, "must be told before Kafka expels us"),
        ({"SESSION_TIMEOUT_SECONDS": "301"}, "may not exceed the poll interval"),
        ({"HIGH_WATER_RECORDS": "19999"}, "a quarter of high water"),
        ({"HIGH_WATER_BYTES": "31MiB"}, "a quarter of high water"),
        ({"ACTIVITY_BULK_BYTES": "33554432", "HIGH_WATER_BYTES": "127MiB"}, "a quarter of high water"),
        ({"MAX_EVENT_BYTES": "5MiB"}, "must fit into one request"),
        ({"KAFKA_DEAD_LETTER_TOPIC": "segment.events"}, "read again as events"),
        ({"SCHEMA_REGISTRY_URL": "https://r", "SCHEMA_REGISTRY_USER": "u"}, "set both or neither"),
        ({"KAFKA_PROPERTIES": "session.timeout.ms=9000"}, "set STREAMER_SESSION_TIMEOUT_SECONDS instead"),
        ({"KAFKA_PROPERTIES": "max.poll.interval.ms=9"}, "set STREAMER_MAX_POLL_INTERVAL_SECONDS instead"),
        ({"KAFKA_PROPERTIES": "group.protocol=consumer"}, "set STREAMER_KAFKA_GROUP_PROTOCOL instead"),
        ({"KAFKA_PROPERTIES": "group.instance.id=a"}, "set STREAMER_KAFKA_GROUP_INSTANCE_ID instead"),
        (
            {"KAFKA_GROUP_PROTOCOL": "consumer", "KAFKA_PROPERTIES": "heartbeat.interval.ms=500"},
            "with STREAMER_KAFKA_GROUP_PROTOCOL=consumer the broker says",
        ),
        (
            {"KAFKA_PROPERTIES": "group.remote.assignor=uniform"},
            "with STREAMER_KAFKA_GROUP_PROTOCOL=classic the members share",
        ),
        ({"SCHEMA_REGISTRY_CA": __file__}, "is set without STREAMER_SCHEMA_REGISTRY_URL"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(variables: dict[str, str], words: str) -> None:
    """What is fine alone and wrong together is refused at start, saying why."""
    assert words in only_problem(**variables)


def test_the_bounds_of_contradictions_are_exact() -> None:
    """Values just inside every rule are accepted together."""
    settings = loaded(
        HTTP_MAIN_SECONDS="60",
        DRAIN_SECONDS="70",
        MAX_POLL_INTERVAL_SECONDS="140",
        GRACE_SECONDS="70.5",
        HIGH_WATER_RECORDS="20000",
        HIGH_WATER_BYTES="32MiB",
        MAX_EVENT_BYTES="4MiB",
    )
    assert settings.high_water_bytes == 32 * 2**20


def test_wrong_values_do_not_cause_false_contradictions() -> None:
    """A rule is not judged by a value that was refused anyway."""
    assert only_problem(DRAIN_SECONDS="soon").startswith("STREAMER_DRAIN_SECONDS='soon'")


def test_properties_are_read_line_by_line() -> None:
    """Properties are name=value lines; blanks and comments are skipped, values may hold `=`."""
    settings = loaded(KAFKA_PROPERTIES="security.protocol=SASL_SSL\n\n# note\n sasl.password = a=b= \n")

    assert settings.kafka_properties == {"security.protocol": "SASL_SSL", "sasl.password": "a=b="}


@pytest.mark.parametrize("text", ["hunter2", "sasl.password hunter2", "=hunter2", "a=1\na=hunter2"])
def test_a_broken_property_names_its_line_only(text: str) -> None:
    """A property that cannot be read may be a password, so only its line number is said."""
    problem = only_problem(KAFKA_PROPERTIES=text)

    assert "line " in problem
    assert "hunter2" not in problem


def test_properties_are_judged_by_the_room_that_knows_them() -> None:
    """Problems that the given judge finds join the others in one error."""
    seen: list[dict[str, str]] = []

    def judge(properties: object) -> list[str]:
        seen.append(dict(properties))  # type: ignore[call-overload]
        return ["STREAMER_KAFKA_PROPERTIES: enable.auto.commit cannot be set"]

    environ = REQUIRED | {"STREAMER_KAFKA_PROPERTIES": "enable.auto.commit=true", "STREAMER_HTTP_PORT": "x"}
    problems = problems_of(environ, property_problems=judge)

    assert seen == [{"enable.auto.commit": "true"}]
    assert len(problems) == 2
    assert "STREAMER_KAFKA_PROPERTIES: enable.auto.commit cannot be set" in problems


def test_kubernetes_service_links_are_not_settings() -> None:
    """Variables that Kubernetes makes for a Service named streamer-… neither fail nor configure us."""
    settings = loaded(
        SERVICE_HOST="10.0.0.1",
        SERVICE_PORT="8000",
        SERVICE_PORT_METRICS="8000",
        PORT="tcp://10.0.0.1:8000",
        PORT_8000_TCP_ADDR="10.0.0.1",
        HTTP_PORT="tcp://10.0.0.1:80",
        HTTP_SERVICE_HOST="10.0.0.1",
        HTTP_PORT_80_TCP="tcp://10.0.0.1:80",
        TEST_BOOTSTRAP="localhost:1",
    )
    assert settings.http_port == 8000


def test_a_stranger_without_likeness_is_still_refused() -> None:
    """An unknown STREAMER_ variable is a problem even when nothing resembles it."""
    assert "`streamer settings` lists" in only_problem(ZZZ="1")


def test_offline_commands_need_no_connections() -> None:
    """Commands that connect to nothing run without the required settings; wrong ones still count."""
    assert load_settings({}, needs=()).kafka_topic == "segment.events"
    assert problems_of({"STREAMER_HTTP_PORT": "x"}, needs=()) == [
        "STREAMER_HTTP_PORT='x': allowed: a whole number from 0 to 65535"
    ]


def test_secrets_are_masked_wherever_settings_are_shown() -> None:
    """No secret stands in the table, in repr or in a problem."""
    environ = REQUIRED | {
        "STREAMER_SCHEMA_REGISTRY_URL": "https://registry",
        "STREAMER_SCHEMA_REGISTRY_USER": "u",
        "STREAMER_SCHEMA_REGISTRY_PASSWORD": "registry-pass",
        "STREAMER_KAFKA_PROPERTIES": "sasl.password=kafka-pass\nssl.key.pem=kafka-key\nclient.id=me",
    }
    settings = load_settings(environ)
    secrets = {TENANT, "api-token-of-the-test", "registry-pass", "kafka-pass", "kafka-key"}

    assert secret_values(settings) == secrets
    table = "\n".join(map(str, settings_table(settings)))
    wrong = "\n".join(
        problems_of(
            environ | {"STREAMER_PLANHAT_API_TOKEN": "a secret", "STREAMER_KAFKA_PROPERTIES": "kafka-pass"}
        )
    )
    for text in secrets | {"a secret"}:
        assert text not in table + repr(settings) + str(settings) + wrong
    assert "sasl.password=****" in table
    assert "client.id=me" in table


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PLANHAT_API_URL", "user:hunter2@host"),
        ("SCHEMA_REGISTRY_URL", "//user:hunter2@host"),
        ("PLANHAT_ANALYTICS_URL", "https://host/x?token=hunter2"),
        ("PLANHAT_ANALYTICS_URL", "https://host/x#hunter2"),
        ("PLANHAT_ANALYTICS_URL", "https://host/x?mail=a@hunter2"),
        ("PLANHAT_ANALYTICS_URL", "https://host/x/hunter2@y?a"),
        ("PLANHAT_API_URL", "https://user:hunter2"),
        ("PLANHAT_API_URL", "https://user:hun/hunter2@host"),
        ("PLANHAT_API_URL", "https://user:h@hunter2@host"),
        ("PLANHAT_API_URL", "ftp://host/services/hunter2"),
        ("PLANHAT_API_URL", "hunter2"),
        ("PLANHAT_API_URL", "https://host\n.hunter2"),
        ("PLANHAT_API_URL", "eyJhbGciOiJIUzI1NiJ9.eyJwIjoiaHVudGVyMiJ9.hunter2"),
        ("KAFKA_BOOTSTRAP_SERVERS", "SASL_SSL://user:hunter2@broker:9092"),
        ("KAFKA_BOOTSTRAP_SERVERS", "user:1234,hunter2@broker:9092,other:9092"),
        ("KAFKA_BOOTSTRAP_SERVERS", "broker:9092,user:hunter2"),
        ("KAFKA_BOOTSTRAP_SERVERS", "broker:9092/?password=hunter2"),
        ("SCHEMA_REGISTRY_CA", "-----BEGIN PRIVATE KEY-----\nhunter2"),
        ("SCHEMA_REGISTRY_CA", "hunter2"),
        ("SCHEMA_REGISTRY_USER", "user\nhunter2"),
        ("PLANHAT_SUBDOMAIN", "https://user:hunter2@api"),
        ("PLANHAT_SUBDOMAIN", "api token=hunter2"),
        ("KAFKA_TOPIC", "-----BEGIN PRIVATE KEY-----\nhunter2"),
        ("KAFKA_TOPIC", "x" * 90 + " hunter2"),
        ("KAFKA_TOPIC", "hunter2 " + "x" * 90),
        ("KAFKA_GROUP_ID", "group\nhunter2"),
        ("HTTP_PORT", "sasl.password=hunter2"),
        ("KAFKA_PROPERTIES", "sasl.password=hunter2\nhunter2"),
        ("PLANHAT_TENANT_TOKEN", "hunter2"),
        ("PLANHAT_API_TOKEN", "hunter2 hunter2"),
        ("PLANHAT_API_TOKEN_FILE", "hunter2"),
        ("SCHEMA_REGISTRY_PASSWORD_FILE", "hunter2/secret=="),
        ("SCHEMA_REGISTRY_CA_FILE", "-----BEGIN PRIVATE KEY-----\nhunter2"),
        ("KAFKA_PROPERTIES_FILE", "sasl.password=hunter2"),
        ("SCHEMA_REGISTRY_URL_FILE", "https://user:hunter2@host"),
    ],
)
def test_no_problem_repeats_a_secret(name: str, text: str) -> None:
    """Wherever a secret was put by mistake, the problem names the variable and not the secret."""
    environ = REQUIRED | {"STREAMER_SCHEMA_REGISTRY_URL": "https://registry"}
    if name.endswith("_FILE"):
        environ.pop(f"STREAMER_{name.removesuffix('_FILE')}", None)
    problems = problems_of(environ | {f"STREAMER_{name}": text})

    assert any(problem.startswith(f"STREAMER_{name}=") for problem in problems)
    for secret in ("hunter2", "aHVudGVyMiJ9", "1234", "BEGIN"):
        assert secret not in "\n".join(problems)


@pytest.mark.parametrize(
    ("name", "text", "repeated"),
    [
        ("PLANHAT_API_URL", "https://user:hunter2@api.planhat.com", "'https://****@api.planhat.com'"),
        ("PLANHAT_API_URL", "ftp://api.planhat.com/", "'ftp://api.planhat.com/'"),
        ("PLANHAT_API_URL", "api.planhat.com", "'api.planhat.com'"),
        ("PLANHAT_API_URL", "https://host:99999/a/b", "'https://host:99999/****'"),
        ("KAFKA_BOOTSTRAP_SERVERS", "kafka-1:9092, [::1]:99999,", "'kafka-1:9092,[::1]:99999,'"),
        ("SCHEMA_REGISTRY_CA", "/etc/ssl/no such.pem", "'/etc/ssl/no such.pem'"),
        ("PLANHAT_TENANT_TOKEN_FILE", "../run/no_such", "'../run/no_such'"),
        ("KAFKA_TOPIC", "two words", "'two words'"),
        ("KAFKA_TOPIC", "x" * 250, "(250 characters)"),
    ],
)
def test_a_slip_of_the_pen_is_repeated(name: str, text: str, repeated: str) -> None:
    """What has a harmless form is shown, so that the mistake can be seen."""
    environ = REQUIRED | {"STREAMER_SCHEMA_REGISTRY_URL": "https://registry"}
    if name.endswith("_FILE"):
        environ.pop(f"STREAMER_{name.removesuffix('_FILE')}", None)
    problems = problems_of(environ | {f"STREAMER_{name}": text})

    assert any(problem.startswith(f"STREAMER_{name}={repeated}:") for problem in problems), problems


def test_a_secret_pasted_twice_is_struck_out_of_the_other_variable() -> None:
    """What is a secret in one variable is none to repeat from another."""
    token = REQUIRED["STREAMER_PLANHAT_API_TOKEN"]
    assert only_problem(HTTP_PORT=token).startswith("STREAMER_HTTP_PORT='****': ")
    problem = only_problem(KAFKA_PROPERTIES="sasl.password = hunter2", KAFKA_TOPIC="no hunter2")
    assert problem.startswith("STREAMER_KAFKA_TOPIC='no ****': ")


@pytest.mark.parametrize(
    ("name", "is_secret"),
    [
        ("sasl.password", True),
        ("SASL.Password", True),
        ("ssl.key.pem", True),
        ("ssl.keystore.location", True),
        ("sasl.oauthbearer.client.secret", True),
        ("sasl.jaas.config", True),
        ("sasl.oauthbearer.token.endpoint.url", True),
        ("sasl.oauthbearer.config", True),
        ("sasl.kerberos.kinit.cmd", True),
        ("sasl.username", False),
        ("security.protocol", False),
    ],
)
def test_secret_properties_are_known_by_name(name: str, is_secret: bool) -> None:
    """Words such as password, secret, key, jaas and token in a property's name make its value a secret."""
    settings = loaded(KAFKA_PROPERTIES=f"{name}=hunter2")

    assert is_secret_property(name) is is_secret
    assert ("hunter2" in secret_values(settings)) is is_secret
    assert ("hunter2" in str(settings_table(settings))) is not is_secret


def test_plain_http_to_another_machine_is_warned_of() -> None:
    """Plain http is for a sandbox next door: allowed, and warned of unless it is this machine."""
    assert settings_warnings(loaded(PLANHAT_API_URL="http://127.0.0.1:8080")) == []
    (warning,) = settings_warnings(loaded(PLANHAT_API_URL="http://sandbox:8080"))
    assert "STREAMER_PLANHAT_API_URL=http://sandbox:8080: not encrypted" in warning


def test_the_table_says_where_values_come_from() -> None:
    """Each setting has one row: name, value, source and meaning."""
    rows = {row.name: row for row in settings_table(loaded(HTTP_PORT="0"))}

    assert list(rows) == [variable_name(field) for field in Settings.model_fields]
    assert rows["STREAMER_HTTP_PORT"].source == "environment"
    assert rows["STREAMER_BULK_BYTES"][1:3] == ("8MiB", "default")
    missing = {row.name: row for row in settings_table(load_settings({}, needs=()))}
    assert missing["STREAMER_PLANHAT_TENANT_TOKEN"][1:3] == ("(required)", "not set")
    assert missing["STREAMER_PLANHAT_API_TOKEN"][1:3] == ("(none)", "default")


def test_every_setting_is_documented() -> None:
    """Each setting has a meaning that ends like a sentence, a default and what is allowed."""
    lines = markdown_table().splitlines()[2:]

    assert len(lines) == len(Settings.model_fields)
    for line, field in zip(lines, Settings.model_fields, strict=True):
        assert re.fullmatch(rf"\| `{variable_name(field)}` \| [^|]+ \| [^|]+ \| [A-Z`][^|]+\. \|", line), line


def test_secrets_can_be_read_again(tmp_path: Path) -> None:
    """Tokens in files are read anew; other settings do not matter; a broken file is refused."""
    tenant, api = tmp_path / "tenant", tmp_path / "api"
    tenant.write_text(TENANT)
    api.write_text("old\n")
    environ = {
        "STREAMER_PLANHAT_TENANT_TOKEN_FILE": str(tenant),
        "STREAMER_PLANHAT_API_TOKEN_FILE": str(api),
        "STREAMER_HTTP_PORT": "nonsense",
    }
    assert revealed(reload_secrets(environ).api) == "old"

    api.write_text("new\n")
    tokens = reload_secrets(environ)
    assert (revealed(tokens.tenant), revealed(tokens.api)) == (TENANT, "new")

    api.write_text("")
    with pytest.raises(SettingsError, match="the file is empty"):
        reload_secrets(environ)


def test_settings_do_not_change() -> None:
    """Settings are frozen once read."""
    with pytest.raises(ValueError, match="frozen"):
        load_settings(REQUIRED).http_port = 1


@given(
    st.dictionaries(
        st.sampled_from([variable_name(field) for field in Settings.model_fields]),
        st.text(max_size=40),
    )
)
def test_any_text_is_accepted_or_explained(environ: dict[str, str]) -> None:
    """Whatever the variables hold, they give settings or problems, never another error."""
    problems: list[str] = []
    try:
        load_settings(environ)
    except SettingsError as error:
        problems = error.problems
    assert all(problem.startswith("STREAMER_") for problem in problems)
    assert problems or set(REQUIRED) <= set(environ)


def test_rules_come_from_settings() -> None:
    """What an operator says about consent, aliases and links is what transform is told."""
    rules = loaded(CONSENT_CATEGORIES="crm, marketing", INTEGRATION_ALIASES="Kafka,", LINK="never").rules

    assert rules.consent_categories == {"crm", "marketing"}
    assert rules.transport_aliases == ("Kafka",)
    assert rules.link == "never"
    assert loaded().rules == Rules()


def test_certificates_are_a_path_and_long_values_are_cut(tmp_path: Path) -> None:
    """Certificates given through the _FILE twin are told from their path, and are not printed whole."""
    pem = tmp_path / "ca.pem"
    pem.write_text("-----BEGIN CERTIFICATE-----\n" + "A" * 1000)
    problem = only_problem(SCHEMA_REGISTRY_URL="https://registry", SCHEMA_REGISTRY_CA_FILE=str(pem))

    missing = only_problem(
        SCHEMA_REGISTRY_URL="https://registry", SCHEMA_REGISTRY_CA=str(tmp_path / "no.pem")
    )
    assert "is no file; allowed: the path of a PEM file" in missing
    assert "holds the certificates themselves; name the file they are in" in problem
    assert len(problem) < 300


def test_defaults_are_those_of_the_engine() -> None:
    """A number that both the settings and the engine's limits know by one name has one default."""
    settings, limits = load_settings(REQUIRED), Limits()
    # What an engine on its own leaves to whoever runs it: when to end, and what passes for a copy.
    choices = {"on_hold_exit_seconds", "duplicates_window"}
    shared = {field.name for field in fields(Limits)} & set(Settings.model_fields) - choices

    assert len(shared) > 10
    for name in shared:
        assert getattr(settings, name) == getattr(limits, name), name
    bulk, activities = limits.bulks[Endpoint.ENDUSERS], limits.bulks[Endpoint.ACTIVITIES]
    assert (settings.bulk_items, settings.bulk_bytes) == (bulk.operations, bulk.size_bytes)
    assert settings.activity_bulk_items == activities.operations
    assert settings.activity_bulk_bytes == activities.size_bytes
    assert settings.activity_workers == activities.flights
    assert settings.linger_seconds == bulk.linger_seconds == activities.linger_seconds
    assert settings.planhat_calls_per_minute == limits.calls_per_minute
