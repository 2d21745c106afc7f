"""Laws of which companies a call puts its user into."""

from typing import Any

import pytest

from streamer.events.parse import parse
from streamer.mapping.reading import read_mapping
from streamer.outcomes import Endpoint, Fate
from streamer.transform import Rules, Transformed, transform
from streamer.transform.choices import Companies
from streamer.transform.identity import companies_of, company_of
from streamer.transform.operations import LogActivity, UpsertEnduser
from tests.engine.fakes import Bench

ALL = Rules(companies=Companies.ALL)
TWO = [{"id": "a", "name": "A"}, {"id": 7, "plan": "pro"}]


@pytest.mark.parametrize(
    ("law", "context", "traits", "companies"),
    [
        ("nothing", {}, {}, ()),
        ("context.groupId", {"groupId": "g"}, {}, ("g",)),
        ("its other spelling, as Segment's library reads it", {"group_id": 7}, {}, ("7",)),
        ("the documented spelling first", {"groupId": "g", "group_id": "h"}, {}, ("g",)),
        ("an empty one is none", {"groupId": " "}, {"companyId": "i"}, ("i",)),
        ("a number is one, 0 as well", {"groupId": 0}, {"companyId": "i"}, ("0",)),
        ("a list of companies", {}, {"companies": TWO}, ("a", "7")),
        ("what else names one comes first", {}, {"companies": TWO, "company": {"id": "c"}}, ("c", "a", "7")),
        ("only one of what else names one", {"groupId": "g"}, {"companies": [], "companyId": "i"}, ("g",)),
        ("each once", {"groupId": "7"}, {"companies": [*TWO, *TWO]}, ("7", "a")),
        (
            "entries without an id name none",
            {},
            {"companies": [{"name": "A"}, None, "b", {"id": ""}, *TWO]},
            ("a", "7"),
        ),
        ("what is no list names none", {}, {"companies": {"id": "a"}, "company_id": "s"}, ("s",)),
        (
            "a company that is left is none",
            {},
            {"companies": [{"id": "a", "remove": True}, {"id": "b", "remove": False}, {"id": "c"}]},
            ("b", "c"),
        ),
        (
            "nor where it is named elsewhere",
            {"groupId": "a"},
            {"companies": [{"id": "a", "remove": "true"}, {"id": "a"}, {"id": "b"}], "companyId": "a"},
            ("b",),
        ),
        ("company.remove", {}, {"company": {"id": "c", "remove": True}}, ()),
        ("company.remove and another", {}, {"company": {"id": "c", "remove": 1}, "companyId": "i"}, ("i",)),
        ("company.remove of the context's", {"groupId": "c"}, {"company": {"id": "c", "remove": True}}, ()),
        ("a removal of nobody", {"groupId": "g"}, {"company": {"remove": True}}, ("g",)),
        ("not removed", {}, {"company": {"id": "c", "remove": None}}, ("c",)),
    ],
)
def test_companies_of_a_user(
    law: str, context: dict[str, Any], traits: dict[str, Any], companies: tuple[str, ...]
) -> None:
    """One reference of several places, then those of the list; what is left is a reference nowhere."""
    assert companies_of(context, traits) == companies, law
    assert company_of(context, traits) == (companies[0] if companies else None), law


def identified(rules: Rules, **traits: Any) -> list[UpsertEnduser]:
    """The upserts of an identify call."""
    result = transform(parse({"type": "identify", "userId": "u-1", "traits": traits}), rules)
    assert isinstance(result, Transformed)
    assert all(isinstance(each, UpsertEnduser) for each in result.operations)
    return [each for each in result.operations if isinstance(each, UpsertEnduser)]


def test_by_default_the_first_company_is_the_users() -> None:
    """One upsert, whatever the list holds."""
    (upsert,) = identified(Rules(), companies=TWO)
    assert upsert.company_external_id == "a"


def test_by_rule_the_user_is_put_into_each() -> None:
    """One upsert for each company, alike but for that, in the order of the list."""
    upserts = identified(ALL, companies=TWO, plan="pro")
    assert [each.company_external_id for each in upserts] == ["a", "7"]
    assert upserts[0].with_company("7") == upserts[1]
    assert upserts[1].custom["plan"] == "pro"
    (alone,) = identified(ALL, companies=[{"id": "a", "remove": True}])
    assert alone.company_external_id is None
    (alone,) = identified(ALL, company={"id": "c"})
    assert alone.company_external_id == "c"


def test_an_activity_is_of_one_company() -> None:
    """It happened once, so it is told once, whatever the rule."""
    value = {"type": "track", "userId": "u-1", "event": "X", "context": {"traits": {"companies": TWO}}}
    result = transform(parse(value), ALL)
    assert isinstance(result, Transformed)
    (operation,) = result.operations
    assert isinstance(operation, LogActivity)
    assert operation.company_external_id == "a"


def test_a_company_that_is_left_is_not_told_of_the_user() -> None:
    """Neither as a reference nor in `custom`: it describes what they no longer have."""
    (upsert,) = identified(Rules(), company={"id": "c", "name": "C", "remove": True}, plan="pro")
    assert upsert.company_external_id is None
    assert upsert.custom == {"plan": "pro"}


def test_no_rule_tells_of_a_company_that_is_left() -> None:
    """A rule for a part of `company` is for the user's company; of one they leave it tells nothing."""
    rules = read_mapping(
        '[identify.traits]\n"company.plan" = "title"\n"company.size" = "custom:Size"\n'
    ).rules
    of_a_company = {"id": "c", "plan": "gold", "size": 7}

    (upsert,) = identified(rules, company=of_a_company)
    assert (upsert.fields["title"], upsert.custom["Size"]) == ("gold", 7)
    (upsert,) = identified(rules, company={**of_a_company, "remove": True}, plan="pro")
    assert (upsert.fields, upsert.custom) == ({}, {"plan": "pro"})


def test_the_engine_tells_one_company_after_the_other() -> None:
    """They are of one user, so no bulk holds two of them, and the record is settled with the last."""
    bench = Bench(rules=ALL)
    bench.source.feed({"type": "identify", "messageId": "m", "userId": "u-1", "traits": {"companies": TWO}})
    bench.turn(8)
    told = bench.sink.operations(Endpoint.ENDUSERS)
    assert [each.company_external_id for each in told if isinstance(each, UpsertEnduser)] == ["a", "7"]
    assert bench.told.fates[Fate.DELIVERED] == 1
    assert bench.committed() == 1
