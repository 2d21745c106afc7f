"""Of which made events a bulk item tells. Pure."""

from typing import Any

import msgspec

from streamer.standins.expectations import event_key, parse_event_key


class _Item(msgspec.Struct):
    """What is read of an item of any endpoint."""

    custom: dict[str, Any] = {}
    info: dict[str, Any] = {}


_read = msgspec.json.Decoder(_Item).decode


def events_of(item: bytes | msgspec.Raw) -> set[str]:
    """Keys of the events in it: several where upserts were made into one, none where it carries no key.

    The generator writes an `eventKey` into each call, and into upserts a mark of its number beside that: the
    last one's key replaces those before it, marks stay.
    """
    read = _read(item)
    told = read.custom or read.info
    found = parse_event_key(told.get("eventKey"))
    if found is None:
        return set()
    subject, _ = found
    marks = {event_key(subject, value) for key, value in read.custom.items() if key.startswith("Mark ")}
    return {told["eventKey"], *marks}
