"""Deleting an enduser who is known by an e-mail address alone: whom Planhat lists under it. Pure.

Planhat deletes by id alone, so it is asked first who has the address (planhat-api.md §9). What it lists is
believed only entry by entry: were the question not understood, and everybody listed, nobody is deleted.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from streamer.outcomes import Answer, Answered, Transient, TransientReason, Verdict
from streamer.planhat.responses import answer_to_status, is_success

_NOBODY = Answered((Verdict.ACCEPTED,))
_DOUBTFUL = Answered((Verdict.AMBIGUOUS,))


def looked_up(
    status: int, headers: Mapping[str, str], body: bytes, email: str, *, now: float
) -> Answer | str:
    """Planhat's id of the one enduser with this address; else the answer to the deletion.

    Nobody there is what was asked for. Several, or others than were asked for, are a person's to look at.
    """
    if not is_success(status):
        return answer_to_status(status, headers, now=now)
    try:
        listed: object = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        listed = None
    if not isinstance(listed, list):
        return Transient(TransientReason.UNREADABLE)
    if not listed:
        return _NOBODY
    ids = [each["_id"] for each in listed if _is_whom(each, email)]
    return ids[0] if len(ids) == 1 else _DOUBTFUL


def _is_whom(entry: Any, email: str) -> bool:  # noqa: ANN401 - whatever a reply holds
    if not isinstance(entry, dict) or not isinstance(entry.get("_id"), str) or not entry["_id"]:
        return False
    address = entry.get("email")
    return isinstance(address, str) and address.strip().lower() == email.lower()
