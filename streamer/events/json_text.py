"""Open parts of an event that come as JSON text."""

from typing import Final

import msgspec

_decode_json: Final = msgspec.json.Decoder().decode


def from_json_text(text: str) -> object:
    """What JSON text says; the text itself where it says nothing, so that its type is what is wrong.

    RecursionError is msgspec's own guard against deep nesting (about a thousand levels);
    ValueError covers its decoding errors and text that is no Unicode.
    """
    try:
        return _decode_json(text)
    except (ValueError, RecursionError):
        return text
