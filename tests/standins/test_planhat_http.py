"""The sandbox over real HTTP, as a client meets it."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from streamer.standins.planhat.child import SandboxProcess
from streamer.standins.planhat.client import SandboxUnusable
from streamer.standins.planhat.faults import Fault, FaultKind, ItemMatch
from tests.standins.test_planhat_store import FIRST

COMPANIES = [{"externalId": "acme", "name": "Acme"}, {"externalId": "beta", "name": "Beta"}]
SECOND = {"externalId": "u-2", "email": "u-2@acme.example", "companyId": "extid-acme"}


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    """One sandbox for the module, which must have nothing to complain of at its end."""
    with SandboxProcess({"history": 10}) as sandbox:
        yield sandbox
        assert sandbox.complaints() == ""


@pytest.fixture
def sandbox(process: SandboxProcess) -> SandboxProcess:
    """The sandbox, empty."""
    process.reset()
    return process


@pytest.fixture
def planhat(sandbox: SandboxProcess) -> Iterator[httpx.Client]:
    """A client with the right token; two companies are there."""
    headers = {"Authorization": f"Bearer {sandbox.api_token}"}
    with httpx.Client(base_url=sandbox.url, headers=headers, timeout=5.0) as client:
        assert client.put("/companies", json=COMPANIES).status_code == 200
        yield client


def log(planhat: httpx.Client, sandbox: SandboxProcess, *activities: dict[str, Any]) -> httpx.Response:
    """Send activities in bulk."""
    return planhat.post(f"/analytics/bulk/{sandbox.tenant_token}", json=activities)


def test_a_base_url_can_name_its_caller(planhat: httpx.Client, sandbox: SandboxProcess) -> None:
    """The request is served as any other, and the journal tells whose it was."""
    assert planhat.put("/from/first/endusers", json=[FIRST]).json()["created"] == 1
    assert planhat.post(f"/from/second/analytics/bulk/{sandbox.tenant_token}", json=[]).status_code == 200
    rows = [(row.caller, row.endpoint, row.path) for row in sandbox.requests()]
    assert rows == [
        ("", "companies", "/companies"),
        ("first", "endusers", "/endusers"),
        ("second", "activities", "/analytics/bulk/{tenant}"),
    ]


def test_a_client_story(planhat: httpx.Client, sandbox: SandboxProcess) -> None:
    """Company, enduser and activity arrive, and the view tells them apart and in order."""
    first = planhat.put("/endusers", json=[{**FIRST, "custom": {"# Seats": 3}}])
    again = planhat.put("/endusers", json=[{"externalId": "u-1", "custom": {"# Seats": 4}}])
    logged = log(
        planhat, sandbox, {"euExtId": "u-1", "action": "Did", "info": {"messageId": "m-1", "n": [1]}}
    )

    (enduser,) = sandbox.endusers()
    (activity,) = sandbox.activities()
    assert (first.json()["created"], again.json()["updated"]) == (1, 1)
    assert (logged.status_code, logged.content) == (200, b"")
    assert enduser.custom == {"# Seats": 4}
    assert enduser.company_external_id == "acme"
    assert [write.sent["custom"]["# Seats"] for write in enduser.history] == [3, 4]
    assert enduser.last_arrival < activity.arrival
    assert (activity.enduser_id, activity.message_id, activity.info["n"]) == (enduser.id, "m-1", [1])
    assert {company.external_id for company in sandbox.companies()} == {"acme", "beta"}


def test_single_objects_can_be_written_read_and_deleted(planhat: httpx.Client) -> None:
    """POST, PUT, GET and DELETE of one enduser, addressed by any of its ids."""
    created = planhat.post("/endusers", json={**FIRST, "name": "First Last"}).json()
    changed = planhat.put("/endusers/extid-u-1", json={"phone": "1"})
    read = planhat.get(f"/endusers/{created['_id']}").json()
    deleted = planhat.delete(f"/endusers/{created['_id']}")

    assert (created["companyName"], created["firstName"], created["__v"]) == ("Acme", "First", 0)
    assert changed.json()["phone"] == read["phone"] == "1"
    assert deleted.json() == {"n": 1, "ok": 1, "deletedCount": 1}
    assert planhat.get("/endusers/extid-u-1").status_code == 404
    assert planhat.put("/endusers/extid-u-1", json={}).status_code == 404


def test_lists_are_bare_arrays(planhat: httpx.Client) -> None:
    """Lists know limit, offset, select, sort and filters, hide what is archived and default to 100."""
    people = [{"externalId": f"u-{n:03}", "companyId": "extid-acme", "tags": [str(n)]} for n in range(120)]
    planhat.put("/endusers", json=[*people, {**FIRST, "archived": True}])

    assert len(planhat.get("/endusers").json()) == 100
    page = planhat.get("/endusers", params={"limit": 2, "offset": 118, "select": "externalId"}).json()
    assert [each["externalId"] for each in page] == ["u-118", "u-119"]
    assert set(page[0]) == {"_id", "externalId"}
    last = planhat.get("/endusers", params={"sort": "-externalId", "limit": 1}).json()
    assert last[0]["externalId"] == "u-119"
    assert planhat.get("/endusers", params={"email": "u-1@acme.example"}).json() == []
    assert len(planhat.get("/endusers", params={"email": "u-1@acme.example", "archived": "true"}).json()) == 1
    lean = planhat.get("/leancompanies", params={"externalId": "beta"}).json()
    assert [(each["name"], each["externalId"]) for each in lean] == [("Beta", "beta")]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/endusers", b"no json", 400),
        ("PUT", "/endusers", b'[{"externalId":', 400),
        ("PUT", "/endusers", b"", 400),
        ("PUT", "/endusers", b'{"externalId": "u-1"}', 400),
        ("PUT", "/endusers", b"[]", 200),
        ("POST", "/endusers", b"[]", 400),
        ("POST", "/companies", b'{"externalId": "x"}', 400),
        ("POST", "/endusers/bulk", b"[]", 404),
        ("POST", "/activities", b"{}", 404),
        ("PATCH", "/endusers", b"[]", 404),
        ("PUT", "/leancompanies", b"{}", 404),
        ("GET", "/endusers?limit=x", b"", 400),
        ("GET", "/endusers/unknown", b"", 404),
        ("PUT", "/endusers", b"[" * 100_000, 400),
    ],
)
def test_wrong_requests_have_their_status(
    planhat: httpx.Client, method: str, path: str, body: bytes, status: int
) -> None:
    """What cannot be served is answered with a status, never with a broken connection."""
    assert planhat.request(method, path, content=body).status_code == status


def test_a_wrong_token_is_a_401_and_stores_nothing(planhat: httpx.Client, sandbox: SandboxProcess) -> None:
    """Without the token nothing is applied, and the answer is text."""
    reply = planhat.put("/endusers", json=[FIRST], headers={"Authorization": "Bearer other"})

    assert (reply.status_code, reply.text) == (401, "Unauthorized")
    assert list(sandbox.endusers()) == []


def test_a_body_above_32_mb_is_refused(planhat: httpx.Client) -> None:
    """A body that is too large is a 413."""
    assert planhat.put("/endusers", content=b" " * (32 * 1024 * 1024 + 1)).status_code == 413


def test_the_quota_is_answered_with_429_text_and_headers(
    planhat: httpx.Client, sandbox: SandboxProcess
) -> None:
    """Beyond the quota comes a 429 in plain text; activities go on."""
    sandbox.switch({"calls_per_minute": 3, "retry_after": "seconds"})

    replies = [planhat.get("/endusers") for _ in range(3)]

    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert replies[1].headers["X-Rate-Limit-Remaining"] == "0"
    assert replies[2].text == "Too many requests"
    assert 0 < int(replies[2].headers["Retry-After"]) <= 60
    assert log(planhat, sandbox, {"email": "x@y.z"}).status_code == 200
    assert sandbox.view()["requests"]["over_quota"] == 1


def test_overlapping_bulks_collide(planhat: httpx.Client, sandbox: SandboxProcess) -> None:
    """A bulk sent while another with a common key is being worked on gets that item refused."""
    sandbox.switch({"service_seconds": 1.0, "error_shape": "text"})
    first = threading.Thread(target=lambda: planhat.put("/endusers", json=[FIRST]))
    first.start()
    while not list(sandbox.endusers()):
        time.sleep(0.01)

    second = planhat.put("/endusers", json=[FIRST, SECOND])
    first.join()
    third = planhat.put("/endusers", json=[FIRST])

    assert second.status_code == 206
    assert second.json()["updatedErrors"] == ["externalId,email duplicated"]
    assert third.json()["nonupdates"] == 1
    assert sandbox.view()["requests"]["peak_in_flight"]["endusers"] == 2


def test_switch_service_seconds_and_analytics_seconds(planhat: httpx.Client, sandbox: SandboxProcess) -> None:
    """Each host can be given a time to work on a request."""
    sandbox.switch({"service_seconds": 0.2, "analytics_seconds": 0.1})

    planhat.get("/endusers")
    log(planhat, sandbox)

    seconds = {row.endpoint: row.seconds for row in sandbox.requests()}
    assert seconds["endusers"] >= 0.2
    assert 0.1 <= seconds["activities"] < 0.2


def test_switch_keep_requests(planhat: httpx.Client, sandbox: SandboxProcess) -> None:
    """Only the newest requests are kept; the totals go on."""
    sandbox.switch({"keep_requests": 2})
    for _ in range(4):
        planhat.get("/endusers")

    assert [row.number for row in sandbox.requests()] == [4, 5]
    counts = sandbox.view()["requests"]
    assert counts["answers"] == {"companies": {"200": 1}, "endusers": {"200": 4}}
    assert counts["reads"] == {"endusers": {"200": 4}}


def test_every_request_is_noted(planhat: httpx.Client, sandbox: SandboxProcess) -> None:
    """The journal has method, path, status, items and size; the tenant token is not in it."""
    before = time.time()
    planhat.put("/endusers", json=[FIRST, SECOND])
    log(planhat, sandbox, {"email": "u-1@acme.example"})

    _, bulk, activity = sandbox.requests()
    assert (bulk.method, bulk.path, bulk.status, bulk.items) == ("PUT", "/endusers", 200, 2)
    assert bulk.bytes_in > 100
    assert before <= bulk.time <= time.time()
    assert (activity.endpoint, activity.path) == ("activities", "/analytics/bulk/{tenant}")


# --- faults --------------------------------------------------------------------------------------


def test_a_burst_of_a_status_applies_nothing(planhat: httpx.Client, sandbox: SandboxProcess) -> None:
    """So many requests are answered with a status and an HTML page; then all is well."""
    sandbox.add_faults(
        Fault(kind=FaultKind.STATUS, endpoint="endusers", times=2, headers={"Retry-After": "7"})
    )

    replies = [planhat.put("/endusers", json=[FIRST]) for _ in range(3)]

    assert [reply.status_code for reply in replies] == [503, 503, 200]
    assert replies[0].headers["content-type"] == "text/html"
    assert replies[0].headers["Retry-After"] == "7"
    assert replies[2].json()["created"] == 1


def test_a_page_of_html_can_come_with_status_200(planhat: httpx.Client, sandbox: SandboxProcess) -> None:
    """A proxy's page is no summary."""
    sandbox.add_faults(Fault(kind=FaultKind.STATUS, status=200, body="<html>"))

    assert planhat.put("/endusers", json=[FIRST]).text == "<html>"
    assert list(sandbox.endusers()) == []


