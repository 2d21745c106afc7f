"""The real engine and the real edge at a sandbox, in time that moves only while nobody waits.

Requests are real; between them the clock is turned by the fake source's polls. So ten minutes of
retries take no time, production limits can stay as they are, and a run is the same every time.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from streamer.engine.interpret import Tell
from streamer.engine.limits import Limits
from streamer.engine.loop import Streamer
from streamer.engine.ports import Batch, Delivery, Lot
from streamer.errors import PlanhatMisconfigured
from streamer.outcomes import Fate
from streamer.planhat.credentials import Credentials
from streamer.planhat.items import encode_operation
from streamer.planhat.sink import PlanhatSink
from streamer.standins.planhat.sandbox import Sandbox
from streamer.transform import told_of
from streamer.transform.rules import Rules
from tests.engine.fakes import FakeDeadLetters, FakeSource, JsonDecoder, ManualClock, Told
from tests.planhat_contract.scenario import Event

LIMITS = Limits(poll_seconds=0.5, coalesced_parts=1, unchanged_seconds=0, revived_endusers=0)
"""Each event is an entry of its own, whose answer is looked for."""
"""Production's, but for longer naps when nothing is under way: fewer turns, the same decisions."""
MOST_TURNS = 8_000
ANSWER_SECONDS = 30.0
HOPELESS_SECONDS = 600.0
"""On hold for so long means: until a person acts."""


class PatientSink:
    """The real sink; whoever collects waits until every request under way is answered."""

    def __init__(self, sink: PlanhatSink) -> None:
        self._sink = sink
        self._under_way = 0
        self.requests = 0

    def submit(self, batch: Batch) -> bool:
        taken = self._sink.submit(batch)
        self._under_way += taken
        self.requests += taken
        return taken

    def collect(self, timeout_seconds: float) -> Sequence[Delivery]:
        deliveries: list[Delivery] = []
        while self._under_way:
            ended = self._sink.collect(ANSWER_SECONDS)
            assert ended, "a request got no answer"
            self._under_way -= len(ended)
            deliveries += ended
        return sorted(deliveries, key=lambda delivery: delivery.batch.number)

    def refresh_credentials(self) -> None:
        self._sink.refresh_credentials()


class Watching(Told):
    """Sees that nothing is settled twice."""

    def settled(self, lot: Lot, time: float) -> None:
        for ended in lot.records:
            assert (ended.record.partition, ended.record.offset) not in self.outcomes
        super().settled(lot, time)


@dataclass
class Ended:
    """What a run came to."""

    fates: dict[int, tuple[Fate, str]] = field(default_factory=dict)
    """By step of the story; what is not here is not settled."""
    is_on_hold: bool = False
    refused_start: PlanhatMisconfigured | None = None


class Pipeline:
    """One streamer at one sandbox."""

    def __init__(
        self, sandbox: Sandbox, url: str, clock: ManualClock, partitions: int, tell: Tell = told_of
    ) -> None:
        self.sandbox = sandbox
        self.clock = clock
        self.api_token = sandbox.api_token
        self.source = FakeSource(clock)
        self.dead_letters = FakeDeadLetters()
        self.told = Watching()
        self._edge = PlanhatSink(
            api_url=url,
            analytics_url=url,
            read_credentials=lambda: Credentials(self.api_token, sandbox.tenant_token),
            membership=lambda: 0,
            make_delivery=Delivery,
        )
        self.sink = PatientSink(self._edge)
        self.streamer = Streamer(
            limits=LIMITS,
            rules=Rules(),
            source=self.source,
            decoder=JsonDecoder(),
            encode=encode_operation,
            sink=self.sink,
            dead_letters=self.dead_letters,
            observer=self.told,
            clock=clock,
            dice=random.Random(7).random,
            tell=tell,
        )
        self._steps: dict[tuple[int, int], int] = {}
        self.turns = 0
        self.source.subscribe(self.streamer)
        self.source.assign(*range(partitions))

    def feed(self, events: Sequence[Event]) -> None:
        """Append events to the topic."""
        for event in events:
            record = self.source.feed(event.call, number=event.partition)
            self._steps[record.partition, record.offset] = event.step

    def run(self) -> Ended:
        """Turn until everything is settled and committed, or nothing more will be without a person."""
        ended = Ended()
        began = self.clock.now
        try:
            while not self._is_done() and not self._is_hopeless(began):
                assert self.turns < MOST_TURNS, f"no end: {self.streamer.dispatch.in_trouble()}"
                self.turns += 1
                self.streamer.run_once()
        except PlanhatMisconfigured as error:
            ended.refused_start = error
        self.sink.collect(0)
        self.streamer.check()
        ended.is_on_hold = self.streamer.hold.reason is not None
        ended.fates = {self._steps[place]: fate for place, fate in self.told.outcomes.items()}
        return ended

    def unsettled_behind_commits(self) -> list[int]:
        """Steps that a commit has passed over although they are not settled: there must be none."""
        return [
            step
            for (partition, offset), step in self._steps.items()
            if (partition, offset) not in self.told.outcomes
            and any(
                source.partition == partition and offset < committed
                for source, committed in self.source.committed.items()
            )
        ]

    def close(self) -> None:
        """Stop the workers."""
        assert self._edge.close(10)

    def _is_done(self) -> bool:
        if len(self.told.outcomes) < len(self._steps):
            return False
        committed = self.source.committed
        return all(
            committed.get(source, 0) > offset
            for (partition, offset) in self._steps
            for source in self.source.assigned
            if source.partition == partition
        )

    def _is_hopeless(self, began: float) -> bool:
        hold = self.streamer.hold
        return hold.reason is not None and self.clock.now - max(hold.since, began) >= HOPELESS_SECONDS
