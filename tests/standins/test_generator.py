"""The made events: the same from the same seed, of every kind, numbered in each subject's order."""

import json
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from typing import Any

import pytest

from streamer.avro.decoder import Decoder
from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.engine.ports import Decoded
from streamer.errors import InvalidEvent
from streamer.events.parse import parse
from streamer.outcomes import CallType, Endpoint, Fate, SkipReason
from streamer.standins.bad_records import BadKind, JsonValue, RawValue
from streamer.standins.composer import MadeEvent
from streamer.standins.expectations import Effect, event_key, mark_of, parse_event_key
from streamer.standins.generator import Generator
from streamer.transform import Rules, Skipped, Transformed, transform

TOTAL = 20_000


def _stand_in_avro(event: Mapping[str, Any]) -> bytes:
    """Recognisable bytes with a head of ten, for tests that look at framing alone."""
    return b"\xc3\x01" + bytes(8) + json.dumps(event).encode()


@pytest.fixture(scope="module")
def made() -> list[MadeEvent]:
    """Twenty thousand events of one seed."""
    return list(Generator(7, TOTAL))


def _event_of(one: MadeEvent) -> dict[str, Any]:
    assert not isinstance(one.value, RawValue)
    return one.value.event


def test_same_seed_makes_the_same_bytes(made: list[MadeEvent]) -> None:
    """Key, value and expectation follow from the seed alone."""
    again = Generator(7, TOTAL)
    for one, other in zip(made, again, strict=True):
        assert one.key == other.key
        assert one.value_bytes(_stand_in_avro) == other.value_bytes(_stand_in_avro)
        assert one.expectation == other.expectation


def test_another_seed_makes_other_events(made: list[MadeEvent]) -> None:
    """The seed matters."""
    other = list(islice(Generator(8, TOTAL), 500))
    assert [one.value for one in other] != [one.value for one in made[:500]]


@pytest.mark.parametrize("total", [0, 1, 3, 57, 1999])
def test_as_many_as_asked(total: int) -> None:
    """Exactly `total` events, even where the opening alone has more."""
    assert len(list(Generator(1, total))) == total


def test_events_are_made_lazily() -> None:
    """The first events of a billion come at once."""
    assert len(list(islice(Generator(1, 10_000_000), 10))) == 10


def test_every_call_type_occurs_in_realistic_shares(made: list[MadeEvent]) -> None:
    """Tracks lead, identifies and pages follow, and no type is missing."""
    calls = Counter(one.expectation.call for one in made)
    assert set(calls) == set(CallType)
    assert 0.35 < calls[CallType.TRACK] / TOTAL < 0.6
    assert 0.15 < calls[CallType.IDENTIFY] / TOTAL < 0.35
    assert 0.15 < calls[CallType.PAGE] / TOTAL < 0.3
    assert 0.01 < calls[CallType.GROUP] / TOTAL < 0.05


def test_one_in_a_hundred_is_bad_and_every_kind_occurs(made: list[MadeEvent]) -> None:
    """1 % bad records, of at least ten kinds, all of them dead letters with a reason."""
    bad = [one for one in made if one.bad is not None]
    assert len(bad) == pytest.approx(TOTAL / 100, rel=0.03)
    assert {one.bad for one in bad} == set(BadKind)
    assert len(BadKind) >= 10
    dead = [one for one in made if one.expectation.fate is Fate.DEAD_LETTERED]
    assert dead == bad
    assert all(one.expectation.reason for one in dead)


def test_two_thousand_events_hold_every_bad_kind() -> None:
    """The kinds come in turn, so a small run has them all."""
    assert {one.bad for one in Generator(3, 2000) if one.bad is not None} == set(BadKind)


