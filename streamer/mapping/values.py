"""What may stand at a key of a mapping file, but for rules: read by pydantic, told to editors."""

from collections.abc import Callable
from math import isfinite
from string import Formatter
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Tag, WithJsonSchema

ONE, SEVERAL, TABLE, PROPERTY, NUMBER = TAGS = ("\0one", "\0several", "\0table", "\0property", "\0number")
"""What may stand in one place, told apart by type; pydantic tells of them as if they were keys."""


def _name(text: str) -> str:
    if not text.strip():
        raise ValueError("a name is missing")
    return text


def _pattern(text: str) -> str:
    if "**" in _name(text):
        raise ValueError("** is no wildcard: * stands for any text, ? for one character")
    if any(not each.isprintable() for each in text):
        raise ValueError("holds a character that cannot be printed")
    return text


def _template(*known: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        names = ", ".join(f"{{{each}}}" for each in known)
        try:
            parts = list(Formatter().parse(text))
        except ValueError:
            raise ValueError(
                f"a brace stands alone: write {{{{ or }}}} for one; {names} are filled in"
            ) from None
        for _, name, spec, conversion in parts:
            if name is not None and (name not in known or spec or conversion):
                written = name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
                raise ValueError(f"{{{written}}} is not filled in here: only {names}")
        if not text.replace("{category}", "").strip():
            raise ValueError("an activity needs a name, also where the call has no category")
        return text

    return check


def _weight_kind(value: object) -> str | None:
    if isinstance(value, str):
        return PROPERTY
    return NUMBER if isinstance(value, int | float) and not isinstance(value, bool) else None


def _finite(value: float) -> float:
    if not isfinite(value) or abs(value) >= 2**63:
        raise ValueError("must be a finite number of at most 64 bits")
    return value


def _no_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be 1")  # noqa: TRY004 - pydantic's way; it takes true for 1
    return value


def _like(pattern: str) -> WithJsonSchema:
    """Text as the reader's own functions want it, said to editors."""
    return WithJsonSchema({"type": "string", "pattern": pattern})


def _action(*known: str) -> tuple[AfterValidator, WithJsonSchema]:
    """The name of an activity, in which these are filled in; the category alone is no name."""
    parts = "|".join(["[^{}]", r"\{\{", r"\}\}", *(rf"\{{{each}\}}" for each in known)])
    telling = "|".join(
        [r"[^{}\s]", r"\{\{", r"\}\}", *(rf"\{{{each}\}}" for each in known if each != "category")]
    )
    return AfterValidator(_template(*known)), _like(f"^(?:{parts})*(?:{telling})(?:{parts})*$")


Version = Annotated[Literal[1], BeforeValidator(_no_boolean)]
Name = Annotated[str, AfterValidator(_name), _like(r"\S")]
Pattern = Annotated[str, AfterValidator(_pattern), _like(r"^(?!.*\*\*)(?=.*\S)[^\x00-\x1f\x7f]*$")]
EventAction = Annotated[str, *_action("event")]
PageAction = Annotated[str, *_action("category", "name")]
UnnamedAction = Annotated[str, *_action("category")]
Number = Annotated[
    float,
    AfterValidator(_finite),
    WithJsonSchema({"type": "number", "exclusiveMinimum": -(2**63), "exclusiveMaximum": 2**63}),
]
Weight = Annotated[
    Annotated[Name, Tag(PROPERTY)] | Annotated[Number, Tag(NUMBER)],
    Discriminator(
        _weight_kind,
        custom_error_type="weight",
        custom_error_message="must be the name of a property, or a number",
    ),
]
Unlisted = Literal["custom", "drop"]
UnlistedInfo = Literal["info", "drop"]
Flattening = Literal["join", "text", "drop"]
