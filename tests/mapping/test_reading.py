"""Laws of reading a mapping file: what it says is what holds, and every mistake is named by its line."""

import json
from pathlib import Path
from typing import Any

import pytest

from streamer.events.parse import parse
from streamer.mapping import MappingMistakes, json_schema, read_mapping
from streamer.transform import Rules, Skipped, Transformed, transform
from streamer.transform.choices import Companies, Deletion
from streamer.transform.operations import DeleteEnduser, LogActivity, PushMetric, UpsertCompany, UpsertEnduser

DOCS = Path(__file__).parents[2] / "docs"


def mistakes(text: str) -> list[str]:
    """What is wrong with a text, each with its line."""
    with pytest.raises(MappingMistakes) as raised:
        read_mapping(text)
    return list(map(str, raised.value.mistakes))


def rules(text: str) -> Rules:
    """The rules of a text without mistakes."""
    return read_mapping(text).rules


def operations(text: str, **event: Any) -> tuple[Any, ...]:
    """What an event becomes under a mapping."""
    result = transform(parse({"userId": "u-1", **event}), rules(text))
    assert isinstance(result, Transformed)
    return result.operations


def enduser(mapping: str, **traits: Any) -> UpsertEnduser:
    """The enduser that these traits become."""
    found = operations(mapping, type="identify", traits=traits)[0]
    assert isinstance(found, UpsertEnduser)
    return found


def company(mapping: str, **traits: Any) -> UpsertCompany:
    """The company that these traits become."""
    found = operations(mapping, type="group", groupId="acme", traits=traits)[0]
    assert isinstance(found, UpsertCompany)
    return found


def activity(mapping: str, event: str = "Logged In", **properties: Any) -> LogActivity:
    """The activity that a track call becomes."""
    found = operations(mapping, type="track", event=event, properties=properties)[0]
    assert isinstance(found, LogActivity)
    return found


def metrics(mapping: str, **event: Any) -> dict[str, float]:
    """The metrics that an event becomes."""
    return {
        each.dimension: each.value for each in operations(mapping, **event) if isinstance(each, PushMetric)
    }


# --- defaults --------------------------------------------------------------------------------------


def test_the_example_equals_the_defaults() -> None:
    """mapping.example.toml says every default aloud, and nothing in it is doubtful."""
    text = (DOCS / "mapping.example.toml").read_text(encoding="utf-8")

    assert read_mapping(text) == (Rules(), ())


def test_the_example_holds_every_key() -> None:
    """Every key of the format but those of rules stands in the example, so that it can be copied from."""
    text = (DOCS / "mapping.example.toml").read_text(encoding="utf-8")
    for name, table in json_schema()["$defs"].items():
        if "Rule" in name or name == "Event":
            continue
        for key in table.get("properties", {}):
            assert f"\n{key} = " in text or f".{key}]" in text, f"{name}.{key}"


def test_an_empty_file_says_nothing() -> None:
    """Whatever is absent is as in the defaults."""
    assert read_mapping("") == (Rules(), ())


def test_default_rules_stay_where_the_file_has_none() -> None:
    """A rule takes the place of the default one for its trait, and of no other."""
    found = enduser('[identify.traits]\ntitle = "custom:Job"', title="CTO", phone="1", firstName="Ada")

    assert (found.fields, found.custom) == ({"phone": "1", "firstName": "Ada"}, {"Job": "CTO"})


