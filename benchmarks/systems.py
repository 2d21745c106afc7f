"""What is compared: how each system is started, ended and killed, and how far it is, seen from outside."""

import os
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import httpx
from confluent_kafka import Consumer, KafkaException, TopicPartition

from benchmarks.figures import Done, Look, done
from benchmarks.processes import cpu_seconds, peak_mib, tree
from benchmarks.rivals.told import Told
from streamer.standins.demo_pipeline import free_port
from tests.real_kafka.cluster import RealKafka
from tools import compiled_program

ROOT = Path(__file__).resolve().parent.parent
RIVALS = ROOT / "benchmarks" / "rivals"
CACHE = ROOT / ".cache" / "rivals"
ENVIRONMENT = CACHE / "python"
LOOK_SECONDS = 0.1
LONGEST_READ_SECONDS = 1_800.0


class System(NamedTuple):
    """How one is started."""

    module: str
    """Of Python; or the folder in `rivals/` that Go builds."""
    is_foreign: bool = False
    """Whether it runs in the rivals' own environment."""
    is_go: bool = False
    is_compiled: bool = False
    """Whether it is the compiled wheel's, installed."""


SYSTEMS = {
    "streamer": System("streamer"),
    "compiled": System("streamer", is_compiled=True),
    "careful": System("benchmarks.rivals.careful"),
    "aiokafka": System("benchmarks.rivals.aiokafka_loop", is_foreign=True),
    "quix": System("benchmarks.rivals.quix", is_foreign=True),
    "benthos": System("benthos", is_go=True),
}


def rivals_python() -> str:
    """The interpreter of the rivals' environment, which is made on first use. Raises CalledProcessError."""
    python = ENVIRONMENT / "bin" / "python"
    wanted = (RIVALS / "requirements-python.txt").read_text()
    installed = ENVIRONMENT / "installed.txt"
    if not installed.exists() or installed.read_text() != wanted:
        venv.create(ENVIRONMENT, with_pip=True)
        subprocess.run(
            [python, "-m", "pip", "install", "-q", "-r", RIVALS / "requirements-python.txt"], check=True
        )
        installed.write_text(wanted)
    return str(python)


@cache
def built(name: str) -> str:
    """The program that Go makes of a rival's folder. Raises CalledProcessError, or OSError without Go."""
    program = CACHE / name / name
    folder = RIVALS / name
    subprocess.run(["go", "build", "-buildvcs=false", "-o", program, "."], cwd=folder, check=True)
    return str(program)


def command(system: System) -> list[str]:
    """Its command line."""
    if system.is_go:
        return [built(system.module), "run", str(RIVALS / system.module / "config.yaml")]
    if system.is_compiled:
        return [str(compiled_program.installed()), "run"]
    python = rivals_python() if system.is_foreign else sys.executable
    return [python, "-m", system.module, *(["run"] if system.module == "streamer" else [])]


def variables(system: System, told: Told, calls_per_minute: int) -> dict[str, str]:
    """For `streamer` and rivals alike; an installation is not led to the checkout."""
    ours = {
        "KAFKA_BOOTSTRAP_SERVERS": told.bootstrap,
        "KAFKA_TOPIC": told.topic,
        "KAFKA_DEAD_LETTER_TOPIC": told.letters,
        "KAFKA_GROUP_ID": told.group,
        "START": "earliest",
        "PLANHAT_API_TOKEN": told.api_token,
        "PLANHAT_TENANT_TOKEN": told.tenant_token,
        "PLANHAT_API_URL": told.url,
        "PLANHAT_ANALYTICS_URL": told.url,
        "PLANHAT_CALLS_PER_MINUTE": str(calls_per_minute),
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": str(free_port()),
        "LOG_LEVEL": "warning",
    }
    environment = {"PATH": os.defpath, "PYTHONUTF8": "1", "HOME": os.devnull}
    if not system.is_compiled:
        environment["PYTHONPATH"] = str(ROOT)
    environment["RIVAL_SCHEMAS"] = str(ROOT / "schemas")
    return environment | told.as_variables() | {f"STREAMER_{name}": value for name, value in ours.items()}


