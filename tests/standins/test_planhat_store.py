"""The rules by which the sandbox stores companies and endusers, by plain calls."""

from typing import Any

import pytest

from streamer.standins.planhat.entries import Entry
from streamer.standins.planhat.store import Store
from streamer.standins.planhat.switches import Board, Switches, with_changes


def store_with(**switches: object) -> Store:
    """An empty store under these switches, at a fixed time."""
    return Store(Board(with_changes(Switches(), switches)), clock=lambda: 1_568_795_432.032)


@pytest.fixture
def store() -> Store:
    """A store with two companies, `acme` knowing the domain acme.example."""
    return with_companies(store_with())


def with_companies(store: Store) -> Store:
    """The store with two companies; `acme` knows the domain acme.example."""
    result = store.companies.upsert(
        [
            {"externalId": "acme", "name": "Acme", "domains": ["acme.example"]},
            {"externalId": "beta", "name": "Beta", "sourceId": "crm-2"},
        ]
    )
    assert result.status == 200
    return store


def endusers(store: Store) -> list[Entry]:
    """All endusers stored, oldest first."""
    return list(store.endusers.by_id.values())


def upsert(store: Store, *items: object) -> dict[str, Any]:
    """One bulk of endusers; its summary."""
    return store.endusers.upsert(items).summary()


FIRST = {"externalId": "u-1", "email": "u-1@acme.example", "companyId": "extid-acme"}


def test_the_summary_has_planhats_ten_keys(store: Store) -> None:
    """A bulk is answered with the ten documented keys, and ids of 24 hexadecimal digits."""
    summary = upsert(store, FIRST)

    (entry,) = endusers(store)
    assert summary == {
        "created": 1,
        "createdErrors": [],
        "insertsKeys": [{"_id": entry.id, "externalId": "u-1", "email": "u-1@acme.example"}],
        "updated": 0,
        "updatedErrors": [],
        "updatesKeys": [],
        "nonupdates": 0,
        "modified": [],
        "upsertedIds": [entry.id],
        "permissionErrors": [],
    }
    assert len(entry.id) == 24
    assert int(entry.id, 16)


def test_an_unchanged_item_counts_as_nonupdate_and_moves_updated_at() -> None:
    """What changes nothing is no update, yet `updatedAt` moves."""
    now = [1_568_795_432.0]
    store = with_companies(Store(Board(), clock=lambda: now[0]))
    upsert(store, FIRST)
    now[0] += 60

    summary = upsert(store, FIRST)

    assert (summary["updated"], summary["nonupdates"], summary["updatesKeys"]) == (0, 1, [])
    assert endusers(store)[0].created == "2019-09-18T08:30:32.000Z"
    assert endusers(store)[0].updated == "2019-09-18T08:31:32.000Z"


def test_custom_is_merged_key_by_key(store: Store) -> None:
    """An update writes the custom keys it names and leaves the others."""
    upsert(store, {**FIRST, "custom": {"Plan": "free", "# Seats": 3}})

    summary = upsert(store, {"externalId": "u-1", "custom": {"Plan": "pro"}})

    assert summary["updated"] == 1
    assert endusers(store)[0].custom == {"Plan": "pro", "# Seats": 3}


def test_fields_not_sent_stay(store: Store) -> None:
    """An upsert is partial: lists are replaced whole, fields not named stay."""
    upsert(store, {**FIRST, "phone": "1", "tags": ["a", "b"]})

    upsert(store, {"externalId": "u-1", "tags": ["c"]})

    assert endusers(store)[0].fields["phone"] == "1"
    assert endusers(store)[0].fields["tags"] == ["c"]


@pytest.mark.parametrize(
    ("sent", "names"),
    [
        ({"firstName": "First", "lastName": "Last"}, ("First Last", "First", "Last")),
        ({"name": "First van Lee"}, ("First van Lee", "First", "van Lee")),
        ({"firstName": "First"}, ("First", "First", None)),
        ({"name": "A. Lee", "firstName": "First", "lastName": "Last"}, ("A. Lee", "First", "Last")),
    ],
)
def test_names_are_derived_both_ways(
    store: Store, sent: dict[str, str], names: tuple[str | None, ...]
) -> None:
    """`name` comes from first and last name, and they from it; what is sent wins."""
    upsert(store, {**FIRST, **sent})

    fields = endusers(store)[0].fields
    assert (fields.get("name"), fields.get("firstName"), fields.get("lastName")) == names


def test_a_later_last_name_renames(store: Store) -> None:
    """A new last name is joined to the first name stored."""
    upsert(store, {**FIRST, "firstName": "First", "lastName": "Last"})

    upsert(store, {"externalId": "u-1", "lastName": "Next"})

    assert endusers(store)[0].fields["name"] == "First Next"


@pytest.mark.parametrize("reference", ["extid-beta", "srcid-crm-2", "<_id>"])
def test_a_company_is_named_by_id_external_id_or_source_id(store: Store, reference: str) -> None:
    """`companyId` is an id, `extid-<externalId>` or `srcid-<sourceId>`."""
    beta = store.companies.by_external_id("beta")
    assert beta is not None

    upsert(store, {"externalId": "u-2", "companyId": reference.replace("<_id>", beta.id)})

    assert endusers(store)[0].company is beta


