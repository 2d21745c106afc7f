"""What one setting's text may be: parsers that say what is allowed when they refuse.

A parser raises ValueError with words of ours; the text itself never stands in them, since it may
be a secret.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

from streamer.config.mapping_file import MappingFile, read_mapping_file
from streamer.config.suppression import SuppressionFile, read_suppression_file


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a setting's value may be, in the operator's words; stands beside the type."""

    text: str


class PlanhatMode(StrEnum):
    """How calls become requests to Planhat."""

    API = "api"
    PASSTHROUGH = "passthrough"


class StartAt(StrEnum):
    """Where a group without a committed offset begins."""

    EARLIEST = "earliest"
    LATEST = "latest"


class GroupProtocol(StrEnum):
    """How the members of the consumer group share the partitions."""

    CLASSIC = "classic"
    CONSUMER = "consumer"


class OnHold(StrEnum):
    """What to do when nothing can be sent until a person acts."""

    HOLD = "hold"
    EXIT = "exit"


class SettledOverflow(StrEnum):
    """What to do when more is settled ahead of the committed offset than a commit can tell."""

    PAUSE = "pause"
    RESEND = "resend"


class AvroReader(StrEnum):
    """What reads Avro datums."""

    MADE = "made"
    FASTAVRO = "fastavro"


class Tracing(StrEnum):
    """Where spans go."""

    OFF = "off"
    OTLP = "otlp"


class LogFormat(StrEnum):
    """How log lines look."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    """The least important level that is still written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


_SIZE = re.compile(r"(\d+) ?(B|KiB|MiB|GiB)?", re.ASCII)
_UNITS = {None: 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}", re.ASCII)
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_BARE = re.compile(r"bare:[A-Za-z_][A-Za-z0-9_.-]*", re.ASCII)
_SERVER = re.compile(r"([A-Za-z_]+://)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:(\d{1,5}))?", re.ASCII)
_SECRET_WORDS = (
    *("password", "passphrase", "secret", "key", "jaas", "token"),
    # What stands in these is as the login's maker likes it: a password too.
    *("oauthbearer.config", "oauthbearer.extensions", "kinit.cmd"),
)


def is_secret_property(name: str) -> bool:
    """Whether a librdkafka property of this name holds something to mask."""
    lowered = name.lower()
    return any(word in lowered for word in _SECRET_WORDS)


def _size(value: object) -> object:
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value)
    if match is None:
        raise ValueError("is not a size")
    return int(match[1]) * _UNITS[match[2]]


def _servers(value: str) -> str:
    for server in value.split(","):
        match = _SERVER.fullmatch(server.strip())
        if match is None or (match[4] and not 0 < int(match[4]) <= 65535):
            raise ValueError("is not a list of addresses")
    return value


def _topic(value: str) -> str:
    if not _TOPIC.fullmatch(value) or value in {".", ".."}:
        raise ValueError("is not a topic name")
    return value


def _properties(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    properties: dict[str, str] = {}
    for number, line in enumerate(str(value).splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        name, separator, content = stripped.partition("=")
        if not separator or not name.strip():
            raise ValueError(f"line {number} has no name=value")
        if name.strip() in properties:
            raise ValueError(f"line {number} names {name.strip()} a second time")
        properties[name.strip()] = content.strip()
    return properties


def _value_format(value: str) -> str:
    if value != "auto" and not _BARE.fullmatch(value):
        raise ValueError("is not a value format")
    return value


def _start(value: object) -> object:
    if not isinstance(value, str) or value in set(StartAt):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("is not a time") from None
    return _aware(moment)


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("has no time zone")
    return moment.astimezone(UTC)


def is_web_address(text: str) -> bool:
    """Whether it is an http or https URL with a host, at a port that there is."""
    try:
        parts = urlsplit(text)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    return (
        parts.scheme in {"http", "https"} and bool(parts.hostname) and has_port and not re.search(r"\s", text)
    )


def _url(value: str) -> str:
    if not is_web_address(value):
        raise ValueError("is not an http or https URL")
    parts = urlsplit(value)
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a user or password; they have settings of their own")
    if parts.query or parts.fragment:
        raise ValueError("holds a query or a fragment")
    return value.rstrip("/")


def _label(value: str) -> str:
    if not _LABEL.fullmatch(value):
        raise ValueError("is not a DNS label")
    return value


def _tenant(value: SecretStr) -> SecretStr:
    if not _UUID.fullmatch(value.get_secret_value()):
        raise ValueError("is not a tenant token")
    return value


def _header_safe(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("holds a space, a line break or a character outside ASCII")
    return value


def _pem_path(value: str) -> str:
    if value.startswith("-----BEGIN"):
        raise ValueError("holds the certificates themselves; name the file they are in")
    if not Path(_printable(value)).is_file():
        raise ValueError("is no file")
    return value


def _suppression(value: object) -> object:
    return read_suppression_file(value) if isinstance(value, str) else value


def _mapping(value: object) -> object:
    return read_mapping_file(value) if isinstance(value, str) else value


def _printable(value: str) -> str:
    if not value or not value.isprintable():
        raise ValueError("holds a character that cannot be printed")
    return value


def _names(value: object) -> object:
    if not isinstance(value, str):
        return value
    return tuple(name.strip() for name in value.split(",") if name.strip())


Bytes = Annotated[int, BeforeValidator(_size)]
Servers = Annotated[str, AfterValidator(_servers), Allowed("host:port, several joined by commas")]
Topic = Annotated[
    str, AfterValidator(_topic), Allowed("1 to 249 of the characters A-Z a-z 0-9 . _ - (but not . or ..)")
]
Properties = Annotated[
    Mapping[str, str],
    BeforeValidator(_properties),
    Allowed("name=value lines, each name once; # begins a comment"),
]
ValueFormat = Annotated[str, AfterValidator(_value_format), Allowed("auto, or bare:<schema name>")]
Start = Annotated[
    StartAt | datetime,
    BeforeValidator(_start),
    Allowed("earliest, latest, or an ISO 8601 time with its zone such as 2026-01-31T00:00:00Z"),
]
Url = Annotated[
    str, AfterValidator(_url), Allowed("an http or https URL without user, password, query or fragment")
]
Subdomain = Annotated[
    str, AfterValidator(_label), Allowed("one DNS label: a-z, 0-9 and - (api, api-eu, api-us2, ...)")
]
TenantToken = Annotated[
    SecretStr,
    AfterValidator(_tenant),
    Allowed("a UUID: 8-4-4-4-12 hexadecimal digits, from Planhat's token page"),
]
ApiToken = Annotated[
    SecretStr, AfterValidator(_header_safe), Allowed("one line of printable ASCII without spaces")
]
Text = Annotated[str, AfterValidator(_printable), Allowed("one line of printable text")]
PemPath = Annotated[str, AfterValidator(_pem_path), Allowed("the path of a PEM file")]
Names = Annotated[tuple[str, ...], BeforeValidator(_names), Allowed("names joined by commas")]
Suppression = Annotated[
    SuppressionFile,
    BeforeValidator(_suppression),
    Allowed("the path of a UTF-8 file: one user id or e-mail address a line; # begins a line of comment"),
]
MappingPath = Annotated[
    MappingFile, BeforeValidator(_mapping), Allowed("the path of a TOML file as docs/mapping.md describes it")
]