class Unfinished(RuntimeError):
    """A system ended early, or did not get done in time; the text holds the end of its log."""


class Running:
    """One system as a process group of its own; ended with the block."""

    def __init__(self, name: str, told: Told, folder: Path, calls_per_minute: int = 100_000) -> None:
        self._name = name
        self._told = told
        self._folder = folder
        self._log = folder / f"{told.group}.log"
        self._calls_per_minute = calls_per_minute
        # Made before the clock starts: the first use of it installs the rivals.
        self._command = command(SYSTEMS[name])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        end(self._child)

    def start(self) -> None:
        """Start it, or start it again."""
        with self._log.open("ab") as lines:
            self._child = subprocess.Popen(
                self._command,
                env=variables(SYSTEMS[self._name], self._told, self._calls_per_minute),
                cwd=self._folder,
                stdout=lines,
                stderr=lines,
                start_new_session=True,
            )

    def kill(self) -> None:
        """SIGKILL to all of it."""
        for each in tree(self._child.pid):
            os.kill(each, signal.SIGKILL)
        self._child.wait()

    def used(self) -> dict[str, float]:
        """CPU seconds so far and the most memory it held."""
        return {"cpu_seconds": cpu_seconds(self._child.pid), "peak_mib": peak_mib(self._child.pid)}

    def wait(self, kafka: RealKafka, longest_seconds: float) -> Done:
        """Until the group has committed all that the topic holds now; raises Unfinished."""
        progress = Progress(kafka, self._told.topic, self._told.group)
        looks = [Look(time.monotonic(), 0)]
        try:
            while looks[-1].committed < progress.whole:
                if self._child.poll() is not None or looks[-1].at - looks[0].at > longest_seconds:
                    raise Unfinished(f"{self._name}: {self._log.read_text(errors='replace')[-2000:]}")
                time.sleep(LOOK_SECONDS)
                looks.append(Look(time.monotonic(), progress.committed()))
        finally:
            progress.close()
        return done(looks)


class Progress:
    """How far a group has committed, seen from outside."""

    def __init__(self, kafka: RealKafka, topic: str, group: str) -> None:
        ends = kafka.end_offsets(topic)
        self.whole = sum(ends.values())
        """Records that the topic holds."""
        self._asked = [TopicPartition(topic, each) for each in ends]
        self._consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": group})

    def committed(self) -> int:
        """Records that are committed; none where the coordinator of a new group is still loading."""
        try:
            found = self._consumer.committed(self._asked, timeout=10)
        except KafkaException:
            return 0
        # Of a partition of which nothing is committed the offset is negative.
        return sum(max(0, each.offset) for each in found)

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()


def sigterm_unwinds() -> None:
    """From here on SIGTERM raises SystemExit(143), once: a second one may not cut what ends the systems.

    They are sessions of their own and would go on. `timeout` signals twice: its child, then its group.
    """

    def unwind(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_IGN)
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, unwind)


def end(child: "subprocess.Popen[bytes]") -> None:
    """SIGTERM, and SIGKILL where that is no use."""
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(30)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


class Sink:
    """A running sink."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.pid = pid

    def ask(self, path: str) -> dict[str, float]:
        """What it serves there; waits until it serves."""
        transport = httpx.HTTPTransport(retries=8)
        with httpx.Client(
            transport=transport, timeout=httpx.Timeout(60.0, read=LONGEST_READ_SECONDS)
        ) as client:
            return dict(client.get(self.url + path).raise_for_status().json())


@contextmanager
def a_sink(*, notes_events: bool = False) -> Iterator[Sink]:
    """One that serves."""
    port = free_port()
    arguments = [sys.executable, "-m", "benchmarks.sink", str(port), *(["--events"] if notes_events else [])]
    child = subprocess.Popen(arguments, cwd=ROOT)
    try:
        sink = Sink(f"http://127.0.0.1:{port}", child.pid)
        sink.ask("/counts")
        yield sink
    finally:
        end(child)
