"""A replica's share of the group's budget of calls, by the partitions it is assigned. Pure.

No store and no word between replicas: Kafka assigns each partition to one of them at most, so parts that
go by partition never add up to more than the whole.
"""

from collections.abc import Collection


def share_of(budget: float, partitions: int, assigned: Collection[int]) -> float:
    """Calls a minute of the replica that reads these partition numbers of a topic with so many.

    Each partition has a whole number of calls, and all of them together have the budget's whole calls: a
    replica's share needs no rounding, and whoever counts its own calls to that number keeps the group
    within the budget. Only where the budget is smaller than the number of partitions some have none; a
    replica that reads nothing else goes by the fraction, or it would stand still for ever.
    """
    if not assigned:
        return 0.0
    # A partition that was assigned before the count was seen to grow is counted all the same.
    known = max(partitions, *(number + 1 for number in assigned))
    whole = int(budget)
    calls = sum((number + 1) * whole // known - number * whole // known for number in assigned)
    return float(calls) or budget * len(assigned) / known
