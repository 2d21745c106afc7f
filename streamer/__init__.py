"""Streams Segment events from Kafka into Planhat."""

__version__ = "0.1.0"
