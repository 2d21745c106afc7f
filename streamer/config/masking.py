"""Wrong values as a problem may repeat them: what tells a slip of the pen stays, what may be a secret goes.

A value is refused because it is not what it should be, so it may be anything: a URL with its password,
a certificate, a token in the wrong variable. Only what has a harmless form is shown. Pure.
"""

import re

from streamer.errors import MASK

LONGEST_SHOWN = 80
"""Characters of the longest wrong value that a problem repeats."""

_SCHEME = re.compile(r"(?:https?|ftp|tcp|plaintext|ssl|sasl_plaintext|sasl_ssl)://", re.IGNORECASE)
# In small letters, as people write hosts and base64 does not. A port is digits and nothing else:
# `https://user:password` comes of forgetting the host.
_PLACE = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63}){0,10})(:\d{1,5})?", re.ASCII)
_PATH = re.compile(r"\.{0,2}/[\w./ -]{1,250}")


def masked_address(text: str) -> str:
    """A URL or `host:port` without user, password, path, query and fragment."""
    return repr(_address(text))


def masked_addresses(text: str) -> str:
    """Addresses joined by commas. All up to the last `@` is masked, since a password may hold commas."""
    scheme = _scheme(text)
    _, at, places = text.rpartition("@")
    shown = ",".join(_address(place.strip()) if place else "" for place in places.split(","))
    return repr(f"{scheme}{MASK}@{shown}" if at else shown)


def masked_path(text: str) -> str:
    """A path that begins like one; anything else could be what should stand in the file."""
    return repr(text) if _PATH.fullmatch(text) else _length(text)


def masked_text(text: str) -> str:
    """A short printable text, but for what looks like credentials; else its length."""
    if len(text) > LONGEST_SHOWN or not text.isprintable():
        return _length(text)
    if "@" in text or "://" in text:
        return masked_address(text)
    name, separator, _ = text.partition("=")
    return repr(name + separator + MASK) if separator else repr(text)


def _address(text: str) -> str:
    scheme = _scheme(text)
    credentials, at, rest = text.removeprefix(scheme).rpartition("@")
    end = re.search(r"[/?#]", rest)
    place, beyond = (rest[: end.start()], rest[end.start() :]) if end else (rest, "")
    # With `@` in a path or a query, or without a host, nothing says where a secret begins.
    if re.search(r"[/?#]", credentials) or not _PLACE.fullmatch(place):
        return scheme + MASK
    if not (scheme or "." in place or ":" in place):
        return MASK  # a single word could be anything
    shown = beyond if beyond in {"", "/"} else beyond[0] + MASK
    return f"{scheme}{MASK}@{place}{shown}" if at else f"{scheme}{place}{shown}"


def _scheme(text: str) -> str:
    found = _SCHEME.match(text)
    return found[0] if found else ""


def _length(text: str) -> str:
    return f"({len(text)} characters)"
