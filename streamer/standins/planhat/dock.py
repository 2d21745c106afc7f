"""Planhat's Segment endpoint: calls as Segment sends them, one a request (planhat-api.md §2.4).

Read are `user_id` (else `traits.id`), `traits.email`, and `traits.companyId` or `company_id`. An identify
call finds or creates the enduser and writes no further traits; a track call is logged; a group call's
numbers become metrics of its company. Whatever else is ignored, without an error.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

from streamer.standins.planhat.activities import Activities
from streamer.standins.planhat.companies import Companies
from streamer.standins.planhat.entries import JsonObject
from streamer.standins.planhat.metrics import Metrics
from streamer.standins.planhat.rows import CallRow
from streamer.standins.planhat.switches import Board


class Dock:
    """Takes forwarded calls."""

    def __init__(self, board: Board, activities: Activities, companies: Companies, metrics: Metrics) -> None:
        self._board = board
        self._activities = activities
        self._companies = companies
        self._metrics = metrics
        self.received = 0
        self.kept: deque[CallRow] = deque()
        """Every call, in order of arrival: also those that are ignored."""

    def receive(self, sent_items: Sequence[object], request: int) -> None:
        """Take calls in order; nothing is ever said of them to the sender (D)."""
        for sent in sent_items:
            if not isinstance(sent, dict):
                self._activities.ignore_all([None], "not_an_object")
                continue
            kind, user_id = _text(sent.get("type")), _text(sent.get("user_id"))
            self.kept.append(CallRow(request, kind, user_id, _text(sent.get("messageId")), sent))
            self.received += 1
            while len(self.kept) > self._board.now.keep_activities:
                self.kept.popleft()
            self._receive_one(sent, kind, user_id)

    def _receive_one(self, sent: JsonObject, kind: str | None, user_id: str | None) -> None:
        traits = _object(sent.get("traits"))
        kinds = {"identify", "track", "group"} | ({"page"} if self._board.now.dock_pages else set())
        if kind not in kinds:
            self._activities.ignore_all([sent], "unsupported_type")
        elif kind == "group":
            self._measure(sent, traits)
        else:
            self._act(sent, kind, user_id or _text(traits.get("id")), traits)

    def _act(self, sent: JsonObject, kind: str, user_id: str | None, traits: JsonObject) -> None:
        email = _text(traits.get("email"))
        if user_id is None and email is None:
            self._activities.ignore_all([sent], "no_identity")
            return
        company = _text(traits.get("companyId")) or _text(traits.get("company_id"))
        properties = _object(sent.get("properties"))
        told = {
            "externalId": user_id,
            "email": email,
            "companyExternalId": company,
            "name": traits.get("name"),
            "action": sent.get("event") or ("Loaded a Page" if kind == "page" else kind),
            "date": sent.get("timestamp"),
            "info": {**properties, "messageId": sent.get("messageId")},
        }
        if kind == "identify":
            self._activities.meet(told)
        else:
            self._activities.log([told], bulk=False)

    def _measure(self, sent: JsonObject, traits: JsonObject) -> None:
        group_id = _text(sent.get("groupId"))
        if group_id is None or self._companies.by_external_id(group_id) is None:
            self._activities.ignore_all([sent], "no_company")
            return
        for name, value in traits.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                metric = {"externalId": group_id, "dimensionId": name, "value": value}
                self._metrics.store({**metric, "date": sent.get("timestamp")})


def _object(value: Any) -> JsonObject:  # noqa: ANN401 -- any JSON
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