def test_an_e_mail_domain_finds_the_company(store: Store) -> None:
    """Without `companyId` the company is the one whose domains hold the address's."""
    upsert(store, {"email": "u-2@ACME.example"})

    assert endusers(store)[0].company is store.companies.by_external_id("acme")


def test_a_company_learns_the_domain_of_its_endusers(store: Store) -> None:
    """An enduser's e-mail domain becomes one of the company's, free mail hosts aside."""
    upsert(
        store,
        {**FIRST, "email": "u-1@acme.other"},
        {"externalId": "u-9", "email": "x@gmail.com", "companyId": "extid-beta"},
    )

    upsert(store, {"email": "u-2@acme.other"}, {"email": "y@gmail.com"})

    acme = store.companies.by_external_id("acme")
    assert acme is not None
    assert acme.fields["domains"] == ["acme.example", "acme.other"]
    assert [entry.company for entry in endusers(store) if entry.fields["email"] == "u-2@acme.other"] == [acme]
    assert store.ignored.totals == {("endusers", "no_company"): 1}


def test_an_enduser_without_a_company_is_not_saved_and_not_counted(store: Store) -> None:
    """Where no company can be found, nothing is saved, nothing is counted, and no error is given."""
    result = store.endusers.upsert([{"externalId": "u-1", "email": "a@nowhere.org"}])

    summary = result.summary()
    assert result.status == 200
    assert not endusers(store)
    assert not any(summary.values())
    assert [(row.reason, row.external_id) for row in store.ignored.rows] == [("no_company", "u-1")]
    store.endusers.upsert([{"externalId": "u-1"}, {"externalId": "u-2", "companyId": "extid-none"}])
    assert store.endusers.counts["ignored"] == 3
    assert store.ignored.totals == {("endusers", "no_company"): 2, ("endusers", "unknown_company"): 1}


def test_an_enduser_known_already_needs_no_company(store: Store) -> None:
    """Updates find the enduser by its keys; it stays in its company."""
    upsert(store, FIRST)

    assert upsert(store, {"externalId": "u-1", "phone": "7"})["updated"] == 1
    assert endusers(store)[0].company is store.companies.by_external_id("acme")


def test_a_company_needs_a_name_to_be_created(store: Store) -> None:
    """Creating a company without a name is an error; updating one is not."""
    result = store.companies.upsert(
        [{"externalId": "new"}, {"externalId": "acme", "website": "acme.example"}]
    )

    assert result.status == 206
    assert result.summary()["createdErrors"] == [
        {"item": {"externalId": "new"}, "error": "name must be specified"}
    ]
    assert result.summary()["updated"] == 1


def test_an_enduser_needs_a_key(store: Store) -> None:
    """An enduser with none of email, externalId and sourceId is refused."""
    summary = upsert(store, {"name": "Nobody", "companyId": "extid-acme"})

    assert summary["createdErrors"][0]["error"] == "email, externalId or sourceId must be specified"


@pytest.mark.parametrize(
    ("keys", "matched"),
    [
        ({"_id": "<u-1>", "sourceId": "s-2", "externalId": "u-3"}, "u-1"),
        ({"sourceId": "s-2", "externalId": "u-9"}, "u-2"),
        ({"externalId": "u-3", "email": "u-1@acme.example"}, "u-3"),
        ({"email": "U-1@acme.example"}, "u-1"),
    ],
)
def test_the_highest_key_that_matches_wins(store: Store, keys: dict[str, str], matched: str) -> None:
    """Entries are found by `_id`, then sourceId, then externalId, then e-mail."""
    upsert(store, FIRST, {"externalId": "u-2", "sourceId": "s-2", "companyId": "extid-acme"})
    upsert(store, {"externalId": "u-3", "companyId": "extid-acme"})
    wanted = {each.fields["externalId"]: each for each in endusers(store)}
    sent = {name: value.replace("<u-1>", wanted["u-1"].id) for name, value in keys.items()}

    found = store.endusers.match(store.endusers.keys_of(sent), None)

    assert found is wanted[matched]


def test_a_key_above_the_one_matched_is_written(store: Store) -> None:
    """An enduser found by e-mail takes the externalId sent, if it has none."""
    upsert(store, {"email": "u-1@acme.example"})

    upsert(store, FIRST)

    assert len(endusers(store)) == 1
    assert store.endusers.by_path_id("extid-u-1") is endusers(store)[0]


def test_external_ids_are_unique_per_company(store: Store) -> None:
    """The same externalId in two companies is two endusers; moving onto a taken one is refused."""
    upsert(store, FIRST, {"externalId": "u-1", "companyId": "extid-beta", "email": "u-1@acme.example"})
    upsert(store, {"externalId": "u-2", "companyId": "extid-acme"})
    u2 = store.endusers.by_path_id("extid-u-2")
    assert u2 is not None

    summary = upsert(store, {"_id": u2.id, "externalId": "u-1", "email": "u-1@acme.example"})

    assert len(endusers(store)) == 3
    assert summary["updatedErrors"][0]["error"] == "externalId,email duplicated"
    assert store.endusers.by_path_id("extid-u-2") is u2


