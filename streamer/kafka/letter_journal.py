"""Writes a replay's notes into the dead-letter topic. A note counts when the broker has acknowledged it."""

from collections.abc import Mapping, Sequence
from typing import Final

from streamer.errors import SourceError
from streamer.kafka.publish import Publisher

_SECONDS: Final = 30.0
"""How long the broker may take to acknowledge a note."""


class LetterJournal:
    """Notes beside the letters of one dead-letter topic."""

    def __init__(
        self, bootstrap_servers: str, topic: str, properties: Mapping[str, str] | None = None
    ) -> None:
        self._topic = topic
        self._bootstrap_servers = bootstrap_servers
        self._publisher = Publisher(bootstrap_servers, topic, properties)

    def write(
        self, notes: Sequence[tuple[int, bytes]], headers: Sequence[tuple[str, str | bytes | None]]
    ) -> None:
        """Write notes, each into its partition, and wait until the broker has them all.

        Raises SourceError when it does not: then none of them may be relied on.
        """
        for partition, value in notes:
            self._publisher.publish(None, value, headers, partition=partition)
        missing = self._publisher.flush(_SECONDS)
        if missing or self._publisher.failed:
            reasons = ", ".join(self._publisher.failed) or f"no acknowledgement within {_SECONDS:.0f} s"
            raise SourceError(
                f"{self._topic} at {self._bootstrap_servers} does not take the replay's notes ({reasons}). "
                "The replay stops; letters it had taken are sent again by the next one, which names them. "
                f"To do: see that the broker is there, that this user has Write on {self._topic}, and that "
                "the topic is not compacted, then replay again."
            )
