"""Every row of what Segment says has a test named for it, and every difference is told, with its reason."""

import importlib
import re
from pathlib import Path
from typing import Final

import pytest

PAGE: Final = Path(__file__).parents[2] / "docs" / "coming-from-segment.md"
ROWS: Final[dict[str, tuple[str, ...]]] = {
    "a4": (
        *(f"identify_{row}" for row in range(1, 9)),
        *(f"track_{row}" for row in range(1, 5)),
        *(f"page_{row}" for row in range(1, 4)),
        "screen_1",
        *(f"group_{row}" for row in range(1, 9)),
        "alias_1",
    ),
    "a6": (*map(str, range(1, 8)), "facade", "rudderstack", "engage", "replays"),
    "a7": tuple(map(str, range(1, 9))),
    "a8": tuple(map(str, range(1, 7))),
    "a11": tuple(map(str, range(1, 7))),
}
"""Call types, `integrations`, Engage, consent, and Segment's own Planhat destination."""


def names_of(section: str) -> list[str]:
    """The tests of one section."""
    module = importlib.import_module(f"tests.transform.test_segment_rows_{section}")
    return [name for name in vars(module) if name.startswith(f"test_{section}_")]


@pytest.mark.parametrize(("section", "row"), [(section, row) for section in ROWS for row in ROWS[section]])
def test_every_row_has_a_test(section: str, row: str) -> None:
    """None is left out."""
    assert [name for name in names_of(section) if name.startswith(f"test_{section}_{row}_")]


@pytest.mark.parametrize("section", ROWS)
def test_every_test_is_of_a_row(section: str) -> None:
    """A name that is no row's would prove nothing."""
    rows = "|".join(ROWS[section])
    assert [name for name in names_of(section) if not re.match(rf"test_{section}_({rows})_", name)] == []


def test_every_difference_is_told_with_its_reason() -> None:
    """The page for whoever comes from Segment has a line for each test of a difference, and for no other."""
    text = (
        PAGE.read_text(encoding="utf-8")
        .partition("\n## Where we differ on purpose\n")[2]
        .partition("\n## ")[0]
    )
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \| `(\w+)` \|$", text, re.MULTILINE)
    tests = {name.removeprefix("test_") for section in ROWS for name in names_of(section)}
    assert sorted(name for *_, name in rows) == sorted(name for name in tests if name.endswith("_differs"))
    assert all(len(why.split()) > 4 for _, _, why, _ in rows)
