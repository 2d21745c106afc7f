"""Generated parts of the documentation: `write` them anew, or `check` that they are in step.

A generated part stands between `<!-- generated: NAME -->` and `<!-- end of generated -->`; nothing
else of a page is touched. What is generated is made from the code that decides it: settings,
metrics, outcomes, the command line, the titles of the decisions; and from figures that a run kept.
"""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PART = re.compile(r"<!-- generated: (?P<name>\S+) -->\n(?P<text>.*?)<!-- end of generated -->", re.DOTALL)
PAGES = (
    "docs/alerts.md",
    "docs/commands.md",
    "docs/decisions/README.md",
    "docs/logs.md",
    "docs/mapping.md",
    "docs/metrics.md",
    "docs/operations.md",
    "docs/outcomes.md",
    "docs/reliability.md",
    "docs/secured-kafka.md",
    "docs/settings.md",
)


def settings() -> str:
    """The table of settings."""
    from streamer.config import markdown_table  # noqa: PLC0415 - the tool works where one room is broken

    return markdown_table()


def metrics() -> str:
    """The table of metrics."""
    from streamer.metrics import metrics_markdown_table  # noqa: PLC0415 - as above

    return metrics_markdown_table()


def log_lines() -> str:
    """The table of log lines."""
    from streamer.logs import LINES  # noqa: PLC0415 - as above

    rows = ["| event | level | meaning |", "|---|---|---|"]
    rows += [f"| `{event}` | {line.level} | {line.meaning} |" for event, line in LINES.items()]
    return "\n".join(rows) + "\n"


def acls() -> str:
    """The table of ACLs."""
    from streamer.kafka.permissions import permissions_markdown_table  # noqa: PLC0415 - as above

    return permissions_markdown_table()


def acl_commands() -> str:
    """The commands that grant them, for the names of the defaults."""
    from streamer.config import Settings  # noqa: PLC0415 - as above
    from streamer.kafka.permissions import Resource, permissions_commands  # noqa: PLC0415 - as above

    topic = Settings.model_fields["kafka_topic"].default
    group = Settings.model_fields["kafka_group_id"].default
    names = {
        Resource.EVENTS: topic,
        Resource.LETTERS: f"{topic}.dead-letters",
        Resource.GROUP: group,
        Resource.REPLAY_GROUP: f"{group}.replay",
    }
    return permissions_commands(names, "kafka-1.example.com:9093", "User:planhat-streamer")


def outcomes(name: str, module: str = "streamer/outcomes.py") -> str:
    """The members of an enum, with the sentence that stands under each."""
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    (enum,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    rows = ["| value | meaning |", "|---|---|"]
    for index, node in enumerate(enum.body):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Constant):
            continue
        (target,) = node.targets
        if not isinstance(target, ast.Name):
            continue
        value = node.value.value if isinstance(node.value.value, str) else target.id.lower()
        meaning = _sentence(enum.body[index + 1]) if index + 1 < len(enum.body) else ""
        rows.append(f"| `{value}` | {meaning or _words(value)} |")
    return "\n".join(rows) + "\n"


def _sentence(node: ast.stmt) -> str:
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
        return ""
    return " ".join(str(node.value.value).split()).replace("|", "\\|")


def _words(value: str) -> str:
    """Segment's own reasons say what they mean: `event_not_string` is an event that is no text."""
    return value.replace("_", " ").capitalize() + "."


def streamer_help(*command: str) -> str:
    """What `streamer COMMAND --help` prints, 100 columns wide, as code."""
    return "```text\n" + help_text(*command) + "```\n"


