"""The deployable things: manifests, compose file, image, and their agreement with the settings."""

import argparse
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

import streamer
from streamer.config import Settings, load_settings
from streamer.errors import InvalidEvent
from streamer.events.parse import parse
from streamer.outcomes import InvalidReason
from streamer.standins.planhat import command as sandbox_command
from streamer.transform import Rules, transform

ROOT = Path(__file__).resolve().parent.parent
BASE = ROOT / "k8s" / "base"
TOOLS = Path(sys.executable).parent
# The oldest and the newest cluster we say we run on.
KUBERNETES = ("1.31", "1.37")
TOKEN_FILES = {
    "STREAMER_PLANHAT_TENANT_TOKEN_FILE": "00000000-0000-4000-8000-000000000000",
    "STREAMER_PLANHAT_API_TOKEN_FILE": "some-token",
}


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _manifests() -> list[Path]:
    return sorted(path for path in BASE.glob("*.yaml") if path.name != "kustomization.yaml")


def _deployment() -> Any:
    return _yaml(BASE / "deployment.yaml")


def _container() -> Any:
    (container,) = _deployment()["spec"]["template"]["spec"]["containers"]
    return container


def _compose() -> Any:
    return _yaml(ROOT / "docker-compose.yml")


def _pod_settings(tmp_path: Path) -> Settings:
    """The settings a pod would start with, its Secret replaced by files of ours."""
    environ = dict(_yaml(BASE / "configmap.yaml")["data"])
    for variable in _container()["env"]:
        path = tmp_path / variable["name"]
        path.write_text(TOKEN_FILES[variable["name"]], encoding="utf-8")
        environ[variable["name"]] = str(path)
    return load_settings(environ)


def _dockerfile_lines() -> list[str]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


# --- Kubernetes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("path", _manifests(), ids=lambda path: path.stem)
def test_manifests_are_what_kubernetes_accepts(path: Path, version: str) -> None:
    """Every manifest is valid, without a single unknown field, on the oldest and the newest cluster."""
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        kubernetes_validate.validate(document, version, strict=True)


def test_validation_sees_a_misspelt_field() -> None:
    """The validator refuses a field Kubernetes does not know: it is switched to strict."""
    deployment = _deployment()
    deployment["spec"]["template"]["spec"]["terminationGracePeriod"] = 90
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, KUBERNETES[-1], strict=True)


def test_kustomization_names_every_manifest() -> None:
    """A manifest in k8s/base is applied: none is left out of the kustomization."""
    assert _yaml(BASE / "kustomization.yaml")["resources"] == [path.name for path in _manifests()]


@pytest.mark.parametrize("folder", ["base", "dashboards"])
def test_kustomize_builds(folder: str) -> None:
    """`kubectl kustomize` renders each folder, and what it renders is valid too."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    rendered = subprocess.run(
        [kubectl, "kustomize", str(ROOT / "k8s" / folder)], capture_output=True, text=True, check=False
    )
    assert rendered.returncode == 0, rendered.stderr
    documents = list(yaml.safe_load_all(rendered.stdout))

    assert documents
    for document in documents:
        kubernetes_validate.validate(document, KUBERNETES[-1], strict=True)


def test_pod_settings_are_settings(tmp_path: Path) -> None:
    """Every variable of the pod is a setting, with a value that `streamer run` starts with."""
    assert _pod_settings(tmp_path).kafka_topic == "segment.events"


def test_grace_period_outlasts_the_drain(tmp_path: Path) -> None:
    """Kubernetes waits as long as the settings say, and that is longer than a drain takes."""
    settings = _pod_settings(tmp_path)
    grace = _deployment()["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]

    assert grace == settings.grace_seconds
    assert grace > settings.drain_seconds


def test_replicas_keep_to_the_quota_together(tmp_path: Path) -> None:
    """All replicas together use no more of the tenant's calls than one alone would by default."""
    calls = _pod_settings(tmp_path).planhat_calls_per_minute * _deployment()["spec"]["replicas"]

    assert calls <= Settings.model_fields["planhat_calls_per_minute"].default


