"""The table of replies: every status and body of planhat-api.md §3 and §4, and what it means."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.outcomes import (
    Answer,
    Answered,
    Endpoint,
    Misconfigured,
    MisconfiguredReason,
    RefusedWhole,
    Transient,
    TransientReason,
    Verdict,
)
from streamer.planhat.responses import read_answer
from streamer.transform.operations import LogActivity, Operation, UpsertCompany, UpsertEnduser

NOW = 1_795_000_000.0

U1 = UpsertEnduser("u-1", "u-1@acme.example", "acme-1", {"name": "First"})
U12 = UpsertEnduser("u-12", "u-2@acme.example", "acme-1")
U3 = UpsertEnduser("u-3", None, "globex-2")
USERS = (U1, U12, U3)
COMPANIES = (UpsertCompany("acme", {"name": "Acme"}), UpsertCompany("globex-2"))
ACTIVITIES = (
    LogActivity("u-1", None, None, "Signed Up", None, 1.0),
    LogActivity("u-1", None, None, "Signed In", None, 1.0),
)

OK, NO, DUP, NAME = Verdict.ACCEPTED, Verdict.REFUSED, Verdict.DUPLICATED, Verdict.NAME_MISSING
GONE, UNCLEAR = Verdict.MISSING, Verdict.UNCLEAR
UNREADABLE = Transient(TransientReason.UNREADABLE)


def ask(
    status: int,
    body: Any,
    operations: tuple[Operation, ...] = USERS,
    headers: dict[str, str] | None = None,
) -> Answer:
    """The answer to these operations; a body that is not bytes is sent as JSON."""
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_answer(operations[0].endpoint, operations, status, headers or {}, encoded, now=NOW)


def summary(created: Any = 0, updated: Any = 0, unchanged: Any = 0, **lists: Any) -> dict[str, Any]:
    """A reply as Planhat's documentation shows it; unknown fields included."""
    return {
        "created": created,
        "createdErrors": [],
        "insertsKeys": [],
        "updated": updated,
        "updatedErrors": [],
        "updatesKeys": [],
        "nonupdates": unchanged,
        "modified": [],
        "upsertedIds": [],
        "permissionErrors": [],
    } | lists


def keys(*names: str) -> list[dict[str, str]]:
    """Entries of insertsKeys or updatesKeys with these external ids."""
    return [{"_id": "623a1906b4c82d7a1ac76224", "externalId": name} for name in names]


# --- bulk summaries ----------------------------------------------------------------------------

