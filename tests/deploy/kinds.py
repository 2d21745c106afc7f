"""Every kind that is deployed, judged strictly: Kubernetes' own by its schemas, others by their CRDs.

The CRDs are the operators' own: Prometheus' and KEDA's lie in their Go modules; Strimzi's are made, as its
releases make them, by its generator from its classes. Strict: a field that a schema does not name is
refused, as `kubectl apply --validate=strict` does. Rules in CEL (x-kubernetes-validations) are not run: of
these kinds, only ScaledObject has any, and tests/deploy/test_components.py sees to what they say.
"""

import json
import shutil
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

from tests.deploy.cached import kept, not_to_be_had
from tests.maven import maven_alone

FETCH_TIMEOUT_SECONDS = 240
GO_MODULES = {
    ("github.com/prometheus-operator/prometheus-operator", "v0.85.0"): (
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ),
    ("github.com/kedacore/keda/v2", "v2.21.0"): ("config/crd/bases/keda.sh_scaledobjects.yaml",),
}
# Newer ones want a newer Java than Kafka does; 0.51 serves v1, the only version from 1.0 on.
STRIMZI_API, STRIMZI_GENERATOR = "0.51.0", "0.45.0"
STRIMZI_KINDS = {"KafkaTopic": "topic", "KafkaUser": "user"}
OPEN = "x-kubernetes-preserve-unknown-fields"
CEL = "x-kubernetes-validations"

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>test</groupId><artifactId>crds</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>io.strimzi</groupId><artifactId>api</artifactId>
      <version>{STRIMZI_API}</version></dependency>
    <dependency><groupId>io.strimzi</groupId><artifactId>crd-generator</artifactId>
      <version>{STRIMZI_GENERATOR}</version></dependency>
  </dependencies>
</project>
"""


class Invalid(Exception):
    """A document is not what its kind asks for; the text says where and why."""


def judge(document: dict[str, Any], version: str) -> None:
    """Raise Invalid unless a cluster of this version, with the operators, takes the document."""
    if "." in document["apiVersion"].partition("/")[0].removesuffix(".k8s.io"):
        _judge_custom(document)
        return
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        raise Invalid(f"{_name(document)}: {error}") from error


def _judge_custom(document: dict[str, Any]) -> None:
    schema = schemas().get((document["apiVersion"], document["kind"]))
    if schema is None:
        raise Invalid(f"{_name(document)}: no CRD serves {document['apiVersion']}")
    problems = [
        f"{error.json_path}: {error.message}"
        for error in jsonschema.Draft7Validator(schema).iter_errors(document)
    ]
    if problems:
        raise Invalid(f"{_name(document)}: " + "; ".join(problems))


@cache
def schemas() -> dict[tuple[str, str], Any]:
    """The strict schema of each version that a CRD serves, by apiVersion and kind."""
    found = {}
    for crd in _crds():
        for version in crd["spec"]["versions"]:
            if version["served"]:
                key = (f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"])
                found[key] = _root(version["schema"]["openAPIV3Schema"])
    return found


def closed(schema: Any) -> Any:
    """A structural schema as JSON Schema that refuses fields it does not name."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(each) for name, each in schema.items() if name not in {"properties", "nullable"}}
    if "properties" in schema:
        made["properties"] = {name: closed(each) for name, each in schema["properties"].items()}
    if schema.get("x-kubernetes-int-or-string"):
        made["type"] = ["integer", "string"]
    if schema.get("nullable") and isinstance(made.get("type"), str):
        made["type"] = [made["type"], "null"]
    if "properties" in made and "additionalProperties" not in made and not schema.get(OPEN):
        made["additionalProperties"] = False
    return made


def _root(schema: Any) -> Any:
    """The whole document's schema: what every object has is added, and `status` is not ours to write."""
    made = closed(schema)
    made["properties"] |= {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {
            "type": "object",
            "required": ["name"],
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string", "pattern": r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"},
                "namespace": {"type": "string"},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        },
    }
    made["properties"].pop("status", None)
    made["required"] = ["apiVersion", "kind", "metadata", "spec"]
    return made


def _crds() -> Iterable[Any]:
    versions = [version for _, version in GO_MODULES]
    folder = kept("-".join(["crds", *versions, STRIMZI_API, STRIMZI_GENERATOR]), _fetch)
    return [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.yaml"))]


def _fetch(folder: Path) -> None:
    for program in ("go", "mvn", "java"):
        if shutil.which(program) is None:
            not_to_be_had(f"the CRDs are not cached and there is no {program} to fetch them")
    for (module, version), paths in GO_MODULES.items():
        told = json.loads(_run(["go", "mod", "download", "-json", f"{module}@{version}"], folder))
        for path in paths:
            shutil.copyfile(Path(told["Dir"]) / path, folder / Path(path).name)
    maven = folder / "maven"
    maven.mkdir()
    (maven / "pom.xml").write_text(_POM, encoding="utf-8")
    jars = maven / "lib"
    with maven_alone():
        _run(["mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime",
              f"-DoutputDirectory={jars}"], maven)  # fmt: skip
    wanted = [
        f"io.strimzi.api.kafka.model.{package}.{kind}={folder / f'{kind}.yaml'}"
        for kind, package in STRIMZI_KINDS.items()
    ]
    _run(["java", "-cp", f"{jars}/*", "io.strimzi.crdgenerator.CrdGenerator", "--yaml",
          "--crd-api-version", "v1", "--target-kube", "1.27+", *wanted], maven)  # fmt: skip
    shutil.rmtree(maven)


def _run(command: list[str], folder: Path) -> str:
    try:
        ended = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=FETCH_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        not_to_be_had(f"{' '.join(command[:3])} did not end")
    if ended.returncode != 0:
        not_to_be_had(f"{' '.join(command[:3])} failed: {(ended.stdout + ended.stderr)[-500:]}")
    return ended.stdout


def _name(document: dict[str, Any]) -> str:
    return f"{document['kind']} {document['metadata']['name']}"
