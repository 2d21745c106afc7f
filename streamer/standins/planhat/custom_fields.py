"""Custom fields: made by a call of their own, and listed. What is written to `custom` asks nobody here.

Whether Planhat keeps, drops or refuses a key of `custom` for which there is no field is undocumented; the
sandbox keeps it, and makes no field of it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from streamer.standins.planhat.entries import Stamps
from streamer.standins.planhat.replies import Reply, Request, json, text

TYPES = frozenset(
    {
        "checkbox", "date", "day", "email", "enduser", "endusers", "list", "multipicklist", "number", "phone",
        "rating", "rich text", "team member", "team members", "text", "url",
    }
)  # fmt: skip
"""Types of fields (D)."""
LARGEST_PAGE = 2_000
"""Rows of one list; undocumented for this one, so that of the others is taken (I)."""


class CustomFields:
    """The tenant's custom fields, of every model."""

    def __init__(self, stamps: Stamps) -> None:
        self._stamps = stamps
        self._rows: list[dict[str, Any]] = []

    def answer(self, request: Request, sent_items: Sequence[object] | None) -> Reply:
        """List the fields, or make one."""
        if request.method == "GET":
            return self._list(request.query)
        if request.method != "POST":
            return text(404, "Not Found")
        sent = sent_items[0] if sent_items and not request.is_array else None
        if not isinstance(sent, dict):
            return text(400, "Bad Request: an object is expected")
        return self._make(sent)

    def _list(self, query: Mapping[str, str]) -> Reply:
        try:
            limit = min(int(query.get("limit", "100")), LARGEST_PAGE)
            offset = int(query.get("offset", "0"))
        except ValueError:
            return text(400, "Bad Request: limit and offset are numbers")
        if limit < 0 or offset < 0:
            return text(400, "Bad Request: limit and offset are 0 or more")
        return json(200, self._rows[offset : offset + limit])

    def _make(self, sent: Mapping[str, Any]) -> Reply:
        for name in ("name", "type", "parent"):
            if not isinstance(sent.get(name), str) or not sent[name]:
                return text(400, f"{name} is required")
        if sent["type"] not in TYPES:
            return text(400, f"{sent['type']} is no type of field")
        row = {"_id": self._stamps.new_id(), "isHidden": False, **sent}
        self._rows.append(row)
        return json(200, row, 1)
