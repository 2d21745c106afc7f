"""`/sandbox/...`: the view of what the sandbox holds, its faults and its switches. Not Planhat's."""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import msgspec
from aiohttp import web

from streamer.errors import UsageError
from streamer.standins.planhat.activities import Activity
from streamer.standins.planhat.entries import Entry
from streamer.standins.planhat.faults import faults_of
from streamer.standins.planhat.page import page_of
from streamer.standins.planhat.rows import ActivityRow, CallRow, EntryRow, IgnoredRow, MetricRow, RequestRow
from streamer.standins.planhat.sandbox import Sandbox
from streamer.standins.planhat.switches import notes

DEFAULT_PAGE = 1_000
MAX_PAGE = 20_000

Row = EntryRow | ActivityRow | MetricRow | CallRow | IgnoredRow | RequestRow


def add_control_routes(app: web.Application, sandbox: Sandbox) -> None:
    """Add the view, the faults and the switches."""
    control = Control(sandbox)
    app.router.add_get("/", control.page)
    app.router.add_get("/sandbox/healthz", control.health)
    app.router.add_get("/sandbox/view", control.view)
    for name in ("endusers", "companies", "activities", "metrics", "calls", "ignored", "requests"):
        app.router.add_get(f"/sandbox/{name}", control.rows(name))
    app.router.add_get("/sandbox/faults", control.faults)
    app.router.add_post("/sandbox/faults", control.add_faults)
    app.router.add_delete("/sandbox/faults", control.clear_faults)
    app.router.add_get("/sandbox/switches", control.switches)
    app.router.add_post("/sandbox/switches", control.change_switches)
    app.router.add_post("/sandbox/api-token", control.change_api_token)
    app.router.add_post("/sandbox/reset", control.reset)


def view_of(sandbox: Sandbox) -> dict[str, Any]:
    """Counts of everything."""
    store = sandbox.store
    activities = store.activities
    ignored: dict[str, dict[str, int]] = {}
    for (endpoint, reason), count in sorted(store.ignored.totals.items()):
        ignored.setdefault(endpoint, {})[reason] = count
    return {
        **{
            name: {
                "stored": len(store.model(name).by_id),
                **store.model(name).counts,
                "refusals": dict(store.model(name).refusals),
            }
            for name in ("companies", "endusers")
        },
        "activities": {
            "stored": activities.stored,
            "kept": len(activities.kept),
            "duplicates": activities.duplicates,
            "without_message_id": activities.without_message_id,
            "without_action": activities.without_action,
        },
        "metrics": {"stored": store.metrics.stored, "refused": store.metrics.refused},
        "calls": {"received": store.dock.received},
        "ignored": ignored,
        "requests": {**sandbox.journal.view(), "over_quota": sandbox.quota.refused},
        "arrivals": store.stamps.arrivals,
        "faults": sandbox.faults.view(),
    }


class Control:
    """The handlers."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def page(self, _: web.Request) -> web.Response:
        """What it holds, for people."""
        sandbox = self._sandbox
        return web.Response(
            text=page_of(view_of(sandbox), list(sandbox.journal.rows)[-20:], notes(sandbox.board.now)),
            content_type="text/html",
        )

    async def health(self, _: web.Request) -> web.Response:
        """It serves."""
        return _json({"ok": True})

    async def view(self, _: web.Request) -> web.Response:
        """The counts."""
        return _json(view_of(self._sandbox))

    def rows(self, name: str) -> Callable[[web.Request], Any]:
        """A handler of `?offset&limit` over the rows of this name."""

        async def handler(request: web.Request) -> web.Response:
            try:
                offset = int(request.query.get("offset", "0"))
                limit = int(request.query.get("limit", str(DEFAULT_PAGE)))
            except ValueError:
                offset = limit = -1
            if offset < 0 or not 0 <= limit <= MAX_PAGE:
                return _problem(f"offset must be 0 or more, limit 0 to {MAX_PAGE}")
            total, rows = self._stretch(name, offset, limit)
            return _json({"total": total, "offset": offset, "rows": rows})

        return handler

    def _stretch(self, name: str, offset: int, limit: int) -> tuple[int, list[Row]]:
        store = self._sandbox.store
        if name in {"endusers", "companies"}:
            model = store.model(name)
            return len(model.by_id), [entry_row(entry) for entry in model.rows(offset, limit)]
        if name == "activities":
            kept = store.activities.kept
            return len(kept), [activity_row(each) for each in islice(kept, offset, offset + limit)]
        others: dict[str, Sequence[Row]] = {
            "metrics": store.metrics.kept,
            "calls": store.dock.kept,
            "ignored": store.ignored.rows,
            "requests": self._sandbox.journal.rows,
        }
        rows = others[name]
        return len(rows), list(islice(rows, offset, offset + limit))

    async def faults(self, _: web.Request) -> web.Response:
        """The faults waiting."""
        return _json(self._sandbox.faults.view())

    async def add_faults(self, request: web.Request) -> web.Response:
        """Queue faults: one object or an array of them."""
        try:
            self._sandbox.faults.add(faults_of(await _body(request)))
        except UsageError as error:
            return _problem(str(error))
        return _json(self._sandbox.faults.view())

    async def clear_faults(self, _: web.Request) -> web.Response:
        """Forget all faults."""
        self._sandbox.faults.clear()
        return _json([])

    async def switches(self, _: web.Request) -> web.Response:
        """The switches, what they can be, and the confidence of their defaults."""
        return _json([note._asdict() for note in notes(self._sandbox.board.now)])

    async def change_switches(self, request: web.Request) -> web.Response:
        """Set switches: an object of names and values; all or none."""
        try:
            changes = await _body(request)
            if not isinstance(changes, dict):
                return _problem("switches are an object of names and values")
            self._sandbox.board.change(changes)
        except UsageError as error:
            return _problem(str(error))
        return await self.switches(request)

    async def change_api_token(self, request: web.Request) -> web.Response:
        """Take another API token from now on, as when one is revoked: a JSON text."""
        try:
            token = await _body(request)
        except UsageError as error:
            return _problem(str(error))
        if not isinstance(token, str) or not token:
            return _problem("an API token is a text")
        self._sandbox.api_token = token
        return _json({"ok": True})

    async def reset(self, _: web.Request) -> web.Response:
        """Forget everything, faults and changed switches included."""
        self._sandbox.reset()
        return _json({"ok": True})


def entry_row(entry: Entry) -> EntryRow:
    """An enduser or company as the view shows it."""
    fields, company = entry.fields, entry.company
    return EntryRow(
        id=entry.id,
        external_id=fields.get("externalId"),
        source_id=fields.get("sourceId"),
        email=fields.get("email"),
        company_id=None if company is None else company.id,
        company_external_id=None if company is None else company.fields.get("externalId"),
        fields=fields,
        custom=entry.custom,
        arrival=entry.arrival,
        last_arrival=entry.last_arrival,
        writes=entry.writes,
        activities=entry.activities,
        history=list(entry.history or ()),
    )


def activity_row(activity: Activity) -> ActivityRow:
    """An activity as the view shows it."""
    shown = activity._asdict()
    facts = shown.pop("facts")
    return ActivityRow(**shown, info=msgspec.Raw(facts))


async def _body(request: web.Request) -> object:
    try:
        parsed: object = msgspec.json.decode(await request.read())
    except msgspec.DecodeError as error:
        raise UsageError("the body is not JSON") from error
    return parsed


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def _problem(words: str) -> web.Response:
    return _json({"error": words}, 400)
