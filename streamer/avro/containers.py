"""Avro object container files: the events in one, as a record of the same schema would give them."""

from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import fastavro
import fastavro.schema

from streamer.avro.datum import FASTAVRO_ERRORS, DatumReader
from streamer.errors import InvalidEvent, SchemaError, UsageError

MAGIC: Final = b"Obj\x01"
"""How every container file begins, and no JSON."""


def container_events(stream: BinaryIO, name: str) -> Iterator[Any | InvalidEvent]:
    """Each event of a container file, or why it is none; `name` is the file's, for errors.

    The file is its reader's own, so of a schema with hazards it is read without a guard. Raises UsageError
    where it is no container, is packed by a codec that is not installed, or is damaged: from there on
    nothing can be told apart.
    """
    try:
        container = fastavro.reader(stream)
        datums = DatumReader(container.writer_schema)
    except (*FASTAVRO_ERRORS, SchemaError) as error:
        # What fastavro says here is of the schema and the codec, which hold no values.
        raise UsageError(f"{name}: no Avro container file that can be read ({error})") from None
    count = 0
    while True:
        try:
            datum = next(container)
        except StopIteration:
            return
        except FASTAVRO_ERRORS:
            raise UsageError(
                f"{name}: damaged after event {count}, counted from 1: the rest cannot be read"
            ) from None
        count += 1
        try:
            yield datums.finished(datum)
        except InvalidEvent as invalid:
            yield invalid
