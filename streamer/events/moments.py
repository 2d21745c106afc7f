"""When a call happened, by the four times that an event may carry.

Segment makes `timestamp` of the other three: what lies between `originalTimestamp` and `sentAt`, both of
the device's clock, is taken from `receivedAt`, which is of Segment's. Where an event comes without it, or
with one that is none, the same is done here.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from streamer.events.calls import JsonDict
from streamer.events.values import iso_of_text, iso_timestamp, utc_text

FIRST_DAY: Final = "1970-01-02"
"""What is dated before this, in whatever zone, was dated by a clock that nobody had set."""


def happened_at(event: JsonDict) -> str | None:
    """ISO 8601 with a zone; None where the event holds no usable time at all. Never raises.

    In this order: `timestamp`; `receivedAt` less what lies between the device's two; `receivedAt`; and where
    that is missing `originalTimestamp`, then `sentAt`, for a clock that is wrong by minutes tells more than
    none: Planhat would take the time of delivery, which for a replay is months later.

    A `timestamp` in the future stays: Segment's rule makes some, whoever dates calls by hand may mean it,
    and nothing here knows what time it is.
    """
    value = event.get("timestamp")
    text = iso_of_text(value) if type(value) is str else iso_timestamp(value)
    return text if text is not None and text >= FIRST_DAY else _reckoned(event)


def _usable(value: object) -> str | None:
    text = iso_timestamp(value)
    return text if text is not None and text >= FIRST_DAY else None


def _reckoned(event: JsonDict) -> str | None:
    received, original = _usable(event.get("receivedAt")), _usable(event.get("originalTimestamp"))
    sent = _usable(event.get("sentAt"))
    if received is None:
        return original or sent
    if original is None or sent is None:
        # The device's clock cannot be corrected: Segment's own is right, if late.
        return received
    try:
        way = datetime.fromisoformat(sent) - datetime.fromisoformat(original)
        # Sent before it happened: one of the two is wrong, and nothing happens after it was received.
        if way <= timedelta(0):
            return received
        return _usable(utc_text(datetime.fromisoformat(received).astimezone(UTC) - way)) or received
    except (OverflowError, ValueError):
        return received
