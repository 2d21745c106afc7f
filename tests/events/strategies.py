"""Events as hypothesis draws them: anything a decoder gives, likely and unlikely."""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For tests that judge what comes out, not how fast: a busy machine must not fail them."""

# Lone surrogates included: Python's JSON reader lets them through.
texts = st.text(st.characters(), max_size=12)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(2**80), max_value=2**80)
    | st.floats()
    | texts
)

awkward_keys = st.sampled_from(["", " ", "$", "$set", "a.b", ".", "\0", "a\0b", "total billed"])
known_keys = st.sampled_from(
    [
        *(
            "id",
            "user_id",
            "email",
            "name",
            "firstName",
            "lastName",
            "phone",
            "title",
            "company",
            "companyId",
        ),
        *("company_id", "address", "weight", "groupId", "traits", "consent", "categoryPreferences"),
        *("companies", "remove", "group_id", "personas", "computation_key", "providers", "All", "Planhat"),
    ]
)
keys = texts | awkward_keys | known_keys


def values(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Nested lists and objects of these leaves."""
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=12,
    )


anything = values(scalars)
objects = st.dictionaries(keys, anything, max_size=6)
ids = st.none() | st.sampled_from(["u-1", "a@b.co"]) | st.integers() | st.floats() | texts
types = ["identify", "group", "track", "page", "screen", "alias", "delete"]

events: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"type": st.sampled_from([*types, "Identify", "GROUP", "Track"])},
    optional={
        "userId": ids,
        "anonymousId": ids,
        "groupId": ids,
        "previousId": ids,
        "messageId": ids,
        "timestamp": anything,
        "receivedAt": anything,
        "sentAt": anything,
        "originalTimestamp": anything,
        "options": objects | anything,
        "event": st.just("Logged In") | anything,
        "name": st.just("Home") | anything,
        "category": st.just("Docs") | anything,
        "traits": objects | anything,
        "properties": objects | anything,
        "context": objects | anything,
        "integrations": objects | anything,
    },
)
"""Shaped like calls, wrong in any place."""

good_events: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "type": st.sampled_from(types),
        "userId": st.sampled_from(["u-1", "a@b.co", 42]),
        "groupId": st.sampled_from(["acme", 7]),
        "event": st.just("Logged In"),
        "timestamp": anything,
        "messageId": st.just("m-1"),
        "traits": objects,
        "properties": objects,
        "context": st.fixed_dictionaries({}, optional={"groupId": anything, "traits": objects}),
        "options": st.none() | objects,
    }
)
"""Calls that parse, with anything at all in their open parts."""