def test_probes_ask_the_right_questions(tmp_path: Path) -> None:
    """Liveness asks /livez and readiness /readyz, on the port the settings serve."""
    container = _container()
    (port,) = container["ports"]

    assert port["containerPort"] == _pod_settings(tmp_path).http_port
    assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": port["name"]}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": port["name"]}
    assert container["startupProbe"]["httpGet"] == {"path": "/livez", "port": port["name"]}


def test_pod_is_restricted() -> None:
    """The pod meets Kubernetes' restricted standard, writes nowhere and holds no account token."""
    pod = _deployment()["spec"]["template"]["spec"]
    container = _container()

    assert pod["automountServiceAccountToken"] is False
    assert _yaml(BASE / "serviceaccount.yaml")["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "memory" in container["resources"]["limits"]
    assert {"cpu", "memory"} <= container["resources"]["requests"].keys()


def test_memory_limit_covers_what_may_be_in_flight(tmp_path: Path) -> None:
    """The pod may use at least four times the bytes that may be in flight."""
    limit = _container()["resources"]["limits"]["memory"]
    units = {"Mi": 2**20, "Gi": 2**30}

    assert int(limit[:-2]) * units[limit[-2:]] >= 4 * _pod_settings(tmp_path).high_water_bytes


def test_tokens_come_by_reference() -> None:
    """Tokens are read from a Secret that is mounted, and no manifest holds one."""
    pod = _deployment()["spec"]["template"]["spec"]
    (volume,) = pod["volumes"]
    (mount,) = _container()["volumeMounts"]
    paths = {f"{mount['mountPath']}/{entry['path']}" for entry in volume["secret"]["items"]}

    assert mount["name"] == volume["name"]
    assert mount["readOnly"] is True
    assert {variable["value"] for variable in _container()["env"]} == paths
    assert {variable["name"] for variable in _container()["env"]} == set(TOKEN_FILES)
    assert "Secret" not in {_yaml(path)["kind"] for path in _manifests()}


def test_disruptions_leave_a_replica() -> None:
    """The disruption budget selects the pods and leaves at least one of them running."""
    budget = _yaml(BASE / "poddisruptionbudget.yaml")["spec"]
    deployment = _deployment()["spec"]

    assert budget["selector"] == deployment["selector"]
    assert budget["maxUnavailable"] < deployment["replicas"]


def test_labels_select_the_pods() -> None:
    """Deployment, Service and spread constraint select the labels that the pods carry."""
    spec = _deployment()["spec"]
    labels = spec["template"]["metadata"]["labels"]
    (constraint,) = spec["template"]["spec"]["topologySpreadConstraints"]

    for selector in (
        spec["selector"]["matchLabels"],
        constraint["labelSelector"]["matchLabels"],
        _yaml(BASE / "service.yaml")["spec"]["selector"],
    ):
        assert selector.items() <= labels.items()


def test_image_is_this_version() -> None:
    """The Deployment asks for the image of the version it lies beside."""
    assert _container()["image"] == f"streamer:{streamer.__version__}"


# --- compose -------------------------------------------------------------------------------------


def test_compose_file_follows_the_compose_specification() -> None:
    """The compose file is valid by the published schema of the compose specification."""
    checked = subprocess.run(
        [
            TOOLS / "check-jsonschema",
            "--builtin-schema",
            "vendor.compose-spec",
            ROOT / "docker-compose.yml",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_compose_settings_are_settings() -> None:
    """Every variable given to streamer is a setting, with a value that it starts with."""
    settings = load_settings(_compose()["services"]["streamer"]["environment"])

    assert settings.planhat_api_url == settings.planhat_analytics_url == "http://sandbox:8080"


def test_compose_stop_period_is_the_grace_period() -> None:
    """The container engine waits as long as the settings say before it kills."""
    service = _compose()["services"]["streamer"]

    assert service["stop_grace_period"] == f"{load_settings(service['environment']).grace_seconds:.0f}s"


def test_compose_makes_the_topics_that_are_used() -> None:
    """The one-shot service creates the event topic and the dead-letter topic of the settings."""
    services = _compose()["services"]
    settings = load_settings(services["streamer"]["environment"])
    made = re.findall(r"^topic (\S+)", services["topics"]["command"][0], re.MULTILINE)

    assert made == [settings.kafka_topic, settings.kafka_dead_letter_topic]
    assert services["kafka"]["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_compose_waits_for_what_it_needs() -> None:
    """A service waits for health only of services that report it, and for the end of one-shots."""
    services = _compose()["services"]
    for service in services.values():
        for name, condition in service.get("depends_on", {}).items():
            if condition["condition"] == "service_healthy":
                assert "healthcheck" in services[name]
            else:
                assert condition["condition"] == "service_completed_successfully"
                assert services[name]["restart"] == "no"


def test_compose_publishes_on_this_machine_alone() -> None:
    """No port is open to the network around the machine."""
    for service in _compose()["services"].values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


def test_images_are_pinned() -> None:
    """Every image that is not built here has a version in its tag."""
    for service in _compose()["services"].values():
        if "build" in service:
            assert service["image"] in {"streamer", "streamer-demo"}
        else:
            assert re.search(r":v?\d+\.\d+(\.\d+)?$", service["image"]), service["image"]


def test_compose_mounts_exist() -> None:
    """Every file and folder that is mounted is in the repository."""
    for service in _compose()["services"].values():
        for volume in service.get("volumes", []):
            assert (ROOT / volume.split(":")[0]).exists(), volume


def test_prometheus_scrapes_streamer() -> None:
    """Prometheus asks the streamer service on the port that it serves."""
    settings = load_settings(_compose()["services"]["streamer"]["environment"])
    (job,) = _yaml(ROOT / "compose" / "prometheus.yml")["scrape_configs"]

    assert job["static_configs"] == [{"targets": [f"streamer:{settings.http_port}"]}]


def test_sandbox_takes_its_command_line_and_the_tokens_of_streamer() -> None:
    """The sandbox understands its arguments, and its tokens are those that streamer sends."""
    services = _compose()["services"]
    parser = argparse.ArgumentParser()
    sandbox_command.add_arguments(parser)
    arguments = parser.parse_args(services["sandbox"]["command"][1:])
    settings = load_settings(services["streamer"]["environment"])

    assert services["sandbox"]["command"][0] == "sandbox"
    assert arguments.tenant_token == settings.planhat_tenant_token.get_secret_value()
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


# --- the image -----------------------------------------------------------------------------------


def test_dockerfile_passes_the_linter() -> None:
    """The linter of Dockerfiles finds nothing."""
    linted = subprocess.run(
        [TOOLS / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_image_runs_as_the_user_of_the_pod() -> None:
    """The image's user is a number, not root, and the one the pod asks for."""
    context = _deployment()["spec"]["template"]["spec"]["securityContext"]

    assert f"USER {context['runAsUser']}:{context['runAsGroup']}" in _dockerfile_lines()
    assert context["runAsUser"] > 0


def test_image_installs_only_what_is_pinned_and_hashed() -> None:
    """Each `pip install` of the image demands hashes, or installs the wheel just built."""
    installs = [
        command for line in _dockerfile_lines() for command in line.split("&&") if "pip install" in command
    ]

    assert len(installs) == 5
    for command in installs:
        assert "--require-hashes" in command or "--no-deps --no-index /wheels" in command


def test_build_context_holds_what_is_copied() -> None:
    """.dockerignore lets through exactly what the Dockerfile copies from the checkout."""
    copied = set()
    for line in _dockerfile_lines():
        if line.startswith("COPY ") and "--from=" not in line:
            copied |= {word.removeprefix("./") for word in shlex.split(line)[1:-1]}
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()

    assert {line[1:] for line in ignore if line.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)


def test_compose_builds_targets_that_exist() -> None:
    """Every build target of the compose file is a stage of the Dockerfile, and the last is `runtime`."""
    stages = [line.split(" AS ")[1] for line in _dockerfile_lines() if line.startswith("FROM ")]
    services = _compose()["services"].values()

    assert stages[-1] == "runtime"
    assert {service["build"]["target"] for service in services if "build" in service} <= set(stages)
