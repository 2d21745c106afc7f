"""A server that takes bulks, counts their items and answers that all were saved: for figures of CPU.

The sandbox keeps every object and answers by Planhat's rules, in Python: it would bound the faster systems.
This one splits the body into items and nothing more. `GET /counts` tells requests and items so far.

    python -m benchmarks.sink PORT
"""

import sys

import msgspec
from aiohttp import web

MOST_BYTES = 64 * 2**20
_split = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Counting:
    """Requests and items so far."""

    def __init__(self) -> None:
        self.requests = 0
        self.items = 0

    async def answer(self, request: web.Request) -> web.Response:
        """A summary in which everything was updated."""
        if request.path == "/counts":
            return web.json_response({"requests": self.requests, "items": self.items})
        body = await request.read()
        if request.method == "GET" or not body.startswith(b"["):
            return web.json_response([])
        count = len(_split(body))
        self.requests += 1
        self.items += count
        if request.path.startswith("/analytics"):
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
    app.router.add_route("*", "/{path:.*}", Counting().answer)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)


if __name__ == "__main__":
    main()
