"""From what a mapping file says to rules: defaults where it is silent, in the order in which rules apply."""

from collections.abc import Mapping, Sequence
from typing import Any

from streamer.mapping import shape
from streamer.mapping.targets import ACTIVITY, COMPANY, DROP, ENDUSER, Scope, target_of
from streamer.transform import defaults
from streamer.transform.activity_rules import ActivityRules, EventRules, Weight
from streamer.transform.choices import Flatten
from streamer.transform.event_lists import event_lists
from streamer.transform.retyping import retyped
from streamer.transform.rules import Rules
from streamer.transform.trait_rules import ABSENT, TraitRule, TraitRules
from streamer.transform.wildcards import Names

_TWIN_OF = {one: other for pair in defaults.TWINS for one, other in (pair, pair[::-1])}


def compiled(file: shape.MappingFile) -> Rules:
    """The rules that the file says; other settings have their own say in the rest of them."""
    return Rules(
        deliver_screens=file.calls.screen == "activity",
        events=event_lists(tuple(file.events.allow), tuple(file.events.deny)),
        companies=file.identify.companies,
        identify=_trait_rules(file.identify, defaults.IDENTIFY, ENDUSER),
        group=_trait_rules(file.group, defaults.GROUP, COMPANY),
        track=_track(file.track, shape.Event()),
        track_events=_events(file.track),
        page=_page(file.page),
        screen=_page(file.screen),
        deletion=file.calls.delete,
    )


def _trait_rules(table: shape.Identify | shape.Group, default: TraitRules, scope: Scope) -> TraitRules:
    return TraitRules(
        rules_in_order(default.rules, table.traits, scope),
        references=default.references,
        flatten=Flatten(table.flatten),
        keeps_others=table.unlisted == "custom",
        metrics=Names(tuple(table.metrics)) if table.metrics else None,
    )


def rules_in_order(
    default: Sequence[TraitRule], stated: Mapping[str, Any], scope: Scope
) -> tuple[TraitRule, ...]:
    """The defaults that the file does not name, then the file's in its order: the later one wins.

    A reserved trait of two words is meant in both spellings, unless each has a rule; a property is no trait.
    """
    rules: list[TraitRule] = []
    for name, rule in stated.items():
        twin = None if scope is ACTIVITY else _TWIN_OF.get(name)
        spellings = [name] if twin is None or twin in stated else sorted({name, twin}, key=_is_second)
        rules += [_rule(each, rule, scope) for each in spellings]
    named = {rule.name for rule in rules}
    return (*(rule for rule in default if rule.name not in named), *rules)


def _is_second(name: str) -> bool:
    return any(name == second for _, second in defaults.TWINS)


def _rule(name: str, stated: object, scope: Scope) -> TraitRule:
    if isinstance(stated, shape.EnduserRule | shape.CompanyRule | shape.ActivityRule):
        targets = [stated.to] if isinstance(stated.to, str) else stated.to
        return TraitRule(
            name, tuple(target_of(each, scope) for each in targets), stated.type, _default(stated)
        )
    targets = [stated] if isinstance(stated, str) else list(stated) if isinstance(stated, list) else []
    return TraitRule(name, tuple(target_of(each, scope) for each in targets if each != DROP))


def _default(stated: shape.RuleTable) -> object:
    """What stands for a null, made into the rule's type as any value is."""
    if "default" not in stated.model_fields_set:
        return ABSENT
    return stated.default if stated.type is None else retyped(stated.type, stated.default)


def _events(track: shape.Track) -> EventRules | None:
    ruled = {name: _track(track, event) for name, event in track.events.items()}
    return EventRules(ruled) if ruled else None


def _track(track: shape.Track, event: shape.Event) -> ActivityRules:
    weight = track.weight if event.weight is None else event.weight
    properties = {**track.properties, **event.properties}
    return ActivityRules(
        action=track.action if event.action is None else event.action,
        weight=_weight(weight),
        properties=_properties(properties, track.unlisted if event.unlisted is None else event.unlisted),
        is_skipped=event.skip,
    )


def _page(page: shape.Page) -> ActivityRules:
    return ActivityRules(
        action=page.action_named,
        action_unnamed=page.action_unnamed,
        weight=_weight(page.weight),
        properties=_properties(page.properties, page.unlisted),
    )


def _properties(stated: Mapping[str, Any], unlisted: str) -> TraitRules:
    return TraitRules(
        rules_in_order((), stated, ACTIVITY), flatten=Flatten.NOT, keeps_others=unlisted == "info"
    )


def _weight(stated: str | float) -> Weight:
    return Weight(stated) if isinstance(stated, str) else Weight(None, stated)
