"""The custom fields that a sample of events would write to, beside those that Planhat has."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from streamer.transform.operations import Operation, UpsertCompany, UpsertEnduser

COMPANY = "company"
ENDUSER = "enduser"
MOST_KEYS = 10_000
"""Keys that are told apart; a sample with more has data for names."""


@dataclass(slots=True)
class CustomKey:
    """One custom field of endusers or companies, as the sample writes it."""

    of: str
    """`enduser` or `company`."""
    name: str
    count: int = 0
    types: dict[str, int] = field(default_factory=dict)
    """How often it was written as each type of JSON."""
    planhat_type: str | None = None
    """The type of the field at Planhat; None where there is none, or nobody was asked."""


class CustomKeys:
    """Collects the custom fields that operations write to. No value is kept."""

    def __init__(self) -> None:
        self._keys: dict[tuple[str, str], CustomKey] = {}
        self.left_out = 0
        """Writes to keys beyond the most that are told apart."""

    def add(self, operations: Iterable[Operation]) -> None:
        """Note what these operations write."""
        for operation in operations:
            if isinstance(operation, UpsertEnduser):
                self._add(ENDUSER, operation.custom)
            elif isinstance(operation, UpsertCompany):
                self._add(COMPANY, operation.custom)

    def beside(self, planhat: Mapping[tuple[str, str], str]) -> list[CustomKey]:
        """The keys, the most written first, with the types that Planhat's fields of these names have."""
        for place, key in self._keys.items():
            key.planhat_type = planhat.get(place)
        return sorted(self._keys.values(), key=lambda key: (key.of, -key.count, key.name))

    def _add(self, of: str, custom: Mapping[str, object]) -> None:
        for name, value in custom.items():
            key = self._keys.get((of, name))
            if key is None:
                if len(self._keys) >= MOST_KEYS:
                    self.left_out += 1
                    continue
                key = self._keys[of, name] = CustomKey(of, name)
            key.count += 1
            kind = _type_of(value)
            key.types[kind] = key.types.get(kind, 0) + 1


def _type_of(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "list"
