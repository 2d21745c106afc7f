"""The status page: what /metrics tells, for a person who was woken by it; and the same for programs."""

from streamer.status.facts import Fixed
from streamer.status.serving import StatusPage

__all__ = ["Fixed", "StatusPage"]
