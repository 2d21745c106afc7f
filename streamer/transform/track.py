"""track: log the activity the event names."""

from streamer.events.calls import Track
from streamer.transform.activity import activity
from streamer.transform.operations import Skipped, Transformed


def track(call: Track) -> Transformed | Skipped:
    """One activity, named as the event is: Planhat shows it as "<user> <event>"."""
    return activity(call, call.event)
