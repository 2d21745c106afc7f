"""The load of a soak: the generator's events, as large as real ones are.

What a browser adds to each call (page, agent, campaign) is in its context, and does not reach Planhat; one
activity in twenty tells much, up to 20 KB, and that does. Pure.
"""

from collections.abc import Iterator
from random import Random
from typing import Any, Final

from streamer.standins.bad_records import AvroValue, JsonValue
from streamer.standins.composer import MadeEvent

TALKATIVE_SHARE: Final = 0.05
LONGEST_BYTES: Final = 20_000
_MEDIAN_BYTES: Final = 3_000
_NOTES: Final = "Notes"
_AGENT: Final = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/126.0.0.0 Safari/537.36"
)


def mixed(events: Iterator[MadeEvent], seed: int) -> Iterator[MadeEvent]:
    """The same events, grown in place; of a copy, which shares its event, nothing grows twice."""
    rng = Random(seed)
    for made in events:
        if isinstance(made.value, AvroValue | JsonValue) and made.bad is None:
            _grow(made.value.event, rng)
        yield made


def _grow(event: dict[str, Any], rng: Random) -> None:
    context, properties = event.get("context"), event.get("properties")
    if not isinstance(context, dict) or "userAgent" in context:
        return
    path = f"/reports/{rng.getrandbits(40):010x}"
    context["userAgent"] = _AGENT
    context["page"] = {
        "path": path,
        "referrer": "https://www.example.com/search?q=weekly+report",
        "title": "Weekly report",
        "url": f"https://app.example.com{path}?tab=overview&range=last-30-days",
    }
    context["campaign"] = {"name": "spring", "source": "newsletter", "medium": "email"}
    if isinstance(properties, dict) and rng.random() < TALKATIVE_SHARE:
        size = min(LONGEST_BYTES, int(_MEDIAN_BYTES * rng.lognormvariate(0.0, 0.8)))
        properties[_NOTES] = "what was said, word by word; " * (size // 29)
