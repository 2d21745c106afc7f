"""Settings as people see them: allowed values, masked values, the table and its documentation."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from types import UnionType
from typing import Annotated, NamedTuple, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from streamer.config.fields import variable_name
from streamer.config.masking import masked_address, masked_addresses, masked_path, masked_text
from streamer.config.settings import Settings
from streamer.config.values import Allowed, PlanhatMode, is_secret_property
from streamer.errors import MASK

ONLY_IN_PASSTHROUGH_MODE = ("planhat_segment_url", "segment_workers")
ONLY_IN_API_MODE = (
    "planhat_api_token", "planhat_subdomain", "planhat_api_url", "planhat_analytics_url",
    "planhat_calls_per_minute", "http_main_seconds", "activity_workers", "bulk_items", "bulk_bytes",
    "activity_bulk_items", "activity_bulk_bytes", "linger_seconds", "throttled_longest_seconds",
    "extra_calls_ratio", "isolation_calls", "duplicated_tries", "duplicated_seconds", "unassigned",
    "unchanged_ttl", "unchanged_endusers", "revived_endusers", "link",
)  # fmt: skip
"""Settings that nobody asks for in the other mode: whoever sets one there is told so."""


class SettingRow(NamedTuple):
    """One line of `streamer settings`. `value` is masked where it is secret."""

    name: str
    value: str
    source: str
    """`default`, `environment`, `file`, or `not set` for a required one that is missing."""
    meaning: str


def settings_table(settings: Settings) -> list[SettingRow]:
    """Every setting with the value in force and where it came from."""
    rows = []
    for field, declared in Settings.model_fields.items():
        source = settings.sources.get(field, "not set" if declared.is_required() else "default")
        value = "(required)" if source == "not set" else _shown_value(field, getattr(settings, field))
        if source == "default" and is_secret(field):
            value = "(none)"  # none has a default: what stands there is for commands that need none
        rows.append(SettingRow(variable_name(field), value, source, declared.description or ""))
    return rows


def settings_warnings(settings: Settings) -> list[str]:
    """What is allowed and still unwise: credentials over plain http to another machine, words for nobody."""
    is_forwarding = settings.planhat_mode is PlanhatMode.PASSTHROUGH
    mode = f"in {settings.planhat_mode.value} mode this says nothing"
    unheard = ONLY_IN_API_MODE if is_forwarding else ONLY_IN_PASSTHROUGH_MODE
    warnings = [f"{variable_name(field)}: {mode}" for field in unheard if field in settings.sources]
    heard = ("planhat_segment_url",) if is_forwarding else ("planhat_api_url", "planhat_analytics_url")
    for field in (*heard, "schema_registry_url"):
        url = getattr(settings, field)
        if url is None:
            continue
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
            warnings.append(
                f"{variable_name(field)}={url}: not encrypted; anyone on the way reads the events"
            )
    return warnings


def secret_values(settings: Settings) -> frozenset[str]:
    """Texts that may never be written anywhere; the log strikes them out."""
    values = {
        value.get_secret_value()
        for field in Settings.model_fields
        if isinstance(value := getattr(settings, field), SecretStr)
    }
    values |= {text for name, text in settings.kafka_properties.items() if is_secret_property(name)}
    return frozenset(values) - {"", "not-set"}


def markdown_table() -> str:
    """The settings of docs/settings.md, as a Markdown table."""
    lines = ["| Variable | Default | Allowed | Meaning |", "|---|---|---|---|"]
    for field, declared in Settings.model_fields.items():
        cells = (
            f"`{variable_name(field)}`",
            _default(declared),
            allowed_values(field),
            declared.description or "",
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def allowed_values(field: str) -> str:
    """What a setting's value may be, in the operator's words."""
    declared = Settings.model_fields[field]
    for marker in _markers(_HINTS[field]):
        if isinstance(marker, Allowed):
            return marker.text
    kind = _plain(_HINTS[field])
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return ", ".join(kind)
    if kind in {int, float}:
        limits = {type(limit).__name__: limit for limit in declared.metadata}
        low, high = limits["Ge"].ge, limits["Le"].le
        words = "a whole number" if kind is int else "a number"
        words = "bytes, also as KiB, MiB or GiB," if field.endswith("_bytes") else words
        words = "seconds," if field.endswith("_seconds") else words
        return f"{words} from {_size(field, low)} to {_size(field, high)}"
    return "one line of text"


def shown(field: str, text: str) -> str:
    """The text of a variable as it may be repeated: masked wherever it could hold a secret."""
    if is_secret(field):
        return MASK
    if field == "kafka_properties":
        return f"({len(text.splitlines())} lines)"
    if field == "kafka_bootstrap_servers":
        return masked_addresses(text)
    if field.endswith("_url"):
        return masked_address(text)
    paths = {"schema_registry_ca", "mapping_file", "suppression_file"}
    return masked_path(text) if field in paths else masked_text(text)


def is_secret(field: str) -> bool:
    """Whether the whole of a setting is a secret."""
    return _plain(_HINTS[field]) is SecretStr


def _shown_value(field: str, value: object) -> str:
    if value is None:
        return "(none)"
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, Mapping):
        return "\n".join(
            f"{name}={MASK if is_secret_property(name) else text}" for name, text in value.items()
        )
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return _size(field, value)


def _size(field: str, value: object) -> str:
    if field.endswith("_bytes") and isinstance(value, int):
        for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
            if value >= size and value % size == 0:
                return f"{value // size}{unit}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _default(declared: FieldInfo) -> str:
    extra = declared.json_schema_extra
    if isinstance(extra, dict):
        return f"`{extra['default_text']}`"
    if declared.is_required():
        return "(required)"
    value = declared.get_default(call_default_factory=False)
    name = next(name for name, field in Settings.model_fields.items() if field is declared)
    text = (
        ""
        if value is None or value == () or declared.default_factory is not None
        else _shown_value(name, value)
    )
    return f"`{text}`" if text else "(none)"


_HINTS: dict[str, object] = get_type_hints(Settings, include_extras=True)


def _markers(hint: object) -> Iterator[object]:
    """The markers of an annotated type, looked for inside `X | None` too."""
    if get_origin(hint) is Annotated:
        yield from get_args(hint)[1:]
    elif get_origin(hint) is UnionType or str(get_origin(hint)) == "typing.Union":
        for part in get_args(hint):
            yield from _markers(part)


def _plain(hint: object) -> object:
    """The type beneath annotations and `| None`."""
    if get_origin(hint) is Annotated:
        return _plain(get_args(hint)[0])
    parts = [part for part in get_args(hint) if part is not type(None)]
    return _plain(parts[0]) if len(parts) == 1 and get_origin(hint) is not tuple else hint
