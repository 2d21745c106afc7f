"""One look at every tally: the same that /metrics would show at this moment."""

from collections.abc import Mapping

from streamer.metrics import Metric, Metrics, Minute
from streamer.metrics.tallies import Labels


class Reading:
    """Values by metric, then by label values in the catalogue's order; absent is what is absent there."""

    def __init__(self, metrics: Metrics) -> None:
        """Read now. For any thread: tallies are copied as a scrape copies them."""
        self._values: dict[str, Mapping[Labels, float]] = {
            counts.metric.name: counts.read() for counts in metrics.counts()
        }
        self._values |= {metric.name: values for metric, values in metrics.gauge_values()}
        self.minute: Minute = metrics.last_minute.read()

    def by_labels(self, metric: Metric) -> Mapping[Labels, float]:
        """Every value of a metric; none where it is absent."""
        return self._values.get(metric.name, {})

    def value(self, metric: Metric, *labels: str) -> float | None:
        """One value; None where it is absent."""
        return self.by_labels(metric).get(labels)

    def number(self, metric: Metric, *labels: str) -> float:
        """One value; 0 where it is absent."""
        return self.by_labels(metric).get(labels, 0)

    def total(self, metric: Metric, *labels: str) -> float:
        """Sum of the values whose labels end with these."""
        return _sum(self.by_labels(metric), labels)

    def lately(self, metric: Metric, *labels: str) -> int:
        """The same of a counter in the last minute."""
        return round(_sum(self.minute.counts[metric.name], labels))

    def labels_at_one(self, metric: Metric) -> list[Labels]:
        """The labels of what is 1."""
        return [labels for labels, value in self.by_labels(metric).items() if value == 1]


def _sum(values: Mapping[Labels, float] | Mapping[Labels, int], labels: Labels) -> float:
    return sum(value for each, value in values.items() if each[len(each) - len(labels) :] == labels)
