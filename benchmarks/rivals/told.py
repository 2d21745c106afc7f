"""What every rival is told, by environment variables: the same of each."""

import os
from typing import NamedTuple

from streamer.outcomes import Endpoint
from streamer.planhat.requests import Addresses, Request, request_for

BULK_ITEMS = 5_000


class Told(NamedTuple):
    """Where to read and where to send."""

    bootstrap: str
    topic: str
    letters: str
    group: str
    url: str

    @classmethod
    def read(cls) -> "Told":
        """From the environment."""
        return cls(*(os.environ[f"RIVAL_{name.upper()}"] for name in cls._fields))

    def as_variables(self) -> dict[str, str]:
        """For a child process."""
        return {f"RIVAL_{name.upper()}": value for name, value in self._asdict().items()}

    def request(self, endpoint: Endpoint, items: list[bytes]) -> Request:
        """One bulk."""
        return request_for(endpoint, items, Addresses(self.url, self.url, "tenant"))


ORDER = (Endpoint.COMPANIES, Endpoint.ENDUSERS, Endpoint.ACTIVITIES)
"""A user's company comes before the user, and both before what the user did."""
RETRIED = frozenset({408, 429, 500, 502, 503, 504})
LONGEST_PAUSE_SECONDS = 30.0
