"""The consumer group member: records in, commits out. Satisfies `streamer.engine.ports.Source`.

One thread owns it. Since confluent-kafka 2.16 every other thread would wait for that one anyway.
Callbacks (assignment, commits, statistics, errors) run inside `poll` and `close`, on that thread.
Inside them the consumer's `consume`, `poll` and `list_topics` abort the process (an assertion in the
binding, seen on 2.16.1); commit, committed, watermarks, pause and the assign calls are safe there, and so
is whatever is asked of another client.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import AdminClient

from streamer.engine.ports import Assignment, CommitResult
from streamer.errors import SourceError
from streamer.kafka.backlog import Backlog, Place
from streamer.kafka.commits import Finished, commit_result, finished
from streamer.kafka.configuration import consumer_configuration, logger, onlooker_configuration
from streamer.kafka.denials import CommitDenials
from streamer.kafka.faults import error_of, made_anew, never_works, source_error, text_of
from streamer.kafka.group_client import Callbacks, GroupClient
from streamer.kafka.kept_back import KeptBack
from streamer.kafka.last_commits import LastCommits
from streamer.kafka.log_ends import LogEnd, LogEnds
from streamer.kafka.nouns import kafka_marks, kafka_partitions, our_partitions, records_of
from streamer.kafka.permissions import denied
from streamer.kafka.retention import Retention
from streamer.kafka.statistics import Statistics, read_statistics
from streamer.kafka.stranded import Stranded, coordinator_question, seconds_outside
from streamer.kafka.topic_identity import TopicIdentity
from streamer.kafka.unplaced import Unplaced
from streamer.records import Mark, Record, TopicPartition

COMMIT_SECONDS: Final = 3.0
"""How long `commit_now` waits for a sign of life of the group's coordinator."""

CLOSE_SECONDS: Final = 10.0
"""How long `close` may take; one that cannot say goodbye is missed after the session time-out."""


