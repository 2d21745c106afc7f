"""What Planhat was last told of endusers: an upsert that would change nothing need not be sent.

Pure. A page that is loaded says again who is there. Remembered are digests of the values that Planhat has
accepted, field by field, so that calls of two shapes (who she is, what company she is of) do not hide each
other. It is knowledge of our own writes: worth something only while nobody else writes, so it counts for
calls of the partition, and of the assignment, in which it was learned.
"""

from array import array
from collections import deque
from typing import Final

from streamer.engine.lanes import Lanes, Ticket
from streamer.engine.ledger import Book
from streamer.engine.limits import Limits
from streamer.transform.encoding import to_json
from streamer.transform.operations import Operation, UpsertEnduser

MOST_SHAPES: Final = 10_000
LAZY_ENDUSERS: Final = 1_024
"""So many more than are known may stand in order; they are let go of all together."""

Name = str | tuple[str, ...]
"""Of a value: a field of Planhat's own is a tuple, a custom one a text."""
EMAIL, COMPANY = ("email",), ("companyId",)
SMALL: Final = 1 << 32
"""Whole numbers below are their own digests."""


class Remembered:
    """One enduser, as Planhat was told.

    Told once, the whole entry is one digest: most are never told again. From the second time on each value
    has its own.
    """

    __slots__ = ("book", "digests", "is_known", "keys", "names", "until", "whole")

    def __init__(self, keys: tuple[str, ...], book: Book, until: float, whole: int = 0) -> None:
        self.keys = keys
        self.book = book
        self.until = until
        self.whole = whole
        self.is_known = True
        """Until it is forgotten, or something newer is known in its place."""
        self.names: tuple[Name, ...] | None = None
        self.digests: array[int] | None = None
        """Of the values, in the order of their names."""

    def values(self) -> dict[Name, int]:
        """Digests by name."""
        return dict(zip(self.names or (), self.digests or (), strict=True))

    def has(self, said: dict[Name, int]) -> bool:
        """Whether these values are among them. Most say the same again, in the same order."""
        if self.digests is not None and self.names == tuple(said):
            return self.digests.tolist() == list(said.values())
        return said.items() <= self.values().items()


class Unchanged:
    """Endusers by each of their keys; the one learned longest ago is forgotten first."""

    def __init__(self, limits: Limits, lanes: Lanes) -> None:
        self._seconds = limits.unchanged_seconds
        self._most = limits.unchanged_endusers
        self._lanes = lanes
        self._by_key: dict[str, Remembered] = {}
        self._order: deque[Remembered] = deque()
        """As learned; what is forgotten leaves it now and then."""
        self._known = 0
        self._shapes: dict[tuple[Name, ...], tuple[Name, ...]] = {}
        """Names of fields, which most endusers share."""
        self._stranger_until = float("-inf")

    def __len__(self) -> int:
        return self._known

    def holds(
        self, operation: Operation, keys: tuple[str, ...], encoded: bytes, book: Book, now: float
    ) -> bool:
        """Whether Planhat has all that this says, and nothing in line will change it before."""
        if not self._seconds or type(operation) is not UpsertEnduser:
            return False
        remembered = self._whose(keys)
        if remembered is None:
            self._meet(keys, now)
            return False
        if remembered.book is not book or not self._is_sure(remembered, now):
            return False
        if remembered.names is None:
            is_known = hash(encoded) == remembered.whole
        else:
            is_known = remembered.has(_said(operation))
        return is_known and self._lanes.are_free(remembered.keys)

    def accepted(self, ticket: Ticket, now: float) -> None:
        """Planhat has taken what this told.

        Of several partitions, or of one that is leaving, nothing is worth remembering: others write there.
        """
        if not self._seconds:
            return
        told, keys = ticket.told, ticket.keys
        before = self._whose(keys)
        self.forget(keys, now)
        book = told[0].entry.book
        is_nobody = before is None and not keys[0].startswith("ext:")
        if is_nobody or any(part.is_leaving or part.entry.book is not book for part in told):
            return
        if before is None and ticket.is_as_encoded:
            self._remember(Remembered(keys, book, now + self._seconds, hash(told[0].encoded)))
        else:
            self._learn(ticket.said or ticket.operation, keys, book, before, now)

    def _learn(
        self,
        operation: Operation,
        keys: tuple[str, ...],
        book: Book,
        before: Remembered | None,
        now: float,
    ) -> None:
        """Field by field, beside what is known of her; all of it, if that is the same enduser still."""
        said = _said(operation)
        until = now + self._seconds
        if before is not None:
            values = before.values()
            is_same_company = said.get(COMPANY, values.get(COMPANY)) == values.get(COMPANY)
            if before.book is book and self._is_sure(before, now) and is_same_company:
                keys = before.keys
                until = until if values.keys() <= said.keys() else before.until
                values.update(said)
                said = values
        learned = Remembered(keys, book, until)
        if len(self._shapes) >= MOST_SHAPES:
            self._shapes.clear()
        shape = tuple(said)
        learned.names = self._shapes.setdefault(shape, shape)
        learned.digests = array("q", list(said.values()))
        self._remember(learned)

    def forget(self, keys: tuple[str, ...], now: float) -> None:
        """Nobody knows what Planhat has now of an enduser: refused, unanswered, or told by others."""
        self._meet(keys, now)
        for key in keys:
            remembered = self._by_key.get(key)
            if remembered is not None:
                self._drop(remembered)

    def _whose(self, keys: tuple[str, ...]) -> Remembered | None:
        """The enduser whom all of these name."""
        remembered = self._by_key.get(keys[0])
        if remembered is None or any(key not in remembered.keys for key in keys):
            return None
        return remembered

    def _meet(self, keys: tuple[str, ...], now: float) -> None:
        """Look out for whoever is named by an address alone that is nobody's whom we know.

        She may be any of those whose address we do not know, so for a while these are not believed in.
        """
        if keys[0].startswith("mail:") and keys[0] not in self._by_key:
            self._stranger_until = now + self._seconds

    def _is_sure(self, remembered: Remembered, now: float) -> bool:
        """Whether it is young, and no call since can have meant her by a key that we do not know of."""
        return now < remembered.until and (len(remembered.keys) > 1 or now >= self._stranger_until)

    def _remember(self, learned: Remembered) -> None:
        for key in learned.keys:
            self._by_key[key] = learned
        order = self._order
        order.append(learned)
        self._known += 1
        while self._known > self._most:
            self._drop(order.popleft())
        if len(order) > 2 * self._known + LAZY_ENDUSERS:
            self._order = deque([each for each in order if each.is_known])

    def _drop(self, remembered: Remembered) -> None:
        if not remembered.is_known:
            return
        remembered.is_known = False
        self._known -= 1
        for key in remembered.keys:
            if self._by_key.get(key) is remembered:
                del self._by_key[key]


def _said(operation: Operation) -> dict[Name, int]:
    """A digest of every value it sets, by the name of that; `custom` may hold a `name` too."""
    said: dict[Name, int] = {}
    if type(operation) is not UpsertEnduser:
        return said
    for name, value in operation.fields.items():
        said[(name,)] = _digest(value)
    for name, value in operation.custom.items():
        said[name] = _digest(value)
    if operation.email is not None:
        said[EMAIL] = hash(operation.email)
    if operation.company_external_id is not None:
        said[COMPANY] = hash(operation.company_external_id)
    return said


def _digest(value: object) -> int:
    """64 bits, keyed by the process: of its JSON, since 1, 1.0 and true are not the same to Planhat."""
    if type(value) is str:
        return hash(value)
    return value if type(value) is int and -SMALL < value < SMALL else hash(to_json(value))
