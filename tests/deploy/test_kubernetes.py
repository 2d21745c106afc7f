"""The base and its overlays: their agreement with the settings, with each other and with this version."""

import re
from pathlib import Path

import kubernetes_validate
import pytest

import streamer
from streamer.config import Settings
from streamer.kafka.start import ANSWER_SECONDS
from tests.deploy.agreement import (
    bytes_of,
    container_of,
    mounted,
    pod_of,
    settings_of,
)
from tests.deploy.kustomize import only, production_with, rendered
from tests.deploy.renderings import PRODUCTIONS, RENDERINGS, STREAMERS, WITH_ALL, rendering
from tests.deploy.shipped import (
    BASE,
    KUBERNETES,
    ROOT,
    compose,
    container,
    deployment,
    manifests,
    pod_settings,
    yaml_of,
)

SLOWEST_START_SECONDS = 3 * ANSWER_SECONDS
"""Kafka is asked about access, topics and start, and may take its time for each."""


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("path", manifests(), ids=lambda path: path.stem)
def test_manifests_are_what_kubernetes_accepts(path: Path, version: str) -> None:
    """Every file of the base is valid by itself, where no kustomize is at hand to render it."""
    kubernetes_validate.validate(yaml_of(path), version, strict=True)


def test_validation_sees_a_misspelt_field() -> None:
    """The validator refuses a field Kubernetes does not know: it is switched to strict."""
    wanted = deployment()
    wanted["spec"]["template"]["spec"]["terminationGracePeriod"] = 90
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wanted, KUBERNETES[-1], strict=True)


def test_kustomization_names_every_manifest() -> None:
    """A manifest in k8s/base is applied: none is left out of the kustomization."""
    assert yaml_of(BASE / "kustomization.yaml")["resources"] == [path.name for path in manifests()]


def test_pod_settings_are_settings(tmp_path: Path) -> None:
    """Every variable of the base's pod is a setting, with a value that `streamer run` starts with."""
    assert pod_settings(tmp_path).kafka_topic == "segment.events"


# --- settings, in every rendering ----------------------------------------------------------------


@pytest.mark.parametrize("name", STREAMERS)
def test_pods_start_with_settings(name: str, tmp_path: Path) -> None:
    """References lead somewhere, and what the pod is told is what `streamer run` starts with."""
    settings = settings_of(rendering(name), tmp_path)

    assert settings.kafka_topic == "segment.events"
    assert settings.log_format.value == "json"


@pytest.mark.parametrize("name", STREAMERS)
def test_replicas_keep_to_the_quota_together(name: str, tmp_path: Path) -> None:
    """The budget is the group's: every rendering has the whole, however many replicas there may be."""
    budget = Settings.model_fields["planhat_calls_per_minute"].default

    assert settings_of(rendering(name), tmp_path).planhat_calls_per_minute == budget


@pytest.mark.parametrize("name", STREAMERS)
def test_grace_period_outlasts_the_drain(name: str, tmp_path: Path) -> None:
    """Kubernetes waits as long as the settings say, and that is longer than a drain takes."""
    settings = settings_of(rendering(name), tmp_path)
    grace = pod_of(rendering(name))["spec"]["terminationGracePeriodSeconds"]

    assert grace == settings.grace_seconds
    assert grace > settings.drain_seconds


@pytest.mark.parametrize("name", STREAMERS)
def test_probes_ask_the_right_questions(name: str, tmp_path: Path) -> None:
    """Liveness asks /livez and readiness /readyz, on the port the settings serve."""
    wanted = container_of(rendering(name))
    (port,) = wanted["ports"]

    assert port["containerPort"] == settings_of(rendering(name), tmp_path).http_port
    assert wanted["livenessProbe"]["httpGet"] == {"path": "/livez", "port": port["name"]}
    assert wanted["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": port["name"]}
    assert wanted["startupProbe"]["httpGet"] == {"path": "/livez", "port": port["name"]}


