"""What holds of the core whatever an event holds."""

from contextlib import suppress
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import InvalidEvent
from streamer.events.parse import parse
from streamer.outcomes import SkipReason
from streamer.planhat.items import encode_operation
from streamer.transform import Link, Rules, Skipped, Transformed, operations, transform
from streamer.transform.choices import Companies
from streamer.transform.encoding import to_json
from streamer.transform.event_lists import event_lists
from streamer.transform.operations import Operation, UpsertCompany, UpsertEnduser
from streamer.transform.suppression import Suppressed
from tests.events.strategies import events, good_events, objects, unhurried

rules = st.builds(
    Rules,
    consent_categories=st.sampled_from([frozenset(), frozenset({"crm"})]),
    link=st.sampled_from(Link),
    deliver_screens=st.booleans(),
    suppressed=st.sampled_from([None, Suppressed.of(frozenset({"u-1", "a@b.co"}))]),
    events=st.sampled_from([None, event_lists(allow=("Log*",)), event_lists(deny=("*In",))]),
    companies=st.sampled_from(Companies),
)


def made(result: Transformed | Skipped) -> tuple[Operation, ...]:
    """The operations of a result; none where it was skipped."""
    return result.operations if isinstance(result, Transformed) else ()


@unhurried
@given(good_events, rules)
def test_transform_is_total_and_pure(event: dict[str, Any], chosen: Rules) -> None:
    """Any call becomes operations or a reason, the same every time, and is left as it was."""
    call = parse(event)
    before = to_json(event)
    result = transform(call, chosen)
    assert to_json(list(map(encode_operation, made(result)))) == to_json(
        list(map(encode_operation, made(transform(call, chosen))))
    )
    assert to_json(event) == before
    assert not operations._NOTHING  # shared by all that have no fields
    if isinstance(result, Skipped):
        assert result.reason in set(SkipReason)
    else:
        assert result.operations


@unhurried
@given(events, rules)
def test_what_parses_transforms_and_encodes(event: dict[str, Any], chosen: Rules) -> None:
    """An event that is wrong in any place is invalid, or goes all the way to JSON."""
    with suppress(InvalidEvent):
        for operation in made(transform(parse(event), chosen)):
            assert msgspec.json.decode(encode_operation(operation))


@unhurried
@given(good_events, rules)
def test_every_operation_encodes(event: dict[str, Any], chosen: Rules) -> None:
    """Every operation is one JSON object, whose keys of identity are the operation's."""
    for operation in made(transform(parse(event), chosen)):
        item = msgspec.json.decode(encode_operation(operation))
        assert item["source"] == "Segment"
        assert item.get("externalId") == operation.external_id
        assert None not in (item.get("externalId", ""), item.get("email", ""), item.get("companyId", ""))


@unhurried
@given(good_events, rules)
def test_custom_is_flat_with_legal_keys(event: dict[str, Any], chosen: Rules) -> None:
    """`custom` holds scalars and lists of scalars, under keys Planhat's database can hold."""
    for operation in made(transform(parse(event), chosen)):
        if not isinstance(operation, UpsertCompany | UpsertEnduser):
            continue
        for key, value in operation.custom.items():
            assert key
            assert not key.isspace()
            assert "." not in key
            assert "\0" not in key
            assert not key.startswith("$")
            for leaf in value if isinstance(value, list) else [value]:
                assert leaf is None or isinstance(leaf, str | int | float)
        assert all(value is None or isinstance(value, str) for value in operation.fields.values())
        assert operation.fields.get("name", "given")


@unhurried
@given(good_events)
def test_an_item_is_never_much_larger_than_its_event(event: dict[str, Any]) -> None:
    """Flattening repeats names of at most nine levels, so it cannot blow an event up."""
    for operation in made(transform(parse(event), Rules())):
        assert len(encode_operation(operation)) <= 10 * len(to_json(event)) + 200


@unhurried
@given(good_events, rules)
def test_children_come_after_their_parents(event: dict[str, Any], chosen: Rules) -> None:
    """Where one call makes several operations, a company comes before the user in it."""
    for earlier, later in pairwise(made(transform(parse(event), chosen))):
        assert set(earlier.keys) <= set(later.parents)


@unhurried
@given(objects)
def test_a_null_clears_nothing_that_names(traits: dict[str, Any]) -> None:
    """No trait, null ones included, removes an id, an e-mail, a company or a name."""
    nulls: dict[str, Any] = dict.fromkeys(traits)
    call = parse({"type": "identify", "userId": "u-1", "context": {"groupId": "acme"}, "traits": nulls})
    (operation,) = made(transform(call, Rules()))
    assert isinstance(operation, UpsertEnduser)
    assert (operation.external_id, operation.company_external_id) == ("u-1", "acme")
    assert "name" not in operation.fields
    assert not {"id", "user_id", "email", "companyId", "company_id"} & operation.custom.keys()