def test_a_reset_applies_nothing(planhat: httpx.Client, sandbox: SandboxProcess) -> None:
    """The connection is reset before anything is stored."""
    sandbox.add_faults(Fault(kind=FaultKind.RESET))

    with pytest.raises(httpx.ReadError):
        planhat.put("/endusers", json=[FIRST])

    assert list(sandbox.endusers()) == []
    assert [(row.status, row.fault) for row in sandbox.requests()][-1] == (0, "reset")


def test_a_lost_reply_was_applied(planhat: httpx.Client, sandbox: SandboxProcess) -> None:
    """The write is stored, the answer never comes: a client that sends again counts twice."""
    sandbox.add_faults(Fault(kind=FaultKind.LOST_REPLY, endpoint="activities"))
    planhat.put("/endusers", json=[FIRST])
    activity = {"externalId": "u-1", "action": "A", "info": {"messageId": "m-1"}}

    with pytest.raises(httpx.TransportError):
        log(planhat, sandbox, activity)
    log(planhat, sandbox, activity)

    assert sandbox.view()["activities"]["stored"] == 2
    assert sandbox.view()["activities"]["duplicates"] == 1


def test_a_lost_reply_can_keep_the_client_waiting(planhat: httpx.Client, sandbox: SandboxProcess) -> None:
    """With seconds, the client's own time-out strikes first; the write is stored all the same."""
    sandbox.add_faults(Fault(kind=FaultKind.LOST_REPLY, seconds=1.0))

    with pytest.raises(httpx.ReadTimeout):
        planhat.put("/endusers", json=[FIRST], timeout=0.2)

    assert len(list(sandbox.endusers())) == 1


