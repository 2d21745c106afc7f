"""librdkafka's mock cluster with its fault injection, through ctypes: for tests alone.

The functions are declared in librdkafka's rdkafka_mock.h; the wheel's shared library exports them.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import confluent_kafka
from confluent_kafka import Producer

PRODUCE, FETCH, LIST_OFFSETS, OFFSET_COMMIT, OFFSET_FETCH = 0, 1, 2, 8, 9
"""Numbers of requests in Kafka's protocol."""

_PRODUCER = 0


class MockCluster:
    """A cluster of mock brokers in this process; topics are made explicitly."""

    def __init__(self, library: ctypes.CDLL, cluster: int, bootstrap: str) -> None:
        self._library = library
        self._cluster = ctypes.c_void_p(cluster)
        self.bootstrap = bootstrap
        self._made = 0

    def create_topic(self, name: str, partitions: int = 1) -> str:
        """Create a topic; returns its name, which is unique."""
        self._made += 1
        topic = f"{name}.{self._made}"
        self._call("rd_kafka_mock_topic_create", ctypes.c_char_p(topic.encode()), partitions, 1)
        return topic

    def push_errors(self, request: int, *codes: int) -> None:
        """Answer the next requests of this kind with these error codes, one each."""
        array = (ctypes.c_int * len(codes))(*codes)
        function = self._library.rd_kafka_mock_push_request_errors_array
        function.restype = None
        function(self._cluster, ctypes.c_short(request), ctypes.c_size_t(len(codes)), array)

    def clear_errors(self, request: int) -> None:
        """Forget the errors that were not answered yet."""
        function = self._library.rd_kafka_mock_clear_request_errors
        function.restype = None
        function(self._cluster, ctypes.c_short(request))

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """Let the log of a partition begin at this offset."""
        name = ctypes.c_char_p(topic.encode())
        self._call(
            "rd_kafka_mock_partition_delete_records", name, ctypes.c_int32(partition), ctypes.c_int64(before)
        )

    def set_down(self) -> None:
        """Refuse and cut every connection to every broker."""
        self._call("rd_kafka_mock_broker_set_down", ctypes.c_int32(-1))

    def set_up(self) -> None:
        """Accept connections again."""
        self._call("rd_kafka_mock_broker_set_up", ctypes.c_int32(-1))

    def set_delay(self, milliseconds: int) -> None:
        """Answer every request this late."""
        self._call("rd_kafka_mock_broker_set_rtt", ctypes.c_int32(-1), milliseconds)

    def _call(self, name: str, *arguments: object) -> None:
        code = getattr(self._library, name)(self._cluster, *arguments)
        assert code == 0, f"{name} answered {code}"


@contextmanager
def mock_cluster(brokers: int = 1) -> Iterator[MockCluster]:
    """Run a mock cluster until the end of the block."""
    # The library that confluent_kafka itself has loaded: a second copy would not share anything with it.
    wheel = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    library = ctypes.CDLL(str(next(wheel.glob("librdkafka-*.so*"))))
    library.rd_kafka_conf_new.restype = ctypes.c_void_p
    library.rd_kafka_new.restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_new.restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    error = ctypes.create_string_buffer(512)
    client = library.rd_kafka_new(_PRODUCER, ctypes.c_void_p(library.rd_kafka_conf_new()), error, len(error))
    assert client, error.value
    cluster = library.rd_kafka_mock_cluster_new(ctypes.c_void_p(client), brokers)
    try:
        bootstrap = library.rd_kafka_mock_cluster_bootstraps(ctypes.c_void_p(cluster)).decode()
        # Milliseconds a group waits for further members (3,000 by default).
        library.rd_kafka_mock_group_initial_rebalance_delay_ms(ctypes.c_void_p(cluster), ctypes.c_int32(50))
        yield MockCluster(library, cluster, bootstrap)
    finally:
        library.rd_kafka_mock_cluster_destroy(ctypes.c_void_p(cluster))
        library.rd_kafka_destroy(ctypes.c_void_p(client))


def produce(bootstrap: str, topic: str, values: list[bytes], partition: int = 0) -> None:
    """Write values to one partition and wait for their acknowledgement."""
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 1})
    for value in values:
        producer.produce(topic, value=value, partition=partition)
    assert producer.flush(20) == 0, "not everything was acknowledged"
