"""docs/reliability.md names what exists: tests, laws, commands with figures, sources."""

import re

from tests.simulation.laws import ALL
from tests.soak.figures import ROOT

PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (?!\||-)(?P<name>[^|]+) \|(?P<cells>.*)\|$", re.MULTILINE)


def section(title: str) -> str:
    """A section's text."""
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_each_promise_names_tests_that_exist_and_laws_that_are_obeyed() -> None:
    """And something that runs on a real Kafka."""
    laws = {law.name for law in ALL}
    rows = [row for row in ROW.finditer(section("Promises")) if row["name"].startswith("**")]

    assert len(rows) >= 8
    for row in rows:
        chance, real, tests = row["cells"].split(" | ")
        named = re.findall(r"`([^`]+)`", chance.partition("law")[2])
        assert named, row["name"]
        assert set(named) <= laws, row["name"]
        assert re.search(r"`make (faults|soak|bench-quota)", real), row["name"]
        paths = re.findall(r"`(tests/[^`]+)`", tests)
        assert paths, row["name"]
        assert [path for path in paths if not (ROOT / path).exists()] == []


def test_whatever_is_said_of_others_has_its_source() -> None:
    """A cell that says something names a page, or another of its row does."""
    rows = [row for row in ROW.finditer(section("Beside others")) if row["name"] not in {" ", "streamer"}]

    assert len(rows) >= 5
    for row in rows:
        assert "](https://" in row["cells"], row["name"]
