"""What every rival is told, by environment variables: the same of each."""

import os
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.rivals.mapping import ACTIVITIES, COMPANIES, ENDUSERS

BULK_ITEMS = 5_000
API_TOKEN = "token"
TENANT_TOKEN = "00000000-0000-4000-8000-000000000000"


class Request(NamedTuple):
    """One HTTP request but for its headers."""

    method: str
    url: str
    body: bytes


class Told(NamedTuple):
    """Where to read and where to send."""

    bootstrap: str
    topic: str
    letters: str
    group: str
    url: str
    """Of both of Planhat's hosts."""
    api_token: str = API_TOKEN
    tenant_token: str = TENANT_TOKEN

    @classmethod
    def read(cls) -> "Told":
        """From the environment."""
        return cls(*(os.environ[f"RIVAL_{name.upper()}"] for name in cls._fields))

    def as_variables(self) -> dict[str, str]:
        """For a child process."""
        return {f"RIVAL_{name.upper()}": value for name, value in self._asdict().items()}

    def request(self, endpoint: str, items: Sequence[bytes]) -> Request:
        """One bulk."""
        body = b"[" + b",".join(items) + b"]"
        if endpoint == ACTIVITIES:
            return Request("POST", f"{self.url}/analytics/bulk/{self.tenant_token}", body)
        return Request("PUT", f"{self.url}/{endpoint}", body)


ORDER = (COMPANIES, ENDUSERS, ACTIVITIES)
"""A user's company comes before the user, and both before what the user did."""
RETRIED = frozenset({408, 429, 500, 502, 503, 504})
LONGEST_PAUSE_SECONDS = 30.0
