"""Passthrough: a call becomes itself, as Segment's own destination would send it on."""

from typing import Final, assert_never

from streamer.events.calls import Alias, Call, Delete, Group, Identify, JsonDict, Page, Screen, Track
from streamer.outcomes import SkipReason
from streamer.transform.identity import Who, acting_user, grouped_user, identified_user
from streamer.transform.operations import ForwardCall, Skipped, Transformed

# The same word as in every request of the other mode: "all calls get Segment as source".
SOURCE: Final = "Segment"
# Raw calls may carry the key by which anybody can write to their source. It is no business of Planhat's.
WRITE_KEY: Final = "writeKey"


def forwarded(call: Call, decoded: JsonDict) -> Transformed | Skipped:
    """The call as decoded, with `user_id`, which is how Planhat's Segment endpoint spells it.

    Of what Avro has for every call and this one does not (nulls at the top) nothing is sent. A call that
    names neither a user nor, being a group call, a company, would be ignored there.
    """
    match call:
        case Identify():
            return _forwarded(identified_user(call), None, decoded)
        case Track() | Page():
            return _forwarded(acting_user(call), None, decoded)
        case Group():
            return _forwarded(grouped_user(call), call.group_id, decoded)
        case Screen() | Alias() | Delete():
            return Skipped(SkipReason.UNSUPPORTED_TYPE)
        case _:
            assert_never(call)


def _forwarded(who: Who, company: str | None, decoded: JsonDict) -> Transformed | Skipped:
    if who.is_anonymous and company is None:
        return Skipped(SkipReason.ANONYMOUS)
    body = {name: value for name, value in decoded.items() if value is not None}
    body.pop(WRITE_KEY, None)
    if who.external_id is not None:
        body["user_id"] = who.external_id
    # As Segment spells it: others write it with capitals.
    if not body["type"].islower():
        body["type"] = body["type"].lower()
    body["source"] = SOURCE
    return Transformed((ForwardCall(who.external_id, who.email, company, body),))
