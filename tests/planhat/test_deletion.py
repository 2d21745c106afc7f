"""Deletions: by id in one request, by address in two, and never of anybody but who is meant."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engine.ports import Batch
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
from streamer.planhat.deletion import looked_up
from streamer.planhat.items import encode_operation
from streamer.planhat.requests import Addresses, deletion_of, request_for
from streamer.planhat.responses import read_answer
from streamer.transform.facts import calls_of
from streamer.transform.operations import DeleteEnduser
from tests.planhat.scripted import reply, serving
from tests.planhat.test_sink import collect_all, sink_at

ADDRESSES = Addresses("https://api.planhat.com", "https://analytics.planhat.com", "tenant")
EMAIL = "Gone@acme.example"
WHOM = {"_id": "5f1", "email": "gone@acme.example"}
GONE = Answered((Verdict.ACCEPTED,))
AMBIGUOUS = Answered((Verdict.AMBIGUOUS,))


@pytest.mark.parametrize(
    ("whom", "method", "path"),
    [
        (DeleteEnduser("u-1", EMAIL), "DELETE", "/endusers/extid-u-1"),
        (DeleteEnduser("a/b?c#d%é", None), "DELETE", "/endusers/extid-a%2Fb%3Fc%23d%25%C3%A9"),
        (DeleteEnduser("..", None), "DELETE", "/endusers/extid-.."),
        (DeleteEnduser("\ud800", None), "DELETE", "/endusers/extid-%3F"),
        (DeleteEnduser(None, EMAIL), "GET", "/endusers?select=_id,email&email=Gone%40acme.example"),
    ],
)
def test_the_id_stands_in_the_path(whom: DeleteEnduser, method: str, path: str) -> None:
    """Whatever it holds it is one segment; an address is asked about, and never shown."""
    request = request_for(Endpoint.DELETIONS, [encode_operation(whom)], ADDRESSES)
    assert (request.method, request.url, request.body) == (method, f"https://api.planhat.com{path}", b"")
    assert "Gone" not in request.shown_url
    assert calls_of(whom) == (2 if whom.email is None or whom.external_id is None else 3)


@given(st.text(min_size=1))
def test_no_id_leaves_its_segment(external_id: str) -> None:
    """Neither a slash nor a question mark of an id reaches another path."""
    request = request_for(Endpoint.DELETIONS, [encode_operation(DeleteEnduser(external_id, None))], ADDRESSES)
    path = request.url.removeprefix("https://api.planhat.com/endusers/")
    assert path.startswith("extid-")
    assert path.isascii()
    assert not set(path) & set("/?#")


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (200, b'{"n":1,"ok":1,"deletedCount":1}', GONE),
        (200, b'{"n":0,"ok":1,"deletedCount":0}', GONE),
        (200, b"", GONE),
        (204, b"", GONE),
        (404, b"Not Found", GONE),
        (410, b"", GONE),
        (404, b" <!doctype html><title>Not Found</title>", Misconfigured(MisconfiguredReason.NOT_FOUND, 404)),
        (200, b"<html>maintenance</html>", Transient(TransientReason.UNREADABLE)),
        (400, b"bad id", RefusedWhole(400)),
        (401, b"", Misconfigured(MisconfiguredReason.CREDENTIALS, 401)),
        (403, b"{}", Misconfigured(MisconfiguredReason.PERMISSION, 403)),
        (429, b"", Transient(TransientReason.THROTTLED)),
        (503, b"", Transient(TransientReason.SERVER_ERROR)),
    ],
)
def test_nobody_there_is_what_was_asked_for(status: int, body: bytes, answer: Answer) -> None:
    """Deleted, or never there: accepted. A proxy's page says neither."""
    operations = (DeleteEnduser("u-1", None),)
    assert read_answer(Endpoint.DELETIONS, operations, status, {}, body, now=0.0) == answer


