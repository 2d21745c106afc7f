"""track: log the activity the event names."""

from streamer.events.calls import Track
from streamer.outcomes import SkipReason
from streamer.transform.activity import activity
from streamer.transform.operations import Skipped, Transformed
from streamer.transform.rules import Rules


def track(call: Track, rules: Rules) -> Transformed | Skipped:
    """One activity, by default named as the event is: Planhat shows it as "<user> <event>"."""
    ruled = rules.track
    if rules.track_events.by_name:
        ruled = rules.track_events.of(call.event) or ruled
        if ruled.is_skipped:
            return Skipped(SkipReason.DENIED)
    return activity(call, ruled.event_action(call.event), ruled)
