"""Laws of what becomes of each call."""

from typing import Any, get_args

import pytest

from streamer.events.calls import Call
from streamer.events.parse import parse
from streamer.outcomes import Endpoint, SkipReason
from streamer.transform import Link, Rules, Skipped, Transformed, transform
from streamer.transform.identity import email_text
from streamer.transform.operations import LogActivity, Operation, UpsertCompany, UpsertEnduser
from streamer.transform.told import BY_TYPE

RULES = Rules()
ANONYMOUS = Skipped(SkipReason.ANONYMOUS)
UNSUPPORTED = Skipped(SkipReason.UNSUPPORTED_TYPE)


def become(value: dict[str, Any], rules: Rules = RULES) -> Transformed | Skipped:
    """What becomes of an event."""
    return transform(parse({"anonymousId": "anon-1", **value}), rules)


def operations(value: dict[str, Any], rules: Rules = RULES) -> tuple[Operation, ...]:
    """The operations an event becomes."""
    result = become(value, rules)
    assert isinstance(result, Transformed)
    return result.operations


def identified(**parts: Any) -> UpsertEnduser:
    """The one operation of an identify call."""
    (operation,) = operations({"type": "identify", **parts})
    assert isinstance(operation, UpsertEnduser)
    return operation


def logged(kind: str = "track", rules: Rules = RULES, **parts: Any) -> LogActivity:
    """The one operation of a track, page or screen call."""
    (operation,) = operations({"type": kind, "event": "Logged In", **parts}, rules)
    assert isinstance(operation, LogActivity)
    return operation


MAIL = "u-123@acme.example"


@pytest.mark.parametrize(
    ("parts", "external_id", "email"),
    [
        ({"userId": "u-1"}, "u-1", None),
        ({"userId": "u-1", "traits": {"user_id": "u-2", "id": "u-3"}}, "u-1", None),
        ({"traits": {"user_id": "u-2", "id": "u-3"}}, "u-2", None),
        ({"traits": {"user_id": None, "id": 3}}, "3", None),
        ({"traits": {"user_id": "", "id": {}, "email": MAIL}}, None, MAIL),
        ({"userId": "u-1", "traits": {"email": f" {MAIL} "}}, "u-1", MAIL),
        ({"userId": "a@b.co", "traits": {"email": MAIL}}, "a@b.co", MAIL),
        ({"userId": "a@b.co", "context": {"traits": {"email": MAIL}}}, "a@b.co", MAIL),
        (
            {"userId": "a@b.co", "traits": {"email": MAIL}, "context": {"traits": {"email": "c@d.co"}}},
            "a@b.co",
            MAIL,
        ),
        ({"userId": "a@b.co"}, "a@b.co", "a@b.co"),
        ({"userId": "u-1", "traits": {"email": "n/a"}}, "u-1", None),
        ({"userId": "u-1", "traits": {"email": 7}, "context": {"traits": {"email": MAIL}}}, "u-1", MAIL),
        ({"context": {"traits": {"email": MAIL}}}, None, MAIL),
        ({"context": {"traits": [MAIL]}, "userId": "u-1"}, "u-1", None),
    ],
)
def test_identity_of_identify(parts: Any, external_id: str | None, email: str | None) -> None:
    """Id: userId, traits.user_id, traits.id. E-mail: traits, context.traits, an id that is one."""
    operation = identified(**parts)
    assert (operation.external_id, operation.email) == (external_id, email)


@pytest.mark.parametrize("kind", ["track", "page"])
@pytest.mark.parametrize(
    ("parts", "external_id", "email"),
    [
        ({"userId": "u-1"}, "u-1", None),
        ({"userId": "u-1", "context": {"traits": {"email": MAIL}}}, "u-1", MAIL),
        ({"userId": "a@b.co", "context": {"traits": {"email": MAIL}}}, "a@b.co", MAIL),
        ({"userId": "a@b.co"}, "a@b.co", "a@b.co"),
        ({"userId": "u-1", "properties": {"email": MAIL}}, "u-1", None),
        ({"properties": {"email": MAIL}}, None, MAIL),
        ({"properties": {"email": MAIL}, "context": {"traits": {"email": "a@b.co"}}}, None, "a@b.co"),
        ({"userId": "u-1", "context": {"traits": {"id": "u-2"}}}, "u-1", None),
    ],
)
def test_identity_of_activities(kind: str, parts: Any, external_id: str | None, email: str | None) -> None:
    """Id: userId. E-mail: context.traits; properties only without a userId; an id that is one."""
    operation = logged(kind, **parts)
    assert (operation.external_id, operation.email) == (external_id, email)


