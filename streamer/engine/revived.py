"""What was not saved for want of a company: told again under the user's next upsert that has one.

Pure, and best effort: bounded by count and bytes, kept for the assignment in which it was learned, and
forgotten as soon as a later upsert of the enduser is accepted. Only what was said is kept, never the
record, which stays skipped `no_company`.
"""

from collections import OrderedDict

from streamer.engine.kept import Kept
from streamer.engine.lanes import Ticket
from streamer.engine.limits import Limits
from streamer.transform.operations import UpsertEnduser


class Revived:
    """Endusers without a company, by each of their keys; the one learned longest ago is forgotten first."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._by_key: dict[str, Kept] = {}
        self._order: OrderedDict[int, Kept] = OrderedDict()
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._order)

    def keep(self, ticket: Ticket) -> None:
        """Planhat found no company for what this told."""
        said, told = ticket.operation, ticket.told
        book = told[0].entry.book
        if not isinstance(said, UpsertEnduser) or any(part.entry.book is not book for part in told):
            return
        kept = Kept(ticket.keys, book, said.fields, said.custom, len(told), ticket.size_bytes)
        before = next((self._by_key[key] for key in ticket.keys if key in self._by_key), None)
        if before is not None and before.book is book and set(before.keys) == set(kept.keys):
            kept = kept.over(before)
        self.forget(ticket.keys)
        if said.fields or said.custom:
            self._add(kept)

    def under(self, ticket: Ticket) -> Kept | None:
        """What belongs under this upsert: of an enduser whom it names by every key, read in its partition."""
        if not self._order or not ticket.parents or ticket.is_apart:
            return None
        book = ticket.parts[0].entry.book
        for key in ticket.keys:
            kept = self._by_key.get(key)
            if kept is not None and kept.book is book and set(kept.keys) == set(ticket.keys):
                return kept
        return None

    def forget(self, keys: tuple[str, ...]) -> None:
        """A later upsert of these was accepted: what was said before is older than that."""
        if self._order:
            for key in keys:
                kept = self._by_key.get(key)
                if kept is not None:
                    self._drop(kept)

    def forget_closed(self) -> None:
        """Partitions have left: others may have told Planhat more of their endusers since."""
        for kept in [kept for kept in self._order.values() if kept.book.is_closed]:
            self._drop(kept)

    def _add(self, kept: Kept) -> None:
        for key in kept.keys:
            self._by_key[key] = kept
        self._order[id(kept)] = kept
        self.size_bytes += kept.size_bytes
        limits = self._limits
        while len(self._order) > limits.revived_endusers or self.size_bytes > limits.revived_bytes:
            self._drop(next(iter(self._order.values())))

    def _drop(self, kept: Kept) -> None:
        del self._order[id(kept)]
        self.size_bytes -= kept.size_bytes
        for key in kept.keys:
            if self._by_key.get(key) is kept:
                del self._by_key[key]
