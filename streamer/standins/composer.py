"""Single made events: each call, its numbering, and what it must come to."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from streamer.outcomes import CallType, Fate, SkipReason
from streamer.standins.bad_records import (
    BAD_KINDS,
    AvroValue,
    BadKind,
    EncodeAvro,
    Event,
    JsonValue,
    RawValue,
    Value,
    make_bad,
)
from streamer.standins.expectations import Effect, Expectation, event_key, mark_of
from streamer.standins.population import PLANS, Company, Person, name_company

_START: Final = datetime(2026, 1, 5, 8, tzinfo=UTC)
_JSON_SHARE: Final = 0.03
_ACTIONS: Final = ("Report Opened", "Invoice Paid", "Seat Added", "Export Failed", "Søk utført", "Signed In")
_PAGES: Final = (("Docs", "Start"), ("Docs", None), (None, "Pricing"), (None, None))
_OPT_OUTS: Final = ({"Planhat": False}, {"All": False}, {"All": False, "Other": True})


@dataclass(frozen=True, slots=True)
class MadeEvent:
    """One record to produce, and what it must come to."""

    key: bytes | None
    value: Value
    expectation: Expectation
    bad: BadKind | None = None
    is_opening: bool = False

    def value_bytes(self, encode: EncodeAvro) -> bytes | None:
        """The record's value; `encode` writes a call as Avro single-object."""
        return self.value.to_bytes(encode)

    def copy(self) -> "MadeEvent":
        """The same record again, as a producer's retry makes it."""
        return replace(self, expectation=replace(self.expectation, is_copy=True))


