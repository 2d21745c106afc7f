"""The shape of a mapping file: every table and key of it, what may stand there, what does by default."""

from collections.abc import Callable
from math import isfinite
from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from streamer.mapping.targets import ACTIVITY, COMPANY, DROP, ENDUSER, Scope, target_of
from streamer.transform import defaults
from streamer.transform.planhat_fields import Kind
from streamer.transform.retyping import UNREADABLE, retyped
from streamer.transform.rules import Companies, Deletion

ONE, SEVERAL, TABLE, PROPERTY, NUMBER = TAGS = ("\0one", "\0several", "\0table", "\0property", "\0number")
"""What may stand in one place, told apart by type; pydantic tells of them as if they were keys."""


class Table(BaseModel):
    """A table that holds nothing but these keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


# --- values -----------------------------------------------------------------------------------------


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
                raise ValueError(f"{{{name}}} is not filled in here: only {names}")
        if not text.replace("{category}", "").strip():
            raise ValueError("an activity needs a name, also where the call has no category")
        return text

    return check


def _kind_of(value: object) -> str | None:
    if isinstance(value, str):
        return ONE
    if isinstance(value, list):
        return SEVERAL
    return TABLE if isinstance(value, dict | Table) else None


def _weight_kind(value: object) -> str | None:
    if isinstance(value, str):
        return PROPERTY
    return NUMBER if isinstance(value, int | float) and not isinstance(value, bool) else None


def _finite(value: float) -> float:
    if not isfinite(value) or abs(value) >= 2**63:
        raise ValueError("must be a finite number of at most 64 bits")
    return value


Name = Annotated[str, AfterValidator(_name)]
Pattern = Annotated[str, AfterValidator(_pattern)]
EventAction = Annotated[str, AfterValidator(_template("event"))]
PageAction = Annotated[str, AfterValidator(_template("category", "name"))]
UnnamedAction = Annotated[str, AfterValidator(_template("category"))]
Weight = Annotated[
    Annotated[Name, Tag(PROPERTY)] | Annotated[float, AfterValidator(_finite), Tag(NUMBER)],
    Discriminator(
        _weight_kind,
        custom_error_type="weight",
        custom_error_message="must be the name of a property, or a number",
    ),
]
Unlisted = Literal["custom", "drop"]
UnlistedInfo = Literal["info", "drop"]
Flattening = Literal["join", "text", "drop"]


# --- rules -------------------------------------------------------------------------------------------


def _goes(scope: Scope) -> AfterValidator:
    """Takes a target in this scope."""

    def check(text: str) -> str:
        target_of(text, scope)
        return text

    return AfterValidator(check)


def _goes_or_drops(scope: Scope) -> AfterValidator:
    """Takes a target in this scope, or the word for none."""

    def check(text: str) -> str:
        if text != DROP:
            target_of(text, scope)
        return text

    return AfterValidator(check)


def _spelled(scope: Scope, *more: str) -> WithJsonSchema:
    """What an editor offers there."""
    fields = [*sorted(scope.fields), *more]
    named = {"type": "string", "pattern": f"^({scope.other}:.*\\S.*|metric:[A-Za-z0-9_-]{{1,100}})$"}
    return WithJsonSchema({"anyOf": [{"enum": fields}, named]} if fields else named)


class RuleTable(Table):
    """A rule with more to say than where a trait goes."""

    type: Kind | None = Field(default=None, description="What the value is made into.")
    default: Annotated[Any, WithJsonSchema({"type": ["string", "number", "boolean", "array"]})] = Field(
        default=None, description="Stands for a null, and for a value that cannot be made into that type."
    )

    @field_validator("default")
    @classmethod
    def _of_its_type(cls, value: object, info: ValidationInfo) -> object:
        kind = info.data.get("type")
        if not isinstance(value, str | int | float | bool | list):
            raise ValueError("must be text, a number, true, false or a list")  # noqa: TRY004 - pydantic's way
        if isinstance(value, float) and not isfinite(value):
            raise ValueError("must be a finite number")
        if isinstance(value, list) and any(isinstance(each, dict | list) for each in value):
            raise ValueError("a list holds text, numbers, true and false")
        if kind is not None and retyped(kind, value) is UNREADABLE:
            raise ValueError(f"is no {kind}, which is what type says")
        return value


def _several_kind(value: object) -> str | None:
    kind = _kind_of(value)
    return kind if kind != TABLE else None


_SEVERAL = Discriminator(
    _several_kind, custom_error_type="targets", custom_error_message="must be a target, or a list of them"
)
_RULE = Discriminator(
    _kind_of,
    custom_error_type="rule",
    custom_error_message="must be a target, a list of them, or a table with `to`",
)
_FEW = Field(min_length=1, max_length=10)

EnduserTarget = Annotated[str, _goes(ENDUSER), _spelled(ENDUSER)]
CompanyTarget = Annotated[str, _goes(COMPANY), _spelled(COMPANY)]
ActivityTarget = Annotated[str, _goes(ACTIVITY), _spelled(ACTIVITY)]
EnduserTargets = Annotated[list[EnduserTarget], _FEW, Tag(SEVERAL)]
CompanyTargets = Annotated[list[CompanyTarget], _FEW, Tag(SEVERAL)]
ActivityTargets = Annotated[list[ActivityTarget], _FEW, Tag(SEVERAL)]


class EnduserRule(RuleTable):
    """A rule for a trait of an enduser."""

    to: Annotated[Annotated[EnduserTarget, Tag(ONE)] | EnduserTargets, _SEVERAL]


class CompanyRule(RuleTable):
    """A rule for a trait of a company."""

    to: Annotated[Annotated[CompanyTarget, Tag(ONE)] | CompanyTargets, _SEVERAL]


class ActivityRule(RuleTable):
    """A rule for a property of an activity."""

    to: Annotated[Annotated[ActivityTarget, Tag(ONE)] | ActivityTargets, _SEVERAL]


EnduserRules = dict[
    Name,
    Annotated[
        Annotated[str, _goes_or_drops(ENDUSER), _spelled(ENDUSER, DROP), Tag(ONE)]
        | EnduserTargets
        | Annotated[EnduserRule, Tag(TABLE)],
        _RULE,
    ],
]
CompanyRules = dict[
    Name,
    Annotated[
        Annotated[str, _goes_or_drops(COMPANY), _spelled(COMPANY, DROP), Tag(ONE)]
        | CompanyTargets
        | Annotated[CompanyRule, Tag(TABLE)],
        _RULE,
    ],
]
ActivityRules = dict[
    Name,
    Annotated[
        Annotated[str, _goes_or_drops(ACTIVITY), _spelled(ACTIVITY, DROP), Tag(ONE)]
        | ActivityTargets
        | Annotated[ActivityRule, Tag(TABLE)],
        _RULE,
    ],
]

# --- tables ------------------------------------------------------------------------------------------


class Calls(Table):
    """What becomes of the types of call that Segment's own destination leaves out."""

    screen: Literal["skip", "activity"] = Field(
        default="skip", description="screen calls: `skip`, or as page calls."
    )
    delete: Deletion = Field(
        default=Deletion.SKIP, description="delete calls: `skip`, or `archive` or `delete` the enduser."
    )


