"""Applying rules to an event's traits or properties.

Total: whatever a value is, it goes where its rule says, or where it would go without one, or nowhere.
"""

from typing import Any, Final

from streamer.transform.choices import Flatten
from streamer.transform.encoding import Number, to_json
from streamer.transform.fields import AS_THEY_ARE, LEGAL_KEYS, name_text, plain_text, put_custom
from streamer.transform.planhat_fields import Kind
from streamer.transform.retyping import UNREADABLE, number_of, retyped
from streamer.transform.trait_rules import (
    ABSENT,
    NAME,
    Part,
    Parts,
    Place,
    Step,
    Target,
    TraitRule,
    TraitRules,
)
from streamer.transform.wildcards import Names

# Bound once: a member looked up on its class costs a call of a function in Python 3.11.
_NOT: Final = Flatten.NOT
_JOIN: Final = Flatten.JOIN
JsonDict = dict[str, Any]
Metrics = list[tuple[str, Number]]
"""Dimension and value of each metric."""


def apply_rules(  # noqa: C901, PLR0912 - every event comes through here, and each call of a function costs
    rules: TraitRules, traits: JsonDict, fields: JsonDict, others: JsonDict, metrics: Metrics | None
) -> None:
    """Write traits to fields of Planhat's own, to `others` (`custom` or `info`), and to the metrics.

    No metrics: what the traits are of has no external id, without which Planhat takes none.
    """
    named = rules.named
    steps: tuple[Step, ...] = ()
    if rules.joins_others:
        for key, value in traits.items():
            if key not in named:
                kind = type(value)
                is_leaf = kind in AS_THEY_ARE or (kind is int and value.bit_length() < 64)
                if is_leaf and key in LEGAL_KEYS:
                    others[key] = value
                else:
                    put_custom(others, key, value)
            elif "." in key:
                steps = rules.all_steps
            elif not steps:
                steps = rules.steps
    else:
        steps = _put_others(rules, traits, others)
    for step in steps:
        if step[0] in traits:
            name, parts, is_split, texts, rule = step
            value = traits[name]
            if texts and type(value) is str:
                if texts is not NAME:
                    for target in texts:
                        fields[target] = value
                elif text := value.strip():
                    fields["name"] = text
            elif parts:
                _take_parts(rules, parts, value, fields, others, metrics)
            elif not is_split or type(value) is not dict:
                _put(rules, rule, value, name, fields, others, metrics)
    if rules.rests:
        _put_rests(rules, traits, fields, others, metrics)
    if metrics is not None and rules.metrics is not None:
        _put_numbers(rules, rules.metrics, traits, metrics)


def _put_others(rules: TraitRules, traits: JsonDict, others: JsonDict) -> tuple[Step, ...]:
    """Write the traits that have no rule; return what is to be done with those that have one."""
    steps, named = rules.steps, rules.named
    for key, value in traits.items():
        if key in named:
            steps = rules.all_steps if "." in key else steps
        elif rules.keeps_others:
            put_other(others, key, value, rules.flatten)
    return steps


def put_defaults(rules: TraitRules, traits: JsonDict, others: JsonDict, metrics: Metrics | None) -> None:
    """Write the defaults of what an object that is told whole does not say."""
    for rule in rules.fills:
        if rule.name not in traits and (not rule.path or _at(traits, rule.path) is ABSENT):
            _put(rules, rule, rule.default, rule.name, {}, others, metrics)


def put_other(others: JsonDict, key: str, value: object, flatten: Flatten) -> None:
    """Write a value without a field of its own, objects as this style says."""
    if flatten is _NOT:
        others[key] = value
    elif flatten is _JOIN or not _is_nested(value):
        put_custom(others, key, value)
    elif flatten is Flatten.TEXT:
        put_custom(others, key, to_json(value).decode())


def rest_of(value: JsonDict, parts: Parts) -> JsonDict:
    """The object without the parts that rules take out of it."""
    rest = {key: part for key, part in value.items() if key not in parts}
    if len(rest) == len(value):
        return rest
    for key, deeper in parts.items():
        if deeper and key in value:
            part = value[key]
            left = rest_of(part, deeper) if isinstance(part, dict) else part
            if left or left is part:
                rest[key] = left
    return rest


