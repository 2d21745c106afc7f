"""The house: who may import whom, what things are called, how large they grow."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "streamer"

OWNERS = {
    "confluent_kafka": {"kafka", "standins"},
    "httpx": {"planhat", "avro"},
    "fastavro": {"avro"},
    "prometheus_client": {"metrics", "server"},
    "aiohttp": {"standins"},
    "opentelemetry": {"tracing"},
    "structlog": {"logs"},
    "rich": {"cli", "local", "standins"},
    "pydantic": {"config", "mapping"},
    "msgspec": {"avro", "events", "letters", "local", "planhat", "standins", "transform"},
}
"""The rooms that may import each outside library; one that is not here has no room yet."""

DRAWERS = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "manager",
    "managers",
    "base",
    "misc",
    "tools",
    "lib",
}
"""Names that say nothing of what is inside."""

BANNED = {
    "message", "payload", "item", "data", "info", "obj", "process", "handle", "manager", "helper", "util",
}  # fmt: skip
"""Not names of ours (docs/design.md, Words)."""

FOREIGN = {
    ("streamer/transform/operations.py", "info"): "the field of Planhat's activity",
    ("streamer/planhat/activity_item.py", "info"): "the same, as it is written",
    ("streamer/config/values.py", "INFO"): "the log level",
    ("streamer/logs/events.py", "INFO"): "the log level",
    ("streamer/standins/planhat/rows.py", "info"): "the field of Planhat's activity",
}
"""Places where a banned word is somebody else's spelling, each with the reason."""

LARGEST_FILE_LINES = 400
"""Reviews aim at 250; this is where a file has certainly become two."""


class Name(NamedTuple):
    """A name that our code gives to something, and where."""

    path: str
    line: int
    text: str


def _sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _rooms() -> set[str]:
    """The modules and packages directly under `streamer`."""
    rooms = {path.stem for path in PACKAGE.glob("*.py")} | {
        path.parent.name for path in PACKAGE.glob("*/__init__.py")
    }
    return rooms - {"__init__"}


def _contracts() -> list[dict[str, Any]]:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts: list[dict[str, Any]] = pyproject["tool"]["importlinter"]["contracts"]
    return contracts


def _names(path: Path) -> Iterator[Name]:
    """Every name that a file gives: functions, classes, arguments, variables, fields, aliases."""
    for node in ast.walk(_tree(path)):
        texts: list[str] = []
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            texts = [node.name]
        elif isinstance(node, ast.arg):
            texts = [node.arg]
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            texts = [node.id]
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            texts = [node.attr]
        elif isinstance(node, ast.alias) and node.asname:
            texts = [node.asname]
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            texts = [node.name]
        line = getattr(node, "lineno", 0)
        yield from (Name(_relative(path), line, text) for text in texts)


def _imported_libraries(path: Path) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules = [node.module]
        for module in modules:
            library = module.partition(".")[0]
            if library not in sys.stdlib_module_names and library != "streamer":
                yield library


def _room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_import_contracts_hold() -> None:
    """Every import contract of pyproject.toml is kept."""
    linted = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_every_room_has_a_layer() -> None:
    """The contract of layers names every room of the package, and only rooms that are there."""
    (layers,) = (contract["layers"] for contract in _contracts() if contract["type"] == "layers")
    named = {room.strip().removeprefix("streamer.") for layer in layers for room in layer.split("|")}

    assert named == _rooms()


def test_every_library_has_its_room() -> None:
    """An outside library is imported in the rooms that own it and nowhere else."""
    strangers = [
        f"{_relative(path)} imports {library}"
        for path in _sources()
        for library in _imported_libraries(path)
        if _room_of(path) not in OWNERS.get(library, set())
    ]
    assert strangers == []


@pytest.mark.parametrize(
    "library", ["confluent_kafka", "httpx", "fastavro", "prometheus_client", "aiohttp", "opentelemetry"]
)
def test_contracts_name_every_room_that_is_not_the_owner(library: str) -> None:
    """The contract of a library forbids it to every room but its owners: a new room is not forgotten."""
    (contract,) = (contract for contract in _contracts() if contract.get("forbidden_modules") == [library])
    forbidden = {module.removeprefix("streamer.") for module in contract["source_modules"]}

    assert forbidden == _rooms() - OWNERS[library]


def test_no_drawers() -> None:
    """No module is called utils or the like: a name says what is inside."""
    named = {path.stem for path in _sources()} | {path.parent.name for path in _sources()}

    assert named & DRAWERS == set()


def test_words_of_the_glossary() -> None:
    """Nothing of ours bears a name that the glossary bans, save where the word is somebody else's."""
    banned = [
        f"{name.path}:{name.line}: {name.text}"
        for path in _sources()
        for name in _names(path)
        if name.text.strip("_").lower() in BANNED and (name.path, name.text) not in FOREIGN
    ]
    assert banned == []


def test_exceptions_to_the_glossary_are_needed() -> None:
    """An exception to the glossary stands only as long as its word does."""
    used = {(name.path, name.text) for path in _sources() for name in _names(path)}

    assert FOREIGN.keys() <= used


def test_files_stay_small() -> None:
    """No source file has outgrown what a reader can hold."""
    grown = {_relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in _sources()}

    assert {path: lines for path, lines in grown.items() if lines > LARGEST_FILE_LINES} == {}


def test_only_config_reads_the_environment() -> None:
    """No room but config takes settings from the process environment."""
    readers = [
        f"{_relative(path)}:{node.lineno}"
        for path in _sources()
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Attribute)
        and node.attr in {"environ", "getenv", "environb"}
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        and _room_of(path) != "config"
    ]
    assert readers == []


def test_every_test_says_its_law() -> None:
    """Every test function has a docstring."""
    silent = [
        f"{_relative(path)}:{node.lineno}: {node.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def test_strangers_are_seen(tmp_path: Path) -> None:
    """The walk over names and imports sees each way in which a name is given."""
    source = tmp_path / "sample.py"
    source.write_text(
        "import json as a, yaml\nfrom httpx import Client\n"
        "class B:\n    c: int = 1\n    def d(self, e, *f, **g):\n        self.h = 1\n"
        "        for i in f: pass\n        with e as j: pass\n        k, l = g\n"
        "        try: pass\n        except OSError as m: pass\n        [n for n in f]\n",
        encoding="utf-8",
    )
    given = {name.text for name in _names(source)}

    assert given == set("aBcdefghijklmn") | {"self"}
    assert list(_imported_libraries(source)) == ["yaml", "httpx"]
