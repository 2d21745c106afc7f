"""Rules for traits and properties, compiled once at start into what is cheap to look up per event.

A rule names a trait, where it goes and what it is made into. Order counts: where two traits go to one
field, the later rule wins.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple

from streamer.transform.choices import Flatten
from streamer.transform.planhat_fields import Kind
from streamer.transform.wildcards import Names


class Place(StrEnum):
    """Where a trait goes."""

    FIELD = "field"
    """A field of Planhat's own."""
    OTHER = "other"
    """`custom` of an enduser or a company, `info` of an activity: under any name."""
    METRIC = "metric"


class Target(NamedTuple):
    """One place for a trait."""

    place: Place
    name: str
    """The field, the key, or the metric's dimension."""
    kind: Kind = Kind.TEXT
    """What a field of Planhat's own holds; of the other places it says nothing."""


NAME: Final[tuple[str, ...]] = ("name",)
"""Of the fields that text is written to: it is stripped first, and nothing is written where none is left."""


class _Absent:
    """Says that there is no default: null could be one."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()


@dataclass(frozen=True, slots=True)
class TraitRule:
    """What becomes of one trait or property."""

    name: str
    """As the event spells it, or the path to it with dots between the keys."""
    targets: tuple[Target, ...] = ()
    """None: it is dropped."""
    kind: Kind | None = None
    """What its value is made into first."""
    default: Any = ABSENT
    """Stands for a null, and for a value that cannot be made into that kind."""

    @property
    def path(self) -> tuple[str, ...]:
        """The keys that lead to it where no trait has the whole as its name; one key is no path."""
        keys = tuple(self.name.split("."))
        return keys if len(keys) > 1 and all(keys) else ()


class Part(NamedTuple):
    """A rule for what lies within a trait that is an object, ready to be applied."""

    inner: str
    """The key in there."""
    deeper: tuple[str, ...]
    """The keys from there on."""
    fields: tuple[str, ...]
    """As a step's."""
    key: str
    """Where the value goes if no target can hold it."""
    taken: Mapping[str, Any]
    """What other rules take out of it, where it is an object; nothing, nearly always."""
    rule: TraitRule


class Step(NamedTuple):
    """A rule for a trait, or some for what lies within it, ready to be applied. Steps are taken in order."""

    name: str
    """The trait's key."""
    parts: tuple[Part, ...]
    """Rules for what lies within it; the step is then of no account for itself."""
    is_split: bool
    """Whether other steps have such rules: an object is then none of this step's business."""
    fields: tuple[str, ...]
    """Text fields of Planhat's own, where text needs nothing but to be written there: nearly always."""
    rule: TraitRule


Parts = Mapping[str, Any]
"""Keys of an object that rules take out of it: None, or the keys they take out of what is there."""