# --- traits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "value", "fields", "custom"),
    [
        ('"phone"', "1", {"phone": "1"}, {}),
        ('"custom:Plan tier"', "pro", {}, {"Plan tier": "pro"}),
        ('["position", "custom:Job"]', "CTO", {"position": "CTO"}, {"Job": "CTO"}),
        ('"drop"', "secret", {}, {}),
        ('{ to = "custom:N", type = "number" }', "$1,200.50", {}, {"N": 1200.5}),
        ('{ to = "custom:N", type = "number" }', True, {}, {"N": 1}),
        ('{ to = "custom:N", type = "number" }', "n/a", {}, {"x": "n/a"}),
        ('{ to = "custom:x", type = "number" }', "n/a", {}, {}),
        ('{ to = "custom:N", type = "number", default = 0 }', "n/a", {}, {"N": 0}),
        ('{ to = "custom:N", type = "number", default = 0 }', None, {}, {"N": 0}),
        ('{ to = "custom:N", type = "number", default = "1,200" }', None, {}, {"N": 1200}),
        (
            '{ to = "custom:D", type = "date", default = "2026-01-05" }',
            "?",
            {},
            {"D": "2026-01-05T00:00:00.000Z"},
        ),
        ('{ to = "custom:N", type = "number" }', None, {}, {"N": None}),
        ('{ to = "custom:T", type = "text" }', True, {}, {"T": "true"}),
        ('{ to = "custom:T", type = "text" }', 7.0, {}, {"T": "7"}),
        ('{ to = "custom:T", type = "text" }', {"a": [1]}, {}, {"T": '{"a":[1]}'}),
        ('{ to = "custom:B", type = "boolean" }', " Yes ", {}, {"B": True}),
        ('{ to = "custom:B", type = "boolean" }', 0, {}, {"B": False}),
        ('{ to = "custom:B", type = "boolean" }', "maybe", {}, {"x": "maybe"}),
        ('{ to = "custom:D", type = "date" }', "2026-01-05", {}, {"D": "2026-01-05T00:00:00.000Z"}),
        ('{ to = "custom:D", type = "date" }', 1767225600, {}, {"D": "2026-01-01T00:00:00.000Z"}),
        ('{ to = "custom:L", type = "list" }', "a, b,,c", {}, {"L": ["a", "b", "c"]}),
        ('{ to = "custom:L", type = "list" }', 7, {}, {"L": [7]}),
        ('"featured"', "yes", {"featured": True}, {}),
        ('"featured"', "maybe", {}, {"x": "maybe"}),
        ('"tags"', "a,b", {"tags": ["a", "b"]}, {}),
        ('"tags"', None, {"tags": None}, {}),
        ('"name"', "  ", {}, {}),
        ('"phone"', {"home": "1"}, {}, {"x_home": "1"}),
    ],
)
def test_a_trait_goes_where_its_rule_says(rule: str, value: Any, fields: Any, custom: Any) -> None:
    """To a field, a custom field or nowhere, made into its type; what cannot be goes where others go."""
    found = enduser(f"[identify.traits]\nx = {rule}", x=value)

    assert json.dumps([found.fields, found.custom]) == json.dumps([fields, custom])


def test_a_default_stands_for_no_absent_trait() -> None:
    """A call that says nothing of a trait must not overwrite what another call said of it."""
    assert enduser('[identify.traits]\nx = { to = "custom:X", default = 1 }', y=2).custom == {"y": 2}


@pytest.mark.parametrize("spelling", ["firstName", "first_name"])
@pytest.mark.parametrize("named", ["firstName", "first_name"])
def test_a_rule_is_for_both_spellings(spelling: str, named: str) -> None:
    """Segment accepts reserved traits in both spellings, so a rule for one is one for the other."""
    found = enduser(f'[identify.traits]\n{named} = "custom:First"', **{spelling: "Ada"})

    assert (found.fields, found.custom) == ({}, {"First": "Ada"})


def test_each_spelling_may_have_its_own_rule() -> None:
    """Where the file names both, each is what it says."""
    mapping = '[identify.traits]\ncreatedAt = "custom:A"\ncreated_at = "custom:B"'

    assert enduser(mapping, createdAt=1, created_at=2).custom == {"A": 1, "B": 2}


def test_what_lies_deeper_is_taken_out_of_its_object() -> None:
    """A path names a part; what is left of the object goes where the object does."""
    mapping = '[identify.traits]\n"address.city" = "custom:City"\n"address.geo.lat" = "drop"'
    found = enduser(mapping, address={"city": "Bergen", "zip": "5", "geo": {"lat": 1, "lon": 2}})

    assert found.custom == {"City": "Bergen", "address_zip": "5", "address_geo_lon": 2}


