"""Metrics: one catalogue, integers in the loop, samples at scrape."""

from streamer.metrics.catalogue import CATALOGUE, Metric, metrics_markdown_table
from streamer.metrics.counting import KafkaReport, Metrics
from streamer.metrics.exposition import registry_of
from streamer.metrics.last_minute import Minute

__all__ = ["CATALOGUE", "KafkaReport", "Metric", "Metrics", "Minute", "metrics_markdown_table", "registry_of"]
