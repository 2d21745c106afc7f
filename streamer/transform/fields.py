"""What Planhat's fields hold: flat keys in `custom`, text in its own.

`custom` is flat, and its keys are what Planhat's database can hold: no dots, no leading `$`, not
empty. Nested keys are joined by `_`. Two traits that come to the same key: the later one wins.
"""

from typing import Any, Final

from streamer.events.values import id_text
from streamer.transform.encoding import scalar, to_json

# Objects nested deeper than this stay together as JSON text. Joining every level's name would let
# a hostile event of n bytes grow to n squared.
_DEEPEST: Final = 8
AS_THEY_ARE: Final = frozenset({str, bool, type(None)})
"""Leaves that need no second look. Numbers do: they may be infinite, or beyond 64 bits."""
LEGAL_KEYS: Final[set[str]] = set()
"""Keys that were looked at and stay as they are, for the same few come again and again; bounded."""
_MOST_KEYS: Final = 4096
_LONGEST_KEY: Final = 64

JsonDict = dict[str, Any]


def put_custom(custom: JsonDict, key: str, value: object, depth: int = 0) -> None:
    """Write one trait into `custom`, flat.

    A null is written (it clears that key). A number that is not finite says nothing, so nothing is
    written. Lists of scalars stay lists; any other list becomes JSON text.
    """
    if type(value) not in AS_THEY_ARE and not (type(value) is int and value.bit_length() < 64):
        if isinstance(value, dict):
            if depth < _DEEPEST:
                for name, part in value.items():
                    # A part without a name has no key of its own, and must not take its parent's.
                    if name:
                        put_custom(custom, f"{key}_{name}", part, depth + 1)
                return
            value = to_json(value).decode()
        elif isinstance(value, list):
            value = _flat_list(value)
        else:
            value = scalar(value)
            if value is None:
                return
    if key not in LEGAL_KEYS:
        key = _looked_at(key)
        if not key:
            return
    custom[key] = value


def _looked_at(key: str) -> str:
    legal = legal_key(key)
    if legal == key and len(key) <= _LONGEST_KEY:
        if len(LEGAL_KEYS) >= _MOST_KEYS:
            LEGAL_KEYS.clear()
        if key:
            LEGAL_KEYS.add(key)
    return legal


def legal_key(key: str) -> str:
    """A key Planhat's database can hold; empty where nothing is left of it.

    Dots separate paths there, a leading `$` marks operators, and no name holds a NUL.
    """
    key = key.replace(".", "_").replace("\0", "").lstrip("$")
    return "" if key.isspace() else key


def name_text(value: object) -> str | None:
    """A name without blanks around it; None where nothing is left."""
    text = plain_text(value)
    return None if text is None else text.strip() or None


def plain_text(value: object) -> str | None:
    """Text for one of Planhat's own text fields; numbers as text; None where it is neither."""
    if isinstance(value, str):
        return value
    return id_text(value)


def _flat_list(values: list[Any]) -> object:
    """A list of scalars as it is; any other as JSON text."""
    flat = []
    for value in values:
        if type(value) in AS_THEY_ARE:
            flat.append(value)
        elif isinstance(value, (dict, list)):
            return to_json(values).decode()
        else:
            flat.append(scalar(value))
    return flat
