"""Mapping files as hypothesis draws them: without mistakes, and otherwise anything."""

from typing import Any

from hypothesis import strategies as st

from streamer.mapping.shape import MappingFile
from streamer.transform.planhat_fields import COMPANY_FIELDS, ENDUSER_FIELDS
from tests.events.strategies import awkward_keys, known_keys

KINDS = ["text", "number", "boolean", "date", "list"]
names = (
    known_keys | awkward_keys | st.sampled_from(["address.city", "address.geo.lat", "a.b", "company.plan"])
).filter(lambda name: bool(name.strip()))
patterns = st.sampled_from(["*", "Logged In", "Log*", "?ogged In", "Order *"])
others = st.sampled_from(["Plan", "a b", "# Overdue", "x"])
metrics = st.sampled_from(["metric:mrr", "metric:a-b_1"])


def _targets(fields: list[str], other: str) -> st.SearchStrategy[str]:
    free = others.map(lambda name: f"{other}:{name}") | metrics
    return free | st.sampled_from(fields) if fields else free


def _rules(fields: list[str], other: str) -> st.SearchStrategy[dict[str, Any]]:
    target = _targets(fields, other)
    several = st.lists(target, min_size=1, max_size=3)
    table = st.fixed_dictionaries({"to": target | several}, optional={"type": st.sampled_from(KINDS)})
    with_default = st.builds(
        lambda rule, default: {**rule, "default": default}, table, st.sampled_from(["1", 1])
    )
    sound = with_default.filter(lambda rule: rule.get("type") != "date")
    return st.dictionaries(names, st.just("drop") | target | several | table | sound, max_size=6)


flatten = st.sampled_from(["join", "text", "drop"])
properties = _rules([], "info")
weights = st.sampled_from(["weight", "revenue", "value", 2.5, 0])
activity: dict[str, st.SearchStrategy[Any]] = {
    "weight": weights,
    "unlisted": st.sampled_from(["info", "drop"]),
    "properties": properties,
}
actions = st.sampled_from(["{event}", "did {event} 100%", "{{}}", "{event}{event}"])
pages = st.fixed_dictionaries(
    {},
    optional={
        **activity,
        "action_named": st.sampled_from(["{name}", "{category} {name}", "{name} {name} %s", "x"]),
        "action_unnamed": st.sampled_from(["x", "{category}!"]),
    },
)


def _traits(fields: list[str]) -> dict[str, st.SearchStrategy[Any]]:
    return {
        "unlisted": st.sampled_from(["custom", "drop"]),
        "flatten": flatten,
        "metrics": st.lists(patterns | known_keys, max_size=2),
        "traits": _rules(fields, "custom"),
    }


_stated: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "calls": st.fixed_dictionaries(
            {
                "screen": st.sampled_from(["skip", "activity"]),
                "delete": st.sampled_from(["skip", "archive", "delete"]),
            }
        ),
        "events": st.fixed_dictionaries(
            {}, optional={"allow": st.lists(patterns), "deny": st.lists(patterns)}
        ),
        "identify": st.fixed_dictionaries(
            {}, optional={**_traits(sorted(ENDUSER_FIELDS)), "companies": st.sampled_from(["first", "all"])}
        ),
        "group": st.fixed_dictionaries({}, optional=_traits(sorted(COMPANY_FIELDS))),
        "track": st.fixed_dictionaries(
            {},
            optional={
                **activity,
                "action": actions,
                "events": st.dictionaries(
                    patterns,
                    st.fixed_dictionaries(
                        {}, optional={**activity, "action": actions, "skip": st.booleans()}
                    ),
                    max_size=3,
                ),
            },
        ),
        "page": pages,
        "screen": pages,
    },
)


def _is_sound(stated: dict[str, Any]) -> bool:
    """Endusers in all companies cannot be archived."""
    archives = stated.get("calls", {}).get("delete") == "archive"
    return not (archives and stated.get("identify", {}).get("companies") == "all")


stated = _stated.filter(_is_sound)
"""What tomllib would read of a sound file."""

files = stated.map(MappingFile.model_validate)
