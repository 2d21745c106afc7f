"""What an assumption is: a test with a name, a confidence, and the modules that rely on it."""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from tests.planhat_contract.tenant import Planhat

Checked = Callable[[Planhat], None]
T = TypeVar("T", bound=Checked)


class Assumption(NamedTuple):
    """One assumption about Planhat."""

    name: str
    check: Checked
    tag: str
    """D documented by Planhat; D3 by a third party; C seen in client code; I inferred."""
    relied_on_by: tuple[str, ...]
    """Files of the package."""


ASSUMPTIONS: dict[str, Assumption] = {}


def assumption(tag: str, *relied_on_by: str) -> Callable[[T], T]:
    """Mark a test of one argument, `planhat`, as an assumption with this confidence."""

    def register(check: T) -> T:
        name = check.__name__.removeprefix("test_")
        ASSUMPTIONS[name] = Assumption(name, check, tag, relied_on_by)
        return check

    return register
