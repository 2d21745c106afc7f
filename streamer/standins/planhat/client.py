"""A client of the sandbox's own paths: what it holds, its faults and its switches."""

import http.client
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from streamer.errors import StreamerError
from streamer.standins.planhat.faults import Fault
from streamer.standins.planhat.rows import ActivityRow, CallRow, EntryRow, IgnoredRow, MetricRow, RequestRow

Row = TypeVar("Row", ActivityRow, CallRow, EntryRow, IgnoredRow, MetricRow, RequestRow)

PAGE = 5_000


class SandboxUnusable(StreamerError):
    """The sandbox does not answer, or not as it should."""


class SandboxClient:
    """Reads and steers a running sandbox. `url` is also the base URL of both of Planhat's hosts."""

    def __init__(self, url: str, timeout_seconds: float = 30.0) -> None:
        self.url = url.rstrip("/")
        self._timeout_seconds = timeout_seconds

    def view(self) -> dict[str, Any]:
        """Counts: `companies`, `endusers`, `activities`, `metrics`, `calls`, `ignored`, `requests`, ..."""
        return msgspec.json.decode(self._ask("GET", "/sandbox/view"), type=dict[str, Any])

    def endusers(self) -> Iterator[EntryRow]:
        """All endusers, oldest first."""
        return self._rows("endusers", EntryRow)

    def companies(self) -> Iterator[EntryRow]:
        """All companies, oldest first."""
        return self._rows("companies", EntryRow)

    def activities(self) -> Iterator[ActivityRow]:
        """The activities kept, in arrival order."""
        return self._rows("activities", ActivityRow)

    def metrics(self) -> Iterator[MetricRow]:
        """The values of metrics kept, in arrival order."""
        return self._rows("metrics", MetricRow)

    def calls(self) -> Iterator[CallRow]:
        """The calls kept that the Segment endpoint took, in arrival order."""
        return self._rows("calls", CallRow)

    def ignored(self) -> Iterator[IgnoredRow]:
        """What was taken and not stored, in arrival order."""
        return self._rows("ignored", IgnoredRow)

    def requests(self) -> Iterator[RequestRow]:
        """The requests kept, in the order of their answers."""
        return self._rows("requests", RequestRow)

    def add_faults(self, *faults: Fault) -> None:
        """Queue faults."""
        self._ask("POST", "/sandbox/faults", msgspec.json.encode(faults))

    def clear_faults(self) -> None:
        """Forget all faults."""
        self._ask("DELETE", "/sandbox/faults")

    def switch(self, changes: Mapping[str, object]) -> None:
        """Set switches by name, such as `{"error_shape": "text"}`; all or none."""
        self._ask("POST", "/sandbox/switches", msgspec.json.encode(dict(changes)))

    def change_api_token(self, token: str) -> None:
        """Take this API token and no other from now on: the one in use is revoked."""
        self._ask("POST", "/sandbox/api-token", msgspec.json.encode(token))

    def reset(self) -> None:
        """Forget everything, faults and changed switches included."""
        self._ask("POST", "/sandbox/reset")

    def _rows(self, name: str, kind: type[Row]) -> Iterator[Row]:
        offset = 0
        while True:
            body = self._ask("GET", f"/sandbox/{name}?offset={offset}&limit={PAGE}")
            rows = msgspec.convert(msgspec.json.decode(body)["rows"], list[kind])  # type: ignore[valid-type]
            yield from rows
            if len(rows) < PAGE:
                return
            offset += PAGE

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=self._timeout_seconds
        )
        try:
            connection.request(method, path, body=body)
            reply = connection.getresponse()
            answer = reply.read()
        except (OSError, http.client.HTTPException) as error:
            raise SandboxUnusable(
                f"The sandbox at {self.url} does not answer {method} {path} ({error}). "
                "Look whether it still runs."
            ) from error
        finally:
            connection.close()
        if reply.status != 200:
            raise SandboxUnusable(
                f"The sandbox answers {method} {path} with {reply.status}: {answer.decode()}"
            )
        return answer
