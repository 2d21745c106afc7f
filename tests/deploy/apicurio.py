"""The schema registry of the compose file as a process: Apicurio's application, from Maven."""

import os
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from streamer.standins.demo_pipeline import free_ports
from tests.deploy.cached import kept, not_to_be_had
from tests.maven import maven_alone
from tests.real_kafka.member import wait_until

_FETCH_SECONDS = 240
_START_SECONDS = 90


def _fetch(version: str, folder: Path) -> None:
    artifact = f"io.apicurio:apicurio-registry-app:{version}:tar.gz:all"
    command = ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={folder}"]
    try:
        with maven_alone():
            ended = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=_FETCH_SECONDS, check=False
            )
    except FileNotFoundError:
        not_to_be_had("there is no mvn to fetch the schema registry with")
    if ended.returncode != 0:
        not_to_be_had(f"the schema registry could not be fetched: {ended.stdout[-500:]}")
    (packed,) = folder.glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    packed.unlink()


@contextmanager
def apicurio(version: str, log: Path) -> Iterator[int]:
    """A running registry; gives its port."""
    folder = kept(f"apicurio-registry-{version}", lambda incoming: _fetch(version, incoming))
    port, management = free_ports(2)
    environ = {
        "QUARKUS_HTTP_HOST": "127.0.0.1", "QUARKUS_HTTP_PORT": str(port),
        "QUARKUS_MANAGEMENT_PORT": str(management), "PATH": os.environ["PATH"],
    }  # fmt: skip
    (runner,) = folder.glob("*-runner.jar")
    with log.open("wb") as lines:
        child = subprocess.Popen(
            ["java", "-Xmx400m", "-jar", str(runner)],
            env=environ, cwd=log.parent, stdin=subprocess.DEVNULL, stdout=lines, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    watchdog = subprocess.Popen(
        ["sh", "-c", f"cat >/dev/null; kill -9 {child.pid} 2>/dev/null"],
        stdin=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip

    def is_ready() -> bool:
        assert child.poll() is None, log.read_text()
        try:
            with urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=2) as reply:
                return bool(reply.status == 200)
        except (URLError, OSError):
            return False

    try:
        wait_until(is_ready, _START_SECONDS, "the registry is ready")
        yield port
    finally:
        child.kill()
        child.wait()
        assert watchdog.stdin is not None
        watchdog.stdin.close()
        watchdog.wait()
