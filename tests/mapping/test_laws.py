"""What holds of the mapping whatever its rules are and whatever an event says."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streamer.events.parse import parse
from streamer.events.values import iso_timestamp
from streamer.mapping import compiled
from streamer.mapping.shape import MappingFile
from streamer.outcomes import SkipReason
from streamer.planhat.items import encode_operation
from streamer.transform import Rules, Skipped, transform
from streamer.transform.encoding import to_json
from streamer.transform.operations import (
    DeleteEnduser,
    LogActivity,
    Operation,
    PushMetric,
    UpsertCompany,
    UpsertEnduser,
)
from streamer.transform.planhat_fields import COMPANY_FIELDS, ENDUSER_FIELDS, KEYS, Kind
from streamer.transform.retyping import UNREADABLE, retyped
from tests.events.strategies import anything, good_events, objects, unhurried
from tests.mapping.strategies import files

HOLDS: dict[Kind, type | tuple[type, ...]] = {
    Kind.TEXT: str,
    Kind.NUMBER: (int, float),
    Kind.BOOLEAN: bool,
    Kind.DATE: str,
    Kind.LIST: list,
}


def made(event: dict[str, Any], rules: Rules) -> tuple[Operation, ...]:
    """The operations of an event; none where it is skipped."""
    result = transform(parse(event), rules)
    return () if isinstance(result, Skipped) else result.operations


def encoded(operations: tuple[Operation, ...]) -> list[bytes]:
    """What is sent of each."""
    return [encode_operation(each) for each in operations]


@unhurried
@given(good_events, files)
def test_mapping_is_pure_and_total(event: dict[str, Any], file: MappingFile) -> None:
    """Any call becomes operations or a reason, the same every time; neither the call nor the rules change."""
    rules, before = compiled(file), to_json(event)
    result = transform(parse(event), rules)

    assert encoded(made(event, rules)) == encoded(made(event, rules)) == encoded(made(event, compiled(file)))
    assert to_json(event) == before
    assert rules == compiled(file)
    assert result.reason in set(SkipReason) if isinstance(result, Skipped) else result.operations


@unhurried
@given(
    objects,
    st.dictionaries(
        st.sampled_from(["company", "company.plan", "company.seats", "company.remove", "plan"]),
        st.sampled_from(["title", "custom:Plan", "metric:plan", "drop", ["custom:Plan", "metric:plan"]]),
        min_size=1,
    ),
    st.sampled_from(["custom", "drop"]),
    st.sampled_from([[], ["*"], ["seats", "company*"]]),
)
def test_of_a_company_that_is_left_nothing_is_told(
    traits: dict[str, Any], ruled: dict[str, Any], unlisted: str, metrics: list[str]
) -> None:
    """Whatever the rules: a call that says `company.remove` is the call without its company."""
    identify = {"traits": ruled, "unlisted": unlisted, "metrics": metrics}
    rules = compiled(MappingFile.model_validate({"identify": identify}))
    described = {"id": "left", "plan": "gold", "seats": 7, "remove": True}
    left = {"type": "identify", "userId": "u-1", "traits": {**traits, "company": described}}
    silent = {**left, "traits": {name: value for name, value in traits.items() if name != "company"}}

    assert encoded(made(left, rules)) == encoded(made(silent, rules))


@unhurried
@given(good_events, files)
def test_bodies_are_valid(event: dict[str, Any], file: MappingFile) -> None:
    """Custom is flat under legal keys, fields hold what is theirs, metrics are numbers with plain ids."""
    for each in made(event, compiled(file)):
        if isinstance(each, UpsertEnduser | UpsertCompany):
            kinds = ENDUSER_FIELDS if isinstance(each, UpsertEnduser) else COMPANY_FIELDS
            _assert_flat(each.custom)
            assert each.fields.keys() <= kinds.keys()
            assert each.fields.get("name", "given")
            for name, value in each.fields.items():
                assert value is None or isinstance(value, HOLDS[kinds[name]])
                assert kinds[name] is not Kind.DATE or value is None or iso_timestamp(value) == value
        elif isinstance(each, PushMetric):
            assert each.dimension
            assert " " not in each.dimension
            assert isinstance(each.value, int | float)
            assert not isinstance(each.value, bool)
            assert abs(each.value) < 2**1024
        elif isinstance(each, LogActivity):
            assert each.action
            assert each.info.get("messageId") == "m-1"
            assert each.date is None or iso_timestamp(each.date) == each.date
        else:
            assert isinstance(each, DeleteEnduser)
        spelled = encode_operation(each)
        assert isinstance(each, DeleteEnduser) or isinstance(msgspec.json.decode(spelled), dict)


def _assert_flat(custom: Any) -> None:
    for key, value in custom.items():
        assert key.strip()
        assert "." not in key
        assert "\0" not in key
        assert not key.startswith("$")
        for leaf in value if isinstance(value, list) else [value]:
            assert leaf is None or isinstance(leaf, str | int | float)


@unhurried
@given(good_events, files)
def test_no_rule_changes_whom_a_call_is_about(event: dict[str, Any], file: MappingFile) -> None:
    """Keys and source are the same under any rules: a mapping can neither merge nor part people."""
    plain, ruled = made(event, Rules()), made(event, compiled(file))
    if not plain or not ruled:
        return
    one, other = (msgspec.json.decode(encode_operation(operations[0])) for operations in (plain, ruled))

    assert type(plain[0]) is type(ruled[0])
    assert {key: one.get(key) for key in (*KEYS, "source", "euExtId")} == {
        key: other.get(key) for key in (*KEYS, "source", "euExtId")
    }


@unhurried
@given(good_events, files)
def test_an_event_grows_no_more_than_its_rules_say(event: dict[str, Any], file: MappingFile) -> None:
    """Each value is written at most as often as a rule has targets, and names repeat nine levels at most."""
    size = len(to_json(event))
    for item in encoded(made(event, compiled(file))):
        assert len(item) <= 3 * 10 * 6 * size + 1_000


@unhurried
@given(objects, files)
def test_nulls_never_name(traits: dict[str, Any], file: MappingFile) -> None:
    """Whatever the rules, no null becomes a name or a key."""
    nulls: dict[str, Any] = dict.fromkeys(traits)
    event = {"type": "identify", "userId": "u-1", "context": {"groupId": "acme"}, "traits": nulls}
    first = made(event, compiled(file))[0]

    assert isinstance(first, UpsertEnduser)
    assert (first.external_id, first.company_external_id) == ("u-1", "acme")
    assert first.fields.get("name", "x") is not None


@unhurried
@given(st.sampled_from(Kind), anything)
def test_retyping_is_total(kind: Kind, value: Any) -> None:
    """Any value is made into a kind, or cannot be; what was made stays when made again, and encodes."""
    found = retyped(kind, value)
    if value is None:
        assert found is None
    elif found is not UNREADABLE:
        assert isinstance(found, HOLDS[kind])
        assert retyped(kind, found) == found
        assert msgspec.json.decode(to_json(found)) == found
