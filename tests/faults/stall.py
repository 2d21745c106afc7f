"""Planhat answers nothing for a while: what that costs in memory, partitions and repetitions."""

from collections.abc import Mapping
from pathlib import Path
from time import monotonic, sleep, time
from typing import Final

from streamer.standins.generator import Generator
from streamer.standins.planhat.faults import Fault, FaultKind
from tests.faults.campaign import Tell, drain
from tests.faults.gathering import gather
from tests.faults.load import Load
from tests.faults.plant import HTTP_SECONDS, plant
from tests.faults.report import table
from tests.faults.schedule import Kind, Strike
from tests.faults.strikes import Struck
from tests.faults.verdict import verdict
from tests.faults.vitals import vitals

NORMAL_PER_SECOND: Final = 50.0
TIMES_NORMAL: Final = 10.0
FULL_AFTER: Final = 0.2
"""After this share of the stall high water is reached: for the rest of it memory must be flat."""
GROWTH_RATIO: Final = 0.05
GROWTH_MIB: Final = 8.0
_MEMBERS: Final = 2


def stall(folder: Path, seconds: float, say: Tell) -> list[str]:
    """Planhat answers nothing for a while, at ten times the normal rate of events.

    Memory must be flat once high water is reached, the members must stay in the group, and afterwards
    nothing comes again but what was unanswered.
    """
    rate = NORMAL_PER_SECOND * TIMES_NORMAL
    full = int(rate * seconds * FULL_AFTER / _MEMBERS)
    events = int(rate * seconds * 1.2) + 2_000
    sizes = {
        "high_water_records": str(full),
        "bulk_items": str(min(5_000, full // 4)),
        "activity_bulk_items": str(min(250, full // 4)),
        "gate_longest_seconds": f"{min(60.0, seconds):g}",
    }
    with plant(folder, 8, **sizes) as parts:
        lives = [parts.start(slot) for slot in range(_MEMBERS)]
        parts.wait_until_whole()
        load = Load(parts.pipeline, parts.pipeline.open(Generator(1, events, companyless_share=0.0)), rate)
        load.start()
        load.let(2_000)
        load.wait_for(2_000)
        joined = [len(life.member.lines("partitions_assigned")) for life in lives]
        memory = Memory({life.name: life.member.pid for life in lives})
        at = time()
        # The worst way to stall: what is asked is done, and nobody is told.
        parts.sandbox.add_faults(
            Fault(kind=FaultKind.LOST_REPLY, seconds=HTTP_SECONDS + 1.0, times=None, for_seconds=seconds)
        )
        load.let(events)
        memory.watch(seconds)
        struck = Struck(Strike(1, Kind.TIMED_OUT, 0.0, 0.0, 0.0), at, time(), (), events)
        load.join()
        load.wait_for(0)
        drain(parts, say)
        broken = [
            f"{life.name} did not keep its partitions"
            for life, before in zip(lives, joined, strict=True)
            if life.member.lines("partitions_lost")
            or len(life.member.lines("partitions_assigned")) != before
            or not life.member.is_running
        ]
        for slot in list(parts.now):
            parts.end(slot)
        found = verdict(gather(parts, [struck]), allows_behind=False)
    say(f"stalled for {seconds:g} s at {rate:g} events a second; high water {full} records a member")
    for name in memory.samples:
        at_full, most = memory.at(name, FULL_AFTER * 1.5), memory.most(name, FULL_AFTER * 1.5)
        say(
            f"{name}: {memory.at(name, 0):.1f} MiB before, {at_full:.1f} MiB full, "
            f"at most {most:.1f} MiB after"
        )
        if most > at_full * (1 + GROWTH_RATIO) + GROWTH_MIB:
            broken.append(f"{name} grew from {at_full:.1f} to {most:.1f} MiB while nothing moved")
    say(table(found))
    return [*broken, *found.broken]


class Memory:
    """Resident memory of some processes, once a second."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self.samples: dict[str, list[float]] = {name: [] for name in pids}

    def watch(self, seconds: float) -> None:
        """Look for so long."""
        until = monotonic() + seconds
        while monotonic() < until:
            for name, pid in self._pids.items():
                self.samples[name].append(vitals(pid).resident_mib)
            sleep(1.0)

    def at(self, name: str, share: float) -> float:
        """After this share of the time."""
        samples = self.samples[name]
        return samples[min(int(share * len(samples)), len(samples) - 1)]

    def most(self, name: str, share: float) -> float:
        """From then on."""
        samples = self.samples[name]
        return max(samples[min(int(share * len(samples)), len(samples) - 1) :])
