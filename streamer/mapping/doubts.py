"""What a mapping file may say, and hardly means."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from streamer.mapping import shape
from streamer.mapping.compiling import rules_in_order
from streamer.mapping.finding import Finding, finding_at
from streamer.mapping.lines import Path
from streamer.mapping.targets import ACTIVITY, COMPANY, ENDUSER, Scope
from streamer.transform import defaults
from streamer.transform.fields import plain_text
from streamer.transform.planhat_fields import Kind
from streamer.transform.retyping import UNREADABLE, number_of, retyped
from streamer.transform.trait_rules import ABSENT, Place, Target, TraitRule

_NEVER = frozenset(
    {
        (Kind.BOOLEAN, Kind.DATE),
        (Kind.DATE, Kind.BOOLEAN),
        (Kind.LIST, Kind.BOOLEAN),
        (Kind.LIST, Kind.DATE),
        (Kind.LIST, Kind.TEXT),
    }
)
"""What a rule makes, and what a field holds that can hold nothing of that kind."""


def doubts(file: shape.MappingFile, lines: dict[Path, int]) -> Iterator[Finding]:
    """Everything that is allowed and still doubtful, in no order."""
    for path, stated, default, scope in _rule_tables(file):
        rules = rules_in_order(default, stated, scope)
        yield from _shared_targets(rules, set(default), path, lines)
        yield from _idle_targets([rule for rule in rules if rule.name in stated], path, lines)
    for path, patterns in (
        (("events", "allow"), file.events.allow),
        (("events", "deny"), file.events.deny),
        (("identify", "metrics"), file.identify.metrics),
        (("group", "metrics"), file.group.metrics),
        (("track", "events"), list(file.track.events)),
    ):
        yield from _odd_patterns(path, patterns, lines)
    yield from _without_effect(file, lines)


def _rule_tables(
    file: shape.MappingFile,
) -> Iterator[tuple[Path, Mapping[str, Any], Sequence[TraitRule], Scope]]:
    yield ("identify", "traits"), file.identify.traits, defaults.IDENTIFY.rules, ENDUSER
    yield ("group", "traits"), file.group.traits, defaults.GROUP.rules, COMPANY
    yield ("track", "properties"), file.track.properties, (), ACTIVITY
    yield ("page", "properties"), file.page.properties, (), ACTIVITY
    yield ("screen", "properties"), file.screen.properties, (), ACTIVITY
    for name, event in file.track.events.items():
        yield ("track", "events", name, "properties"), event.properties, (), ACTIVITY


def _odd_patterns(path: Path, patterns: Sequence[str], lines: dict[Path, int]) -> Iterator[Finding]:
    for number, pattern in enumerate(patterns):
        place = (*path, pattern if path == ("track", "events") else number)
        if any(each in pattern for each in "[]^|\\"):
            yield finding_at(place, lines, f"{pattern!r} is taken as it stands; only * and ? are wildcards")
    if path == ("events", "allow") and not patterns:
        yield finding_at(path, lines, 'nothing is allowed: no event is told; ["*"] allows all')
    if path == ("events", "deny") and "*" in patterns:
        place = (*path, patterns.index("*"))
        yield finding_at(place, lines, "everything is denied: no event is told, whatever is allowed")


def _without_effect(file: shape.MappingFile, lines: dict[Path, int]) -> Iterator[Finding]:
    for name, event in file.track.events.items():
        for key in sorted(event.model_fields_set - {"skip"}) if event.skip else ():
            yield finding_at(("track", "events", name, key), lines, "has no effect where skip is true")
    if file.calls.screen == "skip" and file.screen != shape.Screen():
        yield finding_at(("screen",), lines, "has no effect unless calls.screen is 'activity'")


def _shared_targets(
    rules: Sequence[TraitRule], default: set[TraitRule], path: Path, lines: dict[Path, int]
) -> Iterator[Finding]:
    """Traits that go to one place: the later one wins, which may not be what is meant."""
    by_target: dict[tuple[Place, str], list[TraitRule]] = defaultdict(list)
    for rule in rules:
        for target in dict.fromkeys(rule.targets):
            by_target[target.place, target.name].append(rule)
    for (_, name), sharing in by_target.items():
        for earlier, later in pairwise(sharing):
            is_twin = (earlier.name, later.name) in defaults.TWINS
            if is_twin or (earlier in default and later in default):
                continue
            both = f"{earlier.name!r} goes to {name!r} too; where a call has both, {later.name!r} wins"
            yield finding_at((*path, later.name), lines, both)


def _idle_targets(rules: Sequence[TraitRule], path: Path, lines: dict[Path, int]) -> Iterator[Finding]:
    """Targets that are named in vain: twice, or able to hold nothing of what the rule makes."""
    for rule in rules:
        place = (*path, rule.name)
        for target in dict.fromkeys(rule.targets):
            if rule.targets.count(target) > 1:
                yield finding_at(place, lines, f"names {target.name!r} more than once")
            if rule.kind is not None and _never_holds(target, rule.kind):
                yield finding_at(
                    place,
                    lines,
                    f"{target.name!r} holds {_held(target)}, and never what type makes: {rule.kind}",
                )
            elif rule.default is not ABSENT and not _holds(target, rule.default):
                yield finding_at(
                    (*place, "default"), lines, f"{target.name!r} holds {_held(target)}, which this is not"
                )


def _held(target: Target) -> str:
    return f"a {Kind.NUMBER if target.place is Place.METRIC else target.kind}"


def _never_holds(target: Target, kind: Kind) -> bool:
    if target.place is Place.METRIC:
        return kind is not Kind.NUMBER
    return target.place is Place.FIELD and (kind, target.kind) in _NEVER


def _holds(target: Target, value: object) -> bool:
    """As the transform decides it, of a value that is written as it is."""
    if target.place is Place.METRIC:
        return not isinstance(value, bool | str) and number_of(value) is not UNREADABLE
    if target.place is Place.OTHER:
        return True
    held = plain_text(value) if target.kind is Kind.TEXT else retyped(target.kind, value)
    return held is not None and held is not UNREADABLE
