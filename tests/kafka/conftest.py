"""One mock cluster a run."""

from collections.abc import Iterator

import pytest

from tests.kafka.mock_cluster import MockCluster, mock_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[MockCluster]:
    """A mock cluster of librdkafka: no Java, no network beyond loopback."""
    with mock_cluster() as running:
        yield running