@cache
def help_text(*command: str) -> str:
    """The help of the program or of one command. Python 3.13 spells options shorter; so do we."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("STREAMER_")}
    printed = subprocess.run(
        [sys.executable, "-m", "streamer", *command, "--help"],
        cwd=ROOT,
        env={**environ, "COLUMNS": "100", "NO_COLOR": "1", "PYTHON_COLORS": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    return re.sub(r"(?m)^(  -\w) [A-Z_]+, (--\S+ )", r"\1, \2", printed.stdout)


def commands() -> str:
    """The help of the program, then of each of its commands."""
    parts = ["## streamer\n\n" + streamer_help()]
    for name in command_names():
        parts.append(f"## streamer {name}\n\n{streamer_help(name)}")
        parts += [
            f"### streamer {name} {each}\n\n{streamer_help(name, each)}" for each in command_names(name)
        ]
    return "\n" + "\n".join(parts) + "\n"


def command_names(*command: str) -> list[str]:
    """The commands, of the program or of a command of it, in the order in which the help lists them."""
    listed = help_text(*command).partition("\ncommands:\n")[2].partition("\n\n")[0]
    return re.findall(r"^    ([a-z][a-z-]*)(?: {2,}|$)", listed, re.MULTILINE)


def decisions() -> str:
    """A list of the decisions' pages, by their titles."""
    pages = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    titles = [page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ") for page in pages]
    return "\n".join(f"- [{title}]({page.name})" for title, page in zip(titles, pages, strict=True)) + "\n"


def alerts() -> str:
    """The table of alerts."""
    from tools.alerts import table  # noqa: PLC0415 - as above

    return table()


@cache
def settled_capacity() -> str:
    """How much a commit's metadata can tell."""
    from tools.settled import table  # noqa: PLC0415 - as above

    return table()


def mapping(table: str) -> str:
    """A table of the mapping file."""
    from streamer.mapping import tables  # noqa: PLC0415 - as above

    return str(getattr(tables, table)())


def mapping_schema() -> str:
    """JSON Schema of the mapping file."""
    from streamer.mapping import json_schema  # noqa: PLC0415 - as above

    return json.dumps(json_schema(), indent=2) + "\n"


def reliability(part: str) -> str:
    """Figures of the last runs that were kept, as text or as a plot."""
    from tests.soak import figures  # noqa: PLC0415 - as above

    results = {
        "soak": (figures.soak_part, figures.SOAKED),
        "soak-plot": (figures.plot, figures.SOAKED),
        "faults": (figures.faults_part, figures.STRUCK),
        "simulation": (figures.simulation_part, figures.SIMULATED),
    }
    make, name = results[part]
    found = figures.kept(name)
    return make(found) if found is not None else "No run was kept yet: `ARGS=--write` keeps one.\n"


FILES: dict[str, Callable[[], str]] = {"docs/mapping.schema.json": mapping_schema}
"""Files that are generated as a whole."""

if (ROOT / "benchmarks/results/soak.json").exists():
    FILES["docs/reliability-soak.svg"] = lambda: reliability("soak-plot")

PARTS: dict[str, Callable[[], str]] = {
    "settings": settings,
    "metrics": metrics,
    "alerts": alerts,
    "commands": commands,
    "decisions": decisions,
    "log-lines": log_lines,
    "settled-capacity": settled_capacity,
    "acls": acls,
    "mapping-calls": lambda: mapping("calls_table"),
    "mapping-keys": lambda: mapping("keys_table"),
    "mapping-rules": lambda: mapping("default_rules_table"),
    "mapping-fields": lambda: mapping("planhat_fields_table"),
    "acl-commands": acl_commands,
    "skip-reasons": lambda: outcomes("SkipReason"),
    "invalid-reasons": lambda: outcomes("InvalidReason"),
    "fates": lambda: outcomes("Fate"),
    "transient-reasons": lambda: outcomes("TransientReason"),
    "ignored-reasons": lambda: outcomes("MarkIgnored", "streamer/records.py"),
    "soak": lambda: reliability("soak"),
    "faults": lambda: reliability("faults"),
    "simulation": lambda: reliability("simulation"),
    "hold-reasons": lambda: outcomes("HoldReason", "streamer/engine/ports.py"),
}


def renewed(page: str) -> str:
    """A page's text with its generated parts made anew."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return PART.sub(
        lambda part: f"<!-- generated: {part['name']} -->\n{PARTS[part['name']]()}<!-- end of generated -->",
        text,
    )


def stale() -> Iterator[str]:
    """Pages whose generated parts are out of step, and files that are."""
    for page in PAGES:
        if renewed(page) != (ROOT / page).read_text(encoding="utf-8"):
            yield page
    for name, make in FILES.items():
        path = ROOT / name
        if not path.exists() or make() != path.read_text(encoding="utf-8"):
            yield name


def main(action: str) -> int:
    """Write or check, and say what was found."""
    if action == "write":
        for page in PAGES:
            (ROOT / page).write_text(renewed(page), encoding="utf-8")
        for name, make in FILES.items():
            (ROOT / name).write_text(make(), encoding="utf-8")
        return 0
    found = list(stale())
    for page in found:
        print(f"{page}: what is generated of it is out of step; mend it with `make docs`")
    if not found:
        print(f"docs: {len(PAGES)} pages with generated parts are in step")
    return 1 if found else 0


if __name__ == "__main__":
    if sys.argv[1:] not in (["write"], ["check"]):
        raise SystemExit("usage: docs.py write | check")
    raise SystemExit(main(sys.argv[1]))
