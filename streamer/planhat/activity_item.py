"""An activity as Planhat's API spells it.

Apart from `items`: a struct of msgspec's cannot be compiled.
"""

from collections.abc import Mapping
from typing import Any

import msgspec


class ActivityItem(msgspec.Struct, omit_defaults=True, gc=False):
    """`POST /analytics/bulk/{tenant}`, in the order in which it is written; what is None is not.

    Most of what is sent are activities, and a declared item costs half of what a dict of it does.

    The user's id goes by both names: Planhat's texts of different years say `externalId` and
    `euExtId`, and a wrong one is never answered with an error.
    """

    externalId: str | None = None  # noqa: N815 - as Planhat spells it
    euExtId: str | None = None  # noqa: N815
    email: str | None = None
    companyExternalId: str | None = None  # noqa: N815
    action: str | None = None
    date: str | None = None
    weight: float | None = None
    info: Mapping[str, Any] | None = None
    source: str = ""

    def __repr__(self) -> str:
        return "<ActivityItem>"  # what it says is of people

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("source", self.source)]
