"""Why an operation says what it says: which part of the call each of its fields came from, by which rule.

It cannot disagree with the mapping, because it does not know it: it asks `transform` again and again, with
one part of the call changed each time, and sees which fields change with it. That takes one transform for
each part, so it is for whoever looks at a few calls; no event on its way to Planhat comes here.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, Final, NamedTuple

from streamer.events.calls import Call, Identify, JsonDict
from streamer.events.moments import happened_at
from streamer.events.values import iso_timestamp
from streamer.outcomes import SkipReason
from streamer.transform import Rules, Skipped, Transformed, told_of
from streamer.transform.operations import Operation, PushMetric
from streamer.transform.retyping import UNREADABLE, number_of
from streamer.transform.rule_names import (
    DEFAULT,
    LABELS,
    OPEN,
    Path,
    camel,
    field_rule,
    filling_rule,
    shown,
    skip_rule,
)

MOST_PARTS: Final = 300
"""Parts of one call that are looked at. Of a call that has more, whole traits are; then the first of them."""
_DEEPEST: Final = 40
_OPPOSITES: Final = {
    one: other
    for pair in (("true", "false"), ("yes", "no"), ("on", "off"))
    for one, other in (pair, pair[::-1])
}
_ALWAYS_THERE: Final = frozenset({"event", "group_id"})
GATES: Final[tuple[tuple[SkipReason, ...], ...]] = (
    (SkipReason.SUPPRESSED,),
    (SkipReason.CONSENT,),
    (SkipReason.INTEGRATIONS,),
    (SkipReason.DENIED, SkipReason.NOT_ALLOWED),
    (SkipReason.UNSUPPORTED_TYPE,),
    (SkipReason.ANONYMOUS,),
)
"""What a call has to pass, in the order in which it is asked; a test holds it to that of the mapping."""
_TIMES: Final = ("timestamp", "receivedAt", "originalTimestamp", "sentAt")
PASSTHROUGH: Final = "passthrough"
"""The rule of what is forwarded as it came."""

Found = dict[tuple[int, str], list[Path]]
"""By operation and field: the parts it comes from."""
Ask = Callable[[Call], Transformed | Skipped]
"""What becomes of a call by the rules in question."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What one field of one operation comes from."""

    operation: int
    """Counted from 0, in the order of the operations."""
    field: str
    """As Planhat spells it, within its object: `name`, `custom.plan`, `info.amount`."""
    sources: tuple[str, ...]
    """Parts of the call, such as `traits.plan`; none where nothing in it decides."""
    rule: str


class Why(NamedTuple):
    """The causes of everything a call became."""

    causes: tuple[Cause, ...] = ()
    unsent: tuple[str, ...] = ()
    """Traits or properties that reach no field; of an identify call without traits those in its context."""
    skipped: SkipReason | None = None
    sources: tuple[str, ...] = ()
    """Of a skip: parts of the call without which, or with another value of which, it would not be one."""
    rule: str = ""
    """Of a skip."""
    detail: str = ""
    """Of what is no call: which part of it is wrong, or missing."""


def why(call: Call, decoded: JsonDict, rules: Rules) -> Why:
    """Why `told_of(call, decoded, rules)` is what it is: a cause for each field of each operation."""

    def ask(other: Call) -> Transformed | Skipped:
        return told_of(other, decoded, rules)

    result = ask(call)
    parts = _parts(call)
    if isinstance(result, Skipped):
        sources = tuple(shown(path) for path in parts if _ends_skip(call, path, ask, result))
        return Why(skipped=result.reason, sources=sources, rule=skip_rule(call, rules, result.reason))
    told = [fields_of(each) for each in result.operations]
    found: Found = {(number, name): [] for number, each in enumerate(told) for name in each}
    for path in parts:
        for place in _changed(told, result, ask(_with_other(call, path))):
            found[place].append(path)
    _decide_the_rest(call, ask, parts, told, result, found)
    causes = tuple(_causes(call, rules, result, told, found))
    if rules.forwards:
        return Why(tuple(_forwarded(cause, decoded) for cause in causes))
    used = {path for paths in found.values() for path in paths}
    unsent = tuple(shown(path) for path in parts if _is_told(call, path) and path not in used)
    return Why(tuple(_dated(cause, decoded) for cause in causes), unsent)


