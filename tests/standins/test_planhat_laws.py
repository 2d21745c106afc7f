"""Laws of the sandbox's store that hold whatever is sent, and under whatever switches."""

from collections import Counter
from itertools import zip_longest
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from streamer.standins.planhat.choices import (
    AmbiguousMatch,
    EmailCase,
    ExternalIdScope,
    Matching,
    NullValues,
    UnknownCompany,
)
from streamer.standins.planhat.entries import Entry
from streamer.standins.planhat.store import Store
from tests.standins.test_planhat_store import endusers, store_with, with_companies

ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "externalId": st.sampled_from(["u-1", "u-2", "u-3", 7, None, ""]),
        "email": st.sampled_from(
            ["u-1@acme.example", "U-1@acme.example", "u-2@new.example", "c@gmail.com", "no address", None]
        ),
        "sourceId": st.sampled_from(["s-1", "s-2"]),
        "companyId": st.sampled_from(["extid-acme", "extid-beta", "srcid-crm-2", "extid-none", None]),
        "name": st.sampled_from(["First Last", "Second", "", None]),
        "lastName": st.sampled_from(["Ray", None]),
        "tags": st.lists(st.sampled_from(["a", "b"]), max_size=2),
        "custom": st.dictionaries(
            st.sampled_from(["Plan", "# Seats", "a.b"]),
            st.sampled_from([1, "x", None, [1], {"b": 1}]),
            max_size=2,
        ),
        "shoeSize": st.just(43),
    },
)
BULKS = st.lists(st.lists(ITEMS | st.just(5), max_size=5), max_size=6)
SWITCHES = st.fixed_dictionaries(
    {
        "external_id_scope": st.sampled_from(ExternalIdScope),
        "matching": st.sampled_from(Matching),
        "ambiguous_match": st.sampled_from(AmbiguousMatch),
        "email_case": st.sampled_from(EmailCase),
        "null_values": st.sampled_from(NullValues),
        "unknown_company": st.sampled_from([UnknownCompany.UNCOUNTED, UnknownCompany.ERROR]),
        "duplicates_in_request": st.sampled_from(["error", "in-turn"]),
    }
)


def state(store: Store) -> list[tuple[Any, ...]]:
    """What is stored, ids and dates aside."""
    return [
        (
            entry.fields,
            entry.custom,
            entry.company.fields.get("externalId") if entry.company else None,
            entry.arrival,
            entry.last_arrival,
            entry.writes,
        )
        for entry in endusers(store)
    ]


@given(SWITCHES, BULKS)
def test_every_item_is_counted_once(switches: dict[str, Any], bulks: list[list[object]]) -> None:
    """Created, updated, unchanged, refused and ignored items are all the items of a bulk."""
    store = with_companies(store_with(**switches))

    for items in bulks:
        result = store.endusers.upsert(items)
        summary = result.summary()
        counted = summary["created"] + summary["updated"] + summary["nonupdates"] + result.ignored
        errors = len(summary["createdErrors"]) + len(summary["updatedErrors"])
        assert counted + errors == len(items)
        assert (result.status == 200) == (errors == 0)
        assert len(summary["insertsKeys"]) == summary["created"] == len(summary["upsertedIds"])
        assert len(summary["updatesKeys"]) == summary["updated"] == len(summary["modified"])


@given(SWITCHES, BULKS, st.lists(st.integers(0, 9), max_size=6))
def test_the_indexes_tell_the_truth(
    switches: dict[str, Any], bulks: list[list[object]], deleted: list[int]
) -> None:
    """After any upserts and deletes, each key finds exactly those that have it; unique is unique."""
    store = with_companies(store_with(**switches))
    for items, position in zip_longest(bulks, deleted):
        store.endusers.upsert(items or ())
        for entry in endusers(store)[position : position + 1] if position is not None else ():
            store.endusers.delete(entry)

    people = endusers(store)
    for external_id in ("u-1", "u-2", "u-3", "7"):
        with_it = [entry for entry in people if entry.fields.get("externalId") == external_id]
        assert _same(store.endusers.by_external.get(external_id), with_it)
    for email in ("u-1@acme.example", "U-1@acme.example", "u-2@new.example", "no address"):
        with_it = [entry for entry in people if _is_address(store, entry, email)]
        assert _same(store.endusers.with_email(email), with_it)
    for source_id in ("s-1", "s-2"):
        with_it = [entry for entry in people if entry.fields.get("sourceId") == source_id]
        assert with_it == ([store.endusers.by_source[source_id]] if with_it else [])
    is_global = store.board.now.external_id_scope is ExternalIdScope.GLOBAL
    owners = Counter(
        (entry.fields["externalId"], None if is_global else entry.company)
        for entry in people
        if "externalId" in entry.fields
    )
    assert max(owners.values(), default=1) == 1


@given(SWITCHES, BULKS)
def test_a_bulk_in_turn_is_its_items_one_by_one(switches: dict[str, Any], bulks: list[list[object]]) -> None:
    """Where items of a bulk are applied in turn, how they are cut into bulks makes no difference."""
    together = with_companies(store_with(**{**switches, "duplicates_in_request": "in-turn"}))
    singly = with_companies(store_with(**{**switches, "duplicates_in_request": "in-turn"}))

    for items in bulks:
        together.endusers.upsert(items)
        for item in items:
            singly.endusers.upsert([item])

    assert state(together) == state(singly)
    assert together.ignored.totals == singly.ignored.totals


def _same(found: Any, wanted: list[Entry]) -> bool:
    return Counter(map(id, found)) == Counter(map(id, wanted))


def _is_address(store: Store, entry: Entry, email: str) -> bool:
    stored = entry.fields.get("email")
    if stored is None:
        return False
    if store.board.now.email_case is EmailCase.EXACT:
        return bool(stored == email)
    return bool(stored.lower() == email.lower())