@pytest.mark.parametrize(
    ("rules_of_parts", "custom"),
    [
        (('"a.b" = "custom:B"', '"a.b.c" = "custom:C"'), {"B_d_e": 2, "B_d_f": 3, "C": 1, "a_g": 4}),
        (('"a.b" = "custom:B"', '"a.b.c" = "drop"'), {"B_d_e": 2, "B_d_f": 3, "a_g": 4}),
        (('"a.b" = "custom:B"', '"a.b.d.e" = "drop"'), {"B_c": 1, "B_d_f": 3, "a_g": 4}),
        (('"a.b" = "custom:B"', '"a.b.c" = "drop"', '"a.b.d" = "drop"'), {"a_g": 4}),
        (('"a.b" = "drop"', '"a.b.c" = "custom:C"'), {"C": 1, "a_g": 4}),
        (('a = "custom:A"', '"a.b" = "custom:B"', '"a.b.d" = "drop"'), {"A_g": 4, "B_c": 1}),
        (('"a.b" = { to = "custom:B", type = "text" }', '"a.b.d" = "drop"'), {"B": '{"c":1}', "a_g": 4}),
    ],
)
@pytest.mark.parametrize("in_order", [True, False])
def test_what_lies_deeper_still_is_taken_out_as_well(
    rules_of_parts: tuple[str, ...], custom: Any, in_order: bool
) -> None:
    """However deep: what a rule drops or sends elsewhere does not go with the object around it."""
    ordered = rules_of_parts if in_order else rules_of_parts[::-1]
    mapping = "\n".join(("[identify.traits]", *ordered))

    assert enduser(mapping, a={"b": {"c": 1, "d": {"e": 2, "f": 3}}, "g": 4}).custom == custom


@pytest.mark.parametrize("value", ["12 Main St", 5, None, True, ["x"], []])
def test_what_is_no_object_goes_where_it_would_go_without_the_path(value: Any) -> None:
    """A rule for a part says nothing of a trait that has no parts: it must not vanish with them."""
    assert enduser('[identify.traits]\n"address.city" = "custom:City"', address=value).custom == {
        "address": value
    }
    assert company('[group.traits]\n"plan.tier" = "drop"', plan=value).custom == {"plan": value}
    assert activity('[track.properties]\n"order.total" = "info:T"', order=value).info == {"order": value}
    dropping = '[identify]\nunlisted = "drop"\n[identify.traits]\n"address.city" = "custom:City"'
    assert enduser(dropping, address=value).custom == {}


def test_a_rule_for_the_whole_is_one_for_what_is_no_object() -> None:
    """Where the trait has a rule beside those for its parts, it is told once, by that."""
    mapping = '[identify.traits]\n"address.city" = "custom:City"\naddress = "custom:Where"'

    assert enduser(mapping, address="12 Main St").custom == {"Where": "12 Main St"}
    assert enduser(mapping, address={"city": "Oslo", "zip": "1"}).custom == {"City": "Oslo", "Where_zip": "1"}


def test_the_rest_of_an_object_follows_the_rule_for_it() -> None:
    """Parts go their own way, and the object's own rule is for what is left."""
    mapping = '[identify.traits]\naddress = "drop"\n"address.city" = "custom:City"'

    assert enduser(mapping, address={"city": "Bergen", "zip": "5"}).custom == {"City": "Bergen"}
    assert enduser(mapping, address="Bergen").custom == {}


def test_a_trait_named_with_a_dot_comes_before_the_path() -> None:
    """`address.city` is the trait of that name where there is one."""
    mapping = '[identify.traits]\n"address.city" = "custom:City"'

    assert enduser(mapping, **{"address.city": "A", "address": {"city": "B"}}).custom == {"City": "A"}


