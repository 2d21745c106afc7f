"""What `make wheel-compiled` compiles; how, on a few lines: tests/deploy/test_image_build.py."""

import ast
from pathlib import Path

from tools.compiling import INTERPRETED, modules

ROOT = Path(__file__).resolve().parent.parent


def test_what_is_named_is_there() -> None:
    """Every module left out is one of the engine's, and every one compiled a file."""
    engine = {path.stem for path in (ROOT / "streamer" / "engine").glob("*.py")}
    compiled = modules(ROOT)

    assert engine >= INTERPRETED
    assert all((ROOT / path).is_file() for path in compiled)
    assert {Path(path).stem for path in compiled if "/engine/" in path} == engine - INTERPRETED


def test_no_class_with_keywords_is_compiled() -> None:
    """What compiles drops them without a word: a frozen struct would be one that anybody can write to."""
    classes = [
        (path, node)
        for path in modules(ROOT)
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    ]

    assert len(classes) > 10
    assert [f"{path}: {node.name}" for path, node in classes if node.keywords] == []


def test_constants_of_what_is_compiled_are_final() -> None:
    """Others are looked up by name in a dict at each use: 140 instructions, with every event."""
    constants = [
        (path, target.id, isinstance(node, ast.AnnAssign) and "Final" in ast.unparse(node.annotation))
        for path in modules(ROOT)
        for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        # Types by another name are in capital and small letters.
        if isinstance(target, ast.Name) and (target.id.isupper() or target.id.islower())
    ]

    assert len(constants) > 100
    assert [f"{path}: {name}" for path, name, is_final in constants if not is_final] == []
