"""A server that takes bulks, counts their items and answers that all were saved: for figures of CPU.

The sandbox keeps every object and answers by Planhat's rules, in Python: it would bound the faster systems.
This one splits the body into items and nothing more, or with `--events` notes which event each item tells of
and when that came first. It serves what it knows:

    GET /counts         requests and items so far
    GET /until?items=N  the same, once it has that many; the bulk that brings them is answered late
    GET /events         of each event when it came first, and how often events came again (with --events)

    python -m benchmarks.sink PORT [--events]
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterable

import msgspec
from aiohttp import web

from benchmarks.identity import events_of

MOST_BYTES = 64 * 2**20
LATE_SECONDS = 3.0
_split = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Counting:
    """Requests and items so far, and of which events."""

    def __init__(self, *, notes_events: bool = False) -> None:
        self.requests = 0
        self.items = 0
        self._notes_events = notes_events
        self._came_at: dict[tuple[str, str], float] = {}
        """By endpoint and event; seconds since 1970."""
        self._again: Counter[str] = Counter()
        self._more = asyncio.Event()
        self._late_at: int | None = None

    def counts(self) -> dict[str, int]:
        """What came."""
        return {"requests": self.requests, "items": self.items}

    def events(self) -> dict[str, object]:
        """Of each event when it first came to any endpoint; how many came again, by endpoint."""
        first: dict[str, float] = {}
        for (_, event), at in self._came_at.items():
            first[event] = min(at, first.get(event, at))
        return {"came_at": first, "again": dict(self._again)}

    def take(self, endpoint: str, items: Iterable[bytes | msgspec.Raw], at: float) -> int:
        """Count one bulk that came at this time; returns its items."""
        listed = list(items)
        self.requests += 1
        self.items += len(listed)
        if self._notes_events:
            for event in (event for item in listed for event in events_of(item)):
                if (endpoint, event) in self._came_at:
                    self._again[endpoint] += 1
                else:
                    self._came_at[endpoint, event] = at
        self._more.set()
        self._more = asyncio.Event()
        return len(listed)

    async def until(self, items: int) -> None:
        """Wait until that many came; the answer of the bulk that brings them waits as well."""
        self._late_at = items
        while self.items < items:
            await self._more.wait()

    async def answer(self, request: web.Request) -> web.Response:
        """A summary in which everything was updated; or what is known."""
        if request.path == "/until":
            await self.until(int(request.query["items"]))
        if request.path in {"/counts", "/until"}:
            return web.json_response(self.counts())
        if request.path == "/events":
            return web.json_response(self.events())
        try:
            body = await request.read()
        except ConnectionResetError:  # it was killed in the middle of a bulk, which so never came
            return web.Response(status=400)
        if request.method == "GET" or not body.startswith(b"["):
            return web.json_response([])
        endpoint = "activities" if request.path.startswith("/analytics") else request.path.strip("/")
        count = self.take(endpoint, _split(body), time.time())
        if self._late_at is not None and self.items >= self._late_at:
            # Whoever strikes in this moment meets a bulk that is taken and cannot be committed.
            self._late_at = None
            await asyncio.sleep(LATE_SECONDS)
        if endpoint == "activities":
            return web.json_response({"processed": count, "errors": []})
        return web.json_response(
            {
                "created": 0,
                "updated": count,
                "nonupdates": 0,
                "createdErrors": [],
                "updatedErrors": [],
                "permissionErrors": [],
                "insertsKeys": [],
                "updatesKeys": [],
            }
        )


def main() -> None:
    """Serve until SIGTERM."""
    app = web.Application(client_max_size=MOST_BYTES)
    app.router.add_route("*", "/{path:.*}", Counting(notes_events="--events" in sys.argv).answer)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)


if __name__ == "__main__":
    main()
