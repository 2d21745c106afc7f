"""Values and keys that nobody sends who means well, and events that have them in the place of their parts."""

import copy
import random
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

Path = tuple[str | int, ...]


class _Word(StrEnum):
    """Text, and not exactly text."""

    TRUE = "true"


def _deep(levels: int, *, of_lists: bool) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value] if of_lists else {"a": value}
    return value


HOSTILE: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 3, 2**53 + 1, 2**62, 2**63, -(2**63), 2**64, 10**400, 10**5000),
    *(0.0, -0.0, 1.0, 3.0, 1.5, 1e16, 1e308, 5e-324, -113.0, float("inf"), float("-inf"), float("nan")),
    *("", " ", "\t\n", "\0", "\ud800", "a\udfffb", "x" * 400, "٣", "é", "$", "$1,200.50", "1e999", "-", "12"),
    *(
        "true",
        "no",
        _Word.TRUE,
        "a@b.co",
        " A@B.co ",
        "n/a",
        "[1]",
        '{"a": 1}',
        '{"All": false}',
        "{",
        "null",
    ),
    *(
        "2024-02-30T00:00:00Z",
        "2024-02-03T04:05:06+01:00",
        "1700000000",
        "identify",
        "TRACK",
        "alias",
        "delete",
    ),
    *(
        [],
        [[]],
        [{}],
        ["a", 1, None, True, 2.0, "\ud800"],
        [float("nan")],
        [2**70],
        [{"id": 1}, {"id": "c-2"}],
    ),
    *({}, {"": {"": 1}}, {"id": 1}, {"id": True}, {"id": []}, {"id": "c-1", "remove": True}, {"remove": 1}),
    *({"remove": "true", "id": 7.0}, {"traits": {"email": ["a@b.co"]}}, {"All": False}, {"Planhat": []}),
    *({"categoryPreferences": {"Advertising": False}}, {"categoryPreferences": {"a": 1}}, {"providers": {}}),
    *({"computation_key": "k", "computation_class": "audience"}, {"a.b": 1, "$set": 2, "\0": 3, " ": 4}),
    *(_deep(9, of_lists=False), _deep(150, of_lists=False), _deep(150, of_lists=True)),
)
"""-113.0 is what compiled code says for "an error, perhaps"."""
KEYS = (
    *("", " ", "$", "$set", "a.b", ".", "\0", "a\0b", "\ud800", "__class__", "items", "x" * 300),
    *(
        "type",
        "userId",
        "anonymousId",
        "messageId",
        "groupId",
        "previousId",
        "timestamp",
        "originalTimestamp",
    ),
    *("context", "integrations", "options", "traits", "properties", "event", "name", "category", "writeKey"),
    *(
        "id",
        "user_id",
        "email",
        "firstName",
        "last_name",
        "lastName",
        "phone",
        "title",
        "company",
        "companies",
    ),
    *(
        "companyId",
        "company_id",
        "address",
        "address.city",
        "city",
        "group_id",
        "consent",
        "personas",
        "remove",
    ),
    *("providers", "All", "all", "a-l-l", "Planhat", "revenue", "value", "total", "weight", "mrr", "source"),
)


def paths_of(value: object, path: Path = ()) -> Iterator[Path]:
    """Of every part, the whole included."""
    yield path
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths_of(part, (*path, key))


def with_value(event: Any, path: Path, value: object) -> Any:
    """A copy with another value there."""
    if not path:
        return value
    changed = copy.deepcopy(event)
    part_at(changed, path[:-1])[path[-1]] = value
    return changed


def part_at(event: Any, path: Path) -> Any:
    """What is there."""
    for key in path:
        event = event[key]
    return event


def changed_once(event: Any, chance: random.Random) -> Any:
    """With one part replaced, added or left out; or two of its parts exchanged."""
    paths = [path for path in paths_of(event) if len(path) < 20]
    path = chance.choice(paths)
    held = part_at(event, path)
    way = chance.random()
    if isinstance(held, dict) and way < 0.5:
        return with_value(event, (*path, chance.choice(KEYS)), chance.choice(HOSTILE))
    if way < 0.8:
        return with_value(event, path, chance.choice(HOSTILE))
    if way < 0.9 and path:
        changed = copy.deepcopy(event)
        del part_at(changed, path[:-1])[path[-1]]
        return changed
    return with_value(event, path, copy.deepcopy(part_at(event, chance.choice(paths))))
