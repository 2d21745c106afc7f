"""What is known of each event, gathered where it happens; laws are judged by it."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from streamer.engine.ports import DeadLetter
from streamer.outcomes import (
    Answer,
    Answered,
    Endpoint,
    InvalidReason,
    RefusedWhole,
    Transient,
    TransientReason,
    Verdict,
)
from streamer.transform.operations import DeleteEnduser, UpsertCompany, UpsertEnduser
from tests.simulation.events import FRAME, SKIPPED, Fed
from tests.simulation.member import Member
from tests.simulation.planhat import Call
from tests.simulation.world import World

ALONE = frozenset(
    {
        TransientReason.SERVER_ERROR,
        TransientReason.UNREADABLE,
        TransientReason.TIMEOUT,
        TransientReason.GATEWAY_TIMEOUT,
        TransientReason.TOO_LARGE,
    }
)
"""Failures that an operation can be at fault for when it is asked alone."""


@dataclass(slots=True)
class Trial:
    """Answers that may have been for one operation's own fault."""

    count: int = 0
    since: float = 0.0
    others: int = 0
    """What the process had been told as accepted by then."""

    def add(self, now: float, others: int) -> None:
        """One more."""
        if not self.count:
            self.since, self.others = now, others
        self.count += 1


@dataclass(slots=True)
class Tries:
    """What answers said of one operation of one event in one reading, when it was told by itself."""

    last: str = ""
    """What the last answer was about: what Planhat had done with it."""
    duplicated: int = 0
    duplicated_at: float = 0.0
    """When the first answer called it a duplicate."""
    refused_alone: Trial = field(default_factory=Trial)
    """Alone, by a 4xx: no outage answers so. Beside it stands what is accepted anywhere."""
    failed_alone: Trial = field(default_factory=Trial)
    """Alone, by that or as an outage can make it fail. Beside it stands what its own endpoint accepts."""
    is_failure: bool = False
    """Failed as in an outage once it was on trial for a refusal: then only its own endpoint is evidence."""
    looks: int = 0
    looked_at: float = 0.0
    """Answers by which it was not saved, or perhaps not, and when the first was there.

    Among others of the same keys who name no company either this counts too: what cannot place all of them
    places none.
    """
    is_left: bool = False
    """Not saved, asked again after a pause, and still not saved for want of a company."""


@dataclass(slots=True)
class Told:
    """What Planhat did with one operation of one event, over all requests that carried it."""

    applied: int = 0
    ignored: int = 0
    """Not saved for want of a company, be it said or not."""
    is_hidden: bool = False
    """Not saved, and answered as if it were there already: nobody can know."""
    calls: list[Call] = field(default_factory=list)
    """Requests in which it was applied."""
    tries: defaultdict[int, Tries] = field(default_factory=lambda: defaultdict(Tries))
    """By reading."""


