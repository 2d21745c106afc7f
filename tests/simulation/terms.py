"""What the operator of a world has chosen: its mode, its mapping, what becomes of delete calls."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from streamer.transform import defaults
from streamer.transform.choices import Deletion, Link
from streamer.transform.rules import Rules
from streamer.transform.trait_rules import Place, Target, TraitRule, TraitRules

SCORE, BAD = "score", "bad"
"""Traits and properties that are pushed as metrics, and the metrics' dimensions. `BAD` belongs to events that
Planhat refuses, or fails for: of a metric nothing else says so."""


class Terms(NamedTuple):
    """The rules, and what events need to know of them."""

    rules: Rules = Rules()
    has_metrics: bool = False

    @property
    def forwards(self) -> bool:
        """Passthrough mode."""
        return self.rules.forwards


def terms_of(words: Mapping[str, str]) -> Terms:
    """By the words of a step `world`: `mode`, `deletes`, `link`, `metrics`."""
    rules = Rules(
        forwards=words.get("mode") == "passthrough",
        deletion=Deletion(words.get("deletes", "skip")),
        link=Link(words.get("link", "always")),
    )
    if words.get("metrics") != "on":
        return Terms(rules)
    track = replace(defaults.TRACK, properties=_measured(defaults.TRACK.properties))
    identify, group = _measured(defaults.IDENTIFY), _measured(defaults.GROUP)
    return Terms(replace(rules, identify=identify, group=group, track=track), has_metrics=True)


def _measured(rules: TraitRules) -> TraitRules:
    metrics = (TraitRule(name, (Target(Place.METRIC, name),)) for name in (SCORE, BAD))
    return replace(rules, rules=(*rules.rules, *metrics))
