"""Kustomizations, rendered by the real program."""

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.cached import kept, not_to_be_had
from tests.deploy.shipped import ROOT

KUSTOMIZE = "v5.7.1"
BUILD_TIMEOUT_SECONDS = 300
COMPONENTS = ("keda", "mapping", "monitoring", "networkpolicy", "strimzi")
PRODUCTION = Path("overlays/production")

Documents = list[dict[str, Any]]


@cache
def renderer() -> tuple[str, ...]:
    """The command that renders the folder named after it; builds kustomize where CI has no kubectl."""
    for program in (("kubectl", "kustomize"), ("kustomize", "build")):
        found = shutil.which(program[0])
        if found:
            return (found, program[1])
    if os.environ.get("CI") != "true" or not shutil.which("go"):
        not_to_be_had("neither kubectl nor kustomize is installed")
    return (str(kept(f"kustomize-{KUSTOMIZE}", _build) / "kustomize"), "build")


def rendered(folder: Path) -> Documents:
    """The documents that a folder comes to."""
    ended = subprocess.run([*renderer(), str(folder)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    # Warnings are errors: of deprecated fields, of patches that meet nothing.
    assert ended.stderr == ""
    return list(yaml.safe_load_all(ended.stdout))


@cache
def shipped(folder: str) -> Documents:
    """What a folder of k8s/ comes to as it is; not to be changed by who asks."""
    return rendered(ROOT / "k8s" / folder)


def production_with(components: set[str], copy: Path) -> Documents:
    """The production overlay with exactly these components, by a change of comments, in a copy of k8s/."""
    shutil.copytree(ROOT / "k8s", copy)
    path = copy / PRODUCTION / "kustomization.yaml"
    text = path.read_text(encoding="utf-8")
    for component in COMPONENTS:
        line = f"- ../../components/{component}"
        marked = line if component in components else f"# {line}"
        text, count = re.subn(rf"(?m)^  (# )?{re.escape(line)}$", f"  {marked}", text)
        assert count == 1, component
    if not components:
        text = text.replace("\ncomponents:\n", "\n")
    path.write_text(text, encoding="utf-8")
    return rendered(copy / PRODUCTION)


def only(documents: Documents, kind: str, name: str | None = None) -> Any:
    """The one document of a kind (and name)."""
    (found,) = (
        each
        for each in documents
        if each["kind"] == kind and (name is None or each["metadata"]["name"] == name)
    )
    return found


def _build(folder: Path) -> None:
    built = subprocess.run(
        ["go", "install", f"sigs.k8s.io/kustomize/kustomize/v5@{KUSTOMIZE}"],
        env={**os.environ, "GOBIN": str(folder)},
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_SECONDS,
        check=False,
    )
    if built.returncode != 0:
        not_to_be_had(f"kustomize {KUSTOMIZE} could not be built: {built.stderr[-500:]}")
