"""Events as JSON gives them: hypothesis strategies, and one realistic example."""

from typing import Any

from hypothesis import strategies as st

CALL_TYPES = ("identify", "group", "track", "page", "screen", "alias", "delete")

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
"""Any Unicode text; lone surrogates have a law of their own."""
numbers = st.one_of(
    st.integers(),
    st.integers(min_value=-(10**40), max_value=10**40),
    st.sampled_from([2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 0, -0]),
    st.floats(allow_nan=False, allow_infinity=False),
)
leaves = st.one_of(st.none(), st.booleans(), numbers, text)
json_values: st.SearchStrategy[Any] = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(text, inner, max_size=4)),
    max_leaves=12,
)
segment_fields = st.sampled_from(
    [
        *("messageId", "userId", "anonymousId", "timestamp", "originalTimestamp", "sentAt", "receivedAt"),
        *("channel", "version", "context", "integrations", "traits", "properties", "event", "name"),
        *("category", "groupId", "previousId", "extra", "writeKey", "_metadata"),
    ]
)


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    """An event of a known type, with any JSON under Segment's fields and under others."""
    event = draw(st.dictionaries(st.one_of(segment_fields, text), json_values, max_size=12))
    event["type"] = draw(st.sampled_from(CALL_TYPES))
    return event


INVOICE_PAID: dict[str, Any] = {
    "type": "track",
    "event": "Invoice Paid",
    "messageId": "ajs-next-1700000000000-abcdef0123456789",
    "userId": "usr_8c1f2e9b77",
    "anonymousId": None,
    "timestamp": "2026-11-23T12:00:00.123Z",
    "version": 2,
    "integrations": {"All": True, "Planhat": True},
    "context": {
        "groupId": "acme-42",
        "library": {"name": "analytics.js", "version": "2.11.1"},
        "traits": {"email": "u-1@example.com"},
    },
    "properties": {"amount": 129.5, "items": 3, "total billed": 1290.0, "discount": None, "tags": ["a", "b"]},
}
"""Each kind of JSON value, a key with a space, a float that is a whole number."""