def fields_of(operation: Operation) -> dict[str, Any]:
    """What an operation says, flat: `externalId`, `name`, `custom.<key>`, `info.<key>`; nothing absent.

    By the operation's own declaration, so that a field it gains is here without a word.
    """
    found: dict[str, Any] = {}
    opened: dict[str, Any] = {}
    for name in operation.fields_in_order:
        value = getattr(operation, name)
        if isinstance(value, Mapping):
            prefix = "" if name == "fields" else f"{name}."
            opened |= {f"{prefix}{key}": part for key, part in value.items()}
        elif value is not None:
            found[camel(name)] = value
    return {**opened, **found}


def is_same(one: object, other: object) -> bool:
    """Whether two values are the same in JSON: true is not 1, and what is no number is itself."""
    return one is other or (type(one) is type(other) and (one == other or repr(one) == repr(other)))


# --- the parts of a call ------------------------------------------------------------------------------


def _is_told(call: Call, path: Path) -> bool:
    """Whether a part is there to be told. Some libraries have an identify call's traits in its context."""
    if isinstance(call, Identify) and not call.traits and path[:2] == ("context", "traits"):
        return True
    return path[0] in OPEN


def _parts(call: Call) -> Sequence[Path]:
    for deepest in (_DEEPEST, 2, 1):
        parts = list(_walk(call, deepest))
        if len(parts) <= MOST_PARTS:
            return parts
    return list(_walk(call, 2))[:MOST_PARTS]


def _walk(call: Call, deepest: int) -> Iterator[Path]:
    for name in call.fields_in_order:
        value = getattr(call, name)
        if value is not None:
            yield from _leaves((name,), value, deepest)


def _leaves(path: Path, value: object, deepest: int) -> Iterator[Path]:
    if len(path) <= deepest:
        if isinstance(value, dict) and (value or len(path) == 1):
            for key, part in value.items():
                yield from _leaves((*path, key), part, deepest)
            return
        # A list of scalars is one part; the objects of one that has any are looked into.
        if isinstance(value, list) and any(isinstance(part, dict) for part in value):
            for index, part in enumerate(value):
                yield from _leaves((*path, index), part, deepest)
            return
    yield path


def _value(call: Call, path: Path) -> object:
    found: Any = getattr(call, str(path[0]))
    for step in path[1:]:
        found = found[step]
    return found


# --- the same call with one part changed -----------------------------------------------------------------


def _with_other(call: Call, path: Path) -> Call:
    return _rewritten(call, path, lambda holder, step: _put(holder, step, _other(holder[step])))


def _without(call: Call, path: Path) -> Call:
    return _rewritten(call, path, _drop)


def _rewritten(call: Call, path: Path, write: Any) -> Call:  # noqa: ANN401 - a function on what holds the part
    name = str(path[0])
    root = {name: getattr(call, name)}
    holder: Any = root
    for step in path[:-1]:
        # Only what stands between the call and the part is copied: the call itself stays as it was.
        holder[step] = holder[step].copy()
        holder = holder[step]
    write(holder, path[-1])
    return call.but(**{name: root.get(name)})


def _put(holder: Any, step: Any, value: object) -> None:  # noqa: ANN401 - a dict or a list, by key or place
    holder[step] = value


def _drop(holder: Any, step: Any) -> None:  # noqa: ANN401 - as above
    del holder[step]


def _other(value: object, depth: int = 0) -> object:
    """Another value of the same kind, which goes wherever this one went."""
    if isinstance(value, dict):
        other = {key: _other(part, depth + 1) for key, part in value.items()} if depth < _DEEPEST else {}
        return other or {"~": "~"}
    if isinstance(value, list):
        return [_other(part, depth + 1) for part in value] or ["~"] if depth < _DEEPEST else []
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value * 2 + 1 if isfinite(value) else 0.0
    return _other_text(value) if isinstance(value, str) else "~"


def _other_text(text: str) -> str:
    word = text.strip().lower()
    if word in _OPPOSITES:
        return _OPPOSITES[word]
    if "@" in text:
        return f"w{text.lstrip()}"
    if text.isdecimal():
        return f"{text}1"
    number = number_of(text)
    if number is not UNREADABLE:
        return f"{number + 1:.12g}"  # a rule may make a number, and so a metric, of it
    if iso_timestamp(text) is not None:
        return "2001-01-01T00:00:00.000Z" if not text.startswith("2001") else "2002-01-01T00:00:00.000Z"
    return f"{text}~"


# --- what changed with it -----------------------------------------------------------------------------------


def _ends_skip(call: Call, path: Path, ask: Ask, result: Skipped) -> bool:
    """Whether the call would pass this gate with another value of the part, or without it.

    Not where it would be stopped at one before: what lets it pass there has no part in this.
    """
    others = [_with_other(call, path)]
    if path[0] not in _ALWAYS_THERE:
        others.append(_without(call, path))
    answers = (ask(each) for each in others)
    return any(each != result and _gate(each) >= _gate(result) for each in answers)


