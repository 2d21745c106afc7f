"""Commits that the cluster does not allow us any more: told at once, and an end when that lasts.

Nothing else would end it: fetching goes on, and what is delivered meanwhile is delivered again.
"""

from typing import Final

from confluent_kafka import KafkaError

from streamer.errors import SourceError
from streamer.kafka.configuration import logger
from streamer.kafka.faults import source_error, text_of
from streamer.kafka.permissions import denied

DENIED_COMMITS: Final = 10
"""Commits in a row that the cluster does not allow us, after which we stop (5 s by default). Each one more
is deliveries that will be repeated; and ACLs that are being replaced are gone for a moment only."""


class CommitDenials:
    """Counts commits that an ACL forbids."""

    def __init__(self, bootstrap_servers: str, topic: str, group_id: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._topic = topic
        self._group_id = group_id
        self._in_a_row = 0

    def look(self, error: KafkaError | None) -> SourceError | None:
        """Take what a commit ended with (None: it succeeded); returns what to stop with, if it is time to."""
        need = None if error is None else denied(error, self._topic, self._group_id)
        if error is None or need is None:
            self._in_a_row = 0
            return None
        self._in_a_row += 1
        logger.warning("kafka: a commit was refused: %s. Allow this user %s", text_of(error), need)
        if self._in_a_row < DENIED_COMMITS:
            return None
        what = f"committing offsets of group {self._group_id}"
        return source_error(error, self._bootstrap_servers, what, need)