@pytest.mark.parametrize("name", STREAMERS)
def test_probes_are_as_patient_as_the_settings(name: str, tmp_path: Path) -> None:
    """A slow start and a drain are no death; and what is stuck dies before Kafka gives up on it."""
    settings = settings_of(rendering(name), tmp_path)
    probes = container_of(rendering(name))
    live, start = probes["livenessProbe"], probes["startupProbe"]
    patience = live["periodSeconds"] * live["failureThreshold"]

    assert start["periodSeconds"] * start["failureThreshold"] >= 2 * SLOWEST_START_SECONDS
    assert settings.stuck_seconds + patience < settings.max_poll_interval_seconds
    assert all(probe["timeoutSeconds"] <= probe["periodSeconds"] for probe in (live, start))


@pytest.mark.parametrize("name", STREAMERS)
def test_memory_limit_covers_what_may_be_in_flight(name: str, tmp_path: Path) -> None:
    """The pod may use at least four times the bytes that may be in flight; it asks for no more than that."""
    resources = container_of(rendering(name))["resources"]
    limit = bytes_of(resources["limits"]["memory"])

    assert limit >= 4 * settings_of(rendering(name), tmp_path).high_water_bytes
    assert bytes_of(resources["requests"]["memory"]) <= limit
    assert {"cpu", "memory"} <= resources["requests"].keys()
    assert "cpu" not in resources["limits"]


# --- references ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STREAMERS)
def test_secrets_come_by_reference(name: str) -> None:
    """Each variable of the pod names a file of a mounted Secret, and dev alone brings its Secret along."""
    documents = rendering(name)
    named = {
        variable["value"]
        for variable in container_of(documents)["env"]
        if variable["name"] != "STREAMER_MAPPING_FILE"
    }

    assert all("valueFrom" not in variable for variable in container_of(documents)["env"])
    assert named <= mounted(documents).keys()
    assert ("Secret" in {each["kind"] for each in documents}) == (name == "overlays/dev")


@pytest.mark.parametrize("name", PRODUCTIONS)
def test_kafka_is_spoken_to_under_lock(name: str, tmp_path: Path) -> None:
    """In production a user and TLS come from a Secret's file, and every file they name is mounted."""
    documents = rendering(name)
    properties = settings_of(documents, tmp_path).kafka_properties
    files = {value for key, value in properties.items() if key.endswith(".location")}

    assert properties["security.protocol"] == "SASL_SSL"
    assert files
    assert files <= mounted(documents).keys()


def test_tokens_of_dev_open_the_sandbox_alone() -> None:
    """In dev both of Planhat's addresses are the sandbox's, which is started as in compose."""
    documents = rendering("overlays/dev")
    data = only(documents, "ConfigMap")["data"]
    (service,) = (
        each
        for each in documents
        if each["kind"] == "Service" and each["metadata"]["name"] == "streamer-sandbox"
    )
    (sandbox,) = pod_of(documents, "streamer-sandbox")["spec"]["containers"]
    address = f"http://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"

    assert {data["STREAMER_PLANHAT_API_URL"], data["STREAMER_PLANHAT_ANALYTICS_URL"]} == {address}
    assert sandbox["args"] == compose()["services"]["sandbox"]["command"]
    assert f"--port={sandbox['ports'][0]['containerPort']}" in sandbox["args"]


def test_tokens_of_dev_are_in_its_secret(tmp_path: Path) -> None:
    """What the pod reads from the Secret of dev is what the sandbox takes."""
    documents = rendering("overlays/dev")
    settings = settings_of(documents, tmp_path)
    (sandbox,) = pod_of(documents, "streamer-sandbox")["spec"]["containers"]

    assert f"--tenant-token={settings.planhat_tenant_token.get_secret_value()}" in sandbox["args"]
    assert settings.planhat_api_token is not None
    assert f"--api-token={settings.planhat_api_token.get_secret_value()}" in sandbox["args"]


