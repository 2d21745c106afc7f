"""The documentation is true: tables, help, commands, names, links, dashboards."""

import json
import os
import re
import shlex
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from streamer import __version__, errors
from streamer.config import Settings, variable_name
from streamer.engine.ports import HoldReason
from streamer.metrics import CATALOGUE
from streamer.standins.broker import EmbeddedBroker
from streamer.standins.planhat.child import SandboxProcess
from tests import readme
from tools import alerts, docs
from tools import dashboard as dashboards

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    path for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")] if not path.name.startswith(".")
)
DASHBOARDS = sorted((ROOT / "k8s" / "dashboards").glob("*.json"))
NOT_SETTINGS = dict.fromkeys(
    [
        "STREAMER_TEST_BOOTSTRAP",
        "STREAMER_TEST_PROGRAM",
        *(f"STREAMER_TEST_PLANHAT_{name}" for name in ("API_TOKEN", "TENANT_TOKEN", "API_URL")),
    ],
    "of the tests",
)
"""Variables that the documentation names and `streamer` does not read."""

CONTRACT = {
    **{
        name: []
        for name in ("run", "check", "demo", "sandbox", "transform", "explain", "publish", "settings")
    },
    "mapping": ["check", "test", "fields"],
    "dead-letters": ["list", "show", "replay"],
    "schemas": ["list", "check", "register"],
}
"""The commands that are promised, each with its own."""
LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+ +(?P<text>.+?) *$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
METRIC = re.compile(r"\bstreamer_[a-z0-9_]+\b")
FROM_PROMETHEUS = {"namespace", "job", "instance", "alertstate", "service"}
"""Labels that a series gets where it is scraped, and those of alerts."""
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}


def _id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


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


def _unrecorded(expression: str) -> str:
    """The expression with what recording rules record put in its place."""
    recorded = {rule["record"]: rule["expr"] for rule in alerts.recordings()}
    while found := next((name for name in recorded if name in expression), None):
        expression = expression.replace(found, f"({recorded[found]})")
    return expression


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

    assert sorted(names) == sorted(CONTRACT)
    assert all(docs.command_names(name) == inner for name, inner in CONTRACT.items())
    for name in names:
        assert f"streamer {name}" in docs.help_text(name).partition("examples:")[2], name


# --- README --------------------------------------------------------------------------------------


def test_readme_begins_with_what_it_is() -> None:
    """The README's first sentence says what this does: no badge, no install before it."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()

    assert lines[:3] == ["# streamer", "", "Streams Segment events from Kafka into Planhat."]


def test_readme_shows_the_main_commands() -> None:
    """The first screen shows the demo, an event's requests, the check and the run, and nothing untested."""
    shown = [shlex.split(example.command) for example in readme.examples()]

    assert [words[:2] for words in shown if words[0] != "export"] == [
        ["make", "demo"],
        [".venv/bin/streamer", "transform"],
        [".venv/bin/streamer", "check"],
        [".venv/bin/streamer", "run"],
    ]


