"""The source against librdkafka's mock cluster."""

from tests.kafka.source_contract import SourceContract


class TestSource(SourceContract):
    """The contract."""

    session_timeout_ms = "1500"  # the mock cluster waits this long at each rebalance
    has_topic_ids = False
