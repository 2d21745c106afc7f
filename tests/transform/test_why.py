"""Why: it names what transform made, no more and no less, and where each field came from."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import InvalidEvent
from streamer.events.parse import parse
from streamer.mapping import read_mapping
from streamer.outcomes import SkipReason
from streamer.planhat.items import encode_operation
from streamer.transform import Rules, Skipped, Transformed, told_of
from streamer.transform.activity_rules import ActivityRules, EventRules, Weight
from streamer.transform.choices import Deletion, Flatten
from streamer.transform.encoding import to_json
from streamer.transform.operations import Operation, UpsertEnduser
from streamer.transform.planhat_fields import Kind
from streamer.transform.rule_names import DEFAULT
from streamer.transform.trait_rules import Place, Target, TraitRule, TraitRules
from streamer.transform.why import MOST_PARTS, Cause, Why, fields_of, why
from tests.events.strategies import good_events, unhurried
from tests.transform.test_fixtures import CASES, rules_of
from tests.transform.test_properties import rules


def sent_fields(operation: Operation) -> set[str]:
    """What the request itself says, in the spelling of causes."""
    spelled = msgspec.json.decode(encode_operation(operation))
    spelled.pop("source")
    spelled.pop("euExtId", None)
    if "companyId" in spelled:
        spelled["companyExternalId"] = spelled.pop("companyId")
    if isinstance(operation, UpsertEnduser) and operation.fallback_company is not None:
        spelled["fallbackCompany"] = operation.fallback_company  # told if the reply asks for it
    opened = {f"{name}.{key}" for name in ("custom", "info") for key in spelled.pop(name, {})}
    return opened | set(spelled)


def named_fields(told: Why, operation: int) -> list[str]:
    """The fields that causes name, as JSON can spell them."""
    names = [each.field for each in told.causes if each.operation == operation]
    return [name.encode("utf-8", "replace").decode() for name in names]


def causes_of(event: dict[str, Any], chosen: Rules | None = None) -> dict[str, Cause]:
    """The causes of an event's only operation, by field."""
    return {each.field: each for each in why(parse(event), event, chosen or Rules()).causes}


@unhurried
@given(good_events, rules)
def test_exactly_what_is_sent_is_named(event: dict[str, Any], chosen: Rules) -> None:
    """Whatever an event holds: a cause for each field of each operation, and for nothing else."""
    call = parse(event)
    before = to_json(event)
    result, told = told_of(call, event, chosen), why(call, event, chosen)
    assert to_json(event) == before
    if isinstance(result, Skipped):
        assert (told.skipped, told.causes) == (result.reason, ())
        assert told.rule
        return
    assert {each.operation for each in told.causes} <= set(range(len(result.operations)))
    for number, operation in enumerate(result.operations):
        names = named_fields(told, number)
        assert set(names) == sent_fields(operation)
    assert all(each.rule for each in told.causes)


@pytest.mark.parametrize("file", CASES, ids=lambda path: f"{path.parent.name}/{path.name.split('.')[0]}")
def test_every_field_of_a_fixture_has_its_source(file: Path) -> None:
    """Of real events nothing is unexplained: what comes from no part of the call has a rule that fills it."""
    try:
        event = json.loads(file.read_text())
        call = parse(event)
    except InvalidEvent:
        return
    told = why(call, event, rules_of(file))
    filled = {each.field: each.rule for each in told.causes if not each.sources}
    assert filled.keys() <= {"weight", "action", "archives", "info.Tier"}
    assert filled.get("weight", DEFAULT) == DEFAULT or filled["weight"].endswith(".weight")
    assert filled.get("action", "page.action_unnamed").endswith(".action_unnamed")
    assert filled.get("archives", "calls.delete") == "calls.delete"
    assert filled.get("info.Tier", "track.properties.tier") == "track.properties.tier"
    assert all(each.rule != DEFAULT for each in told.causes if each.sources)


def test_rules_and_places_are_named() -> None:
    """A trait with a rule of its own, one without, an id, and what comes of two traits."""
    found = causes_of(
        {
            "type": "identify",
            "userId": "u-1",
            "traits": {
                "firstName": "A",
                "lastName": "B",
                "title": "CTO",
                "plan": {"tier": "gold"},
                "id": "u-1",
            },
            "context": {"groupId": "acme"},
        }
    )
    assert {field: (each.sources, each.rule) for field, each in found.items()} == {
        "externalId": (("userId",), "userId"),
        "companyExternalId": (("context.groupId",), "context.groupId"),
        "firstName": (("traits.firstName",), "identify.traits.firstName"),
        "lastName": (("traits.lastName",), "identify.traits.lastName"),
        "name": (
            ("traits.firstName", "traits.lastName"),
            "identify.traits.firstName + identify.traits.lastName",
        ),
        "title": (("traits.title",), "identify.traits.title"),
        "position": (("traits.title",), "identify.traits.title"),
        "custom.plan_tier": (("traits.plan.tier",), "identify.unlisted = custom"),
    }


