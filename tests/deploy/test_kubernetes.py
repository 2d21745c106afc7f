"""The manifests: what Kubernetes accepts, and their agreement with the settings."""

import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

import streamer
from streamer.config import Settings
from tests.deploy.shipped import (
    BASE,
    KUBERNETES,
    ROOT,
    TOKEN_FILES,
    container,
    deployment,
    manifests,
    pod_settings,
    yaml_of,
)


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("path", manifests(), ids=lambda path: path.stem)
def test_manifests_are_what_kubernetes_accepts(path: Path, version: str) -> None:
    """Every manifest is valid, without a single unknown field, on the oldest and the newest cluster."""
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        kubernetes_validate.validate(document, version, strict=True)


def test_validation_sees_a_misspelt_field() -> None:
    """The validator refuses a field Kubernetes does not know: it is switched to strict."""
    wanted = deployment()
    wanted["spec"]["template"]["spec"]["terminationGracePeriod"] = 90
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wanted, KUBERNETES[-1], strict=True)


def test_kustomization_names_every_manifest() -> None:
    """A manifest in k8s/base is applied: none is left out of the kustomization."""
    assert yaml_of(BASE / "kustomization.yaml")["resources"] == [path.name for path in manifests()]


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
    assert pod_settings(tmp_path).kafka_topic == "segment.events"


def test_grace_period_outlasts_the_drain(tmp_path: Path) -> None:
    """Kubernetes waits as long as the settings say, and that is longer than a drain takes."""
    settings = pod_settings(tmp_path)
    grace = deployment()["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]

    assert grace == settings.grace_seconds
    assert grace > settings.drain_seconds


def test_replicas_keep_to_the_quota_together(tmp_path: Path) -> None:
    """All replicas together use no more of the tenant's calls than one alone would by default."""
    calls = pod_settings(tmp_path).planhat_calls_per_minute * deployment()["spec"]["replicas"]

    assert calls <= Settings.model_fields["planhat_calls_per_minute"].default


def test_probes_ask_the_right_questions(tmp_path: Path) -> None:
    """Liveness asks /livez and readiness /readyz, on the port the settings serve."""
    wanted = container()
    (port,) = wanted["ports"]

    assert port["containerPort"] == pod_settings(tmp_path).http_port
    assert wanted["livenessProbe"]["httpGet"] == {"path": "/livez", "port": port["name"]}
    assert wanted["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": port["name"]}
    assert wanted["startupProbe"]["httpGet"] == {"path": "/livez", "port": port["name"]}


def test_pod_is_restricted() -> None:
    """The pod meets Kubernetes' restricted standard, writes nowhere and holds no account token."""
    pod = deployment()["spec"]["template"]["spec"]
    wanted = container()

    assert pod["automountServiceAccountToken"] is False
    assert yaml_of(BASE / "serviceaccount.yaml")["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert wanted["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "memory" in wanted["resources"]["limits"]
    assert {"cpu", "memory"} <= wanted["resources"]["requests"].keys()


def test_memory_limit_covers_what_may_be_in_flight(tmp_path: Path) -> None:
    """The pod may use at least four times the bytes that may be in flight."""
    limit = container()["resources"]["limits"]["memory"]
    units = {"Mi": 2**20, "Gi": 2**30}

    assert int(limit[:-2]) * units[limit[-2:]] >= 4 * pod_settings(tmp_path).high_water_bytes


def test_tokens_come_by_reference() -> None:
    """Tokens are read from a Secret that is mounted, and no manifest holds one."""
    pod = deployment()["spec"]["template"]["spec"]
    (volume,) = pod["volumes"]
    (mount,) = container()["volumeMounts"]
    paths = {f"{mount['mountPath']}/{entry['path']}" for entry in volume["secret"]["items"]}

    assert mount["name"] == volume["name"]
    assert mount["readOnly"] is True
    assert {variable["value"] for variable in container()["env"]} == paths
    assert {variable["name"] for variable in container()["env"]} == set(TOKEN_FILES)
    assert "Secret" not in {yaml_of(path)["kind"] for path in manifests()}


def test_disruptions_leave_a_replica() -> None:
    """The disruption budget selects the pods and leaves at least one of them running."""
    budget = yaml_of(BASE / "poddisruptionbudget.yaml")["spec"]
    wanted = deployment()["spec"]

    assert budget["selector"] == wanted["selector"]
    assert budget["maxUnavailable"] < wanted["replicas"]


def test_labels_select_the_pods() -> None:
    """Deployment, Service and spread constraint select the labels that the pods carry."""
    spec = deployment()["spec"]
    labels = spec["template"]["metadata"]["labels"]
    (constraint,) = spec["template"]["spec"]["topologySpreadConstraints"]

    for selector in (
        spec["selector"]["matchLabels"],
        constraint["labelSelector"]["matchLabels"],
        yaml_of(BASE / "service.yaml")["spec"]["selector"],
    ):
        assert selector.items() <= labels.items()


def test_image_is_this_version() -> None:
    """The Deployment asks for the image of the version it lies beside."""
    assert container()["image"] == f"streamer:{streamer.__version__}"
