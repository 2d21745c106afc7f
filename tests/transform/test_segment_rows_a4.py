"""Segment's call types: what its specification and its own library say of each, row by row.

A name begins with the row: `a4_identify_2` is the second thing said of identify. Where we differ on purpose
the name ends in `_differs`, and docs/coming-from-segment.md says why.
"""

from typing import Any

import pytest

from streamer.transform import Rules
from streamer.transform.choices import Companies
from tests.transform.told import group, identify, page, reason, told, told_one, track

MAIL = "u-1@acme.example"


# --- identify ------------------------------------------------------------------------------------


def test_a4_identify_1_either_id_and_traits_are_optional() -> None:
    """A user id, an anonymous id or both; traits or none. Without any identity there is nobody to tell of."""
    assert told_one(identify())["externalId"] == "u-1"
    assert told_one(identify(anonymousId="a-1"))["externalId"] == "u-1"
    assert told_one({"type": "identify", "anonymousId": "a-1", "traits": {"email": MAIL}})["email"] == MAIL
    assert reason({"type": "identify", "anonymousId": "a-1"}) == "anonymous"
    assert reason({"type": "identify"}) == "no_user_anon_id"


def test_a4_identify_2_every_reserved_trait_is_told() -> None:
    """Those that Planhat has fields for go there, all others to `custom`; none is lost."""
    traits: dict[str, Any] = {
        "address": {"street": "1 Main", "city": "X", "state": "Y", "postalCode": "1", "country": "Z"},
        "age": 40,
        "avatar": "https://a.example/1.png",
        "birthday": "1980-05-05",
        "company": {"name": "Acme", "id": 7, "industry": "Tools", "employee_count": 20, "plan": "pro"},
        "createdAt": "2026-01-05T10:00:00Z",
        "description": "d",
        "email": MAIL,
        "firstName": "Ann",
        "gender": "f",
        "id": "u-1",
        "lastName": "Lee",
        "name": "Ann Lee",
        "phone": "1",
        "title": "CFO",
        "username": "ann",
        "website": "https://a.example",
    }
    enduser = told_one(identify(traits=traits))
    custom = enduser.pop("custom")
    plain = {"firstName": "Ann", "lastName": "Lee", "name": "Ann Lee", "phone": "1", "email": MAIL}
    plain |= {"title": "CFO", "position": "CFO", "companyId": "extid-7", "externalId": "u-1"}
    assert {key: enduser.get(key) for key in plain} == plain
    assert custom == {
        **{f"address_{part}": text for part, text in traits["address"].items()},
        "company_name": "Acme",
        "company_industry": "Tools",
        "company_employee_count": 20,
        "company_plan": "pro",
        **{key: traits[key] for key in ("age", "avatar", "birthday", "createdAt", "description")},
        **{key: traits[key] for key in ("gender", "username", "website")},
    }


@pytest.mark.parametrize("number", ["7", 7])
def test_a4_identify_3_a_companys_id_is_text_or_a_number(number: Any) -> None:
    """Both are the same company."""
    assert told_one(identify(traits={"company": {"id": number}}))["companyId"] == "extid-7"


def test_a4_identify_4_a_name_is_made_of_first_and_last() -> None:
    """Only where both are given and no name is."""
    assert told_one(identify(traits={"firstName": "Ann", "lastName": "Lee"}))["name"] == "Ann Lee"
    assert told_one(identify(traits={"firstName": "A", "lastName": "L", "name": "Ann"}))["name"] == "Ann"
    assert "name" not in told_one(identify(traits={"firstName": "Ann"}))


@pytest.mark.parametrize("first", ["firstName", "first_name"])
@pytest.mark.parametrize("last", ["lastName", "last_name"])
def test_a4_identify_5_both_spellings_are_one_trait(first: str, last: str) -> None:
    """`firstName` and `first_name` are the same field, and no custom one."""
    enduser = told_one(identify(traits={first: "Ann", last: "Lee", "company_id": "acme"}))
    assert (enduser["firstName"], enduser["lastName"], enduser["name"]) == ("Ann", "Lee", "Ann Lee")
    assert enduser["companyId"] == "extid-acme"
    assert not enduser.get("custom")


