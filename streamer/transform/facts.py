"""What the engine asks of an operation: what it waits for, what is kept of it, what telling it takes.

By type, and not `isinstance`: a class of its own is told apart at once, and only what it has is read.
"""

from collections.abc import Mapping
from typing import Any, Final

from streamer.outcomes import CallType
from streamer.transform.keys import company_keys, user_keys
from streamer.transform.operations import (
    DeleteEnduser,
    ForwardCall,
    JsonObject,
    LogActivity,
    Operation,
    PushMetric,
    UpsertCompany,
    UpsertEnduser,
)

VALUE_BYTES: Final = 96
"""Of Python's, for one value in a dict besides its text. Measured: 80 to 90; names are shared."""
_NOTHING: Final[JsonObject] = {}
_CALLS: Final[Mapping[Any, JsonObject]] = {call.value: {"type": call.value} for call in CallType}
"""What `overwrites` asks of a call, shared by all of one type."""


def keys_of(operation: Operation) -> tuple[str, ...]:
    """Its keys. Of users, as most are of, without asking what kind of operation it is once more."""
    if type(operation) is LogActivity or type(operation) is UpsertEnduser:
        return user_keys(operation.external_id, operation.email)
    return operation.keys


def parents_of(operation: Operation, keys: tuple[str, ...]) -> tuple[str, ...]:
    """Its parents, made of its keys where these are among them: as long as it waits, both are kept."""
    if type(operation) is LogActivity:
        return keys + company_keys(operation.company_external_id)
    return keys if type(operation) is PushMetric else operation.parents


def outline(operation: Operation) -> Operation:
    """Who it is about, without what it says: of what is encoded already, and only ever goes out as that.

    Upserts are all that they say: others may be told with them.
    """
    if type(operation) is LogActivity:
        return LogActivity(
            operation.external_id, operation.email, operation.company_external_id, "", None, 0.0, _NOTHING
        )
    if type(operation) is ForwardCall:
        call = _CALLS.get(operation.call.get("type"), _NOTHING)
        return ForwardCall(operation.external_id, operation.email, operation.company_external_id, call)
    return operation


def kept_bytes(operation: UpsertEnduser | UpsertCompany, encoded_bytes: int) -> int:
    """What it takes of memory to keep what an upsert says, beside its encoded form, about and at most.

    Its values have the length that they have encoded, and a head and a place each.
    """
    return encoded_bytes + VALUE_BYTES * (len(operation.fields) + len(operation.custom))


def overwrites(operation: Operation) -> bool:
    """Whether telling it again, after what came later, would put older words over newer ones."""
    if type(operation) is ForwardCall:
        return operation.call.get("type") in {"identify", "group"}
    return operation.endpoint.changes_objects


def calls_of(operation: Operation) -> int:
    """Requests that telling it takes as a rule.

    A deletion by id is asked again until nobody has the id: two, and one more for each further company of
    the enduser's, of which nobody knows before. One by e-mail looks up whom it means first; one by id and
    e-mail does where nobody has the id.
    """
    if type(operation) is not DeleteEnduser:
        return 1
    if operation.external_id is None:
        return 2
    by_id = 1 if operation.archives else 2
    return by_id if operation.email is None else 3


def names_company(operation: Operation) -> bool:
    """Whether an enduser's upsert says which company it goes to."""
    return type(operation) is UpsertEnduser and operation.company_external_id is not None