class Composer:
    """Makes one event at a time, all from one source of dice."""

    def __init__(self, seed: int, rng: Random) -> None:
        self._seed = seed
        self._rng = rng
        self._made = 0
        self._bad_made = 0

    # --- about people and companies ----------------------------------------------------------------

    def page_load(self, person: Person, *, names_company: bool = True) -> MadeEvent:
        """An identify with the whole profile, as a page load sends it."""
        traits = person.profile() | {"plan": self._rng.choice(PLANS)}
        return self._identify(person, traits, names_company=names_company)

    def audience(self, member: Person, audience: str, *, is_member: bool) -> MadeEvent:
        """An identify of one audience key, as Engage sends it: true on entry, false on exit."""
        traits: dict[str, Any] = {audience: is_member}
        if member.user_id is None:
            traits["email"] = member.email
        personas = {"computation_class": "audience", "computation_key": audience}
        return self._identify(
            member,
            traits,
            names_company=False,
            integrations={"All": False, "Planhat": True},
            context=_context(personas=personas),
        )

    def _identify(
        self, person: Person, traits: dict[str, Any], *, names_company: bool, **fields: object
    ) -> MadeEvent:
        person.identifies += 1
        event = self._call(CallType.IDENTIFY, person, traits=traits, **fields)
        if names_company:
            name_company(person, event)
        if person.company is None:
            reason = SkipReason.NO_COMPANY
            return self._numbered(event, traits, person, Effect.NOTHING, reason)
        return self._numbered(event, traits, person, Effect.ENDUSER)

    def link(self, person: Person, company: Company) -> MadeEvent:
        """A group call naming the person: the company is known by it, and the person belongs to it."""
        company.upserts += 1
        event = self._call(
            CallType.GROUP,
            person,
            groupId=company.external_id,
            traits={"name": company.name},
            context=_context(traits={"email": person.email}),
        )
        return self._numbered(event, {}, person, Effect.LINK)

    def company_update(self, company: Company, *, is_opening: bool = False) -> MadeEvent:
        """A server's group call: it names no user, so it is about the company alone."""
        company.upserts += 1
        traits: dict[str, Any] = {
            "plan": self._rng.choice(PLANS),
            "Total Billed": round(self._rng.random() * 10_000, 2),
            "billing": {"currency": "EUR", "terms": {"days": 30}},
        }
        if is_opening:
            traits["name"] = company.name
        event = {
            "type": CallType.GROUP.value,
            "userId": None,
            "anonymousId": "server",
            "groupId": company.external_id,
            **self._common(),
            "traits": traits,
        }
        made = self._numbered(event, traits, company, Effect.COMPANY)
        return replace(made, is_opening=is_opening)

    def track(self, person: Person) -> MadeEvent:
        """Something the person did, with nested properties and an integer beyond a double's reach."""
        properties: dict[str, Any] = {
            "report": {"kind": "weekly", "pages": self._rng.randint(1, 40)},
            "Seats In Use": self._rng.randint(1, 500),
            "exact": 2**53 + self._rng.randint(1, 9),
        }
        event = self._call(CallType.TRACK, person, event=self._rng.choice(_ACTIONS), properties=properties)
        if self._rng.random() < 0.02:
            event["timestamp"] = "yesterday"
        return self._activity(person, event, properties)

    def page(self, person: Person) -> MadeEvent:
        """A page the person saw, with and without a category and a name."""
        category, name = self._rng.choice(_PAGES)
        properties: dict[str, Any] = {"path": "/docs/start", "title": "Приветствие"}
        event = self._call(CallType.PAGE, person, properties=properties)
        if category is not None:
            event["category"] = category
        if name is not None:
            event["name"] = name
        return self._activity(person, event, properties)

    def _activity(self, person: Person, event: Event, properties: dict[str, Any]) -> MadeEvent:
        if person.company is not None and self._rng.random() < 0.5:
            event["context"]["groupId"] = person.company.external_id
        if person.user_id is None:
            event["context"]["traits"] = {"email": person.email}
        effect = Effect.IGNORED if person.company is None else Effect.ACTIVITY
        return self._numbered(event, properties, person, effect)

    # --- what is skipped ---------------------------------------------------------------------------

    def unsupported(self, person: Person) -> MadeEvent:
        """A screen, alias or delete call."""
        call = self._rng.choice((CallType.SCREEN, CallType.SCREEN, CallType.ALIAS, CallType.DELETE))
        event = self._call(call, person)
        properties: dict[str, Any] = {}
        if call is CallType.SCREEN:
            event |= {"name": "Home", "properties": properties}
        if call is CallType.ALIAS:
            event["previousId"] = f"old-{person.number}"
        return self._numbered(event, properties, person, Effect.NOTHING, SkipReason.UNSUPPORTED_TYPE)

    def opted_out(self, person: Person) -> MadeEvent:
        """A track call whose `integrations` switch Planhat off."""
        properties: dict[str, Any] = {"secret": "not for Planhat"}
        event = self._call(CallType.TRACK, person, event="Opted Out", properties=properties)
        event["integrations"] = self._rng.choice(_OPT_OUTS)
        return self._numbered(event, properties, person, Effect.NOTHING, SkipReason.INTEGRATIONS)

    def anonymous_page(self) -> MadeEvent:
        """A page seen by nobody known; one in ten has no Kafka key."""
        visitor = f"a-{self._rng.getrandbits(32):08x}"
        event = {
            "type": CallType.PAGE.value,
            "userId": None,
            "anonymousId": visitor,
            **self._common(),
            "properties": {"path": "/pricing"},
        }
        key = visitor.encode() if self._rng.random() < 0.9 else None
        return MadeEvent(
            key, self._framed(event), Expectation(CallType.PAGE, Fate.SKIPPED, SkipReason.ANONYMOUS)
        )

    def tombstone(self, person: Person) -> MadeEvent:
        """A record without a value."""
        expectation = Expectation(CallType.UNKNOWN, Fate.SKIPPED, SkipReason.TOMBSTONE)
        return MadeEvent(person.key, RawValue(None), expectation)

    # --- what is bad -------------------------------------------------------------------------------

    def bad(self, neighbour: Person) -> MadeEvent:
        """A bad record of the next kind, among the neighbour's good ones."""
        kind = BAD_KINDS[self._bad_made % len(BAD_KINDS)]
        self._bad_made += 1
        common = self._common() | {"userId": f"bad-{self._bad_made}"}
        call, reason, value = make_bad(kind, common, self._rng)
        expectation = Expectation(call, Fate.DEAD_LETTERED, reason)
        return MadeEvent(neighbour.key, value, expectation, bad=kind)

    # --- putting it together -------------------------------------------------------------------------

    def _common(self) -> Event:
        """Fields every call has."""
        self._made += 1
        at = _START + timedelta(milliseconds=50 * self._made)
        return {
            "messageId": f"made-{self._seed}-{self._made}-{self._rng.getrandbits(48):012x}",
            "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "context": _context(),
        }

    def _call(self, call: CallType, person: Person, **fields: object) -> Event:
        return {"type": call.value, **person.ids, **self._common(), **fields}

    def _numbered(
        self,
        event: Event,
        open_part: dict[str, Any],
        about: Person | Company,
        effect: Effect,
        reason: SkipReason | None = None,
    ) -> MadeEvent:
        """Number the event in its subject's order: in its traits or properties, and beside it."""
        about.sequence += 1
        sequence = about.sequence
        open_part["sequence"] = sequence
        open_part["eventKey"] = event_key(about.subject, sequence)
        if effect in {Effect.ENDUSER, Effect.COMPANY}:
            open_part[mark_of(sequence)] = sequence
        company = about if isinstance(about, Company) else about.company
        expectation = Expectation(
            call=CallType(event["type"]),
            fate=Fate.DELIVERED if reason is None else Fate.SKIPPED,
            reason=reason,
            effect=effect,
            subject=about.subject,
            sequence=sequence,
            company=company.external_id if company is not None else None,
        )
        return MadeEvent(about.key, self._framed(event), expectation)

    def _framed(self, event: Event) -> Value:
        return JsonValue(event) if self._rng.random() < _JSON_SHARE else AvroValue(event)


def _context(**fields: object) -> dict[str, Any]:
    return {"library": {"name": "made", "version": "1.0"}, **fields}
