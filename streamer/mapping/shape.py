"""The shape of a mapping file: every table and key of it, what may stand there, what does by default."""

import sys
from math import isfinite
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
from pydantic.config import JsonDict

from streamer.mapping.targets import ACTIVITY, COMPANY, DROP, ENDUSER, Scope, target_of
from streamer.mapping.values import (
    ONE,
    SEVERAL,
    TABLE,
    EventAction,
    Flattening,
    Name,
    PageAction,
    Pattern,
    Unlisted,
    UnlistedInfo,
    UnnamedAction,
    Version,
    Weight,
)
from streamer.transform import defaults
from streamer.transform.choices import Companies, Deletion
from streamer.transform.planhat_fields import Kind
from streamer.transform.retyping import UNREADABLE, retyped

_LARGEST = sys.float_info.max


class Table(BaseModel):
    """A table that holds nothing but these keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


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
    free = r"(?!messageId$)\s*\S[\s\S]*" if scope is ACTIVITY else r"(?!\$)\s*[^\s.\x00][^.\x00]*"
    named = {"type": "string", "pattern": f"^({scope.other}:{free}|metric:[A-Za-z0-9_-]{{1,100}})$"}
    return WithJsonSchema({"anyOf": [{"enum": fields}, named]} if fields else named)


_SCALAR = {"type": ["string", "number", "boolean"], "minimum": -_LARGEST, "maximum": _LARGEST}
_DEFAULT = {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR}]}


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | int | float) and not (isinstance(value, float) and not isfinite(value))


class RuleTable(Table):
    """A rule with more to say than where a trait goes."""

    type: Kind | None = Field(default=None, description="What the value is made into.")
    default: Annotated[Any, WithJsonSchema(_DEFAULT)] = Field(
        default=None, description="Stands for a null, and for a value that cannot be made into that type."
    )

    @field_validator("default")
    @classmethod
    def _of_its_type(cls, value: object, before: ValidationInfo) -> object:
        kind = before.data.get("type")
        if not isinstance(value, str | int | float | bool | list):
            raise ValueError("must be text, a number, true, false or a list")  # noqa: TRY004 - pydantic's way
        if isinstance(value, list) and not all(map(_is_scalar, value)):
            raise ValueError("a list holds text, finite numbers, true and false")
        if not isinstance(value, list) and not _is_scalar(value):
            raise ValueError("must be a finite number")
        if kind is not None and retyped(kind, value) is UNREADABLE:
            raise ValueError(f"is no {kind}, which is what type says")
        return value


def _kind_of(value: object) -> str | None:
    if isinstance(value, str):
        return ONE
    if isinstance(value, list):
        return SEVERAL
    return TABLE if isinstance(value, dict | Table) else None


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


_ARCHIVES_ONE_OF_SEVERAL: JsonDict = {
    "required": ["calls", "identify"],
    "properties": {
        "calls": {"required": ["delete"], "properties": {"delete": {"const": "archive"}}},
        "identify": {"required": ["companies"], "properties": {"companies": {"const": "all"}}},
    },
}


class MappingFile(Table):
    """The whole file; whatever is absent is as in the defaults."""

    model_config = ConfigDict(json_schema_extra={"not": _ARCHIVES_ONE_OF_SEVERAL})

    version: Version = Field(default=1, description="Of the format.")
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
    _close(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "streamer's mapping file",
    }


def _close(schema: object) -> None:
    """Where names are checked, no other name may stand: pydantic says nothing of those that do not match."""
    if isinstance(schema, dict):
        if "patternProperties" in schema:
            schema["additionalProperties"] = False
        for each in schema.values():
            _close(each)
    elif isinstance(schema, list):
        for each in schema:
            _close(each)


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
