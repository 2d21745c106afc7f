"""What a decoder makes of a record's bytes."""

from typing import Any, ClassVar, Final, final

from streamer.events.plain import Plain


@final
class Decoded(Plain):
    """A decoded value and the schema that wrote it (registry id, fingerprint or None for JSON)."""

    __slots__ = ("schema_id", "value")

    fields_in_order: ClassVar[tuple[str, ...]] = ("value", "schema_id")
    shown: ClassVar[tuple[str, ...]] = ("schema_id",)

    def __init__(self, value: Any, schema_id: str | None = None) -> None:  # noqa: ANN401 - as it was written
        self.value: Final = value
        self.schema_id: Final = schema_id
