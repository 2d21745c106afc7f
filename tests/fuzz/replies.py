"""A reply of Planhat, or of whatever stands before it: any status, header and body has one meaning.

Never is an operation called delivered unless the reply says so, by a reading of its own that is simpler than
the tables in `streamer.planhat`. Bytes of an input: endpoint, status, how many operations, which header;
the header's value up to a line end; the body.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from streamer.outcomes import Answered, Endpoint, Host, Transient, Verdict
from streamer.planhat.headers import LONGEST_WAIT_SECONDS, remaining_calls
from streamer.planhat.responses import read_answer
from streamer.transform.operations import (
    DeleteEnduser,
    ForwardCall,
    LogActivity,
    MetricModel,
    Operation,
    PushMetric,
    UpsertCompany,
    UpsertEnduser,
)
from tests.fuzz import Target

NOW: Final = 1_795_000_000.0
STATUSES: Final = (
    *(200, 201, 204, 206, 301, 302, 304, 400, 401, 403, 404, 405, 407, 408, 409, 410, 413, 422, 425, 429),
    *(500, 502, 503, 504, 599, 600, 100),
)
HEADERS: Final = ("Retry-After", "X-RateLimit-Reset", "x-rate-limit-reset", "X-RateLimit-Remaining")
IDS: Final = ("u-alpha-7", "u-bravo-8", "u-charlie-9", "u-delta/10", "u-echo-11")
OPERATIONS: Final[Mapping[Endpoint, Sequence[Operation]]] = {
    Endpoint.ENDUSERS: [UpsertEnduser(each, f"{each[2:5]}@acme.example", "acme") for each in IDS],
    Endpoint.COMPANIES: [UpsertCompany(each, {"name": each.upper()}) for each in IDS],
    Endpoint.ACTIVITIES: [LogActivity(each, None, None, "Signed In", None, 1.0) for each in IDS],
    Endpoint.METRICS: [PushMetric(each, MetricModel.ENDUSER, "logins", 2.0, None) for each in IDS],
    Endpoint.DELETIONS: [DeleteEnduser(each, None) for each in IDS],
    Endpoint.SEGMENT: [ForwardCall(each, None, None, {"type": "track"}) for each in IDS],
}
ENDPOINTS: Final = tuple(OPERATIONS)
SAVED: Final = ("insertsKeys", "updatesKeys")
COUNTS: Final = ("created", "updated", "nonupdates")
ERRORS: Final = ("createdErrors", "updatedErrors", "permissionErrors")


def _one(value: bytes) -> None:
    if len(value) < 4:
        return
    endpoint = ENDPOINTS[value[0] % len(ENDPOINTS)]
    status = STATUSES[value[1] % len(STATUSES)]
    operations = OPERATIONS[endpoint][: 1 if endpoint.is_single else 1 + value[2] % len(IDS)]
    asked, _, body = value[4:].partition(b"\n")
    headers = {HEADERS[value[3] % len(HEADERS)]: asked.decode("latin-1")}
    remaining_calls(headers)
    answer = read_answer(endpoint, operations, status, headers, body, now=NOW)
    if isinstance(answer, Transient):
        wait = answer.retry_after_seconds
        assert wait is None or 0 <= wait <= LONGEST_WAIT_SECONDS
    if not isinstance(answer, Answered):
        return
    assert len(answer.verdicts) == len(operations)
    if Verdict.ACCEPTED in answer.verdicts:
        _holds(endpoint, status, body, answer.verdicts, operations)


def _holds(
    endpoint: Endpoint,
    status: int,
    body: bytes,
    verdicts: Sequence[Verdict],
    operations: Sequence[Operation],
) -> None:
    """That what is called accepted was said to be."""
    is_success = 200 <= status < 300
    if endpoint is Endpoint.DELETIONS:
        gone = status in {404, 410} and not body.lstrip().startswith(b"<")
        assert gone or (is_success and (not body.strip() or isinstance(_said(body), dict)))
    elif endpoint.host is Host.MAIN:
        assert is_success or status in {400, 403}
        _counted(_said(body), verdicts, operations)
    else:
        assert is_success
        if endpoint is Endpoint.METRICS and body.strip():
            said, accepted = _said(body), verdicts.count(Verdict.ACCEPTED)
            errors = said.get("errors") or []
            assert said.get("processed") is not None or "errors" in said
            assert said.get("processed") is None or said["processed"] + len(errors) >= len(verdicts)
            assert accepted <= len(verdicts) - bool(errors)


def _counted(said: Any, verdicts: Sequence[Verdict], operations: Sequence[Operation]) -> None:
    """Each that is accepted is listed as saved, or one of as many as are counted and not listed."""
    assert isinstance(said, dict)
    listed = json.dumps([said.get(name) for name in SAVED], ensure_ascii=False).lower()
    refused = [entry for name in ERRORS for entry in _several(said.get(name))]
    unlisted = 0
    for verdict, operation in zip(verdicts, operations, strict=True):
        if verdict is not Verdict.ACCEPTED:
            continue
        names = [key.partition(":")[2] for key in operation.keys]
        unlisted += not any(name.lower() in listed for name in names)
        # Whom an error is about, and about nobody else, was not saved.
        assert {"externalId": names[0], "error": "no"} not in refused
    assert unlisted <= sum(int(said.get(name) or 0) for name in COUNTS)


def _said(body: bytes) -> Any:
    # Texts that nobody reads are not looked at, so that bytes of no text in them are overlooked as well.
    return json.loads(body.decode("utf-8", "replace"))


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _seeds() -> Iterator[bytes]:
    for endpoint in range(len(ENDPOINTS)):
        for status in range(len(STATUSES)):
            yield bytes([endpoint, status, 2, status]) + b'30\n{"created":0}'
    bodies: list[Any] = [
        {"created": 1, "updated": 2, "nonupdates": 0, "insertsKeys": [], "updatesKeys": []},
        {"created": 1, "insertsKeys": [{"externalId": IDS[0]}], "createdErrors": ["Company not found"]},
        {"updated": 1, "updatesKeys": [{"_id": "5f", "externalId": IDS[1], "email": "alp@acme.example"}]},
        {"created": 2, "createdErrors": [{"externalId": IDS[2], "error": "no"}]},
        {"created": 0, "permissionErrors": {"item": {"email": "alp@acme.example"}, "error": "no name"}},
        {"created": 0, "updatedErrors": [{IDS[0]: "duplicated"}, {"message": "name is required"}]},
        {"processed": 3, "errors": []},
        {"processed": 2, "errors": [{"item": {"externalId": IDS[0], "dimensionId": "logins"}, "error": "x"}]},
        {"deletedCount": 0},
        [],
    ]
    for body in bodies:
        for endpoint, status in ((0, 0), (1, 0), (0, 7), (0, 9), (3, 0), (4, 0)):
            yield bytes([endpoint, status, 2, 0]) + b"\n" + json.dumps(body).encode()
    yield b"\0\0\2\0\n<html><body>502</body></html>"
    yield b"\0\x13\2\0Wed, 25 Nov 2026 09:30:00 GMT\n"


_WORDS = [*COUNTS, *ERRORS, *SAVED, "externalId", "error", "processed", "errors", "item", "message"]
TARGET: Final = Target(
    _one,
    _seeds(),
    [
        *(f'"{word}":'.encode() for word in _WORDS),
        *(f'"{each}"'.encode() for each in IDS),
        *(b"duplicated", b"name is required", b"company not found", b"alp@acme.example"),
    ],
)
