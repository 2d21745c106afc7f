"""What calls and operations are made of: a class that holds fields, and nothing else.

One call and one or two operations are made of each record, and read many times. A class of our own is read by
compiled code as C reads a struct; of a dataclass, or a struct of msgspec's, each read is a look-up by name.
"""

from typing import Any, ClassVar, Self


class Plain:
    """Fields that nobody writes to: equal where all of them are. A repr shows those that may be shown."""

    __slots__ = ()

    fields_in_order: ClassVar[tuple[str, ...]] = ()
    """As the constructor takes them."""
    shown: ClassVar[tuple[str, ...]] = ()
    """Ids, times and the like: nothing of what is said of people."""

    def as_dict(self) -> dict[str, Any]:
        """Its fields by name."""
        return {name: getattr(self, name) for name in self.fields_in_order}

    def but(self, **changes: Any) -> Self:  # noqa: ANN401 - any field's
        """One that differs from this in these fields."""
        return type(self)(**{**self.as_dict(), **changes})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Plain) or type(other) is not type(self):
            return NotImplemented
        return self.as_dict() == other.as_dict()

    def __hash__(self) -> int:
        return hash((type(self), *self.as_dict().values()))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"{type(self).__name__}({shown})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(name, getattr(self, name)) for name in self.shown]
