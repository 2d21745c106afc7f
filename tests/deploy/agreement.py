"""What a rendering says in more than one place, read from it as the cluster would."""

import base64
import re
from pathlib import Path
from typing import Any

from streamer.config import Settings, load_settings
from tests.deploy.kustomize import Documents, only
from tests.deploy.shipped import ROOT, TOKEN_FILES

PAGE = ROOT / "docs" / "kubernetes.md"
UNITS = {"Mi": 2**20, "Gi": 2**30}


def pod_of(documents: Documents, name: str = "streamer") -> Any:
    """The pod template of a Deployment."""
    return only(documents, "Deployment", name)["spec"]["template"]


def container_of(documents: Documents) -> Any:
    """The container of streamer's pods."""
    (container,) = pod_of(documents)["spec"]["containers"]
    return container


def settings_of(documents: Documents, folder: Path) -> Settings:
    """The settings that streamer's pods start with: variables by reference, files by their mounts.

    A Secret that is not among the documents is stood in for, in `folder`; everything else must be there.
    """
    container = container_of(documents)
    environ: dict[str, str] = {}
    for source in container.get("envFrom", []):
        environ |= only(documents, "ConfigMap", source["configMapRef"]["name"])["data"]
    for variable in container["env"]:
        path = folder / variable["name"]
        path.write_text(_content(documents, variable["name"], variable["value"]), encoding="utf-8")
        environ[variable["name"]] = str(path)
    return load_settings(environ)


def mounted(documents: Documents) -> dict[str, tuple[str, str]]:
    """The files of Secrets in streamer's pods: path to the Secret's name and key."""
    volumes = {
        each["name"]: each["secret"] for each in pod_of(documents)["spec"]["volumes"] if "secret" in each
    }
    found = {}
    for mount in container_of(documents)["volumeMounts"]:
        assert mount["readOnly"] is True
        secret = volumes.get(mount["name"])
        if secret is None:
            continue
        for entry in secret["items"]:
            found[f"{mount['mountPath']}/{entry['path']}"] = (secret["secretName"], entry["key"])
    return found


def mapping_of(documents: Documents) -> tuple[str, str]:
    """The path that streamer's pods have a mapping file at, and the file."""
    (volume,) = (each for each in pod_of(documents)["spec"]["volumes"] if "configMap" in each)
    (mount,) = (each for each in container_of(documents)["volumeMounts"] if each["name"] == volume["name"])
    ((name, text),) = only(documents, "ConfigMap", volume["configMap"]["name"])["data"].items()
    return f"{mount['mountPath']}/{name}", text


def bytes_of(quantity: str) -> int:
    """A quantity of memory, in bytes."""
    return int(quantity[:-2]) * UNITS[quantity[-2:]]


def properties_shown() -> str:
    """The properties for librdkafka that the page shows."""
    (shown,) = re.findall(
        r"^```properties\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    return str(shown)


def _content(documents: Documents, variable: str, path: str) -> str:
    if variable == "STREAMER_MAPPING_FILE":
        there, text = mapping_of(documents)
        assert path == there
        return text
    secret, key = mounted(documents)[path]
    for each in documents:
        if each["kind"] == "Secret" and each["metadata"]["name"] == secret:
            return base64.b64decode(each["data"][key]).decode()
    if variable == "STREAMER_KAFKA_PROPERTIES_FILE":
        return properties_shown()
    return TOKEN_FILES[variable]