SUMMARIES: list[tuple[str, dict[str, Any], tuple[Verdict, ...]]] = [
    ("all created", summary(3, insertsKeys=keys("u-1", "u-12", "u-3")), (OK, OK, OK)),
    ("all counted, ids only", summary(1, 1, 1, insertsKeys=[{"_id": "6"}]), (OK, OK, OK)),
    ("all unchanged", summary(0, 0, 3), (OK, OK, OK)),
    ("an old reply without permissionErrors and nonupdates", {"created": 1, "updated": 2}, (OK, OK, OK)),
    ("error lists that are null", summary(3, createdErrors=None, permissionErrors=None), (OK, OK, OK)),
    # a shortfall
    ("one in neither list", summary(1, 1, insertsKeys=keys("u-1"), updatesKeys=keys("u-3")), (OK, GONE, OK)),
    (
        "found by e-mail",
        summary(2, insertsKeys=[{"email": "U-1@acme.example"}, *keys("u-3")]),
        (OK, GONE, OK),
    ),
    ("keys as plain strings", summary(2, insertsKeys=["u-1", "u-3"]), (OK, GONE, OK)),
    ("nothing saved, nothing said", summary(), (GONE, GONE, GONE)),
    ("saved ones not told", summary(2, insertsKeys=[{"_id": "6"}, {"_id": "7"}]), (UNCLEAR,) * 3),
    ("unchanged or missing", summary(1, 0, 1, insertsKeys=keys("u-1")), (OK, UNCLEAR, UNCLEAR)),
    ("more keys than counted", summary(1, insertsKeys=keys("u-1", "u-3")), (OK, UNCLEAR, OK)),
    ("keys of strangers", summary(1, insertsKeys=keys("u-99")), (UNCLEAR,) * 3),
    # errors that name their operation
    (
        "item and error",
        summary(2, createdErrors=[{"item": {"externalId": "u-12"}, "error": "bad"}]),
        (OK, NO, OK),
    ),
    ("external id beside", summary(2, updatedErrors=[{"externalId": "u-12", "error": "bad"}]), (OK, NO, OK)),
    (
        "deeply nested",
        summary(2, createdErrors=[{"e": [{"why": {"doc": {"email": "u-2@acme.example"}}}]}]),
        (OK, NO, OK),
    ),
    ("a map from id to error", summary(2, createdErrors=[{"u-12": "is invalid"}]), (OK, NO, OK)),
    ("the list is such a map", summary(2, createdErrors={"u-12": "is invalid"}), (OK, NO, OK)),
    ("an id alone", summary(2, createdErrors=["u-12"]), (OK, NO, OK)),
    ("a sentence with an id", summary(2, createdErrors=["u-12: phone is invalid"]), (OK, NO, OK)),
    ("a sentence with a label", summary(2, createdErrors=["externalId=u-12, phone invalid"]), (OK, NO, OK)),
    ("a sentence with an e-mail", summary(2, createdErrors=["U-2@ACME.example is invalid."]), (OK, NO, OK)),
    ("a quoted id", summary(2, createdErrors=['dup key: { externalId: "u-12" }']), (OK, NO, OK)),
    ("a longer id of a stranger", summary(2, createdErrors=["u-123 is invalid"]), (UNCLEAR,) * 3),
    ("an id inside another", summary(2, createdErrors=["org:u-12 is invalid"]), (UNCLEAR,) * 3),
    ("its company alone", summary(2, createdErrors=["company extid-globex-2 not found"]), (OK, OK, GONE)),
    ("permission for one", summary(2, permissionErrors=[{"externalId": "u-3"}]), (OK, OK, NO)),
    ("two entries for one", summary(2, createdErrors=["u-3 email duplicated", "u-3 is bad"]), (OK, OK, NO)),
    ("named although counted", summary(3, createdErrors=["u-3 is bad"]), (OK, OK, NO)),
    (
        "named although listed",
        summary(3, insertsKeys=keys("u-1", "u-12", "u-3"), createdErrors=["u-3"]),
        (OK, OK, NO),
    ),
    (
        "named, and one missing",
        summary(1, insertsKeys=keys("u-1"), createdErrors=["u-3 bad"]),
        (OK, GONE, NO),
    ),
    (
        "named although listed, another not listed",
        summary(2, insertsKeys=keys("u-1", "u-3"), createdErrors=["u-3 is bad"]),
        (OK, GONE, NO),
    ),
    ("unchanged ones listed too", summary(0, 1, 1, updatesKeys=keys("u-1", "u-12")), (OK, OK, UNCLEAR)),
    # kinds
    (
        "duplicated",
        summary(2, createdErrors=[{"externalId": "u-3", "error": "externalId,email duplicated"}]),
        (OK, OK, DUP),
    ),
    ("duplicate key of Mongo's", summary(2, createdErrors=["E11000 duplicate key 'u-3'"]), (OK, OK, DUP)),
    ("a name it lacks", summary(2, createdErrors=["u-3: name is required"]), (OK, OK, NAME)),
    (
        "a name it lacks, as fields",
        summary(2, createdErrors=[{"externalId": "u-3", "path": "name", "kind": "required"}]),
        (OK, OK, NAME),
    ),
    (
        "a name it lacks, turned round",
        summary(2, createdErrors=["u-3: missing required field 'name'"]),
        (OK, OK, NAME),
    ),
    ("a name it has", summary(2, createdErrors=["u-1: name is required"]), (NO, OK, OK)),
    ("another name", summary(2, createdErrors=["u-3: firstName is required"]), (OK, OK, NO)),
    (
        "our own words echoed",
        summary(
            2,
            createdErrors=[{"item": {"externalId": "u-3", "custom": {"note": "duplicated"}}, "error": "bad"}],
        ),
        (OK, OK, NO),
    ),
    # errors that do not
    (
        "the only one left",
        summary(2, insertsKeys=keys("u-1", "u-3"), createdErrors=["email duplicated"]),
        (OK, DUP, OK),
    ),
    (
        "both left, in one voice",
        summary(1, insertsKeys=keys("u-1"), createdErrors=["bad", "bad"]),
        (OK, NO, NO),
    ),
    (
        "both left, in two voices",
        summary(1, insertsKeys=keys("u-1"), createdErrors=["bad", "x duplicated"]),
        (OK, UNCLEAR, UNCLEAR),
    ),
    ("an index proves nothing", summary(2, createdErrors=[{"message": "bad", "index": 1}]), (UNCLEAR,) * 3),
    (
        "an index with keys",
        summary(2, insertsKeys=keys("u-1", "u-3"), createdErrors=[{"message": "bad", "index": 1}]),
        (OK, NO, OK),
    ),
    ("nobody left to be meant", summary(3, createdErrors=["bad"]), (UNCLEAR,) * 3),
    (
        "fewer errors than left",
        summary(1, insertsKeys=keys("u-1"), createdErrors=["bad"]),
        (OK, UNCLEAR, UNCLEAR),
    ),
    (
        "unchanged among them",
        summary(1, 0, 1, insertsKeys=keys("u-1"), createdErrors=["bad"]),
        (OK, UNCLEAR, UNCLEAR),
    ),
    ("all bad, in one voice", summary(createdErrors=["bad", "bad", "bad"]), (NO, NO, NO)),
    (
        "fits two, one of them saved",
        summary(2, insertsKeys=keys("u-1", "u-3"), createdErrors=["company acme-1 gone"]),
        (OK, NO, OK),
    ),
    (
        "fits two, both saved",
        summary(3, insertsKeys=keys("u-1", "u-12", "u-3"), createdErrors=["company acme-1 gone"]),
        (UNCLEAR, UNCLEAR, OK),
    ),
    (
        "fits two, none saved",
        summary(1, insertsKeys=keys("u-3"), createdErrors=["acme-1 gone"]),
        (UNCLEAR, UNCLEAR, OK),
    ),
    (
        "entries of numbers and nothing",
        summary(1, insertsKeys=keys("u-1"), createdErrors=[7, None]),
        (OK, NO, NO),
    ),
]


