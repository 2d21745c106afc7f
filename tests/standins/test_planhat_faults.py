"""Which requests and items a scripted fault strikes, by plain calls."""

from typing import Any

import pytest

from streamer.errors import UsageError
from streamer.standins.planhat.faults import FaultQueue, faults_of
from tests.standins.test_planhat_store import FIRST, endusers, store_with, with_companies

SECOND = {"externalId": "u-2", "email": "u-2@acme.example", "companyId": "extid-acme"}


def queue_of(*faults: dict[str, Any], now: list[float] | None = None) -> FaultQueue:
    """A queue of these faults."""
    clock = now or [0.0]
    queue = FaultQueue(lambda: clock[0])
    queue.add(faults_of(list(faults)))
    return queue


def struck(queue: FaultQueue, requests: int, endpoint: str = "endusers", method: str = "PUT") -> list[int]:
    """The statuses of the faults that strike so many requests; 0 for none."""
    found = (queue.for_request(endpoint, method, [FIRST]) for _ in range(requests))
    return [fault.status if fault else 0 for fault in found]


def test_faults_strike_in_order_and_as_often_as_they_say() -> None:
    """Bursts follow one another, then all is well."""
    queue = queue_of({"kind": "status", "status": 500, "times": 2}, {"kind": "status", "status": 429})

    assert struck(queue, 5) == [500, 500, 429, 0, 0]
    assert queue.view() == []


def test_a_fault_strikes_what_it_names_only() -> None:
    """Endpoint, method and items held narrow a fault down."""
    queue = queue_of(
        {"kind": "status", "endpoint": "companies"},
        {"kind": "status", "method": "GET"},
        {"kind": "status", "items": {"field": "externalId", "values": ["u-2"]}},
    )

    assert struck(queue, 2) == [0, 0]
    assert struck(queue, 2, endpoint="companies") == [503, 0]
    assert struck(queue, 2, method="GET") == [503, 0]
    assert queue.for_request("endusers", "PUT", [FIRST, SECOND]) is not None


def test_skip_and_every_let_requests_pass() -> None:
    """`skip` lets the first pass, `every` strikes each n-th after them."""
    queue = queue_of({"kind": "status", "times": None, "skip": 1, "every": 3})

    assert struck(queue, 8) == [0, 0, 0, 503, 0, 0, 503, 0]


def test_a_fault_without_an_end_lasts_until_cleared() -> None:
    """`times: null` is an outage that a person ends."""
    queue = queue_of({"kind": "reset", "times": None})

    assert struck(queue, 50) == [503] * 50
    queue.clear()
    assert struck(queue, 1) == [0]


def test_a_fault_can_end_by_time() -> None:
    """`for_seconds` counts from when it was added."""
    now = [100.0]
    queue = queue_of({"kind": "status", "times": None, "for_seconds": 30}, now=now)
    now[0] = 129.9
    assert struck(queue, 1) == [503]

    now[0] = 130.0

    assert struck(queue, 1) == [0]


@pytest.mark.parametrize(
    ("fault", "errors"),
    [
        ({"kind": "refuse", "error": "phone is odd"}, ["phone is odd"]),
        ({"kind": "overlap"}, ["externalId,email duplicated"]),
        ({"kind": "ignore"}, []),
    ],
)
def test_item_faults_strike_items(fault: dict[str, Any], errors: list[str]) -> None:
    """An item struck is refused or ignored; the others of its bulk are stored."""
    store = with_companies(store_with(error_shape="text"))
    queue = queue_of({**fault, "items": {"field": "externalId", "values": ["u-1"]}})

    result = store.endusers.upsert([FIRST, SECOND], screen=queue.screen("endusers"))

    assert [each.fields["externalId"] for each in endusers(store)] == ["u-2"]
    assert result.summary()["createdErrors"] == errors
    assert result.ignored == 1 - len(errors)


def test_item_faults_count_items() -> None:
    """A fault of two times refuses two items, in one bulk or in several."""
    store = with_companies(store_with())
    queue = queue_of({"kind": "refuse", "times": 2})

    statuses = [
        store.endusers.upsert([FIRST, SECOND], screen=queue.screen("endusers")).status for _ in range(2)
    ]

    assert statuses == [400, 200]
    assert queue.screen("endusers") is None


def test_items_are_told_by_nested_fields() -> None:
    """Custom fields and an activity's facts can be named with a dot."""
    store = with_companies(store_with())
    store.endusers.upsert([FIRST])
    queue = queue_of({"kind": "ignore", "items": {"field": "info.messageId", "values": ["m-1"]}})
    activities = [{"externalId": "u-1", "info": {"messageId": each}} for each in ("m-1", "m-2")]

    store.activities.log(activities, bulk=True, screen=queue.screen("activities"))

    assert [each.message_id for each in store.activities.kept] == ["m-2"]
    assert store.ignored.totals == {("activities", "fault"): 1}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"kind": "flood"}, "flood"),
        ({"kind": "status", "tmes": 3}, "tmes"),
        ({"kind": "status", "times": 0}, "times"),
        ({"kind": "status", "status": 42}, "status"),
        ({"kind": "drip", "bytes_per_second": 0}, "bytes_per_second"),
        ({"kind": "status", "endpoint": "leads"}, "leads"),
        (7, "object"),
    ],
)
def test_a_wrong_fault_is_refused(wrong: object, named: str) -> None:
    """A fault that cannot be is refused, naming what is wrong with it."""
    with pytest.raises(UsageError, match=named):
        faults_of(wrong)
