"""Why a call is skipped, and when it happened: what decided, and nothing beside it."""

from dataclasses import replace
from typing import Any

import pytest

from streamer.events.parse import parse
from streamer.outcomes import SkipReason
from streamer.transform import Rules, Skipped, told_of
from streamer.transform.event_lists import event_lists
from streamer.transform.rule_names import DEFAULT
from streamer.transform.suppression import Suppressed
from streamer.transform.why import GATES, why


@pytest.mark.parametrize(
    ("times", "sources"),
    [
        ({"timestamp": "2026-01-05T10:00:00Z", "receivedAt": "2026-01-05T10:00:01Z"}, "timestamp"),
        ({"timestamp": "2026-01-05T4:00:00Z", "receivedAt": "2026-01-05T10:00:01Z"}, "receivedAt"),
        ({"originalTimestamp": "2026-01-05T10:00:00Z"}, "originalTimestamp"),
        (
            {
                "receivedAt": "2026-01-05T10:00:03Z",
                "originalTimestamp": "2026-01-05T10:00:00Z",
                "sentAt": "2026-01-05T10:00:01Z",
            },
            "receivedAt + originalTimestamp + sentAt",
        ),
        ({"timestamp": 1767607200123}, "timestamp"),
    ],
)
def test_a_date_is_of_the_time_that_was_used(times: dict[str, Any], sources: str) -> None:
    """Where `timestamp` is missing or cannot be used, it is not what the date comes from."""
    event = {"type": "track", "userId": "u-1", "event": "E", **times}
    (date,) = (each for each in why(parse(event), event, Rules()).causes if each.field == "date")
    assert (date.sources, date.rule) == (tuple(sources.split(" + ")), sources)


@pytest.mark.parametrize(
    ("event", "reason", "sources", "rule"),
    [
        ({"integrations": {"All": False}}, SkipReason.INTEGRATIONS, ("integrations.All",), "integrations"),
        (
            {"context": {"consent": {"categoryPreferences": {"crm": False, "ads": True}}}},
            SkipReason.CONSENT,
            ("context.consent.categoryPreferences.crm",),
            "STREAMER_CONSENT_CATEGORIES",
        ),
        ({"userId": None, "anonymousId": "a-1"}, SkipReason.ANONYMOUS, (), "identity"),
        ({"type": "screen"}, SkipReason.UNSUPPORTED_TYPE, (), "calls.screen"),
        ({"type": "delete"}, SkipReason.UNSUPPORTED_TYPE, (), "calls.delete"),
        ({"type": "alias", "previousId": "u-0"}, SkipReason.UNSUPPORTED_TYPE, (), DEFAULT),
        (
            {
                "userId": None,
                "anonymousId": "a-1",
                "integrations": {"All": True},
                "context": {"consent": {"categoryPreferences": {"crm": True}}},
            },
            SkipReason.ANONYMOUS,
            (),
            "identity",
        ),
        (
            {"type": "alias", "integrations": {"All": False, "Planhat": True}},
            SkipReason.UNSUPPORTED_TYPE,
            (),
            DEFAULT,
        ),
        (
            {"userId": None, "anonymousId": "a-1", "integrations": {"Planhat": False}},
            SkipReason.INTEGRATIONS,
            ("integrations.Planhat",),
            "integrations",
        ),
    ],
)
def test_a_skip_has_its_rule(
    event: dict[str, Any], reason: SkipReason, sources: tuple[str, ...], rule: str
) -> None:
    """A skip is told by its reason, its rule and the part of the call that makes it one."""
    event = {"type": "track", "userId": "u-1", "event": "Opened", **event}
    told = why(parse(event), event, Rules(consent_categories=frozenset({"crm"})))
    assert (told.skipped, told.sources, told.rule) == (reason, sources, rule)


def test_every_skip_of_the_mapping_has_its_gate() -> None:
    """A reason without one would be told as the first of all; those of the engine are no call's own."""
    told_of_a_call = {SkipReason.SUPPRESSED, SkipReason.CONSENT, SkipReason.INTEGRATIONS, SkipReason.DENIED}
    told_of_a_call |= {SkipReason.NOT_ALLOWED, SkipReason.UNSUPPORTED_TYPE, SkipReason.ANONYMOUS}
    assert {reason for gate in GATES for reason in gate} == told_of_a_call


def test_the_gates_are_in_the_order_of_the_mapping() -> None:
    """A call that several of them stop is stopped at the first, whatever the others are."""
    everything = Rules(
        suppressed=Suppressed.of(frozenset({"a-1@acme.example"})),
        consent_categories=frozenset({"crm"}),
        events=event_lists(deny=("E",)),
    )
    refused = {"consent": {"categoryPreferences": {"crm": False}}}
    call = {"type": "track", "userId": None, "anonymousId": "a", "event": "E", "integrations": {"All": False}}
    events: list[dict[str, Any]] = [
        {**call, "context": {**refused, "traits": {"email": "a-1@acme.example"}}},
        {**call, "context": refused},
        call,
        {**call, "integrations": {}},
        {**call, "integrations": {}, "type": "screen"},
    ]
    met = [told_of(parse(event), event, everything) for event in events]
    met.append(told_of(parse(events[3]), events[3], replace(everything, events=None)))
    assert [each.reason for each in met if isinstance(each, Skipped)] == [gate[0] for gate in GATES]