@pytest.mark.parametrize(
    ("parts", "who"),
    [
        ({"userId": "u-1"}, ("u-1", None)),
        ({"userId": "u-1", "context": {"traits": {"email": MAIL}}}, ("u-1", MAIL)),
        ({"userId": "a@b.co"}, ("a@b.co", "a@b.co")),
        ({"context": {"traits": {"email": MAIL}}}, (None, MAIL)),
        ({"traits": {"email": MAIL, "id": "u-2", "user_id": "u-3"}}, None),
        ({}, None),
    ],
)
def test_identity_of_group(parts: Any, who: tuple[str | None, str | None] | None) -> None:
    """The user is userId and context.traits.email; the traits are the company's and name nobody."""
    company, *users = operations({"type": "group", "groupId": "acme", **parts})
    assert isinstance(company, UpsertCompany)
    expected = [] if who is None else [UpsertEnduser(*who, company_external_id="acme")]
    assert users == expected


@pytest.mark.parametrize(
    "value",
    [
        {"type": "identify", "traits": {"plan": "pro", "email": "none"}},
        {"type": "track", "event": "Logged In", "context": {"traits": {"user_id": "u-1"}}},
        {"type": "page", "properties": {"email": "nobody"}},
    ],
)
def test_nobody_is_skipped(value: dict[str, Any]) -> None:
    """Without an id or an e-mail there is nobody at Planhat to attach anything to."""
    assert become(value) == ANONYMOUS


@pytest.mark.parametrize(
    ("text", "email"),
    [
        ("a@b.co", "a@b.co"),
        ("First.Last+tag@sub.example.org", "First.Last+tag@sub.example.org"),
        (" a@b.co\n", "a@b.co"),
        ("a@b", None),
        ("@b.co", None),
        ("a@", None),
        ("a b@c.co", None),
        ("a@b@c.co", None),
        ("u-1", None),
        ("", None),
        (None, None),
        (12, None),
        ("a@" + "b." * 200 + "co", None),
    ],
)
def test_what_counts_as_an_email_address(text: Any, email: str | None) -> None:
    """An address has one @, no blanks, a dot in its domain and a mailable length."""
    assert email_text(text) == email


COMPANIES = [
    ({"context": {"groupId": "g"}, "traits": {"company": {"id": "c"}, "companyId": "i"}}, "g"),
    ({"context": {"groupId": 7}}, "7"),
    ({"context": {"groupId": ""}, "traits": {"company": {"id": "c"}, "companyId": "i"}}, "c"),
    ({"traits": {"company": {"id": 12}}}, "12"),
    ({"traits": {"company": {"id": None}, "companyId": "i", "company_id": "s"}}, "i"),
    ({"traits": {"company": "Acme", "company_id": "s"}}, "s"),
    ({"traits": {"company": "Acme"}}, None),
    ({"traits": {"companyId": {}, "company_id": True}}, None),
    ({}, None),
]


@pytest.mark.parametrize(("parts", "company"), COMPANIES)
def test_company_of_a_user(parts: Any, company: str | None) -> None:
    """Company: context.groupId, traits.company.id, traits.companyId, traits.company_id."""
    assert identified(userId="u-1", **parts).company_external_id == company


@pytest.mark.parametrize(("parts", "company"), COMPANIES)
def test_company_of_an_activity(parts: Any, company: str | None) -> None:
    """The same, the user's traits being context.traits."""
    context = {**parts.get("context", {}), "traits": parts.get("traits", {})}
    assert logged(userId="u-1", context=context).company_external_id == company


@pytest.mark.parametrize(
    ("traits", "custom"),
    [
        ({"id": "u-1", "user_id": "u-1", "companyId": "acme", "company_id": "acme"}, {}),
        ({"id": None, "user_id": None, "companyId": None, "company_id": None}, {}),
        ({"id": 17, "company_id": "other"}, {"id": 17, "company_id": "other"}),
        ({"company": {"id": "acme", "name": "Acme"}}, {"company_name": "Acme"}),
        ({"company": {"id": None}}, {}),
        ({"company": {"id": "other"}}, {"company_id": "other"}),
        ({"company": "Acme"}, {"company": "Acme"}),
        ({"company": None}, {"company": None}),
        ({"email": " u-9@b.co ", "source": "web"}, {"source": "web"}),
    ],
)
def test_references_are_not_repeated(traits: Any, custom: Any) -> None:
    """Ids among the traits reach `custom` only where they say something the item's keys do not."""
    operation = identified(userId="u-1", context={"groupId": "acme"}, traits=traits)
    assert operation.custom == custom


@pytest.mark.parametrize(
    ("email", "custom"),
    [
        ("none", {"email": "none"}),
        (7, {"email": 7}),
        ({"work": MAIL}, {"email_work": MAIL}),
        ("x" * 400, {"email": "x" * 400}),
        (" ", {}),
        (None, {}),
        (f" {MAIL}", {}),
    ],
)
def test_an_email_that_is_no_address_does_not_vanish(email: Any, custom: Any) -> None:
    """It is no key of the user's, so it is kept in `custom`; a blank or a null says nothing."""
    operation = identified(userId="u-1", traits={"email": email})

    assert operation.custom == custom
    assert operation.email == (MAIL if not custom and email and email.strip() else None)


