"""What OpenTelemetry's variables may say, where it would go on without a word that stops anybody.

A time-out, a queue's size, a sampler that it cannot read it takes for its default; a certificate that is not
there it misses with the first span. Each is told by its variable; what that says is repeated only where it is
a short word, for it may be a secret that came into the wrong place.
"""

import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Final, NamedTuple

from streamer.errors import MASK

_TRACES, _COMMON = "OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_"
_WORD: Final = re.compile(r"[A-Za-z0-9_.,+-]{1,20}", re.ASCII)
_SAMPLER, _SAMPLER_ARG = "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"
_RATIO: Final = "traceidratio"
_SAMPLERS: Final = tuple(
    f"{parent}{name}" for parent in ("", "parentbased_") for name in ("always_on", "always_off", _RATIO)
)


def value_problems(variables: Mapping[str, str]) -> Iterator[str]:
    """A line for each that cannot be meant."""
    for name, is_allowed, allowed in _RULES:
        found = in_force(variables, name)
        if found.text and not is_allowed(found.text):
            yield f"{found.name}={_shown(found.text)}: allowed: {allowed}"
    name, text = in_force(variables, _SAMPLER_ARG)
    if text and variables.get(_SAMPLER, "").strip().lower().endswith(_RATIO) and not _is_share(text):
        yield f"{name}={_shown(text)}: allowed: the share of spans that is kept, from 0 to 1, such as 0.01"
    yield from _of_files(variables)


class InForce(NamedTuple):
    """Of variables that say the same, the one that counts."""

    name: str
    text: str
    """The default where none of them says anything."""


def in_force(variables: Mapping[str, str], name: str, default: str = "") -> InForce:
    """Of the exporter's variables, the one for traces goes before the common one.

    `name`: without what all of the exporter's begin with.
    """
    names = (name,) if name.startswith("OTEL_") else (_TRACES + name, _COMMON + name)
    said = (InForce(each, variables.get(each, "").strip()) for each in names)
    return next((each for each in said if each.text), InForce(names[-1], default))


def _shown(text: str) -> str:
    return repr(text) if _WORD.fullmatch(text) else MASK


def _is_time_out(text: str) -> bool:
    try:
        return isfinite(float(text)) and float(text) > 0
    except ValueError:
        return False


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False


def _is_count(text: str) -> bool:
    return _is_number(text) and int(text) > 0


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d{1,18}", text, re.ASCII) is not None


_COUNT: Final = "a whole number from 1 on"
_RULES: Final[tuple[tuple[str, Callable[[str], bool], str], ...]] = (
    ("TIMEOUT", _is_time_out, "seconds, a number above 0, such as 10"),
    ("COMPRESSION", lambda text: text.lower() in {"gzip", "deflate", "none"}, "gzip, deflate or none"),
    ("OTEL_BSP_SCHEDULE_DELAY", _is_count, f"milliseconds, {_COUNT}, such as 5000"),
    ("OTEL_BSP_MAX_QUEUE_SIZE", _is_count, f"{_COUNT}, such as 2048"),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", _is_count, f"{_COUNT}, such as 512"),
    ("OTEL_SPAN_LINK_COUNT_LIMIT", _is_number, "a whole number from 0 on, such as 128"),
    (_SAMPLER, lambda text: text.lower() in _SAMPLERS, ", ".join(_SAMPLERS)),
)


def _of_files(variables: Mapping[str, str]) -> Iterator[str]:
    """Of the authorities, and of a certificate of ours with its key."""
    authorities, ours = in_force(variables, "CERTIFICATE"), in_force(variables, "CLIENT_CERTIFICATE")
    # OpenTelemetry reads no key without a certificate.
    key = in_force(variables, "CLIENT_KEY") if ours.text else InForce("", "")
    missing = [
        f"{name}: the file cannot be read{why}; mount it or correct the path"
        for name, path in (authorities, ours, key)
        if path and (why := _unreadable(path)) is not None
    ]
    return iter(missing or _of_contents(authorities, ours, key))


def _of_contents(authorities: InForce, ours: InForce, key: InForce) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authorities.text and not _loads(lambda: _load_authorities(context, authorities.text)):
        yield f"{authorities.name}: no certificate is in there; allowed: the path of a PEM file or directory"
    # With an empty password for the key: nobody is there to be asked for one.
    if ours.text and not _loads(lambda: context.load_cert_chain(ours.text, key.text or None, password="")):
        names = f"{ours.name}, {key.name}" if key.text else ours.name
        yield (
            f"{names}: no certificate with its key can be read from there; allowed: the paths of PEM files "
            "that belong together, or of one that holds both, the key without a password"
        )


def _unreadable(path: str) -> str | None:
    """Why a file, or a directory, cannot be read; in brackets where the system says it."""
    try:
        next(Path(path).iterdir(), None) if Path(path).is_dir() else Path(path).open("rb").close()
    except OSError as error:
        return f" ({error.strerror})"
    except ValueError:
        return ""
    return None


def _load_authorities(context: ssl.SSLContext, path: str) -> None:
    is_directory = Path(path).is_dir()
    context.load_verify_locations(None if is_directory else path, path if is_directory else None)


def _loads(load: Callable[[], None]) -> bool:
    try:
        load()
    except (OSError, ValueError):
        return False
    return True