def test_a_slow_reply_comes_late(planhat: httpx.Client, sandbox: SandboxProcess) -> None:
    """The answer comes after so many seconds."""
    sandbox.add_faults(Fault(kind=FaultKind.SLOW, seconds=0.3))
    started = time.monotonic()

    assert planhat.put("/endusers", json=[FIRST]).json()["created"] == 1

    assert time.monotonic() - started >= 0.3


def test_a_dripping_reply_comes_byte_by_byte(planhat: httpx.Client, sandbox: SandboxProcess) -> None:
    """Each byte comes on its own: no read times out, yet the whole takes long."""
    planhat.put("/endusers", json=[FIRST])
    sandbox.add_faults(Fault(kind=FaultKind.DRIP, bytes_per_second=200.0))
    started = time.monotonic()

    with planhat.stream("GET", "/endusers", params={"select": "externalId"}, timeout=0.5) as reply:
        parts = list(reply.iter_raw())

    assert time.monotonic() - started >= len(b"".join(parts)) / 200.0 > 0.2
    assert len(parts) > 10


def test_a_cut_reply_ends_in_the_middle(planhat: httpx.Client, sandbox: SandboxProcess) -> None:
    """Half of the answer comes, then the connection ends."""
    sandbox.add_faults(Fault(kind=FaultKind.CUT))

    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message"):
        planhat.put("/endusers", json=[FIRST])

    assert len(list(sandbox.endusers())) == 1