def test_the_later_rule_wins_and_is_named() -> None:
    """Two traits to one field are allowed, doubtful, and decided by the order of the file."""
    mapping = '[identify.traits]\nnick = "custom:Nick"\n\nalias = "custom:Nick"\n'

    assert enduser(mapping, alias="b", nick="a").custom == {"Nick": "b"}
    (warning,) = read_mapping(mapping).warnings
    assert str(warning) == (
        "line 4: identify.traits.alias: 'nick' goes to 'Nick' too; where a call has both, 'alias' wins"
    )


def test_the_files_rule_wins_over_a_default_one() -> None:
    """What the file says comes after the defaults it does not name, whichever trait a call has first."""
    mapping = '[identify.traits]\nmobile = "phone"'

    assert enduser(mapping, mobile="2", phone="1").fields == {"phone": "2"}
    assert enduser(mapping, phone="1", mobile="2").fields == {"phone": "2"}
    assert enduser(mapping, phone="1").fields == {"phone": "1"}


@pytest.mark.parametrize(
    ("flatten", "custom"),
    [
        ("join", {"a_b": 1, "l": ["x"], "o": '[{"c":2}]'}),
        ("text", {"a": '{"b":1}', "l": ["x"], "o": '[{"c":2}]'}),
        ("drop", {"l": ["x"]}),
    ],
)
def test_objects_are_flattened_as_the_file_says(flatten: str, custom: Any) -> None:
    """Joined, as JSON text, or not at all; lists of scalars are no objects."""
    found = enduser(f'[identify]\nflatten = "{flatten}"', a={"b": 1}, l=["x"], o=[{"c": 2}])

    assert found.custom == custom


def test_unlisted_traits_may_be_dropped() -> None:
    """Only what has a rule is told."""
    found = enduser(
        '[identify]\nunlisted = "drop"\n[identify.traits]\na = "custom:A"', a=1, b=2, phone={"x": 1}
    )

    assert (found.fields, found.custom) == ({}, {"A": 1})


@pytest.mark.parametrize(
    ("rule", "custom"),
    [("", {"email": "none"}), ('email = "drop"', {}), ('email = "custom:Mail"', {"Mail": "none"})],
)
def test_what_names_the_user_can_have_a_rule(rule: str, custom: Any) -> None:
    """It names the user all the same; the rule says where else it goes."""
    assert enduser(f"[identify.traits]\n{rule}", email="none").custom == custom
    assert enduser(f"[identify.traits]\n{rule}", email="a@b.co").email == "a@b.co"


def test_unlisted_and_flatten_hold_for_what_names_the_user() -> None:
    """Ids and the company that say more are others like any trait: dropped, or flattened as those are."""
    traits = {"id": "other", "email": "none", "company": {"id": "c", "name": "C"}}

    assert enduser('[identify]\nunlisted = "drop"', **traits).custom == {}
    assert enduser('[identify]\nunlisted = "drop"', **traits).company_external_id == "c"
    found = enduser('[identify]\nflatten = "text"', **traits).custom
    assert found == {"id": "other", "email": "none", "company": '{"name":"C"}'}
    assert company('[group]\nunlisted = "drop"', id="other").custom == {}


def test_a_company_left_is_so_under_any_rules() -> None:
    """A rule for another part of what names the company does not hide that the user leaves it."""
    mapping = '[identify.traits]\n"company.remove" = "drop"'
    found = enduser(mapping, company={"id": "c", "remove": True, "name": "C"}, companyId="c")

    assert (found.company_external_id, found.custom) == (None, {})


def test_parts_of_the_company_can_have_rules() -> None:
    """The company is found by its id all the same, and the rest of it is told as before."""
    found = enduser(
        '[identify.traits]\n"company.plan" = "custom:Plan"', company={"id": "c", "plan": "p", "name": "C"}
    )

    assert found.company_external_id == "c"
    assert found.custom == {"Plan": "p", "company_name": "C"}


def test_source_is_segment_whatever_traits_say() -> None:
    """A trait of that name is an ordinary one, and no rule reaches the field."""
    assert enduser("", source="web").custom == {"source": "web"}
    assert "'source' is always Segment" in mistakes('[identify.traits]\nx = "source"')[0]