@pytest.mark.parametrize(
    ("body", "expected"), [row[1:] for row in SUMMARIES], ids=[row[0] for row in SUMMARIES]
)
@pytest.mark.parametrize("status", [200, 201, 206])
def test_a_summary_gives_each_operation_its_verdict(
    status: int, body: dict[str, Any], expected: tuple[Verdict, ...]
) -> None:
    """A 2xx of any kind is read by its summary alone."""
    assert ask(status, body) == Answered(expected)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (summary(1, createdErrors=["name is required"], insertsKeys=keys("acme")), (OK, NAME)),
        (summary(1, createdErrors=['"globex-2" is bad']), (OK, NO)),
        (summary(1, createdErrors=["extid-globex-2 is bad"]), (OK, NO)),
        (summary(1, createdErrors=[{"externalId": "acme", "error": "bad"}]), (NO, OK)),
        # A word any sentence may hold is no evidence, in quotation marks it is.
        (summary(1, createdErrors=["acme is bad"]), (UNCLEAR, UNCLEAR)),
        (summary(1, createdErrors=["'acme' is bad"]), (NO, OK)),
    ],
)
def test_a_summary_of_companies_goes_by_their_external_ids(
    body: dict[str, Any], expected: tuple[Verdict, ...]
) -> None:
    """Companies are found by external id, bare, quoted or as a reference."""
    assert ask(206, body, COMPANIES) == Answered(expected)


@pytest.mark.parametrize(
    ("external_id", "text"),
    [
        ("1", "1 item failed"),
        ("email", '"email" is required'),
        ("400", "400 bad request"),
        ("name", "name missing"),
    ],
)
def test_an_id_that_stands_in_any_sentence_is_not_found_in_one(external_id: str, text: str) -> None:
    """Where the id is an everyday word the error stays unattributed, and the neighbour is not accepted."""
    operations = (UpsertEnduser(external_id, None, None), UpsertEnduser("other-7", None, None))

    assert ask(206, summary(1, createdErrors=[text]), operations) == Answered((UNCLEAR, UNCLEAR))


def test_an_enduser_listed_by_both_keys_vouches_for_neither_of_two_operations() -> None:
    """One names its externalId, the other its e-mail, one of them was refused: either may be the one."""
    operations = (UpsertEnduser(None, "u-1@acme.example"), UpsertEnduser("u-1", None))
    listed = [{"_id": "1", "externalId": "u-1", "email": "u-1@acme.example"}]
    reply = summary(updated=1, updatesKeys=listed, updatedErrors=["no such value"])
    assert ask(206, reply, operations) == Answered((UNCLEAR, UNCLEAR))


