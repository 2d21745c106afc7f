"""Every switch of the sandbox changes what it says it changes: one law for each."""

from dataclasses import fields
from typing import Any

import pytest

from streamer.errors import UsageError
from streamer.standins.planhat.bulk import BulkResult
from streamer.standins.planhat.replies import Reply, Request, route_of
from streamer.standins.planhat.sandbox import Sandbox
from streamer.standins.planhat.store import Store
from streamer.standins.planhat.switches import Board, Switches, notes, with_changes
from tests.standins.test_planhat_store import FIRST, endusers, store_with, with_companies

SECOND = {"externalId": "u-2", "email": "u-2@acme.example", "companyId": "extid-acme"}


def store_of(**switches: object) -> Store:
    """A store with two companies under these switches."""
    return with_companies(store_with(**switches))


def bulk(store: Store, *items: object) -> BulkResult:
    """One bulk of endusers."""
    return store.endusers.upsert(items)


def sandbox_of(**switches: object) -> Sandbox:
    """A sandbox without HTTP under these switches."""
    return Sandbox(with_changes(Switches(), switches))


def ask(sandbox: Sandbox, method: str, path: str, body: bytes = b"") -> Reply:
    """One admitted request, applied."""
    return sandbox.serve(Request(method, path, route_of(path), {}, body), 1).reply


@pytest.mark.parametrize(
    ("shape", "entry"),
    [
        ("item-error", {"item": {"externalId": "u-1", "custom": 1}, "error": "custom must be an object"}),
        ("keys-error", {"externalId": "u-1", "error": "custom must be an object"}),
        ("text", "custom must be an object"),
    ],
)
def test_switch_error_shape(shape: str, entry: Any) -> None:
    """The entries of the error arrays have the shape chosen."""
    result = bulk(store_of(error_shape=shape), {"externalId": "u-1", "custom": 1})

    assert result.summary()["createdErrors"] == [entry]


@pytest.mark.parametrize(
    ("answer", "status", "nonupdates", "errors"),
    [
        ("uncounted", 200, 0, []),
        ("nonupdates", 200, 1, []),
        ("error", 400, 0, ["company not found"]),
    ],
)
def test_switch_unknown_company(answer: str, status: int, nonupdates: int, errors: list[str]) -> None:
    """An enduser without a company is not saved; the reply says nothing, `nonupdates`, or an error."""
    store = store_of(unknown_company=answer, error_shape="text")

    result = bulk(store, {"externalId": "u-1", "companyId": "extid-none"})

    summary = result.summary()
    assert (result.status, summary["nonupdates"], summary["createdErrors"]) == (status, nonupdates, errors)
    assert not endusers(store)


def test_switch_duplicates_in_request() -> None:
    """A second item with a key of an earlier one is an error, or is applied in its turn."""
    twice = (FIRST, {"externalId": "u-1", "phone": "1"})

    refused = bulk(store_of(duplicates_in_request="error", error_shape="text"), *twice)
    applied = bulk(store_of(duplicates_in_request="in-turn"), *twice)

    assert refused.summary()["createdErrors"] == ["externalId duplicated"]
    assert (applied.summary()["created"], applied.summary()["updated"]) == (1, 1)


def test_the_same_keys_in_two_companies_are_no_duplicates() -> None:
    """An externalId is unique per company: one person in two companies may share a bulk."""
    result = bulk(store_of(), FIRST, {**FIRST, "companyId": "extid-beta"})

    assert result.summary()["created"] == 2


def test_switch_overlap_errors() -> None:
    """While a bulk is in flight, another with a key of it gets that item refused."""
    for is_on, errors in ((True, ["externalId,email duplicated"]), (False, [])):
        store = store_of(overlap_errors=is_on, error_shape="text")
        first = bulk(store, FIRST)

        second = store.endusers.upsert([FIRST, SECOND], held=[first.claims])

        assert second.summary()["updatedErrors"] == errors
        assert second.summary()["created"] == 1


def test_switch_external_id_scope() -> None:
    """An externalId named with another company is a second enduser, or the same one moved there."""
    for scope, count in (("company", 2), ("global", 1)):
        store = store_of(external_id_scope=scope)
        bulk(store, FIRST)

        bulk(store, {"externalId": "u-1", "companyId": "extid-beta"})

        assert len(endusers(store)) == count
        assert endusers(store)[-1].company is store.companies.by_external_id("beta")


@pytest.mark.parametrize(
    ("matching", "ids"),
    [
        ("cascade", ["u-1", "u-9"]),
        ("cascade-overwriting", ["u-9"]),
        ("highest-given", ["u-1", "u-9"]),
    ],
)
def test_switch_matching(matching: str, ids: list[str]) -> None:
    """An unknown externalId with a known e-mail is somebody new, or overwrites."""
    store = store_of(matching=matching)
    bulk(store, FIRST)

    bulk(store, {**FIRST, "externalId": "u-9"})

    assert [each.fields["externalId"] for each in endusers(store)] == ids


