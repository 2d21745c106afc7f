"""Whatever Planhat does where its documentation is silent, the promises of streamer hold.

The real engine and the real edge run a story of events against the sandbox, once for every value of
every switch. Requests are real and production limits are in force; time is turned by hand.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from itertools import product

import pytest

from streamer.outcomes import Endpoint, InvalidReason, SkipReason
from streamer.standins.planhat.choices import EnduserName, ErrorShape, ReplyKeys, UnknownCompany
from streamer.standins.planhat.sandbox import Sandbox
from streamer.standins.planhat.switches import Switches
from tests.engine.fakes import ManualClock, identify, track
from tests.planhat_contract.cases import Case, cases
from tests.planhat_contract.laws import MOST_REQUESTS, check_laws, reasons_of, unsaved_of
from tests.planhat_contract.pipeline import Ended, Pipeline
from tests.planhat_contract.scenario import FAULTS, PARTITIONS, Event, events_of, story
from tests.planhat_contract.served import ServedSandbox

pytestmark = pytest.mark.timeout(120)

NO_COMPANY = frozenset({"u-lost-1", "u-lost-2", "u-lost-3", "u-elsewhere", "u-free"})
REFUSED = frozenset({"u-refused"})


@dataclass(frozen=True)
class Outcome:
    """What becomes of the story. Events that are not named are delivered."""

    skipped: frozenset[str] = NO_COMPANY
    """Skipped `no_company`."""
    dead: frozenset[str] = REFUSED
    """Dead-lettered `refused`."""
    lost: frozenset[str] = field(default=frozenset())
    """Called delivered although Planhat did not save them: only where no reply could tell."""
    refuses_start: bool = False
    """Nothing at all is accepted: a start ends with exit code 4, and a run holds."""
    holds: bool = False
    """Runs into something that needs a person, with nothing but `dead` dead-lettered by then."""


USUAL = Outcome()

DIFFERENT: Mapping[Case, Outcome] = {
    # Counted as unchanged, an enduser that was not saved looks like one that was saved before.
    Case("unknown_company", "nonupdates"): Outcome(skipped=frozenset(), lost=NO_COMPANY),
    # Nobody's address tells their company.
    Case("auto_domains", "off"): Outcome(skipped=NO_COMPANY | {"u-domain"}),
    # u-3 is in two companies by then, and says neither.
    Case("ambiguous_match", "refused"): Outcome(dead=REFUSED | {"u-3/3"}),
    # Their event has a trait that Planhat does not know.
    Case("unknown_custom", "refused"): Outcome(dead=REFUSED | {"u-1/2"}),
    # `source` stands in every upsert, and nothing is known of a token that is wrong.
    # So few of them are waited for as a few bad ones are, until nothing was accepted for ten minutes.
    Case("unknown_fields", "refused"): Outcome(holds=True, dead=frozenset()),
    Case("unauthorized_body", "text"): Outcome(refuses_start=True),
    Case("unauthorized_body", "json"): Outcome(refuses_start=True),
    Case("denied", "companies.create"): Outcome(refuses_start=True),
    Case("denied", "companies.create,companies.update,endusers.create,endusers.update"): Outcome(
        refuses_start=True
    ),
    # What was allowed is done; then a bulk without permission for anything in it is a hold.
    Case("denied", "endusers.create"): Outcome(holds=True, dead=frozenset()),
    Case("denied", "endusers.update"): Outcome(holds=True, dead=frozenset()),
    Case("permission_errors_key", "on"): Outcome(holds=True, dead=frozenset()),
    Case("permission_errors_key", "off"): Outcome(holds=True, dead=frozenset()),
    # One update in a bulk with a create is refused by name; after it a bulk of updates alone.
    Case("denied", "companies.update"): Outcome(holds=True, dead=frozenset({"acme/2"})),
}
"""Where a switch legitimately changes what becomes of the story. A value that is not here: USUAL."""


@contextmanager
def running(served: ServedSandbox, switches: Mapping[str, object]) -> Iterator[Pipeline]:
    """A pipeline at an empty sandbox under these switches."""
    clock = ManualClock()
    sandbox = served.reset(switches, lambda: clock.now)
    sandbox.faults.add(FAULTS)
    pipeline = Pipeline(sandbox, served.url, clock, PARTITIONS)
    try:
        yield pipeline
    finally:
        pipeline.close()


def tell(pipeline: Pipeline, chapters: list[list[Event]]) -> Ended:
    """Tell the story, chapter by chapter, as far as it gets."""
    ended = Ended()
    for chapter in chapters:
        pipeline.feed(chapter)
        ended = pipeline.run()
        if ended.refused_start is not None or ended.is_on_hold:
            break
    return ended


def check(pipeline: Pipeline, ended: Ended, events: list[Event], expected: Outcome) -> None:
    """The story came to what is expected, and every law held on the way."""
    sandbox = pipeline.sandbox
    check_laws(sandbox, ended, events)
    assert unsaved_of(sandbox, ended, events) == expected.lost
    assert pipeline.unsettled_behind_commits() == []
    assert pipeline.sink.requests <= MOST_REQUESTS
    assert pipeline.told.errors == []
    assert len(pipeline.dead_letters.produced) == len(expected.dead)
    reasons = reasons_of(ended, events)
    assert _named(reasons, InvalidReason.REFUSED) == expected.dead
    if expected.holds:
        assert not any(word.startswith("left") for word in pipeline.told.holds)
    else:
        assert _named(reasons, SkipReason.NO_COMPANY) == expected.skipped
        assert reasons.keys() == expected.dead | expected.skipped


def _named(reasons: Mapping[str, str], reason: str) -> set[str]:
    return {name for name, found in reasons.items() if found == reason}


def come_with(pipeline: Pipeline, case: Case) -> None:
    """Use the token the case asks for."""
    pipeline.api_token = "wrong" if case.has_wrong_token else pipeline.sandbox.api_token
    pipeline.sink.refresh_credentials()


ALL = cases()
IMPOSSIBLE = [case for case in ALL if DIFFERENT.get(case, USUAL).refuses_start]


def test_every_open_switch_has_telling_values() -> None:
    """A new switch is covered by itself, or this names it; the table names only cases there are."""
    covered = {case.switch for case in ALL}

    assert covered == {each.name for each in fields(Switches) if each.metadata["tag"] != "S"}
    assert DIFFERENT.keys() <= set(ALL)


def test_the_story_meets_what_it_is_told_for(served: ServedSandbox) -> None:
    """By default it meets duplicates, missing names, unsaved and unchanged entries: no law holds idly."""
    with running(served, {}) as pipeline:
        ended = tell(pipeline, story())

        assert ended.fates
        assert {"duplicated", "name_missing", "missing"} <= pipeline.told.retries.keys()
        endusers = pipeline.sandbox.store.endusers
        assert min(endusers.counts["nonupdates"], endusers.counts["ignored"]) > 0
        assert endusers.refusals.keys() == {"phone is not valid", "externalId,email duplicated"}


@pytest.mark.parametrize("case", ALL, ids=str)
def test_the_promises_hold_under_every_switch(served: ServedSandbox, case: Case) -> None:
    """Everything is settled as it truly ended, once, in order; or nothing is, and a person is called."""
    expected = DIFFERENT.get(case, USUAL)
    chapters = story()
    events = [event for chapter in chapters for event in chapter]
    with running(served, case.switches) as pipeline:
        come_with(pipeline, case)
        ended = tell(pipeline, chapters)

        assert (ended.refused_start is not None) == expected.refuses_start
        if expected.refuses_start:
            assert pipeline.dead_letters.produced == []
            assert pipeline.unsettled_behind_commits() == []
            assert _upserts_stored(pipeline.sandbox) == 0
        else:
            assert ended.is_on_hold == expected.holds
            check(pipeline, ended, events, expected)


@pytest.mark.parametrize("case", IMPOSSIBLE, ids=str)
def test_what_becomes_impossible_holds_and_heals(served: ServedSandbox, case: Case) -> None:
    """When Planhat begins to refuse everything, nothing is dead-lettered; when it stops, all is delivered."""
    companies, *later = story()
    events = [event for chapter in (companies, *later) for event in chapter]
    with running(served, {}) as pipeline:
        tell(pipeline, [companies])
        pipeline.sandbox.board.change(_total(case))
        come_with(pipeline, case)
        stuck = tell(pipeline, later)
        told_to_dead_letters = list(pipeline.dead_letters.produced)

        pipeline.sandbox.board.reset()
        pipeline.api_token = pipeline.sandbox.api_token
        ended = tell(pipeline, [[], *later[1:]])

        assert stuck.is_on_hold
        assert told_to_dead_letters == []
        assert not ended.is_on_hold
        check(pipeline, ended, events, USUAL)


def test_a_hold_outlasts_what_the_analytics_host_says(served: ServedSandbox) -> None:
    """While the main API refuses our token, answers of the host that accepts anything change nothing."""
    with running(served, {}) as pipeline:
        tell(pipeline, story()[:1])
        pipeline.api_token = "wrong"
        pipeline.sink.refresh_credentials()

        for number in range(300):
            users = identify(f"u-a-{number}"), track(f"u-b-{number}", company=None)
            pipeline.feed([event._replace(step=100 + number) for event in events_of(users)])
            pipeline.streamer.run_once()
            pipeline.clock.advance(0.1)

        assert pipeline.told.holds[0] == "entered credentials"
        assert "left credentials" not in pipeline.told.holds


def _total(case: Case) -> dict[str, object]:
    """The case's switches; of permissions all, so that nothing gets through."""
    if case.switch == "denied":
        return {"denied": "companies.create,companies.update,endusers.create,endusers.update"}
    return case.switches


ANSWERS = list(product(ErrorShape, UnknownCompany, ReplyKeys, EnduserName))


@pytest.mark.parametrize("answers", ANSWERS, ids="-".join)
def test_answers_are_understood_in_every_combination(
    served: ServedSandbox, answers: tuple[ErrorShape, UnknownCompany, ReplyKeys, EnduserName]
) -> None:
    """However the switches of the reply are combined, the story ends as the unknown company alone decides."""
    shape, unknown, keys, name = answers
    switches = {
        "error_shape": shape,
        "unknown_company": unknown,
        "reply_keys": keys,
        "enduser_name": name,
    }
    chapters = story()
    with running(served, switches) as pipeline:
        ended = tell(pipeline, chapters)

        expected = DIFFERENT.get(Case("unknown_company", unknown), USUAL)
        check(pipeline, ended, [event for chapter in chapters for event in chapter], expected)


def _upserts_stored(sandbox: Sandbox) -> int:
    return sum(len(sandbox.store.model(name).by_id) for name in (Endpoint.COMPANIES, Endpoint.ENDUSERS))