def test_a_change_of_settings_rolls_the_pods(tmp_path: Path) -> None:
    """Another value makes another ConfigMap, which the Deployment names: so pods are replaced."""
    before = rendering(WITH_ALL)
    copy = tmp_path / "k8s"
    production_with(set(WITH_ALL.removeprefix("production with ").split(", ")), copy)
    path = copy / "overlays" / "production" / "streamer.env"
    path.write_text(path.read_text(encoding="utf-8") + "STREAMER_LOG_LEVEL=debug\n", encoding="utf-8")
    after = rendered(path.parent)
    names = [container_of(documents)["envFrom"][0]["configMapRef"]["name"] for documents in (before, after)]

    assert re.fullmatch(r"streamer-[a-z0-9]{10}", names[0])
    assert names[0] != names[1]


@pytest.mark.parametrize("name", STREAMERS)
def test_labels_select_the_pods(name: str) -> None:
    """Deployment, Service, disruption budget and spread select the labels that the pods carry."""
    documents = rendering(name)
    spec = only(documents, "Deployment", "streamer")["spec"]
    labels = spec["template"]["metadata"]["labels"]
    selectors = [
        spec["selector"]["matchLabels"],
        only(documents, "Service", "streamer")["spec"]["selector"],
        only(documents, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
    ]
    selectors += [
        each["labelSelector"]["matchLabels"] for each in spec["template"]["spec"]["topologySpreadConstraints"]
    ]
    for selector in selectors:
        assert selector
        assert selector.items() <= labels.items()


def test_the_sandbox_is_not_taken_for_streamer() -> None:
    """What selects streamer's pods does not select the sandbox's, whose Service does."""
    documents = rendering("overlays/dev")
    labels = pod_of(documents, "streamer-sandbox")["metadata"]["labels"]

    assert not only(documents, "Service", "streamer")["spec"]["selector"].items() <= labels.items()
    assert only(documents, "Service", "streamer-sandbox")["spec"]["selector"].items() <= labels.items()


# --- one by one ----------------------------------------------------------------------------------


def test_pods_hold_no_account_token_and_write_nowhere() -> None:
    """The pod holds no token of Kubernetes, and its root file system cannot be written."""
    pod = deployment()["spec"]["template"]["spec"]

    assert pod["automountServiceAccountToken"] is False
    assert yaml_of(BASE / "serviceaccount.yaml")["automountServiceAccountToken"] is False
    assert container()["securityContext"]["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize("name", STREAMERS)
def test_disruptions_leave_a_replica(name: str) -> None:
    """One pod at a time may be evicted, a pod that is not ready always; in production one stays at work."""
    documents = rendering(name)
    budget = only(documents, "PodDisruptionBudget")["spec"]
    least = only(documents, "Deployment", "streamer")["spec"].get("replicas", 0)
    for each in documents:
        if each["kind"] == "ScaledObject":
            least = each["spec"]["minReplicaCount"]

    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert budget["maxUnavailable"] == 1
    assert "minAvailable" not in budget
    assert least >= (1 if name == "overlays/dev" else 2)


@pytest.mark.parametrize("name", STREAMERS)
def test_roll_outs_keep_to_the_quota(name: str) -> None:
    """A roll-out adds no replica to those that share the quota, and takes one away at a time."""
    strategy = only(rendering(name), "Deployment", "streamer")["spec"]["strategy"]

    assert strategy["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}


@pytest.mark.parametrize("name", RENDERINGS)
def test_images_are_of_this_version(name: str) -> None:
    """Every image of ours is that of the version that the manifests lie beside."""
    pods = [each["spec"]["template"]["spec"] for each in rendering(name) if each["kind"] == "Deployment"]
    images = [each["image"] for pod in pods for each in pod["containers"]]

    assert [image.rpartition(":")[2] for image in images] == [streamer.__version__] * len(images)
    assert {image.rpartition("/")[2].partition(":")[0] for image in images} <= {"streamer", "streamer-demo"}


def test_every_folder_is_told_of() -> None:
    """The page about Kubernetes names every overlay and every component."""
    text = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    folders = [path for kind in ("overlays", "components") for path in (ROOT / "k8s" / kind).iterdir()]

    assert [path.name for path in folders if f"`{path.parent.name}/{path.name}`" not in text] == []