@dataclass(frozen=True, slots=True)
class TraitRules:
    """Everything that is ruled about the traits of one type of call."""

    rules: tuple[TraitRule, ...] = ()
    """In the order in which they apply."""
    references: frozenset[str] = frozenset()
    """Traits that name the user or the company: the call's own code looks at those that have no rule."""
    flatten: Flatten = Flatten.JOIN
    keeps_others: bool = True
    """Whether traits without a rule go to `custom` (`info`), under their own names."""
    metrics: Names | None = None
    """Traits that are pushed as metrics too where they are numbers; None: none of them."""

    named: frozenset[str] = field(init=False, repr=False, compare=False)
    """Keys of traits that are not simply others."""
    joins_others: bool = field(init=False, repr=False, compare=False)
    """Whether others go to `custom`, joined: nearly always."""
    steps: tuple[Step, ...] = field(init=False, repr=False, compare=False)
    """For events in which no trait's key is a path."""
    all_steps: tuple[Step, ...] = field(init=False, repr=False, compare=False)
    parts: Mapping[str, Parts] = field(init=False, repr=False, compare=False)
    """By the key of a trait, what rules take out of the object there."""
    rests: tuple[tuple[str, TraitRule | None, bool], ...] = field(init=False, repr=False, compare=False)
    """Where what is left of such an object goes: by a rule, or where others go. Not of a reference.

    And whether the trait has a rule of its own: what is no object goes where others go if it has none.
    """
    dropped: frozenset[str] = field(init=False, repr=False, compare=False)
    """Traits that go nowhere."""
    fills: tuple[TraitRule, ...] = field(init=False, repr=False, compare=False)
    """Rules with a default, for objects that are told whole: what is absent there is so for good."""
    touches_references: bool = field(init=False, repr=False, compare=False)
    """Whether a rule says where a trait goes that names the user or the company, or a part of it."""
    is_idle: bool = field(init=False, repr=False, compare=False)
    """Whether everything stays as it is, so that nothing needs to be looked at."""

    def __post_init__(self) -> None:
        parts: dict[str, dict[str, Any]] = {}
        for rule in self.rules:
            if rule.path:
                _take(parts.setdefault(rule.path[0], {}), rule.path[1:])
        own = {rule.name: rule for rule in self.rules}
        told = [name for name in parts if name in own or name not in self.references]
        put = object.__setattr__
        put(self, "named", frozenset((*own, *parts, *self.references)))
        put(self, "joins_others", self.keeps_others and self.flatten is Flatten.JOIN)
        put(self, "steps", _steps(self.rules, parts, with_paths=False))
        put(self, "all_steps", _steps(self.rules, parts, with_paths=True))
        put(self, "parts", parts)
        put(self, "rests", tuple((name, _for_objects(own.get(name)), name in own) for name in told))
        put(self, "dropped", frozenset(rule.name for rule in self.rules if not rule.targets))
        put(self, "fills", tuple(rule for rule in self.rules if rule.default is not ABSENT))
        put(self, "touches_references", not self.references.isdisjoint({*own, *parts}))
        is_untouched = self.keeps_others and not self.rules and self.metrics is None
        put(self, "is_idle", is_untouched and self.flatten is Flatten.NOT)

    @property
    def ruled(self) -> frozenset[str]:
        """Traits that have a rule of their own."""
        return frozenset(rule.name for rule in self.rules)


def _steps(rules: Sequence[TraitRule], split: Collection[str], *, with_paths: bool) -> tuple[Step, ...]:
    """The rules in their order; neighbours that look into the same object are one step.

    `with_paths`: also for traits whose key is the whole path; they come before what the path leads to.
    """
    steps: list[Step] = []
    for rule in rules:
        if rule.path:
            outer, inner, *deeper = rule.path
            texts = () if deeper else _texts(rule)
            part = Part(inner, tuple(deeper), texts, "_".join(rule.path), _taken_of(rule, rules), rule)
            if steps and steps[-1].name == outer and steps[-1].parts:
                part_of = steps.pop()
                steps.append(part_of._replace(parts=(*part_of.parts, part)))
            else:
                steps.append(Step(outer, (part,), False, (), rule))  # noqa: FBT003 - a row of a table
        if with_paths or not rule.path:
            steps.append(Step(rule.name, (), rule.name in split, _texts(rule), rule))
    return tuple(steps)


def _taken_of(rule: TraitRule, rules: Sequence[TraitRule]) -> dict[str, Any]:
    """What rules for paths that go on from this one take out of what it is for."""
    taken: dict[str, Any] = {}
    depth = len(rule.path)
    for other in rules:
        if len(other.path) > depth and other.path[:depth] == rule.path:
            _take(taken, other.path[depth:])
    return taken


def _texts(rule: TraitRule) -> tuple[str, ...]:
    """The fields that text is written to as it is, where there is nothing else to the rule."""
    names = tuple(target.name for target in rule.targets)
    is_text = all(target.place is Place.FIELD and target.kind is Kind.TEXT for target in rule.targets)
    if not is_text or rule.kind is not None or ("name" in names and len(names) > 1):
        return ()
    return NAME if names == NAME else names


def _for_objects(rule: TraitRule | None) -> TraitRule | None:
    """The rule of a trait as far as it is one for objects: fields of Planhat's own hold none."""
    if rule is None or rule.kind is not None or not rule.targets:
        return rule
    return None if all(target.place is Place.FIELD for target in rule.targets) else rule


def _take(parts: dict[str, Any], path: Sequence[str]) -> None:
    *between, last = path
    for key in between:
        if key in parts and parts[key] is None:
            return  # the whole of it is taken already
        parts = parts.setdefault(key, {})
    parts[last] = None
