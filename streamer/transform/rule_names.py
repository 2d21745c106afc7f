"""What rules are called: by the table and the key under which a mapping file has them."""

from collections.abc import Iterator, Mapping
from typing import Final

from streamer.events.calls import Alias, Call, Delete, Group, Identify, Page, Screen, Track
from streamer.outcomes import SkipReason
from streamer.transform.activity_rules import ActivityRules
from streamer.transform.fields import legal_key
from streamer.transform.operations import Operation, PushMetric
from streamer.transform.rules import Rules
from streamer.transform.trait_rules import Place, Target, TraitRule, TraitRules

Path = tuple[str | int, ...]
"""A part of a call: an attribute of it, then the keys and places within."""

DEFAULT: Final = "default"
"""The rule of a field that nothing in the call decides, and nothing in a mapping file."""
OPEN: Final = ("traits", "properties")
LABELS: Final = frozenset({"event", "name", "category"})
"""Parts by which rules choose: what changes with one of them need not come from it."""
_KEYS: Final = frozenset({"externalId", "email", "companyExternalId", "fallbackCompany", "date"})
"""Fields that are named by where they come from, not by a rule for a trait."""

_SKIPS: Final[Mapping[SkipReason, str]] = {
    SkipReason.SUPPRESSED: "STREAMER_SUPPRESSION_FILE",
    SkipReason.CONSENT: "STREAMER_CONSENT_CATEGORIES",
    SkipReason.INTEGRATIONS: "integrations",
    SkipReason.DENIED: "events.deny",
    SkipReason.NOT_ALLOWED: "events.allow",
    SkipReason.ANONYMOUS: "identity",
}


def skip_rule(call: Call, rules: Rules, reason: SkipReason) -> str:
    """What skips a call."""
    if reason is SkipReason.UNSUPPORTED_TYPE:
        return DEFAULT if isinstance(call, Alias) else f"calls.{call.type}"
    if reason is SkipReason.DENIED and isinstance(call, Track) and rules.track_events is not None:
        pattern = _pattern(call, rules)
        if pattern is not None and rules.track_events.by_name[pattern].is_skipped:
            return f'track.events."{pattern}".skip'
    return _SKIPS.get(reason, str(reason))


def field_rule(call: Call, rules: Rules, operation: Operation, name: str, path: Path) -> str:
    """What makes this part of the call this field of the operation; or where an id, or a time, was found."""
    table = _table(call, rules)
    if name in {"action", "weight"} and not isinstance(operation, PushMetric):
        return f"{table}.{_action_key(call) if name == 'action' else name}"
    if name in _KEYS or path[0] not in OPEN:
        return shown(path)
    steps = [str(step) for step in path[1:] if isinstance(step, str)]
    part = f"{table}.{path[0]}.{'.'.join(steps)}"
    traits = _traits(call, rules)
    if traits is None:
        return part
    rule = _rule_for(traits, steps)
    if rule is not None and any(_is_target(target, operation, name) for target in rule.targets):
        return f"{table}.{path[0]}.{rule.name}"
    if isinstance(operation, PushMetric):
        return f"{table}.metrics"
    holder, _, key = name.partition(".")
    return f"{table}.unlisted = {holder}" if key in _own_keys(holder, steps) else part


def filling_rule(call: Call, rules: Rules, operation: Operation, name: str) -> str:
    """What makes a field that comes from no part of the call."""
    table = _table(call, rules)
    if isinstance(call, Delete):
        return "calls.delete"
    if name == "action":
        return f"{table}.{_action_key(call)}"
    if name == "weight" and isinstance(call, Track | Page | Screen):
        return f"{table}.weight" if _activity(call, rules).weight.property is None else DEFAULT
    traits = _traits(call, rules)
    for rule in () if traits is None else traits.fills:
        if any(_is_target(target, operation, name) for target in rule.targets):
            return f"{table}.{'traits' if isinstance(call, Identify | Group) else 'properties'}.{rule.name}"
    return DEFAULT


def shown(path: Path) -> str:
    """A part of a call as an event spells it: `traits.company.id`, `traits.companies[0].id`."""
    text = camel(str(path[0]))
    for step in path[1:]:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text


def camel(name: str) -> str:
    """A name of ours as Segment and Planhat spell it."""
    first, *others = name.split("_")
    return first + "".join(each.capitalize() for each in others)


def _action_key(call: Call) -> str:
    """The key of the rule that names the activity."""
    if isinstance(call, Page | Screen):
        return "action_unnamed" if call.name is None else "action_named"
    return "action"


def _table(call: Call, rules: Rules) -> str:
    pattern = _pattern(call, rules) if isinstance(call, Track) else None
    return str(call.type) if pattern is None else f'{call.type}.events."{pattern}"'


def _pattern(call: Track, rules: Rules) -> str | None:
    """The name, or the wildcards, under which there are rules for this very event."""
    if rules.track_events is None:
        return None
    found = rules.track_events.of(call.event)
    return next((name for name, each in rules.track_events.by_name.items() if each is found), None)


def _traits(call: Call, rules: Rules) -> TraitRules | None:
    match call:
        case Identify():
            return rules.identify
        case Group():
            return rules.group
        case Track() | Page() | Screen():
            return _activity(call, rules).properties
        case _:
            return None


def _activity(call: Track | Page | Screen, rules: Rules) -> ActivityRules:
    if isinstance(call, Track):
        of_this_event = None if rules.track_events is None else rules.track_events.of(call.event)
        return of_this_event or rules.track
    return rules.page if isinstance(call, Page) else rules.screen


def _rule_for(traits: TraitRules, steps: list[str]) -> TraitRule | None:
    """The rule of a part: its own, else that of the nearest object around it."""
    by_name = {rule.name: rule for rule in traits.rules}
    names = (".".join(steps[:count]) for count in range(len(steps), 0, -1))
    return next((by_name[name] for name in names if name in by_name), None)


def _is_target(target: Target, operation: Operation, name: str) -> bool:
    if isinstance(operation, PushMetric):
        return target.place is Place.METRIC and target.name == operation.dimension
    if target.place is Place.FIELD:
        return name == target.name
    _, dot, key = name.partition(".")
    # What is an object has a field for each part of it.
    return bool(dot) and target.place is Place.OTHER and f"{key}_".startswith(f"{legal_key(target.name)}_")


def _own_keys(holder: str, steps: list[str]) -> Iterator[str]:
    """The keys that a part without a rule gets: its names, joined, as deep as it is told apart."""
    for count in range(1, len(steps) + 1):
        yield "_".join(steps[:count]) if holder == "info" else legal_key("_".join(steps[:count]))
