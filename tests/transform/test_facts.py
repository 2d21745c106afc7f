"""What the engine asks of an operation is what the operation itself would say."""

from typing import get_args

import pytest

from streamer.transform.facts import keys_of, parents_of
from streamer.transform.operations import (
    DeleteEnduser,
    ForwardCall,
    LogActivity,
    MetricModel,
    Operation,
    PushMetric,
    UpsertCompany,
    UpsertEnduser,
)

OPERATIONS: list[Operation] = [
    UpsertCompany("acme"),
    UpsertEnduser("u-1", "U-1@acme.example", "acme"),
    UpsertEnduser(None, "u-1@acme.example", fallback_company="acme"),
    LogActivity("u-1", None, "acme", "Viewed", None, 1),
    LogActivity(None, "U-1@acme.example", None, "Viewed", None, 1),
    PushMetric("acme", MetricModel.COMPANY, "seats", 3, None),
    PushMetric("u-1", MetricModel.ENDUSER, "seats", 3, None),
    DeleteEnduser("u-1", "u-1@acme.example"),
    ForwardCall("u-1", None, None, {"type": "track"}),
    ForwardCall(None, None, "acme", {"type": "group"}),
]


def test_every_kind_is_asked() -> None:
    """None is left out below."""
    assert {type(operation) for operation in OPERATIONS} == set(get_args(Operation))


@pytest.mark.parametrize("operation", OPERATIONS, ids=repr)
def test_keys_and_parents_are_the_same_whoever_is_asked(operation: Operation) -> None:
    """Those of most kinds are made without asking it."""
    assert operation.keys
    assert keys_of(operation) == operation.keys
    assert parents_of(operation, operation.keys) == operation.parents
