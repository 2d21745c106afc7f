"""page and screen: log that the user saw it, in the words of Segment's own library."""

from streamer.events.calls import Page, Screen
from streamer.outcomes import SkipReason
from streamer.transform.activity import activity
from streamer.transform.operations import Skipped, Transformed
from streamer.transform.rules import Rules


def page(call: Page) -> Transformed | Skipped:
    """`Viewed <category> <name> Page`, or `Loaded a Page` where it has no name."""
    return activity(call, _seen(call, "Page"))


def screen(call: Screen, rules: Rules) -> Transformed | Skipped:
    """As page, where rules ask for it; Segment's Planhat destination does not take screen calls."""
    if not rules.deliver_screens:
        return Skipped(SkipReason.UNSUPPORTED_TYPE)
    return activity(call, _seen(call, "Screen"))


def _seen(call: Page | Screen, what: str) -> str:
    if call.name is None:
        return f"Loaded a {what}"
    return f"Viewed {call.category} {call.name} {what}" if call.category else f"Viewed {call.name} {what}"
