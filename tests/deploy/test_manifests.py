"""What is rendered, judged by others: kustomize, Kubernetes' schemas, CRDs, checkov, the pod standards.

Each of these judges is itself tried with a mistake: one that passes everything proves nothing.
"""

import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.deploy import kinds, pod_security, policy
from tests.deploy.agreement import container_of, pod_of
from tests.deploy.kustomize import COMPONENTS, PRODUCTION, Documents, only, rendered
from tests.deploy.renderings import RENDERINGS, STREAMERS, WITH_ALL, rendering
from tests.deploy.shipped import KUBERNETES, ROOT

pytestmark = pytest.mark.long

FOLLOWED_IN_PRODUCTION_ONLY = {
    "CKV_K8S_15": "dev takes the image that was built on the machine",
    "CKV2_K8S_6": "the namespaces that a network policy names are those of a production cluster",
}
REFUSED_BY_CRDS: dict[str, Callable[[Any], Any]] = {
    "PodMonitor": lambda spec: spec["podMetricsEndpoints"][0].update(portt="http"),
    "PrometheusRule": lambda spec: spec["groups"][0]["rules"][0].update(alret="Down"),
    "ScaledObject": lambda spec: spec.update(maxReplicas=6),
    "KafkaTopic": lambda spec: spec.update(partitions="six"),
    "KafkaUser": lambda spec: spec["authorization"]["acls"][0].update(operations=["Raed"]),
}
REFUSED_IN_PODS: dict[str, Callable[[Any, Any], Any]] = {
    "shares a namespace": lambda pod, _: pod.update(hostNetwork=True),
    "mounts a volume": lambda pod, _: pod["volumes"].append({"name": "host", "hostPath": {"path": "/"}}),
    "sets a sysctl": lambda pod, _: pod["securityContext"].update(sysctls=[{"name": "kernel.msgmax"}]),
    "is privileged": lambda _, own: own.update(privileged=True),
    "may gain": lambda _, own: own.pop("allowPrivilegeEscalation"),
    "keeps capabilities": lambda _, own: own.pop("capabilities"),
    "adds capabilities": lambda _, own: own["capabilities"].update(add=["SYS_ADMIN"]),
    "unmasks /proc": lambda _, own: own.update(procMount="Unmasked"),
    "may run as root": lambda pod, _: pod["securityContext"].pop("runAsNonRoot"),
    "runs as root": lambda _, own: own.update(runAsUser=0),
    "has no seccomp": lambda _, own: own.update(seccompProfile={"type": "Unconfined"}),
    "has no AppArmor": lambda pod, _: pod["securityContext"].update(appArmorProfile={"type": "Unconfined"}),
    "sets SELinux": lambda _, own: own.update(seLinuxOptions={"user": "root"}),
    "is a process": lambda _, own: own.update(windowsOptions={"hostProcess": True}),
    "takes a port": lambda pod, _: pod["containers"][0]["ports"][0].update(hostPort=8000),
}


@pytest.fixture
def everything() -> Documents:
    """A copy of production with all components, to be spoilt."""
    return deepcopy(rendering(WITH_ALL))


# --- kustomize -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RENDERINGS)
def test_kustomize_renders(name: str) -> None:
    """Every folder renders without a warning, and so does production with each component, none and all."""
    assert rendering(name)


def test_components_are_all_offered() -> None:
    """Production lists every component there is, in use or in a comment."""
    text = (ROOT / "k8s" / PRODUCTION / "kustomization.yaml").read_text(encoding="utf-8")

    assert sorted(re.findall(r"- \.\./\.\./components/(\S+)", text)) == list(COMPONENTS)
    assert sorted(path.name for path in (ROOT / "k8s" / "components").iterdir()) == list(COMPONENTS)


def test_a_patch_that_meets_nothing_is_seen(tmp_path: Path) -> None:
    """Rendering fails where a patch names what is not there."""
    (tmp_path / "account.yaml").write_text("{apiVersion: v1, kind: ServiceAccount, metadata: {name: one}}")
    (tmp_path / "kustomization.yaml").write_text(
        "resources: [account.yaml]\n"
        "patches: [{patch: '{apiVersion: v1, kind: ServiceAccount, metadata: {name: other}}'}]\n"
    )
    with pytest.raises(AssertionError, match="no matches"):
        rendered(tmp_path)