def _gate(answer: Transformed | Skipped) -> int:
    """How many gates were passed."""
    if isinstance(answer, Transformed):
        return len(GATES)
    return next((number for number, reasons in enumerate(GATES) if answer.reason in reasons), 0)


def _decide_the_rest(
    call: Call,
    ask: Ask,
    parts: Sequence[Path],
    told: Sequence[Mapping[str, Any]],
    result: Transformed,
    found: Found,
) -> None:
    """Fields that change with no other value of a part: those that go when a part goes."""
    undecided = [place for place, paths in found.items() if not paths]
    for path in parts if undecided else ():
        if path[0] in _ALWAYS_THERE:
            continue
        changed = _changed(told, result, ask(_without(call, path)))
        for place in undecided:
            if place in changed:
                found[place].append(path)
    for number, name in undecided:
        if not found[number, name]:
            found[number, name] += _spelled_in(call, parts, told[number][name])


def _changed(
    told: Sequence[Mapping[str, Any]], result: Transformed, other: Transformed | Skipped
) -> set[tuple[int, str]]:
    """Places whose value is another one, or is gone; none where the whole is of another shape.

    A metric comes and goes with the one value that it is of: no other is told by it.
    """
    if isinstance(other, Skipped):
        return set()
    before, after = _identified(result.operations), _identified(other.operations)
    if [each for each in before if not each[1]] != [each for each in after if not each[1]]:
        return set()
    now = {each: fields_of(operation) for each, operation in after.items()}
    gone = {(number, "value") for number, each in enumerate(before) if each not in now}
    return gone | {
        (number, name)
        for number, each in enumerate(before)
        if each in now
        for name, value in told[number].items()
        if name not in now[each] or not is_same(value, now[each][name])
    }


def _identified(operations: Sequence[Operation]) -> dict[tuple[str, str, int], Operation]:
    """Operations by their kind, a metric's dimension, and which of these it is."""
    seen: Counter[tuple[str, str]] = Counter()
    found: dict[tuple[str, str, int], Operation] = {}
    for each in operations:
        kind = type(each).__name__, each.dimension if isinstance(each, PushMetric) else ""
        found[*kind, seen[kind]] = each
        seen[kind] += 1
    return found


def _data_first(call: Call, value: object, paths: list[Path]) -> list[Path]:
    """Without the labels that only chose the rule: those whose text is not in the field."""
    if not any(path[0] not in LABELS for path in paths):
        return paths
    return [path for path in paths if path[0] not in LABELS or str(_value(call, path)) in str(value)]


def _spelled_in(call: Call, parts: Sequence[Path], value: object) -> list[Path]:
    """Labels that stand in a text: of a call that would be skipped with any other label."""
    if not isinstance(value, str):
        return []
    return [path for path in parts if path[0] in LABELS and str(_value(call, path)) in value]


# --- the rule ----------------------------------------------------------------------------------------


def _causes(
    call: Call, rules: Rules, result: Transformed, told: Sequence[Mapping[str, Any]], found: Found
) -> Iterator[Cause]:
    for (number, name), own in found.items():
        operation = result.operations[number]
        # A metric is of what its value is of.
        is_of_value = isinstance(operation, PushMetric) and not own
        paths = _data_first(call, told[number][name], found[number, "value"] if is_of_value else own)
        named = dict.fromkeys(field_rule(call, rules, operation, name, path) for path in paths)
        rule = " + ".join(named) or filling_rule(call, rules, operation, name)
        yield Cause(number, name, tuple(map(shown, paths)), rule)


def _dated(cause: Cause, decoded: JsonDict) -> Cause:
    """A call has one time, which the event may have in several places, or have made of some of them."""
    if cause.field != "date" or cause.sources != ("timestamp",):
        return cause
    date = happened_at(decoded)
    changing = (
        name
        for name in _TIMES
        if decoded.get(name) is not None and happened_at({**decoded, name: _other(decoded[name])}) != date
    )
    sources = tuple(changing) or cause.sources
    return replace(cause, sources=sources, rule=" + ".join(sources))


def _forwarded(cause: Cause, decoded: JsonDict) -> Cause:
    """In passthrough mode the event goes as it is; only what is added to it has other sources."""
    holder, dot, key = cause.field.partition(".")
    if not dot or holder != "call":
        return cause
    sources = cause.sources or ((key,) if key in decoded else ())
    return replace(cause, sources=sources, rule=PASSTHROUGH if sources else DEFAULT)