@pytest.mark.parametrize(
    ("traits", "name"),
    [
        ({"name": "P. Last", "firstName": "First", "lastName": "Last"}, "P. Last"),
        ({"firstName": "First", "lastName": "Last"}, "First Last"),
        ({"first_name": "First", "last_name": "Last"}, "First Last"),
        ({"first_name": "Pete", "firstName": "First", "lastName": "Last"}, "First Last"),
        ({"name": None, "firstName": "First", "lastName": "Last"}, "First Last"),
        ({"firstName": "First"}, None),
        ({"firstName": "First", "lastName": None}, None),
        ({"firstName": "First", "lastName": " "}, None),
        ({"name": ""}, None),
        ({}, None),
    ],
)
def test_a_name_is_given_or_whole(traits: Any, name: str | None) -> None:
    """The name is the one given, or first and last where both are; never invented."""
    assert identified(userId="u-1", traits=traits).fields.get("name") == name


def test_identify_makes_no_company() -> None:
    """A user's traits name a company, but never create or change one."""
    (operation,) = operations(
        {"type": "identify", "userId": "u-1", "traits": {"company": {"id": 1, "name": "A"}}}
    )
    assert operation.endpoint is Endpoint.ENDUSERS


@pytest.mark.parametrize("kind", ["track", "page"])
@pytest.mark.parametrize(
    ("weight", "expected"),
    [
        (3, 3),
        (0.25, 0.25),
        (0, 0),
        (-2, -2),
        (None, 1),
        ("5", 1),
        (True, 1),
        (False, 1),
        ([5], 1),
        (float("nan"), 1),
        (float("inf"), 1),
        (2**70, 1),
    ],
)
def test_weight(kind: str, weight: Any, expected: float) -> None:
    """The weight is a finite number among the properties, else 1."""
    found = logged(kind, userId="u-1", properties={"weight": weight}).weight

    assert found == expected
    assert not isinstance(found, bool)


def test_info_is_the_properties_and_the_message_id() -> None:
    """Properties stay as they are; our messageId stands beside them and cannot be replaced by one."""
    properties = {"messageId": "forged", "a.b": {"$c": [1, {"d": None}]}}
    operation = logged(userId="u-1", messageId="m-1", properties=properties)
    assert operation.info == {**properties, "messageId": "m-1"}
    assert logged(userId="u-1", properties={"a": 1}).info == {"a": 1}


@pytest.mark.parametrize(
    ("name", "category", "action"),
    [
        ("Home", None, "Viewed Home {}"),
        ("Home", "Docs", "Viewed Docs Home {}"),
        (None, "Docs", "Loaded a {}"),
        (None, None, "Loaded a {}"),
        ("Home", "", "Viewed Home {}"),
    ],
)
@pytest.mark.parametrize("kind", ["page", "screen"])
def test_pages_and_screens_are_named_as_segment_does(
    kind: str, name: Any, category: Any, action: str
) -> None:
    """`Viewed <category> <name> Page`, or `Loaded a Page` where there is no name."""
    operation = logged(kind, Rules(deliver_screens=True), userId="u-1", name=name, category=category)
    assert operation.action == action.format(kind.capitalize())


@pytest.mark.parametrize("value", [{"type": "screen"}, {"type": "alias"}, {"type": "delete"}])
def test_types_segments_destination_does_not_take(value: dict[str, Any]) -> None:
    """Screen, alias and delete calls are skipped and counted, as in Segment's destination."""
    assert become({**value, "userId": "u-1"}) == UNSUPPORTED


def test_group_never_links_where_the_operator_says_so() -> None:
    """`link = never` leaves the user alone."""
    value = {"type": "group", "groupId": "acme", "userId": "u-1"}
    assert operations(value, Rules(link=Link.NEVER)) == (UpsertCompany("acme"),)


def test_a_users_operations_wait_for_their_company() -> None:
    """A group call's user has the company it was just put into for a parent."""
    company, user = operations({"type": "group", "groupId": "acme", "userId": "u-1"})
    assert company.keys == user.parents == ("co:acme",)
    assert user.keys == ("ext:u-1",)


def test_a_create_without_a_name_can_be_named_by_its_id() -> None:
    """What Planhat refuses to create without a name goes again with the best id there is."""
    assert UpsertCompany("acme", {"city": "X"}).named_by_id().fields == {"city": "X", "name": "acme"}
    assert UpsertEnduser("u-1", MAIL).named_by_id().fields == {"name": "u-1"}
    assert UpsertEnduser(None, MAIL).named_by_id().fields == {"name": MAIL}


def test_every_type_of_call_becomes_something() -> None:
    """The table by which calls are told apart has each type that there is, and no other."""
    assert set(BY_TYPE) == set(get_args(Call))