@pytest.mark.parametrize("one_after_the_other", [("firstName", "first_name"), ("first_name", "firstName")])
def test_a4_identify_5_of_both_spellings_segments_own_counts(one_after_the_other: tuple[str, str]) -> None:
    """Where a call has both, the one that Segment's page names wins, whichever came first."""
    said = {"firstName": "Ann", "first_name": "ann"}
    traits = {name: said[name] for name in one_after_the_other}

    assert told_one(identify(traits=traits))["firstName"] == "Ann"


def test_a4_identify_6_companies_are_a_list() -> None:
    """The first is the user's, or by rule each."""
    value = identify(traits={"companies": [{"id": 1, "name": "A", "created": 1}, {"id": "b", "plan": "pro"}]})
    assert told_one(value)["companyId"] == "extid-1"
    both = told(value, Rules(companies=Companies.ALL))
    assert [each["companyId"] for each in both] == ["extid-1", "extid-b"]


def test_a4_identify_7_a_company_with_remove_is_left() -> None:
    """`remove: true` is no reference: told as one it would put the user into what they leave.

    Planhat's upsert cannot take a user out of a company, so nothing more is told of it.
    """
    for traits in (
        {"company": {"id": "acme", "remove": True}},
        {"companies": [{"id": "acme", "remove": True}]},
        {"companies": [{"id": "acme", "remove": True}, {"id": "acme"}], "companyId": "acme"},
    ):
        assert "companyId" not in told_one(identify(traits=traits))
    kept = {"companies": [{"id": "acme", "remove": True}, {"id": "b"}]}
    assert told_one(identify(traits=kept))["companyId"] == "extid-b"


def test_a4_identify_8_a_company_without_an_id_is_no_reference() -> None:
    """A name alone finds no company: names are not unique."""
    assert "companyId" not in told_one(identify(traits={"company": {"name": "Acme"}}))
    assert "companyId" not in told_one(identify(traits={"companies": [{"name": "Acme"}]}))


# --- track ---------------------------------------------------------------------------------------


def test_a4_track_1_the_event_is_required_text() -> None:
    """Properties are an object, or none."""
    assert told_one(track("Signed Up"))["action"] == "Signed Up"
    assert reason({"type": "track", "userId": "u-1"}) == "event_not_defined"
    assert reason({"type": "track", "userId": "u-1", "event": 7}) == "event_not_string"
    assert reason(track(properties=[1])) == "properties_not_object"


def test_a4_track_2_reserved_properties_are_told_as_they_are() -> None:
    """Revenue, currency and value stand among the activity's info."""
    properties = {"revenue": 19.99, "currency": "EUR", "value": 5}
    activity = told_one(track("Order Completed", properties=properties))
    assert activity["info"] == properties
    assert activity["weight"] == 1


@pytest.mark.parametrize("properties", [{"revenue": "$19.99"}, {"total": 19.99}])
def test_a4_track_3_revenue_is_not_interpreted_differs(properties: dict[str, Any]) -> None:
    """Segment's library reads "$19.99" as a number and takes an order's total for a missing revenue."""
    assert told_one(track("Order Completed", properties=properties))["info"] == properties


def test_a4_track_4_whose_address_properties_hold_differs() -> None:
    """Segment's library looks into properties.email first; it is often somebody else's (who was invited)."""
    invited = {"email": "guest@other.example"}
    assert "email" not in told_one(track("Invited", properties=invited))
    both = track("Invited", properties=invited, context={"traits": {"email": MAIL}})
    assert told_one(both)["email"] == MAIL
    anonymous = {"type": "track", "anonymousId": "a-1", "event": "Signed Up", "properties": {"email": MAIL}}
    assert told_one(anonymous)["email"] == MAIL
    assert told_one(track(userId=MAIL))["email"] == MAIL


# --- page and screen -----------------------------------------------------------------------------


def test_a4_page_1_everything_is_optional() -> None:
    """A page may have no name, no category and no properties."""
    assert told_one(page())["action"] == "Loaded a Page"
    assert told_one(page(category="Docs"))["action"] == "Loaded a Page"


def test_a4_page_2_reserved_properties_are_told_as_they_are() -> None:
    """What analytics.js sends of itself stands among the activity's info."""
    properties: dict[str, Any] = {"keywords": ["a", "b"]}
    properties |= {key: key for key in ("name", "path", "referrer", "search", "title", "url")}
    assert told_one(page(properties=properties))["info"] == properties


