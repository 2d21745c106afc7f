"""User activities: taken in arrival order, matched to an enduser or ignored, never compared for copies."""

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from streamer.standins.planhat.choices import ActivityKeys
from streamer.standins.planhat.companies import Companies
from streamer.standins.planhat.drafts import Draft, ItemRefused
from streamer.standins.planhat.endusers import Endusers
from streamer.standins.planhat.entries import Entry, IgnoredLog, JsonObject, Stamps
from streamer.standins.planhat.models import ItemIgnored, NotPermitted, Screen
from streamer.standins.planhat.rows import IgnoredRow
from streamer.standins.planhat.switches import Board


class Activity(NamedTuple):
    """One stored activity; `facts` is what was sent as `info`, as JSON text."""

    arrival: int
    request: int
    enduser_id: str
    external_id: str | None
    email: str | None
    company: str | None
    action: Any
    date: Any
    weight: Any
    count: Any
    message_id: str | None
    facts: bytes


_SINGLE = (("externalId",), ("companyExternalId",))
_BULK = {
    ActivityKeys.ANY: (("externalId", "euExtId", "id"), ("companyExternalId", "cId")),
    ActivityKeys.Y2017: (("id",), ("cId",)),
    ActivityKeys.Y2023: (("euExtId",), ("companyExternalId",)),
}
_encoder = msgspec.json.Encoder()


class Activities:
    """What the analytics host holds."""

    def __init__(
        self, board: Board, stamps: Stamps, ignored: IgnoredLog, companies: Companies, endusers: Endusers
    ) -> None:
        self._board = board
        self._stamps = stamps
        self._ignored = ignored
        self._companies = companies
        self._endusers = endusers
        self._message_ids: set[int] = set()
        self.kept: deque[Activity] = deque()
        self.stored = 0
        """Activities logged on an enduser."""
        self.duplicates = 0
        """Stored activities whose `info.messageId` was stored before."""
        self.without_message_id = 0
        self.without_action = 0
        """Stored, but not shown by Planhat (D)."""

    def log(self, sent_items: Sequence[object], *, bulk: bool, screen: Screen | None = None) -> None:
        """Take activities in order. Nothing is ever said of them to the sender (D)."""
        now = self._stamps.now()
        id_names, company_names = _BULK[self._board.now.activity_keys] if bulk else _SINGLE
        for sent in sent_items:
            if not isinstance(sent, dict):
                self._ignore("not_an_object", None, None, None)
            elif screen is not None and _is_struck(screen, sent):
                self.ignore_all([sent], "fault")
            else:
                self._log_one(sent, now, id_names, company_names)

    def ignore_all(self, sent_items: Sequence[object], reason: str) -> None:
        """Ignore them all, such as those of an unknown tenant."""
        for sent in sent_items:
            fields = sent if isinstance(sent, dict) else {}
            self._ignore(
                reason, fields.get("externalId"), fields.get("email"), fields.get("companyExternalId")
            )

    def meet(self, sent: JsonObject) -> None:
        """Find or create the enduser that this names, and log nothing."""
        external_id, email = _first_text(sent, ("externalId",)), _first_text(sent, ("email",))
        company_id = _first_text(sent, ("companyExternalId",))
        company = self._companies.by_external_id(company_id) if company_id is not None else None
        if self._endusers.find(external_id, email, company, self._stamps.arrivals) is not None:
            return
        if self._created(sent, external_id, email, company, self._stamps.now()) is None:
            self._ignore("no_enduser", external_id, email, company_id)

    def _log_one(
        self, sent: JsonObject, now: str, id_names: Sequence[str], company_names: Sequence[str]
    ) -> None:
        external_id = _first_text(sent, id_names)
        email = _first_text(sent, ("email",))
        company_id = _first_text(sent, company_names)
        if external_id is None and email is None:
            self._ignore("no_identity", None, None, company_id)
            return
        company = self._companies.by_external_id(company_id) if company_id is not None else None
        if company is None and sent.get("companyId") is not None:
            company = self._companies.by_reference(str(sent["companyId"]))
        enduser = self._endusers.find(external_id, email, company, self._stamps.arrivals)
        if enduser is None:
            enduser = self._created(sent, external_id, email, company, now)
        if enduser is None:
            self._ignore("no_enduser", external_id, email, company_id)
            return
        self._store(sent, enduser, external_id, email, company_id, now)

    def _created(
        self, sent: JsonObject, external_id: str | None, email: str | None, company: Entry | None, now: str
    ) -> Entry | None:
        """The enduser an activity creates, if a company is named or the e-mail's domain tells one (D)."""
        if not self._board.now.activity_creates:
            return None
        fields: dict[str, Any] = {
            name: sent[name] for name in ("name", "firstName", "lastName") if isinstance(sent.get(name), str)
        }
        if external_id is not None:
            fields["externalId"] = external_id
        if email is not None:
            fields["email"] = email
        try:
            created = self._endusers.create(Draft(fields, {}, None), company, fields, now)
        except (ItemIgnored, ItemRefused, NotPermitted):
            return None
        self._endusers.counts["created_by_activity"] += 1
        return created

    def _store(
        self,
        sent: JsonObject,
        enduser: Entry,
        external_id: str | None,
        email: str | None,
        company_id: str | None,
        now: str,
    ) -> None:
        switches = self._board.now
        facts = sent.get("info")
        message_id = facts.get("messageId") if isinstance(facts, dict) else None
        if not isinstance(message_id, str):
            message_id = None
            self.without_message_id += 1
        elif switches.duplicate_view:
            known = len(self._message_ids)
            self._message_ids.add(hash(message_id))
            self.duplicates += len(self._message_ids) == known
        if not sent.get("action"):
            self.without_action += 1
        self.stored += 1
        enduser.activities += 1
        activity = Activity(
            self._stamps.arrive(),
            self._stamps.request,
            enduser.id,
            external_id,
            email,
            company_id,
            sent.get("action"),
            sent.get("date") or now,
            sent.get("weight", 1),
            sent.get("count", 1),
            message_id,
            _encoder.encode(facts),
        )
        if switches.keep_activities:
            self.kept.append(activity)
            if len(self.kept) > switches.keep_activities:
                self.kept.popleft()

    def _ignore(self, reason: str, external_id: object, email: object, company: object) -> None:
        stamps = self._stamps
        row = IgnoredRow(
            stamps.arrive(), stamps.request, stamps.now(), "activities", reason, external_id, email, company
        )
        self._ignored.add(row, self._board.now.keep_ignored)


def _first_text(sent: JsonObject, names: Sequence[str]) -> str | None:
    for name in names:
        value = sent.get(name)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
    return None


def _is_struck(screen: Screen, sent: JsonObject) -> bool:
    try:
        screen(sent)
    except (ItemIgnored, ItemRefused):
        return True
    return False
