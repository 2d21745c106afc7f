"""The page on security promises nothing that no test holds."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    line.strip("| ").split(" | ")
    for line in (ROOT / "docs" / "security.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and "held by" not in line
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_every_claim_names_what_holds_it(row: list[str]) -> None:
    """Each row names files of tests that are there, and functions that stand in them."""
    claim, holders = row
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", holders)

    assert claim
    assert named
    for path, function in named:
        module = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        defined = {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
        assert not function or function in defined, f"{path} has no {function}"


def test_there_is_a_table_of_each_threat() -> None:
    """The page has its tables: an empty list of rows would pass."""
    assert len(ROWS) > 20