def test_switch_matching_without_external_id() -> None:
    """Only the cascades let an e-mail find an enduser when an externalId is sent too."""
    for matching, count in (("cascade", 1), ("highest-given", 2)):
        store = store_of(matching=matching)
        bulk(store, {"email": "u-1@acme.example"})

        bulk(store, FIRST)

        assert len(endusers(store)) == count


def test_switch_ambiguous_match() -> None:
    """An externalId of two companies' endusers, sent without a company, is the older's or refused."""
    for rule, status in (("oldest", 200), ("refused", 400)):
        store = store_of(ambiguous_match=rule)
        bulk(store, FIRST, {**FIRST, "companyId": "extid-beta"})

        result = bulk(store, {"externalId": "u-1", "phone": "1"})

        assert result.status == status
        assert ("phone" in endusers(store)[0].fields) == (status == 200)


def test_switch_email_case() -> None:
    """Addresses that differ in case are one key or two."""
    for rule, count in (("ignored", 1), ("exact", 2)):
        store = store_of(email_case=rule)
        bulk(store, {"email": "u-1@acme.example"})

        bulk(store, {"email": "U-1@Acme.example", "companyId": "extid-acme"})

        assert len(endusers(store)) == count


def test_switch_unknown_fields() -> None:
    """A field Planhat does not have is dropped, stored, or refuses the item."""
    stored = {}
    for rule in ("dropped", "stored", "refused"):
        store = store_of(unknown_fields=rule)
        bulk(store, {**FIRST, "shoeSize": 43})
        stored[rule] = [each.fields.get("shoeSize") for each in endusers(store)]

    assert stored == {"dropped": [None], "stored": [43], "refused": []}


def test_switch_unknown_custom_and_switch_custom_fields() -> None:
    """Custom keys that are not declared are stored, dropped, or refuse the item."""
    stored = {}
    for rule in ("dropped", "stored", "refused"):
        store = store_of(unknown_custom=rule, custom_fields="Plan, Seats")
        bulk(store, {**FIRST, "custom": {"Plan": "pro", "Mood": "good"}})
        stored[rule] = [each.custom for each in endusers(store)]

    assert stored == {
        "dropped": [{"Plan": "pro"}],
        "stored": [{"Plan": "pro", "Mood": "good"}],
        "refused": [],
    }


def test_switch_odd_custom() -> None:
    """Nested values and dotted keys are refused or stored."""
    odd = {**FIRST, "custom": {"a.b": {"c": 1}}}

    assert bulk(store_of(odd_custom="refused"), odd).status == 400
    assert bulk(store_of(odd_custom="stored"), odd).inserts[0].custom == {"a.b": {"c": 1}}


def test_switch_null_values() -> None:
    """A null clears a field, is ignored, or is stored; keys are never cleared."""
    after = {}
    for rule in ("clears", "ignored", "stored"):
        store = store_of(null_values=rule)
        bulk(store, {**FIRST, "phone": "1", "custom": {"a": 1}})
        bulk(store, {"externalId": "u-1", "email": None, "phone": None, "custom": {"a": None}})
        (entry,) = endusers(store)
        assert entry.fields["email"] == "u-1@acme.example"
        after[rule] = (entry.fields.get("phone", "gone"), entry.custom.get("a", "gone"))

    assert after == {"clears": ("gone", "gone"), "ignored": ("1", 1), "stored": (None, None)}


def test_switch_custom_merge() -> None:
    """An update's custom is merged key by key or replaces the whole."""
    for rule, custom in (("per-key", {"a": 1, "b": 2}), ("replace", {"b": 2})):
        store = store_of(custom_merge=rule)
        bulk(store, {**FIRST, "custom": {"a": 1}})

        bulk(store, {"externalId": "u-1", "custom": {"b": 2}})

        assert endusers(store)[0].custom == custom


def test_switch_enduser_name() -> None:
    """A nameless enduser can be created or not; updates need no name either way."""
    assert bulk(store_of(enduser_name="optional"), FIRST).status == 200
    store = store_of(enduser_name="required", error_shape="text")

    assert bulk(store, FIRST).summary()["createdErrors"] == ["name must be specified"]
    assert bulk(store, {**FIRST, "lastName": "Last"}).status == 200
    assert bulk(store, FIRST).status == 200


def test_switch_auto_domains() -> None:
    """Companies learn domains from their endusers or know only those they were given."""
    for is_on, count in ((True, 2), (False, 1)):
        store = store_of(auto_domains=is_on)

        bulk(store, {"email": "a@new.example", "companyId": "extid-beta"}, {"email": "b@new.example"})

        assert len(endusers(store)) == count


