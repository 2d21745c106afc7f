"""A first start against librdkafka's mock cluster, and the values of STREAMER_START."""

import pytest

from streamer.kafka.start import start_problem
from tests.kafka.start_contract import StartContract


class TestStart(StartContract):
    """The contract."""


@pytest.mark.parametrize(
    "text",
    ["earliest", "latest", "2026-11-01T00:00:00Z", "2026-11-01T12:30:00+02:00", "2026-11-01T00:00:00.5Z"],
)
def test_starts_that_are_allowed(text: str) -> None:
    """The two words, and times that name their zone."""
    assert start_problem(text) is None


@pytest.mark.parametrize(
    "text", ["", "Earliest", "yesterday", "2026-11-01", "2026-11-01T00:00:00", "1761955200"]
)
def test_starts_that_are_refused(text: str) -> None:
    """Anything else is named together with what is allowed: a time without a zone is anybody's guess."""
    problem = start_problem(text)
    assert problem is not None
    assert problem.startswith(f"STREAMER_START: {text!r}")
    assert "earliest, latest" in problem
