"""Metrics: numbers among the traits of an enduser or a company, or the properties of what a user did."""

from streamer.events.calls import Group, Identify, Page, Screen, Track
from streamer.transform.operations import MetricModel, PushMetric
from streamer.transform.ruled import Metrics


def metrics_of(
    model: MetricModel, external_id: str, metrics: Metrics, call: Identify | Group | Track | Page | Screen
) -> tuple[PushMetric, ...]:
    """One operation for each metric, of the time of the call. Of one dimension the later value counts."""
    return tuple(
        PushMetric(external_id, model, dimension, value, call.timestamp)
        for dimension, value in dict(metrics).items()
    )