# --- schemas -------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("name", RENDERINGS)
def test_every_document_is_what_its_kind_asks_for(name: str, version: str) -> None:
    """No document has a field that its kind does not know, on the oldest and the newest cluster."""
    for document in rendering(name):
        kinds.judge(document, version)


@pytest.mark.parametrize("kind", REFUSED_BY_CRDS)
def test_crds_refuse_a_mistake(everything: Documents, kind: str) -> None:
    """A misspelt field, a word for a number, an operation that is none: each is refused by its CRD."""
    wanted = next(each for each in everything if each["kind"] == kind)
    REFUSED_BY_CRDS[kind](wanted["spec"])

    with pytest.raises(kinds.Invalid, match=kind):
        kinds.judge(wanted, KUBERNETES[-1])


@pytest.mark.parametrize("kind", ["Deployment", *REFUSED_BY_CRDS])
def test_versions_that_are_not_served_are_refused(everything: Documents, kind: str) -> None:
    """A document of a version that no schema serves is refused, not passed over."""
    wanted = next(each for each in everything if each["kind"] == kind)
    wanted["apiVersion"] = wanted["apiVersion"].rpartition("/")[0] + "/v0"

    with pytest.raises(kinds.Invalid, match=kind):
        kinds.judge(wanted, KUBERNETES[-1])


def test_rules_in_cel_are_few() -> None:
    """Rules that are not run here are ScaledObject's alone, so its other tests may see to what they say."""
    ruled = {kind for (_, kind), schema in kinds.schemas().items() if kinds.CEL in str(schema)}

    assert ruled == {"ScaledObject"}


# --- policy --------------------------------------------------------------------------------------


def test_production_keeps_to_the_policies(tmp_path: Path) -> None:
    """In production with all components checkov finds what we do not follow for a reason, and no more."""
    found = policy.violations(rendering(WITH_ALL), tmp_path)

    assert {each for each in found if each.check not in policy.NOT_FOLLOWED} == set()
    assert {each.check for each in found} == policy.NOT_FOLLOWED.keys(), "a reason for what is followed"


def test_dev_keeps_to_the_policies(tmp_path: Path) -> None:
    """In dev, sandbox included, it finds no more than what only production can follow."""
    found = policy.violations(rendering("overlays/dev"), tmp_path)

    assert {each.check for each in found} == policy.NOT_FOLLOWED.keys() | FOLLOWED_IN_PRODUCTION_ONLY.keys()


def test_policies_see_a_mistake(everything: Documents, tmp_path: Path) -> None:
    """A root file system that can be written, a probe left out, and a default namespace are each found."""
    container = container_of(everything)
    container["securityContext"]["readOnlyRootFilesystem"] = False
    del container["livenessProbe"]
    only(everything, "PodDisruptionBudget")["metadata"].pop("namespace")
    only(everything, "Service")["metadata"]["namespace"] = "default"
    found = {each.check for each in policy.violations(everything, tmp_path)}

    assert found - policy.NOT_FOLLOWED.keys() == {"CKV_K8S_22", "CKV_K8S_8", "CKV_K8S_21"}


# --- pod security standards ----------------------------------------------------------------------


@pytest.mark.parametrize("name", STREAMERS)
def test_pods_are_restricted(name: str) -> None:
    """Every pod meets the standard's level `restricted`, and so may run in a namespace that enforces it."""
    pods = [each["spec"]["template"]["spec"] for each in rendering(name) if each["kind"] == "Deployment"]

    assert pods
    assert [pod_security.violations(pod) for pod in pods] == [[]] * len(pods)


@pytest.mark.parametrize("rule", REFUSED_IN_PODS)
def test_each_rule_of_the_standard_is_seen_broken(everything: Documents, rule: str) -> None:
    """A pod that breaks one rule of the level `restricted` is told of that rule and no other."""
    pod = pod_of(everything)["spec"]
    REFUSED_IN_PODS[rule](pod, pod["containers"][0]["securityContext"])
    (found,) = pod_security.violations(pod)

    assert rule in found


def test_every_rule_is_tried() -> None:
    """There is a mistake above for each rule that is looked at."""
    rules = {*pod_security.OF_PODS, *pod_security.OF_CONTAINERS, *pod_security.OF_BOTH}
    untried = {rule for rule in rules if not any(rule.startswith(tried) for tried in REFUSED_IN_PODS)}

    assert untried == set()
