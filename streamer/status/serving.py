"""`/` and `/status.json`: read from the tallies when somebody asks, on the server's threads."""

import dataclasses
import json
import time
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs

from streamer.metrics import Metrics
from streamer.status.facts import Facts, Fixed
from streamer.status.gathering import facts_of
from streamer.status.page import page
from streamer.status.reading import Reading
from streamer.status.style import HEADERS
from streamer.status.verdict import verdicts

Reply = tuple[Mapping[str, str], bytes]
"""Headers and body."""


class StatusPage:
    """Tells what the metrics hold at the moment it is asked. The owner thread has no part in it."""

    def __init__(self, metrics: Metrics, fixed: Fixed, time: Callable[[], float] = time.time) -> None:
        """`time`: seconds since 1970."""
        self._metrics = metrics
        self._fixed = fixed
        self._time = time

    def facts(self) -> Facts:
        """What there is to tell now."""
        return facts_of(Reading(self._metrics), self._fixed, self._time())

    def html(self, query: str) -> Reply:
        """The page. `refresh=off` in the query keeps it from loading itself anew."""
        facts = self.facts()
        refreshes = parse_qs(query).get("refresh") != ["off"]
        body = page(facts, verdicts(facts), refreshes=refreshes)
        return {"Content-Type": "text/html; charset=utf-8", **HEADERS}, body

    def json(self, _query: str) -> Reply:
        """The same facts and verdicts as JSON."""
        facts = self.facts()
        told = [
            {"level": each.level.value, "sentence": each.sentence, "advice": each.advice}
            for each in verdicts(facts)
        ]
        everything = {
            "verdicts": told,
            **dataclasses.asdict(facts),
            "settings": [
                {"name": each.name, "value": each.value, "source": each.source} for each in facts.settings
            ],
        }
        body = json.dumps(everything, indent=2).encode()
        return {"Content-Type": "application/json", **HEADERS}, body
