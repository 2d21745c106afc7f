"""The sandbox's metrics, deletions and Segment endpoint: what each takes, refuses and ignores."""

import base64
import json
from typing import Any

import pytest

from streamer.standins.planhat.faults import Fault, FaultKind, ItemMatch
from streamer.standins.planhat.replies import Reply, Request, route_of
from streamer.standins.planhat.sandbox import Sandbox
from streamer.standins.planhat.switches import Switches, with_changes
from tests.standins.test_planhat_store import FIRST, with_companies


def sandbox_of(**switches: object) -> Sandbox:
    """A sandbox with two companies and one enduser."""
    sandbox = Sandbox(with_changes(Switches(), switches))
    with_companies(sandbox.store)
    sandbox.store.endusers.upsert([FIRST])
    return sandbox


def ask(sandbox: Sandbox, method: str, path: str, body: Any = None) -> Reply:
    """One admitted request, applied."""
    encoded = b"" if body is None else json.dumps(body).encode()
    return sandbox.serve(Request(method, path, route_of(path), {}, encoded), 1).reply


def push(sandbox: Sandbox, *items: Any) -> dict[str, Any]:
    """What a push of metrics is answered."""
    reply = ask(sandbox, "POST", f"/dimensiondata/{sandbox.tenant_token}", list(items))
    assert reply.status == 200
    answered: dict[str, Any] = json.loads(reply.body)
    return answered


def dock(sandbox: Sandbox, **call: Any) -> None:
    """Forward one call."""
    assert ask(sandbox, "POST", "/dock/segment", call).status == 200


def ignored(sandbox: Sandbox) -> list[tuple[str, str]]:
    """What was taken and not stored, and why."""
    return [(row.endpoint, row.reason) for row in sandbox.store.ignored.rows]


SEATS = {"dimensionId": "seats", "value": 5, "externalId": "acme"}
SCORE = {"dimensionId": "score", "value": 0.5, "externalId": "u-1", "model": "EndUser"}

# --- metrics --------------------------------------------------------------------------------------------


def test_metrics_are_stored_in_order_with_the_companys_model_by_default() -> None:
    """One object or an array; the date is now where none is given; they can be read back."""
    sandbox = sandbox_of()
    assert push(sandbox, SEATS, SCORE | {"date": "2026-01-02T03:04:05Z"}) == {"processed": 2, "errors": []}
    assert ask(sandbox, "POST", f"/dimensiondata/{sandbox.tenant_token}", SEATS).status == 200

    rows = [(row.model, row.external_id, row.dimension_id, row.value) for row in sandbox.store.metrics.kept]
    assert rows == [
        ("Company", "acme", "seats", 5),
        ("EndUser", "u-1", "score", 0.5),
        ("Company", "acme", "seats", 5),
    ]
    assert sandbox.store.metrics.kept[1].date == "2026-01-02T03:04:05Z"
    assert len(json.loads(ask(sandbox, "GET", "/dimensiondata").body)) == 3


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dimensionId": ""}, "dimensionId must be specified"),
        ({"externalId": None}, "externalId must be specified"),
        ({"value": None}, "value must be specified"),
        ({"value": "5"}, "value must be a number"),
        ({"model": "Car"}, "model is unknown"),
    ],
)
def test_a_bad_metric_is_named_beside_good_ones(changes: dict[str, Any], words: str) -> None:
    """It is answered 200 all the same; the others are stored."""
    sandbox, bad = sandbox_of(), SEATS | changes
    assert push(sandbox, SEATS, bad) == {"processed": 2, "errors": [{"item": bad, "error": words}]}
    assert sandbox.store.metrics.stored == 1


def test_a_refused_metric_is_known_beside_the_reply() -> None:
    """To whoever judges by what was done: where errors are bare text, the body does not say which it was."""
    sandbox, bad = sandbox_of(metric_error_shape="text"), SEATS | {"value": "5"}
    reply = ask(sandbox, "POST", f"/dimensiondata/{sandbox.tenant_token}", [SEATS, bad])
    assert reply.refused == [(bad, "value must be a number")]
    assert json.loads(reply.body) == {"processed": 2, "errors": ["value must be a number"]}


def test_metrics_of_another_tenant_are_refused() -> None:
    """The token in the path names the tenant."""
    assert ask(sandbox_of(), "POST", "/dimensiondata/somebody-else", [SEATS]).status == 401


@pytest.mark.parametrize(
    ("shape", "entry"),
    [
        ("keys-error", {"externalId": "acme", "error": "value must be specified"}),
        ("text", "value must be specified"),
    ],
)
def test_switch_metric_error_shape(shape: str, entry: Any) -> None:
    """An error repeats the item, its key, or nothing."""
    assert push(sandbox_of(metric_error_shape=shape), SEATS | {"value": None})["errors"] == [entry]


def test_switch_unknown_parent() -> None:
    """A metric of nobody is taken and ignored, or refused."""
    nobody = SCORE | {"externalId": "u-9"}
    sandbox = sandbox_of()
    assert push(sandbox, nobody)["errors"] == []
    assert ignored(sandbox)[-1] == ("metrics", "unknown_parent")
    assert push(sandbox_of(unknown_parent="error"), nobody)["errors"][0]["error"] == "EndUser not found"


