"""A real Apache Kafka for tests: one node (KRaft, broker and controller) on loopback ports.

Its jars come from Maven once and are kept in the user's cache, outside the tree. Where
`STREAMER_TEST_BOOTSTRAP` names a running cluster that one is used instead; it cannot be stopped or
killed from here, so tests that do so are skipped there (`require_owned`).

    with RealKafka(directory) as kafka:
        topic = kafka.create_topic("events", partitions=3)
        ... kafka.bootstrap ...
        kafka.restart()

Ports and data survive `stop`, `kill` and `restart`: clients see the same broker come back.
"""

import os
import re
import shutil
import signal
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from streamer.standins.demo_pipeline import free_ports
from tests.maven import maven_alone

KAFKA_VERSION = "4.3.0"
LOG4J_VERSION = "2.24.3"
NEEDED_JAVA = 17
FETCH_TIMEOUT_SECONDS = 240
START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 30

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>test</groupId><artifactId>real-kafka</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId>
      <version>{LOG4J_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""

_TOOLS = {
    "kafka-acls.sh": "org.apache.kafka.tools.AclCommand",
    "kafka-broker-api-versions.sh": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "kafka-configs.sh": "kafka.admin.ConfigCommand",
    "kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
}
"""The class that each script of Kafka's runs."""

_LOGGING = """rootLogger.level = INFO
rootLogger.appenderRefs = stdout
rootLogger.appenderRef.stdout.ref = STDOUT
appender.stdout.type = Console
appender.stdout.name = STDOUT
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1}: %m%n
"""

# Small heap and one compiler tier: a broker that starts fast counts more than one that runs fast.
_JAVA_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true")


def unavailable_reason() -> str | None:
    """Why no real Kafka can run here, or None when one can (its jars may still have to be fetched)."""
    if os.environ.get("STREAMER_TEST_BOOTSTRAP"):
        return None
    java = _java_version()
    if java is None:
        return "no java on the PATH"
    if java < NEEDED_JAVA:
        return f"java {java} is older than {NEEDED_JAVA}"
    if not _is_cached(cache_directory()) and shutil.which("mvn") is None:
        return f"Kafka {KAFKA_VERSION} is not cached and there is no mvn to fetch it"
    return None


def cache_directory() -> Path:
    """Where the jars are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "segment-planhat-streamer" / f"kafka-{KAFKA_VERSION}-with-tools"


def fetch_jars() -> Path:
    """The directory of Kafka's jars; fetched with Maven the first time (about 43 MB)."""
    cached = cache_directory()
    if not _is_cached(cached):
        with maven_alone():
            if not _is_cached(cached):  # nor by another worker, meanwhile
                _fetch(cached)
    return cached / "lib"


def _fetch(cached: Path) -> None:
    # Fetched beside its final place and renamed, so that an interrupted fetch never looks complete.
    incoming = cached.with_name(f"{cached.name}.{uuid.uuid4().hex[:8]}")
    incoming.mkdir(parents=True)
    try:
        (incoming / "pom.xml").write_text(_POM)
        fetched = subprocess.run(
            ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime",
             f"-DoutputDirectory={incoming / 'lib'}"],
            cwd=incoming, timeout=FETCH_TIMEOUT_SECONDS, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if fetched.returncode != 0:
            raise KafkaUnavailable(f"mvn could not fetch Kafka {KAFKA_VERSION}:\n{fetched.stdout[-2000:]}")
        try:
            incoming.rename(cached)
        except OSError:
            if not _is_cached(cached):  # another run may have won the race
                raise
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


class KafkaUnavailable(Exception):
    """The broker could not be fetched or did not start; the text holds the end of its log."""


class RealKafka:
    """One broker; usable as a context manager. See the module's docstring."""

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, str] | None = None,
        listeners: Mapping[str, str] | None = None,
        advertised: Mapping[str, int] | None = None,
        java_options: Sequence[str] = (),
    ) -> None:
        """Prepare a broker that lives in `directory`; `settings` are added to server.properties.

        `listeners` are further ones beside the plain one, each with its security protocol, by a name of
        capital letters: {"WIRE": "SSL"}. They are known to clients as `localhost`; `advertised` names
        other ports for them on 127.0.0.1, of whoever passes connections on to the listener.
        """
        self._java_options = (*_JAVA_OPTIONS, *java_options)
        self._advertised = dict(advertised or {})
        self._external = os.environ.get("STREAMER_TEST_BOOTSTRAP")
        self._directory = directory
        self._protocols = {"PLAINTEXT": "PLAINTEXT", **(listeners or {})}
        self._port, self._controller_port, *ports = free_ports(len(self._protocols) + 1)
        self._ports = dict(zip(self._protocols, [self._port, *ports], strict=True))
        self._settings = dict(settings or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._is_formatted = False

    @property
    def bootstrap(self) -> str:
        """Value for `bootstrap.servers`; the same before and after a restart."""
        return self._external or f"127.0.0.1:{self._port}"

    def port(self, listener: str) -> int:
        """Where one of the further listeners is, on loopback; the same before and after a restart."""
        return self._ports[listener]

    @property
    def is_owned(self) -> bool:
        """Whether this object started the broker, so may stop it."""
        return self._external is None

    @property
    def pid(self) -> int:
        """Process id of the running broker (for SIGSTOP and SIGCONT)."""
        self.require_owned()
        assert self._process is not None, "the broker is not running"
        return self._process.pid

    @property
    def log_path(self) -> Path:
        """The broker's log."""
        return self._directory / "broker.log"

    def require_owned(self) -> None:
        """Skip the calling test when the broker is somebody else's."""
        if not self.is_owned:
            pytest.skip("needs a broker of its own, not STREAMER_TEST_BOOTSTRAP")

    def start(self) -> None:
        """Start the broker and wait until it answers and can hold groups."""
        if self._external is None:
            jars = fetch_jars()
            if not self._is_formatted:
                self._format(jars)
            with self.log_path.open("ab") as log:
                self._process = subprocess.Popen(
                    self._java(jars, "kafka.Kafka", str(self._properties_path)),
                    stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
                )  # fmt: skip
            # A broker must not outlive a test run that was killed: when our end of the pipe closes, for
            # whatever reason, so does the broker. (PDEATHSIG would tie it to the starting *thread*.)
            self._watchdog = subprocess.Popen(
                ["sh", "-c", f"cat >/dev/null; kill -9 {self._process.pid} 2>/dev/null"],
                stdin=subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
        self._wait_until_ready()

    def stop(self) -> None:
        """Stop the broker politely (SIGTERM) and wait for its end."""
        self.require_owned()
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the broker (SIGKILL) and wait for its end."""
        self.require_owned()
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop politely and start again: same port, same log directories."""
        self.stop()
        self.start()

    def create_topic(self, name: str, partitions: int = 1, **settings: str) -> str:
        """Create a topic and wait until it has leaders; a random suffix keeps runs apart. Returns its name.

        Settings are topic settings with `_` for `.`: `max_message_bytes="1000"`.
        """
        return self.create_topic_named(f"{name}.{uuid.uuid4().hex[:8]}", partitions, **settings)

    def create_topic_named(self, topic: str, partitions: int = 1, **settings: str) -> str:
        """Create a topic of exactly this name, as `create_topic` does."""
        config = {key.replace("_", "."): value for key, value in settings.items()}
        admin = self.admin()
        admin.create_topics([NewTopic(topic, partitions, 1, config=config)])[topic].result(30)
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            found = admin.list_topics(topic, timeout=10).topics[topic].partitions
            if len(found) == partitions and all(each.leader >= 0 for each in found.values()):
                return topic
            time.sleep(0.05)
        raise KafkaUnavailable(f"topic {topic} got no leaders\n{self.log_tail()}")

    def end_offsets(self, topic: str) -> dict[int, int]:
        """Next offset to be written, by partition."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "end-offsets"})
        try:
            partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            return {
                each: consumer.get_watermark_offsets(TopicPartition(topic, each), timeout=10)[1]
                for each in partitions
            }
        finally:
            consumer.close()

    def admin(self) -> AdminClient:
        """A fresh admin client."""
        return AdminClient({"bootstrap.servers": self.bootstrap})

    def log_tail(self, lines: int = 60) -> str:
        """The end of the broker's log."""
        if not self.log_path.exists():
            return "(no broker log)"
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_owned:
            self._end(signal.SIGKILL)

    @property
    def _properties_path(self) -> Path:
        return self._directory / "server.properties"

    def _java(self, jars: Path, *arguments: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={self._directory / 'log4j2.properties'}"
        return ["java", *self._java_options, logging, "-cp", f"{jars}/*", *arguments]

    def _format(self, jars: Path) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        (self._directory / "log4j2.properties").write_text(_LOGGING)
        bound = [f"{name}://127.0.0.1:{port}" for name, port in self._ports.items()]
        known = [
            f"{name}://127.0.0.1:{self._advertised[name]}"
            if name in self._advertised
            else f"{name}://{'127.0.0.1' if name == 'PLAINTEXT' else 'localhost'}:{port}"
            for name, port in self._ports.items()
        ]
        protocols = [f"{name}:{protocol}" for name, protocol in self._protocols.items()]
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller_port}",
            "listeners": ",".join([*bound, f"CONTROLLER://127.0.0.1:{self._controller_port}"]),
            "advertised.listeners": ",".join(known),
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": ",".join([*protocols, "CONTROLLER:PLAINTEXT"]),
            "log.dirs": str(self._directory / "log"),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            # The same of the newer protocol, where the broker says how long a session is.
            "group.consumer.min.session.timeout.ms": "1000",
            "group.consumer.session.timeout.ms": "6000",
            "group.consumer.min.heartbeat.interval.ms": "500",
            "group.consumer.heartbeat.interval.ms": "500",
            # How long a killed broker's registration blocks its successor (9 s by default).
            "broker.session.timeout.ms": "4000",
            "broker.heartbeat.interval.ms": "500",
            **self._settings,
        }
        self._properties_path.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "a")
        formatted = subprocess.run(
            self._java(jars, "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c",
                       str(self._properties_path)),
            capture_output=True, text=True, timeout=START_TIMEOUT_SECONDS, check=False,
        )  # fmt: skip
        if formatted.returncode != 0:
            raise KafkaUnavailable(f"formatting failed:\n{formatted.stdout}\n{formatted.stderr}")
        self._is_formatted = True

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        # Log lines of refused connections are expected while it comes up, so they are not shown.
        admin = AdminClient(
            {"bootstrap.servers": self.bootstrap, "reconnect.backoff.max.ms": 200, "log_level": 0}
        )
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                raise KafkaUnavailable(f"the broker ended with {self._process.returncode}\n{self.log_tail()}")
            try:
                if admin.list_topics(timeout=2).brokers:
                    return
            except KafkaException:
                time.sleep(0.1)
        raise KafkaUnavailable(f"the broker was not ready in {START_TIMEOUT_SECONDS} s\n{self.log_tail()}")

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)  # a stopped broker could not end
        process.send_signal(number)
        try:
            process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        finally:
            watchdog, self._watchdog = self._watchdog, None
            if watchdog is not None:
                watchdog.kill()
                watchdog.communicate()


def _is_cached(directory: Path) -> bool:
    return (directory / "lib" / f"kafka_2.13-{KAFKA_VERSION}.jar").exists()


def kafka_tool(jars: Path, script: str) -> list[str]:
    """The command line that Kafka's own shell script of this name comes to."""
    return [shutil.which("java") or "java", *_JAVA_OPTIONS, "-cp", f"{jars}/*", _TOOLS[script]]


def _java_version() -> int | None:
    if shutil.which("java") is None:
        return None
    told = subprocess.run(["java", "-version"], capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r'version "(\d+)', told.stderr + told.stdout)
    return int(found.group(1)) if found else None