def test_nobody_with_a_slash_in_the_id_may_be_a_word_on_the_path() -> None:
    """A server that takes `%2F` for a slash was asked for something else: nobody knows who is there."""
    operations = (DeleteEnduser("a/b", None),)
    assert read_answer(Endpoint.DELETIONS, operations, 404, {}, b"Not Found", now=0.0) == AMBIGUOUS
    assert read_answer(Endpoint.DELETIONS, operations, 200, {}, b"{}", now=0.0) == GONE


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        ([], GONE),
        ([WHOM], "5f1"),
        # Others beside them are not meant, whyever they are listed.
        ([WHOM, {"_id": "5f2", "email": "other@acme.example"}, {"_id": "5f3"}], "5f1"),
        ([WHOM, {"_id": "5f2", "email": "GONE@acme.example"}], AMBIGUOUS),
        # A filter that is not understood lists everybody: nobody of them is deleted, nor called gone.
        ([{"_id": "5f2", "email": "other@acme.example"}], AMBIGUOUS),
        ([{"_id": "5f2"}], AMBIGUOUS),
        ([{"_id": "", "email": EMAIL}], AMBIGUOUS),
        (["5f1"], AMBIGUOUS),
        ({"message": "ok"}, Transient(TransientReason.UNREADABLE)),
    ],
)
def test_only_who_has_the_address_is_deleted(listed: Any, found: Answer | str) -> None:
    """Exactly one that is listed with it; else nobody."""
    assert looked_up(200, {}, json.dumps(listed).encode(), EMAIL, now=0.0) == found


def test_a_look_up_that_fails_is_read_as_any_request() -> None:
    """Nobody is deleted, and it is tried again, or a person is called."""
    assert looked_up(503, {}, b"", EMAIL, now=0.0) == Transient(TransientReason.SERVER_ERROR)
    assert looked_up(404, {}, b"", EMAIL, now=0.0) == Misconfigured(MisconfiguredReason.NOT_FOUND, 404)
    assert looked_up(200, {}, b"<html>", EMAIL, now=0.0) == Transient(TransientReason.UNREADABLE)


def test_planhats_own_id_is_one_segment_too() -> None:
    """It came from a reply, which is no more trusted than an event."""
    assert deletion_of("../companies", ADDRESSES).url == "https://api.planhat.com/endusers/..%2Fcompanies"


LOOK_UP = "GET /endusers?select=_id,email&email=Gone%40acme.example"


@pytest.mark.parametrize(
    ("listed", "requests", "verdict"),
    [
        ([WHOM], [LOOK_UP, "DELETE /endusers/5f1"], "accepted"),
        ([], [LOOK_UP], "accepted"),
        ([WHOM, WHOM | {"_id": "5f2"}], [LOOK_UP], "ambiguous"),
    ],
)
def test_one_by_address_takes_two_requests(listed: Any, requests: list[str], verdict: str) -> None:
    """First whom it means, then the deletion by Planhat's id; both with the API token."""
    whom = DeleteEnduser(None, EMAIL)
    with (
        serving(reply(200, json.dumps(listed).encode()), reply(200, b"{}")) as server,
        sink_at(server) as sink,
    ):
        assert sink.submit(Batch(1, Endpoint.DELETIONS, (whom,), (encode_operation(whom),)))
        (delivery,) = collect_all(sink, 1)
    assert [seen.line.removesuffix(" HTTP/1.1") for seen in server.seen] == requests
    assert {seen.headers["authorization"] for seen in server.seen} == {"Bearer api-1"}
    assert delivery.answer == Answered((Verdict(verdict),))


@pytest.mark.parametrize(
    ("replies", "requests", "verdict"),
    [
        ([reply(200, b'{"deletedCount":0}'), reply(200, b"[]")], 2, "accepted"),
        ([reply(404, b""), reply(200, json.dumps([WHOM]).encode()), reply(200, b"{}")], 3, "accepted"),
        ([reply(404, b""), reply(200, json.dumps([WHOM]).encode()), reply(404, b"")], 3, "accepted"),
        ([reply(404, b""), reply(200, b"[]")], 2, "accepted"),
        ([reply(404, b""), reply(200, json.dumps([WHOM, WHOM]).encode())], 2, "ambiguous"),
    ],
)
def test_an_id_that_nobody_has_is_looked_for_by_address(
    replies: list[Any], requests: int, verdict: str
) -> None:
    """A `userId` that is an address is nobody's id, and the address of whom Planhat knows by another."""
    whom = DeleteEnduser(EMAIL, EMAIL)
    asked = ["DELETE /endusers/extid-Gone%40acme.example", LOOK_UP, "DELETE /endusers/5f1"]
    with serving(*replies) as server, sink_at(server) as sink:
        assert sink.submit(Batch(1, Endpoint.DELETIONS, (whom,), (encode_operation(whom),)))
        (delivery,) = collect_all(sink, 1)
    assert [seen.line.removesuffix(" HTTP/1.1") for seen in server.seen] == asked[:requests]
    assert delivery.answer == Answered((Verdict(verdict),))


