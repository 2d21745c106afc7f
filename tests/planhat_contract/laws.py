"""What must hold whatever Planhat does, and whatever became of each event."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from streamer.outcomes import Endpoint, Fate, SkipReason
from streamer.planhat.items import encode_operation
from streamer.standins.planhat.sandbox import Sandbox
from tests.planhat_contract.pipeline import Ended
from tests.planhat_contract.scenario import Event

MOST_REQUESTS = 150
"""For some sixty events; usually it takes thirty."""


class Applied(NamedTuple):
    """One write that the sandbox applied to an enduser or a company."""

    arrival: int
    sent: Mapping[str, Any]


def check_laws(sandbox: Sandbox, ended: Ended, events: Sequence[Event]) -> None:
    """All of them but conservation, which the engine checks itself after every turn."""
    delivered = {event.step for event in events if _fate(ended, event) is Fate.DELIVERED}
    _not_saved_means_not_saved(sandbox, ended, events)
    _activities_arrived_once(sandbox, ended, events)
    _upserts_are_in_order(sandbox, events)
    _activities_come_after_upserts(sandbox, [event for event in events if event.step in delivered])


def unsaved_of(sandbox: Sandbox, ended: Ended, events: Sequence[Event]) -> set[str]:
    """Names of events called delivered of which some upsert was not applied: lost, if there are any."""
    writes = {endpoint: list(_writes(sandbox, endpoint)) for endpoint in _UPSERTED}
    return {
        event.name
        for event in events
        if _fate(ended, event) is Fate.DELIVERED
        for endpoint, item in _items(event)
        if not any(_carries(write, item) for write in writes[endpoint])
    }


def _not_saved_means_not_saved(sandbox: Sandbox, ended: Ended, events: Sequence[Event]) -> None:
    """A record skipped for want of a company, or dead-lettered, left no trace."""
    writes = {endpoint: list(_writes(sandbox, endpoint)) for endpoint in _UPSERTED}
    for event in events:
        fate, reason = ended.fates.get(event.step, (None, ""))
        if fate is Fate.DEAD_LETTERED or (fate is Fate.SKIPPED and reason == SkipReason.NO_COMPANY):
            items = list(_items(event))
            # Of several operations the others may well have been taken.
            if len(items) == 1:
                endpoint, item = items[0]
                assert not any(_carries(write, item) for write in writes[endpoint]), event.name


def _activities_arrived_once(sandbox: Sandbox, ended: Ended, events: Sequence[Event]) -> None:
    """What was delivered was received: stored, or ignored by the sandbox in its own log; none twice."""
    store = sandbox.store
    meant = {event.name for event in events if event.is_activity and event.step in ended.fates}
    stored = [activity.message_id for activity in store.activities.kept]
    ignored = [row for row in store.ignored.rows if row.endpoint == Endpoint.ACTIVITIES]
    assert len(stored) == len(set(stored))
    assert set(stored) <= meant
    assert len(stored) + len(ignored) == len(meant)


def _upserts_are_in_order(sandbox: Sandbox, events: Sequence[Event]) -> None:
    """Writes of one enduser or company arrive in the order of their events; so do activities."""
    place = _places(events)
    for endpoint in _UPSERTED:
        last: dict[object, int] = {}
        for write in sorted(_writes(sandbox, endpoint)):
            step = place.get(write.sent.get("custom", {}).get("step"))
            if step is None:
                continue
            about = write.sent.get("externalId") or write.sent.get("email")
            assert step >= last.get(about, -1), (about, step)
            last[about] = step
    latest: dict[object, int] = {}
    for activity in sandbox.store.activities.kept:
        step = int(str(activity.message_id).removeprefix("m-"))
        assert step > latest.get(activity.external_id, -1)
        latest[activity.external_id] = step


def _activities_come_after_upserts(sandbox: Sandbox, events: Sequence[Event]) -> None:
    """An activity arrives after every earlier upsert of its enduser, within its partition."""
    arrivals = {activity.message_id: activity.arrival for activity in sandbox.store.activities.kept}
    writes = list(_writes(sandbox, Endpoint.ENDUSERS))
    for event in events:
        arrival = arrivals.get(event.name)
        if arrival is None:
            continue
        before = [
            other
            for other in events
            if other.step < event.step
            and other.partition == event.partition
            and other.call.get("userId") == event.call["userId"]
        ]
        for other in before:
            for endpoint, item in _items(other):
                if endpoint is Endpoint.ENDUSERS:
                    applied = [write.arrival for write in writes if _carries(write, item)]
                    assert min(applied, default=0) < arrival, (other.name, event.name)


_UPSERTED = (Endpoint.COMPANIES, Endpoint.ENDUSERS)


def _fate(ended: Ended, event: Event) -> Fate | None:
    return ended.fates.get(event.step, (None, ""))[0]


def _items(event: Event) -> Iterator[tuple[Endpoint, dict[str, Any]]]:
    """The items of an event's upserts, as they are sent."""
    for operation in event.operations:
        if operation.endpoint is not Endpoint.ACTIVITIES:
            yield operation.endpoint, json.loads(encode_operation(operation))


def _writes(sandbox: Sandbox, endpoint: Endpoint) -> Iterator[Applied]:
    for entry in sandbox.store.model(endpoint).by_id.values():
        for write in entry.history or ():
            yield Applied(write.arrival, write.sent)


def _carries(write: Applied, item: Mapping[str, Any]) -> bool:
    """Whether this write says what the item says; a name may have been added to it."""
    return item.items() <= write.sent.items()


def _places(events: Sequence[Event]) -> dict[object, int]:
    """Where in the story each number in `custom.step` stands first."""
    places: dict[object, int] = {}
    for event in events:
        if not event.is_activity:
            places.setdefault(event.call["traits"]["step"], event.step)
    return places


def reasons_of(ended: Ended, events: Sequence[Event]) -> dict[str, str]:
    """What became of the events that were not delivered, by name: a reason, or `unsettled`."""
    found = {}
    for event in events:
        fate, reason = ended.fates.get(event.step, (None, "unsettled"))
        if fate is not Fate.DELIVERED:
            found[event.name] = str(reason)
    return found
