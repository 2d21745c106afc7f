"""Every line this program writes: its name, its level and what it means, here and nowhere else."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple


class Event(StrEnum):
    """The name of a line: what happened, in the past tense. A contract for whoever greps."""

    SETTINGS_EFFECTIVE = "settings_effective"
    SETTING_DOUBTED = "setting_doubted"
    STARTED = "started"
    SERVING = "serving"
    STOP_REQUESTED = "stop_requested"
    STOPPED = "stopped"
    FAILED = "failed"
    PARTITIONS_ASSIGNED = "partitions_assigned"
    PARTITIONS_REVOKED = "partitions_revoked"
    PARTITIONS_LOST = "partitions_lost"
    BATCH_DELIVERED = "batch_delivered"
    DELIVERY_FAILED = "delivery_failed"
    DELIVERY_RETRIED = "delivery_retried"
    ANSWERS_FENCED = "answers_fenced"
    COMMIT_FAILED = "commit_failed"
    COMMIT_FENCED = "commit_fenced"
    METADATA_IGNORED = "metadata_ignored"
    SCHEMA_AWAITED = "schema_awaited"
    SCHEMA_ARRIVED = "schema_arrived"
    READER_NOT_MADE = "reader_not_made"
    RECORD_DEAD_LETTERED = "record_dead_lettered"
    RECORD_FAILED = "record_failed"
    BACKPRESSURE_CHANGED = "backpressure_changed"
    HOLD_ENTERED = "hold_entered"
    HOLDING = "holding"
    HOLD_LEFT = "hold_left"
    CREDENTIALS_REFRESHED = "credentials_refreshed"
    OWNER_STUCK = "owner_stuck"
    LIBRARY_REPORTED = "library_reported"
    TRACING_FAILED = "tracing_failed"
    ERROR_AROSE = "error_arose"
    PAGE_FAILED = "page_failed"


class Level(StrEnum):
    """How much a line matters."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    """Something failed and is being dealt with."""
    ERROR = "error"
    """A person is needed."""


class Line(NamedTuple):
    """What is fixed about a line."""

    level: Level
    meaning: str


LINES: Mapping[Event, Line] = {
    Event.SETTINGS_EFFECTIVE: Line(Level.INFO, "The settings in force at start, secrets masked."),
    Event.SETTING_DOUBTED: Line(Level.WARNING, "A setting is allowed and still unwise."),
    Event.STARTED: Line(Level.INFO, "Start-up checks passed; the group is being joined."),
    Event.SERVING: Line(Level.INFO, "The status page, metrics and health are served on this address."),
    Event.STOP_REQUESTED: Line(Level.INFO, "A signal asked for an end; what is in flight is being finished."),
    Event.STOPPED: Line(Level.INFO, "The program ended in order."),
    Event.FAILED: Line(Level.ERROR, "The program cannot go on; uncommitted records will be read again."),
    Event.PARTITIONS_ASSIGNED: Line(Level.INFO, "Kafka gave us partitions to read."),
    Event.PARTITIONS_REVOKED: Line(
        Level.INFO, "Partitions went to another member after what was sent was committed."
    ),
    Event.PARTITIONS_LOST: Line(Level.WARNING, "Partitions went elsewhere without a last commit."),
    Event.BATCH_DELIVERED: Line(Level.DEBUG, "Planhat answered one request."),
    Event.DELIVERY_FAILED: Line(Level.DEBUG, "One request came to nothing."),
    Event.DELIVERY_RETRIED: Line(Level.WARNING, "Operations wait to be sent again; nothing is lost."),
    Event.ANSWERS_FENCED: Line(Level.WARNING, "Answers came for partitions that are no longer ours."),
    Event.COMMIT_FAILED: Line(Level.WARNING, "Kafka did not take a commit for now."),
    Event.COMMIT_FENCED: Line(Level.WARNING, "Kafka refused a commit because the group moved on."),
    Event.METADATA_IGNORED: Line(
        Level.WARNING, "A commit's metadata does not say what was settled ahead; that is sent again."
    ),
    Event.SCHEMA_AWAITED: Line(
        Level.WARNING, "Records wait for a schema that the registry does not give; nothing is lost."
    ),
    Event.SCHEMA_ARRIVED: Line(Level.INFO, "The registry gave a schema that records waited for."),
    Event.READER_NOT_MADE: Line(
        Level.INFO, "Records of this schema are read by fastavro, which takes longer; told once."
    ),
    Event.RECORD_DEAD_LETTERED: Line(Level.WARNING, "Records can never be delivered and were set aside."),
    Event.RECORD_FAILED: Line(Level.ERROR, "Our own code failed on a record, which was set aside."),
    Event.BACKPRESSURE_CHANGED: Line(Level.INFO, "Reading slowed down or went on."),
    Event.HOLD_ENTERED: Line(Level.ERROR, "Nothing is sent from now on; a person is needed."),
    Event.HOLDING: Line(Level.ERROR, "Still on hold, told once a minute."),
    Event.HOLD_LEFT: Line(Level.INFO, "Planhat accepts again."),
    Event.CREDENTIALS_REFRESHED: Line(Level.INFO, "Planhat's tokens were read again."),
    Event.OWNER_STUCK: Line(
        Level.ERROR, "The thread that polls stands still, and /livez fails: where each thread is."
    ),
    Event.ERROR_AROSE: Line(
        Level.ERROR, "An error that nobody waits for ended a thread, or something being taken apart."
    ),
    Event.PAGE_FAILED: Line(
        Level.ERROR,
        "Our own code failed on a page, on metrics or on a probe: answered with 500; deliveries go on.",
    ),
    Event.LIBRARY_REPORTED: Line(Level.WARNING, "A library had something to say."),
    Event.TRACING_FAILED: Line(
        Level.WARNING,
        "Spans could not be made or sent and may be missing; deliveries go on. Told once in ten minutes.",
    ),
}
