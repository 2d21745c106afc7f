"""The analytics host: takes whatever it gets, and says nothing of it."""

from collections.abc import Sequence

from streamer.standins.planhat.choices import ActivityReply
from streamer.standins.planhat.models import Screen
from streamer.standins.planhat.replies import Reply, Request, json, text
from streamer.standins.planhat.store import Store


class AnalyticsApi:
    """Answers requests to the analytics host."""

    def __init__(self, store: Store, tenant_token: str) -> None:
        self._store = store
        self._tenant_token = tenant_token

    def answer(self, request: Request, sent_items: Sequence[object] | None, screen: Screen | None) -> Reply:
        """One request: 200 only means that it was received (D).

        Planhat works on it later; here it is applied at once, in the order of arrival.
        """
        if request.method != "POST":
            return text(404, "Not Found")
        activities = self._store.activities
        if request.route.endpoint == "metrics":
            return self._pushed(request, sent_items, screen)
        if request.route.endpoint == "segment":
            self._store.dock.receive(sent_items or [None], self._store.stamps.request)
            return self._reply()._replace(items=len(sent_items or ()))
        if sent_items is None:
            activities.ignore_all([None], "not_json")
        elif request.route.target != self._tenant_token:
            activities.ignore_all(sent_items, "unknown_tenant")
        elif request.is_array != request.route.is_bulk:
            activities.ignore_all(sent_items, "wrong_path")
        else:
            activities.log(sent_items, bulk=request.route.is_bulk, screen=screen)
        return self._reply()._replace(items=len(sent_items or ()))

    def _pushed(self, request: Request, sent_items: Sequence[object] | None, screen: Screen | None) -> Reply:
        """Metrics are answered item by item, with 200 whatever becomes of them (C)."""
        if sent_items is None:
            return text(400, "Bad Request: the body is not JSON")
        if request.route.target != self._tenant_token:
            return text(401, "Unauthorized")
        pushed = self._store.metrics.push(sent_items, screen)
        said = {"processed": pushed.processed, "errors": pushed.errors}
        return json(200, said, len(sent_items))._replace(refused=pushed.refused)

    def _reply(self) -> Reply:
        match self._store.board.now.activity_reply:
            case ActivityReply.EMPTY:
                return Reply(200)
            case ActivityReply.TEXT:
                return text(200, "OK")
            case ActivityReply.JSON:
                return Reply(200, b"{}", "application/json")
            case ActivityReply.CREATED:
                return Reply(201, b"{}", "application/json")