def test_readme_names_streamer_where_make_puts_it() -> None:
    """After any `make` on a fresh clone there is a .venv/bin/streamer; and `make demo` runs its demo.

    What the demo says is compared where the tests run it: tests/standins/test_demo_whole.py.
    """
    planned = subprocess.run(
        ["make", "--dry-run", "--always-make", "demo"],
        cwd=ROOT, env=_bare_environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    assert [line.strip() for line in planned.stdout.splitlines()] == [
        "tools/bootstrap.sh .venv",
        "touch .venv/.installed",
        ".venv/bin/streamer demo",
    ]
    assert pyproject["project"]["scripts"] == {"streamer": "streamer.cli:main"}


def test_readme_shows_what_transform_prints() -> None:
    """`streamer transform` prints, byte for byte, what is shown under it."""
    (shown,) = (each for each in readme.examples() if " transform " in each.command)
    printed = subprocess.run(
        _argv(shown.command), cwd=ROOT, env=_bare_environment(), capture_output=True, text=True, check=True
    )
    assert printed.stdout == shown.output


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables that the README exports, here of stand-ins, and the addresses of those."""
    folder = tmp_path_factory.mktemp("tokens")
    with EmbeddedBroker() as broker, SandboxProcess() as sandbox:
        for topic in ("segment.events", "segment.events.dead-letters"):
            broker.create_topic(topic)
        (folder / "tenant-token").write_text(sandbox.tenant_token, encoding="utf-8")
        (folder / "api-token").write_text(sandbox.api_token, encoding="utf-8")
        ours = {
            "STREAMER_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "STREAMER_PLANHAT_TENANT_TOKEN_FILE": str(folder / "tenant-token"),
            "STREAMER_PLANHAT_API_TOKEN_FILE": str(folder / "api-token"),
        }
        elsewhere = {
            "STREAMER_PLANHAT_API_URL": sandbox.url,
            "STREAMER_PLANHAT_ANALYTICS_URL": sandbox.url,
            "STREAMER_HTTP_PORT": "0",
            "STREAMER_LOG_FORMAT": "console",  # as on the reader's terminal
        }
        yield {**_bare_environment(), **elsewhere, **{n: ours.get(n, v) for n, v in _exported().items()}}


def test_readme_shows_what_check_prints(told: dict[str, str]) -> None:
    """Told what the README exports, `streamer check` finds everything and prints what is shown."""
    shown = readme.example(".venv/bin/streamer check")
    ended = subprocess.run(
        _argv(shown.command), env=told, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert shown.pattern.fullmatch(ended.stdout), ended.stdout
    counted = re.match(r"settings +ok +(\d+) set, (\d+) defaulted", shown.output)
    assert counted is not None
    assert int(counted[1]) == len(_exported())
    assert int(counted[1]) + int(counted[2]) == len(Settings.model_fields)


def test_readme_shows_how_run_begins(told: dict[str, str]) -> None:
    """Told the same, `streamer run` begins with the lines shown."""
    shown = readme.example(".venv/bin/streamer run")
    said = ""
    with subprocess.Popen(
        _argv(shown.command), env=told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as running:
        patience = threading.Timer(60, running.kill)
        patience.start()
        assert running.stdout is not None
        for line in running.stdout:
            said += line
            if shown.pattern.fullmatch(said):
                break
        patience.cancel()
        running.kill()  # how it ends is the matter of other tests
    assert shown.pattern.fullmatch(said), said


def _argv(command: str) -> list[str]:
    """A command of the README; ours is the one installed beside this Python."""
    words = shlex.split(command)
    assert words[0] == ".venv/bin/streamer"
    return [str(Path(sys.executable).parent / "streamer"), *words[1:]]


def _bare_environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"]}


def _exported() -> dict[str, str]:
    """What the README tells the reader to export."""
    words = (shlex.split(example.command) for example in readme.examples())
    pairs = [pair.partition("=") for name, *rest in words if name == "export" for pair in rest]
    return {name: value for name, _, value in pairs}


# --- design, decisions, changelog -----------------------------------------------------------------


def test_the_map_of_the_engine_is_whole() -> None:
    """The design's table of the engine names each of its files, once, and no other."""
    table = (ROOT / "docs/design.md").read_text(encoding="utf-8").partition("| file | what it decides |")[2]
    cells = (line.split("|")[1] for line in table.partition("\n\n")[0].splitlines()[2:])
    named = [name for cell in cells for name in re.findall(r"`([a-z_]+\.py)`", cell)]
    files = [path.name for path in (ROOT / "streamer/engine").glob("*.py") if path.name != "__init__.py"]

    assert sorted(named) == sorted(files)


def test_the_map_of_the_house_is_whole() -> None:
    """The design's map of the house names every room, packages with a slash."""
    text = (ROOT / "docs/design.md").read_text(encoding="utf-8")
    drawn = text.partition("    streamer/\n")[2].partition("\n\n")[0]
    packages = {path.parent.name for path in (ROOT / "streamer").glob("*/__init__.py")}
    modules = {path.stem for path in (ROOT / "streamer").glob("*.py")} - {"__init__"}

    assert packages == set(re.findall(r"\b([a-z]+)/", drawn))
    assert modules <= set(re.findall(r"\b\w+\b(?!/)", drawn))


def test_exceptions_to_the_contracts_are_told() -> None:
    """Each edge that may import the engine's doors is named where the design says so; there are no others."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    text = (ROOT / "docs/design.md").read_text(encoding="utf-8")
    exceptions = text.partition("There is one exception:")[2].partition("`engine/ports.py`")[0]
    allowed = [
        edge
        for contract in pyproject["tool"]["importlinter"]["contracts"]
        for edge in contract.get("ignore_imports", [])
    ]
    assert allowed == [
        f"streamer.{room}.* -> streamer.engine.ports" for room in re.findall(r"`(\w+)`", exceptions)
    ]


def test_the_changelog_tells_of_this_version() -> None:
    """The newest version in the changelog is the one that is built, with its date."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (\S+) - \d{4}-\d\d-\d\d$", text, re.MULTILINE)

    assert versions[0] == __version__


