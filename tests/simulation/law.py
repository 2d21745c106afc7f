"""What a law is, and what laws need to know of operations."""

from streamer.transform.operations import LogActivity, Operation, PushMetric, UpsertCompany, UpsertEnduser
from tests.simulation.facts import Facts
from tests.simulation.world import World


class Law:
    """`broken(reason)` ends the run."""

    name = ""

    def __init__(self, world: World, facts: Facts) -> None:
        self._world = world
        self._facts = facts

    def _broken(self, reason: str) -> None:
        self._world.broken(self.name, reason)


def objects_of(operation: Operation) -> set[str]:
    """What an operation is about, said a second time: the engine's own word is what is judged."""
    if isinstance(operation, UpsertCompany):
        return {f"co:{operation.external_id}"}
    if isinstance(operation, PushMetric):
        raise TypeError("no story here pushes metrics yet")
    found = {f"ext:{operation.external_id}"} if operation.external_id is not None else set()
    return found | ({f"mail:{operation.email.lower()}"} if operation.email is not None else set())


def marks_of(operation: Operation) -> set[str]:
    """Names of the custom fields or properties that it sets."""
    if isinstance(operation, LogActivity):
        return set(operation.info)
    return set(operation.custom) if isinstance(operation, UpsertCompany | UpsertEnduser) else set()


def parents_of(operation: Operation) -> set[str]:
    """Whose earlier upserts come first: of its company, and of an activity's enduser."""
    if not isinstance(operation, UpsertEnduser | LogActivity):
        return set()
    company = operation.company_external_id
    found = set() if company is None else {f"co:{company}"}
    return found | objects_of(operation) if isinstance(operation, LogActivity) else found
