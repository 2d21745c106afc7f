"""Which events Planhat is told of, by their names: lists of the operator's, as destination filters are."""

from dataclasses import dataclass

from streamer.outcomes import SkipReason
from streamer.transform.wildcards import Names


@dataclass(frozen=True, slots=True)
class EventLists:
    """Track calls by the event they name. What is denied is so whatever allows it."""

    allow: Names
    deny: Names

    def refusal(self, event: str) -> SkipReason | None:
        """Why this event is not told, or None."""
        if event in self.deny:
            return SkipReason.DENIED
        return None if event in self.allow else SkipReason.NOT_ALLOWED


def event_lists(allow: tuple[str, ...] = ("*",), deny: tuple[str, ...] = ()) -> EventLists | None:
    """The compiled lists; None where they refuse nothing, so that nothing is looked up."""
    return None if not deny and "*" in allow else EventLists(Names(allow), Names(deny))
