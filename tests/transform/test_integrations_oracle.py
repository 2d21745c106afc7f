"""What is enabled, held against Segment's own library: the same, but for differences that are listed."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from streamer.events.parse import parse
from streamer.transform import Rules
from streamer.transform.consent import opted_out
from tests.transform.facade import Oracle, oracle

DIFFERENCES: Final[dict[str, tuple[dict[str, Any], bool]]] = {
    "a null says nothing, as Avro writes it for what is absent": (
        {"integrations": {"All": False, "Planhat": None}},
        False,
    ),
    "nor does a null hide a boolean under another spelling of All": (
        {"integrations": {"All": None, "all": False}},
        False,
    ),
    "of two spellings of All the documented one is meant": (
        {"integrations": {"all": True, "All": False}},
        False,
    ),
    "what is no boolean does not hide a spelling of All that is one": (
        {"integrations": {"all": "no", "ALL": False}},
        False,
    ),
    "what is no object enables nothing, since it cannot be read": ({"integrations": "none"}, False),
    "so it is with a list": ({"integrations": ["Salesforce"]}, False),
    "All in context is heard in two spellings only, as every context would have to be searched": (
        {"context": {"ALL": False}},
        True,
    ),
}
"""Each with an event and our answer; Segment's library gives the other one."""

EVENT: Final = {"type": "track", "userId": "u-1", "event": "Logged In", "timestamp": "2026-01-05T10:00:00Z"}
names = st.sampled_from(["Planhat", "Planhat", "planhat", "PLANHAT", "Salesforce", "Kafka", "plan", "allow"])
spellings = st.sampled_from(["All", "All", "all", "ALL", "a-l_l"])
answers = st.booleans() | st.sampled_from([{}, {"a": 1}, "yes", "", 0, 1, [], "false"])


@st.composite
def places(draw: st.DrawFn, *, in_context: bool = False) -> dict[str, Any]:
    """An object that names destinations, and all of them by at most one spelling."""
    said: dict[str, Any] = draw(st.dictionaries(names, answers, max_size=3))
    if draw(st.booleans()):
        said[draw(st.sampled_from(["All", "all"]) if in_context else spellings)] = draw(answers)
    if draw(st.booleans()):
        items = list(said.items())
        said = dict(draw(st.permutations(items)))
    return said


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    """Calls that say something of destinations in one place or several."""
    event: dict[str, Any] = dict(EVENT)
    if draw(st.integers(0, 4)):
        event["integrations"] = draw(places())
    if not draw(st.integers(0, 3)):
        event["options"] = draw(places())
    if not draw(st.integers(0, 3)):
        event["context"] = draw(places(in_context=True))
    for place in ("integrations", "options", "context"):
        if place in event and not draw(st.integers(0, 3)):
            event[place]["providers"] = draw(places())
    return event


def is_delivered(event: dict[str, Any]) -> bool:
    """Our answer."""
    return opted_out(parse(event), Rules()) is None


@pytest.fixture(scope="module")
def segment() -> Iterator[Oracle]:
    """Segment's own library."""
    with oracle() as facade:
        yield facade


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(event=events())
def test_integrations_are_read_as_segments_library_does(segment: Oracle, event: dict[str, Any]) -> None:
    """Whatever an event says of destinations, and wherever, our answer is that of Segment's library."""
    note(json.dumps(event))
    assert is_delivered(event) is segment.enables(event)


@pytest.mark.parametrize("law", DIFFERENCES)
def test_differences_are_meant(segment: Oracle, law: str) -> None:
    """Where our answer is another, it is for a reason, and still another."""
    parts, ours = DIFFERENCES[law]
    event = {**EVENT, **parts}
    assert is_delivered(event) is ours
    assert segment.enables(event) is not ours