def test_a4_page_3_titles_are_those_of_segments_library() -> None:
    """`Viewed <category> <name> Page`."""
    assert told_one(page(name="Install"))["action"] == "Viewed Install Page"
    assert told_one(page(name="Install", category="Docs"))["action"] == "Viewed Docs Install Page"


def test_a4_screen_1_is_as_page_where_it_is_asked_for() -> None:
    """By default it is skipped, as Segment's destination does not take it."""
    screen = {"type": "screen", "userId": "u-1", "name": "Home", "properties": {"name": "Home"}}
    assert reason(screen) == "unsupported_type"
    assert told_one(screen, Rules(deliver_screens=True))["action"] == "Viewed Home Screen"


# --- group ---------------------------------------------------------------------------------------


def test_a4_group_1_the_group_id_is_required() -> None:
    """A user or an anonymous id beside it; the traits are the group's."""
    company, enduser = told(group(traits={"name": "Acme", "email": "info@acme.example"}))
    assert (company["externalId"], company["name"]) == ("acme", "Acme")
    assert "email" not in enduser
    assert told_one({"type": "group", "anonymousId": "a-1", "groupId": "acme"})["externalId"] == "acme"
    assert reason({"type": "group", "userId": "u-1"}) == "id_required"
    assert reason({"type": "group", "groupId": "acme"}) == "no_user_anon_id"


def test_a4_group_2_every_reserved_trait_is_told() -> None:
    """Those that Planhat has fields for go there, all others to `custom`; none is lost."""
    address = {"street": "1 Main", "city": "X", "state": "Y", "postalCode": "1", "country": "Z"}
    plain = {"name": "Acme", "website": "https://a.example", "description": "d", "phone": "1"}
    custom = {"avatar": "https://a.example/1.png", "createdAt": "2026-01-05T10:00:00Z", "plan": "pro"}
    custom |= {"email": "info@acme.example", "employees": "20", "industry": "Tools"}
    company, _ = told(group(traits={**plain, **custom, "id": "acme", "address": address}))
    placed = {"address": "1 Main", "city": "X", "zip": "1", "country": "Z"}
    assert {key: company[key] for key in plain | placed} == plain | placed
    assert company["custom"] == {**custom, "address_state": "Y"}


@pytest.mark.parametrize("employees", ["20", 20])
def test_a4_group_3_employees_are_text_or_a_number(employees: Any) -> None:
    """The type that is sent is the type that is told."""
    company, _ = told(group(traits={"employees": employees}))
    assert company["custom"] == {"employees": employees}


def test_a4_group_4_a_user_may_be_in_several_groups() -> None:
    """Each call puts the user into its own."""
    linked = [told(group(groupId=each))[1] for each in ("acme", "other")]
    assert [(each["externalId"], each["companyId"]) for each in linked] == [
        ("u-1", "extid-acme"),
        ("u-1", "extid-other"),
    ]


def test_a4_group_5_no_call_takes_a_user_out() -> None:
    """Segment has no way to say so, and `remove` among a group's traits is one of the group's."""
    company, enduser = told(group(traits={"remove": True}))
    assert company["custom"] == {"remove": True}
    assert enduser["companyId"] == "extid-acme"


def test_a4_group_6_a_null_clears_and_what_is_absent_stays() -> None:
    """A null clears exactly its field; but never a name, without which nobody finds the company."""
    company, _ = told(group(traits={"plan": None, "website": None, "name": None}))
    assert company["custom"] == {"plan": None}
    assert company["website"] is None
    assert not {"name", "phone", "description"} & company.keys()


def test_a4_group_7_case_counts_differs() -> None:
    """Segment calls trait names case-insensitive; Planhat's custom fields are not."""
    company, _ = told(group(traits={"Plan": "pro", "plan": "free"}))
    assert company["custom"] == {"Plan": "pro", "plan": "free"}


def test_a4_group_8_names_may_hold_spaces() -> None:
    """As the specification's own example does."""
    company, _ = told(group(traits={"total billed": 830}))
    assert company["custom"] == {"total billed": 830}


def test_a4_alias_1_the_previous_id_is_not_insisted_upon() -> None:
    """It parses with and without one, and is skipped: Planhat has no such operation."""
    assert reason({"type": "alias", "userId": "u-1", "previousId": "a-1"}) == "unsupported_type"
    assert reason({"type": "alias", "userId": "u-1"}) == "unsupported_type"
    assert reason({"type": "alias", "previousId": "a-1"}) == "id_required"
