"""Runs a script: each step is one verb, and laws are looked at after every one of them."""

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from streamer.engine.ports import DeadLetter, HoldReason
from streamer.engine.settled import NOTHING, Settled, decode
from streamer.errors import LedgerError, StreamerError
from streamer.outcomes import Answer
from streamer.records import Mark, Record, TopicPartition
from tests.simulation import events
from tests.simulation.broker import EAGER, TOPIC, Broker
from tests.simulation.clock import VirtualClock
from tests.simulation.member import LIMITS, Crashed, Member, Reading
from tests.simulation.planhat import Call, Planhat
from tests.simulation.ports import SESSION_SECONDS
from tests.simulation.script import Step
from tests.simulation.script import step as step_of
from tests.simulation.terms import terms_of

PATIENCE = 100
"""Processes that end or hold for too many bad records, until a person lets any number be dead-lettered."""
REST_ROUNDS = 5_000
"""Rounds in which everything must come to rest once nothing is wrong any more."""
HOLDING = "co-holding"
"""The company for endusers without one, where a world has it: at Planhat from the start."""
LONGEST_ROUND = 0.7
"""Seconds between turns at rest. A real owner turns ten times a second; a hold counts on some."""
BENIGN = {
    "denied": "", "enduser_name": "optional", "unknown_fields": "dropped", "custom_fields": "",
    "calls_per_minute": 0, "calls_per_second": 0, "parallel_calls": 0,
    "service_seconds": 0, "analytics_seconds": 0, "unknown_parent": "ignored",
}  # fmt: skip
"""Switches that a person at Planhat would put right."""


class LawBroken(AssertionError):
    """A law of the simulation does not hold."""

    def __init__(self, law: str, reason: str) -> None:
        super().__init__(f"{law}: {reason}")
        self.law = law
        self.reason = reason


def _metadata_characters(water: int, *, pauses: bool) -> int:
    """Where a partition pauses: so little, in the smallest worlds, that a dozen in flight come near it.

    Where it reads on: so little that a few do not fit.
    """
    if not pauses:
        return 31
    return 44 if water <= 12 else LIMITS.metadata_characters