def test_companies_have_rules_of_their_own() -> None:
    """[group] says what becomes of a company's traits."""
    mapping = '[group]\nunlisted = "drop"\n[group.traits]\ntier = "phase"\n"address.city" = "custom:Town"'
    found = company(mapping, tier=1, plan="x", address={"city": "Bergen", "street": "1 Main"})

    assert (found.fields, found.custom) == ({"phase": "1", "address": "1 Main"}, {"Town": "Bergen"})


# --- metrics ---------------------------------------------------------------------------------------


def test_numbers_are_pushed_as_metrics_by_name() -> None:
    """Traits that match and are numbers are metrics too; they stay in custom."""
    mapping = '[identify]\nmetrics = ["usage *", "seats"]'
    traits = {"usage a": 1.5, "seats": True, "other": 2, "usage b": "3"}

    assert metrics(mapping, type="identify", traits=traits) == {"usage_a": 1.5}
    assert enduser(mapping, **traits).custom == traits


def test_what_is_dropped_is_no_metric() -> None:
    """It goes nowhere, whatever pattern its name matches."""
    mapping = '[identify]\nmetrics = ["*"]\n[identify.traits]\nsalary = "drop"'

    assert metrics(mapping, type="identify", traits={"salary": 5, "seats": 1}) == {"seats": 1}


def test_a_metric_is_of_who_has_an_external_id() -> None:
    """Planhat takes metrics by external id alone; without one the trait goes where others go."""
    mapping = '[identify.traits]\nscore = "metric:score"'
    event = {
        "type": "identify",
        "userId": None,
        "anonymousId": "a",
        "traits": {"email": "a@b.co", "score": 5},
    }

    assert metrics(mapping, **event) == {}
    assert operations(mapping, **event)[0].custom == {"score": 5}
    assert metrics(mapping, type="identify", traits={"score": 5}) == {"score": 5}
    assert metrics('[group.traits]\nmrr = "metric:mrr"', type="group", groupId="g", traits={"mrr": 9}) == {
        "mrr": 9
    }


# --- activities --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weight", "event", "properties", "expected"),
    [
        ('"revenue"', "Paid", {"revenue": "$12.50"}, 12.5),
        ('"revenue"', "Paid", {"revenue": 7}, 7),
        ('"revenue"', "Paid", {"revenue": "free"}, 1),
        ('"revenue"', "Paid", {"revenue": True}, 1),
        ('"revenue"', "Paid", {"total": 30}, 1),
        ('"revenue"', "Order Completed", {"total": "$30"}, 30),
        ('"revenue"', "completed_order", {"total": 30}, 30),
        ('"revenue"', "Order Completed", {"total": 30, "revenue": 20}, 20),
        ('"value"', "Order Completed", {"value": "1,000", "total": 30}, 1000),
        ('"value"', "Order Completed", {"total": 30}, 1),
        ('"points"', "Paid", {"points": "5"}, 1),
        ("2.5", "Paid", {"weight": 9}, 2.5),
        ("0", "Paid", {}, 0),
    ],
)
def test_weights(weight: str, event: str, properties: Any, expected: float) -> None:
    """From a property, amounts of money also as text, an order's total for its revenue; or a number."""
    assert activity(f"[track]\nweight = {weight}", event, **properties).weight == expected


def test_events_have_rules_of_their_own_and_the_most_exact_counts() -> None:
    """A whole name beats wildcards, more letters beat fewer, a ? a *; what is not said is as in [track]."""
    mapping = """
[track]
weight = "points"
[track.events."*"]
action = "any"
[track.events."Order *"]
action = "order: {event}"
[track.events."Order ?"]
action = "one"
[track.events."Order Completed"]
action = "done {{}}"
weight = 5
"""
    told = {
        event: activity(mapping, event, points=2)
        for event in ("X", "Order Paid", "Order 1", "Order Completed")
    }

    assert {event: (each.action, each.weight) for event, each in told.items()} == {
        "X": ("any", 2),
        "Order Paid": ("order: Order Paid", 2),
        "Order 1": ("one", 2),
        "Order Completed": ("done {}", 5),
    }


