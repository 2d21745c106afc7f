"""What a `feed` step puts into the topic: the bytes, and what should become of them.

Every event is known by its sequence number, which travels with it to Planhat: as a field of its own
(`e12`), so that what several events become together still names each of them, and, in upserts, as
the value of `color`, so that the last one to write it is seen.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from streamer.outcomes import Endpoint, InvalidReason
from streamer.transform.choices import Deletion, Link
from tests.simulation.script import Step
from tests.simulation.terms import BAD, SCORE, Terms

BAD_BYTES = {
    "garbage": (b"\xff\x00\x01", InvalidReason.NOT_AVRO),
    "broken": (b'{"type": "identify", ', InvalidReason.BAD_JSON),
    "nobody": (b'{"type": "track", "event": "x"}', InvalidReason.NO_USER_ANON_ID),
    "eventless": (b'{"type": "track", "userId": "u-bad"}', InvalidReason.EVENT_NOT_DEFINED),
}
SKIPPED = frozenset({"tombstone", "screen", "anonymous"})
ODD = {"deep": {"er": {"still": 1}}, "list": [{"of": "objects"}], "dot.ted": 1, "$dollar": 2, "": 3}
"""What Planhat's `custom` does not take as it stands."""
CHANGING = frozenset({Endpoint.COMPANIES, Endpoint.ENDUSERS, Endpoint.DELETIONS})
"""Endpoints whose operations change the object itself: said a second time, the engine's word is judged."""
POISONS = ("poison500", "poison400", "refused")
"""Extras for which Planhat refuses an event, or fails."""
FRAME = b"\x00\x00\x00\x00\x07"
"""Before an event whose schema must be asked for."""


@dataclass(slots=True)
class Fed:
    """One event of the topic."""

    sequence: int
    partition: int
    offset: int
    kind: str
    value: bytes | None
    key: bytes | None
    endpoints: frozenset[Endpoint] = frozenset()
    """Where it asks for something."""
    bad: InvalidReason | None = None
    """Why it can never be delivered, whatever Planhat says."""
    identity: int = 0
    """The first event with its messageId: itself, unless it is a copy."""
    is_gone: bool = False
    """Its topic was deleted, or its end cut off: nobody can be asked for it any more."""

    @property
    def changes_objects(self) -> bool:
        """Whether it puts older words over newer ones, told again after what came later."""
        if Endpoint.SEGMENT in self.endpoints:
            return self.kind in {"identify", "group"}
        return not self.endpoints.isdisjoint(CHANGING)


def fed(step: Step, sequence: int, partition: int, offset: int, terms: Terms, identity: int = 0) -> Fed:
    """The event of a step `feed PARTITION KIND USER WHO COMPANY [EXTRA,...]`.

    `identity`: the event whose messageId it bears, where it is a copy. Its marks are its own: so it is seen
    which of the two was delivered.
    """
    kind, user, who, company = step.word(1), step.word(2, "0"), step.word(3, "ext"), step.word(4, "0")
    extras = frozenset(step.word(5).split(","))
    key = None if "nokey" in extras else f"{partition}-{user}".encode()
    if kind in BAD_BYTES:
        value, reason = BAD_BYTES[kind]
        return Fed(sequence, partition, offset, kind, value, key, bad=reason)
    if kind == "tombstone":
        return Fed(sequence, partition, offset, kind, None, key)
    identity = identity or sequence
    call = _call(kind, sequence, _user(partition, user, who, extras), _company(partition, company), extras)
    raw = msgspec.json.encode({**call, "messageId": f"m{identity}"})
    if "framed" in extras:
        raw = FRAME + raw
    endpoints = _forwarded(kind) if terms.forwards else _endpoints(kind, who, extras, terms)
    return Fed(sequence, partition, offset, kind, raw, key, endpoints, identity=identity)


def _forwarded(kind: str) -> frozenset[Endpoint]:
    return frozenset({Endpoint.SEGMENT} if kind in {"identify", "group", "track", "page"} else ())


def _endpoints(kind: str, who: str, extras: frozenset[str], terms: Terms) -> frozenset[Endpoint]:
    found: set[Endpoint] = set()
    match kind:
        case "group":
            is_linked = who != "none" and terms.rules.link is not Link.NEVER
            found = {Endpoint.COMPANIES, Endpoint.ENDUSERS} if is_linked else {Endpoint.COMPANIES}
        case "identify":
            found = {Endpoint.ENDUSERS}
        case "track" | "page":
            found = {Endpoint.ACTIVITIES}
        case "delete":
            return _deleting(terms.rules.deletion)
    # An enduser's metric asks for an external id.
    has_owner = kind == "group" or (kind in {"identify", "track"} and who != "mail")
    is_pushed = terms.has_metrics and "metric" in extras and has_owner
    return frozenset(found | ({Endpoint.METRICS} if is_pushed else set()))


def _deleting(deletion: Deletion) -> frozenset[Endpoint]:
    return frozenset() if deletion is Deletion.SKIP else frozenset({Endpoint.DELETIONS})


def _user(partition: int, user: str, who: str, extras: frozenset[str]) -> dict[str, str]:
    found = {}
    if who in {"ext", "both"}:
        found["userId"] = f"u-{partition}-{user}"
    if who in {"mail", "both"}:
        mail = f"m-{partition}-{user}@acme.example"
        found["email"] = mail.upper() if "upper" in extras else mail
    return found


def _company(partition: int, company: str) -> str | None:
    """`0` is at Planhat from the start, `1` only once a group call made it, `s` is every partition's."""
    if company == "-":
        return None
    return {"s": "co-shared", "x": "co-none"}.get(company, f"co-{partition}-{company}")


def _call(
    kind: str, sequence: int, user: dict[str, str], company: str | None, extras: frozenset[str]
) -> dict[str, Any]:
    marks = _marks(sequence, extras)
    context: dict[str, Any] = {} if company is None else {"groupId": company}
    if "email" in user:
        context["traits"] = {"email": user["email"]}
    call: dict[str, Any] = {"type": kind, "context": context}
    if kind == "anonymous":
        return {**call, "type": "track", "event": "Opened", "anonymousId": "a-1", "context": {}}
    if kind == "delete":  # who it is stands in one place, be that an id or an address
        return {**call, "userId": user.get("userId", user.get("email")), "context": {}}
    call |= {"userId": user["userId"]} if "userId" in user else {"anonymousId": "a-1"}
    traits = {**marks, "color": sequence}
    if "named" in extras:
        traits["name"] = f"Name {sequence}"
    if kind == "identify":
        if "email" in user:
            traits["email"] = user["email"]
        return {**call, "traits": traits}
    if kind == "group":
        return {**call, "groupId": company or "co-shared", "traits": traits}
    if kind == "page":
        return {**call, "name": "Home", "properties": marks}
    return {**call, "event": "Opened", "properties": marks}


def _marks(sequence: int, extras: frozenset[str]) -> dict[str, Any]:
    """What an event bears to be known by, and what makes it special."""
    marks: dict[str, Any] = {f"e{sequence}": True}
    marks |= {extra: "yes" for extra in POISONS if extra in extras}
    special = {"big": ("text", "x" * 700), "null": ("size", None), "size": ("size", sequence)}
    if "odd" in extras:
        marks |= ODD
    if "metric" in extras:
        is_bad = any(name in POISONS for name in extras)
        marks[BAD if is_bad else SCORE] = sequence
    return marks | dict(special[extra] for extra in extras if extra in special)
