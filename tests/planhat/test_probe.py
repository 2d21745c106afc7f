"""The start-up probe, against a real socket."""

import pytest

from streamer.outcomes import (
    Answer,
    Answered,
    Misconfigured,
    MisconfiguredReason,
    RefusedWhole,
    Transient,
    TransientReason,
)
from streamer.planhat.client import Client, trusted_authorities
from streamer.planhat.credentials import Credentials
from streamer.planhat.probe import probe
from tests.planhat.scripted import Act, raw, reply, serving

UNREADABLE = Transient(TransientReason.UNREADABLE)


@pytest.mark.parametrize(
    ("act", "answer", "detail"),
    [
        (reply(200, b"[]"), Answered(()), "HTTP 200"),
        (reply(200, b'[{"_id":"6","email":"u-1@acme.example"}]'), Answered(()), "HTTP 200"),
        (reply(200, b"<html></html>"), UNREADABLE, "HTTP 200, but the body is not Planhat's"),
        (reply(200, b"{}"), UNREADABLE, "HTTP 200, but the body is not Planhat's"),
        (reply(200, b"[" * 100_000), UNREADABLE, "HTTP 200, but the body is not Planhat's"),
        (reply(401, b"Unauthorized"), Misconfigured(MisconfiguredReason.CREDENTIALS, 401), "HTTP 401"),
        (reply(403), Misconfigured(MisconfiguredReason.PERMISSION, 403), "HTTP 403"),
        (reply(404), Misconfigured(MisconfiguredReason.NOT_FOUND, 404), "HTTP 404"),
        (reply(429), Transient(TransientReason.THROTTLED), "HTTP 429"),
        (reply(400), RefusedWhole(400), "HTTP 400"),
        (reply(500, b"oops"), Transient(TransientReason.SERVER_ERROR), "HTTP 500"),
        (raw(b"", reset=True), Transient(TransientReason.CONNECTION), "the connection broke"),
    ],
)
def test_a_probe_says_whether_planhat_knows_us(act: Act, answer: Answer, detail: str) -> None:
    """One authenticated GET, answered in the same words as any request, and in one an operator reads."""
    client = Client(trusted_authorities(), deadline_seconds=5.0)
    with serving(act) as server:
        probed = probe(client, f"{server.url}/", Credentials("api-1", "tenant-1"))
    client.close()

    assert probed.answer == answer
    assert probed.detail.startswith(detail)
    assert server.seen[0].line == "GET /endusers?limit=1 HTTP/1.1"
    assert server.seen[0].headers["authorization"] == "Bearer api-1"