def test_every_reason_to_skip_occurs(made: list[MadeEvent]) -> None:
    """Tombstones, opt-outs, unsupported types, anonymous pages and people without a company."""
    skips = Counter(one.expectation.reason for one in made if one.expectation.fate is Fate.SKIPPED)
    assert set(skips) == {
        SkipReason.TOMBSTONE,
        SkipReason.INTEGRATIONS,
        SkipReason.UNSUPPORTED_TYPE,
        SkipReason.ANONYMOUS,
        SkipReason.NO_COMPANY,
    }


def test_people_are_of_very_different_activity(made: list[MadeEvent]) -> None:
    """The busiest tenth makes more than half of the events about people."""
    per_person = Counter(
        one.expectation.subject
        for one in made
        if one.expectation.subject is not None and not one.expectation.subject.startswith("co:")
    )
    busiest = per_person.most_common(len(per_person) // 10)
    assert sum(count for _, count in busiest) > 0.5 * per_person.total()


def test_sequence_numbers_count_each_subject_without_gaps(made: list[MadeEvent]) -> None:
    """A subject's originals are numbered 1, 2, 3 in the order they are made."""
    last: Counter[str] = Counter()
    for one in made:
        about = one.expectation
        if about.subject is not None and not about.is_copy:
            assert about.sequence == last[about.subject] + 1
            last[about.subject] += 1


def test_events_carry_their_number_and_key(made: list[MadeEvent]) -> None:
    """What a checker needs is inside the event too: sequence, eventKey and, in upserts, the mark."""
    for one in made:
        about = one.expectation
        if about.effect in {Effect.ENDUSER, Effect.COMPANY, Effect.ACTIVITY, Effect.IGNORED}:
            event = _event_of(one)
            open_part = event["traits" if "traits" in event else "properties"]
            assert open_part["sequence"] == about.sequence
            assert parse_event_key(open_part["eventKey"]) == (about.subject, about.sequence)
            if about.effect in {Effect.ENDUSER, Effect.COMPANY}:
                assert open_part[mark_of(about.sequence)] == about.sequence


def test_event_keys_are_unique_but_for_copies(made: list[MadeEvent]) -> None:
    """Two originals never share an eventKey; a copy has the messageId of its original."""
    messages: dict[str, str] = {}
    copies = 0
    for one in made:
        about = one.expectation
        if about.subject is None:
            continue
        assert (about.event_key in messages) == about.is_copy
        message = _event_of(one)["messageId"]
        assert messages.setdefault(about.event_key, message) == message
        copies += about.is_copy
    assert 0.003 < copies / TOTAL < 0.03


def test_an_upserts_copy_follows_at_once(made: list[MadeEvent]) -> None:
    """A late copy of an identify would rightly undo later ones, so none is made."""
    last: dict[str, int] = {}
    for one in made:
        about = one.expectation
        if about.effect in {Effect.ENDUSER, Effect.COMPANY, Effect.LINK}:
            assert about.subject is not None
            assert about.sequence >= last.get(about.subject, 0)
            last[about.subject] = about.sequence


def test_all_events_of_a_subject_have_one_key(made: list[MadeEvent]) -> None:
    """The Kafka key keeps a subject in one partition."""
    keys: dict[str, set[bytes | None]] = {}
    for one in made:
        if one.expectation.subject is not None:
            keys.setdefault(one.expectation.subject, set()).add(one.key)
    assert all(len(of_one) == 1 for of_one in keys.values())
    assert any(one.key is None for one in made)


def test_the_opening_names_every_company_before_anybody_belongs_to_it(made: list[MadeEvent]) -> None:
    """First a group call for each company, and only then the people."""
    opening = [one for one in made if one.is_opening]
    assert opening == made[: Generator(7, TOTAL).opening_count]
    named = {one.expectation.company for one in opening}
    assert {one.expectation.company for one in made} - {None} == named


def test_audiences_enter_with_true_and_leave_with_false(made: list[MadeEvent]) -> None:
    """An Engage burst is one identify of one snake-case key for each member, and later its exit."""
    entered: Counter[tuple[str | None, str]] = Counter()
    left: Counter[tuple[str | None, str]] = Counter()
    for one in made:
        event = {} if isinstance(one.value, RawValue) else one.value.event
        context = event.get("context")
        if isinstance(context, dict) and "personas" in context:
            audience = context["personas"]["computation_key"]
            counted = entered if event["traits"][audience] else left
            counted[one.expectation.subject, audience] += 1
            assert audience == audience.lower()
    assert entered.total() > 100
    assert left.total() > 100
    assert left <= entered


def test_no_object_is_written_much_more_often_than_the_cap(made: list[MadeEvent]) -> None:
    """The most written object sets the number of bulks, so it is bounded (audience exits may add a few)."""
    writes = Counter(
        one.expectation.subject for one in made if one.expectation.effect in {Effect.ENDUSER, Effect.COMPANY}
    )
    assert max(writes.values()) <= 12 * 1.5


def test_some_events_are_json(made: list[MadeEvent]) -> None:
    """Good events come in both framings that need no registry."""
    good = [one for one in made if one.bad is None and not isinstance(one.value, RawValue)]
    share = sum(isinstance(one.value, JsonValue) for one in good) / len(good)
    assert 0.02 < share < 0.04
    for one in islice((one for one in good if isinstance(one.value, JsonValue)), 50):
        encoded = one.value_bytes(_stand_in_avro)
        assert encoded is not None
        assert json.loads(encoded) == _event_of(one)


@pytest.mark.parametrize("text", [None, 5, "", "#", "u-1", "u-1#", "u-1#x", "u-1#-1", "u-1#²"])
def test_what_is_no_event_key_is_told_apart(text: object) -> None:
    """Anything but text that ends in # and digits names no event."""
    assert parse_event_key(text) is None


def test_event_keys_are_read_back() -> None:
    """A subject may itself hold a #."""
    assert parse_event_key(event_key("mail:a#b@acme-1.example", 12)) == ("mail:a#b@acme-1.example", 12)


def test_bad_records_are_bad_to_the_decoder_and_parser_for_the_stated_reason(made: list[MadeEvent]) -> None:
    """The expectation, stated without them, is what the real decoder and parser say."""
    schemas = load_schemas()
    encoder, decoder = Encoder(schemas), Decoder(schemas)
    for one in made[:10_000]:
        value = one.value_bytes(encoder.encode)
        reason = None
        if value is not None:
            try:
                decoded = decoder.decode(value)
                assert isinstance(decoded, Decoded)
                parse(decoded.value)
            except InvalidEvent as error:
                reason = error.reason
        assert reason == (one.expectation.reason if one.bad is not None else None), one.bad


def test_good_events_become_the_stated_operations(made: list[MadeEvent]) -> None:
    """The expectation, stated without it, is what the real transform makes of the event."""
    for one in made[:10_000]:
        if isinstance(one.value, RawValue) or one.bad is not None:
            continue
        about = one.expectation
        outcome = transform(parse(one.value.event), Rules())
        if about.reason is not None and about.reason is not SkipReason.NO_COMPANY:
            assert outcome == Skipped(SkipReason(about.reason))
            continue
        assert isinstance(outcome, Transformed)
        endpoints = [operation.endpoint for operation in outcome.operations]
        last = outcome.operations[-1]
        assert about.subject in last.keys
        match about.effect:
            case Effect.ENDUSER:
                assert endpoints == [Endpoint.ENDUSERS]
            case Effect.COMPANY:
                assert endpoints == [Endpoint.COMPANIES]
            case Effect.LINK:
                assert endpoints == [Endpoint.COMPANIES, Endpoint.ENDUSERS]
                assert f"co:{about.company}" in last.parents
            case Effect.ACTIVITY:
                assert endpoints == [Endpoint.ACTIVITIES]
            case Effect.IGNORED | Effect.NOTHING:
                assert about.company is None
                assert not any(parent.startswith("co:") for parent in last.parents)
