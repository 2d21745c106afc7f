"""No mark comes out, whatever fails: not in the log, in metrics, letters' headers, errors, or what is shown.

`WAYS` is the table: a new way to fail is a function and a line in one of its parts. A test holds it complete:
each reason there is must be reached by one of them.
"""

import io
from collections.abc import Callable
from functools import cache

import pytest

from streamer.avro.registry_http import Trouble
from streamer.engine.ports import HoldReason
from streamer.errors import (
    InvalidEvent,
    PlanhatMisconfigured,
    SchemaError,
    SettingsError,
    SourceError,
    TooManyDeadLetters,
    UsageError,
)
from streamer.logs import configure_logs
from streamer.outcomes import InvalidReason, MisconfiguredReason, SkipReason, TransientReason
from streamer.planhat.client import Cause
from streamer.records import MarkIgnored
from tests.security.marks import leaks
from tests.security.of_edges import EDGES
from tests.security.of_events import EVENTS
from tests.security.of_replies import REPLIES
from tests.security.scene import Stage

WAYS: dict[str, Callable[[Stage], None]] = {**EVENTS, **REPLIES, **EDGES}
FORMATS = ("json", "console")
MUST_BE_REACHED: set[object] = {
    *InvalidReason,
    *SkipReason,
    *TransientReason,
    *MisconfiguredReason,
    *HoldReason,
    MarkIgnored.FOREIGN,
    # What is raised; the rest of `errors.py` is of a broker's (SourceError) or of our own books.
    *(InvalidEvent, PlanhatMisconfigured, SchemaError, SettingsError, SourceError, TooManyDeadLetters),
    UsageError,
    *(("registry", trouble) for trouble in Trouble if trouble is not Trouble.INTERNAL),
    *(("connection", cause) for cause in (Cause.REFUSED, Cause.DEADLINE, Cause.BROKEN, Cause.TOO_LONG)),
}
"""Every word that says why something did not go as it should."""


@cache
def played(way: str, log_format: str) -> Stage:
    """One way to fail, with a log that writes all it can and strikes nothing out."""
    stage = Stage(io.StringIO())
    configure_logs(log_format=log_format, log_level="debug", stream=stage.stream)
    WAYS[way](stage)
    return stage


@pytest.mark.usefixtures("logging_restored")
@pytest.mark.parametrize("log_format", FORMATS)
@pytest.mark.parametrize("way", WAYS)
def test_no_mark_comes_out(way: str, log_format: str) -> None:
    """What anybody can read after it failed this way holds neither secrets nor what an event says."""
    stage = played(way, log_format)

    assert stage.everything().strip()
    assert leaks(stage.everything()) == []


@pytest.mark.usefixtures("logging_restored")
def test_every_reason_is_reached() -> None:
    """The table of ways is complete: each reason there is was given on one of them."""
    reached = {str(each) for way in WAYS for each in played(way, "json").reached}

    assert {str(each) for each in MUST_BE_REACHED} - reached == set()