def test_what_is_not_sent_is_told() -> None:
    """A trait that reaches no field is named, so that nobody looks for it at Planhat."""
    event = {"type": "identify", "userId": "u-1", "traits": {"id": "u-1", "name": " "}}
    told = why(parse(event), event, Rules())
    assert told.unsent == ("traits.id", "traits.name")


def test_traits_in_the_context_of_an_identify_call_are_told_of() -> None:
    """Some libraries put them there alone, where nothing but the address is read."""
    event = {"type": "identify", "userId": "u-1", "context": {"traits": {"email": "a@b.co", "name": "Ann"}}}
    assert why(parse(event), event, Rules()).unsent == ("context.traits.name",)
    # Where the traits stand in both places nothing is lost.
    both = {**event, "traits": {"name": "Ann"}}
    assert why(parse(both), both, Rules()).unsent == ()


def test_an_event_of_many_parts_is_told_in_bounded_time() -> None:
    """Of thousands of traits each field is still named; what was not looked at has no source."""
    traits = {f"t{number}": {"a": number, "b": number} for number in range(4 * MOST_PARTS)}
    event = {"type": "identify", "userId": "u-1", "traits": traits}
    told = why(parse(event), event, Rules())
    assert len(told.causes) == 8 * MOST_PARTS + 1
    assert sum(bool(each.sources) for each in told.causes) >= MOST_PARTS


@unhurried
@given(good_events)
def test_what_is_forwarded_is_named_too(event: dict[str, Any]) -> None:
    """In passthrough mode each part of the event that goes on is a field, which comes from itself."""
    chosen = Rules(forwards=True)
    told = why(parse(event), event, chosen)
    result = told_of(parse(event), event, chosen)
    if isinstance(result, Skipped):
        assert told.skipped is result.reason
        return
    named = {each.field: each for each in told.causes}
    sent = {f"call.{key}" for key in msgspec.json.decode(encode_operation(result.operations[0]))}
    assert {name for name in named if name.startswith("call.")} == sent
    assert named["call.type"].sources == ("type",)
    assert named["call.source"].rule == DEFAULT
    assert named["call.user_id"].sources == named["externalId"].sources


# --- rules of the operator's own ------------------------------------------------------------------

MAPPED = Rules(
    identify=TraitRules(
        (
            TraitRule("job", (Target(Place.FIELD, "position"),)),
            TraitRule("plan tier", (Target(Place.OTHER, "Plan"),)),
            TraitRule("address.city", (Target(Place.OTHER, "City"),)),
            TraitRule("score", (Target(Place.METRIC, "score"), Target(Place.OTHER, "Score")), Kind.NUMBER),
            TraitRule("phone", (Target(Place.FIELD, "phone"),)),
            TraitRule("internal"),
        ),
    ),
    track_events=EventRules(
        {
            "Order *": ActivityRules(action="Bought: {event}", weight=Weight("revenue")),
            "Noise": ActivityRules(is_skipped=True),
        }
    ),
    deletion=Deletion.ARCHIVE,
)


def rules_by_field(event: dict[str, Any]) -> dict[str, str]:
    """The rule behind each field of an event, by operation and field."""
    return {f"{each.operation}.{each.field}": each.rule for each in why(parse(event), event, MAPPED).causes}


def test_an_operators_own_rules_are_named() -> None:
    """Renamed, routed, retyped and pushed as a metric: each by the key that the mapping file has it under."""
    traits = {
        "job": "CTO", "plan tier": "gold", "address": {"city": "Paris", "zip": "1"}, "score": "7",
        "phone": {"home": "1"}, "internal": "x", "other": 1,
    }  # fmt: skip
    event = {"type": "identify", "userId": "u-1", "traits": traits}
    assert rules_by_field(event) == {
        "0.externalId": "userId",
        "0.position": "identify.traits.job",
        "0.custom.Plan": "identify.traits.plan tier",
        "0.custom.City": "identify.traits.address.city",
        "0.custom.address_zip": "identify.unlisted = custom",
        "0.custom.Score": "identify.traits.score",
        "0.custom.phone_home": "identify.unlisted = custom",
        "0.custom.other": "identify.unlisted = custom",
        "1.externalId": "userId",
        "1.model": "identify.traits.score",
        "1.dimension": "identify.traits.score",
        "1.value": "identify.traits.score",
    }
    assert why(parse(event), event, MAPPED).unsent == ("traits.internal",)


