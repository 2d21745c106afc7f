"""Ways that a record fails, or is left out, before anything is sent."""

import json
from typing import Any, Final

from streamer.avro.decoder import Decoder
from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.engine.limits import Limits
from streamer.engine.marks import place_text
from streamer.engine.ports import Batch
from streamer.engine.settled import Settled, encode
from streamer.outcomes import Answer, Answered, InvalidReason, SkipReason, Verdict
from streamer.records import Mark
from streamer.transform import Rules
from streamer.transform.event_lists import event_lists
from streamer.transform.suppression import Suppressed
from tests.engine.fakes import partition
from tests.security.marks import EMAIL, NUMBER, TRAIT, USER, event
from tests.security.scene import LARGEST_EVENT, Scene, Stage

_MARKED: Final = json.dumps(event("track")).encode()
_ENCODED: Final = Encoder(load_schemas()).encode(event("track"))
_ODD: Final[Any] = {TRAIT: [TRAIT, NUMBER]}

INVALID: Final[dict[InvalidReason, list[object]]] = {
    InvalidReason.NOT_AVRO: [b"", TRAIT.encode() + _MARKED, b"[" + _MARKED + b"]"],
    InvalidReason.UNDECODABLE: [_ENCODED[:-20], _ENCODED[:10] + _MARKED, _ENCODED[:6]],
    InvalidReason.BAD_JSON: [
        *(_MARKED[:-1], _MARKED + _MARKED, b"{" + TRAIT.encode() + b"}"),
        b'{"type":"track","userId":"\xff' + USER.encode() + b'","event":"E"}',
        b'{"type":"track","x":' + f'{{"{TRAIT}":'.encode() * 200 + b"1" + b"}" * 200 + b"}",
    ],
    InvalidReason.UNKNOWN_SCHEMA: [b"\0\0\0\0\x07" + _ENCODED[10:], b"\xc3\x01" + _MARKED],
    InvalidReason.OVERSIZE: [_MARKED + b" " * LARGEST_EVENT],
    InvalidReason.NOT_AN_EVENT: [event(TRAIT), {**event("track"), "type": NUMBER}, {TRAIT: TRAIT}],
    InvalidReason.NO_USER_ANON_ID: [event("track", userId=None, anonymousId=None)],
    InvalidReason.ID_REQUIRED: [event("group", groupId=None)],
    InvalidReason.ID_NOT_STRING: [event("identify", userId=_ODD), event("group", groupId=[EMAIL])],
    InvalidReason.EVENT_NOT_DEFINED: [event("track", event=" ")],
    InvalidReason.EVENT_NOT_STRING: [event("track", event=_ODD)],
    InvalidReason.PROPERTIES_NOT_OBJECT: [event("track", properties=TRAIT)],
    InvalidReason.TRAITS_NOT_OBJECT: [event("identify", traits=[TRAIT])],
    InvalidReason.CONTEXT_NOT_OBJECT: [event("page", context=TRAIT)],
    InvalidReason.NAME_NOT_STRING: [event("page", name=_ODD)],
    InvalidReason.CATEGORY_NOT_STRING: [event("page", category=_ODD)],
    InvalidReason.CONSENT_NOT_OBJECT: [event("track", context={"consent": TRAIT})],
    InvalidReason.CONSENT_NOT_BOOLEAN: [
        event("track", context={"consent": {"categoryPreferences": {TRAIT: EMAIL}}})
    ],
}
"""Records for each reason that is found out before anything is sent."""

_GOOD: Final = [event("track", userId=f"{USER}-{number}", messageId=f"m-{number}") for number in range(40)]


def invalid_records(stage: Stage) -> None:
    """Each record that can never be delivered, among good ones; a dead letter each."""
    bad = [each for records in INVALID.values() for each in records]
    scene = Scene(stage, limits=Limits(dead_letter_allowance=1000, duplicates_window=0))
    scene.play([*_GOOD, *bad])
    assert len(scene.letters.produced) == len(bad)