class Events(Table):
    """Track calls that are told, by the event's name; * and ? are wildcards, case counts."""

    allow: list[Pattern] = Field(default=["*"], description="Events that are told.")
    deny: list[Pattern] = Field(default=[], description="Events that are not, whatever allows them.")


class Identify(Table):
    """What becomes of a user's traits."""

    unlisted: Unlisted = Field(default="custom", description="Traits without a rule: to `custom`, or `drop`.")
    flatten: Flattening = Field(
        default="join", description="Objects: a field for each part (`join`), JSON `text`, or `drop`."
    )
    companies: Companies = Field(
        default=Companies.FIRST,
        description="Of traits.companies: the `first`, or an enduser in `all`.",
    )
    metrics: list[Pattern] = Field(
        default=[],
        description="Numbers among the traits that are metrics of the enduser, too.",
    )
    traits: EnduserRules = Field(default={}, description="Rules by name, or by the path.")


class Group(Table):
    """What becomes of a company's traits."""

    unlisted: Unlisted = Field(default="custom", description="Traits without a rule: to `custom`, or `drop`.")
    flatten: Flattening = Field(
        default="join", description="Objects: a field for each part (`join`), JSON `text`, or `drop`."
    )
    metrics: list[Pattern] = Field(
        default=[],
        description="Numbers among the traits that are metrics of the company, too.",
    )
    traits: CompanyRules = Field(default={}, description="Rules by name, or by the path.")