def test_rules_of_one_event_are_named() -> None:
    """An activity's name, weight and skip by the event's own rules, under the pattern they stand by."""
    bought = {"type": "track", "userId": "u-1", "event": "Order Completed", "properties": {"revenue": 5}}
    assert rules_by_field(bought) == {
        "0.externalId": "userId",
        "0.action": 'track.events."Order *".action',
        "0.weight": 'track.events."Order *".weight',
        "0.info.revenue": 'track.events."Order *".unlisted = info',
    }
    noise = {"type": "track", "userId": "u-1", "event": "Noise"}
    told = why(parse(noise), noise, MAPPED)
    assert (told.skipped, told.rule, told.sources) == (
        SkipReason.DENIED,
        'track.events."Noise".skip',
        ("event",),
    )


def test_a_deletion_is_named() -> None:
    """What a delete call comes to by rule is that rule's."""
    event = {"type": "delete", "userId": "u-1"}
    assert rules_by_field(event) == {"0.externalId": "userId", "0.archives": "calls.delete"}


@unhurried
@given(good_events, st.sampled_from(Flatten), st.booleans())
def test_exactly_what_mapped_rules_make_is_named(
    event: dict[str, Any], flatten: Flatten, keeps_others: bool
) -> None:
    """Under rules of every kind, too, causes name each field of each operation, and each has a rule."""
    traits = replace(MAPPED.identify, flatten=flatten, keeps_others=keeps_others)
    chosen = replace(MAPPED, identify=traits, group=traits, track=ActivityRules(properties=traits))
    result, told = told_of(parse(event), event, chosen), why(parse(event), event, chosen)
    made = result.operations if isinstance(result, Transformed) else ()
    assert [(each.operation, each.field) for each in told.causes] == [
        (number, name) for number, operation in enumerate(made) for name in fields_of(operation)
    ]
    assert all(each.rule for each in told.causes)


@pytest.mark.parametrize("score", ["7", "1,200", "$12.50", "-3", "1e3", " 4 ", "0.5"])
def test_text_that_is_read_as_a_number_is_told_of_its_rule(score: str) -> None:
    """However a number is spelled, another one in its place is a number, and a metric, too."""
    event = {"type": "identify", "userId": "u-1", "traits": {"score": score}}
    told = why(parse(event), event, MAPPED)

    assert told.unsent == ()
    assert [
        (each.operation, each.field, each.sources) for each in told.causes if each.field != "externalId"
    ] == [
        (0, "custom.Score", ("traits.score",)),
        (1, "model", ("traits.score",)),
        (1, "dimension", ("traits.score",)),
        (1, "value", ("traits.score",)),
    ]


@pytest.mark.parametrize("seats", [None, "many", 3])
def test_a_default_that_is_a_metric_is_told_of_what_it_stands_for(seats: object) -> None:
    """With the trait the metric goes, and so it is the trait's; nothing else of the call is told by that."""
    file = (
        '[identify.traits]\nseats = { to = ["metric:seats", "custom:Seats"], type = "number", default = 3 }'
    )
    event = {"type": "identify", "userId": "u-1", "traits": {"seats": seats, "n": 1}}
    told = why(parse(event), event, read_mapping(file).rules)

    assert told.unsent == ()
    assert {(each.operation, each.field): each.sources for each in told.causes} == {
        (0, "custom.n"): ("traits.n",),
        (0, "custom.Seats"): ("traits.seats",),
        (0, "externalId"): ("userId",),
        (1, "externalId"): ("userId",),
        (1, "model"): ("traits.seats",),
        (1, "dimension"): ("traits.seats",),
        (1, "value"): ("traits.seats",),
    }


def test_an_object_without_a_part_is_told() -> None:
    """What is empty comes from somewhere, where it is sent at all."""
    event = {"type": "identify", "userId": "u-1", "traits": {"empty": {}, "none": []}}
    as_text = replace(MAPPED, identify=replace(MAPPED.identify, flatten=Flatten.TEXT))

    assert why(parse(event), event, Rules()).unsent == ("traits.empty",)
    assert causes_of(event, as_text)["custom.empty"].sources == ("traits.empty",)
    assert causes_of(event, as_text)["custom.none"].sources == ("traits.none",)


@pytest.mark.parametrize(
    ("event", "rule"),
    [
        ({"type": "page", "name": "Home"}, "page.action_named"),
        ({"type": "page", "name": "Home", "category": "Docs"}, "page.action_named"),
        ({"type": "page", "category": "Docs"}, "page.action_unnamed"),
        ({"type": "page"}, "page.action_unnamed"),
        ({"type": "screen", "name": "Home"}, "screen.action_named"),
        ({"type": "track", "event": "Opened"}, "track.action"),
    ],
)
@pytest.mark.parametrize("template", ["{category} {name}", "fixed", "{category} x"])
def test_what_names_an_activity_is_a_key_of_the_file(event: dict[str, Any], rule: str, template: str) -> None:
    """Whoever looks for it finds it in docs/mapping.md, be the name the call's or the rule's alone."""
    named = ActivityRules(template, "at {category}")
    chosen = Rules(track=ActivityRules("did it"), page=named, screen=named, deliver_screens=True)

    assert causes_of({"userId": "u-1", **event}, chosen)["action"].rule == rule
