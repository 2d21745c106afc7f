"""Runbooks are real: each alert has one, and what they tell the reader to type exists."""

import re
import shlex
from pathlib import Path

import pytest

from streamer.config import Settings, variable_name
from streamer.logs.observer import ADVICE
from streamer.outcomes import InvalidReason
from tests.monitoring import runbooks
from tests.monitoring.series import known_series, series_of
from tools import alerts, docs

ROOT = runbooks.ROOT
OTHER_PROGRAMS = {
    "kubectl",
    "kafka-configs.sh",
    "kafka-consumer-groups.sh",
    "kafka-topics.sh",
}
PAGES = runbooks.pages()


def _planned() -> set[str]:
    """Commands that the design lists as not built yet: their options cannot be looked up."""
    design = (ROOT / "docs" / "design.md").read_text(encoding="utf-8").partition("## Not built yet")[2]
    listed = re.search(r"- Commands: (.+)", design)
    return set(re.findall(r"`([a-z-]+)`", listed[1])) if listed else set()


def _commands(page: Path) -> list[str]:
    return [line for block in runbooks.blocks(page) if block.kind != "promql" for line in block.lines]


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    """Pages are named after alerts; none is missing, none is left over."""
    assert [page.stem for page in PAGES] == sorted({rule["alert"] for rule in alerts.alerts()})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_runbook_answers_what_is_asked_at_night(page: Path) -> None:
    """Meaning, impact, diagnosis, mitigation, whom to call: in this order, none of them empty."""
    parts = re.split(r"^## (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)

    assert parts[0].strip() == f"# {page.stem}"
    assert parts[1::2] == ["Meaning", "Impact", "Diagnosis", "Mitigation", "Escalate"]
    assert all(len(part.split()) > 10 for part in parts[2::2])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_blocks_say_what_they_are_for(page: Path) -> None:
    """Every block is PromQL, or commands that look, repair or verify; and something can be looked at."""
    kinds = {block.kind for block in runbooks.blocks(page)}

    assert kinds <= set(runbooks.KINDS)
    assert {"promql", "sh look"} <= kinds


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_promql_asks_for_what_is_there(page: Path) -> None:
    """Each line of PromQL parses, and asks for series that a scrape or the rules give."""
    for block in runbooks.blocks(page):
        for line in block.lines if block.kind == "promql" else ():
            asked = series_of(line)
            assert asked, line
            assert asked <= known_series(), line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_exist(page: Path) -> None:
    """Each command is one of ours, with options that its help names, or one of a few well-known programs."""
    for command in _commands(page):
        program, *words = shlex.split(command)
        if program != "streamer":
            assert program in OTHER_PROGRAMS, command
            continue
        path = [word for word in words[:2] if re.fullmatch(r"[a-z][a-z-]+", word)]
        if path[0] in _planned():
            continue
        assert path[0] in docs.command_names(), command
        options = {word.partition("=")[0] for word in words if word.startswith("--")}
        told = set(re.findall(r"--[a-z][a-z-]*", docs.help_text(*path)))
        assert options <= told, command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_placeholders_are_explained(page: Path) -> None:
    """Whatever the reader must replace is listed on the page of alerts."""
    asked = {word for command in _commands(page) for word in runbooks.placeholders(command)}
    explained = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")

    assert asked <= set(runbooks.PLACEHOLDERS)
    assert all(f"`{word}`" in explained for word in asked)


def test_settings_in_commands_are_settings() -> None:
    """A variable that a repair sets is one that streamer reads."""
    set_by = {
        name
        for page in PAGES
        for command in _commands(page)
        for name in re.findall(r"\b(STREAMER_[A-Z_]+)=", command)
    }
    assert set_by
    assert set_by <= {variable_name(field) for field in Settings.model_fields}


def test_commands_that_the_log_advises_exist() -> None:
    """What a hold's line tells to type is a command with options that its help names."""
    typed = [command for text in ADVICE.values() for command in re.findall(r"`(streamer [^`]+)`", text)]

    assert typed
    for command in typed:
        _, name, *words = shlex.split(command)
        told = set(re.findall(r"--[a-z][a-z-]*", docs.help_text(name)))
        assert {word for word in words if word.startswith("--")} <= told, command


def test_the_dead_letters_page_names_reasons_that_exist() -> None:
    """Each reason in its table is one a letter can have."""
    text = (runbooks.RUNBOOKS / "StreamerDeadLettersRising.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    named = {reason for row in rows for reason in re.findall(r"`([a-z_]+)`", row)}

    assert named
    assert named <= set(InvalidReason)


def test_a_command_is_filled_in_whole() -> None:
    """Capitals that stand alone are replaced, variables are not; a word that is not given is an error."""
    command = (
        "kubectl --namespace NAMESPACE set env deployment/streamer STREAMER_START=latest TOPIC.dead-letters"
    )

    assert runbooks.filled(command, {"NAMESPACE": "acme", "TOPIC": "t"}) == (
        "kubectl --namespace acme set env deployment/streamer STREAMER_START=latest t.dead-letters"
    )
    assert runbooks.placeholders(command) == {"NAMESPACE", "TOPIC"}
    with pytest.raises(KeyError, match="TOPIC"):
        runbooks.filled(command, {"NAMESPACE": "acme"})