def metric_id(name: str) -> str:
    """A metric's id made from a trait's name: Planhat takes neither blanks nor special characters."""
    return "".join(each if each.isascii() and (each.isalnum() or each in "_-") else "_" for each in name)


def _take_parts(
    rules: TraitRules,
    parts: tuple[Part, ...],
    value: object,
    fields: JsonDict,
    others: JsonDict,
    metrics: Metrics | None,
) -> None:
    if type(value) is not dict:
        return
    for inner, deeper, texts, key, taken, rule in parts:
        if inner in value:
            part = value[inner]
            if texts and texts is not NAME and type(part) is str:
                for target in texts:
                    fields[target] = part
                continue
            if deeper:
                part = _at(part, deeper)
                if part is ABSENT:
                    continue
            if taken and type(part) is dict and part:
                part = rest_of(part, taken)
                if not part:
                    continue
            _put(rules, rule, part, key, fields, others, metrics)


def _put_rests(
    rules: TraitRules, traits: JsonDict, fields: JsonDict, others: JsonDict, metrics: Metrics | None
) -> None:
    """Write what is left of objects once parts of them went elsewhere, and what should be one and is none."""
    for name, rule, is_ruled in rules.rests:
        if name not in traits:
            continue
        rest = value = traits[name]
        if type(value) is dict:
            rest = rest_of(value, rules.parts[name])
            if not rest and value:
                continue
        elif is_ruled:
            continue
        if rule is not None:
            _put(rules, rule, rest, name, fields, others, metrics)
        elif rules.joins_others:
            put_custom(others, name, rest)
        elif rules.keeps_others:
            put_other(others, name, rest, rules.flatten)


def _put(
    rules: TraitRules,
    rule: TraitRule,
    value: object,
    own_key: str,
    fields: JsonDict,
    others: JsonDict,
    metrics: Metrics | None,
) -> None:
    """Write one value where its rule says; where nothing there can hold it, as if it had no rule."""
    if not rule.targets:
        return
    read = value if rule.kind is None else retyped(rule.kind, value)
    if (read is None or read is UNREADABLE) and rule.default is not ABSENT:
        read = rule.default
    is_held = False
    if read is not UNREADABLE:
        for target in rule.targets:
            is_held |= _put_target(rules, target, read, fields, others, metrics)
    if not is_held and rules.keeps_others and not _writes(rule, own_key):
        put_other(others, own_key, value, rules.flatten)


def _put_target(
    rules: TraitRules,
    target: Target,
    value: object,
    fields: JsonDict,
    others: JsonDict,
    metrics: Metrics | None,
) -> bool:
    """Write a value to one target; False where that cannot hold it."""
    if target.place is Place.OTHER:
        put_other(others, target.name, value, rules.flatten)
        return True
    if target.place is Place.METRIC:
        if value is None:
            return True  # no metric can be cleared
        number = UNREADABLE if isinstance(value, bool | str) else number_of(value)
        if metrics is None or number is UNREADABLE:
            return False
        metrics.append((target.name, number))
        return True
    return _put_field(target, value, fields)


def _put_field(target: Target, value: object, fields: JsonDict) -> bool:
    if target.name == "name":
        # A blank or a null would wipe out a real name at Planhat.
        name = name_text(value)
        if name is not None:
            fields["name"] = name
        return not isinstance(value, dict | list)
    if value is None:
        fields[target.name] = None
        return True
    held = plain_text(value) if target.kind is Kind.TEXT else retyped(target.kind, value)
    if held is None or held is UNREADABLE:
        return False
    fields[target.name] = held
    return True


def _put_numbers(rules: TraitRules, names: Names, traits: JsonDict, metrics: Metrics) -> None:
    for key, value in traits.items():
        if type(value) in {int, float} and key in names and key not in rules.dropped:
            number = number_of(value)
            if number is not UNREADABLE:
                metrics.append((metric_id(key), number))


def _at(value: object, path: tuple[str, ...]) -> object:
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return ABSENT
        value = value[key]
    return value


def _writes(rule: TraitRule, key: str) -> bool:
    return any(target.place is Place.OTHER and target.name == key for target in rule.targets)


def _is_nested(value: object) -> bool:
    if isinstance(value, list):
        return any(isinstance(each, dict | list) for each in value)
    return isinstance(value, dict)
