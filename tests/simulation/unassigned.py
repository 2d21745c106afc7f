"""The law of the holding company: for whom Planhat did not save otherwise, and for all of those."""

from streamer.outcomes import Endpoint, Fate, SkipReason
from streamer.records import Record
from streamer.transform.operations import UpsertEnduser
from tests.simulation.facts import Facts
from tests.simulation.law import Law
from tests.simulation.member import Member
from tests.simulation.planhat import Call
from tests.simulation.world import World


class Unassigned(Law):
    """Into the holding company goes who was not saved without it; nobody is given up before that."""

    name = "unassigned"

    def __init__(self, world: World, facts: Facts) -> None:
        super().__init__(world, facts)
        self._moved: set[tuple[Member, int]] = set()
        """By process: events that were sent as the holding company's."""

    def submitted(self, member: Member, call: Call) -> None:
        holding = member.limits.unassigned_company
        for operation, sequences in zip(call.batch.operations, call.sequences, strict=True):
            is_moved = isinstance(operation, UpsertEnduser) and operation.company_external_id == holding
            for sequence in sequences if holding and is_moved else ():
                self._moved.add((member, sequence))
                if not self._facts.of[sequence, Endpoint.ENDUSERS].ignored:
                    self._broken(f"event {sequence} goes to {holding}, and was never turned away")

    def settled(self, member: Member, record: Record, fate: Fate, reason: str) -> None:
        fed = self._world.feds[self._world.sequence_of(record)]
        if member.limits.unassigned_company is None or fed.endpoints != {Endpoint.ENDUSERS}:
            return
        if (
            fate is Fate.SKIPPED
            and reason == SkipReason.NO_COMPANY
            and (member, fed.sequence) not in self._moved
        ):
            self._broken(
                f"event {fed.sequence} is given up, and {member.limits.unassigned_company} not tried"
            )
