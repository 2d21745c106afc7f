"""The sandbox's guide names everything that it can be asked beside Planhat's API, and nothing else."""

import msgspec
import pytest
from aiohttp import web

from streamer.errors import UsageError
from streamer.standins.planhat.control import add_control_routes
from streamer.standins.planhat.faults import Fault, FaultKind, faults_of
from streamer.standins.planhat.guide import FIELDS, KINDS, PATHS, lines
from streamer.standins.planhat.sandbox import Sandbox
from streamer.standins.planhat.switches import Switches

OF_A_KIND = {"status", "body", "content_type", "headers", "seconds", "bytes_per_second", "error"}
"""What a fault says of how it strikes; the others say what it strikes."""


def test_every_path_is_told() -> None:
    """Each way to look at a sandbox or to change it, but its page, by the method it takes."""
    app = web.Application()
    add_control_routes(app, Sandbox(Switches()))
    served = {(each.method, each.resource.canonical) for each in app.router.routes() if each.resource}

    # A web server answers HEAD wherever it answers GET.
    assert {each for each in served if each[0] != "HEAD"} == {("GET", "/"), *((m, p) for m, p, _ in PATHS)}


def test_every_kind_and_field_of_a_fault_is_told() -> None:
    """None is missing, and none is told that is no more."""
    assert set(KINDS) == set(FaultKind)
    assert {*FIELDS, *OF_A_KIND, "kind"} == {each.name for each in msgspec.structs.fields(Fault)}
    assert all(len(line) <= 100 for line in lines())


def test_a_wrong_kind_is_answered_with_those_there_are() -> None:
    """Whoever guesses at a kind need not guess twice."""
    with pytest.raises(UsageError, match=r"kinds are status, reset, slow, .*, and `streamer sandbox --help`"):
        faults_of({"kind": "away"})
