"""OpenTelemetry's own variables, as far as we must know them: what may not be shown, and what cannot work.

OpenTelemetry reads them itself. What it cannot read it doubts in its own words, which come into our log, and
goes on with its default: of what an operator would miss, that is refused here.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

from streamer.config.masking import masked_address
from streamer.config.otlp_values import in_force, value_problems
from streamer.config.values import is_web_address
from streamer.errors import MASK

DEFAULT_ENDPOINT: Final = "http://localhost:4318"
PROTOCOL: Final = "http/protobuf"
QUEUE_SIZE: Final = 2048
"""Spans that wait at most, where OpenTelemetry's variable does not say how many."""

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_HEADERS = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")


@dataclass(frozen=True, slots=True)
class Otlp:
    """Where spans go, by OpenTelemetry's variables."""

    shown_endpoint: str
    """The collector's address without what may be secret."""
    secrets: tuple[str, ...] = field(repr=False)
    """Texts that may not stand in any line: headers, user and password, query."""
    problems: tuple[str, ...]
    """Why no span could ever arrive, a line each."""
    is_disabled: bool = False
    """OTEL_SDK_DISABLED says that no span is made."""
    queue_size: int = QUEUE_SIZE
    """So many spans wait to be sent, at most."""


def read_otlp(environ: Mapping[str, str] | None = None) -> Otlp:
    """What the environment says of the collector."""
    variables = os.environ if environ is None else environ
    _, endpoint = in_force(variables, "ENDPOINT", DEFAULT_ENDPOINT)
    secrets = (*_of_headers(variables), *_of_endpoints(variables))
    is_disabled = variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    shown, problems = masked_address(endpoint).strip("'"), tuple(_problems(variables))
    queue_size = in_force(variables, "OTEL_BSP_MAX_QUEUE_SIZE", str(QUEUE_SIZE)).text
    return Otlp(shown, secrets, problems, is_disabled, QUEUE_SIZE if problems else int(queue_size))


def otel_names(environ: Mapping[str, str] | None = None) -> list[str]:
    """Which of OpenTelemetry's variables are set: their names alone."""
    return sorted(name for name in (os.environ if environ is None else environ) if name.startswith("OTEL_"))


def _of_headers(variables: Mapping[str, str]) -> Iterator[str]:
    """Every spelling in which a header's value may come into a text.

    OpenTelemetry repeats what it cannot read: an entry without `=`, or all of them.
    """
    for name in _HEADERS:
        for entry in variables.get(name, "").split(","):
            key, equals, value = entry.partition("=")
            for text in (value if equals else key, key if not equals else ""):
                yield from {text.strip(), unquote(text.strip())}


def _of_endpoints(variables: Mapping[str, str]) -> Iterator[str]:
    """User and password, and a query, which an error of the connection repeats."""
    for name in _ENDPOINTS:
        try:
            address = urlsplit(variables.get(name, "").strip())
        except ValueError:
            continue  # it is refused, and not repeated
        credentials, at, _ = address.netloc.rpartition("@")
        if at:
            yield credentials
            yield from (unquote(part) for part in credentials.split(":", 1))
        yield address.query


def _problems(variables: Mapping[str, str]) -> Iterator[str]:
    yield from _of_where(variables)
    yield from value_problems(variables)


def _of_where(variables: Mapping[str, str]) -> Iterator[str]:
    name, protocol = in_force(variables, "PROTOCOL", PROTOCOL)
    if protocol.lower() != PROTOCOL:
        shown = protocol if re.fullmatch(r"[a-z/]{1,20}", protocol) else MASK
        yield (
            f"{name}={shown!r}: spans are sent by {PROTOCOL} alone; set it to that, and name the collector's "
            "port for HTTP (4318 as a rule, where gRPC has 4317)"
        )
    name, endpoint = in_force(variables, "ENDPOINT", DEFAULT_ENDPOINT)
    if not is_web_address(endpoint):
        allowed = f"allowed: http:// or https://, a host and its port, such as {DEFAULT_ENDPOINT}"
        yield f"{name}={masked_address(endpoint)}: {allowed}"
