"""An event with its values masked: what shape it has, and nothing of what it says."""

from collections.abc import Mapping
from typing import Any


def masked(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """The same shape with each text and number replaced by its kind; true, false and null tell nobody.

    Keys stay: they are the sender's words, not its users'.
    """
    if isinstance(value, Mapping):
        return {key: masked(each) for key, each in value.items()}
    if isinstance(value, list):
        return [masked(each) for each in value]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        return f"<text, {len(value)} characters>" if value else ""
    if isinstance(value, int | float):
        return "<number>"
    return f"<{type(value).__name__}>"
