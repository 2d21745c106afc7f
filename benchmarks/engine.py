"""The engine alone, with doubles at its doors: events/s of one core, and how many events a call carries.

Time is virtual: events come at a steady pace, a request is answered on the next turn, and the main API's
quota holds as it would. So the figures of calls are those of the engine's decisions, and the figure of
events/s is what a turn costs in CPU: decoding JSON, transforming and encoding included.

    python -m benchmarks.engine --events 50000
"""

import argparse
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from typing import Any, NamedTuple

from streamer.engine.limits import Limits
from streamer.outcomes import Endpoint, Fate
from tests.engine.fakes import Bench, group, identify, track

TURN_SECONDS = 0.25
USERS = 5_000

Event = dict[str, Any]


class Story(NamedTuple):
    """Events, and how many of them come in a second."""

    name: str
    events: Callable[[], Iterator[Event]]
    per_second: int


def traits(user: int) -> dict[str, Any]:
    """What an identify call usually says."""
    return {
        "name": f"Ada {user}",
        "email": f"u-{user}@acme.example",
        "plan": "pro",
        "seats": user,
        "beta": True,
    }


def distinct_users() -> Iterator[Event]:
    """A backlog: every event is of another user."""
    return (identify(f"u-{user}", company=f"c-{user % 500}", **traits(user)) for user in range(1 << 30))


def page_loads() -> Iterator[Event]:
    """Each page view says again who is there, and what company they are of."""
    for user in cycle(range(USERS)):
        company = f"c-{user % 500}"
        for _ in range(5):
            yield identify(f"u-{user}", company=company, **traits(user))
            yield group(company, f"u-{user}", name=company, plan="pro")
            yield track(f"u-{user}", "Viewed", company=company)


def trait_bursts() -> Iterator[Event]:
    """An audience tool computes: one user gets fifty traits, one call each; then the next user."""
    for user in cycle(range(USERS)):
        for number in range(50):
            yield identify(f"u-{user}", company=f"c-{user % 500}", **{f"trait {number}": user % 7})


def returning_users() -> Iterator[Event]:
    """The same people load page after page, all day."""
    for user in cycle(range(USERS // 10)):
        yield identify(f"u-{user}", company=f"c-{user % 50}", **traits(user))
        yield track(f"u-{user}", "Viewed", company=f"c-{user % 50}")


BACKLOG = 100_000
"""A second, which is more than can be taken: reading stops at high water."""

STORIES = (
    Story("distinct users", distinct_users, 20_000),
    Story("page loads", page_loads, 300),
    Story("returning users", returning_users, 300),
    Story("trait bursts", trait_bursts, 500),
    Story("page loads, behind", page_loads, BACKLOG),
    Story("trait bursts, behind", trait_bursts, BACKLOG),
)


def measure(story: Story, events: int) -> None:
    """One story to its end, and its figures."""
    bench = Bench(limits=Limits(poll_records=5_000))
    coming = islice(story.events(), events)
    spent = 0.0
    per_turn = int(story.per_second * TURN_SECONDS)
    fed = 0
    while fed < events or bench.streamer.ledger.in_flight:
        for event in islice(coming, per_turn):
            bench.source.feed(event)
            fed += 1
        began = time.process_time()
        bench.streamer.run_once()
        spent += time.process_time() - began
        bench.clock.advance(TURN_SECONDS)
    main = [batch for batch in bench.sink.sent if batch.endpoint is not Endpoint.ACTIVITIES]
    carried = sum(len(batch.operations) for batch in main)
    told = bench.told
    print(
        f"{story.name:20} {events / spent:9,.0f} events/s   {len(main):6,} main calls   "
        f"{carried / events:5.2f} entries sent per event   "
        f"{events / max(1, len(main)):8,.1f} events per call   "
        f"delivered {told.fates[Fate.DELIVERED]:,}, skipped {told.fates[Fate.SKIPPED]:,}"
    )


def main() -> None:
    """Every story."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=int, default=50_000)
    events = parser.parse_args().events
    for story in STORIES:
        measure(story, events)


if __name__ == "__main__":
    main()
