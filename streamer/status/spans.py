"""Durations, moments and numbers as people read them."""

from datetime import UTC, datetime


def span(seconds: float) -> str:
    """A duration in its two largest units: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`."""
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    for size, unit, lesser_size, lesser in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // lesser_size
            return f"{whole // size} {unit}" + (f" {rest} {lesser}" if rest else "")
    return f"{whole} s"


def moment(at: float) -> str:
    """Seconds since 1970 as a time in UTC, to the second."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def clock(at: float) -> str:
    """The time of day alone, of a moment that is near."""
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S} UTC"


def machine_moment(at: float) -> str:
    """The same for programs."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def number(count: float) -> str:
    """With commas, and one digit behind the point below a hundred, or two below one, if it is not whole."""
    if count == round(count) or abs(count) >= 100:
        return f"{count:,.0f}"
    return f"{count:,.1f}" if abs(count) >= 1 else f"{count:.2f}"


def counted(count: int, noun: str) -> str:
    """`1 record`, `2 records`; the plural is the noun with an s."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def listed(words: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
