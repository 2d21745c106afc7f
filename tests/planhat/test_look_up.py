"""Planhat's present records: one call each, whatever the answer is, and nothing of people in what is said."""

from collections.abc import Iterator

import pytest

from streamer.planhat.client import Client, trusted_authorities
from streamer.planhat.credentials import Credentials
from streamer.planhat.items import encode_operation
from streamer.planhat.look_up import FEWEST_LEFT, Looked, LookUp
from streamer.planhat.requests import Addresses, request_for
from streamer.standins.planhat.child import SandboxProcess
from streamer.transform.operations import Operation, UpsertCompany, UpsertEnduser
from tests.planhat.scripted import JSON_HEADERS, reply, serving

TOKENS = Credentials("api-token-1", "0b7e1c9a-4f2d-4c61-9a55-3d1f0e8b7a21")


@pytest.fixture(name="client")
def _client() -> Iterator[Client]:
    """A client of the test's own."""
    client = Client(trusted_authorities(), deadline_seconds=10)
    yield client
    client.close()


def test_what_was_stored_is_found(client: Client) -> None:
    """By external id, whatever it holds, and by e-mail; what is not there is absent, not unknown."""
    odd = "a b?&#%c"
    with SandboxProcess() as sandbox:
        addresses = Addresses(sandbox.url, sandbox.url, sandbox.tenant_token)
        stored: list[Operation] = [
            UpsertCompany(odd, {"name": "Acme"}),
            UpsertEnduser(odd, "a+b@acme.example", odd, {"name": "A"}, {"plan": "pro"}),
            UpsertEnduser("u-2", "a+b@acme.example", odd, {"name": "B"}),
        ]
        for operation in stored:
            request = request_for(operation.endpoint, [encode_operation(operation)], addresses)
            client.send(request, bearer=sandbox.api_token)
        look_up = LookUp(client, sandbox.url, Credentials(sandbox.api_token, sandbox.tenant_token))

        company, enduser = look_up.company(odd), look_up.enduser(odd)
        assert company.record is not None
        assert company.record["name"] == "Acme"
        assert enduser.record is not None
        assert (enduser.record["custom"], enduser.matches) == ({"plan": "pro"}, 1)
        assert look_up.enduser_by_email("a+b@acme.example").matches == 2
        for nobody in (
            look_up.company("co-9"),
            look_up.enduser("u-9"),
            look_up.enduser_by_email("b@acme.example"),
        ):
            assert (nobody.record, nobody.problem) == (None, "")


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, b"", Looked(problem="refused with HTTP 401", is_refused=True, leaves_quota=False)),
        (403, b"", Looked(problem="refused with HTTP 403", is_refused=True, leaves_quota=False)),
        (404, b"Not Found", Looked()),
        (
            429,
            b"",
            Looked(problem="HTTP 429, more calls than the quota allows: try again later", leaves_quota=False),
        ),
        (503, b"<html>", Looked(problem="HTTP 503, no answer to be had: try again later")),
        (200, b"<html>", Looked(problem="the reply is not Planhat's: a proxy's page?")),
        (200, b"[1]", Looked(problem="the reply is not Planhat's: a proxy's page?")),
        (200, b"[]", Looked(matches=0)),
    ],
)
def test_every_answer_is_taken_once(client: Client, status: int, body: bytes, expected: Looked) -> None:
    """Whatever the status: it is asked once, with the token, and what came of it is said."""
    with serving(reply(status, body)) as server:
        assert LookUp(client, server.url, TOKENS).enduser("u-1") == expected
        (seen,) = server.seen
    assert seen.line == "GET /endusers/extid-u-1 HTTP/1.1"
    assert seen.headers["authorization"] == "Bearer api-token-1"


@pytest.mark.parametrize(("left", "leaves_quota"), [(FEWEST_LEFT, True), (FEWEST_LEFT - 1, False)])
def test_a_quota_that_is_nearly_spent_is_left_to_others(
    client: Client, left: int, leaves_quota: bool
) -> None:
    """Where few calls are left another question would be at the pipeline's cost."""
    headers = f"{JSON_HEADERS}X-RateLimit-Remaining: {left}\r\n"
    with serving(reply(200, b"{}", headers=headers)) as server:
        assert LookUp(client, server.url, TOKENS).company("acme").leaves_quota is leaves_quota


def test_an_id_with_a_slash_is_not_called_absent(client: Client) -> None:
    """Where the path may not have been understood, 404 is no answer about the object."""
    with serving(reply(404)) as server:
        looked = LookUp(client, server.url, TOKENS).enduser("team/u-1")
        (seen,) = server.seen
    assert seen.line.startswith("GET /endusers/extid-team%2Fu-1 ")
    assert looked.problem == "HTTP 404, which does not tell of an id with a slash"


def test_nobody_there_is_said(client: Client) -> None:
    """A Planhat that is away is a problem in words, and no exception."""
    with serving(reply(200)) as server:
        url = server.url
    looked = LookUp(client, url, TOKENS).enduser_by_email("somebody@acme.example")
    assert looked.problem == "no reply: the connection was refused"
    assert "somebody" not in repr(looked)
