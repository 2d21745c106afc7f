"""The words among which a mapping or a setting chooses.

Not compiled: what they mean is read from here for the mapping's published schema, and compiled code has no
docstrings.
"""

from enum import StrEnum


class Flatten(StrEnum):
    """What becomes of objects, and of lists of them, which Planhat's `custom` cannot hold."""

    JOIN = "join"
    """A field for each part, keys joined by `_`; lists of objects as JSON text."""
    TEXT = "text"
    """JSON text, in one field."""
    DROP = "drop"
    """Nothing."""
    NOT = "not"
    """They stay as they are: an activity's `info` holds anything."""


class Link(StrEnum):
    """Whether a group call that names a user also puts that user into the company.

    "Only if the user has no company yet" cannot be decided here: a call alone does not tell, and Planhat's
    upsert has no condition. The reply to an upsert without a company does tell (what Planhat can find no
    company for is not saved), so the operation says what to do then.
    """

    ALWAYS = "always"
    IF_ABSENT = "if_absent"
    NEVER = "never"


class Companies(StrEnum):
    """Which of the companies in an identify call's `companies` its user is put into."""

    FIRST = "first"
    """The first, and only where nothing else names a company."""
    ALL = "all"
    """Each of them, after the one that anything else names: one upsert of the enduser in each.

    To Planhat an external id is one enduser's per company, so the same person becomes an enduser of each.
    """


class Deletion(StrEnum):
    """What becomes of a delete call: Segment's request to forget a user."""

    SKIP = "skip"
    ARCHIVE = "archive"
    """The enduser is hidden from Planhat's lists, and keeps what it holds."""
    DELETE = "delete"
