"""From the counts to samples, when somebody scrapes. The only file here that knows prometheus_client."""

from collections.abc import Iterator, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from streamer.metrics.catalogue import Metric
from streamer.metrics.counting import Metrics
from streamer.metrics.tallies import Labels, Spread

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


class _Scrape(Collector):
    """Asks the counts each time it is asked."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Family]:
        """Every family of the catalogue that has a value."""
        for counts in self._metrics.counts():
            yield _filled(CounterMetricFamily, counts.metric, counts.read())
        for metric, values in self._metrics.gauge_values():
            yield _filled(GaugeMetricFamily, metric, values)
        for spread in self._metrics.spreads():
            yield _histogram(spread)


def registry_of(metrics: Metrics) -> CollectorRegistry:
    """A registry with our metrics and the process's own (memory, CPU, files, start time)."""
    registry = CollectorRegistry()
    registry.register(_Scrape(metrics))
    ProcessCollector(registry=registry)
    return registry


def _filled(
    family: type[CounterMetricFamily] | type[GaugeMetricFamily],
    metric: Metric,
    values: Mapping[Labels, float],
) -> CounterMetricFamily | GaugeMetricFamily:
    filled = family(metric.name, metric.help, labels=tuple(metric.labels))
    for labels, value in values.items():
        filled.add_metric(labels, value)
    return filled


def _histogram(spread: Spread) -> HistogramMetricFamily:
    metric = spread.metric
    filled = HistogramMetricFamily(metric.name, metric.help, labels=tuple(metric.labels))
    bounds = [*map(_bound, metric.buckets), "+Inf"]
    for labels, (buckets, total) in spread.read().items():
        filled.add_metric(labels, list(zip(bounds, accumulate(buckets), strict=True)), total)
    return filled


def _bound(bound: float) -> str:
    return str(float(bound))
