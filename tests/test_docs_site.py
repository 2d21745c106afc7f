"""docs/ is one site: every page is reached from its front page; claims have their test or their source."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_docs import FENCE, LINK

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
FRONT = DOCS / "README.md"
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
KINDS = ["Tutorial", "How to", "Reference", "Explanation"]
NAMED_TEST = re.compile(r"`(?P<file>tests/[\w/]+\.py)(?:::(?P<test>\w+))?`")


def _links(page: Path) -> Iterator[Path]:
    """Files of the repository that a page links to."""
    for link in LINK.finditer(FENCE.sub("", page.read_text(encoding="utf-8"))):
        target = link["target"].partition("#")[0]
        if target and "://" not in target:
            yield (page.parent / target).resolve()


def test_every_page_is_reached_from_the_front_page() -> None:
    """By links alone: pages and runbooks from the front page itself, decisions from their list."""
    direct = set(_links(FRONT))
    pages = {path for path in DOCS.glob("*.md") if path != FRONT} | set(DOCS.glob("runbooks/*.md"))
    decisions = set(DOCS.glob("decisions/[0-9]*.md"))

    assert {path.name for path in pages - direct} == set()
    assert {path.name for path in decisions - set(_links(DOCS / "decisions" / "README.md"))} == set()
    assert DOCS / "decisions" / "README.md" in direct
    assert FRONT in set(_links(ROOT / "README.md"))


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted(DOCS.glob("**/*.md"))], ids=lambda page: page.name
)
def test_pictures_are_there(page: Path) -> None:
    """A picture that a page shows is a file of the repository, and has words for who cannot see it."""
    shown = PICTURE.findall(page.read_text(encoding="utf-8"))

    assert [target for words, target in shown if not words or not (page.parent / target).is_file()] == []


def test_the_front_page_tells_the_four_kinds_in_order() -> None:
    """Tutorial first, then how-to pages, reference, explanation; each page stands under one of them."""
    headings, *sections = re.split(r"^## ", FRONT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = {section.partition("\n")[0]: section for section in sections}
    named = [LINK.findall(found[kind]) for kind in KINDS]
    pages = [target for targets in named for target in targets if target.endswith(".md")]
    inside = [target for target in pages if not target.startswith("../")]

    assert list(found) == KINDS
    assert all(person in headings for person in ("platform engineer", "data engineer", "CS operations"))
    assert sorted(inside) == sorted({*inside}), "a page stands under two kinds"


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_tests_that_a_page_names_are_there(page: Path) -> None:
    """A page that says which test holds a claim names a file that is there, and a test in it."""
    gone = []
    for named in NAMED_TEST.finditer(page.read_text(encoding="utf-8")):
        path = ROOT / named["file"]
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if not text or (named["test"] and f"def {named['test']}(" not in text):
            gone.append(named[0])
    assert gone == []


def test_upgrading_names_the_test_of_each_claim() -> None:
    """Each row of what may differ between two versions names the test that holds it."""
    text = (DOCS / "upgrading.md").read_text(encoding="utf-8")
    rows = text.partition("| held by |\n")[2].partition("\n\n")[0].splitlines()[1:]

    assert len(rows) >= 7
    assert [row for row in rows if "::test_" not in row] == []


def test_each_fact_about_others_has_its_source() -> None:
    """Each row about another product links to where that is written; the page says when it was looked up."""
    text = (DOCS / "comparison.md").read_text(encoding="utf-8")
    tables = re.findall(r"^\| for \| what it does \| source \|\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    rows = [row for table in tables for row in table.splitlines()]

    assert len(tables) == 5
    assert [row for row in rows if "](https://" not in row.rsplit(" | ", 1)[1]] == []
    assert re.search(r"Looked up on\s20\d\d-\d\d-\d\d", text)