def test_a_sentence_cut_inside_an_emoji_does_not_hide_the_summary() -> None:
    """Half an emoji in an error entry costs neither its own verdict nor its neighbours'."""
    body = rb'{"created":2,"createdErrors":["u-3: bad phone \\ \ud83d\ude00 \ud83d"]}'

    assert ask(206, body) == Answered((OK, OK, NO))


@pytest.mark.parametrize("entry", ["bad", {"index": 0}, None, ["bad"], {"error": {"code": 7}}])
def test_an_operation_alone_always_gets_its_answer(entry: Any) -> None:
    """In a bulk of one, any error is its own."""
    assert ask(206, summary(createdErrors=[entry, entry]), (U3,)) == Answered((NO,))


# --- statuses and bodies -----------------------------------------------------------------------

HTML = b"<!doctype html><html><body>Sign in</body></html>"
UNREADABLE_BODIES = [
    b"",
    b"OK",
    HTML,
    b"null",
    b"[]",
    b"{}",
    b"7",
    b'{"created": 3',
    b"\xff\xfe\x00",
    b'{"processed": 3, "errors": []}',
    json.dumps(keys("u-1", "u-12", "u-3")).encode(),
    json.dumps(summary("3")).encode(),
    json.dumps(summary(2.5)).encode(),
    json.dumps(summary(True)).encode(),
    json.dumps(summary(-1, 4)).encode(),
    json.dumps(summary(4)).encode(),
    json.dumps(summary(1, 1, 2)).encode(),
    b'{"created": 1e400}',
    b'{"created": ' + b"9" * 5000 + b"}",
    b'{"created": 3, "createdErrors": ' + b"[" * 5000 + b"]" * 5000 + b"}",
]


@pytest.mark.parametrize("body", UNREADABLE_BODIES)
@pytest.mark.parametrize("status", [200, 206])
def test_a_success_without_a_credible_summary_is_transient(status: int, body: bytes) -> None:
    """A proxy's page, a cut reply or impossible counts are no success."""
    assert ask(status, body) == UNREADABLE


@pytest.mark.parametrize("body", [*UNREADABLE_BODIES, json.dumps(summary(createdErrors=["u-1"])).encode()])
@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_the_analytics_host_accepts_with_any_success(status: int, body: bytes) -> None:
    """2xx of the data sink means received; its body means nothing."""
    assert ask(status, body, ACTIVITIES) == Answered((OK, OK))


NOT_FOUND, CREDENTIALS, PERMISSION = (
    MisconfiguredReason.NOT_FOUND,
    MisconfiguredReason.CREDENTIALS,
    MisconfiguredReason.PERMISSION,
)
STATUSES: list[tuple[int, Answer]] = [
    (301, Misconfigured(NOT_FOUND, 301)),
    (302, UNREADABLE),
    (303, UNREADABLE),
    (304, UNREADABLE),
    (307, UNREADABLE),
    (308, Misconfigured(NOT_FOUND, 308)),
    (400, RefusedWhole(400)),
    (401, Misconfigured(CREDENTIALS, 401)),
    (402, RefusedWhole(402)),
    (403, Misconfigured(PERMISSION, 403)),
    (404, Misconfigured(NOT_FOUND, 404)),
    (405, Misconfigured(NOT_FOUND, 405)),
    (407, Misconfigured(CREDENTIALS, 407)),
    (408, Transient(TransientReason.STATUS_408)),
    (410, Misconfigured(NOT_FOUND, 410)),
    (413, Transient(TransientReason.TOO_LARGE)),
    (415, RefusedWhole(415)),
    (422, RefusedWhole(422)),
    (425, Transient(TransientReason.STATUS_425)),
    (429, Transient(TransientReason.THROTTLED)),
    (451, RefusedWhole(451)),
    (500, Transient(TransientReason.SERVER_ERROR)),
    (501, Transient(TransientReason.SERVER_ERROR)),
    (502, Transient(TransientReason.SERVER_ERROR)),
    (503, Transient(TransientReason.SERVER_ERROR)),
    (504, Transient(TransientReason.GATEWAY_TIMEOUT)),
    (599, Transient(TransientReason.SERVER_ERROR)),
    (999, Transient(TransientReason.SERVER_ERROR)),
    (101, UNREADABLE),
    (0, UNREADABLE),
]
REASONLESS_BODIES = [b"", b"Too many requests", HTML, b'{"error": "no"}', b'{"created": 0}', b"[" * 9000]


