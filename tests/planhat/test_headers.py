"""Waiting and quota headers, in every spelling and shape."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.planhat.headers import asked_wait_seconds, remaining_calls, retry_after_seconds

NOW = 1_795_435_200.0  # Mon, 23 Nov 2026 12:00:00 GMT


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"Retry-After": "15"}, 15.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"RETRY-AFTER": "0"}, 0.0),
        ({"Retry-After": "86400"}, 600.0),
        ({"Retry-After": "999999999999999"}, 600.0),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "1e9"}, None),
        ({"Retry-After": "9" * 5000}, None),
        ({"Retry-After": "Mon, 23 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"Retry-After": "Mon, 23 Nov 2026 12:00:30"}, 30.0),
        ({"Retry-After": "Mon, 23 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, 600.0),
        ({"Retry-After": "Mon, 99 Nov 2026 12:00:30 GMT"}, None),
        ({"X-RateLimit-Reset": "42"}, 42.0),
        ({"X-Rate-Limit-Reset": "42"}, 42.0),
        ({"x-ratelimit-reset": str(int(NOW) + 90)}, 90.0),
        ({"x-ratelimit-reset": str((int(NOW) + 90) * 1000)}, 90.0),
        ({"x-ratelimit-reset": str(int(NOW) - 90)}, 0.0),
        ({"x-ratelimit-reset": "never"}, None),
        ({"x-ratelimit-reset": "never", "x-rate-limit-reset": "8"}, 8.0),
        ({"x-ratelimit-reset": "42", "Retry-After": "7"}, 7.0),
        ({"x-ratelimit-reset": "42", "Retry-After": "soon"}, 42.0),
    ],
)
def test_how_long_a_reply_asks_to_wait(headers: dict[str, str], expected: float | None) -> None:
    """Retry-After first, seconds or a date; else a reset header, from now or since 1970; up to 10 min."""
    assert retry_after_seconds(headers, now=NOW) == expected


def test_reset_headers_are_no_request_to_wait() -> None:
    """They stand on successful replies as well."""
    assert asked_wait_seconds({"x-ratelimit-reset": "42"}, now=NOW) is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"X-Rate-Limit-Remaining": "192"}, 192),
        ({"x-ratelimit-remaining": "0"}, 0),
        ({"x-ratelimit-remaining": "many", "x-rate-limit-remaining": "3"}, 3),
        ({"x-ratelimit-remaining": "-1"}, None),
    ],
)
def test_remaining_calls_are_read_in_both_spellings(headers: dict[str, str], expected: int | None) -> None:
    """2017's documentation and newer clients spell the header differently."""
    assert remaining_calls(headers) == expected


@given(st.text(max_size=60))
def test_no_header_can_break_the_reading(text: str) -> None:
    """Any text is a wait within bounds or none at all."""
    headers = {"retry-after": text, "x-ratelimit-reset": text, "x-rate-limit-remaining": text}

    seconds = retry_after_seconds(headers, now=NOW)

    assert seconds is None or 0 <= seconds <= 600
    assert remaining_calls(headers) is None or text.strip().replace(".", "").isdigit()