def test_items_can_be_refused_by_name(planhat: httpx.Client, sandbox: SandboxProcess) -> None:
    """A poisoned item is refused each time, its neighbours are stored."""
    poison = ItemMatch("externalId", frozenset({"u-1"}))
    sandbox.add_faults(Fault(kind=FaultKind.REFUSE, items=poison, times=None, error="no such persona"))

    reply = planhat.put("/endusers", json=[FIRST, SECOND])

    assert reply.status_code == 206
    assert reply.json()["createdErrors"] == [{"item": FIRST, "error": "no such persona"}]
    assert sandbox.view()["endusers"]["refusals"] == {"no such persona": 1}


def test_a_poisoned_item_can_spoil_its_bulk(planhat: httpx.Client, sandbox: SandboxProcess) -> None:
    """A status can be tied to bulks that hold an item: alone, or in any company."""
    poison = ItemMatch("externalId", frozenset({"u-1"}))
    sandbox.add_faults(Fault(kind=FaultKind.STATUS, status=500, items=poison, times=None))

    statuses = [
        planhat.put("/endusers", json=each).status_code for each in ([FIRST, SECOND], [SECOND], [FIRST])
    ]

    assert statuses == [500, 200, 500]


def test_an_item_can_be_left_out_in_silence(planhat: httpx.Client, sandbox: SandboxProcess) -> None:
    """An ignored item leaves the summary short by one."""
    sandbox.add_faults(Fault(kind=FaultKind.IGNORE))

    summary = planhat.put("/endusers", json=[FIRST, SECOND]).json()

    assert (summary["created"], summary["createdErrors"], summary["nonupdates"]) == (1, [], 0)
    assert sandbox.view()["ignored"] == {"endusers": {"fault": 1}}