@pytest.mark.parametrize("body", REASONLESS_BODIES)
@pytest.mark.parametrize("operations", [USERS, COMPANIES, ACTIVITIES])
@pytest.mark.parametrize(("status", "expected"), STATUSES)
def test_a_status_means_the_same_whatever_the_body(
    status: int, expected: Answer, operations: tuple[Operation, ...], body: bytes
) -> None:
    """Text, HTML, broken JSON and nothing at all leave the status as the only word."""
    assert ask(status, body, operations) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (summary(2, createdErrors=[{"externalId": "u-3", "error": "bad"}]), Answered((OK, OK, NO))),
        (summary(createdErrors=["u-1 bad", "u-12 bad", "u-3 bad"]), Answered((NO, NO, NO))),
        (summary(createdErrors=["bad", "bad", "bad"]), Answered((NO, NO, NO))),
        ({"createdErrors": [{"externalId": "u-3"}], "insertsKeys": keys("u-1")}, Answered((OK, UNCLEAR, NO))),
        (summary(createdErrors=["the whole request is bad"]), RefusedWhole(400)),
        (summary(3), RefusedWhole(400)),
        (summary(9, createdErrors=["u-3"]), RefusedWhole(400)),
    ],
)
def test_a_400_counts_like_a_206_when_it_names_items(body: dict[str, Any], expected: Answer) -> None:
    """Good items of a 400 are committed; one that says nothing of any item is refused whole."""
    assert ask(400, body) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (summary(2, permissionErrors=[{"externalId": "u-3", "error": "no"}]), Answered((OK, OK, NO))),
        ({"permissionErrors": [{"externalId": "u-3"}]}, Answered((UNCLEAR, UNCLEAR, NO))),
        (summary(permissionErrors=["u-1", "u-12", "u-3"]), Misconfigured(PERMISSION, 403)),
        (summary(permissionErrors=["no", "no", "no"]), Misconfigured(PERMISSION, 403)),
        (summary(permissionErrors=["no permission to create endusers"]), Misconfigured(PERMISSION, 403)),
        (summary(), Misconfigured(PERMISSION, 403)),
    ],
)
def test_a_403_refuses_only_what_it_names(body: dict[str, Any], expected: Answer) -> None:
    """Some named: they are refused. All or none named: the token lacks the permission."""
    assert ask(403, body) == expected


@pytest.mark.parametrize("status", [408, 413, 425, 429, 500, 503, 504])
def test_what_a_reply_asks_us_to_wait_is_passed_on(status: int) -> None:
    """Retry-After belongs to every transient answer."""
    answer = ask(status, b"", headers={"Retry-After": "7"})

    assert isinstance(answer, Transient)
    assert answer.retry_after_seconds == 7.0


@pytest.mark.parametrize(("status", "expected"), [(429, 30.0), (503, None)])
def test_a_reset_header_counts_for_the_quota_only(status: int, expected: float | None) -> None:
    """It stands on every reply, so it does not prolong an outage."""
    answer = ask(status, b"", headers={"x-ratelimit-reset": "30"})

    assert isinstance(answer, Transient)
    assert answer.retry_after_seconds == expected


# --- whatever comes ----------------------------------------------------------------------------

