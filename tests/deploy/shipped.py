"""What is deployed, as it stands in the repository: read here once for all tests of it."""

import sys
from pathlib import Path
from typing import Any

import yaml

from streamer.config import Settings, load_settings

ROOT = Path(__file__).resolve().parent.parent.parent
BASE = ROOT / "k8s" / "base"
TOOLS = Path(sys.executable).parent
# The oldest and the newest cluster we say we run on.
KUBERNETES = ("1.31", "1.37")
TOKEN_FILES = {
    "STREAMER_PLANHAT_TENANT_TOKEN_FILE": "00000000-0000-4000-8000-000000000000",
    "STREAMER_PLANHAT_API_TOKEN_FILE": "some-token",
}


def yaml_of(path: Path) -> Any:
    """The one document of a file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def manifests() -> list[Path]:
    """The manifests of the base."""
    return sorted(path for path in BASE.glob("*.yaml") if path.name != "kustomization.yaml")


def deployment() -> Any:
    """The Deployment of the base."""
    return yaml_of(BASE / "deployment.yaml")


def container() -> Any:
    """The one container of its pods."""
    (only,) = deployment()["spec"]["template"]["spec"]["containers"]
    return only


def compose() -> Any:
    """The compose file."""
    return yaml_of(ROOT / "docker-compose.yml")


def variables_of(path: Path) -> dict[str, str]:
    """The variables of an env file as kustomize reads them: a name and its text a line, # for comments."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: text for name, _, text in pairs}


def pod_settings(folder: Path) -> Settings:
    """The settings a pod of the base would start with, its Secret replaced by files in `folder`."""
    environ = variables_of(BASE / "streamer.env")
    for variable in container()["env"]:
        path = folder / variable["name"]
        path.write_text(TOKEN_FILES[variable["name"]], encoding="utf-8")
        environ[variable["name"]] = str(path)
    return load_settings(environ)


def dockerfile_lines() -> list[str]:
    """The Dockerfile's instructions, one a line."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]
