"""What a reason means, in the sentence that stands under it where it is declared: the docs' own source."""

import ast
import inspect
from enum import StrEnum
from functools import cache


@cache
def meanings(words: type[StrEnum]) -> dict[str, str]:
    """The sentence under each member of an enum, by its value; members without one are left out."""
    body = ast.parse(inspect.getsource(words)).body[0]
    found: dict[str, str] = {}
    if isinstance(body, ast.ClassDef):
        for member, sentence in zip(body.body, body.body[1:], strict=False):
            match member, sentence:
                case (
                    ast.Assign(value=ast.Constant(value=str(value))),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    found[value] = " ".join(text.split())
    return found