NAMES = st.sampled_from(["u-1", "u-12", "u-3", "7", "name", "acme", "u-1@acme.example", "two words", "ü-1"])
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.text(max_size=8) | NAMES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["externalId", "email", "item", "error", "companyId", "index"]) | NAMES,
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
SUMMARY_LIKE = st.fixed_dictionaries(
    {},
    optional={
        "created": st.integers(-1, 6) | JSON,
        "updated": st.integers(0, 3) | JSON,
        "nonupdates": st.integers(0, 3) | JSON,
        "createdErrors": st.lists(JSON, max_size=4) | JSON,
        "updatedErrors": JSON,
        "permissionErrors": JSON,
        "insertsKeys": st.lists(st.fixed_dictionaries({"externalId": NAMES}), max_size=4) | JSON,
        "updatesKeys": JSON,
    },
)
OPERATIONS = st.lists(
    st.builds(
        UpsertEnduser,
        NAMES,
        st.none() | NAMES,
        st.none() | st.sampled_from(["acme", "acme-1"]),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda operation: operation.external_id,
).map(tuple)
STATUS = st.sampled_from([200, 206, 400, 403]) | st.integers(0, 999)
HEADERS = st.dictionaries(
    st.sampled_from(["Retry-After", "x-ratelimit-reset", "X-Rate-Limit-Remaining"]),
    st.text(max_size=40),
    max_size=3,
)


@settings(deadline=None)
@given(
    operations=OPERATIONS,
    endpoint=st.sampled_from(Endpoint),
    status=STATUS,
    headers=HEADERS,
    body=st.binary(max_size=60) | SUMMARY_LIKE.map(lambda reply: json.dumps(reply).encode()),
)
def test_every_reply_has_an_answer_with_one_verdict_per_operation(
    operations: tuple[Operation, ...], endpoint: Endpoint, status: int, headers: dict[str, str], body: bytes
) -> None:
    """Whatever comes back, nothing is raised and no operation is without a verdict."""
    answer = read_answer(endpoint, operations, status, headers, body, now=NOW)

    match answer:
        case Answered(verdicts):
            assert len(verdicts) == len(operations)
            assert set(map(type, verdicts)) == {Verdict}
        case Transient(retry_after_seconds=seconds):
            assert seconds is None or 0 <= seconds <= 600
        case RefusedWhole(status=told) | Misconfigured(status=told):
            assert told == status


@settings(deadline=None)
@given(
    operations=OPERATIONS,
    status=st.sampled_from([200, 206, 400, 403]),
    reply=SUMMARY_LIKE,
    place=st.integers(0, 4),
    listed=st.sampled_from(["createdErrors", "updatedErrors", "permissionErrors"]),
)
def test_what_an_error_names_is_never_accepted(
    operations: tuple[Operation, ...], status: int, reply: dict[str, Any], place: int, listed: str
) -> None:
    """An entry that names an operation's external id weighs more than any count or list of saved keys."""
    named = place % len(operations)
    entry = {"error": "bad", "item": {"externalId": operations[named].external_id}}
    present = reply.get(listed)
    errors = [*(present if isinstance(present, list) else []), entry]

    answer = ask(status, reply | {listed: errors}, operations)

    if isinstance(answer, Answered):
        assert answer.verdicts[named] in {NO, DUP, NAME}


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "body",
    [
        b"[" * (8 << 20),
        b'{"createdErrors":' + b"[" * (8 << 20),
        b'{"created":1,"createdErrors":[' + b"[]," * (2 << 20) + b"[]]}",
        b'{"created":1,"createdErrors":["' + b"a" * (8 << 20) + b'"]}',
        b'{"created":1,"createdErrors":["' + b"u-9 " * (2 << 20) + b'"]}',
        b'{"created":1,"createdErrors":["' + b"'" * (8 << 20) + b'"]}',
        b'{"created":1,"insertsKeys":[' + b"{}," * (2 << 20) + b"{}]}",
        b'{"created":1,"createdErrors":[' + (b'"' + b"'" * 16_000 + b'",') * 500 + b'"x"]}',
        b'{"created":1,"createdErrors":[' + (b'"' + b"name u-9 " * 1_800 + b'",') * 500 + b'"x"]}',
        b'{"created":1,"createdErrors":' + b'[[[["x"]]],' * 400_000 + b"[]]}",
    ],
)
def test_hostile_replies_end_soon(body: bytes) -> None:
    """Eight mebibytes of nesting, of entries or of one text never accept anything, and do not hang."""
    answer = ask(200, body)

    assert answer == UNREADABLE or answer == Answered((UNCLEAR,) * 3)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("email duplicated", DUP),
        ("row {}: bad", NO),
        ("user-{}: phone is not valid", NO),
        ("company extid-acme-1 not found", GONE),
        (
            {"item": {"externalId": "user-{}", "custom": {"text": "x" * 500}}, "error": "name is required"},
            NAME,
        ),
    ],
)
def test_a_full_bulk_of_errors_is_read_in_one_pass(entry: Any, expected: Verdict) -> None:
    """Five thousand errors of five thousand items take seconds at most: no step compares all with all."""
    operations = tuple(UpsertEnduser(f"user-{place}", None, "acme-1") for place in range(5_000))
    template = json.dumps(entry)
    entries = ",".join(template.replace("{}", str(place)) for place in range(5_000))

    answer = ask(400, f'{{"created":0,"createdErrors":[{entries}]}}'.encode(), operations)

    assert answer == Answered((expected,) * 5_000)
