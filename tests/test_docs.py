"""The documentation is true: tables, help, commands, names, links, dashboards."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import promql_parser
import pytest

from streamer.config import Settings, variable_name
from streamer.metrics import CATALOGUE
from tools import docs

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")] if not path.name.startswith(".")
)
DASHBOARDS = sorted((ROOT / "k8s" / "dashboards").glob("*.json"))
NOT_SETTINGS = {"STREAMER_TEST_BOOTSTRAP": "of the tests"}
"""Variables that the documentation names and `streamer` does not read."""

LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+ +(?P<text>.+?) *$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
METRIC = re.compile(r"\bstreamer_[a-z0-9_]+\b")
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}


class Example(NamedTuple):
    """A command that the README shows, and the output it shows under it."""

    command: str
    output: str


def _id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _examples() -> Iterator[Example]:
    """Indented lines that begin with `$`, each with the indented lines below it."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    command: str | None = None
    output: list[str] = []
    for line in [*lines, ""]:
        if command is not None and (line.startswith("    $ ") or not line.startswith("    ")):
            yield Example(command, "".join(f"{text}\n" for text in output))
            command, output = None, []
        if line.startswith("    $ "):
            command = line.removeprefix("    $ ").partition("  #")[0].strip()
        elif command is not None:
            output.append(line.removeprefix("    "))


def _make_targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    plain = (re.sub(r"[`*]", "", heading["text"]).lower() for heading in HEADING.finditer(text))
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


def _samples() -> dict[str, set[str]]:
    """Every series a scrape can hold, with its labels."""
    return {
        metric.name + suffix: set(metric.labels) | ({"le"} if suffix == "_bucket" else set())
        for metric in CATALOGUE
        for suffix in SUFFIXES[metric.kind]
    }


def _panels(dashboard: Any) -> Iterator[Any]:
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def _expressions(path: Path) -> Iterator[tuple[str, str]]:
    """The title and expression of every target."""
    for panel in _panels(json.loads(path.read_text(encoding="utf-8"))):
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


# --- generated parts -----------------------------------------------------------------------------


@pytest.mark.parametrize("page", docs.PAGES)
def test_generated_parts_are_in_step(page: str) -> None:
    """A page's generated parts are what the code makes of them today (`make docs` mends them)."""
    assert docs.renewed(page) == (ROOT / page).read_text(encoding="utf-8")


def test_every_generated_part_has_its_place() -> None:
    """Every generator's part stands in exactly one page, and only in a page that is checked."""
    placed = [
        (part["name"], _id(page))
        for page in PAGES
        for part in docs.PART.finditer(page.read_text(encoding="utf-8"))
    ]
    assert sorted(name for name, _ in placed) == sorted(docs.PARTS)
    assert {page for _, page in placed} == set(docs.PAGES)


def test_help_shows_every_command_and_an_example() -> None:
    """Every command of the contract is in the program's help, and its own help has an example."""
    names = docs.command_names()

    assert set(names) >= {"run", "check", "demo", "sandbox", "transform", "publish", "settings"}
    for name in names:
        assert f"streamer {name}" in docs.help_text(name).partition("examples:")[2], name


# --- README --------------------------------------------------------------------------------------


def test_readme_begins_with_what_it_is() -> None:
    """The README's first sentence says what this does: no badge, no install before it."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()

    assert lines[:3] == ["# streamer", "", "Streams Segment events from Kafka into Planhat."]


@pytest.mark.parametrize("example", list(_examples()), ids=lambda example: example.command)
def test_readme_commands_are_true(example: Example) -> None:
    """A command of the README exists; `streamer transform` prints what is shown under it."""
    words = shlex.split(example.command)
    if words[0] == "make":
        assert words[1] in _make_targets()
    elif words[0] == "streamer":
        assert words[1] in docs.command_names()
    else:
        pytest.fail(f"nothing checks {example.command!r}: use make or streamer")
    if words[:2] == ["streamer", "transform"]:
        printed = subprocess.run(
            [sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert printed.stdout == example.output


def test_readme_shows_the_main_commands() -> None:
    """The first screen shows the demo, a transformed event, the check and the run."""
    shown = [example.command for example in _examples()]

    assert [command for command in shown if command.startswith("streamer transform ")]
    assert {"make demo", "streamer check", "streamer run"} <= set(shown)


# --- names and links -----------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_links_lead_somewhere(page: Path) -> None:
    """A link into the repository names a file that is there and, with an anchor, a heading in it."""
    broken = []
    for link in LINK.finditer(FENCE.sub("", page.read_text(encoding="utf-8"))):
        target, _, anchor = link["target"].partition("#")
        if "://" in target:
            continue
        path = (page.parent / target).resolve() if target else page
        if not path.exists() or (anchor and anchor not in _anchors(path)):
            broken.append(link["target"])
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_named_variables_are_settings(page: Path) -> None:
    """A variable that a page names is a setting, or the `_FILE` twin of one."""
    settings = {variable_name(field) for field in Settings.model_fields}
    known = settings | {f"{name}_FILE" for name in settings} | NOT_SETTINGS.keys()
    named = set(re.findall(r"\bSTREAMER_[A-Z0-9_]*[A-Z0-9]\b", page.read_text(encoding="utf-8")))

    assert named - known == set()


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_named_metrics_are_in_the_catalogue(page: Path) -> None:
    """A metric that a page names is in the catalogue."""
    named = set(METRIC.findall(page.read_text(encoding="utf-8")))

    assert named - {metric.name for metric in CATALOGUE} == set()


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_named_commands_exist(page: Path) -> None:
    """A `make` target or a `streamer` command in code font exists, or the sentence says it is planned."""
    text = page.read_text(encoding="utf-8")
    targets = set(re.findall(r"`make ([a-z][a-z-]*)", text))
    planned = set(re.findall(r"\(planned: `make ([a-z-]+)`\)", text))
    commands = set(re.findall(r"`streamer ([a-z][a-z-]*)", text))

    assert targets - planned - _make_targets() == set()
    assert commands - set(docs.command_names()) == set()


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md")), ids=_id)
def test_decisions_are_numbered_and_reasoned(page: Path) -> None:
    """A decision's page is titled by its number and says what was decided and why, on one page."""
    lines = page.read_text(encoding="utf-8").splitlines()

    assert re.fullmatch(rf"# {page.name[:4]}:? .+", lines[0])
    assert len(lines) <= 60


