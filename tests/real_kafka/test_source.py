"""The source against Apache Kafka."""

import pytest

from tests.kafka.source_contract import SourceContract
from tests.real_kafka.cluster import RealKafka

pytestmark = pytest.mark.real_kafka


class TestSource(SourceContract):
    """The contract."""

    @pytest.fixture
    def cluster(self, real_kafka: RealKafka) -> RealKafka:
        """The real one."""
        return real_kafka