def test_an_event_can_be_skipped() -> None:
    """`skip` and the lists of events keep events out, each counted by its reason."""
    mapping = '[events]\nallow = ["A*", "B"]\ndeny = ["A!"]\n[track.events.B]\nskip = true'

    def becomes(event: str) -> Any:
        return transform(parse({"type": "track", "userId": "u", "event": event}), rules(mapping))

    assert isinstance(becomes("A?"), Transformed)
    assert [becomes(event) for event in ("A!", "B", "C")] == [
        Skipped("denied"),  # type: ignore[arg-type]
        Skipped("denied"),  # type: ignore[arg-type]
        Skipped("not_allowed"),  # type: ignore[arg-type]
    ]


def test_properties_are_renamed_dropped_and_pushed() -> None:
    """Rules for properties are those for traits, with info in the place of custom; here defaults fill in."""
    mapping = """
[track.properties]
amount = "info:Amount"
secret = "drop"
"order.total" = ["info:Total", "metric:total"]
tier = { to = "info:Tier", default = "none" }
"""
    properties: dict[str, Any] = {
        "amount": 5,
        "secret": "x",
        "order": {"total": 9, "n": 1},
        "other": {"a": [1]},
    }
    expected = {"Amount": 5, "Total": 9, "order": {"n": 1}, "other": {"a": [1]}, "Tier": "none"}

    assert activity(mapping, **properties).info == expected
    assert activity(mapping, tier="gold").info == {"Tier": "gold"}
    assert metrics(mapping, type="track", event="E", properties=properties) == {"total": 9}


def test_only_listed_properties_where_the_file_says_so() -> None:
    """Unlisted properties may be dropped, for one event or for all; the messageId stays."""
    mapping = (
        '[track]\nunlisted = "drop"\n[track.properties]\na = "info:a"\n[track.events.E]\nunlisted = "info"'
    )

    assert activity(mapping, "D", a=1, b=2).info == {"a": 1}
    assert activity(mapping, "E", a=1, b=2).info == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("parts", "action"),
    [
        ({"name": "Home", "category": "Docs"}, "Home/Docs 100%"),
        ({"name": "Home"}, "Home/100%"),
        ({"category": "Docs"}, "Some Docs page"),
        ({}, "Some page"),
    ],
)
def test_pages_are_named_by_templates(parts: Any, action: str) -> None:
    """Placeholders are filled in as often and in the order they stand; an absent category leaves no gap."""
    mapping = '[page]\naction_named = "{name}/{category} 100%"\naction_unnamed = "Some {category} page"'
    (found,) = operations(mapping, type="page", **parts)

    assert found.action == action


def test_calls_that_segments_destination_leaves_out() -> None:
    """Screens are activities, and deletes archive or delete, where the file says so."""
    found = rules('[calls]\nscreen = "activity"\ndelete = "delete"\n[identify]\ncompanies = "all"')

    assert found.deliver_screens
    assert found.deletion is Deletion.DELETE
    assert found.companies is Companies.ALL
    (archived,) = operations('[calls]\ndelete = "archive"', type="delete")
    assert archived == DeleteEnduser("u-1", None, archives=True)
    (deleted,) = operations('[calls]\ndelete = "delete"', type="delete", userId="a@b.co")
    assert (deleted.external_id, deleted.email) == ("a@b.co", "a@b.co")


def test_endusers_in_all_companies_are_not_archived_one_of_several() -> None:
    """Planhat archives one by its id, and another stays: deleted they are until nobody is left."""
    with pytest.raises(MappingMistakes) as refused:
        read_mapping('[identify]\ncompanies = "all"\n[calls]\ndelete = "archive"')
    (mistake,) = refused.value.mistakes
    assert mistake.line == 4
    assert mistake.text.startswith("calls.delete: with identify.companies = 'all'")
