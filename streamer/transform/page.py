"""page and screen: log that the user saw it, in the words of Segment's own library."""

from streamer.events.calls import Page, Screen
from streamer.outcomes import SkipReason
from streamer.transform.activity import activity
from streamer.transform.operations import Skipped, Transformed
from streamer.transform.rules import Rules


def page(call: Page, rules: Rules) -> Transformed | Skipped:
    """By default `Viewed <category> <name> Page`, or `Loaded a Page` where it has no name."""
    return activity(call, rules.page.page_action(call.name, call.category), rules.page)


def screen(call: Screen, rules: Rules) -> Transformed | Skipped:
    """As page, where rules ask for it; Segment's Planhat destination does not take screen calls."""
    if not rules.deliver_screens:
        return Skipped(SkipReason.UNSUPPORTED_TYPE)
    return activity(call, rules.screen.page_action(call.name, call.category), rules.screen)
