"""The law of companies that nobody named: for whom Planhat did not save otherwise, and for all of those."""

from collections import defaultdict

from streamer.outcomes import Endpoint, Fate, SkipReason
from streamer.records import Record
from streamer.transform.choices import Link
from streamer.transform.operations import UpsertEnduser
from tests.simulation.events import Fed
from tests.simulation.facts import Facts
from tests.simulation.law import Law
from tests.simulation.member import Member
from tests.simulation.planhat import Call
from tests.simulation.world import World


class Unassigned(Law):
    """Into a company that no call names goes who was not saved without; nobody is given up before that.

    First into that which a group call offers for this case, then into the holding company.
    """

    name = "unassigned"

    def __init__(self, world: World, facts: Facts) -> None:
        super().__init__(world, facts)
        self._moved: defaultdict[tuple[Member, int], set[str]] = defaultdict(set)
        """By process and event: companies that it was sent as one of, and did not name."""

    def submitted(self, member: Member, call: Call) -> None:
        for operation, parts, sequences in zip(
            call.batch.operations, call.parts, call.sequences, strict=True
        ):
            if not isinstance(operation, UpsertEnduser) or operation.company_external_id is None:
                continue
            company = operation.company_external_id
            if any(isinstance(part, UpsertEnduser) and part.company_external_id == company for part in parts):
                continue
            for sequence in sequences:
                self._moved[member, sequence].add(company)
                if not self._facts.of[sequence, Endpoint.ENDUSERS].ignored:
                    self._broken(f"event {sequence} goes to {company}, and was never turned away")

    def settled(self, member: Member, record: Record, fate: Fate, reason: str) -> None:
        if fate is not Fate.SKIPPED or reason != SkipReason.NO_COMPANY:
            return
        fed = self._world.feds[self._world.sequence_of(record)]
        if untried := self._untried(member, fed):
            self._broken(f"event {fed.sequence} is given up, and {untried} not tried")

    def _untried(self, member: Member, fed: Fed) -> str:
        moved, holding = self._moved.get((member, fed.sequence), set()), member.limits.unassigned_company
        is_linked = fed.kind == "group" and Endpoint.ENDUSERS in fed.endpoints
        is_offered = is_linked and self._world.terms.rules.link is Link.IF_ABSENT
        if is_offered and not moved - {holding}:
            return "the company that it offers"
        is_of_enduser = fed.endpoints - {Endpoint.METRICS} == {Endpoint.ENDUSERS}
        if holding is not None and (is_of_enduser or is_offered) and holding not in moved:
            return holding
        return ""