def a_bug_of_ours(stage: Stage) -> None:
    """A decoder that fails as none should, with the event in the error's text."""

    class Broken:
        """Fails at every second value."""

        def __init__(self) -> None:
            self._sound = Decoder(load_schemas())

        def decode(self, value: bytes) -> object:
            """As a decoder does, or not."""
            if value.startswith(b"!"):
                raise KeyError(value, USER, TRAIT)
            return self._sound.decode(value)

    Scene(stage, decoder=Broken()).play([*_GOOD, b"!" + _MARKED])


def too_many_are_bad(stage: Stage) -> None:
    """The guard before the dead-letter topic stops everything."""
    Scene(stage).play([TRAIT.encode()] * 400, turns=80)


_OUT: Final = {"consent": {"categoryPreferences": {"crm": False, TRAIT: True}}}
SKIPPED: Final[dict[SkipReason, tuple[Rules, list[object]]]] = {
    SkipReason.TOMBSTONE: (Rules(), [None]),
    SkipReason.SUPPRESSED: (Rules(suppressed=Suppressed.of(frozenset({USER}))), [event("identify")]),
    SkipReason.CONSENT: (Rules(consent_categories=frozenset({"crm"})), [event("track", context=_OUT)]),
    SkipReason.INTEGRATIONS: (Rules(), [event("track", integrations={"All": False, TRAIT: True})]),
    SkipReason.DENIED: (Rules(events=event_lists(deny=("mkq7*",))), [event("track")]),
    SkipReason.NOT_ALLOWED: (Rules(events=event_lists(allow=("Other",))), [event("track")]),
    SkipReason.UNSUPPORTED_TYPE: (Rules(), [event("alias"), event("screen"), event("delete")]),
    SkipReason.ANONYMOUS: (Rules(), [event("page", userId=None, context={}, properties={})]),
}
"""Rules and records for each reason that is known before anything is sent."""


def left_out(stage: Stage) -> None:
    """Calls that an opt-out, a list or their own shape keeps from Planhat."""
    for rules, records in SKIPPED.values():
        Scene(stage, rules=rules).play(records)


def told_before(stage: Stage) -> None:
    """A copy, an upsert that says nothing new, and what was settled before a crash."""
    scene = Scene(stage, limits=Limits(duplicates_window=1000))
    scene.play([event("track"), event("track")])
    scene.play([event("identify", messageId="m-1")]).play([event("identify", messageId="m-2")])
    again = Scene(stage)
    for number in range(4):
        again.source.feed(event("track", messageId=f"m-{number}"))
    ahead = encode(Settled(0, [0], 3), place_text(partition(), again.source.topic_id), 4096).text
    again.source.marks[partition()] = Mark(0, ahead)
    again.play([])


def damaged_metadata(stage: Stage) -> None:
    """A commit's metadata that somebody else wrote, with a mark in it."""
    scene = Scene(stage)
    scene.source.marks[partition()] = Mark(0, TRAIT)
    scene.play([event("track")])


def not_saved(stage: Stage) -> None:
    """Planhat finds no company for whom it was told of, or does not say whether it saved it."""
    for verdict in (Verdict.MISSING, Verdict.UNCLEAR):

        def answer(batch: Batch, verdict: Verdict = verdict) -> Answer:
            return Answered((verdict,) * len(batch.operations))

        Scene(stage, answer).play([event("identify", context={}, groupId=None)], turns=400, seconds=5.0)


EVENTS: Final = {
    "records that are invalid": invalid_records,
    "an error of our own on a record": a_bug_of_ours,
    "too many invalid records": too_many_are_bad,
    "calls that are left out": left_out,
    "calls that were told before": told_before,
    "a commit's metadata that is not ours": damaged_metadata,
    "endusers that Planhat does not save": not_saved,
}
"""Ways to fail by what they are."""
