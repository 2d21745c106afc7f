"""How a setting is declared: its variable, its default, what it means, its limits."""

from typing import Any

from pydantic import Field

PREFIX = "STREAMER_"


def variable_name(field: str) -> str:
    """The environment variable of a field: `kafka_topic` is STREAMER_KAFKA_TOPIC."""
    return PREFIX + field.upper()


def setting(default: object, meaning: str, *, low: float | None = None, high: float | None = None) -> Any:  # noqa: ANN401 - stands for a default of any type
    """A field with a default of its own; `low` and `high` are still allowed."""
    return Field(default, description=meaning, ge=low, le=high)


def derived(text: str, pattern: str, source: str, meaning: str) -> Any:  # noqa: ANN401 - as above
    """A default made from an earlier field; `text` shows it in tables."""

    def default(fields: dict[str, Any]) -> str:
        return pattern.format(fields.get(source, ""))

    return Field(default_factory=default, description=meaning, json_schema_extra={"default_text": text})