def test_switch_metric_token() -> None:
    """Metrics ask for the API token, and cost nothing of the quota; or they are open to all."""
    for must, status in ((True, 401), (False, 0)):
        sandbox = sandbox_of(metric_token=must, calls_per_minute=1)
        route = route_of(f"/dimensiondata/{sandbox.tenant_token}")
        for _ in range(3):
            assert sandbox.admit(route, f"Bearer {sandbox.api_token}").refusal is None
        refusal = sandbox.admit(route, None).refusal
        assert (0 if refusal is None else refusal.status) == status


def test_faults_strike_single_metrics() -> None:
    """As they strike single items of bulks."""
    sandbox = sandbox_of()
    only = ItemMatch("dimensionId", frozenset({"score"}))
    sandbox.faults.add([Fault(kind=FaultKind.REFUSE, endpoint="metrics", items=only, error="no")])
    assert push(sandbox, SEATS, SCORE)["errors"] == [{"item": SCORE, "error": "no"}]


# --- deletions ------------------------------------------------------------------------------------------


def test_a_deleted_enduser_is_gone() -> None:
    """By any of its ids; once more is 404."""
    sandbox = sandbox_of()
    assert json.loads(ask(sandbox, "DELETE", "/endusers/extid-u-1").body)["deletedCount"] == 1
    assert ask(sandbox, "DELETE", "/endusers/extid-u-1").status == 404
    assert sandbox.store.endusers.by_id == {}


@pytest.mark.parametrize(("reply", "status"), [("no-content", 204), ("empty", 200)])
def test_switch_delete_reply(reply: str, status: int) -> None:
    """Counted, or without a body."""
    answer = ask(sandbox_of(delete_reply=reply), "DELETE", "/endusers/extid-u-1")
    assert (answer.status, answer.body) == (status, b"")


# --- the Segment endpoint -------------------------------------------------------------------------------


def test_a_track_call_is_logged_on_its_enduser() -> None:
    """Found by `user_id`, else by `traits.id` or `traits.email`; never by `userId`."""
    sandbox = sandbox_of()
    who = ({"user_id": "u-1"}, {"traits": {"id": "u-1"}}, {"traits": {"email": "u-1@acme.example"}})
    for each in (*who, {"userId": "u-1"}):
        dock(sandbox, type="track", event="Signed In", properties={"n": 1}, messageId="m", **each)
    kept = sandbox.store.activities.kept
    assert [(each.action, each.message_id) for each in kept] == [("Signed In", "m")] * 3
    assert ignored(sandbox)[-1] == ("activities", "no_identity")


def test_an_identify_call_creates_its_enduser_and_writes_no_other_traits() -> None:
    """In the company that it names; without one there is nowhere to put them."""
    sandbox = sandbox_of()
    dock(sandbox, type="identify", user_id="u-2", traits={"companyId": "acme", "plan": "gold"})
    dock(sandbox, type="identify", user_id="u-3", traits={})
    created = sandbox.store.endusers.by_id
    assert [each.fields["externalId"] for each in created.values()] == ["u-1", "u-2"]
    assert all(not each.custom for each in created.values())
    assert ignored(sandbox) == [("activities", "no_enduser")]


def test_a_group_calls_numbers_become_metrics_of_its_company() -> None:
    """And nothing else of it becomes anything."""
    sandbox = sandbox_of()
    traits = {"seats": 3, "name": "X", "is_big": True}
    dock(sandbox, type="group", user_id="u-1", groupId="acme", traits=traits)
    assert [(row.dimension_id, row.value) for row in sandbox.store.metrics.kept] == [("seats", 3)]
    company = sandbox.store.companies.by_external_id("acme")
    assert company is not None
    assert company.fields["name"] == "Acme"


def test_every_call_is_kept_in_the_order_of_arrival() -> None:
    """Also those that are ignored: that is how order is judged."""
    sandbox = sandbox_of()
    for number, kind in enumerate(["alias", "track", "page"]):
        dock(sandbox, type=kind, user_id="u-1", messageId=str(number))
    assert [row.message_id for row in sandbox.store.dock.kept] == ["0", "1", "2"]
    assert sandbox.store.dock.received == 3


def test_switch_dock_pages() -> None:
    """Page calls are ignored, or logged."""
    for does, stored in ((False, 0), (True, 1)):
        sandbox = sandbox_of(dock_pages=does)
        dock(sandbox, type="page", user_id="u-1")
        assert sandbox.store.activities.stored == stored


def test_switch_dock_token() -> None:
    """The tenant token is the user's name of Basic authorization; whether another is refused is a switch."""
    for strict in (True, False):
        sandbox = sandbox_of(dock_token=strict)
        route = route_of("/dock/segment")
        good = base64.b64encode(f"{sandbox.tenant_token}:".encode()).decode()
        assert sandbox.admit(route, f"Basic {good}").refusal is None
        stranger = base64.b64encode(b"somebody:").decode()
        assert (sandbox.admit(route, f"Basic {stranger}").refusal is not None) is strict
        assert sandbox.admit(route, None).refusal is not None
