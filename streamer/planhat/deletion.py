"""Deleting by id until nobody has it, and by an e-mail address: whom Planhat lists under it. Pure.

Planhat deletes by id alone, so it is asked first who has the address (planhat-api.md §9). What it lists is
believed only entry by entry: were the question not understood, and everybody listed, nobody is deleted.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from streamer.outcomes import Answer, Answered, Transient, TransientReason, Verdict
from streamer.planhat.responses import answer_to_status, is_success

NOBODY_LEFT = Answered((Verdict.ACCEPTED,))
"""What was asked for is so."""
DOUBTFUL = Answered((Verdict.AMBIGUOUS,))
"""A person decides."""


MOST_DELETIONS: Final = 10
"""Of one id, one after another: beyond it Planhat is thought never to say that nobody is left."""


def deleted_by_id(answer: Answered, *, is_nobody: bool, deleted: int) -> Answer | None:
    """What a deletion by id comes to, when so many requests before found somebody; None: to be asked again.

    An enduser stands once in each of its companies, under one id, and a request deletes one of them: only
    that nobody is left says that the person is gone. Whoever has the id is meant, so none goes by guess.
    """
    if is_nobody:
        # Where somebody was found before, the path was understood, whatever the id holds.
        return NOBODY_LEFT if deleted else answer
    return None if deleted + 1 < MOST_DELETIONS else DOUBTFUL


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
        return NOBODY_LEFT
    ids = [each["_id"] for each in listed if _is_whom(each, email)]
    return ids[0] if len(ids) == 1 else DOUBTFUL


def _is_whom(entry: Any, email: str) -> bool:  # noqa: ANN401 - whatever a reply holds
    if not isinstance(entry, dict) or not isinstance(entry.get("_id"), str) or not entry["_id"]:
        return False
    address = entry.get("email")
    return isinstance(address, str) and address.strip().lower() == email.lower()