class World:
    """Broker, Planhat, members and laws under one clock."""

    def __init__(self, step: Step) -> None:
        words = step.named()
        self.clock = VirtualClock()
        self.partitions = int(words.get("partitions", "1"))
        self.slots = int(words.get("members", "1"))
        # More than the script feeds, one for each member: there others go on while these are stuck.
        everything = self.partitions + self.slots
        self.broker = Broker(self.clock, everything, words.get("protocol", EAGER), self)
        self.planhat = Planhat(self.clock, self)
        self.terms = terms_of(words)
        self.feds: dict[int, events.Fed] = {}
        self._steps: dict[int, Step] = {}
        """By event: how it was fed, so that it can be once more."""
        self._families: defaultdict[int, list[int]] = defaultdict(list)
        self._places: dict[tuple[TopicPartition, int], int] = {}
        self.members: dict[int, Member] = {}
        self.letters_mode = "ok"
        self.is_registry_down = False
        self.is_sink_busy = False
        self.network = "smooth"
        water = int(words.get("water", "48"))
        pauses = words.get("overflow", "pause") == "pause"
        self.limits = replace(
            LIMITS,
            high_water_records=water,
            high_water_bytes=1_500 * water,
            record_bytes=0,
            stuck_ratio=4.5 / water,
            metadata_characters=_metadata_characters(water, pauses=pauses),
            pauses_on_overflow=pauses,
            unassigned_company=words.get("unassigned"),
        )
        self._gave_up = 0
        self._sequence = 0
        self._reading_numbers = 0
        self._dice = random.Random(int(words.get("dice", "0")))
        self._poison: list[Step] = []
        self._cut: set[int] = set()
        """Partitions that lost their end, until their reader has committed: nothing is written meanwhile.

        That long what the last commit said of its end could be believed of other records.
        """
        self._hearing: defaultdict[str, list[Callable[..., None]]] = defaultdict(list)
        for source in self.broker.sources:
            self.planhat.open_company(f"co-{source.partition}-0")
        for external_id in ("co-shared", HOLDING):
            self.planhat.open_company(external_id)

    def obey(self, law: object) -> None:
        """From here on this law is told what happens: each of its public methods is what it hears."""
        for name in dir(law):
            if not name.startswith("_") and callable(getattr(law, name)):
                self._hearing[name].append(getattr(law, name))

    def tell(self, happening: str, *facts: Any) -> None:
        """Tell the laws that hear of this."""
        for hear in self._hearing[happening]:
            hear(*facts)

    @staticmethod
    def broken(law: str, reason: str) -> NoReturn:
        """A law does not hold."""
        raise LawBroken(law, reason)

    # --- who is who -----------------------------------------------------------------------------------

    def source_of(self, sequence: int) -> TopicPartition:
        """The partition an event was fed to."""
        return TopicPartition(TOPIC, self.feds[sequence].partition)

    def sequence_of(self, record: Record) -> int:
        """The event that a record is."""
        return self._places[record.source, record.offset]

    def fed_at(self, source: TopicPartition, offset: int) -> events.Fed | None:
        """The event at an offset; None in a gap."""
        sequence = self._places.get((source, offset))
        return None if sequence is None else self.feds[sequence]

    def family(self, fed: events.Fed) -> Sequence[int]:
        """The events that share its messageId, itself among them."""
        return self._families[fed.identity] if fed.identity else [fed.sequence]

    # --- told by broker and Planhat --------------------------------------------------------------------

    def assigned(self, slot: int, source: TopicPartition) -> None:
        self._reading_numbers += 1
        start = self.broker.start_of(source)
        reading = Reading(self._reading_numbers, slot, source, start, start)
        found = self.broker.found(source)
        told = decode(found, f"{found.topic_id}:{source.partition}")
        reading.told = told if isinstance(told, Settled) else NOTHING
        if found.committed is None or not found.committed.metadata:
            self._cut.discard(source.partition)
        self.members[slot].readings[source] = reading
        # Requests of the one before that are still on their way would race the new owner's. That no
        # client can prevent; here they arrive first. (Its own are held back by its lanes.)
        for call in list(self.planhat.under_way):
            if call.slot != slot and any(self.source_of(each) == source for each in call.readings):
                self.planhat.arrive(call)
        self.tell("begun", reading)

    def taken(self, slot: int, source: TopicPartition) -> None:
        member = self.members[slot]
        reading = member.readings.pop(source, None)
        member.paused.discard(source)
        if reading is not None:
            self.tell("over", member, reading)

    def committed(self, slot: int, source: TopicPartition, mark: Mark, before: Mark | None) -> None:
        self._cut.discard(source.partition)
        self.tell("committed", self.members[slot], source, mark, before)

    def lettered(self, letter: DeadLetter) -> None:
        self.tell("lettered", letter)

    def served(self, call: Call, outcomes: list[str]) -> None:
        self.tell("served", call, outcomes)

    def answered(self, call: Call, answer: Answer) -> None:
        self.tell("answered", call, answer)

    # --- time -------------------------------------------------------------------------------------------

    def wait(self, member: Member, seconds: float) -> None:
        """A member waits for answers: time passes, the network and the other members go on."""
        self.clock.advance(seconds)
        self.planhat.let_time_out()
        mine = [call for call in self.planhat.under_way if call.slot == member.slot]
        if mine and self.network == "smooth":
            self.planhat.answer(mine[0])
        elif mine and self.network == "deaf":
            self.planhat.arrive(mine[0])
        if seconds >= 0.1:
            for other in list(self.members.values()):
                self.turn(other)

    def pass_time(self, seconds: float) -> None:
        """Time passes while nobody does anything."""
        self.clock.advance(seconds)
        self.planhat.let_time_out()

    # --- members ----------------------------------------------------------------------------------------

    def start(self, slot: int) -> None:
        """A new process in this slot, unless one runs."""
        if slot not in self.members or self.members[slot].is_dead:
            self.members[slot] = Member(self, slot, random.Random(self._dice.random()))

    def turn(self, member: Member) -> None:
        """One turn of the engine, whatever comes of it."""
        if member.is_dead or member.is_busy or member.is_frozen:
            return
        self._guarded(member, member.streamer.run_once)
        self.tell("turned", member)

    def stop(self, member: Member) -> None:
        """SIGTERM."""
        if not (member.is_dead or member.is_busy):
            member.is_frozen = False
            self._guarded(member, member.end)

    def _guarded(self, member: Member, act: Callable[[], None]) -> None:
        member.is_busy = True
        try:
            try:
                act()
            except LedgerError as error:
                self.broken("conservation", f"the engine's own check: {error}")
            except StreamerError:
                self._gave_up += 1
                member.end()
        except Crashed:
            self._bury(member, is_applied=True)
        except (LawBroken, KeyboardInterrupt):
            raise
        except Exception as error:  # noqa: BLE001 - a law of its own
            self.broken("no bug of ours", f"{type(error).__name__}: {error}")
        finally:
            member.is_busy = False

    def crash(self, member: Member, *, is_applied: bool) -> None:
        """SIGKILL between two turns."""
        if not (member.is_dead or member.is_busy):
            self._bury(member, is_applied=is_applied)

    def _bury(self, member: Member, *, is_applied: bool) -> None:
        member.is_dead = True
        self.tell("crashed", member)
        if is_applied:
            member.letters.land(member.letters.waiting)
        self.broker.land_commits(member.slot, is_applied=is_applied)
        self.planhat.abandon(member.slot, is_applied=is_applied)
        self.broker.remove(member.slot)

    # --- the script ---------------------------------------------------------------------------------------

    def do(self, step: Step) -> None:
        """One step."""
        getattr(self, f"_do_{step.verb}")(step)
        self.tell("stepped")

    def _member(self, step: Step) -> Member | None:
        return self.members.get(step.number(0) % self.slots)

    def _do_feed(self, step: Step) -> None:
        self._feed(step, step.number(0) % self.partitions)

    def _do_copy(self, step: Step) -> None:
        """One of the newest events of a partition is produced again, under its messageId.

        Into the same partition, as whoever keys by user does: in another, nobody waits for the first.
        """
        number = step.number(0) % self.partitions
        there = [each for each in self.feds.values() if each.partition == number and not each.is_gone]
        if there:
            original = there[-1 - step.number(1) % len(there)]
            self._feed(self._steps[original.sequence], number, original.identity)

    def _feed(self, step: Step, number: int, identity: int = 0) -> None:
        if number in self._cut:
            return
        self._sequence += 1
        end = self.broker.ends[self.broker.sources[number]]
        fed = events.fed(step, self._sequence, number, end, self.terms, identity)
        record = self.broker.append(number, fed.key, fed.value)
        self.feds[fed.sequence] = fed
        self._steps[fed.sequence] = step
        self._families[fed.identity].append(fed.sequence)
        self._places[record.source, record.offset] = fed.sequence

    def _do_recreate(self, _: Step) -> None:
        """Nobody runs while the topic is made anew; then it grows past what was committed of the old one."""
        self._crash_all()
        self._forget(list(self._places))
        self.broker.recreate()
        self._cut.clear()
        for source in self.broker.sources:
            while self.broker.ends[source] < self.broker.start_of(source):
                self._feed(step_of("feed", "-", "tombstone"), source.partition)
                self.feds[self._sequence].is_gone = True

    def _do_cut(self, step: Step) -> None:
        """The newest records are lost with the broker that led the partition."""
        number = step.number(0) % self.partitions
        self._crash_all()
        gone = self.broker.cut_off(number, step.number(1, 1))
        self._forget([(record.source, record.offset) for record in gone])
        self._cut.add(number)

    def _crash_all(self) -> None:
        for member in self.members.values():
            self.crash(member, is_applied=True)

    def _forget(self, places: list[tuple[TopicPartition, int]]) -> None:
        for place in places:
            self.feds[self._places.pop(place)].is_gone = True

    def _do_gap(self, step: Step) -> None:
        self.broker.gap(step.number(0) % self.partitions, step.number(1, 1))

    def _do_turn(self, step: Step) -> None:
        for _ in range(step.number(1, 1)):
            member = self._member(step)
            if member is not None:
                self.turn(member)

    def _do_flow(self, step: Step) -> None:
        for _ in range(step.number(0, 1)):
            self._round(0.1)

    def _round(self, seconds: float) -> None:
        for call in list(self.planhat.under_way):
            self.planhat.answer(call)
        for member in list(self.members.values()):
            self.turn(member)
        self.pass_time(seconds)

    def _do_time(self, step: Step) -> None:
        self.pass_time(float(step.word(0, "1")))
        for slot, member in self.members.items():
            if member.is_frozen and self.clock.now - member.streamer.last_poll_at >= SESSION_SECONDS:
                self.broker.expel(slot, at_once=True)

    def _do_arrive(self, step: Step) -> None:
        waiting = [call for call in self.planhat.under_way if not call.has_arrived]
        if waiting:
            self.planhat.arrive(waiting[step.number(0) % len(waiting)])

    def _do_answer(self, step: Step) -> None:
        waiting = self.planhat.under_way
        if waiting:
            self.planhat.answer(waiting[step.number(0) % len(waiting)])

    def _do_crash(self, step: Step) -> None:
        member = self._member(step)
        if member is not None:
            self.crash(member, is_applied=step.word(1) == "applied")

    def _do_fuse(self, step: Step) -> None:
        member = self._member(step)
        if member is not None:
            member.fuse = step.number(1, 1)

    def _do_stop(self, step: Step) -> None:
        member = self._member(step)
        if member is not None:
            self.stop(member)

    def _do_start(self, step: Step) -> None:
        self.start(step.number(0) % self.slots)

    def _do_freeze(self, step: Step) -> None:
        member = self._member(step)
        if member is not None and not member.is_dead:
            member.is_frozen = True

    def _do_thaw(self, step: Step) -> None:
        member = self._member(step)
        if member is not None:
            member.is_frozen = False

    def _do_rebalance(self, step: Step) -> None:
        self.broker.rebalance(step.number(0, 1))

    def _do_expire(self, step: Step) -> None:
        self.broker.expel(step.number(0) % self.slots, at_once=False)

    def _do_fault(self, step: Step) -> None:
        self._fault(step)
        if "items" in step.named():
            self._poison.append(step)

    def _fault(self, step: Step) -> None:
        words: dict[str, Any] = dict(step.named())
        if "items" in words:
            name, _, value = words["items"].partition(":")
            words["items"] = {"field": name, "values": [value]}
        if words.get("times") == "always":
            words["times"] = None
        if "error" in words:
            words["error"] = words["error"].replace("_", " ")
        if "after" in words:
            words["headers"] = {"Retry-After": words.pop("after")}
        self.planhat.fault(words)

    def _do_heal(self, _: Step) -> None:
        """Every fault ends but those of events: these nobody can mend."""
        self.planhat.sandbox.faults.clear()
        for fault in self._poison:
            self._fault(fault)

    def _do_switch(self, step: Step) -> None:
        self.planhat.sandbox.board.change(step.named())

    def _do_commit(self, step: Step) -> None:
        self.broker.fates.append(step.word(0))

    def _do_letters(self, step: Step) -> None:
        self.letters_mode = step.word(0)

    def _do_registry(self, step: Step) -> None:
        self.is_registry_down = step.word(0) == "down"

    def _do_network(self, step: Step) -> None:
        self.network = step.word(0)

    def _do_sink(self, step: Step) -> None:
        self.is_sink_busy = step.word(0) == "busy"

    def _do_token(self, step: Step) -> None:
        self.planhat.change_token(is_valid=step.word(0) == "valid")

    # --- the end --------------------------------------------------------------------------------------------

    def rest(self) -> None:
        """Nothing is wrong any more but the events themselves: everything must come to an end."""
        self._make_well()
        quiet = 0.1
        for number in range(REST_ROUNDS):
            if self._is_at_rest():
                return
            for slot in range(self.slots):
                self._keep_running(slot)
            before = self._progress()
            self._round(quiet)
            quiet = 0.1 if self._progress() != before else min(quiet * 1.5, LONGEST_ROUND)
            if number % 60 == 59:
                self._feed_others()
            self.tell("stepped")
        self.broken("everything ends", f"not at rest: {self._left()}")

    def _make_well(self) -> None:
        self.planhat.sandbox.board.change(BENIGN)
        self._do_heal(Step("heal"))
        self.broker.fates.clear()
        # Who reads only bad events ends before a partition with good ones is given late: over and over.
        self.broker.is_hesitant = False
        self.letters_mode, self.network = "ok", "smooth"
        self.is_registry_down = self.is_sink_busy = False
        self.planhat.change_token(is_valid=True)
        for member in self.members.values():
            member.is_frozen = False
            member.fuse = 0

    def _keep_running(self, slot: int) -> None:
        member = self.members.get(slot)
        if member is None or member.is_dead:
            if self._gave_up > PATIENCE:
                # A stretch that is bad for good, read from its beginning each time: as the runbook says.
                self.limits = replace(self.limits, dead_letter_ratio=1.0)
            self.start(slot)
        elif member.streamer.hold.reason is HoldReason.DEAD_LETTERS:
            self._gave_up += 1
            self.stop(member)  # only a person's restart ends this one

    def _progress(self) -> tuple[int, int]:
        committed = self.broker.committed.values()
        return self.planhat.sandbox.store.stamps.arrivals, sum(mark[0] for mark in committed)

    def _feed_others(self) -> None:
        """Others must pass for one to be proven at fault alone."""
        extras = ("metric",) if self.terms.has_metrics else ()
        for number in range(self.partitions, len(self.broker.sources)):
            for kind in ("identify", "group", "track"):
                self._feed(step_of("feed", "-", kind, 0, "ext", 0, *extras), number)

    def _is_at_rest(self) -> bool:
        return not self.planhat.under_way and all(
            self.broker.start_of(source) >= self.broker.last_offset(source) for source in self.broker.sources
        )

    def _left(self) -> str:
        broker = self.broker
        left = [
            f"partition {source.partition} at {broker.start_of(source)} of {broker.last_offset(source)}"
            for source in broker.sources
            if broker.start_of(source) < broker.last_offset(source)
        ]
        return ", ".join(left) or f"{len(self.planhat.under_way)} requests under way"