def test_an_address_of_several_is_no_key(store: Store) -> None:
    """E-mails are not unique; one shared by several finds nobody."""
    store.endusers.upsert([{**FIRST, "externalId": "u-1"}])
    store.endusers.upsert([{**FIRST, "externalId": "u-2"}])

    upsert(store, {"email": "u-1@acme.example", "companyId": "extid-acme"})

    assert len(endusers(store)) == 3


def test_source_ids_are_unique_in_a_model(store: Store) -> None:
    """A second company cannot take a sourceId."""
    result = store.companies.upsert([{"externalId": "acme", "name": "Acme"}])
    acme = store.companies.by_external_id("acme")
    assert acme is not None

    result = store.companies.upsert([{"_id": acme.id, "sourceId": "crm-2"}])

    assert result.status == 400
    assert result.summary()["updatedErrors"][0]["error"] == "sourceId duplicated"


def test_a_changed_key_is_found_under_its_new_value_only(store: Store) -> None:
    """Changing an externalId by `_id` moves the enduser in the index."""
    upsert(store, FIRST)
    (entry,) = endusers(store)

    upsert(store, {"_id": entry.id, "externalId": "u-7", "email": "new@acme.example"})

    assert store.endusers.by_path_id("extid-u-7") is entry
    assert store.endusers.by_path_id("extid-u-1") is None
    assert not store.endusers.with_email("u-1@acme.example")


@pytest.mark.parametrize(
    ("items", "status"),
    [
        ([FIRST], 200),
        ([], 200),
        ([FIRST, {"companyId": "extid-acme"}], 206),
        ([{"companyId": "extid-acme"}, 7], 400),
    ],
)
def test_the_status_tells_whether_items_failed(store: Store, items: list[object], status: int) -> None:
    """200 all fine, 206 some failed, 400 all failed; good items are kept."""
    result = store.endusers.upsert(items)

    assert result.status == status
    assert len(endusers(store)) == sum(item is FIRST for item in items)


@pytest.mark.parametrize(
    "item",
    [
        7,
        "u-1",
        {**FIRST, "custom": "flat"},
        {**FIRST, "email": {"address": "u-1@acme.example"}},
        {**FIRST, "custom": {"a": {"b": 1}}},
        {**FIRST, "custom": {"a": [{"b": 1}]}},
        {**FIRST, "custom": {"a.b": 1}},
        {**FIRST, "custom": {"$a": 1}},
        {**FIRST, "custom": {"": 1}},
    ],
)
def test_a_malformed_item_is_refused_alone(store: Store, item: object) -> None:
    """An item of a wrong shape is an entry of the error arrays; its neighbours are stored."""
    result = store.endusers.upsert([item, {"externalId": "u-2", "companyId": "extid-acme"}])

    assert result.status == 206
    assert [each.fields["externalId"] for each in endusers(store)] == ["u-2"]


def test_numbers_become_text_keys(store: Store) -> None:
    """An id sent as a number is stored, and found, as text."""
    upsert(store, {"externalId": 12, "companyId": "extid-acme"})

    assert upsert(store, {"externalId": "12", "phone": 5})["updated"] == 1
    assert endusers(store)[0].fields["phone"] == "5"


def test_what_was_sent_is_never_changed(store: Store) -> None:
    """Storing and updating leave the items as they were, so that history shows what was sent."""
    store = with_companies(store_with(history=9))
    first: dict[str, Any] = {**FIRST, "name": "First Last", "custom": {"a": 1}}

    upsert(store, first)
    upsert(store, {"externalId": "u-1", "name": "B C", "custom": {"a": 2, "b": None}})

    assert first == {**FIRST, "name": "First Last", "custom": {"a": 1}}
    history = endusers(store)[0].history or ()
    assert [write.sent["custom"] for write in history] == [{"a": 1}, {"a": 2, "b": None}]


def test_history_keeps_the_newest_writes_in_arrival_order() -> None:
    """With history N, the newest N writes of each entry are kept; all are counted."""
    store = with_companies(store_with(history=2))
    for step in range(4):
        store.stamps.request = step
        upsert(store, {**FIRST, "custom": {"step": step}})

    (entry,) = endusers(store)
    history = list(entry.history or ())
    assert [(write.request, write.sent["custom"]["step"]) for write in history] == [(2, 2), (3, 3)]
    assert history[0].arrival < history[1].arrival == entry.last_arrival
    assert entry.writes == 4


def test_a_deleted_entry_is_gone_from_every_index(store: Store) -> None:
    """After a delete, none of its keys finds it, and its keys are free."""
    upsert(store, {**FIRST, "sourceId": "s-1"})
    (entry,) = endusers(store)

    store.endusers.delete(entry)

    assert upsert(store, {**FIRST, "sourceId": "s-1"})["created"] == 1
    assert endusers(store)[0] is not entry
