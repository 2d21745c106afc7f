"""`link = if_absent`: a group call's user is put into the company only where Planhat has none for them."""

from streamer.engine.coalescing import merged
from streamer.engine.limits import Limits
from streamer.engine.ports import Batch
from streamer.outcomes import Answer, Answered, Endpoint, Fate, SkipReason, Verdict
from streamer.transform import Link, Rules
from streamer.transform.facts import names_company
from streamer.transform.operations import UpsertEnduser
from tests.engine.fakes import Bench, group

IF_ABSENT = Rules(link=Link.IF_ABSENT)


def strangers(batch: Batch) -> Answer:
    """Planhat knows nobody, and saves who is put into a company that is there."""
    verdicts = []
    for operation in batch.operations:
        is_saved = not isinstance(operation, UpsertEnduser) or operation.company_external_id not in {
            None,
            "gone",
        }
        verdicts.append(Verdict.ACCEPTED if is_saved else Verdict.MISSING)
    return Answered(tuple(verdicts))


def companies(bench: Bench) -> list[str | None]:
    """Where the user was put, request by request."""
    return [each.company_external_id for each in bench.sink.operations(Endpoint.ENDUSERS)]


def test_who_is_known_stays_where_they_are() -> None:
    """Accepted without a company: nothing more is sent."""
    bench = Bench(rules=IF_ABSENT)
    bench.source.feed(group("acme", user="u-1"))
    bench.turn(40)
    assert companies(bench) == [None]
    assert bench.told.fates == {Fate.DELIVERED: 1}


def test_who_is_not_saved_without_a_company_is_sent_again_in_it() -> None:
    """First without, once more to be sure, then in the group call's company."""
    bench = Bench(answer=strangers, rules=IF_ABSENT)
    bench.source.feed(group("acme", user="u-1"))
    bench.turn(60)
    assert companies(bench) == [None, None, "acme"]
    assert bench.told.fates == {Fate.DELIVERED: 1}


def test_the_holding_company_comes_last() -> None:
    """Where the fallback is not there either, `unassigned` says what to do; without it, it is skipped."""
    bench = Bench(answer=strangers, rules=IF_ABSENT, limits=Limits(unassigned_company="holding"))
    bench.source.feed(group("gone", user="u-1"))
    bench.turn(80)
    assert companies(bench) == [None, None, "gone", "holding"]
    without = Bench(answer=strangers, rules=IF_ABSENT)
    without.source.feed(group("gone", user="u-1"))
    without.turn(80)
    assert companies(without) == [None, None, "gone"]
    assert without.told.outcomes[0, 0] == (Fate.SKIPPED, SkipReason.NO_COMPANY)


def test_the_company_comes_before_its_fallback() -> None:
    """The user may have to be put into it, so it is told first."""
    bench = Bench(answer=None, rules=IF_ABSENT)
    bench.source.feed(group("acme", user="u-1"))
    bench.turn(5)
    assert [batch.endpoint for batch in bench.sink.sent] == [Endpoint.COMPANIES]


def test_one_that_may_need_its_fallback_is_looked_at_among_those_without_a_company() -> None:
    """It is as likely to be unsaved as these; beside those that name one, one answer would not do."""
    assert not names_company(UpsertEnduser("u-1", None, None, fallback_company="acme"))
    assert names_company(UpsertEnduser("u-1", None, "acme"))


def test_calls_of_one_company_are_told_as_one() -> None:
    """Merged, the fallback is what any of them says; a company that is named counts before it."""
    fields = {"name": "N"}
    linked = UpsertEnduser("u-1", None, None, fallback_company="acme")
    assert merged([linked, UpsertEnduser("u-1", None, None, fields)]).fallback_company == "acme"  # type: ignore[union-attr]
    told = merged([linked, UpsertEnduser("u-1", None, "acme", fields)])
    assert told == UpsertEnduser("u-1", None, "acme", fields, fallback_company="acme")
    assert told.parents == ("co:acme",)
