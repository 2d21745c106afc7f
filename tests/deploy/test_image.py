"""The image: its Dockerfile, and its agreement with manifests and compose file."""

import re
import shlex
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.deploy import policy
from tests.deploy.shipped import ROOT, TOOLS, compose, deployment, dockerfile_lines
from tools.requirements import FILES, pins

EXTRAS = {"runtime": (), "tracing": ("tracing",), "demo": ("demo",)}
"""What each target of the image has of the package."""


class Stage(NamedTuple):
    """One stage of the Dockerfile."""

    base: str
    """An image, or the stage that it goes on from."""
    lines: list[str]


def stages() -> dict[str, Stage]:
    """By name, in the file's order."""
    found: dict[str, Stage] = {}
    for line in dockerfile_lines():
        if line.startswith("FROM "):
            base, _, name = line.removeprefix("FROM ").partition(" AS ")
            found[name] = Stage(base, [])
        elif found:
            list(found.values())[-1].lines.append(line)
    return found


def instructions(target: str) -> list[str]:
    """All that makes a target, from its base image on."""
    by_name = stages()
    if target not in by_name:
        return []
    return [*instructions(by_name[target].base), *by_name[target].lines]


def commands(run: str) -> list[list[str]]:
    """The commands of a RUN, by words."""
    return [shlex.split(each) for each in run.removeprefix("RUN ").split("&&")]


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
    spoilt.write_text(text.replace("RUN python -m venv", "RUN sudo python -m venv"))

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


@pytest.mark.parametrize("target", EXTRAS)
def test_a_target_installs_its_own_pins_and_the_wheel(target: str) -> None:
    """Exactly the requirements file made for its extras, by hash, and the wheel that was just built."""
    (file,) = (each for each in FILES if each.extras == EXTRAS[target] and each.group is None)
    install = stages()[f"install-{target}"]

    assert install.base == "pip"
    assert install.lines[0] == f"COPY {file.name} ./"
    assert install.lines[2] == "COPY --from=build /wheels /wheels"
    assert [commands(install.lines[each]) for each in (1, 3)] == [
        [
            ["python", "-m", "venv", "/opt/streamer"],
            ["/opt/streamer/bin/pip", "install", "--require-hashes", "-r", file.name],
        ],
        [["/opt/streamer/bin/pip", "install", "--no-deps", "--no-index", "/wheels/*.whl"]],
    ]
    assert len(install.lines) == 4
    assert stages()[target].lines == [f"COPY --from=install-{target} /opt/streamer /opt/streamer"]


@pytest.mark.parametrize("target", EXTRAS)
def test_a_target_runs_as_the_default_does(target: str) -> None:
    """Same base, user, entry point, command, health check and signal: only what is installed differs."""
    made = instructions(target)

    assert stages()[target].base == "base"
    assert made[:-1] == instructions("runtime")[:-1]
    for word in ("USER 10001:10001", "STOPSIGNAL SIGTERM", 'ENTRYPOINT ["streamer"]', 'CMD ["run"]'):
        assert [line for line in made if line.startswith(word.split()[0])] == [word]
    assert sum("HEALTHCHECK" in line for line in made) == 1


def test_the_image_for_tracing_differs_by_opentelemetry_alone() -> None:
    """Who changes the target changes no version of what the pipeline itself runs on."""
    default, tracing = (pins((ROOT / name).read_text(encoding="utf-8")) for name in (
        "requirements.txt", "requirements-tracing.txt",
    ))  # fmt: skip

    assert {name: tracing.get(name) for name in default} == default
    assert {"opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"} <= set(tracing) - set(default)


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