class Event(Table):
    """What is different for the events of this name; what is not said is as in [track]."""

    skip: StrictBool = Field(default=False, description="Whether they are not told.")
    action: EventAction | None = Field(default=None, description="What the activity is called.")
    weight: Weight | None = Field(default=None, description="The property with the weight, or a number.")
    unlisted: UnlistedInfo | None = Field(default=None, description="Properties without a rule.")
    properties: ActivityRules = Field(default={}, description="Rules by name, or by the path.")


class Track(Table):
    """What becomes of a track call."""

    action: EventAction = Field(default=defaults.TRACK.action, description="What the activity is called.")
    weight: Weight = Field(default="weight", description="The property with the weight, or a number.")
    unlisted: UnlistedInfo = Field(
        default="info", description="Properties without a rule: to `info`, or `drop`."
    )
    properties: ActivityRules = Field(default={}, description="Rules by name, or by the path.")
    events: dict[Pattern, Event] = Field(
        default={}, description="By the event's name; * and ? are wildcards, and the most exact name counts."
    )


class Page(Table):
    """What becomes of a page call."""

    action_named: PageAction = Field(default=defaults.PAGE.action, description="What the activity is called.")
    action_unnamed: UnnamedAction = Field(
        default=defaults.PAGE.action_unnamed, description="The same where the page has no name."
    )
    weight: Weight = Field(default="weight", description="The property with the weight, or a number.")
    unlisted: UnlistedInfo = Field(
        default="info", description="Properties without a rule: to `info`, or `drop`."
    )
    properties: ActivityRules = Field(default={}, description="Rules by name, or by the path.")


class Screen(Page):
    """What becomes of a screen call, where `calls.screen` makes it an activity."""

    action_named: PageAction = Field(
        default=defaults.SCREEN.action,
        description="What the activity is called.",
    )
    action_unnamed: UnnamedAction = Field(
        default=defaults.SCREEN.action_unnamed, description="The same where the screen has no name."
    )


class MappingFile(Table):
    """The whole file; whatever is absent is as in the defaults."""

    version: Literal[1] = Field(default=1, description="Of the format.")
    calls: Calls = Calls()
    events: Events = Events()
    identify: Identify = Identify()
    group: Group = Group()
    track: Track = Track()
    page: Page = Page()
    screen: Screen = Screen()


def json_schema() -> dict[str, Any]:
    """JSON Schema of the file, for editors."""
    schema = MappingFile.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "streamer's mapping file",
    }


def table_at(path: tuple[str | int, ...]) -> type[Table]:
    """The table that stands at this place of the file, where one does."""
    match path:
        case ("identify", "traits", _):
            return EnduserRule
        case ("group", "traits", _):
            return CompanyRule
        case ("track", "events", _):
            return Event
        case (_, "properties", _) | ("track", "events", _, "properties", _):
            return ActivityRule
        case (str(name),):
            found = type(getattr(MappingFile(), name, None))
            return found if issubclass(found, Table) else MappingFile
        case _:
            return MappingFile
