"""The sandbox's rows and the dead letters' headers, as the account reads them. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from streamer.outcomes import Endpoint
from streamer.records import TopicPartition
from streamer.standins.account_findings import SeenActivity, SeenLetter, SeenObject, Write
from streamer.standins.expectations import mark_of
from streamer.standins.planhat.rows import ActivityRow, EntryRow, IgnoredRow

Headers = Sequence[tuple[str, bytes | None]]


def person_keys(external_id: object, email: object) -> tuple[str, ...]:
    """`ext:<externalId>` and `mail:<e-mail>`: those that are there."""
    keys = [] if external_id is None else [f"ext:{external_id}"]
    if isinstance(email, str):
        keys.append(f"mail:{email.lower()}")
    return tuple(keys)


def seen_endusers(rows: Iterable[EntryRow]) -> Iterator[SeenObject]:
    """Endusers, with the writes the sandbox remembers."""
    for row in rows:
        keys = person_keys(row.external_id, row.email)
        yield SeenObject(keys, row.company_external_id, row.custom, _writes(row), _is_whole(row))


def seen_companies(rows: Iterable[EntryRow]) -> Iterator[SeenObject]:
    """Companies, likewise."""
    for row in rows:
        yield SeenObject((f"co:{row.external_id}",), None, row.custom, _writes(row), _is_whole(row))


def _is_whole(row: EntryRow) -> bool:
    return row.writes == len(row.history)


def _writes(row: EntryRow) -> tuple[Write, ...]:
    return tuple(_write(write.arrival, write.sent.get("custom")) for write in row.history)


def _write(arrival: int, custom: object) -> Write:
    if not isinstance(custom, Mapping):
        return Write(arrival, None)
    number = custom.get("sequence")
    if not isinstance(number, int) or isinstance(number, bool):
        return Write(arrival, None)
    return Write(arrival, number, tuple(brought_along(custom, number)))


def brought_along(custom: Mapping[str, object], sequence: int) -> list[int]:
    """Sequence numbers below `sequence` whose marks these fields hold, in order."""
    return sorted(
        value
        for name, value in custom.items()
        if isinstance(value, int)
        and not isinstance(value, bool)
        and 0 < value < sequence
        and name == mark_of(value)
    )


def seen_activities(rows: Iterable[ActivityRow], endusers: Iterable[EntryRow]) -> Iterator[SeenActivity]:
    """Activities, each with the keys of the enduser it went to."""
    keys = {row.id: person_keys(row.external_id, row.email) for row in endusers}
    for row in rows:
        event_key = row.info.get("eventKey") if isinstance(row.info, Mapping) else None
        yield SeenActivity(event_key, keys.get(row.enduser_id, ()), row.arrival)


def seen_ignored(rows: Iterable[IgnoredRow]) -> Iterator[tuple[str, ...]]:
    """Whose activities were ignored."""
    for row in rows:
        if row.endpoint == Endpoint.ACTIVITIES:
            yield person_keys(row.external_id, row.email)


def seen_letter(headers: Headers) -> tuple[str, SeenLetter] | None:
    """The topic a dead letter was read from, and the letter; None for anything else."""
    # Ours come last; those of the original record may hold anything, and names that look like ours.
    ours = {name: value for name, value in headers if name.startswith("streamer.") and value is not None}
    try:
        texts = {name: value.decode() for name, value in ours.items()}
        source = TopicPartition(texts["streamer.topic"], int(texts["streamer.partition"]))
        offset = int(texts["streamer.offset"])
        return source.topic, SeenLetter(source.partition, offset, texts["streamer.reason"])
    except (KeyError, ValueError):
        return None
