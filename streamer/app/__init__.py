"""The one place that builds everything, and the only one that knows all rooms.

`run` is the service, `check` verifies what `run` needs and says so. Both answer with an exit code or
raise a StreamerError that carries one.
"""

from streamer.app.checking import check
from streamer.app.running import run

__all__ = ["check", "run"]
