"""The compose file: what it starts, and its agreement with the settings."""

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import yaml

from streamer.config import load_settings
from streamer.errors import InvalidEvent
from streamer.events.parse import parse
from streamer.outcomes import InvalidReason
from streamer.standins.planhat import command as sandbox_command
from streamer.transform import Rules, transform
from tests.deploy.shipped import ROOT, TOOLS, compose, yaml_of
from tests.real_kafka.cluster import KAFKA_VERSION
from tools import alerts


def _follows_the_specification(path: Path) -> None:
    checked = subprocess.run(
        [TOOLS / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_compose_file_follows_the_compose_specification() -> None:
    """The compose file is valid by the published schema of the compose specification."""
    _follows_the_specification(ROOT / "docker-compose.yml")


def test_the_mapping_of_the_page_is_mounted_where_its_setting_says(tmp_path: Path) -> None:
    """What docs/compose.md has people put beside the compose file: valid, and of a service that is there."""
    (shown,) = re.findall(
        r"^```yaml\n(.*?)^```$", (ROOT / "docs/compose.md").read_text(), re.DOTALL | re.MULTILINE
    )
    override = tmp_path / "docker-compose.override.yml"
    override.write_text(shown, encoding="utf-8")
    _follows_the_specification(override)

    ((service, added),) = yaml.safe_load(shown)["services"].items()
    (volume,) = added["volumes"]
    _, path, mode = volume.split(":")
    assert service in compose()["services"]
    assert added["environment"] == {"STREAMER_MAPPING_FILE": path}
    assert mode == "ro"


def test_compose_settings_are_settings() -> None:
    """Every variable given to streamer is a setting, with a value that it starts with."""
    settings = load_settings(compose()["services"]["streamer"]["environment"])

    assert settings.planhat_api_url == settings.planhat_analytics_url == "http://sandbox:8080"


def test_compose_stop_period_is_the_grace_period() -> None:
    """The container engine waits as long as the settings say before it kills."""
    service = compose()["services"]["streamer"]

    assert service["stop_grace_period"] == f"{load_settings(service['environment']).grace_seconds:.0f}s"


def test_compose_makes_the_topics_that_are_used() -> None:
    """The one-shot service creates the event topic and the dead-letter topic of the settings."""
    services = compose()["services"]
    settings = load_settings(services["streamer"]["environment"])
    made = re.findall(r"^topic (\S+)", services["topics"]["command"][0], re.MULTILINE)

    assert made == [settings.kafka_topic, settings.kafka_dead_letter_topic]
    assert services["kafka"]["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_compose_waits_for_what_it_needs() -> None:
    """A service waits for health only of services that report it, and for the end of one-shots."""
    services = compose()["services"]
    for service in services.values():
        for name, condition in service.get("depends_on", {}).items():
            if condition["condition"] == "service_healthy":
                assert "healthcheck" in services[name]
            else:
                assert condition["condition"] == "service_completed_successfully"
                assert services[name]["restart"] == "no"


def test_compose_publishes_on_this_machine_alone() -> None:
    """No port is open to the network around the machine."""
    for service in compose()["services"].values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


def test_images_are_pinned() -> None:
    """Every image that is not built here has a version in its tag."""
    for service in compose()["services"].values():
        if "build" in service:
            assert service["image"] in {"streamer", "streamer-demo"}
        else:
            assert re.search(r":v?\d+\.\d+(\.\d+)?$", service["image"]), service["image"]


def test_compose_mounts_exist() -> None:
    """Every file and folder that is mounted is in the repository."""
    for service in compose()["services"].values():
        for volume in service.get("volumes", []):
            assert (ROOT / volume.split(":")[0]).exists(), volume


def test_prometheus_scrapes_streamer() -> None:
    """Prometheus asks the streamer service on the port that it serves."""
    settings = load_settings(compose()["services"]["streamer"]["environment"])
    (job,) = yaml_of(ROOT / "compose" / "prometheus.yml")["scrape_configs"]

    assert job["static_configs"] == [{"targets": [f"streamer:{settings.http_port}"]}]


def test_prometheus_judges_by_the_alert_rules() -> None:
    """The rules file that is mounted is the one source, and Prometheus sends to the Alertmanager there is."""
    services = compose()["services"]
    config = yaml_of(ROOT / "compose" / "prometheus.yml")
    (mount,) = (each for each in services["prometheus"]["volumes"] if "alerts" in each)
    source, target, _ = mount.split(":")

    assert list((ROOT / source).glob(config["rule_files"][0].removeprefix("alerts/"))) == [alerts.RULES]
    assert target == "/etc/prometheus/alerts"
    (manager,) = config["alerting"]["alertmanagers"]
    assert manager["static_configs"] == [{"targets": ["alertmanager:9093"]}]
    assert services["alertmanager"]["ports"] == ["127.0.0.1:9093:9093"]


def test_the_page_s_inhibitions_are_those_of_compose() -> None:
    """What the page of alerts tells to put into Alertmanager is what a real one loads in a test."""
    page = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
    blocks = [
        yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    ]
    told = [block["inhibit_rules"] for block in blocks if "inhibit_rules" in block]

    assert told == [yaml_of(ROOT / "compose" / "alertmanager.yml")["inhibit_rules"]]


def test_what_runs_elsewhere_is_the_version_tests_run() -> None:
    """The broker of the compose file is the very version of Kafka that tests run."""
    services = compose()["services"]

    assert services["kafka"]["image"] == services["topics"]["image"] == f"apache/kafka:{KAFKA_VERSION}"


def test_every_service_says_how_it_is() -> None:
    """Each service that stays has a health check, or says that it has none; one-shots need none."""
    for name, service in compose()["services"].items():
        is_built = service.get("build", {}).get("target") == "runtime"  # the image brings its own
        assert is_built or service.get("restart") == "no" or "healthcheck" in service, name


def test_profiles_are_those_that_make_starts() -> None:
    """`make up` starts every profile there is."""
    profiles = {each for service in compose()["services"].values() for each in service.get("profiles", [])}
    (line,) = re.findall(r"docker compose (.*) up ", (ROOT / "Makefile").read_text(encoding="utf-8"))

    assert set(re.findall(r"--profile (\w+)", line)) == profiles


def test_sandbox_takes_its_command_line_and_the_tokens_of_streamer() -> None:
    """The sandbox understands its arguments, and its tokens are those that streamer sends."""
    services = compose()["services"]
    parser = argparse.ArgumentParser()
    sandbox_command.add_arguments(parser)
    arguments = parser.parse_args(services["sandbox"]["command"][1:])
    settings = load_settings(services["streamer"]["environment"])

    assert services["sandbox"]["command"][0] == "sandbox"
    assert arguments.tenant_token == settings.planhat_tenant_token.get_secret_value()
    assert settings.planhat_api_token is not None
    assert arguments.api_token == settings.planhat_api_token.get_secret_value()
    assert settings.planhat_api_url == f"http://sandbox:{arguments.port}"


def test_sample_producer_prints_calls_of_every_fate() -> None:
    """The sample producer prints as many events as asked for; most make operations, few are bad."""
    printed = subprocess.run(
        [sys.executable, ROOT / "compose" / "sample" / "events.py", "3000"],
        capture_output=True,
        text=True,
        check=True,
    )
    fates: Counter[str] = Counter()
    for line in printed.stdout.splitlines():
        try:
            result = transform(parse(json.loads(line)), Rules())
            fates[type(result).__name__] += 1
        except InvalidEvent as error:
            fates[error.reason] += 1

    assert fates.total() == 3000
    assert fates["Transformed"] > 2800
    assert fates.keys() <= {"Transformed", "Skipped", InvalidReason.EVENT_NOT_DEFINED}
