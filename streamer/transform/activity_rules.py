"""Rules for activities, compiled once at start: what they are called, what they weigh, what they carry."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from string import Formatter
from typing import Final

from streamer.events.calls import JsonDict, Page, Screen, Track
from streamer.transform.choices import Flatten
from streamer.transform.encoding import Number, scalar
from streamer.transform.retyping import UNREADABLE, number_of
from streamer.transform.trait_rules import TraitRules
from streamer.transform.wildcards import Names, has_wildcard

AMOUNTS: Final = frozenset({"revenue", "value"})
"""Properties of Segment's that hold an amount of money: text is read as one, too."""
_ORDERED: Final = re.compile(r"[ _]?(?:completed[ _]?order|order[ _]?completed)[ _]?", re.IGNORECASE)

_Values = Callable[[str | None, str | None], tuple[str | None, ...]]
_Form = tuple[str, _Values | None]
_VALUES: Final[dict[tuple[str, ...], _Values]] = {
    (): lambda _name, _category: (),
    ("name",): lambda name, _category: (name,),
    ("category",): lambda _name, category: (category,),
    ("category", "name"): lambda name, category: (category, name),
    ("name", "category"): lambda name, category: (name, category),
}

AS_THEY_ARE: Final = TraitRules(flatten=Flatten.NOT)
"""Properties stay as they are."""


@dataclass(frozen=True, slots=True)
class Weight:
    """How much an activity counts: Planhat's default of 1, unless a property or a rule says otherwise."""

    property: str | None = "weight"
    """The property that holds it; None: it is `fixed`."""
    fixed: Number = 1
    """Where there is no such property."""
    is_amount: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_amount", self.property in AMOUNTS)

    def of(self, value: object, properties: JsonDict, call: Track | Page | Screen) -> Number:
        """What this value of the property weighs: a finite number (0 is one), else 1.

        Only amounts are read from text, such as "$12.50".
        """
        if self.is_amount:
            if value is None and self.property == "revenue" and _is_order(call):
                value = properties.get("total")
            amount = UNREADABLE if isinstance(value, bool) else number_of(value)
            return 1 if amount is UNREADABLE else amount
        if value is None or isinstance(value, bool) or not isinstance(value, int | float):
            return 1
        number = scalar(value)
        return number if isinstance(number, int | float) else 1


def _is_order(call: Track | Page | Screen) -> bool:
    """Whether it is the order of Segment's commerce events, whose revenue may be called `total`."""
    return isinstance(call, Track) and _ORDERED.fullmatch(call.event) is not None


@dataclass(frozen=True, slots=True)
class ActivityRules:
    """Everything that is ruled about one kind of activity."""

    action: str = "{event}"
    """Its name: `{event}`, or for pages `{name}` and `{category}`, stand for what the call says."""
    action_unnamed: str = ""
    """Of a page without a name."""
    weight: Weight = Weight()
    properties: TraitRules = AS_THEY_ARE
    is_skipped: bool = False

    is_event: bool = field(init=False, repr=False, compare=False)
    """Whether the activity of a track call is named as its event is."""
    _usual: str | None = field(init=False, repr=False, compare=False)
    """For pages with name and category, where the category comes first, as it does by default."""
    _forms: tuple[_Form, _Form, _Form, _Form] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        named = (self.action, _without_category(self.action))
        unnamed = (self.action_unnamed, _without_category(self.action_unnamed))
        forms = tuple(map(_form, named + unnamed))
        put = object.__setattr__
        put(self, "_forms", forms)
        put(self, "_usual", forms[0][0] if forms[0][1] is _VALUES["category", "name"] else None)
        put(self, "is_event", self.action == "{event}")

    def event_action(self, event: str) -> str:
        """The name of the activity of a track call."""
        return self.action.format(event=event)

    def page_action(self, name: str | None, category: str | None) -> str:
        """The name of the activity of a page or screen call."""
        if category and name is not None and self._usual is not None:
            return self._usual % (category, name)
        text, values = self._forms[(0 if category else 1) if name is not None else (2 if category else 3)]
        if values is None:
            return text.format(name=name, category=category)
        return text % values(name, category)


def _form(action: str) -> _Form:
    """A template as `%` takes it, which is several times as fast, where its values come in a usual order."""
    parts = list(Formatter().parse(action))
    text = "".join(words.replace("%", "%%") + ("" if name is None else "%s") for words, name, _, _ in parts)
    values = _VALUES.get(tuple(name for _, name, _, _ in parts if name is not None))
    return (action, None) if values is None else (text, values)


def _without_category(action: str) -> str:
    """Without the blank beside it, too."""
    for text in ("{category} ", " {category}", "{category}"):
        action = action.replace(text, "")
    return action


@dataclass(frozen=True, slots=True)
class EventRules:
    """Rules for track calls by the event they name; compiled once."""

    by_name: Mapping[str, ActivityRules] = field(default_factory=dict)
    """By name, or by a pattern with wildcards."""
    _exact: Mapping[str, ActivityRules] = field(init=False, repr=False, compare=False)
    _wild: tuple[tuple[Names, ActivityRules], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        exact = {name: rules for name, rules in self.by_name.items() if not has_wildcard(name)}
        wild = sorted((name for name in self.by_name if name not in exact), key=_inexactness)
        put = object.__setattr__
        put(self, "_exact", exact)
        put(self, "_wild", tuple((Names((name,)), self.by_name[name]) for name in wild))

    def of(self, event: str) -> ActivityRules | None:
        """The rules of the most exact name: the whole one first, then that with most letters of its own."""
        found = self._exact.get(event)
        if found is not None:
            return found
        return next((rules for names, rules in self._wild if event in names), None)


def _inexactness(pattern: str) -> tuple[int, int, int]:
    stars = pattern.count("*")
    marks = pattern.count("?")
    return (stars + marks - len(pattern), stars, marks)
