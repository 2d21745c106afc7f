"""What track, page and screen share: one activity of the user."""

from streamer.events.calls import Page, Screen, Track
from streamer.outcomes import SkipReason
from streamer.transform.encoding import scalar
from streamer.transform.identity import acting_user, company_of, context_traits
from streamer.transform.operations import LogActivity, Skipped, Transformed


def activity(call: Track | Page | Screen, action: str) -> Transformed | Skipped:
    """One activity named `action`.

    `info` carries the properties as they are, and the messageId: Planhat knows no event ids, so
    this is the one trace by which a duplicate can be told from a repetition.
    """
    who = acting_user(call)
    if who.is_anonymous:
        return Skipped(SkipReason.ANONYMOUS)
    properties = call.properties
    return Transformed(
        (
            LogActivity(
                who.external_id,
                who.email,
                company_of(call.context, context_traits(call.context)),
                action,
                call.timestamp,
                weight_of(properties.get("weight")),
                properties if call.message_id is None else {**properties, "messageId": call.message_id},
            ),
        )
    )


def weight_of(value: object) -> float:
    """How much the activity counts: a finite number (0 is one), else Planhat's default of 1."""
    if value is None or isinstance(value, bool) or not isinstance(value, int | float):
        return 1
    number = scalar(value)
    return number if isinstance(number, int | float) else 1
