"""What becomes of one call: whether it may go to Planhat at all, and what its type's own module says."""

from collections.abc import Callable
from typing import Any, Final

from streamer.events.calls import Alias, Call, Delete, Group, Identify, JsonDict, Page, Screen, Track
from streamer.outcomes import SkipReason
from streamer.transform.consent import opted_out
from streamer.transform.deletion import delete
from streamer.transform.group import group
from streamer.transform.identify import identify
from streamer.transform.operations import Skipped, Transformed
from streamer.transform.page import page, screen
from streamer.transform.passthrough import forwarded
from streamer.transform.rules import Rules
from streamer.transform.track import track


def transform(call: Call, rules: Rules) -> Transformed | Skipped:
    """What becomes of one call under these rules. Opt-outs come first, whatever the type."""
    reason = opted_out(call, rules)
    return BY_TYPE[type(call)](call, rules) if reason is None else Skipped(reason)


def told_of(call: Call, decoded: JsonDict, rules: Rules) -> Transformed | Skipped:
    """What becomes of one call in the mode the rules say; `decoded` is the event it was parsed from."""
    # Apart, as most calls say nothing of destinations, and most operators ask for nothing else.
    if call.integrations or rules.asks_each_call or rules.destination in call.context:
        reason = opted_out(call, rules)
        if reason is not None:
            return Skipped(reason)
    return forwarded(call, decoded) if rules.forwards else BY_TYPE[type(call)](call, rules)


def _alias(_call: Alias, _rules: Rules) -> Skipped:
    return Skipped(SkipReason.UNSUPPORTED_TYPE)


# By type, since a match would ask an event for one type after another. A test holds it to all of `Call`.
BY_TYPE: Final[dict[type[Call], Callable[[Any, Rules], Transformed | Skipped]]] = {
    Identify: identify,
    Group: group,
    Track: track,
    Page: page,
    Screen: screen,
    Alias: _alias,
    Delete: delete,
}
