"""librdkafka's statistics, the few numbers of them that we use (its STATISTICS.md names them all)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_WAITS_FOR_US: Final = frozenset({"wait-assign-call", "wait-unassign-call"})
"""How a member stands that has told us of partitions, and we have not answered yet."""

_RIGHTLY: Final = frozenset({"steady", "wait-join", "wait-sync", *_WAITS_FOR_US})
"""How a member may stand for as long as the others let it, if only its coordinator is there."""

_KNOWN: Final = frozenset({"configured", "learned"})
"""Other sources are of librdkafka's own making: "internal", and "logical" for the coordinator of a group."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """One report about the consumer."""

    committed: Mapping[int, int] = field(default_factory=dict)
    """By partition number: the offset last committed by the group; left out where not known."""
    passed: Mapping[int, int] = field(default_factory=dict)
    """By partition number: where the next fetch begins, if nothing fetched waits to be taken."""
    topic_partitions: int = 0
    """How many partitions the topic has, whoever reads them; 0 before anything of it is assigned."""
    is_steady: bool = False
    """Whether this member is in its group with nothing left to settle."""
    is_idle_outside: bool = False
    """Whether this member is out of its group, or cut off from it, and waits neither for others nor us."""
    has_brokers: bool = True
    """Whether the client knows any broker, be it only by its configuration, be it up or down."""


def read_statistics(text: str, topic: str) -> Statistics:
    """Read one report."""
    report = json.loads(text)
    partitions = {
        int(number): partition
        for number, partition in report.get("topics", {}).get(topic, {}).get("partitions", {}).items()
        if int(number) >= 0  # below is librdkafka's own place for records without a partition
    }
    group = report.get("cgrp", {})
    is_up, stand = group.get("state") == "up", group.get("join_state")
    return Statistics(
        committed={
            number: partition["committed_offset"]
            for number, partition in partitions.items()
            if partition.get("committed_offset", -1) >= 0
        },
        passed={
            number: partition["next_offset"]
            for number, partition in partitions.items()
            if partition.get("next_offset", -1) >= 0 and not partition.get("fetchq_cnt", 0)
        },
        topic_partitions=len(partitions),
        is_steady=is_up and stand == "steady",
        is_idle_outside=stand not in (_RIGHTLY if is_up else {None, *_WAITS_FOR_US}),
        has_brokers=any(each.get("source") in _KNOWN for each in report.get("brokers", {}).values()),
    )
