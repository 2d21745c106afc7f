"""Streams Segment events from Kafka into Planhat."""

from importlib.machinery import ExtensionFileLoader
from importlib.util import find_spec

__version__ = "0.1.0"


def is_compiled() -> bool:
    """Whether the engine that would run is machine code (`make wheel-compiled`)."""
    spec = find_spec("streamer.engine.ledger")
    return spec is not None and isinstance(spec.loader, ExtensionFileLoader)
