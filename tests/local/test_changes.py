"""What a change of rules would change, event by event and counted."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from streamer.errors import InvalidEvent
from streamer.events.parse import parse
from streamer.local.changes import MOST_EXAMPLES, Change, How, Kind, compare, compare_all
from streamer.local.transform import Given
from streamer.mapping import read_mapping
from streamer.outcomes import InvalidReason
from streamer.transform import Link, Rules, transform
from tests.events.strategies import good_events, unhurried
from tests.transform.test_properties import rules

SCREEN: dict[str, Any] = {"type": "screen", "userId": "u-1", "name": "Home"}
GROUP: dict[str, Any] = {"type": "group", "userId": "u-1", "groupId": "acme", "traits": {"plan": "pro"}}
REFUSING: dict[str, Any] = {
    "type": "track",
    "userId": "u-1",
    "event": "Opened",
    "context": {"consent": {"categoryPreferences": {"crm": False}}},
}
CRM = Rules(consent_categories=frozenset({"crm"}))


def change_of(event: dict[str, Any], old: Rules, new: Rules) -> Change:
    """What becomes of one event."""
    return compare(parse(event), event, old, new)


def test_every_kind_of_change_is_told() -> None:
    """Now sent, now skipped, skipped for another reason, different, and the same."""
    with_screens = Rules(deliver_screens=True)
    assert change_of(SCREEN, Rules(), with_screens) == Change(Kind.NOW_SENT, before="unsupported_type")
    assert change_of(SCREEN, with_screens, Rules()) == Change(Kind.NOW_SKIPPED, after="unsupported_type")
    refusing = {**SCREEN, "context": REFUSING["context"]}
    assert change_of(refusing, Rules(), CRM) == Change(Kind.OTHER_REASON, "unsupported_type", "consent")
    assert change_of(SCREEN, Rules(), CRM).kind is Kind.UNCHANGED
    assert change_of(GROUP, Rules(), CRM).kind is Kind.UNCHANGED


def test_an_operation_that_goes_takes_its_fields_along() -> None:
    """Fields are named with their endpoint, and each is told with what it was."""
    change = change_of(GROUP, Rules(), Rules(link=Link.NEVER))
    assert change.kind is Kind.DIFFERENT
    assert {(each.how, each.field, each.before, each.after) for each in change.fields} == {
        (How.REMOVED, "endusers.externalId", "u-1", None),
        (How.REMOVED, "endusers.companyExternalId", "acme", None),
    }
    back = change_of(GROUP, Rules(link=Link.NEVER), Rules())
    assert {(each.how, each.field) for each in back.fields} == {
        (How.ADDED, "endusers.externalId"),
        (How.ADDED, "endusers.companyExternalId"),
    }


@pytest.mark.parametrize(("value", "type_"), [(True, "number"), (1, "boolean"), (1, "text")])
def test_another_type_is_a_change(value: object, type_: str) -> None:
    """To Planhat true, 1 and "1" are three things, though Python takes two of them for the same."""
    event = {"type": "identify", "userId": "u-1", "traits": {"x": value}}
    mapping = f'[identify.traits]\nx = {{ to = "custom:x", type = "{type_}" }}'
    change = change_of(event, Rules(), read_mapping(mapping).rules)

    assert [(each.how, each.field, each.before) for each in change.fields] == [
        (How.CHANGED, "endusers.custom.x", value)
    ]


@unhurried
@given(good_events, rules, rules)
def test_unchanged_means_the_same_operations(event: dict[str, Any], old: Rules, new: Rules) -> None:
    """Whatever the event: it is unchanged exactly where both rules make the same of it."""
    call = parse(event)
    before, after = transform(call, old), transform(call, new)
    assert (compare(call, event, old, new).kind is Kind.UNCHANGED) == (repr_of(before) == repr_of(after))
    assert compare(call, event, old, old).kind is Kind.UNCHANGED


def repr_of(result: Any) -> str:
    """All a result says: the operations' own reprs hide what is of people."""
    made = getattr(result, "operations", None)
    if made is None:
        return repr(result)
    return repr([[type(each), *(getattr(each, name) for name in each.__slots__)] for each in made])


def test_many_events_are_counted_with_examples() -> None:
    """Counts by kind, call, field and reason; of each kind a few examples, with where they lie."""
    events = [Given(SCREEN, place=(0, number)) for number in range(MOST_EXAMPLES + 2)]
    events += [Given(GROUP), Given(REFUSING), Given(is_tombstone=True), Given({"type": "track"})]
    events.append(Given(problem=InvalidEvent(InvalidReason.BAD_JSON)))
    new = Rules(deliver_screens=True, link=Link.NEVER, consent_categories=frozenset({"crm"}))
    found = compare_all(events, Rules(), new)

    assert found.events == MOST_EXAMPLES + 6
    assert found.kinds == {
        Kind.NOW_SENT: MOST_EXAMPLES + 2,
        Kind.DIFFERENT: 1,
        Kind.NOW_SKIPPED: 1,
        Kind.INVALID: 2,
    }
    assert found.calls[Kind.NOW_SENT, "screen"] == MOST_EXAMPLES + 2
    assert found.fields["endusers.externalId", How.REMOVED] == 1
    assert found.reasons[Kind.NOW_SKIPPED, "", "consent"] == 1
    assert [each.place for each in found.examples[Kind.NOW_SENT]] == [(0, n) for n in range(MOST_EXAMPLES)]


def test_fields_of_as_many_events_are_told_in_one_order() -> None:
    """Two runs over the same events say the same, byte for byte: in the order of what is sent."""
    traits = {f"trait{number}": number for number in range(20)}
    event = {"type": "identify", "userId": "u-1", "traits": traits}
    dropping = replace(Rules(), identify=replace(Rules().identify, keeps_others=False))

    found = compare_all([Given(event), Given(event)], Rules(), dropping)

    assert [name for (name, _), _ in found.fields.most_common()] == [
        f"endusers.custom.{key}" for key in traits
    ]