# --- the control surface -------------------------------------------------------------------------


def test_the_page_shows_counts_and_no_stored_values(planhat: httpx.Client, sandbox: SandboxProcess) -> None:
    """The page at / is for people: counts, requests, switches; nothing that was stored."""
    planhat.put("/endusers", json=[{**FIRST, "name": "Unmistakable"}])

    page = httpx.get(f"{sandbox.url}/")

    assert page.headers["content-type"].startswith("text/html")
    assert "error_shape" in page.text
    assert "Unmistakable" not in page.text
    assert "u-1@acme.example" not in page.text


def test_rows_are_paged(planhat: httpx.Client, sandbox: SandboxProcess) -> None:
    """Rows come in stretches; the client's iterators join them."""
    people = [{"externalId": f"u-{n}", "companyId": "extid-acme"} for n in range(5_000)]
    planhat.put("/endusers", json=people)
    planhat.put("/endusers", json=[FIRST | {"externalId": "last"}])

    stretch = httpx.get(f"{sandbox.url}/sandbox/endusers", params={"offset": 4_999, "limit": 1}).json()

    assert (stretch["total"], stretch["rows"][0]["external_id"]) == (5_001, "u-4999")
    assert [row.external_id for row in sandbox.endusers()][-1] == "last"


def test_wrong_control_requests_are_named(sandbox: SandboxProcess) -> None:
    """A wrong switch, fault or page is refused with what is allowed."""
    with pytest.raises(SandboxUnusable, match="item-error, keys-error, text"):
        sandbox.switch({"error_shape": "xml"})
    assert httpx.post(f"{sandbox.url}/sandbox/faults", content=b"?").status_code == 400
    assert httpx.post(f"{sandbox.url}/sandbox/switches", content=b"[]").status_code == 400
    assert httpx.get(f"{sandbox.url}/sandbox/requests?limit=-1").status_code == 400
    assert httpx.get(f"{sandbox.url}/sandbox/healthz").json() == {"ok": True}


def test_faults_can_be_seen_and_cleared(sandbox: SandboxProcess) -> None:
    """Waiting faults stand in the view until they are over or cleared."""
    sandbox.add_faults(Fault(kind=FaultKind.RESET, times=None))
    assert [fault["kind"] for fault in sandbox.view()["faults"]] == ["reset"]

    sandbox.clear_faults()

    assert sandbox.view()["faults"] == []


def test_a_revoked_token_is_refused(planhat: httpx.Client, sandbox: SandboxProcess) -> None:
    """Once another API token was made, the old one is answered with 401 and the new one is good."""
    old = sandbox.api_token
    sandbox.change_api_token("made-anew")
    refused = planhat.put("/companies", json=COMPANIES)
    accepted = planhat.put("/companies", json=COMPANIES, headers={"Authorization": "Bearer made-anew"})
    sandbox.change_api_token(old)

    assert (refused.status_code, accepted.status_code) == (401, 200)
    with pytest.raises(SandboxUnusable):
        sandbox.change_api_token("")


def test_reset_forgets_everything(planhat: httpx.Client, sandbox: SandboxProcess) -> None:
    """After a reset the sandbox is as it was started, switches included."""
    sandbox.switch({"error_shape": "text"})
    sandbox.add_faults(Fault(kind=FaultKind.RESET))

    sandbox.reset()

    view = sandbox.view()
    shown = {each["name"]: each["value"] for each in httpx.get(f"{sandbox.url}/sandbox/switches").json()}
    assert (view["companies"]["stored"], view["requests"]["total"], view["faults"]) == (0, 0, [])
    assert (shown["error_shape"], shown["history"]) == ("item-error", "10")