# --- dashboards ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", DASHBOARDS, ids=_id)
def test_dashboards_name_metrics_that_exist(path: Path) -> None:
    """Every series in every panel is one that a scrape can hold."""
    unknown = {
        f"{title}: {name}"
        for title, expression in _expressions(path)
        for name in METRIC.findall(expression)
        if name not in _samples()
    }
    assert unknown == set()


@pytest.mark.parametrize("path", DASHBOARDS, ids=_id)
def test_dashboards_speak_promql(path: Path) -> None:
    """Every expression parses, once Grafana has put its interval in."""
    for title, expression in _expressions(path):
        try:
            promql_parser.parse(expression.replace("$__rate_interval", "1m"))
        except ValueError as error:
            pytest.fail(f"{title}: {error}")


@pytest.mark.parametrize("path", DASHBOARDS, ids=_id)
def test_dashboards_use_labels_that_exist(path: Path) -> None:
    """Every label that a panel groups by, selects or shows is one that its metrics have."""
    samples = _samples()
    for panel in _panels(json.loads(path.read_text(encoding="utf-8"))):
        for target in panel.get("targets", []):
            expression = target["expr"]
            labels = set().union(*(samples[name] for name in METRIC.findall(expression)))
            grouped = {
                label.strip()
                for group in re.findall(r"\bby \(([^)]*)\)", expression)
                for label in group.split(",")
            }
            selected = set(re.findall(r"[{,] *([a-z_]+) *(?:=~|!~|!=|=)", expression))
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))

            assert grouped | selected | shown <= labels, panel["title"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=_id)
def test_dashboards_select_values_that_exist(path: Path) -> None:
    """A label's value in a selector is one of the closed set of that label."""
    values = {
        (label, value)
        for metric in CATALOGUE
        for label, allowed in metric.labels.items()
        for value in allowed
    }
    for title, expression in _expressions(path):
        for label, text in re.findall(r'([a-z_]+) *(?:=~|!~|!=|=) *"([^"]*)"', expression):
            for value in text.split("|"):
                assert (label, value) in values, f"{title}: {label}={value}"


@pytest.mark.parametrize("path", DASHBOARDS, ids=_id)
def test_dashboards_are_whole(path: Path) -> None:
    """Panels have ids of their own, explain themselves, share no place and take the chosen source."""
    panels = list(_panels(json.loads(path.read_text(encoding="utf-8"))))
    taken: set[tuple[int, int]] = set()

    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["description"]
            assert panel["datasource"]["uid"] == "${datasource}"
            assert panel["targets"]


def test_every_metric_is_watched_or_said_not_to_be() -> None:
    """Every metric of the catalogue is on a dashboard, save those that are for other questions."""
    shown = {name for path in DASHBOARDS for _, text in _expressions(path) for name in METRIC.findall(text)}
    unwatched = {
        metric.name
        for metric in CATALOGUE
        if not {metric.name + suffix for suffix in SUFFIXES[metric.kind]} & shown
    }
    assert unwatched == {
        "streamer_delivery_bytes",  # tells whether bulks end by bytes: for tuning
        "streamer_null_keys_total",  # tells whether a topic is keyed: asked once
        "streamer_operations_made_total",  # what came in; the panel shows what became of it
        "streamer_polled_records_total",  # as above
    }
