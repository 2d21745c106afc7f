"""What is noted of a ticket's tries, apart from the ticket: of most there is nothing to note."""

from typing import Final


class Tries:
    """What became of a ticket's tries, where anything did: of most the first is accepted."""

    __slots__ = (
        "accepted_mark", "acquitted_mark", "answered_mark", "answered_then", "company_instead", "duplicates",
        "failed_mark", "failures", "first_duplicate_at", "group_limit", "has_failed_alone", "is_named",
        "looks", "refusals", "refused_at", "refused_mark", "refused_mark_anywhere", "too_large",
    )  # fmt: skip

    def __init__(self) -> None:
        self.failures = 0
        self.accepted_mark = 0
        """What the host had accepted when this ticket first failed."""
        self.too_large = 0
        """Times that its request was too large."""
        self.refusals = 0
        self.refused_at = 0.0
        self.refused_mark = 0
        """What the endpoint had accepted when it was first refused alone."""
        self.refused_mark_anywhere = 0
        self.has_failed_alone = False
        """Failed alone as an outage makes operations fail, not only refused by an answer."""
        self.answered_mark = 0
        self.failed_mark = 0
        """Requests that the endpoint had answered, and failed, when it first failed, or was refused alone."""
        self.acquitted_mark = 0
        """Operations that had failed alone there, and passed after all, when it was first refused alone."""
        self.answered_then = 0
        """Those it had answered at its last try alone."""
        self.duplicates = 0
        self.first_duplicate_at = 0.0
        self.looks = 0
        self.group_limit = 0
        self.is_named = False
        """A create needs a name and has none: its id is its name."""
        self.company_instead: str | None = None
        """The holding company it is put into."""


NO_TRIES: Final = Tries()
"""Of every ticket of which there is nothing to note; never written."""
