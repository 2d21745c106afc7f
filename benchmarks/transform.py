"""What transform costs per event: by type of call, and beside another checkout's transform.

    python -m benchmarks.transform
    python -m benchmarks.transform --against /path/to/another/checkout

Each round measures every call in one process after the other, so that both sides see the same machine;
the best round counts, since noise only ever adds. Events are parsed before: what is measured is the
transform alone.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from streamer.events.parse import parse
from streamer.transform import Rules, transform

ROOT = Path(__file__).resolve().parent.parent
REPETITIONS = 4_000

_CONTEXT = {
    "groupId": "acme",
    "traits": {"email": "u-1@acme.example"},
    "library": {"name": "analytics.js", "version": "2.1.0"},
    "page": {"path": "/invoices", "url": "https://app.acme.example/invoices"},
}
_ENVELOPE = {
    "userId": "u-1",
    "messageId": "ajs-0123456789abcdef",
    "timestamp": "2026-03-02T09:15:30.250Z",
    "context": _CONTEXT,
}
EVENTS: dict[str, dict[str, Any]] = {
    "identify": {
        **_ENVELOPE,
        "type": "identify",
        "traits": {
            "firstName": "Ada", "lastName": "Last", "email": "u-1@acme.example", "title": "CTO",
            "phone": "+1 555 0100", "plan": "pro", "seats": 12, "beta": True, "createdAt": "2026-01-05",
            "address": {"city": "Bergen", "country": "Norway"},
        },
    },
    "identify, one trait": {**_ENVELOPE, "type": "identify", "traits": {"power_users": True}},
    "group": {
        **_ENVELOPE,
        "type": "group",
        "groupId": "acme",
        "traits": {
            "name": "Acme", "website": "https://acme.example", "plan": "enterprise", "employees": 420,
            "industry": "Tools", "total billed": 830.5,
            "address": {"street": "1 Main Street", "city": "Bergen", "postalCode": "5003", "state": "V"},
        },
    },
    "track": {
        **_ENVELOPE,
        "type": "track",
        "event": "Invoice Paid",
        "properties": {"amount": 830.5, "currency": "USD", "weight": 2, "lines": [{"sku": "a"}, {"sku": 7}]},
    },
    "page": {
        **_ENVELOPE,
        "type": "page",
        "name": "Invoices",
        "category": "Billing",
        "properties": {"path": "/invoices", "title": "Invoices", "url": "https://app.acme.example/invoices"},
    },
}  # fmt: skip


def measure() -> list[float]:
    """CPU seconds of REPETITIONS transforms of each event."""
    rules = Rules()
    taken = []
    for event in EVENTS.values():
        call = parse(event)
        began = time.process_time()
        for _ in range(REPETITIONS):
            transform(call, rules)
        taken.append(time.process_time() - began)
    return taken


class Checkout:
    """Measures in a process of its own, with the `streamer` of one checkout."""

    def __init__(self, root: Path) -> None:
        self._child = subprocess.Popen(
            [sys.executable, __file__, "--serve"],
            cwd=root, env={"PYTHONPATH": str(root)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def measure(self) -> list[float]:
        """One round."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write("\n")
        self._child.stdin.flush()
        return [float(text) for text in self._child.stdout.readline().split()]

    def close(self) -> None:
        """End the process."""
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait(timeout=30)


def _serve() -> None:
    for _ in sys.stdin:
        print(*measure(), flush=True)


def main() -> None:
    """Print microseconds per event, and the ratio where there is another checkout."""
    parser = argparse.ArgumentParser(description="what transform costs per event")
    parser.add_argument("--against", type=Path, help="root of another checkout of this repository")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        _serve()
        return
    sides = [Checkout(ROOT)] + ([Checkout(args.against.resolve())] if args.against else [])
    rounds = [[side.measure() for side in sides] for _ in range(args.rounds)]
    for side in sides:
        side.close()
    heading = f"{'CPU us per event':<24}{'here':>8}"
    print(heading + (f"{'against':>10}{'ratio':>8}" if args.against else ""))
    totals = [0.0] * len(sides)
    for index, name in enumerate(EVENTS):
        best = [min(each[side][index] for each in rounds) * 1e6 / REPETITIONS for side in range(len(sides))]
        totals = [total + one for total, one in zip(totals, best, strict=True)]
        print(_line(name, best))
    print(_line("all", totals))


def _line(name: str, best: list[float]) -> str:
    other = f"{best[1]:>10.2f}{best[0] / best[1]:>8.2f}" if len(best) > 1 else ""
    return f"{name:<24}{best[0]:>8.2f}{other}"


if __name__ == "__main__":
    main()
