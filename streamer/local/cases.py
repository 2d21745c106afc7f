"""Pairs of an event and what Planhat should be told of it: which of them hold, and how others differ.

`<case>.event.json` is the event; `<case>.planhat.json` the exact requests (each `method`, `url`, `body`), or
`{"skipped": <reason>}`, or `{"invalid": <reason>}`. `<case>.mapping.toml`, where present, is that case's
own mapping. Of a URL its path alone counts: which host it goes to is said by settings, not by a mapping.
"""

import difflib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from streamer.errors import UsageError

EVENT = ".event.json"
EXPECTED = ".planhat.json"
MAPPING = ".mapping.toml"
_HOST = re.compile(r"^https?://[^/]*")

Outcome = Callable[[bytes, Path | None], object]
"""What becomes of an event, under the mapping of this file; in the form of the expected."""


class Case(NamedTuple):
    """One pair, judged."""

    name: str
    """Its path within the folder, without the endings."""
    difference: str
    """Nothing where it holds; else what is expected and not so (-), and what is so and not expected (+)."""

    @property
    def holds(self) -> bool:
        """Whether the event becomes exactly what is expected."""
        return not self.difference


def judged(folder: Path, outcome: Outcome) -> Iterator[Case]:
    """Every pair beneath a folder, by name. Raises UsageError where there is none, or a half of one."""
    if not folder.is_dir():
        raise UsageError(f"{folder}: is no folder; name one of <case>{EVENT} and <case>{EXPECTED}")
    cases = sorted({_case(path) for path in folder.rglob("*") if _case(path) is not None}, key=str)
    if not cases:
        raise UsageError(f"{folder}: holds no <case>{EVENT}; name a folder of pairs")
    for case in cases:
        assert case is not None  # noqa: S101 - sifted above
        yield _judged(folder, case, outcome)


def _case(path: Path) -> Path | None:
    for ending in (EVENT, EXPECTED, MAPPING):
        if path.name.endswith(ending):
            return path.with_name(path.name.removesuffix(ending))
    return None


def _judged(folder: Path, case: Path, outcome: Outcome) -> Case:
    event, expected, mapping = (case.with_name(case.name + ending) for ending in (EVENT, EXPECTED, MAPPING))
    stated = _json(expected)
    actual = outcome(_bytes(event), mapping if mapping.exists() else None)
    return Case(str(case.relative_to(folder)), _difference(_at_their_hosts(stated, actual), actual))


def _at_their_hosts(stated: Any, actual: object) -> object:  # noqa: ANN401 - any JSON
    """What is expected, each request at the host of the actual one, where both go to the same path there."""
    if not (isinstance(stated, list) and isinstance(actual, list)):
        return stated
    hosted = list(stated)
    for number, (one, other) in enumerate(zip(stated, actual, strict=False)):
        url = one.get("url") if isinstance(one, dict) else None
        if isinstance(url, str) and _HOST.sub("", url) == _HOST.sub("", other["url"]):
            hosted[number] = {**one, "url": other["url"]}
    return hosted


def _difference(expected: object, actual: object) -> str:
    """By lines of JSON: in Python true is 1 and 1 is 1.0, in JSON they differ."""
    one, other = (
        json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) for value in (expected, actual)
    )
    if one == other:
        return ""
    lines = difflib.unified_diff(one.splitlines(), other.splitlines(), "expected", "now", lineterm="", n=2)
    return "\n".join(lines)


def _json(path: Path) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(_bytes(path))
    except (ValueError, RecursionError):
        raise UsageError(f"{path}: is no JSON; write the requests, or why there are none") from None


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UsageError(
            f"{path}: is not there, and its other half is; write it, or take that away"
        ) from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
