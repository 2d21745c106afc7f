"""The pipeline as an operator runs it, for tests: `streamer run` processes over topics of their own.

    with Pipeline(kafka, sandbox, folder) as pipeline:
        member = pipeline.member("first")
        pipeline.feed(events)
        pipeline.wait_until_committed()
        assert pipeline.account().lines() == []

What it judges by is not the pipeline's own word: the broker's acknowledgements, the group's offsets,
the dead-letter topic and the sandbox's view.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Final, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.errors import SourceError
from streamer.standins.account import audit
from streamer.standins.account_books import Expected
from streamer.standins.account_findings import Audit, Seen
from streamer.standins.account_view import seen_activities, seen_companies, seen_endusers, seen_ignored
from streamer.standins.composer import MadeEvent
from streamer.standins.demo_topic import DemoTopic, GroupOffsets, read_letters
from streamer.standins.expectations import Expectation
from streamer.standins.generator import Generator
from streamer.standins.planhat.client import SandboxClient
from streamer.standins.planhat.sandbox import DEFAULT_API_TOKEN, DEFAULT_TENANT_TOKEN
from tests.real_kafka.cluster import RealKafka
from tests.real_kafka.member import READY_SECONDS, Member, wait_until

KAFKA_PROPERTIES: Final = {
    "heartbeat.interval.ms": "500",
    "reconnect.backoff.max.ms": "500",
    "fetch.wait.max.ms": "50",
    "statistics.interval.ms": "500",
}
"""Nothing that changes what is promised: only how soon a change is noticed."""

SANDBOX_SWITCHES: Final[Mapping[str, object]] = {
    "history": 1_000,
    "calls_per_minute": 0,
    "calls_per_second": 0,
}
"""The sandbox remembers every write and sets no quota: quota is not what these tests are about."""


class Pipeline:
    """Topics, group, settings and members of one test, and the account of what went through.

    `planhat` is where the members find Planhat, if not at the sandbox itself; further settings are
    given without their prefix: `linger_seconds="0.1"`.
    """

    def __init__(
        self,
        kafka: RealKafka,
        sandbox: SandboxClient,
        folder: Path,
        *,
        partitions: int = 4,
        topic_settings: Mapping[str, str] | None = None,
        letter_settings: Mapping[str, str] | None = None,
        planhat: str | None = None,
        **settings: str | None,
    ) -> None:
        self.kafka = kafka
        self.sandbox = sandbox
        self._planhat = planhat
        self._folder = folder
        self._settings = settings
        self.topic = kafka.create_topic("events", partitions, **(topic_settings or {}))
        self.letter_topic = kafka.create_topic("letters", 1, **(letter_settings or {}))
        self.group = f"group.{self.topic}"
        self.partitions = partitions
        self.expected = Expected()
        self.members: list[Member] = []
        self._producer = DemoTopic(kafka.bootstrap, self.topic)
        self._encode = Encoder(load_schemas()).encode
        # Kept: an admin client that nobody holds is gone before its answers come.
        self._admin = AdminClient({"bootstrap.servers": kafka.bootstrap, "log_level": 0})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for member in self.members:
            member.close()

    # --- members -----------------------------------------------------------------------------------

    def settings(self, name: str = "member", **changes: str | None) -> dict[str, str]:
        """The environment of a member; a change to None leaves a setting out."""
        properties = {**KAFKA_PROPERTIES, "client.id": name}
        wanted: dict[str, str | None] = {
            "kafka_bootstrap_servers": self.kafka.bootstrap,
            "kafka_topic": self.topic,
            "kafka_dead_letter_topic": self.letter_topic,
            "kafka_group_id": self.group,
            "kafka_properties": "\n".join(f"{key}={value}" for key, value in properties.items()),
            "start": "earliest",
            "planhat_tenant_token": DEFAULT_TENANT_TOKEN,
            "planhat_api_token": DEFAULT_API_TOKEN,
            "planhat_api_url": self._planhat or self.sandbox.url,
            "planhat_analytics_url": self._planhat or self.sandbox.url,
            "planhat_calls_per_minute": "60000",
            "gate_longest_seconds": "1",
            "throttled_longest_seconds": "2",
            # Replicas that meet at a company wait a second or so, not the third of a minute of the default.
            "duplicated_tries": "20",
            "duplicated_seconds": "20",
            "http_host": "127.0.0.1",
            "http_port": "0",
            "log_format": "json",
            "log_level": "debug",
            **self._settings,
            **changes,
        }
        return {f"STREAMER_{key.upper()}": value for key, value in wanted.items() if value is not None}

    def member(self, name: str = "member", **changes: str | None) -> Member:
        """Start one more `streamer run`."""
        log = self._folder / f"{len(self.members)}-{name}.log"
        member = Member(name, self.settings(name, **changes), log)
        self.members.append(member)
        return member

    def assignment(self) -> dict[str, set[int]]:
        """Partitions by member, as the broker has them; empty while the group is being rebalanced.

        Raises KafkaException or TimeoutError where the broker does not answer.
        """
        try:
            found = self._admin.describe_consumer_groups([self.group])[self.group].result(10)
        except (KafkaException, TimeoutError):
            # One that lost its broker in the middle of a question may never find it again.
            self._admin = AdminClient({"bootstrap.servers": self.kafka.bootstrap, "log_level": 0})
            raise
        if found.state.name != "STABLE":
            return {}
        return {
            each.client_id: {place.partition for place in each.assignment.topic_partitions}
            for each in found.members
        }

    def wait_until_shared(self, *members: Member) -> dict[str, set[int]]:
        """Wait until exactly these share all partitions, each with some; returns which."""
        names = {member.name for member in members}

        def is_shared() -> bool:
            self._check(members)
            shares = self.assignment()
            return (
                set(shares) == names
                and all(shares.values())
                and sum(map(len, shares.values())) == self.partitions
            )

        wait_until(is_shared, READY_SECONDS, f"{sorted(names)} share {self.partitions} partitions")
        return self.assignment()

    # --- in ----------------------------------------------------------------------------------------

    def feed(self, events: Iterable[MadeEvent], per_second: float | None = None) -> None:
        """Produce made events, all acknowledged on return; evenly paced where a rate is given."""
        started = monotonic()
        for number, made in enumerate(events):
            if per_second is not None and not number % 10:
                self._producer.settle()
                sleep(max(0.0, started + number / per_second - monotonic()))
            self.produce(made.key, made.value_bytes(self._encode), made.expectation)
        self._producer.settle()

    def open(self, generator: Generator) -> Iterator[MadeEvent]:
        """Feed the stream's opening and wait until it is settled; returns the rest.

        Kafka keeps no order between partitions, so companies must be there before their people come.
        """
        events = iter(generator)
        self.feed(islice(events, generator.opening_count))
        self.wait_until_committed()
        return events

    def produce(self, key: bytes | None, value: bytes | None, expectation: Expectation) -> None:
        """Hand one record over, with what it must come to; acknowledged after the next `feed`."""
        self._producer.produce(
            key, value, lambda partition, offset: self.expected.add(partition, offset, expectation)
        )

    # --- out ---------------------------------------------------------------------------------------

    def committed(self) -> dict[int, int]:
        """The group's next offsets; partitions without any are left out. Raises SourceError."""
        with closing(GroupOffsets(self.kafka.bootstrap, self.group, self.topic)) as offsets:
            return offsets.committed(set(range(self.partitions)))

    def wait_until_committed(self, seconds: float = 60.0, *members: Member) -> None:
        """Wait until everything produced is committed, which only what is settled may be."""
        running = members or tuple(member for member in self.members if member.is_running)
        last: dict[int, int] = {}

        def is_committed() -> bool:
            nonlocal last
            self._check(running)
            try:
                last = self.committed()
            except SourceError:
                return False
            return all(last.get(number) == end for number, end in self.expected.ends.items())

        try:
            wait_until(is_committed, seconds, "everything is committed")
        except AssertionError as error:
            raise AssertionError(f"{error}: {last} of {self.expected.ends}\n{self.tails()}") from None

    def tails(self) -> str:
        """The last lines of every member that was."""
        return "\n".join(f"--- {member.name}\n{member.tail()}" for member in self.members)

    @staticmethod
    def _check(members: Iterable[Member]) -> None:
        for member in members:
            member.check()

    def account(
        self,
        resent: Mapping[int, Sequence[range]] | None = None,
        skipped: Mapping[str, int] | None = None,
        merged: int | None = None,
    ) -> Audit:
        """The closed account.

        `resent` are offsets rightly read twice; `skipped` and `merged` what metrics count, where they do.
        """
        sandbox = self.sandbox
        seen = Seen(
            activities=seen_activities(sandbox.activities(), sandbox.endusers()),
            endusers=seen_endusers(sandbox.endusers()),
            companies=seen_companies(sandbox.companies()),
            ignored=seen_ignored(sandbox.ignored()),
            letters=read_letters(self.kafka.bootstrap, self.letter_topic, self.topic),
            committed=self.committed(),
            skipped=skipped,
            merged=merged,
            resent=resent or {},
        )
        return audit(self.expected, seen)


def skips_of(*members: Member) -> dict[str, int]:
    """Skipped records by reason, as these members count them."""
    skips: dict[str, int] = {}
    for member in members:
        for reason, count in member.scrape().by("streamer_skips_total", "reason").items():
            skips[reason] = skips.get(reason, 0) + int(count)
    return skips
