"""Prints Segment calls as JSON lines: `python events.py 200`, or of one type: `... 20 track`.

Needs Python alone.

Sample traffic for docker-compose.yml: a few companies, skewed users, every call type that
streamer sends, and now and then a call that it must skip or set aside.
"""

import json
import random
import sys
import uuid
from datetime import UTC, datetime

COMPANIES = ["acme", "acme-2", "acme-3", "acme-4", "acme-5"]
EVENTS = ["Signed In", "Report Viewed", "Invoice Paid", "Teammate Invited", "Export Started"]
USERS_PER_COMPANY = 40
SHARES = {"track": 60, "page": 20, "identify": 14, "group": 5, "alias": 1}


def user_of(company: str) -> str:
    """A user of that company; a few of them do most of the work."""
    return f"{company}-{min(int(random.paretovariate(0.8)), USERS_PER_COMPANY)}"


def call_of(kind: str) -> dict[str, object]:
    """One call of this type, as Segment would send it."""
    company = random.choice(COMPANIES)
    user = user_of(company)
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    call: dict[str, object] = {
        "type": kind,
        "messageId": f"sample-{uuid.uuid4()}",
        "userId": user,
        "timestamp": now,
        "context": {"groupId": company, "library": {"name": "sample", "version": "1"}},
    }
    if kind == "identify":
        call["traits"] = {
            "email": f"{user}@{company}.example",
            "firstName": user.title(),
            "lastName": "Sample",
            "company": {"id": company},
            "plan": random.choice(["trial", "team", "enterprise"]),
        }
    elif kind == "group":
        call["groupId"] = company
        call["traits"] = {"name": company.title(), "employees": random.randint(10, 900)}
    elif kind == "page":
        call["name"] = random.choice(["Home", "Pricing", "Settings"])
        call["properties"] = {"path": "/"}
    elif kind == "track":
        call["event"] = random.choice(EVENTS)
        call["properties"] = {"seats": random.randint(1, 50)}
    return call


def main() -> None:
    """Print as many calls as the first argument says; the second may name their type."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    kinds = sys.argv[2:3] * count or random.choices(list(SHARES), list(SHARES.values()), k=count)
    for kind in kinds:
        call = call_of(kind)
        if kind == "track" and random.random() < 0.005:
            del call["event"]  # a mistake that real producers make: ends as a dead letter
        print(json.dumps(call))


if __name__ == "__main__":
    main()
