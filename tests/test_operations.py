"""What the pages for operators calculate and tell to type: done again here, from the settings in force."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from streamer.config import Settings
from streamer.config.environment import UNSET
from streamer.engine.ports import HoldReason
from streamer.engine.pressure import Stage
from streamer.kafka.configuration import consumer_configuration, producer_configuration
from streamer.outcomes import Fate, SkipReason, TransientReason
from tools import docs

ROOT = Path(__file__).resolve().parent.parent
OPERATIONS = ROOT / "docs" / "operations.md"
PAGES = [path for path in sorted(ROOT.glob("docs/**/*.md")) if path.name != "commands.md"]
MIB = 1 << 20

BLOCK = re.compile(r"^```.*?\n(.*?)^```$|((?:^    .*\n)+)", re.DOTALL | re.MULTILINE)


def _id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _settings() -> Settings:
    """The defaults, whatever this machine's environment says."""
    return Settings.model_validate(UNSET)


def _rows(heading: str, page: Path = OPERATIONS) -> list[list[str]]:
    """The cells of the table whose first column has this heading."""
    text = page.read_text(encoding="utf-8")
    (table,) = re.findall(rf"^\| {re.escape(heading)} \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table.splitlines()]


def _number(text: str) -> int:
    """The first number of a cell."""
    found = re.match(r"[\d,]+", text)
    assert found is not None, text
    return int(found[0].replace(",", ""))


def _commands(page: Path) -> Iterator[list[str]]:
    """Every `streamer` command in the page's blocks of code, as its words."""
    for fenced, indented in BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in (fenced or indented).replace("\\\n", " ").splitlines():
            command = re.match(r"\s*(?:\$ )?(?:\S+=\S+ )*(?:\S*/)?streamer (?P<words>[a-z].*)", line)
            if command is not None:
                yield shlex.split(command["words"], comments=True)


@pytest.mark.parametrize("page", PAGES, ids=_id)
def test_commands_in_blocks_of_code_exist(page: Path) -> None:
    """A `streamer` command that a page tells to type is one, and has the options it is given."""
    for words in _commands(page):
        assert words[0] in docs.command_names(), words
        ours = words[: words.index("|")] if "|" in words else words
        inner = [word for word in ours[1:2] if docs.command_names(words[0])]
        assert set(inner) <= set(docs.command_names(words[0])), words
        for option in (word.partition("=")[0] for word in ours if word.startswith("--")):
            assert option in docs.help_text(words[0], *inner), words


def test_commands_are_found() -> None:
    """The search above finds what it is for."""
    found = list(_commands(ROOT / "docs" / "coming-from-segment.md"))
    assert ["check"] in found
    assert any(words[:2] == ["transform", "--json"] for words in found)


def test_the_quota_is_calculated_right() -> None:
    """Operations a second follow from replicas, calls and fill; full calls are those of the settings."""
    rows = _rows("replicas")
    for replicas, calls, fill, rate in rows:
        assert _number(rate) == _number(replicas) * _number(calls) * _number(fill) // 60
    settings = _settings()
    in_force = [settings.planhat_calls_per_minute, settings.bulk_items]
    assert [_number(cell) for cell in rows[0][1:3]] == in_force


def test_the_limits_of_requests_are_calculated_right() -> None:
    """So are what one request at a time, bytes and the analytics host come to."""
    text = " ".join(OPERATIONS.read_text(encoding="utf-8").split())
    settings = _settings()
    calls = 60 // 6
    assert f"6 s for a request, there are {calls} a minute whatever the budget" in text
    rate = calls * settings.bulk_items // 60
    assert f"{calls} x {settings.bulk_items:,} operations a minute are {rate} a second" in text
    each = settings.bulk_bytes // settings.bulk_items
    assert f"of 8 MiB hold {settings.bulk_items:,} operations of {each:,} bytes" in text
    workers, most = settings.activity_workers, settings.activity_bulk_items
    assert f"{workers} x {most:,} activities at 0.5 s a request are {workers * most * 2:,} a second" in text


def test_draining_is_calculated_right() -> None:
    """A backlog drains at what is delivered less what arrives."""
    for backlog, arrive, delivered, drained in _rows("backlog"):
        surplus = _number(delivered) - _number(arrive)
        if surplus <= 0:
            assert drained == "never"
            continue
        assert _number(drained) == _number(backlog) / surplus
        hours = re.search(r"\((\d+) hours\)", drained)
        assert hours is None or int(hours[1]) * 3600 == _number(drained)
        share = re.search(r"\((one|ten) hours? at (\d+) a second\)", backlog)
        if share is not None:
            assert {"one": 1, "ten": 10}[share[1]] * 3600 * int(share[2]) == _number(backlog)
            assert int(share[2]) == _number(arrive)


ENDUSER_BYTES = 435
MESSAGE_ID_BYTES = 140
"""What is remembered of each, as measured (0044)."""


def test_memory_is_calculated_right() -> None:
    """Each bound is the one in force, their sum is right, and k8s/base allows what is said."""
    settings = _settings()
    consumer, producer = consumer_configuration("b:1", "g"), producer_configuration("b:1")
    told = {what: _number(most) * MIB for what, most, _ in _rows("what")}
    *bounds, remembered, together = told.values()
    assert bounds == [
        settings.high_water_bytes,
        consumer["queued.max.messages.kbytes"] * 1024,
        producer["queue.buffering.max.kbytes"] * 1024,
        2 * settings.bulk_bytes,
    ]
    measured = settings.unchanged_endusers * ENDUSER_BYTES + settings.duplicates_window * MESSAGE_ID_BYTES
    assert abs(remembered - measured) < MIB
    assert sum([*bounds, remembered]) == together
    decided = (ROOT / "docs/decisions/0044-high-water-counts-what-is-held.md").read_text(encoding="utf-8")
    assert f"endusers ({ENDUSER_BYTES} bytes each) and messageIds ({MESSAGE_ID_BYTES})" in decided
    deployment = yaml.safe_load((ROOT / "k8s/base/deployment.yaml").read_text(encoding="utf-8"))
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["memory"] == "1Gi"
    assert "`k8s/base` allows 1 GiB" in OPERATIONS.read_text(encoding="utf-8")


def test_every_state_is_told() -> None:
    """Each stage of back-pressure has its row."""
    assert {stage.value for stage in Stage} <= {row[0] for row in _rows("state")}


@pytest.mark.parametrize(
    ("enum", "module"),
    [
        (Fate, "streamer/outcomes.py"),
        (SkipReason, "streamer/outcomes.py"),
        (TransientReason, "streamer/outcomes.py"),
        (HoldReason, "streamer/engine/ports.py"),
    ],
)
def test_reasons_mean_more_than_their_names(enum: type, module: str) -> None:
    """Every value that an operator meets has a sentence of its own."""
    rows = re.findall(r"^\| `(.+?)` \| (.+?) \|$", docs.outcomes(enum.__name__, module), re.MULTILINE)
    assert rows
    for value, meaning in rows:
        assert len(meaning.split()) > 2, value
