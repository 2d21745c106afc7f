"""What was said of an enduser and not saved: on its way from `revived` to a ticket's next request."""

from dataclasses import dataclass, field

from streamer.engine.ledger import Book
from streamer.transform.operations import JsonObject, UpsertEnduser


@dataclass(frozen=True, slots=True)
class Kept:
    """What earlier calls said of an enduser, and Planhat did not save for want of a company."""

    keys: tuple[str, ...] = field(repr=False)
    book: Book
    fields: JsonObject = field(repr=False)
    custom: JsonObject = field(repr=False)
    operations: int
    size_bytes: int
    """Encoded, at most."""

    def over(self, before: "Kept") -> "Kept":
        """Both, the later on top."""
        fields, custom = {**before.fields, **self.fields}, {**before.custom, **self.custom}
        operations, size_bytes = before.operations + self.operations, before.size_bytes + self.size_bytes
        return Kept(self.keys, self.book, fields, custom, operations, size_bytes)

    @property
    def operation(self) -> UpsertEnduser:
        """As something to lay under an upsert of the enduser; says nothing of who it is."""
        return UpsertEnduser(None, None, None, self.fields, self.custom)
