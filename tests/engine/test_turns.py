"""Which model gets the next token, and how full requests are when tokens are scarce."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from streamer.engine.limits import DEFAULT_BULKS, BulkLimits, Limits
from streamer.engine.turns import Turns, urgency
from streamer.outcomes import Endpoint
from tests.engine.fakes import Bench, group, identify

MAIN = [endpoint for endpoint in Endpoint if endpoint.is_upsert]
FULL, NOTHING = 1.0, 0.0


def test_a_full_request_goes_before_one_that_waits_as_long() -> None:
    """A token moves thousands of operations there, and a few here."""
    turns = Turns()
    fills = {Endpoint.COMPANIES: 0.01, Endpoint.ENDUSERS: FULL}
    turns.order(0.0, fills)
    assert turns.order(1.0, fills)[0] is Endpoint.ENDUSERS


def test_a_lone_company_goes_after_ten_full_requests_of_endusers() -> None:
    """Endusers may wait for it; and it costs no more than every eleventh token."""
    turns, fills = Turns(), {Endpoint.COMPANIES: 0.0002, Endpoint.ENDUSERS: FULL}
    winners = []
    for token in range(44):
        winner = turns.order(float(token), fills)[0]
        turns.sent(winner)
        turns.order(token + 0.01, fills)
        winners.append(winner)
    assert 3 <= winners.count(Endpoint.COMPANIES) <= 4
    assert Endpoint.COMPANIES in winners[:12]


@given(st.lists(st.tuples(st.floats(0.001, 1.0), st.floats(0.001, 1.0)), min_size=40, max_size=60))
def test_nobody_starves(fills: list[tuple[float, float]]) -> None:
    """However full they are: of two that always have something each gets every twelfth token."""
    turns, line = Turns(), []
    for token, pair in enumerate(fills):
        ready = dict(zip(MAIN, pair, strict=True))
        winner = turns.order(float(token), ready)[0]
        turns.sent(winner)
        turns.order(float(token), ready)
        line.append(winner)
    for start in range(1, len(line) - 12):
        assert set(line[start : start + 12]) == set(MAIN)


@given(st.floats(0.0, 1e6), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_of_two_that_wait_as_long_the_fuller_is_not_behind(waited: float, one: float, other: float) -> None:
    """Fill never counts against a request."""
    fuller, emptier = max(one, other), min(one, other)
    assert urgency(waited, fuller) >= urgency(waited, emptier)


# --- in the engine ---------------------------------------------------------------------------------

SMALL = {
    endpoint: BulkLimits(50, 8 << 20, 0.25, limits.flights) for endpoint, limits in DEFAULT_BULKS.items()
}
SCARCE = Limits(calls_per_minute=12.0, high_water_records=2_000, poll_records=10, bulks=SMALL)


def test_endusers_behind_a_company_are_not_stuck_behind_full_bulks() -> None:
    """The backlog of others is full bulk after full bulk; the company goes within eleven tokens."""
    bench = Bench(limits=SCARCE)
    for number in range(1_500):
        bench.source.feed(identify(f"u-{number}", company=None))
    bench.turn(200, seconds=0.05)
    bench.source.feed(group("acme", user="late"))
    began = len(bench.sink.sent)
    while bench.sink.sent[-1].endpoint is not Endpoint.COMPANIES:
        bench.turn(1, seconds=0.5)
    assert len(bench.sink.sent) - began <= 12


def test_bulks_are_full_while_a_backlog_is_read() -> None:
    """Reading takes many turns for one bulk: it goes when it is full, not when the first has lingered."""
    bench = Bench(limits=replace(SCARCE, calls_per_minute=600.0))
    for number in range(1_000):
        bench.source.feed(identify(f"u-{number}", company=None))
    bench.turn(300, seconds=0.1)
    sizes = [len(batch.operations) for batch in bench.sink.sent]
    assert sizes == [50] * 20


def test_a_steady_pace_at_full_speed_is_no_backlog() -> None:
    """Every poll is full of what was written just now: nobody waits two seconds for a fuller bulk."""
    bench = Bench(limits=replace(SCARCE, calls_per_minute=600.0, bulks=DEFAULT_BULKS))
    for number in range(1_000):
        bench.source.feed(identify(f"u-{number}", company=None), time=bench.clock.time())
    began = bench.clock.now
    while not bench.sink.sent:
        bench.turn(1, seconds=0.05)
    assert bench.clock.now - began < 0.6


def test_a_quiet_topic_is_not_delayed() -> None:
    """Nothing more is on its way: the linger is as short as ever."""
    bench = Bench(limits=SCARCE)
    bench.source.feed(identify("u-1", company=None))
    began = bench.clock.now
    while not bench.sink.sent:
        bench.turn(1, seconds=0.05)
    assert bench.clock.now - began < 0.6


def test_a_backlog_that_does_not_fill_a_bulk_delays_it_by_two_seconds_at_most() -> None:
    """Most of what is read goes elsewhere: few endusers among it must not wait for thousands."""
    bench = Bench(limits=SCARCE)
    bench.source.feed(identify("u-1", company=None))
    for _ in range(3_000):
        bench.source.feed(None)
    began = bench.clock.now
    while not bench.sink.sent:
        bench.turn(1, seconds=0.05)
    assert 1.0 < bench.clock.now - began < 2.3


def test_at_full_scale_bulks_are_full_even_where_reading_is_slower_than_the_quota() -> None:
    """12,500 records a second, in polls of 500, for 160 calls a minute that could take 13,115."""
    bench = Bench()
    for number in range(40_000):
        bench.source.feed(identify(f"u-{number}", company=None))
    while sum(len(batch.operations) for batch in bench.sink.sent) < 40_000:
        bench.turn(1, seconds=0.04)
    sizes = [len(batch.operations) for batch in bench.sink.sent]
    assert sum(sizes) / len(sizes) >= 4_750
