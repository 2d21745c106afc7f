"""What a sandbox can be asked beside Planhat's API, and how it is made to fail: for its help and its page."""

from collections.abc import Iterator
from typing import Final

PATHS: Final = (
    ("GET", "/sandbox/view", "counts of everything, as JSON"),
    ("GET", "/sandbox/endusers", "what is stored, by ?offset=0&limit=1000"),
    ("GET", "/sandbox/companies", "the same"),
    ("GET", "/sandbox/activities", "the same"),
    ("GET", "/sandbox/metrics", "the same"),
    ("GET", "/sandbox/calls", "calls that were forwarded to the Segment endpoint"),
    ("GET", "/sandbox/ignored", "what was answered 200 and dropped"),
    ("GET", "/sandbox/requests", "every request, and what it was answered"),
    ("GET", "/sandbox/faults", "the faults that wait"),
    ("POST", "/sandbox/faults", "add one, or a list of them"),
    ("DELETE", "/sandbox/faults", "forget them all"),
    ("GET", "/sandbox/switches", "the switches"),
    ("POST", "/sandbox/switches", 'set some: {"quota_window": "sliding"}'),
    ("POST", "/sandbox/api-token", 'take another API token from now on: "another-token"'),
    ("POST", "/sandbox/reset", "forget everything"),
    ("GET", "/sandbox/healthz", "whether it serves"),
)
"""Method, path and what it is for. None of them asks for a token."""

KINDS: Final = {
    "status": "answered with `status` (503) and `body`; nothing is done",
    "reset": "the connection is broken; nothing is done",
    "slow": "done, and answered after `seconds`",
    "drip": "done, and answered byte by byte, `bytes_per_second` (20)",
    "cut": "done, and half of the answer is sent",
    "lost_reply": "done, and after `seconds` the connection is broken",
    "refuse": "items are refused with `error`",
    "overlap": "items are refused as another writer's",
    "ignore": "items are neither saved nor counted",
}
"""Kinds of faults, and what happens."""

FIELDS: Final = {
    "endpoint": "any, companies, endusers, activities, metrics or segment",
    "method": "GET, PUT, ...; any where it is not given",
    "items": '{"field": "custom.plan", "values": ["gold"]}: these items, or requests that hold one',
    "times": "how often it strikes (1); null: until it is forgotten",
    "skip": "how many it lets pass first (0)",
    "every": "3: strikes every third one only (1)",
    "for_seconds": "ends so long after it was added",
}
"""What else a fault may say; each may be left out."""


def lines() -> Iterator[str]:
    """The guide, for a terminal."""
    yield "beside Planhat's API, without a token:"
    yield from (f"  {method:<6} {path:<20} {about}" for method, path, about in PATHS)
    yield ""
    yield "a fault is a JSON object; its `kind` says what happens to a request:"
    yield from (f"  {kind:<12} {about}" for kind, about in KINDS.items())
    yield "and it may say to which:"
    yield from (f"  {name:<12} {about}" for name, about in FIELDS.items())
