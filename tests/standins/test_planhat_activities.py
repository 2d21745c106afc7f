"""How the sandbox takes activities, by plain calls."""

from typing import Any

import pytest

from streamer.standins.planhat.replies import Request, route_of
from streamer.standins.planhat.sandbox import DEFAULT_TENANT_TOKEN, Sandbox
from streamer.standins.planhat.store import Store
from tests.standins.test_planhat_store import FIRST, endusers, store_with, upsert, with_companies


def store_of(**switches: object) -> Store:
    """A store with two companies and one enduser, First of acme, under these switches."""
    store = with_companies(store_with(**switches))
    upsert(store, FIRST)
    return store


def log(store: Store, *items: object, is_bulk: bool = True) -> list[tuple[str, str]]:
    """Log activities; returns what was ignored so far, as (reason, externalId)."""
    store.activities.log(items, bulk=is_bulk)
    return [(row.reason, row.external_id) for row in store.ignored.rows]


def receivers(store: Store) -> list[Any]:
    """ExternalIds of the endusers that the kept activities went to."""
    return [store.endusers.by_id[each.enduser_id].fields.get("externalId") for each in store.activities.kept]


@pytest.mark.parametrize("keys", [{"externalId": "u-1"}, {"email": "U-1@acme.example"}, {"euExtId": "u-1"}])
def test_an_activity_finds_its_enduser_by_either_key(keys: dict[str, str]) -> None:
    """ExternalId or e-mail suffices."""
    store = store_of()

    assert log(store, {**keys, "action": "Did"}) == []
    assert receivers(store) == ["u-1"]
    assert endusers(store)[0].activities == 1


def test_what_is_not_sent_is_filled_in() -> None:
    """Weight and count are 1, the date is the time of receipt; a date sent is kept."""
    store = store_of()

    log(store, {"externalId": "u-1", "action": "A"}, {"externalId": "u-1", "date": "2019-01-01", "weight": 3})

    first, second = store.activities.kept
    assert (first.weight, first.count, first.date) == (1, 1, "2019-09-18T08:30:32.032Z")
    assert (second.weight, second.date, second.action) == (3, "2019-01-01", None)
    assert store.activities.without_action == 1


def test_copies_are_stored_again_and_counted() -> None:
    """Activities are never compared: one sent twice counts twice, which the view shows."""
    store = store_of()
    activity = {"externalId": "u-1", "action": "A", "info": {"messageId": "m-1"}}

    log(store, activity, activity, {**activity, "info": {"messageId": "m-2"}}, {**activity, "info": {}})

    activities = store.activities
    assert (activities.stored, activities.duplicates, activities.without_message_id) == (4, 1, 1)
    assert [each.message_id for each in activities.kept] == ["m-1", "m-1", "m-2", None]


def test_switch_duplicate_view() -> None:
    """Without the duplicate view nothing is remembered of messageIds."""
    store = store_of(duplicate_view=False)
    activity = {"externalId": "u-1", "info": {"messageId": "m-1"}}

    log(store, activity, activity)

    assert (store.activities.stored, store.activities.duplicates) == (2, 0)


def test_arrival_numbers_order_upserts_and_activities_alike() -> None:
    """One counter is stamped on everything applied, so that their order can be checked."""
    store = store_of()

    log(store, {"externalId": "u-1"}, {"externalId": "nobody"})
    upsert(store, {"externalId": "u-1", "phone": "1"})

    (entry,) = endusers(store)
    (activity,) = store.activities.kept
    (ignored,) = store.ignored.rows
    assert entry.arrival < activity.arrival < ignored.arrival < entry.last_arrival == store.stamps.arrivals


def test_an_activity_creates_its_enduser_in_the_company_it_names() -> None:
    """Unknown user, known company: the enduser is created, and the activity logged on it."""
    store = store_of()

    log(store, {"externalId": "u-5", "name": "Eve Ray", "companyExternalId": "beta", "action": "A"})

    created = store.endusers.by_path_id("extid-u-5")
    assert created is not None
    assert created.company is store.companies.by_external_id("beta")
    assert created.fields["lastName"] == "Ray"
    assert store.endusers.counts["created_by_activity"] == 1


def test_an_activity_of_an_unknown_address_uses_its_domain() -> None:
    """Unknown user, no company: the e-mail's domain tells the company."""
    store = store_of()

    assert log(store, {"email": "new@acme.example"}) == []
    assert endusers(store)[-1].company is store.companies.by_external_id("acme")