class Facts:
    """The simulator's own memory, apart from the engine's."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.of: defaultdict[tuple[int, Endpoint], Told] = defaultdict(Told)
        self.letters: defaultdict[int, set[InvalidReason]] = defaultdict(set)
        self.accepted: set[tuple[Call, int]] = set()
        """By request and event: the engine was told that it is at Planhat."""
        self._outcomes: dict[Call, list[str]] = {}
        self._accepted: Counter[tuple[int, Endpoint]] = Counter()
        """By member's slot and endpoint: how many operations it was told as accepted."""
        self._deleted: dict[str, int] = {}
        """By external id and by address: the newest event for which Planhat deleted such an enduser."""
        self._told_as_one: defaultdict[str, set[str]] = defaultdict(set)
        """By external id: the addresses that Planhat was told of such an enduser."""

    def served(self, call: Call, outcomes: list[str]) -> None:
        self._outcomes[call] = outcomes
        for sequences, outcome in zip(call.sequences, outcomes, strict=True):
            for sequence in sequences:
                told = self.of[sequence, call.batch.endpoint]
                if outcome == "applied":
                    told.applied += 1
                    told.calls.append(call)
                told.ignored += outcome in {"ignored", "hidden"}
        for operation in call.batch.operations:
            if isinstance(operation, UpsertEnduser) and operation.external_id and operation.email:
                self._told_as_one[operation.external_id].add(operation.email)
            if isinstance(operation, DeleteEnduser) and not operation.archives:
                self._note_deleted(operation, max(call.readings))

    def _note_deleted(self, operation: DeleteEnduser, sequence: int) -> None:
        """Who is deleted by the external id had addresses too, and went by them."""
        names = {operation.external_id, operation.email, *self._told_as_one[operation.external_id or ""]}
        for name in names:
            if name is not None:
                self._deleted[name.lower()] = max(sequence, self._deleted.get(name.lower(), 0))

    def answered(self, call: Call, answer: Answer) -> None:
        outcomes = self._outcomes.pop(call, [])
        if isinstance(answer, Answered):
            for place, verdict in enumerate(answer.verdicts):
                self._said(call, place, outcomes[place], verdict)
            self._accepted[call.slot, call.batch.endpoint] += answer.verdicts.count(Verdict.ACCEPTED)
        elif len(call.sequences) == 1 and _is_by_itself(call, 0) and _may_be_its_fault(answer):
            self._failed_alone(call, is_refusal=_is_refusal(answer))

    def _said(self, call: Call, place: int, outcome: str, verdict: Verdict) -> None:
        """What an answer lets the engine know of one operation.

        It is judged by what Planhat did. The verdict that was read shows only where that left a doubt.
        """
        now = self._world.clock.now
        for sequence in call.sequences[place]:
            told = self.of[sequence, call.batch.endpoint]
            tries = told.tries[call.readings[sequence]]
            if verdict is Verdict.ACCEPTED:
                self.accepted.add((call, sequence))
                told.is_hidden = told.is_hidden or outcome == "hidden"
            is_by_itself = _is_by_itself(call, place)
            if is_by_itself:
                tries.last = outcome
            if is_by_itself and outcome == "duplicated":
                tries.duplicated_at = tries.duplicated_at if tries.duplicated else now
                tries.duplicated += 1
            if is_by_itself or _names_no_company(call, place):
                self._looked(
                    tries, call, is_missing=outcome == "ignored", is_unclear=verdict is Verdict.UNCLEAR
                )

    def _looked(self, tries: Tries, call: Call, *, is_missing: bool, is_unclear: bool) -> None:
        if not (is_missing or is_unclear):
            return
        pause = self._world.limits.second_look_seconds * 0.5
        if not tries.looks:
            tries.looks, tries.looked_at = 1, self._world.clock.now
        elif call.sent_at >= tries.looked_at + pause:
            tries.looks += 1
            tries.is_left = tries.is_left or is_missing

    def _failed_alone(self, call: Call, *, is_refusal: bool) -> None:
        endpoint, now = call.batch.endpoint, self._world.clock.now
        for sequence in call.sequences[0]:
            tries = self.of[sequence, endpoint].tries[call.readings[sequence]]
            tries.failed_alone.add(now, self._accepted[call.slot, endpoint])
            if is_refusal:
                tries.refused_alone.add(now, self._accepted_anywhere(call.slot))
            elif tries.refused_alone.count:
                tries.is_failure = True

    def _accepted_anywhere(self, slot: int) -> int:
        return sum(self._accepted[slot, endpoint] for endpoint in Endpoint)

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
            if any(each.applied or each.is_hidden for each in told) or self._is_linked(fed, endpoint):
                continue
            if endpoint is Endpoint.METRICS and self._is_unsaved(fed):
                continue
            if not any(each.ignored for each in told):
                return f"never reached {endpoint.value}"
            if not any(tries.is_left for each in told for tries in each.tries.values()):
                return f"was not saved by {endpoint.value}, and not looked at a second time"
        return ""

    def _is_unsaved(self, fed: Fed) -> bool:
        """A metric of whom the same call upserts, in vain: it goes where that goes."""
        told = [self.of[sequence, Endpoint.ENDUSERS] for sequence in self._world.family(fed)]
        return fed.kind != "group" and any(tries.is_left for each in told for tries in each.tries.values())

    def _is_linked(self, fed: Fed, endpoint: Endpoint) -> bool:
        """Whether to say it again would change nothing.

        Of a group call's user who is at Planhat, or was until a later call. A copy says what the first of
        them said: it is as late as that.
        """
        if fed.kind != "group" or endpoint is not Endpoint.ENDUSERS or fed.value is None:
            return False
        call = msgspec.json.decode(fed.value.removeprefix(FRAME))
        endusers = self._world.planhat.sandbox.store.endusers
        email = call["context"].get("traits", {}).get("email")
        names = {str(name).lower() for name in (call.get("userId"), email) if name}
        if any(self._deleted.get(name, 0) > fed.identity for name in names):
            return True
        return any(
            entry.fields.get("externalId") == call.get("userId", "")
            or (email and str(entry.fields.get("email")).lower() == email.lower())
            for entry in endusers.by_id.values()
        )

    def fault_of(self, fed: Fed, reason: InvalidReason, member: Member) -> str:
        """Why a letter with this reason is wrong; empty when the event, or one it is a copy of, earned it."""
        if fed.bad is not None:
            return "" if reason is fed.bad else f"is bad as {fed.bad}, not {reason}"
        for endpoint, tries in self._tries(fed, member):
            if reason is InvalidReason.REFUSED and tries.last == "refused":
                return ""
            if reason is InvalidReason.AMBIGUOUS and tries.last == "ambiguous":
                return ""
            if reason is InvalidReason.DUPLICATED and self._is_duplicated_for_good(tries, member):
                return ""
            if reason is InvalidReason.REFUSED_ALONE and self._is_at_fault(tries, member, endpoint):
                return ""
        return f"did not earn {reason}"

    def _tries(self, fed: Fed, member: Member) -> list[tuple[Endpoint, Tries]]:
        """What this reading has to say of it, by endpoint.

        Of a member that is out of the group and has not heard of it: what any reading has.
        """
        reading = member.readings.get(self._world.source_of(fed.sequence))
        family = self._world.family(fed)
        told = [(endpoint, self.of[each, endpoint]) for each in family for endpoint in fed.endpoints]
        return [
            (endpoint, tries)
            for endpoint, each in told
            for number, tries in each.tries.items()
            if reading is None or number == reading.number
        ]

    def _is_duplicated_for_good(self, tries: Tries, member: Member) -> bool:
        """Called so again and again, the last time too, for as long as another bulk may take."""
        limits, seconds = member.limits, self._world.clock.now - tries.duplicated_at
        is_often = tries.last == "duplicated" and tries.duplicated > limits.duplicated_tries
        return is_often and seconds >= limits.duplicated_seconds

    def _is_at_fault(self, tries: Tries, member: Member, endpoint: Endpoint) -> bool:
        """Failed alone again and again, over minutes, while others passed.

        Those at its own endpoint, where failures count that an outage can cause there; those anywhere, where
        Planhat refused it often enough without them (docs/decisions/0013).
        """
        limits, now = member.limits, self._world.clock.now
        there, anywhere = self._accepted[member.slot, endpoint], self._accepted_anywhere(member.slot)
        trials = [(tries.failed_alone, there)]
        if not tries.is_failure:
            trials.append((tries.refused_alone, anywhere))
        return any(
            trial.count >= limits.alone_refusals
            and now - trial.since >= limits.alone_seconds
            and others - trial.others >= limits.alone_others
            for trial, others in trials
        )

    def wrongly_skipped(self, fed: Fed, reading: int) -> str:
        """Why it may not end as "no company" in this reading; empty when it may."""
        told = [self.of[each, endpoint] for each in self._world.family(fed) for endpoint in fed.endpoints]
        if any(reading in each.tries and each.tries[reading].is_left for each in told):
            return ""
        return "is skipped for want of a company, without a second look"

    def was_turned_away(self, sequence: int) -> bool:
        """Once at least: read again after a crash, it may be there and not be the last any more."""
        told = [self.of[sequence, endpoint] for endpoint in self._world.feds[sequence].endpoints]
        is_gone = self._world.feds[sequence].is_gone
        return is_gone or bool(self.letters.get(sequence)) or any(each.ignored for each in told)

    def feds(self) -> Iterator[Fed]:
        """Every event."""
        return iter(self._world.feds.values())