def test_operations_tell_of_every_hold_and_exit_code() -> None:
    """Each reason to hold has its row, and so has each exit code of ours."""
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `?(\w+)`? \|", text, re.MULTILINE)
    codes = {error.exit_code for error in vars(errors).values() if hasattr(error, "exit_code")}

    assert {reason.value for reason in HoldReason} <= set(rows)
    assert {str(code) for code in codes} <= set(rows)


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


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "k8s/base/streamer.env", ROOT / "docker-compose.yml"], ids=_id
)
def test_the_budget_of_calls_is_said_to_be_the_groups(page: Path) -> None:
    """Whoever names the budget of calls says whose it is: else somebody divides it by the replicas again."""
    paragraphs = re.split(r"\n(?:[ #]*\n|(?=\|))", page.read_text(encoding="utf-8"))
    unclear = [text for text in paragraphs if "CALLS_PER_MINUTE" in text and "group" not in text]

    assert unclear == []


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_named_metrics_are_in_the_catalogue(page: Path) -> None:
    """A metric that a page names is in the catalogue, or a series of one that is."""
    named = set(METRIC.findall(page.read_text(encoding="utf-8")))

    assert named - {metric.name for metric in CATALOGUE} - set(_samples()) == set()


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
    """A decision's page has its number, and says what was asked, decided, why, and what would change it."""
    text = page.read_text(encoding="utf-8")
    lines = text.splitlines()

    assert re.fullmatch(rf"# {page.name[:4]}: .+", lines[0])
    assert len(lines) <= 60
    sections = re.split(r"^\*\*(.+?)\.\*\* ", text, flags=re.MULTILINE)[1:]
    # What was left out has nothing that follows.
    follows = ["Follows"] if "Follows" in sections else []
    assert sections[::2] == ["Question", "Decided", "Why", *follows, "Would change it"]
    assert all(said.strip() for said in sections[1::2])


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
def test_dashboards_are_what_grafana_takes(path: Path) -> None:
    """Grafana's own types read the dashboard without losing a key, and its source makes it as it stands."""
    shipped = json.loads(path.read_text(encoding="utf-8"))
    read = json.loads(JSONEncoder().encode(Dashboard.from_json(shipped)))

    assert read == shipped
    assert dashboards.build() == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", DASHBOARDS, ids=_id)
def test_dashboards_bind_every_metric(path: Path) -> None:
    """Every series is selected by the dashboard's variables: two deployments are told apart."""
    for title, expression in _expressions(path):
        bare = [found for found in dashboards.METRIC.finditer(expression) if not found["labels"]]
        assert bare == [], title
        assert expression.count('job=~"$job"') == len(dashboards.METRIC.findall(expression)), title


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
            measured = METRIC.findall(_unrecorded(expression))
            labels = FROM_PROMETHEUS.union(*(samples[name] for name in measured))
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
                is_known = label in FROM_PROMETHEUS or (label, value) in values
                assert is_known, f"{title}: {label}={value}"


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
    """Every metric of the catalogue is on a dashboard or in an alert, save those for other questions."""
    texts = [text for path in DASHBOARDS for _, text in _expressions(path)]
    texts += [rule["expr"] for rule in alerts.alerts()]
    texts += [rule["expr"] for rule in alerts.recordings()]
    shown = {name for text in texts for name in METRIC.findall(text)}
    unwatched = {
        metric.name
        for metric in CATALOGUE
        if not {metric.name + suffix for suffix in SUFFIXES[metric.kind]} & shown
    }
    assert unwatched == {
        "streamer_committed_offset",  # where a partition stands: of the status page
        "streamer_partition_paused",  # which of the paused ones: of the status page
        "streamer_group_outside_since_timestamp_seconds",  # a graph of the membership shows it: as above
        "streamer_hold_since_timestamp_seconds",  # a graph of the hold shows it: of the status page
        "streamer_last_dead_letter_timestamp_seconds",  # so does one of the letters: of the status page
        "streamer_quota_wait_seconds",  # tells why nothing goes at this moment
        "streamer_delivery_bytes",  # tells whether bulks end by bytes: for tuning
        "streamer_dropped_spans_total",  # asked by whoever misses spans: of the tracing page
        "streamer_null_keys_total",  # tells whether a topic is keyed: asked once
        "streamer_operations_made_total",  # what came in; the panel shows what became of it
    }