class KafkaSource:
    """A member of a consumer group that reads one topic.

    Where it starts: at the committed offset; a partition without one (it was added to the topic
    later) at its beginning. A committed offset the log does not hold any more is a SourceError:
    skipping to the next one is a person's decision.
    """

    def __init__(
        self, bootstrap_servers: str, group_id: str, topic: str, properties: Mapping[str, str] | None = None
    ) -> None:
        """Prepare a member. Nothing is connected before `subscribe`."""
        self._bootstrap_servers = bootstrap_servers
        self._group_id = group_id
        self._topic = topic
        self._assignment: Assignment | None = None
        self._assigned: set[TopicPartition] = set()
        self._paused: set[TopicPartition] = set()
        self._backlog = Backlog(topic)
        self._kept_back = KeptBack()
        self._finished: list[Finished] = []
        self._denials = CommitDenials(bootstrap_servers, topic, group_id)
        self._carried: Exception | None = None
        self._statistics = Statistics()
        self._topic_partitions = 0
        admin = AdminClient(onlooker_configuration(bootstrap_servers, properties))
        self._ends = LogEnds(admin)
        self._last_commits = LastCommits(admin, topic)
        self._retention = Retention(admin, topic)
        self._identity = TopicIdentity(admin, topic)
        self._has_joined = False
        self._is_closing = False
        self._is_closed = False
        callbacks = Callbacks(
            self._on_assign,
            self._on_revoke,
            self._on_lost,
            self._on_commit,
            self._on_statistics,
            self._on_error,
        )
        configuration = consumer_configuration(bootstrap_servers, group_id, properties)
        self._stranded = Stranded(coordinator_question(configuration, topic), seconds_outside(configuration))
        self._client = GroupClient(configuration, topic, callbacks)
        self._unplaced = Unplaced(bootstrap_servers, group_id)

    # --- what the engine calls ---------------------------------------------------------------------

    def subscribe(self, assignment: Assignment) -> None:
        """Join the group; changes are told to `assignment` from inside `poll` and `close`."""
        self._assignment = assignment
        self._client.subscribe()

    def poll(self, max_records: int, timeout_seconds: float) -> Sequence[Record]:
        """Serve callbacks and return at most `max_records`, waiting at most `timeout_seconds`.

        An exception raised inside a callback comes out here, with the records of that call left
        unread: they were never handed out, so they are not committed. Raises SourceError where
        waiting cannot help.
        """
        self._raise_carried()
        if self._stranded.why is not None:
            self._renew(self._stranded.why)
        kept = self._kept_back.take(max_records)
        room = max_records - len(kept)
        try:
            fetched = self._consumer.consume(room, 0 if kept else timeout_seconds) if room else []
        except KafkaException as exception:
            self._raise_carried()
            raise self._fault(exception) from exception
        self._raise_carried()
        records = records_of(fetched)
        if len(records) != len(fetched):
            self._look_at_errors(fetched)
        if self._paused:
            records = self._without_paused(records)
        if kept:
            records = [*(each for each in kept if each.source in self._assigned), *records]
        self._backlog.given(records)
        if self._unplaced:
            self._unplaced.place(self._consumer, self._assigned, self._paused, self._backlog.position)
        return records

    def pause(self, partitions: Collection[TopicPartition]) -> None:
        """Return no records of these until resumed; those not assigned are ignored.

        Throws away what was read ahead of them (librdkafka does): not to be called lightly.
        """
        wanted = [each for each in partitions if each in self._assigned and each not in self._paused]
        if wanted:
            self._paused.update(wanted)
            self._backlog.doubt(wanted)
            self._kept_back.hold(wanted)
            self._consumer.pause(kafka_partitions(wanted))

    def resume(self, partitions: Collection[TopicPartition]) -> None:
        """Return records of these again."""
        wanted = [each for each in partitions if each in self._paused]
        if wanted:
            self._paused.difference_update(wanted)
            self._backlog.doubt(wanted)
            self._kept_back.release(wanted)
            self._consumer.resume(kafka_partitions(wanted))

    def start_commit(self, marks: Mapping[TopicPartition, Mark]) -> None:
        """Begin committing; the result comes from `finished_commits`."""
        if not marks:
            return
        try:
            self._consumer.commit(offsets=kafka_marks(marks), asynchronous=True)
        except KafkaException as exception:
            error = error_of(exception)
            self._finished.append((dict(marks), commit_result(error)))
            self._look_for_denial(error)

    def finished_commits(self) -> Sequence[Finished]:
        """Commits that ended since the last call, with what became of them."""
        ended, self._finished = self._finished, []
        return ended

    def commit_now(self, marks: Mapping[TopicPartition, Mark]) -> CommitResult:
        """Commit and wait for the answer, about `COMMIT_SECONDS`: for the revoke and shutdown path only."""
        if not marks:
            return CommitResult.COMMITTED
        return self._client.commit_now(marks, None if self._is_closing else COMMIT_SECONDS)

    def close(self) -> None:
        """Leave the group. May call `Assignment.revoked`; takes at most about `CLOSE_SECONDS`.

        One that takes longer is left behind. The caller must not use the source any more.
        """
        if self._is_closed:
            return
        self._is_closed = self._is_closing = True
        if not self._client.close(CLOSE_SECONDS):
            self._assignment = None  # whatever it still hears of is too late to act on
        self._raise_carried()

    # --- what app asks for metrics and health ------------------------------------------------------

    @property
    def has_joined(self) -> bool:
        """Whether the group ever gave this member its share, be it an empty one."""
        return self._has_joined

    @property
    def topic(self) -> str:
        """What this member reads."""
        return self._topic

    @property
    def topic_partitions(self) -> int:
        """Most partitions that the topic was ever seen with; 0 before anything of it is assigned.

        Kafka takes none away; a report that has fewer was made while the broker could not tell.
        """
        return self._topic_partitions

    @property
    def is_member(self) -> bool:
        """Whether this member is in its group with nothing left to settle, as of the last report."""
        return self._statistics.is_steady

    @property
    def log_ends_at(self) -> float | None:
        """When we last knew the end of every assigned partition, in seconds since 1970; None without any."""
        return self._ends.as_of()

    @property
    def retention_seconds(self) -> float | None:
        """How long Kafka keeps the topic's records; None where it does not say so, or keeps them for ever."""
        return self._retention.seconds

    def places(self) -> Mapping[TopicPartition, Place]:
        """By assigned partition, what the group committed last, and whether it is paused."""
        return {each: Place(self._backlog.committed(each), each in self._paused) for each in self._assigned}

    def unread(self) -> Mapping[TopicPartition, int]:
        """Records in the log that this member has not been given, by assigned partition.

        As of the last report (every 2 s), also while nothing is read; partitions of which the log's
        end or our place is not known yet are left out.
        """
        return self._backlog.unread(self._known_ends())

    def unread_since(self) -> Mapping[TopicPartition, float]:
        """By partition, a moment (seconds since 1970) after which all that is unread was written."""
        return self._backlog.unread_since()

    # --- callbacks ---------------------------------------------------------------------------------

    def _on_assign(self, consumer: Consumer, partitions: list[KafkaPartition]) -> None:
        added = our_partitions(partitions)
        try:
            found = dict.fromkeys(added) if self._is_closing else self._last_commits.look_up(consumer, added)
            for each in found.values():
                self._identity.seen(each.topic_id if each is not None else "")
            self._look_whether_made_anew()
            # No offset is named: librdkafka asks for the committed one by itself, again and again
            # while the coordinator is away, and reports where there is none (see `Unplaced`).
            consumer.incremental_assign(partitions)
            self._assigned |= added
            self._has_joined = True
            if self._assignment is not None:
                self._assignment.assigned(found)
        except Exception as error:  # noqa: BLE001 - carried to `poll`, which raises it
            self._carry(error)

    def _on_revoke(self, consumer: Consumer, partitions: list[KafkaPartition]) -> None:
        self._give_up(consumer, partitions, is_lost=False)

    def _on_lost(self, consumer: Consumer, partitions: list[KafkaPartition]) -> None:
        self._give_up(consumer, partitions, is_lost=True)

    def _give_up(self, consumer: Consumer, partitions: list[KafkaPartition], *, is_lost: bool) -> None:
        gone = our_partitions(partitions)
        try:
            if self._assignment is not None and is_lost:
                self._assignment.lost(gone)
            elif self._assignment is not None:
                self._assignment.revoked(gone)
        except Exception as error:  # noqa: BLE001 - carried to `poll`, which raises it
            self._carry(error)
        self._forget(gone)
        try:
            # Resumed first: a pause must not outlive the assignment it was made for.
            self.resume(gone)
            consumer.incremental_unassign(partitions)
        except Exception as error:  # noqa: BLE001 - carried to `poll`, which raises it
            self._carry(error)

    def _forget(self, gone: set[TopicPartition]) -> None:
        self._assigned -= gone
        self._unplaced -= gone
        self._kept_back.drop(gone)
        self._backlog.forget(gone)

    def _on_commit(self, error: KafkaError | None, partitions: list[KafkaPartition]) -> None:
        self._finished.extend(finished(error, partitions))
        failures = [error, *(each.error for each in partitions)]
        self._look_for_denial(next((each for each in failures if each is not None), None))

    def _on_statistics(self, text: str) -> None:
        try:
            self._statistics = read_statistics(text, self._topic)
        except Exception as error:  # noqa: BLE001 - carried to `poll`, which raises it
            self._carry(error)
            return
        self._stranded.reported(self._statistics)
        self._has_joined = self._has_joined or self._statistics.is_steady
        self._topic_partitions = max(self._topic_partitions, self._statistics.topic_partitions)
        self._backlog.doubt(self._paused)
        self._backlog.reported(self._statistics, self._known_ends())
        self._ends.ask(self._assigned)
        self._retention.ask()
        self._identity.ask()
        self._look_whether_made_anew()

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._carry(source_error(error, self._bootstrap_servers, f"group {self._group_id}"))
        # Others are of brokers going away and coming back, or of SASL while a password is changed:
        # librdkafka logs them and tries for ever, and so do we.

    # --- inside ------------------------------------------------------------------------------------

    @property
    def _consumer(self) -> Consumer:
        return self._client.consumer

    def _renew(self, why: str) -> None:
        """Go on with another client: this one never comes back to its group.

        What we hold is lost: the group waits for the old member until its session ends, and a commit cannot
        be sent.
        """
        logger.warning("kafka: %s", why)
        self._stranded.begin_anew()
        self._statistics = Statistics()
        gone = set(self._assigned)
        self._forget(gone)
        self._paused.clear()
        self._client.replace()
        if gone and self._assignment is not None:
            self._assignment.lost(gone)

    def _known_ends(self) -> dict[TopicPartition, LogEnd]:
        return {each: end for each, end in self._ends.known().items() if each in self._assigned}

    def _carry(self, error: Exception) -> None:
        # The first one wins: what follows is usually its consequence.
        if self._carried is None:
            self._carried = error

    def _raise_carried(self) -> None:
        error, self._carried = self._carried, None
        if error is not None:
            raise error

    def _fault(self, exception: KafkaException) -> SourceError:
        error = error_of(exception)
        if error is None:
            return SourceError(f"reading from {self._bootstrap_servers} failed: {exception}")
        return self._refusal(error)

    def _look_whether_made_anew(self) -> None:
        if self._identity.is_another:
            self._carry(made_anew(self._topic, self._group_id, self._bootstrap_servers))

    def _look_for_denial(self, error: KafkaError | None) -> None:
        stop = self._denials.look(error)
        if stop is not None:
            self._carry(stop)

    def _refusal(self, error: KafkaError) -> SourceError:
        need = denied(error, self._topic, self._group_id)
        return source_error(error, self._bootstrap_servers, f"reading {self._topic}", need)

    def _without_paused(self, records: list[Record]) -> list[Record]:
        """Keep back what comes of paused partitions all the same.

        librdkafka forgets a pause that meets the start of the fetcher (a partition paused from inside
        `assigned` while its committed offset is being asked for): pause again, return them on resume.
        """
        leaked = [each for each in records if each.source in self._paused]
        if not leaked:
            return records
        self._kept_back.keep(leaked)
        self._consumer.pause(kafka_partitions({each.source for each in leaked}))
        return [each for each in records if each.source not in self._paused]

    def _look_at_errors(self, fetched: Sequence[Message]) -> None:
        for each in fetched:
            error = each.error()
            if error is not None:
                self._look_at(error, each)

    def _look_at(self, error: KafkaError, report: Message) -> None:
        code = error.code()
        if code == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - librdkafka's own name for it
            topic, number = report.topic(), report.partition()
            if topic is not None and number is not None:
                self._unplaced.add(TopicPartition(topic, number))
        elif never_works(error):
            raise self._refusal(error)
        elif code != KafkaError._PARTITION_EOF:  # noqa: SLF001
            logger.warning("kafka: %s", text_of(error))
