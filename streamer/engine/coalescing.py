"""Coalescing: several upserts of one object, told as one.

Pure. Law: Planhat ends as if they had been told one by one, since an upsert sets the fields it names and
no others. What may be told together is the lanes' question (`Lanes.open_to`).
"""

from collections.abc import Sequence
from typing import Any

from streamer.transform.operations import Operation, UpsertCompany, UpsertEnduser


def merged(operations: Sequence[Operation]) -> Operation:
    """Upserts of one object as one: later fields win, `custom` key by key; a null is a value too.

    The keys and the company are the latest that any of them names: the lanes see to it that they agree.
    """
    last = operations[-1]
    if len(operations) == 1:
        return last
    fields: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    external_id = email = company = fallback = None
    for operation in operations:
        # By type: see `transform.facts`.
        if type(operation) is not UpsertEnduser and type(operation) is not UpsertCompany:
            raise TypeError(f"{operation!r} is no upsert: it cannot be told together with others")
        fields |= operation.fields
        custom |= operation.custom
        if type(operation) is UpsertEnduser:
            external_id = operation.external_id if operation.external_id is not None else external_id
            email = operation.email if operation.email is not None else email
            named = operation.company_external_id
            company = named if named is not None else company
            named = operation.fallback_company
            fallback = named if named is not None else fallback
    if type(last) is UpsertCompany:
        return UpsertCompany(last.external_id, fields, custom)
    return UpsertEnduser(external_id, email, company, fields, custom, fallback)
