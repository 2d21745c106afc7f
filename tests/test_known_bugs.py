"""What other engines got wrong, class by class, and the tests that keep us from it.

The classes come from the issue trackers of Parallel Consumer, Vector, Redpanda Connect, Arroyo, Faust,
Spring Kafka and others. A test that is renamed is renamed here; a class is never without one.
"""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent

KNOWN_BUGS: Final[dict[str, tuple[str, ...]]] = {
    "a late answer after a revoke advances the commit": (
        "tests/engine/test_loop.py::test_a_late_answer_after_a_revoke_does_not_advance_the_commit",
        "tests/engine/test_ledger.py::test_a_late_answer_of_an_old_epoch_changes_nothing",
    ),
    "a topic made anew is read on from the old one's offset": (
        "tests/kafka/test_topic_identity.py::test_another_id_is_another_topic",
        "tests/real_kafka/test_source_faults.py::test_a_topic_made_anew_stops_the_reader",
    ),
    "a client that was told of no brokers never connects again": (
        "tests/kafka/test_statistics.py::test_a_client_without_brokers_is_known_by_its_report",
        "tests/real_kafka/test_forgetful_broker.py::test_a_client_that_forgot_every_broker_is_replaced",
    ),
    "a client whose answer never comes stays outside its group for ever": (
        "tests/kafka/test_stranded.py::test_one_kept_outside_is_given_up_when_its_coordinator_answers_another",
        "tests/real_kafka/test_kept_outside.py::test_one_kept_outside_is_replaced_once_another_is_answered",
    ),
    "what waits in a batch is lost at a revoke": (
        "tests/engine/test_loop.py::test_a_revoke_waits_for_what_was_sent_and_gives_back_the_rest",
        "tests/engine/test_ledger.py::test_a_released_record_holds_the_commit_back_for_good",
    ),
    "a record that failed is passed over by the next success": (
        "tests/engine/test_known_bugs.py::test_a_failed_record_is_not_passed_over_by_the_next_success",
        "tests/engine/test_ledger.py::test_commit_is_always_the_end_of_the_settled_front",
    ),
    "the revoke waits for a commit that waits for the revoke": (
        "tests/engine/test_known_bugs.py::test_a_revoke_does_not_wait_for_the_commit_under_way",
        "tests/kafka/test_source_faults.py::test_a_waiting_commit_ends_while_the_broker_is_away",
        "tests/real_kafka/test_source_faults.py::test_nothing_waits_for_a_broker_that_hangs",
    ),
    "a drain stops polling for so long that the group expels the member": (
        "tests/engine/test_loop.py::test_shutdown_ends_in_time_when_planhat_never_answers",
        "tests/test_config.py::test_settings_that_contradict_each_other_are_refused",
    ),
    "an error of a commit during a rebalance ends the loop": (
        "tests/engine/test_known_bugs.py::test_no_error_of_a_commit_ends_the_loop",
        "tests/engine/test_loop.py::test_a_commit_during_a_rebalance_is_retried",
        "tests/engine/test_loop.py::test_a_commit_during_a_rebalance_is_given_up_in_time",
    ),
    "an error of a commit during a rebalance sets off the next rebalance": (
        "tests/engine/test_known_bugs.py::test_a_commit_that_fails_in_a_rebalance_sets_off_no_other",
        "tests/real_kafka/test_group_protocols.py::test_members_come_stop_and_come_back",
    ),
    "an error of a commit counts as success": (
        "tests/engine/test_known_bugs.py::test_no_error_of_a_commit_ends_the_loop",
        "tests/kafka/test_source_faults.py::test_a_refused_commit_is_never_called_committed",
        "tests/real_kafka/test_source_faults.py::test_a_member_that_was_evicted_is_fenced",
    ),
    "who was expelled sends on": (
        "tests/engine/test_membership.py::test_who_wakes_after_its_session_sends_nothing_and_forgets",
        "tests/real_kafka/test_group_protocols.py::test_who_wakes_up_without_its_partitions_sends_nothing",
    ),
    "poison that is tried for ever crowds out everything else": (
        "tests/engine/test_loop.py::test_a_key_in_trouble_pauses_its_partition_and_no_other",
        "tests/engine/test_trouble.py::test_refused_alone_on_a_quiet_endpoint_waits_without_holding_the_others",
        "tests/engine/test_trouble.py::test_what_is_settled_past_a_stuck_record_is_bounded",
    ),
    "a partition is not resumed": (
        "tests/engine/test_loop.py::test_partitions_assigned_while_pressed_start_paused",
        "tests/engine/test_known_bugs.py::test_every_pause_ends_when_its_reason_does",
        "tests/kafka/test_kept_back.py::test_kept_records_come_once_after_their_resume",
    ),
    "a pause is carried over a rebalance": (
        "tests/engine/test_known_bugs.py::test_a_pause_does_not_outlive_the_assignment_it_was_made_for",
        "tests/kafka/source_contract.py::test_a_pause_does_not_outlive_its_assignment",
    ),
    "a partition assigned under pressure is read": (
        "tests/engine/test_loop.py::test_partitions_assigned_while_pressed_start_paused",
        "tests/kafka/source_contract.py::test_partitions_can_start_paused",
    ),
    "gaps of compaction and transactions hold the commit back": (
        "tests/engine/test_ledger.py::test_gaps_left_by_compaction_block_nothing",
        "tests/real_kafka/test_source_faults.py::test_aborted_transactions_leave_gaps_and_no_records",
    ),
    "cancelled requests use up the pool of connections": (
        "tests/planhat/test_client.py::test_the_client_still_works_after_a_hundred_failures",
        "tests/planhat/test_sink.py::test_the_sink_still_works_after_a_hundred_failed_requests",
        "tests/planhat/test_client.py::test_a_deadline_of_one_request_leaves_the_next_alone",
    ),
    "an offset that the broker no longer holds freezes the commit": (
        "tests/kafka/test_source_faults.py::test_an_offset_the_log_does_not_hold_stops_the_reader",
        "tests/real_kafka/test_endings.py::test_an_offset_that_was_deleted_ends_with_both_offsets",
        "tests/real_kafka/test_endings.py::test_an_offset_beyond_the_log_ends_with_both_offsets",
    ),
    "a lag is told where nothing is left to read": (
        "tests/kafka/test_backlog.py::test_what_was_fetched_past_without_a_record_is_not_unread",
        "tests/kafka/test_backlog.py::test_a_partition_that_went_elsewhere_is_forgotten",
        "tests/real_kafka/test_source_faults.py::test_aborted_transactions_leave_gaps_and_no_records",
    ),
    "dead letters pile up in memory": (
        "tests/engine/test_loop.py::test_a_full_producer_queue_stops_intake_too",
        "tests/engine/test_known_bugs.py::test_letters_that_nobody_takes_are_bounded",
        "tests/kafka/test_dead_letters.py::test_a_full_queue_refuses_without_waiting",
    ),
    "a dead letter that was not produced counts as set aside": (
        "tests/engine/test_loop.py::test_a_letter_the_broker_refuses_is_offered_again_and_intake_stops",
        "tests/kafka/test_dead_letters.py::test_a_refusal_is_no_acknowledgement",
        "tests/kafka/test_dead_letters.py::test_a_broker_that_is_away_acknowledges_nothing",
    ),
    "metadata outgrows what the broker takes": (
        "tests/engine/test_marks.py::test_above_three_quarters_a_partition_takes_nothing_new_until_it_shrinks",
        "tests/engine/test_marks.py::test_a_cluster_that_takes_less_gets_less",
        "tests/engine/test_settled.py::test_what_does_not_fit_loses_its_end_and_never_gains",
    ),
    "metadata that is foreign, cut or of a later version is believed, or ends the program": (
        "tests/engine/test_marks.py::test_metadata_that_cannot_be_read_is_ignored",
        "tests/engine/test_settled.py::test_what_is_not_ours_is_ignored_for_a_reason",
        "tests/engine/test_settled.py::test_any_text_is_survived",
        "tests/engine/test_settled.py::test_cut_text_is_noticed",
    ),
    "metadata makes records done that the log does not hold yet": (
        "tests/engine/test_marks.py::test_nothing_is_skipped_past_the_end_of_the_log",
        "tests/engine/test_settled.py::test_a_run_beyond_the_log_completes_nothing",
        "tests/real_kafka/test_settled_ahead.py::test_a_topic_made_anew_is_not_taken_for_the_old_one",
    ),
    "the committed offset itself counts as done": (
        "tests/engine/test_settled.py::test_the_committed_offset_counts_as_settled_only_if_it_is",
    ),
}


@pytest.mark.parametrize("bug", KNOWN_BUGS)
def test_every_known_bug_has_its_tests(bug: str) -> None:
    """The tests named for a class of bugs are there."""
    assert KNOWN_BUGS[bug]
    for name in KNOWN_BUGS[bug]:
        path, _, function = name.partition("::")
        assert re.search(rf"^ *def {function}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), (
            name
        )
