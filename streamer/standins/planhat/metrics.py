"""Metrics ("dimension data"): values of companies and endusers, taken in arrival order."""

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from streamer.standins.planhat.choices import ErrorShape, UnknownParent
from streamer.standins.planhat.companies import Companies
from streamer.standins.planhat.drafts import ItemRefused
from streamer.standins.planhat.endusers import Endusers
from streamer.standins.planhat.entries import IgnoredLog, JsonObject, Stamps
from streamer.standins.planhat.models import ItemIgnored, Screen
from streamer.standins.planhat.rows import IgnoredRow, MetricRow
from streamer.standins.planhat.switches import Board

MODELS = ("Company", "EndUser", "Asset", "Project")


class Pushed(NamedTuple):
    """What a push came to."""

    processed: int
    errors: list[Any]
    refused: list[tuple[object, str]]
    """What was not taken and why, however little the errors say."""


class Metrics:
    """The values pushed."""

    def __init__(
        self, board: Board, stamps: Stamps, ignored: IgnoredLog, companies: Companies, endusers: Endusers
    ) -> None:
        self._board = board
        self._stamps = stamps
        self._ignored = ignored
        self._companies = companies
        self._endusers = endusers
        self.kept: deque[MetricRow] = deque()
        self.stored = 0
        self.refused = 0

    def push(self, sent_items: Sequence[object], screen: Screen | None = None) -> Pushed:
        """Take values in order; good ones are stored though others are refused (D: 200 all the same)."""
        refusals: list[tuple[object, str]] = []
        for sent in sent_items:
            try:
                self._push_one(sent, screen)
            except ItemRefused as refused:
                self.refused += 1
                refusals.append((sent, refused.text))
            except ItemIgnored as ignored:
                self._ignore(sent, ignored.reason)
        return Pushed(len(sent_items), [self._error(*each) for each in refusals], refusals)

    def store(self, sent: JsonObject) -> None:
        """Store one, whatever path brought it."""
        self.stored += 1
        self.kept.append(self._row(sent))
        while len(self.kept) > self._board.now.keep_activities:
            self.kept.popleft()

    def _push_one(self, sent: object, screen: Screen | None) -> None:
        if not isinstance(sent, dict):
            raise ItemRefused("an object is expected")
        if screen is not None:
            screen(sent)
        for name in ("dimensionId", "value", "externalId"):
            if sent.get(name) in (None, ""):
                raise ItemRefused(f"{name} must be specified")
        value = sent["value"]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ItemRefused("value must be a number")
        model = sent.get("model", "Company")
        if model not in MODELS:
            raise ItemRefused("model is unknown")
        if not self._has_parent(model, str(sent["externalId"])):
            if self._board.now.unknown_parent is UnknownParent.ERROR:
                raise ItemRefused(f"{model} not found")
            raise ItemIgnored("unknown_parent")
        self.store(sent)

    def _has_parent(self, model: str, external_id: str) -> bool:
        if model == "EndUser":
            return bool(self._endusers.by_external.get(external_id))
        return model != "Company" or self._companies.by_external_id(external_id) is not None

    def _row(self, sent: JsonObject) -> MetricRow:
        stamps = self._stamps
        return MetricRow(
            stamps.arrive(),
            stamps.request,
            sent.get("model", "Company"),
            str(sent["externalId"]),
            sent["dimensionId"],
            sent["value"],
            sent.get("date") or stamps.now(),
        )

    def _error(self, sent: object, words: str) -> object:
        match self._board.now.metric_error_shape:
            case ErrorShape.ITEM_ERROR:
                return {"item": sent, "error": words}
            case ErrorShape.KEYS_ERROR:
                named = sent.get("externalId") if isinstance(sent, dict) else None
                return {"externalId": named, "error": words}
            case ErrorShape.TEXT:
                return words

    def _ignore(self, sent: object, reason: str) -> None:
        external_id = sent.get("externalId") if isinstance(sent, dict) else None
        stamps = self._stamps
        row = IgnoredRow(
            stamps.arrive(), stamps.request, stamps.now(), "metrics", reason, external_id, None, None
        )
        self._ignored.add(row, self._board.now.keep_ignored)
