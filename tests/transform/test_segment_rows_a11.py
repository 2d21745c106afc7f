"""Segment's own Planhat destination, as documented by Segment and by Planhat, row by row."""

from typing import Any

import pytest

from tests.transform.told import group, identify, page, reason, told, told_one, track

MAIL = "u-1@acme.example"
SCREEN = {"type": "screen", "userId": "u-1", "name": "Home"}
ALIAS = {"type": "alias", "userId": "u-1", "previousId": "a-1"}


@pytest.mark.parametrize("call", [identify(), track(), page(), group()])
def test_a11_1_identify_track_page_and_group_are_taken(call: dict[str, Any]) -> None:
    """As in Segment's catalogue."""
    assert told(call)


def test_a11_1_screen_is_not() -> None:
    """As in Segment's catalogue; a rule may ask for it."""
    assert reason(SCREEN) == "unsupported_type"


def test_a11_1_alias_is_skipped_differs() -> None:
    """The catalogue lists it, Planhat's pages give it no meaning: it is counted, not lost silently."""
    assert reason(ALIAS) == "unsupported_type"


def test_a11_2_the_documented_mapping() -> None:
    """User id, name, title and e-mail; the source of every enduser, company and activity is Segment."""
    enduser = told_one(identify(traits={"name": "Ann Lee", "title": "CFO", "email": MAIL, "source": "web"}))
    assert (enduser["externalId"], enduser["name"], enduser["email"]) == ("u-1", "Ann Lee", MAIL)
    assert (enduser["title"], enduser["position"]) == ("CFO", "CFO")
    for entry in (enduser, *told(group()), told_one(track()), told_one(page())):
        assert entry["source"] == "Segment"


def test_a11_2_users_are_found_by_id_or_address() -> None:
    """An enduser is named by both where both are known, and by either alone."""
    assert told_one(identify())["externalId"] == "u-1"
    alone = told_one({"type": "identify", "anonymousId": "a-1", "traits": {"email": MAIL}})
    assert alone["email"] == MAIL
    assert "externalId" not in alone


def test_a11_3_every_field_is_ours_to_choose_differs() -> None:
    """The destination's mapping of other traits is not public: here each has its place, none is dropped."""
    enduser = told_one(identify(traits={"plan": "pro", "nested": {"a": 1}, "phone": "1"}))
    assert enduser["custom"] == {"plan": "pro", "nested_a": 1}
    assert enduser["phone"] == "1"


@pytest.mark.parametrize("key", ["user_id", "id"])
def test_a11_4_the_id_may_stand_among_the_traits(key: str) -> None:
    """As Planhat's inbound endpoint reads it: user_id, then traits.id; the address from traits.email."""
    value = {"type": "identify", "anonymousId": "a-1", "traits": {key: 42, "email": MAIL}}
    enduser = told_one(value)
    assert (enduser["externalId"], enduser["email"]) == ("42", MAIL)


@pytest.mark.parametrize("key", ["companyId", "company_id"])
def test_a11_4_the_company_may_stand_among_the_traits(key: str) -> None:
    """It is the company's external id; of an activity's user too."""
    assert told_one(identify(traits={key: 7}))["companyId"] == "extid-7"
    assert told_one(track(context={"traits": {key: "acme"}}))["companyExternalId"] == "acme"


def test_a11_4_who_is_nobody_is_skipped() -> None:
    """The endpoint ignores calls without id and address silently; here each is counted."""
    for kind in ("identify", "track", "page"):
        assert reason({"type": kind, "anonymousId": "a-1", "event": "X"}) == "anonymous"


def test_a11_5_a_group_is_a_company_and_its_user_differs() -> None:
    """To Planhat's newer page a group call is of the company alone: here its user is put into it."""
    company, enduser = told(group(traits={"name": "Acme"}))
    assert (company["externalId"], company["name"]) == ("acme", "Acme")
    assert (enduser["externalId"], enduser["companyId"]) == ("u-1", "extid-acme")


def test_a11_6_traits_change_endusers_differs() -> None:
    """To that page such data does not update fields: here they are upserts, which do."""
    enduser = told_one(identify(traits={"phone": "1", "plan": None}))
    assert (enduser["phone"], enduser["custom"]) == ("1", {"plan": None})
