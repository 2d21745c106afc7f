"""The image: its Dockerfile, and its agreement with manifests and compose file."""

import re
import shlex
import subprocess
from pathlib import Path

from tests.deploy import policy
from tests.deploy.shipped import ROOT, TOOLS, compose, deployment, dockerfile_lines


def test_dockerfile_passes_the_linter() -> None:
    """The linter of Dockerfiles finds nothing."""
    linted = subprocess.run(
        [TOOLS / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_dockerfile_follows_the_policies(tmp_path: Path) -> None:
    """Checkov finds nothing in it but what is not followed on purpose; and would, if it were spoilt."""
    shipped = ROOT / "Dockerfile"
    spoilt = tmp_path / "Dockerfile"
    text = re.sub(r"(?m)^(USER .*|HEALTHCHECK .*\n .*)$", "", shipped.read_text(encoding="utf-8"))
    spoilt.write_text(text.replace("pip install --require", "sudo pip install --trusted-host x --require"))

    assert {each.check for each in policy.image_violations(shipped)} == policy.NOT_FOLLOWED_IN_IMAGES.keys()
    found = {each.check for each in policy.image_violations(spoilt)}
    assert {"CKV_DOCKER_2", "CKV_DOCKER_3", "CKV2_DOCKER_1"} <= found


def test_image_runs_as_the_user_of_the_pod() -> None:
    """The image's user is a number, not root, and the one the pod asks for."""
    context = deployment()["spec"]["template"]["spec"]["securityContext"]

    assert f"USER {context['runAsUser']}:{context['runAsGroup']}" in dockerfile_lines()
    assert context["runAsUser"] > 0


def test_image_installs_only_what_is_pinned_and_hashed() -> None:
    """Each `pip install` of the image demands hashes, or installs the wheel just built."""
    installs = [
        command for line in dockerfile_lines() for command in line.split("&&") if "pip install" in command
    ]

    assert len(installs) == 7
    for command in installs:
        assert "--require-hashes" in command or "--no-deps --no-index /wheels" in command


def test_build_context_holds_what_is_copied() -> None:
    """.dockerignore lets through exactly what the Dockerfile copies from the checkout."""
    copied = set()
    for line in dockerfile_lines():
        if line.startswith("COPY ") and "--from=" not in line:
            copied |= {word.removeprefix("./") for word in shlex.split(line)[1:-1]}
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()

    assert {line[1:] for line in ignore if line.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)


def test_compose_builds_targets_that_exist() -> None:
    """Every build target of the compose file is a stage of the Dockerfile, and the last is `runtime`."""
    stages = [line.split(" AS ")[1] for line in dockerfile_lines() if line.startswith("FROM ")]
    services = compose()["services"].values()

    assert stages[-1] == "runtime"
    assert {service["build"]["target"] for service in services if "build" in service} <= set(stages)
