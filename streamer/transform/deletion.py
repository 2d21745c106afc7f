"""delete: Segment's request to forget a user, told to Planhat where a rule says how."""

from streamer.events.calls import Delete
from streamer.outcomes import SkipReason
from streamer.transform.choices import Deletion
from streamer.transform.identity import email_text
from streamer.transform.operations import DeleteEnduser, Skipped, Transformed
from streamer.transform.rules import Rules


def delete(call: Delete, rules: Rules) -> Transformed | Skipped:
    """The enduser is archived or deleted. The call says who by `userId` alone, which may be an address."""
    user_id = call.user_id
    if rules.deletion is Deletion.SKIP or user_id is None:
        return Skipped(SkipReason.UNSUPPORTED_TYPE)
    email = email_text(user_id)
    archives = rules.deletion is Deletion.ARCHIVE
    # Archiving is no upsert: that would create whom Planhat does not have.
    return Transformed((DeleteEnduser(user_id, email, archives=True if archives else None),))