DELETED = reply(200, b'{"n":1,"ok":1,"deletedCount":1}')


@pytest.mark.parametrize(
    ("external_id", "replies", "verdict"),
    [
        ("u-1", [DELETED, DELETED, reply(404, b"")], "accepted"),
        ("u-1", [reply(204), reply(410, b"")], "accepted"),
        ("u-1", [DELETED, reply(200, b'{"deletedCount":0}')], "accepted"),
        # The path was understood before, so that nobody is there is no word on a slash.
        ("a/b", [DELETED, reply(404, b"")], "accepted"),
        # Deleted ten times, and never gone: nobody may say that the person is.
        ("u-1", [reply(204)] * 10, "ambiguous"),
    ],
)
def test_by_id_everybody_goes_who_has_it(external_id: str, replies: list[Any], verdict: str) -> None:
    """An enduser stands once in each company: it is asked until nobody is left, or a person looks."""
    whom = DeleteEnduser(external_id, None)
    with serving(*replies) as server, sink_at(server) as sink:
        assert sink.submit(Batch(1, Endpoint.DELETIONS, (whom,), (encode_operation(whom),)))
        (delivery,) = collect_all(sink, 1)
    assert len(server.seen) == len(replies)
    assert {seen.line.split()[0] for seen in server.seen} == {"DELETE"}
    assert delivery.answer == Answered((Verdict(verdict),))


@pytest.mark.parametrize(
    ("whom", "replies", "asked"),
    [
        (
            DeleteEnduser("u-1", None, archives=True),
            [reply(200, b'{"_id":"5f1","archived":true}')],
            ["PUT /endusers/extid-u-1"],
        ),
        (DeleteEnduser("u-1", None, archives=True), [reply(404, b"")], ["PUT /endusers/extid-u-1"]),
        (
            DeleteEnduser(EMAIL, EMAIL, archives=True),
            [reply(404, b""), reply(200, json.dumps([WHOM]).encode()), reply(200, b"{}")],
            ["PUT /endusers/extid-Gone%40acme.example", LOOK_UP, "PUT /endusers/5f1"],
        ),
        (DeleteEnduser(EMAIL, EMAIL, archives=True), [reply(404, b""), reply(200, b"[]")], None),
    ],
)
def test_who_is_archived_is_changed_and_never_created(
    whom: DeleteEnduser, replies: list[Any], asked: list[str] | None
) -> None:
    """One by id, else by address; nobody there is no error, and nobody is there afterwards."""
    with serving(*replies) as server, sink_at(server) as sink:
        assert sink.submit(Batch(1, Endpoint.DELETIONS, (whom,), (encode_operation(whom),)))
        (delivery,) = collect_all(sink, 1)
    assert asked is None or [seen.line.removesuffix(" HTTP/1.1") for seen in server.seen] == asked
    puts = [seen for seen in server.seen if seen.line.startswith("PUT")]
    assert {seen.body for seen in puts} == {b'{"archived":true}'}
    assert delivery.answer == GONE


def test_nobody_is_deleted_by_a_replica_that_lost_its_partitions_meanwhile() -> None:
    """Between the look-up and the deletion it is asked once more whether sending is allowed."""
    whom = DeleteEnduser(None, EMAIL)
    text = json.dumps([WHOM]).encode()
    with (
        serving(reply(200, text)) as server,
        sink_at(server, membership=lambda: None if server.seen else 0) as sink,
    ):
        assert sink.submit(Batch(1, Endpoint.DELETIONS, (whom,), (encode_operation(whom),)))
        (delivery,) = collect_all(sink, 1)
    assert len(server.seen) == 1
    assert delivery.answer == Transient(TransientReason.CONNECTION)
