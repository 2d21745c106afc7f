"""What is said of growth is said of figures, never of a clock."""

import json
from itertools import islice

import pytest

from benchmarks import growth, growth_events, growth_page, growth_plot, replicas
from benchmarks.figures import exponent, steepest
from benchmarks.growth import Scale
from streamer.avro.decoder import Decoder
from streamer.avro.schemas import load_schemas
from streamer.engine.ports import Decoded

SIZES = (1.0, 4.0, 16.0, 64.0, 256.0)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_is_found(power: float) -> None:
    """Whatever its factor; and no two neighbours are steeper."""
    points = [(x, 3.0 * x**power) for x in SIZES]
    assert exponent(points) == pytest.approx(power)
    assert steepest(points) == pytest.approx(power)


def test_growth_that_sets_in_late_is_seen_between_neighbours() -> None:
    """A constant part hides it from the fit over all."""
    points = [(x, 1_000.0 + x**2) for x in SIZES]
    assert exponent(points) < 1.0 < steepest(points)


@pytest.mark.parametrize("points", [[], [(4.0, 1.0)], [(4.0, 1.0), (4.0, 2.0)], [(1.0, 1.0), (2.0, 0.0)]])
def test_there_is_no_exponent_of_one_size_or_of_nothing(points: list[tuple[float, float]]) -> None:
    """Better no figure than a wrong one."""
    with pytest.raises(ValueError, match=r"sizes"):
        exponent(points)


def points_of(power: float) -> list[dict[str, float]]:
    """Rows whose events cost so much more the more there is."""
    return [
        {
            "x": x,
            "events": 1_000,
            "event_bytes": 300.0,
            "events_per_second": 9_000.0,
            "cpu_us": 20.0 * x**power,
            "start_cpu_seconds": 0.5,
            "peak_mib": 100.0,
            "events_per_request": 900.0,
        }
        for x in SIZES
    ]


def test_an_event_of_a_backlog_may_not_cost_more_the_longer_it_is() -> None:
    """The whole would grow faster than the backlog; of other axes an event may cost in proportion."""
    for name, linear in (
        ("backlog", 0.0),
        ("partitions", 1.0),
        ("keys", 1.0),
        ("size", 1.0),
        ("replicas", 1.0),
    ):
        assert not growth_page.is_superlinear(name, points_of(linear))
        assert growth_page.is_superlinear(name, points_of(linear + 0.2))


def test_the_page_tells_each_axis_and_its_exponents() -> None:
    """With the rows they are fitted to; an axis that was not measured is left out."""
    results = {"cores": 2, "python": "3.11.7", "axes": {"size": points_of(0.5), "backlog": points_of(1.0)}}
    told = growth_page.section(results, "plot.svg")
    assert "| event size | 1 | 256 | 0.50 | 0.50 | 0.00 | 0.00 | no |" in told
    assert "| backlog | 1 | 256 | 1.00 | 1.00 | 0.00 | 0.00 | **yes** |" in told
    assert "| 16 | 1,000 | 300 | 9,000 | 80.0 | 0.5 | 100 | 900 |" in told
    assert "### Keys" not in told


def test_the_plot_has_a_panel_for_each_figure_that_was_measured() -> None:
    """Replicas have no memory of their own: they run in one process."""
    replicas_alone = [{"x": x, "cpu_us": 20.0} for x in SIZES]
    drawn = growth_plot.plot({"axes": {"size": points_of(0.5), "replicas": replicas_alone}})
    assert drawn.count("<polyline") == 3
    assert drawn.count("<circle") == 3 * len(SIZES)


def test_the_axes_end_where_they_are_told_to() -> None:
    """Keys and backlog by what fits; every key is heard of."""
    scale = Scale(events=5_000, most=100_000)
    assert [work.x for work in growth.of_keys(scale)] == [10, 100, 1_000, 10_000, 100_000]
    assert [work.x for work in growth.of_backlog(scale)] == [10_000, 100_000]
    few, many = growth.of_keys(scale)[0], growth.of_keys(scale)[3]
    assert len({key for key, _ in few.records()}) == 10
    assert len({key for key, _ in many.records()}) == 10_000


@pytest.mark.parametrize("size", [300, 3_000, 30_000])
def test_events_are_about_as_large_as_they_are_said_to_be(size: int) -> None:
    """A fifth more or less, and readable."""
    decoder = Decoder(load_schemas())
    for _, value in islice(growth_events.of_size(100, size), 3):
        assert value is not None
        assert size * 0.8 < len(value) < size * 1.2
        assert isinstance(decoder.decode(value), Decoded)


def test_each_user_identifies_now_and_then() -> None:
    """Ten users too: whose turn it is moves on."""
    decoder = Decoder(load_schemas())
    identified = set()
    for key, value in growth_events.of_users(1_000, 10):
        decoded = decoder.decode(value or b"")
        assert isinstance(decoded, Decoded)
        if isinstance(decoded.value, dict) and decoded.value["type"] == "identify":
            identified.add(key)
    assert len(identified) == 10


def test_a_simulated_group_delivers_everything_within_its_budget() -> None:
    """As long as it has no more replicas than calls: of those each may make one at its start."""
    group = replicas.measure(20, 2_000)
    assert (group.replicas, group.events) == (20, 2_000)
    assert 20 <= group.busiest_minute <= 160
    assert group.events_per_request == 2_000 / group.calls


def test_the_busiest_minute_is_any_sixty_seconds() -> None:
    """Not one of the clock's; what is sixty seconds apart is in two."""
    assert replicas.busiest([]) == 0
    assert replicas.busiest([59.0, 61.0, 0.0, 118.9]) == 3
    assert replicas.busiest([0.0, 60.0]) == 1


def test_the_results_kept_are_of_known_axes() -> None:
    """Otherwise the page would leave them out in silence."""
    assert json.loads(growth.RESULTS.read_text(encoding="utf-8"))["axes"].keys() <= growth_page.AXES.keys()