def test_an_activity_of_nobody_is_dropped_without_an_error() -> None:
    """What cannot be matched is dropped, with its reason in the ignored log."""
    store = store_of()

    ignored = log(
        store, {"externalId": "u-5"}, {"externalId": "u-6", "companyExternalId": "none"}, {"action": "A"}, 5
    )

    assert [reason for reason, _ in ignored] == ["no_enduser", "no_enduser", "no_identity", "not_an_object"]
    assert store.activities.stored == 0


def test_switch_activity_creates() -> None:
    """Creating endusers from activities can be switched off."""
    store = store_of(activity_creates=False)

    assert log(store, {"externalId": "u-5", "companyExternalId": "beta"}) == [("no_enduser", "u-5")]


@pytest.mark.parametrize(
    ("spelling", "heard"),
    [
        ("any", ["id", "euExtId", "externalId"]),
        ("2017", ["id"]),
        ("2023", ["euExtId"]),
    ],
)
def test_switch_activity_keys(spelling: str, heard: list[str]) -> None:
    """The bulk path reads the ids of the spelling chosen; the single path reads `externalId` in any case."""
    store = store_of(activity_keys=spelling)

    log(store, *({name: "u-1", "action": name} for name in ("id", "euExtId", "externalId")))
    log(store, {"externalId": "u-1", "action": "single"}, is_bulk=False)

    assert [each.action for each in store.activities.kept] == [*heard, "single"]


def test_the_company_decides_between_endusers_of_one_id() -> None:
    """Where two companies have an enduser of the id, the company named decides."""
    store = store_of()
    upsert(store, {**FIRST, "companyId": "extid-beta"})
    first, second = endusers(store)

    log(
        store,
        {"externalId": "u-1", "companyExternalId": "beta"},
        {"externalId": "u-1", "companyExternalId": "acme"},
    )

    assert [each.enduser_id for each in store.activities.kept] == [second.id, first.id]


def test_the_primary_one_of_several_with_an_address_is_taken() -> None:
    """Several endusers share an address: the one flagged primary is taken."""
    store = store_of()
    upsert(store, {**FIRST, "externalId": "u-2", "primary": True})

    log(store, *[{"email": "u-1@acme.example"}] * 4)

    assert receivers(store) == ["u-2"] * 4


def test_any_of_several_with_an_address_is_taken() -> None:
    """Several share an address and none is primary: it can be any of them."""
    store = store_of()
    upsert(store, {**FIRST, "externalId": "u-2"})

    log(store, *[{"email": "u-1@acme.example"}] * 4)

    assert set(receivers(store)) == {"u-1", "u-2"}


def test_switch_keep_activities() -> None:
    """Beyond the bound the oldest leave the view; 0 keeps none; totals stay right."""
    for keep, actions in ((2, [2, 3]), (0, [])):
        store = store_of(keep_activities=keep)

        log(store, *({"externalId": "u-1", "action": number} for number in (1, 2, 3)))

        assert [each.action for each in store.activities.kept] == actions
        assert store.activities.stored == 3


def test_switch_keep_ignored() -> None:
    """Beyond the bound the oldest leave the ignored log; totals stay right."""
    store = store_of(keep_ignored=1)

    assert log(store, {"externalId": "a"}, {"externalId": "b"}) == [("no_enduser", "b")]
    assert store.ignored.totals == {("activities", "no_enduser"): 2}


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        (f"/analytics/bulk/{DEFAULT_TENANT_TOKEN}", b"not json", "not_json"),
        (f"/analytics/bulk/{DEFAULT_TENANT_TOKEN}", b"", "not_json"),
        (f"/analytics/bulk/{DEFAULT_TENANT_TOKEN}", b'[{"email"', "not_json"),
        (f"/analytics/bulk/{DEFAULT_TENANT_TOKEN}", b'{"email":"u-1@acme.example"}', "wrong_path"),
        (f"/analytics/{DEFAULT_TENANT_TOKEN}", b'[{"email":"u-1@acme.example"}]', "wrong_path"),
        ("/analytics/bulk/some-other-tenant", b'[{"email":"u-1@acme.example"}]', "unknown_tenant"),
    ],
)
def test_the_analytics_host_answers_200_to_anything(path: str, body: bytes, reason: str) -> None:
    """Whatever is sent is answered 200; what becomes of it stands in the ignored log."""
    sandbox = Sandbox()

    reply = sandbox.serve(Request("POST", path, route_of(path), {}, body), 1).reply

    assert reply.status == 200
    assert sandbox.store.ignored.totals == {("activities", reason): 1}
