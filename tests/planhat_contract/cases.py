"""Every value of every switch of the sandbox that is not about the sandbox itself, taken from `Switches`.

A switch whose values are a closed set is covered as soon as it is there. One that takes any number or
any names needs telling values, below; a test sees that none is forgotten.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from enum import StrEnum
from typing import NamedTuple

from streamer.standins.planhat.switches import Switches

DECLARED = "step,plan,seats,score,Days until renewal,is_trial,address_city,streamer_a,streamer_b"
"""All custom fields of the story but `tags`, and those of the assumptions but for undeclared ones."""

TELLING: Mapping[str, tuple[str, ...]] = {
    "custom_fields": ("", DECLARED),
    "denied": (
        "",
        "endusers.read",
        "endusers.create",
        "endusers.update",
        "companies.create",
        "companies.update",
        "companies.create,companies.update,endusers.create,endusers.update",
    ),
    "oversize_status": ("400", "413"),
    "calls_per_minute": ("0", "4"),
    "calls_per_second": ("0", "1"),
    "parallel_calls": ("0", "1"),
}
"""Values of the switches that take any."""

BESIDE: Mapping[str, Mapping[str, str]] = {
    "unknown_custom": {"custom_fields": DECLARED},
    "custom_fields": {"unknown_custom": "dropped"},
    "permission_errors_key": {"denied": "endusers.update"},
    "header_spelling": {"calls_per_minute": "4"},
    "reset_header": {"calls_per_minute": "4", "header_spelling": "x-ratelimit"},
    "retry_after": {"calls_per_minute": "4"},
    "quota_window": {"calls_per_minute": "4"},
}
"""What else must be switched for a switch to show."""

NEEDS_WRONG_TOKEN = frozenset({"unauthorized_body"})
"""Switches that show only when the API token is wrong."""


class Case(NamedTuple):
    """One value of one switch."""

    switch: str
    value: str

    @property
    def switches(self) -> dict[str, object]:
        """What to set at the sandbox."""
        return {**BESIDE.get(self.switch, {}), self.switch: self.value}

    @property
    def has_wrong_token(self) -> bool:
        """Whether to come with a token that Planhat does not know."""
        return self.switch in NEEDS_WRONG_TOKEN

    def __str__(self) -> str:
        value = self.value if len(self.value) <= 40 else f"{self.value[:37]}..."
        return f"{self.switch}={value or 'none'}"


def cases() -> list[Case]:
    """All of them, the defaults included."""
    return list(_cases())


def _cases() -> Iterator[Case]:
    defaults = Switches()
    for each in fields(Switches):
        if each.metadata["tag"] == "S":
            continue
        yield from (Case(each.name, value) for value in _values(each.name, getattr(defaults, each.name)))


def _values(name: str, default: object) -> Iterable[str]:
    if isinstance(default, StrEnum):
        return type(default)
    return ("on", "off") if isinstance(default, bool) else TELLING.get(name, ())
