"""The main API: bulk upserts, single objects and lists of companies and endusers."""

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

from streamer.standins.planhat.bulk import Claims
from streamer.standins.planhat.choices import DeleteReply, ErrorBody
from streamer.standins.planhat.drafts import ItemRefused, draft_of
from streamer.standins.planhat.entries import Entry
from streamer.standins.planhat.models import ItemIgnored, Model, NotPermitted, Screen
from streamer.standins.planhat.replies import Reply, Request, json, text
from streamer.standins.planhat.store import Store

MAX_ITEMS = 5_000
"""Items in one bulk (D)."""

PAGE_LIMITS = {"endusers": 2_000, "companies": 5_000}
"""The most a list returns (D3, C); 100 when no limit is given."""


class MainApi:
    """Answers requests to the main host; credentials and quota were looked at before."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def answer(
        self,
        request: Request,
        sent_items: Sequence[object] | None,
        held: Iterable[Claims],
        screen: Screen | None,
    ) -> Reply:
        """One request, answered at once. `sent_items` is the parsed body; None when it is not JSON."""
        if request.route.endpoint in {"metrics", "customfields", "other"}:
            return self._beside_models(request, sent_items)
        model = self._store.model(request.route.endpoint)
        try:
            return self._dispatch(request, model, sent_items, held, screen)
        except NotPermitted:
            return self._forbidden(model)
        except ItemRefused as refused:
            return text(400, refused.text)
        except ItemIgnored as ignored:
            return text(400, f"not saved: {ignored.reason}")

    def _beside_models(self, request: Request, sent_items: Sequence[object] | None) -> Reply:
        match request.route.endpoint:
            case "metrics":
                return self._metrics(request)
            case "customfields":
                return self._store.custom_fields.answer(request, sent_items)
            case _:
                return text(404, "Not Found")

    def _dispatch(
        self,
        request: Request,
        model: Model,
        sent_items: Sequence[object] | None,
        held: Iterable[Claims],
        screen: Screen | None,
    ) -> Reply:
        if request.method in {"GET", "DELETE"}:
            return self._read_or_delete(request, model)
        takes_target = request.method == "PUT"
        if request.method not in {"POST", "PUT"} or (request.route.target and not takes_target):
            return text(404, "Not Found")
        if sent_items is None:
            return text(400, "Bad Request: the body is not JSON")
        if request.method == "PUT" and not request.route.target:
            return self._bulk(request, model, sent_items, held, screen)
        if request.is_array:
            return text(400, "Bad Request: an object is expected")
        return self._write_one(request, model, sent_items[0])

    def _bulk(
        self,
        request: Request,
        model: Model,
        sent_items: Sequence[object],
        held: Iterable[Claims],
        screen: Screen | None,
    ) -> Reply:
        if not request.is_array:
            return text(400, "Bad Request: an array is expected")
        if len(sent_items) > MAX_ITEMS:
            status = self._store.board.now.oversize_status
            return text(status, f"Bad Request: at most {MAX_ITEMS} items")
        result = model.upsert(sent_items, held=held, screen=screen)
        reply = json(result.status, result.summary(), len(sent_items), result.claims)
        return reply._replace(refused=result.refused)

    def _write_one(self, request: Request, model: Model, sent: object) -> Reply:
        target = request.route.target
        draft = draft_of(sent, model.known_fields, self._store.board.now)
        assert isinstance(sent, dict)  # noqa: S101 -- draft_of takes objects only
        company = model.named_company(draft)
        now = self._store.stamps.now()
        if request.method == "POST":
            entry = model.create(draft, company, sent, now)
            model.counts["created"] += 1
            return json(200, model.document(entry), 1)
        found = model.by_path_id(target)
        if found is None:
            return text(404, "Not Found")
        model.update(found, draft, company, sent, now)
        model.counts["updated"] += 1
        return json(200, model.document(found), 1)

    def _read_or_delete(self, request: Request, model: Model) -> Reply:
        target = request.route.target
        if request.method == "DELETE":
            # Before it is looked who is there, as far as anybody can know (I).
            model.permit("delete")
        if request.method == "GET":
            model.permit("read")
            if target == "lean":
                return self._lean(request)
            if not target:
                return self._list(request, model)
        entry = model.by_path_id(target)
        if entry is None or target == "lean":
            return text(404, "Not Found")
        if request.method == "GET":
            return json(200, model.document(entry))
        model.delete(entry)
        return self._deleted()

    def _list(self, request: Request, model: Model) -> Reply:
        query = request.query
        try:
            limit = min(int(query.get("limit", "100")), PAGE_LIMITS[model.name])
            offset = int(query.get("offset", "0"))
        except ValueError:
            return text(400, "Bad Request: limit and offset are numbers")
        if limit < 0 or offset < 0:
            return text(400, "Bad Request: limit and offset are 0 or more")
        if query.keys().isdisjoint({"email", "companyId", "c", "sort", "archived", "externalId"}):
            entries = [each for each in model.rows(offset, limit) if not each.fields.get("archived")]
            documents = [model.document(entry) for entry in entries]
        else:
            documents = [model.document(entry) for entry in model.by_id.values() if _wanted(entry, query)]
            if sort := query.get("sort"):
                name = sort.removeprefix("-")
                with_it = [each for each in documents if isinstance(each.get(name), str | int | float)]
                documents = sorted(with_it, key=itemgetter(name), reverse=sort.startswith("-"))
            documents = documents[offset : offset + limit]
        if select := query.get("select"):
            names = {"_id", *select.split(",")}
            documents = [{name: each[name] for name in each if name in names} for each in documents]
        return json(200, documents)

    def _deleted(self) -> Reply:
        match self._store.board.now.delete_reply:
            case DeleteReply.COUNTED:
                return json(200, {"n": 1, "ok": 1, "deletedCount": 1})
            case DeleteReply.NO_CONTENT:
                return Reply(204)
            case DeleteReply.EMPTY:
                return Reply(200)

    def _metrics(self, request: Request) -> Reply:
        """`GET /dimensiondata?dimid&limit&offset` (C)."""
        if request.method != "GET":
            return text(404, "Not Found")
        wanted = request.query.get("dimid")
        kept = [row for row in self._store.metrics.kept if wanted is None or row.dimension_id == wanted]
        try:
            offset, limit = int(request.query.get("offset", "0")), int(request.query.get("limit", "100"))
        except ValueError:
            return text(400, "Bad Request: limit and offset are numbers")
        rows = kept[offset : offset + limit]
        shown = [
            {"_id": f"{row.arrival:024x}", "dimensionId": row.dimension_id, "time": row.date}
            | {"value": row.value, "model": row.model, "externalId": row.external_id}
            for row in rows
        ]
        return json(200, shown)

    def _lean(self, request: Request) -> Reply:
        names = ("externalId", "sourceId", "status")
        wanted = {name: request.query[name] for name in names if name in request.query}
        return json(
            200,
            [
                {
                    "_id": entry.id,
                    "name": entry.fields.get("name"),
                    **_present(entry, ("externalId", "sourceId")),
                }
                for entry in self._store.companies.by_id.values()
                if all(entry.fields.get(name) == value for name, value in wanted.items())
            ],
        )

    def _forbidden(self, model: Model) -> Reply:
        if self._store.board.now.unauthorized_body is ErrorBody.JSON:
            return json(403, {"error": "Forbidden", "permissionErrors": [f"no permission for {model.name}"]})
        return text(403, "Forbidden")


def _wanted(entry: Entry, query: Any) -> bool:  # noqa: ANN401 -- a mapping of texts
    fields = entry.fields
    companies = query.get("companyId", query.get("c"))
    return (
        bool(fields.get("archived")) == (query.get("archived") == "true")
        and query.get("email", fields.get("email")) == fields.get("email")
        and query.get("externalId", fields.get("externalId")) == fields.get("externalId")
        and (companies is None or (entry.company is not None and entry.company.id in companies.split(",")))
    )


def _present(entry: Entry, names: Iterable[str]) -> dict[str, Any]:
    return {name: entry.fields[name] for name in names if name in entry.fields}