def test_switch_reply_keys() -> None:
    """`insertsKeys` and `updatesKeys` name the keys known, or `_id` alone."""
    result = bulk(store_of(reply_keys="id-only"), FIRST)

    assert result.summary()["insertsKeys"] == [{"_id": result.inserts[0].id}]


def test_switch_permission_errors_key() -> None:
    """Older replies have no `permissionErrors`."""
    assert "permissionErrors" not in bulk(store_of(permission_errors_key=False), FIRST).summary()


def test_switch_denied() -> None:
    """Without a permission the items are named under `permissionErrors`, status 403; the others are kept."""
    store = store_of()
    bulk(store, FIRST)
    store.board.change({"denied": "endusers.update", "error_shape": "text"})

    result = bulk(store, {"externalId": "u-1", "phone": "1"}, SECOND)

    assert result.status == 403
    assert result.summary()["permissionErrors"] == ["permission denied"]
    assert [each.fields.get("phone") for each in endusers(store)] == [None, None]


def test_switch_denied_read() -> None:
    """Without the permission to read, a list is a 403."""
    sandbox = sandbox_of(denied="endusers.read")

    assert ask(sandbox, "GET", "/endusers").status == 403
    assert ask(sandbox, "GET", "/companies").status == 200


def test_switch_oversize_status() -> None:
    """More than 5,000 items are refused whole with the status chosen; 5,000 are not."""
    sandbox = sandbox_of(oversize_status=413)
    too_many = b"[" + b",".join([b"{}"] * 5_001) + b"]"
    enough = b"[" + b",".join([b"{}"] * 5_000) + b"]"

    assert ask(sandbox, "PUT", "/endusers", too_many).status == 413
    assert ask(sandbox, "PUT", "/endusers", enough).content_type == "application/json"


def test_switch_unauthorized_body() -> None:
    """A 401 speaks text or JSON."""
    for shape, kind in (("text", "text/plain"), ("json", "application/json")):
        refusal = sandbox_of(unauthorized_body=shape).admit(route_of("/endusers"), "Bearer wrong").refusal
        assert refusal is not None
        assert (refusal.status, refusal.content_type) == (401, kind)


@pytest.mark.parametrize(
    ("reply", "status", "body"),
    [("empty", 200, b""), ("text", 200, b"OK"), ("json", 200, b"{}"), ("created", 201, b"{}")],
)
def test_switch_activity_reply(reply: str, status: int, body: bytes) -> None:
    """The analytics host answers 2xx with the body chosen."""
    sandbox = sandbox_of(activity_reply=reply)

    answer = ask(sandbox, "POST", f"/analytics/{sandbox.tenant_token}", b"{}")

    assert (answer.status, answer.body) == (status, body)


# Laws that stand elsewhere: the switch, and the module that holds them.
ELSEWHERE = {
    "header_spelling": "quota",
    "reset_header": "quota",
    "retry_after": "quota",
    "quota_window": "quota",
    "calls_per_minute": "quota",
    "calls_per_second": "quota",
    "parallel_calls": "quota",
    "activity_keys": "activities",
    "activity_creates": "activities",
    "keep_activities": "activities",
    "keep_ignored": "activities",
    "duplicate_view": "activities",
    "metric_error_shape": "endpoints",
    "unknown_parent": "endpoints",
    "metric_token": "endpoints",
    "delete_reply": "endpoints",
    "dock_token": "endpoints",
    "dock_pages": "endpoints",
    "history": "store",
    "keep_requests": "http",
    "service_seconds": "http",
    "analytics_seconds": "http",
}


def test_every_switch_has_a_law() -> None:
    """No switch without a test of its own, here or where the table says."""
    here = " ".join(name for name in globals() if name.startswith("test_switch_"))

    unproven = [
        each.name
        for each in fields(Switches)
        if each.name not in ELSEWHERE and f"switch_{each.name}" not in here
    ]

    assert unproven == []


def test_wrong_switches_are_reported_together() -> None:
    """Every wrong switch is named with what is allowed, and none is set."""
    board = Board()

    with pytest.raises(UsageError) as raised:
        board.change(
            {
                "error_shape": "xml",
                "colour": "red",
                "history": "-1",
                "denied": "x",
                "auto_domains": "maybe",
                "reply_keys": "known",
            }
        )

    lines = str(raised.value).splitlines()
    assert len(lines) == 5
    assert "error_shape" in lines[0]
    assert "item-error, keys-error, text" in lines[0]
    assert board.now == Switches()


def test_switches_are_read_as_they_are_shown() -> None:
    """What help shows as a switch's value is a value it takes."""
    shown = {note.name: note.value for note in notes(Switches())}

    assert with_changes(Switches(), shown) == Switches()
    assert all(note.tag in {"D", "D3", "C", "I", "S"} for note in notes(Switches()))
