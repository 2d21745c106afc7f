"""Laws of ids and points in time."""

from datetime import datetime

import pytest
from hypothesis import given

from streamer.events.values import id_text, iso_timestamp
from tests.events.strategies import anything, unhurried

NOON = "2026-01-05T12:00:00.000Z"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("u-1", "u-1"),
        (" u-1 ", " u-1 "),
        ("", None),
        (" \t", None),
        (42, "42"),
        (0, "0"),
        (-1, "-1"),
        (42.0, "42"),
        (1.5, "1.5"),
        (2.0**53, "9007199254740992"),
        (1e300, "1e+300"),
        (2**64, "18446744073709551616"),
        pytest.param(10**5000, None, id="thousands of digits"),
        (float("nan"), None),
        (float("inf"), None),
        (True, None),
        (False, None),
        (None, None),
        ([], None),
        ({"id": 1}, None),
    ],
)
def test_ids_are_text_or_numbers(value: object, expected: str | None) -> None:
    """Numbers become text; booleans, blanks, containers and non-finite numbers are no ids."""
    assert id_text(value) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05T12:00:00Z",
        "2026-01-05T12:00:00.000Z",
        "2026-01-05T12:00:00.123456789Z",
        "2026-01-05T12:00:00+00:00",
        "2026-01-05T13:00:00.000+01:00",
        "2026-01-05T06:30:00-05:30",
    ],
)
def test_the_form_segment_writes_stays_byte_for_byte(text: str) -> None:
    """ISO text with `T` and a zone is handed on unchanged."""
    assert iso_timestamp(text) == text


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-05T12:00:00",
        "2026-01-05 12:00:00",
        "2026-01-05 12:00:00Z",
        "2026-01-05T12:00",
        "2026-01-05T12:00:00,000Z",
        "20260105T120000Z",
        "2026-W02-1T12:00:00Z",
        " 2026-01-05t12:00:00z ",
        "2026-01-05 12:00:00 UTC",
        "2026-01-05T13:00+01:00",
        1767614400,
        1767614400000,
        1767614400000000,
        1767614400000000000,
        1767614400.0,
        "1767614400",
        "1767614400000",
    ],
)
def test_other_forms_are_written_in_utc(value: object) -> None:
    """Other ISO text and epoch numbers of any unit become UTC with milliseconds."""
    assert iso_timestamp(value) == NOON


def test_a_date_is_its_midnight() -> None:
    """A date alone is midnight UTC."""
    assert iso_timestamp("2026-01-05") == "2026-01-05T00:00:00.000Z"


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "yesterday",
        "2026-13-01T00:00:00Z",
        "2026-01-05T12:00:60Z",
        "\ud800",
        "17676144001",
        0,
        -1,
        12,
        1e99,
        10**400,
        float("nan"),
        True,
        [],
        {},
        "9999-12-31 23:59:59-01:00",
        "0001-01-01 00:00:00+01:00",
    ],
)
def test_what_is_no_point_in_time_is_none(value: object) -> None:
    """An unusable timestamp is absent; it is never an error."""
    assert iso_timestamp(value) is None


@unhurried
@given(anything)
def test_values_are_total(value: object) -> None:
    """Anything at all is an id or none, and a point in time with a zone or none."""
    number = id_text(value)
    moment = iso_timestamp(value)
    assert number is None or number.strip()
    assert moment is None or datetime.fromisoformat(moment).tzinfo is not None
