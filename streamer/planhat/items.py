"""Operations as Planhat's API spells them: the JSON of one item of a bulk.

Pure. Field names: Planhat's enduser and company pages for the main API; for activities its 2017
text together with what current clients send.
"""

from collections.abc import Mapping
from typing import Any, Final, assert_never
from urllib.parse import quote

from streamer.planhat.activity_item import ActivityItem
from streamer.transform.encoding import to_json
from streamer.transform.operations import (
    DeleteEnduser,
    ForwardCall,
    LogActivity,
    Operation,
    PushMetric,
    UpsertCompany,
    UpsertEnduser,
)

# Segment's page: "all calls get Segment as source". It stands at the top of every item, beside
# Planhat's own fields, and never in `custom` or `info`: those belong to the sender, whose own trait
# or property called `source` keeps its place there and cannot replace ours. The field is in none of
# Planhat's published models, so it is an assumption that it is kept, or ignored, and not refused.
SOURCE: Final = "Segment"

# Without `select` Planhat's lists need not hold the address, by which the answer is judged.
LOOK_UP: Final = b"?select=_id,email&email="
ARCHIVE: Final = b"archive "
"""Before the id of whom to archive: no id that is encoded holds a space."""
# Bound here: compiled code looks up an imported struct by its name at each use.
_ACTIVITY_ITEM: Final = ActivityItem


def encode_operation(operation: Operation) -> bytes:
    """JSON of one item of its endpoint's bulk. Total: no value makes it fail."""
    if type(operation) is LogActivity:
        return _activity(operation)
    if type(operation) is UpsertEnduser:
        return _enduser(operation)
    if type(operation) is UpsertCompany:
        return _company(operation)
    if type(operation) is PushMetric:
        return _metric(operation)
    if type(operation) is DeleteEnduser:
        return _deleted(operation)
    if type(operation) is ForwardCall:
        return to_json(operation.call)
    assert_never(operation)


def _deleted(operation: DeleteEnduser) -> bytes:
    """What follows `/endusers`: the id, or the question whom an address means. Planhat deletes by id.

    Of an archiving by address alone it is the question, too: what follows is the operation's to say.
    """
    if operation.external_id is not None:
        whom = f"extid-{quoted(operation.external_id)}".encode()
        return ARCHIVE + whom if operation.archives else whom
    return LOOK_UP + quoted(operation.email or "").encode()


def quoted(text: str) -> str:
    """As a part of a URL."""
    # Lone surrogates, which UTF-8 cannot hold, become question marks, as in every body.
    return quote(text.encode("utf-8", "replace"), safe="")


def _enduser(operation: UpsertEnduser) -> bytes:
    """`PUT /endusers`: the company goes by `extid-` and its external id, so no look-up is needed."""
    spelled: dict[str, Any] = {}
    if operation.external_id is not None:
        spelled["externalId"] = operation.external_id
    if operation.email is not None:
        spelled["email"] = operation.email
    if operation.company_external_id is not None:
        spelled["companyId"] = f"extid-{operation.company_external_id}"
    return to_json(_with_fields(spelled, operation.fields, operation.custom))


def _company(operation: UpsertCompany) -> bytes:
    """`PUT /companies`."""
    return to_json(_with_fields({"externalId": operation.external_id}, operation.fields, operation.custom))


def _activity(operation: LogActivity) -> bytes:
    """See `ActivityItem`."""
    external_id = operation.external_id
    spelled = _ACTIVITY_ITEM(
        external_id,
        external_id,
        operation.email,
        operation.company_external_id,
        operation.action,
        operation.date,
        operation.weight,
        operation.info,
        SOURCE,
    )
    return to_json(spelled)


def _metric(operation: PushMetric) -> bytes:
    """`POST /dimensiondata/{tenant}`. Without `source`: an error repeats the item, field by field."""
    spelled: dict[str, Any] = {
        "dimensionId": operation.dimension,
        "value": operation.value,
        "externalId": operation.external_id,
        "model": operation.model.value,
    }
    if operation.date is not None:
        spelled["date"] = operation.date
    return to_json(spelled)


def _with_fields(
    keys: dict[str, Any], fields: Mapping[str, Any], custom: Mapping[str, Any]
) -> dict[str, Any]:
    # Keys after fields: nothing a trait was mapped to may change whom the item is about.
    spelled = {**keys, **fields, **keys} if fields else keys
    if custom:
        spelled["custom"] = custom
    spelled["source"] = SOURCE
    return spelled
