"""What a law is, and what laws need to know of operations."""

from streamer.transform.operations import (
    DeleteEnduser,
    ForwardCall,
    LogActivity,
    MetricModel,
    Operation,
    PushMetric,
    UpsertCompany,
    UpsertEnduser,
)
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
        return {f"{'co' if operation.model is MetricModel.COMPANY else 'ext'}:{operation.external_id}"}
    found = {f"ext:{operation.external_id}"} if operation.external_id is not None else set()
    found |= {f"mail:{operation.email.lower()}"} if operation.email is not None else set()
    if isinstance(operation, ForwardCall) and not found and operation.company_external_id is not None:
        return {f"co:{operation.company_external_id}"}  # a group call that names no user
    return found


def marks_of(operation: Operation) -> set[str]:
    """Names of the custom fields or properties that it sets."""
    if isinstance(operation, LogActivity):
        return set(operation.info)
    return set(operation.custom) if isinstance(operation, UpsertCompany | UpsertEnduser) else set()


def parents_of(operation: Operation) -> set[str]:
    """Whose earlier upserts come first: of its company, and of whom an activity or a metric is about."""
    if isinstance(operation, PushMetric):
        return objects_of(operation)
    if not isinstance(operation, UpsertEnduser | LogActivity):
        return set()
    company = operation.company_external_id
    if company is None and isinstance(operation, UpsertEnduser):
        company = operation.fallback_company
    found = set() if company is None else {f"co:{company}"}
    return found | objects_of(operation) if isinstance(operation, LogActivity) else found


def changes_objects(operation: Operation) -> bool:
    """Whether it puts older words over newer ones, told again after what came later."""
    if isinstance(operation, ForwardCall):
        return operation.call["type"] in {"identify", "group"}
    return isinstance(operation, UpsertCompany | UpsertEnduser | DeleteEnduser)


def calls_of(operation: Operation) -> int:
    """Calls of the quota that it is counted as; a bulk is one, whatever it holds."""
    if not isinstance(operation, DeleteEnduser):
        return 1
    if operation.email is not None:
        return 2 if operation.external_id is None else 3
    # Asked again until nobody has the id; who is archived stays.
    return 1 if operation.archives else 2
