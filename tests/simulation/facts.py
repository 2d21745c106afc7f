"""What is known of each event, gathered where it happens; laws are judged by it."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from streamer.engine.ports import DeadLetter
from streamer.outcomes import Answered, Endpoint, InvalidReason, Verdict
from tests.simulation.events import FRAME, SKIPPED, Fed
from tests.simulation.member import Member
from tests.simulation.planhat import Call
from tests.simulation.world import World


@dataclass(slots=True)
class Told:
    """What Planhat did with one operation of one event, over all requests that carried it."""

    applied: int = 0
    ignored: int = 0
    """Not saved for want of a company."""
    refused: int = 0
    failed_alone: int = 0
    calls: list[Call] = field(default_factory=list)
    """Requests in which it was applied."""


class Facts:
    """The simulator's own memory, apart from the engine's."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.of: defaultdict[tuple[int, Endpoint], Told] = defaultdict(Told)
        self.letters: defaultdict[int, set[InvalidReason]] = defaultdict(set)
        self.accepted: set[tuple[Call, int]] = set()
        """By request and event: the engine was told that it is at Planhat."""

    def served(self, call: Call, outcomes: list[str]) -> None:
        for sequences, outcome in zip(call.sequences, outcomes, strict=True):
            for sequence in sequences:
                told = self.of[sequence, call.batch.endpoint]
                if outcome == "applied":
                    told.applied += 1
                    told.calls.append(call)
                told.ignored += outcome in {"ignored", "doubtful"}
                told.refused += outcome in {"refused", "doubtful"}

    def answered(self, call: Call, answer: object) -> None:
        if isinstance(answer, Answered):
            for sequences, verdict in zip(call.sequences, answer.verdicts, strict=True):
                if verdict is Verdict.ACCEPTED:
                    self.accepted |= {(call, sequence) for sequence in sequences}
        elif len(call.sequences) == 1:
            for sequence in call.sequences[0]:
                self.of[sequence, call.batch.endpoint].failed_alone += 1

    def lettered(self, letter: DeadLetter) -> None:
        self.letters[self._world.sequence_of(letter.record)].add(letter.reason)

    # --- judgements ---------------------------------------------------------------------------------

    def missing(self, fed: Fed) -> str:
        """What is still to be done for an event to be finished with; empty when it is."""
        if fed.is_gone or fed.kind in SKIPPED or self.letters.get(fed.sequence):
            return ""
        if fed.bad is not None:
            return "is bad and has no letter"
        for endpoint in fed.endpoints:
            # Of copies one is enough.
            told = [self.of[sequence, endpoint] for sequence in self._world.family(fed)]
            is_told = any(each.applied or each.ignored for each in told)
            if not (is_told or self._is_linked(fed, endpoint)):
                return f"never reached {endpoint.value}"
        return ""

    def _is_linked(self, fed: Fed, endpoint: Endpoint) -> bool:
        """A group call's user who is at Planhat: to say so again would change nothing."""
        if fed.kind != "group" or endpoint is not Endpoint.ENDUSERS or fed.value is None:
            return False
        call = msgspec.json.decode(fed.value.removeprefix(FRAME))
        email = call["context"].get("traits", {}).get("email")
        return any(
            entry.fields.get("externalId") == call.get("userId", "")
            or (email and str(entry.fields.get("email")).lower() == email.lower())
            for entry in self._world.planhat.sandbox.store.endusers.by_id.values()
        )

    def fault_of(self, fed: Fed, reason: InvalidReason, member: Member) -> str:
        """Why a letter with this reason is wrong; empty when the event, or one it is a copy of, earned it."""
        family = self._world.family(fed)
        told = [self.of[sequence, endpoint] for sequence in family for endpoint in fed.endpoints]
        limits = member.limits
        if fed.bad is not None:
            return "" if reason is fed.bad else f"is bad as {fed.bad}, not {reason}"
        if reason is InvalidReason.REFUSED and any(each.refused for each in told):
            return ""
        if reason is InvalidReason.DUPLICATED and any(
            each.refused > limits.duplicated_tries for each in told
        ):
            return ""
        if reason is InvalidReason.REFUSED_ALONE and any(
            # A hunt that leaves one suspect counts as the first refusal.
            each.failed_alone >= limits.alone_refusals - 1
            for each in told
        ):
            return ""
        return f"did not earn {reason}"

    def was_turned_away(self, sequence: int) -> bool:
        """Once at least: read again after a crash, it may be there and not be the last any more."""
        told = [self.of[sequence, endpoint] for endpoint in self._world.feds[sequence].endpoints]
        is_gone = self._world.feds[sequence].is_gone
        return is_gone or bool(self.letters.get(sequence)) or any(each.ignored for each in told)

    def feds(self) -> Iterator[Fed]:
        """Every event."""
        return iter(self._world.feds.values())