def _is_by_itself(call: Call, place: int) -> bool:
    """Whether one operation is told as one event asks for it, with nothing laid under it from before.

    Every upsert that is kept for later bears the mark of its event.
    """
    said, parts = call.batch.operations[place], call.parts[place]
    if not isinstance(said, UpsertCompany | UpsertEnduser):
        return True
    own = parts[0]
    return (
        len(parts) == 1
        and isinstance(own, UpsertCompany | UpsertEnduser)
        and said.custom.keys() <= own.custom.keys()
    )


def _may_be_its_fault(answer: Answer) -> bool:
    """Whether what was asked alone may be why it was answered so."""
    return isinstance(answer, RefusedWhole) or (isinstance(answer, Transient) and answer.reason in ALONE)


def _is_refusal(answer: Answer) -> bool:
    """Whether no outage answers so: a 4xx, be it "too large"."""
    return isinstance(answer, RefusedWhole) or (
        isinstance(answer, Transient) and answer.reason is TransientReason.TOO_LARGE
    )


def _names_no_company(call: Call, place: int) -> bool:
    """Whether several calls of an enduser are told as one, by the same keys, and none names a company."""
    said = call.batch.operations[place]
    if not isinstance(said, UpsertEnduser) or said.company_external_id is not None:
        return False
    return all(each.keys == said.keys for each in call.parts[place])
