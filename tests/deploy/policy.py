"""Checkov's policies for Kubernetes and for Dockerfiles, run by checkov itself, on its own."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.deploy.cached import kept, not_to_be_had
from tests.deploy.kustomize import Documents
from tests.deploy.shipped import ROOT, TOOLS

PINS = ROOT / "requirements-policy.txt"
TIMEOUT_SECONDS = 240
NOT_FOLLOWED = {
    "CKV_K8S_11": "a limit on processor time throttles heartbeats; requests share it fairly",
    "CKV_K8S_43": "a digest is known once an image is pushed, and then belongs into an overlay",
}
"""Checks that nothing here passes on purpose, and why."""

NOT_FOLLOWED_IN_IMAGES = {
    "CKV_DOCKER_7": "the base is an argument, for those who mirror it; its default has a tag, unseen",
}
"""The same of Dockerfiles."""


class Violation(NamedTuple):
    """One thing that a policy forbids."""

    check: str
    resource: str
    said: str


def violations(documents: Documents, folder: Path) -> set[Violation]:
    """What checkov finds in documents, written to `folder` for it."""
    path = folder / "rendered.yaml"
    path.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    return _found("kubernetes", path)


def image_violations(dockerfile: Path) -> set[Violation]:
    """What checkov finds in a file that bears that name."""
    return _found("dockerfile", dockerfile)


def _found(framework: str, path: Path) -> set[Violation]:
    command = [str(_program()), "--file", str(path), "--framework", framework, "--output", "json"]
    # It would look up texts at its maker's; there is nothing there that we need.
    command += ["--skip-download", "--quiet", "--soft-fail"]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False,
        env={**os.environ, "LOG_LEVEL": "ERROR"},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout)
    assert told["summary"]["parsing_errors"] == 0
    assert told["summary"]["passed"] > 0
    return {
        Violation(each["check_id"], each["resource"], each["check_name"])
        for each in told["results"]["failed_checks"]
    }


def _program() -> Path:
    made = hashlib.sha256(PINS.read_bytes()).hexdigest()[:12]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = kept(f"checkov-{made}-py{version}", _install)
    return folder / "bin" / "checkov"


def _install(folder: Path) -> None:
    uv = str(TOOLS / "uv")
    for command in (
        [uv, "venv", "--quiet", "--relocatable", "--allow-existing", "--python", sys.executable, str(folder)],
        [uv, "pip", "install", "--quiet", "--require-hashes", "--python", str(folder / "bin" / "python"),
         "--requirements", str(PINS)],
    ):  # fmt: skip
        ended = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
        if ended.returncode != 0:
            not_to_be_had(f"checkov could not be installed: {ended.stderr[-500:]}")
