"""Upserts of one object told as one: which may, and what one answer settles."""

from collections.abc import Callable

import pytest

from streamer.engine.coalescing import merged
from streamer.engine.limits import Limits
from streamer.engine.ports import Batch, OperationFate
from streamer.outcomes import (
    Answer,
    Answered,
    Endpoint,
    Fate,
    InvalidReason,
    RefusedWhole,
    SkipReason,
    Transient,
    TransientReason,
    Verdict,
)
from streamer.transform.operations import UpsertCompany, UpsertEnduser
from tests.engine.fakes import Bench, accept, group, identify, track

DELIVERED = (Fate.DELIVERED, "")


def told(bench: Bench, endpoint: Endpoint = Endpoint.ENDUSERS) -> list[list[str]]:
    """The custom fields of each entry sent, in order."""
    return [sorted(operation.custom) for operation in bench.sink.operations(endpoint)]


def refusing(name: str) -> Callable[[Batch], Answer]:
    """A Planhat that refuses every entry with this custom field."""

    def answer(batch: Batch) -> Answer:
        return Answered(
            tuple(
                [
                    Verdict.REFUSED if name in getattr(operation, "custom", {}) else Verdict.ACCEPTED
                    for operation in batch.operations
                ]
            )
        )

    return answer


# --- what is told together ---------------------------------------------------------------------------


def test_later_fields_win_and_custom_is_merged_by_key() -> None:
    """A null is a value: it clears."""
    first = UpsertEnduser(
        "1", "a@x.example", None, {"phone": "1", "name": "Ada"}, {"plan": "free", "seats": 2}
    )
    second = UpsertEnduser("1", None, "acme", {"phone": None}, {"plan": "pro"})
    assert merged([first, second]) == UpsertEnduser(
        "1", "a@x.example", "acme", {"phone": None, "name": "Ada"}, {"plan": "pro", "seats": 2}
    )
    assert merged([UpsertCompany("acme", {"name": "A"}), UpsertCompany("acme", {}, {"plan": 1})]) == (
        UpsertCompany("acme", {"name": "A"}, {"plan": 1})
    )


def test_a_burst_about_one_user_is_one_entry_and_settles_every_record() -> None:
    """Fifty computed traits, fifty calls, one entry."""
    bench = Bench()
    for number in range(50):
        bench.source.feed(identify("u-1", "acme", **{f"trait {number:02}": True}))
    bench.turn(4)
    assert told(bench) == [[f"trait {number:02}" for number in range(50)]]
    assert bench.told.fates[Fate.DELIVERED] == 50
    assert bench.told.done[OperationFate.DELIVERED] == bench.told.made[Endpoint.ENDUSERS] == 50
    assert bench.told.rode_along[Endpoint.ENDUSERS] == 49
    assert bench.committed() == 50


def test_what_is_under_way_is_not_told_more() -> None:
    """A newcomer waits behind an upsert that was sent, even when that one has come back unanswered."""
    failures = iter([Transient(TransientReason.CONNECTION)])
    bench = Bench(answer=lambda batch: next(failures, None) or accept(batch))
    bench.source.feed(identify("u-1", first=1))
    bench.turn(2)
    bench.source.feed(identify("u-1", second=1))
    bench.source.feed(identify("u-1", third=1))
    bench.turn(30)
    assert told(bench) == [["first"], ["first"], ["second", "third"]]


def test_two_companies_are_never_told_as_one() -> None:
    """One of them would be lost: the user is told of each."""
    bench = Bench()
    bench.source.feed(identify("u-1", company="acme", first=1))
    bench.source.feed(identify("u-1", company="beta", second=1))
    bench.turn(10)
    companies = [op.company_external_id for op in bench.sink.operations(Endpoint.ENDUSERS)]
    assert companies == ["acme", "beta"]


def test_a_call_without_a_company_goes_with_one_that_has_it() -> None:
    """In either order; a third of another company does not."""
    for companies in ([None, "acme"], ["acme", None]):
        bench = Bench()
        for company in companies:
            bench.source.feed(identify("u-1", company=company))
        bench.source.feed(identify("u-1", company="beta"))
        bench.turn(10)
        sent = [op.company_external_id for op in bench.sink.operations(Endpoint.ENDUSERS)]
        assert sent == ["acme", "beta"]


def test_a_company_that_came_in_between_is_waited_for() -> None:
    """The second identify may need what the group call says: it is not told before it."""
    bench = Bench(answer=None)
    bench.source.feed(group("beta"))
    bench.turn(2)  # under way, so that what follows waits
    bench.source.feed(identify("u-1", company=None, first=1))
    bench.source.feed(group("acme", name="Acme"))
    bench.source.feed(identify("u-1", company="acme", second=1))
    bench.sink.answer = accept
    bench.turn(10)
    assert told(bench) == [["first"], ["second"]]
    order = [batch.endpoint for batch in bench.sink.sent]
    assert order.index(Endpoint.COMPANIES) < len(order) - 1
    assert order[-1] is Endpoint.ENDUSERS


def test_calls_of_a_group_that_keep_coming_are_two_entries() -> None:
    """Company, link, company, link: the company's are one, and so are the links behind it."""
    bench = Bench()
    for number in range(5):
        bench.source.feed(group("acme", "u-1", **{f"trait {number}": 1}))
    bench.turn(10)
    assert len(told(bench, Endpoint.COMPANIES)) == 1
    assert len(told(bench, Endpoint.ENDUSERS)) == 1
    assert bench.told.fates[Fate.DELIVERED] == 5


def test_a_key_more_is_a_place_of_its_own() -> None:
    """An address names an enduser too: told together, one call could glue two of them."""
    bench = Bench()
    bench.source.feed(identify("u-1", first=1))
    bench.source.feed(identify("u-1", email="a@acme.example", second=1))
    bench.source.feed(identify("u-1", third=1))
    bench.turn(10)
    assert told(bench) == [["first"], ["second", "third"]]


def test_nobody_is_told_by_an_old_address_what_came_after_the_new_one() -> None:
    """The third call goes by an address that the second one has taken from her."""
    bench = Bench()
    bench.source.feed(identify("u-1", email="a@acme.example", first=1))
    bench.source.feed(identify("u-1", email="b@acme.example", second=1))
    bench.source.feed({"type": "identify", "messageId": "m", "anonymousId": "a", "traits": {
        "email": "a@acme.example", "third": 1}})  # fmt: skip
    bench.turn(10)
    assert told(bench)[0] == ["first"]


def test_what_is_told_as_one_is_bounded() -> None:
    """By parts and by bytes: a refusal takes them apart again, and a bulk keeps room for their sum."""
    bench = Bench(limits=Limits(coalesced_parts=3))
    for number in range(7):
        bench.source.feed(identify("u-1", "acme", **{f"{number}": 1}))
    bench.turn(10)
    assert told(bench) == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    bench = Bench(limits=Limits(coalesced_bytes=1_000))
    for number in range(4):
        bench.source.feed(identify("u-1", "acme", **{f"{number}": "x" * 400}))
    bench.turn(10)
    assert told(bench) == [["0", "1"], ["2", "3"]]


def test_activities_are_never_merged() -> None:
    """Each counts."""
    bench = Bench()
    for _ in range(3):
        bench.source.feed(track())
    bench.turn(4)
    assert len(bench.sink.operations(Endpoint.ACTIVITIES)) == 3


# --- what an answer settles --------------------------------------------------------------------------


def test_a_refusal_is_of_one_part_and_the_others_are_delivered() -> None:
    """Refused together they are told one by one: only the bad one is a dead letter."""
    bench = Bench(limits=Limits(dead_letter_ratio=1.0), answer=refusing("bad"))
    for name in ("a", "bad", "c"):
        bench.source.feed(identify("u-1", "acme", **{name: 1}))
    bench.turn(20)
    assert told(bench) == [["a", "bad", "c"], ["a"], ["bad"], ["c"]]
    refused = (Fate.DEAD_LETTERED, InvalidReason.REFUSED)
    assert [bench.told.outcomes[0, offset] for offset in range(3)] == [DELIVERED, refused, DELIVERED]
    assert [letter.record.offset for letter in bench.dead_letters.produced] == [1]
    assert bench.told.done == {OperationFate.DELIVERED: 2, OperationFate.REFUSED: 1}
    assert bench.told.retries["taken_apart"] == 3
    assert bench.committed() == 3


def test_what_was_taken_apart_is_not_told_together_again() -> None:
    """A newcomer waits behind all of them."""
    bench = Bench(limits=Limits(dead_letter_ratio=1.0), answer=refusing("bad"))
    bench.source.feed(identify("u-1", bad=1))
    bench.source.feed(identify("u-1", b=1))
    bench.turn(3)
    bench.source.feed(identify("u-1", c=1))
    bench.turn(20)
    assert told(bench) == [["b", "bad"], ["bad"], ["b"], ["c"]]


def test_what_is_refused_last_after_an_outage_is_not_taken_for_all_there_is() -> None:
    """Of twenty people half of what is said is refused, told one by one when thousands are long settled."""
    is_down, takes = True, refusing("bad")
    bench = Bench(
        answer=lambda batch: Transient(TransientReason.CONNECTION) if is_down else takes(batch),
        limits=Limits(calls_per_minute=6_000),
    )
    for number in range(4_000):
        bench.source.feed(identify(f"u-{number}", "acme", a=1))
        if number % 10 == 0:
            bench.source.feed(identify(f"mixed-{number // 10 % 20}", "acme", bad=1))
            bench.source.feed(identify(f"mixed-{number // 10 % 20}", "acme", b=1))
    bench.turn(60)
    is_down = False
    for number in range(400):
        bench.source.feed(identify(f"new-{number}", "acme", a=1))
        bench.turn(2)
    bench.turn(10)
    assert bench.committed() == 5_200
    assert len(bench.dead_letters.produced) == 400


def test_those_without_a_company_are_each_skipped() -> None:
    """Whom Planhat cannot place by all they say, it cannot place by less: no need to ask for each."""
    bench = Bench(answer=lambda batch: Answered((Verdict.MISSING,) * len(batch.operations)))
    for number in range(3):
        bench.source.feed(identify("u-1", company=None, **{f"{number}": 1}))
    bench.turn(20)
    assert bench.told.reasons[SkipReason.NO_COMPANY] == 3
    assert len(told(bench)) == 2


def test_a_company_that_planhat_does_not_have_is_the_fault_of_who_names_it() -> None:
    """Not saved together; apart, the one that names no company is."""

    def answer(batch: Batch) -> Answer:
        missing = [operation.company_external_id == "ghost" for operation in batch.operations]  # type: ignore[union-attr]
        return Answered(tuple([Verdict.MISSING if one else Verdict.ACCEPTED for one in missing]))

    bench = Bench(answer=answer)
    bench.source.feed(identify("u-1", company=None, a=1))
    bench.source.feed(identify("u-1", company="ghost", b=1))
    bench.turn(40)
    assert [bench.told.outcomes[0, offset] for offset in range(2)] == [
        DELIVERED,
        (Fate.SKIPPED, SkipReason.NO_COMPANY),
    ]


def test_an_enduser_that_is_not_found_by_all_keys_may_be_found_by_fewer() -> None:
    """Where Planhat looks up the highest key alone, or somebody else has that address: each is told."""

    def answer(batch: Batch) -> Answer:
        return Answered(
            tuple([Verdict.MISSING if each.external_id else Verdict.ACCEPTED for each in batch.operations])
        )

    bench = Bench(answer=answer)
    bench.source.feed(identify("u-1", None, email="ada@acme.example"))
    by_email = identify(company=None, email="ada@acme.example", plan="pro")
    bench.source.feed({**by_email, "userId": None, "anonymousId": "a-1"})
    bench.turn(60)
    assert [bench.told.outcomes[0, offset] for offset in range(2)] == [
        (Fate.SKIPPED, SkipReason.NO_COMPANY),
        DELIVERED,
    ]


def test_a_company_that_is_not_saved_may_be_so_for_one_of_those_that_told_of_it() -> None:
    """A company needs none to be saved: of several calls each is told by itself."""

    def answer(batch: Batch) -> Answer:
        odd = ["odd" in operation.custom for operation in batch.operations]  # type: ignore[union-attr]
        return Answered(tuple([Verdict.MISSING if one else Verdict.ACCEPTED for one in odd]))

    bench = Bench(answer=answer)
    bench.source.feed(group(plan="pro"))
    bench.source.feed(group(odd=1))
    bench.turn(40)
    assert [bench.told.outcomes[0, offset] for offset in range(2)] == [
        DELIVERED,
        (Fate.SKIPPED, SkipReason.UNCONFIRMED),
    ]


def test_a_name_is_made_up_for_all_that_are_told_together() -> None:
    """None of them has one, or the reply would not ask for it."""

    def answer(batch: Batch) -> Answer:
        named = ["name" in operation.fields for operation in batch.operations]  # type: ignore[union-attr]
        return Answered(tuple([Verdict.ACCEPTED if one else Verdict.NAME_MISSING for one in named]))

    bench = Bench(answer=answer)
    for number in range(3):
        bench.source.feed(group("acme", None, **{f"{number}": 1}))
    bench.turn(10)
    first, second = bench.sink.operations(Endpoint.COMPANIES)
    assert first.custom == second.custom
    assert second.fields == {"name": "acme"}
    assert bench.told.fates[Fate.DELIVERED] == 3


def test_poison_among_them_is_found_by_sending_each_alone() -> None:
    """A request refused as a whole, and no word on who is at fault: the sound parts are delivered."""

    def answer(batch: Batch) -> Answer:
        is_bad = any("bad" in getattr(operation, "custom", {}) for operation in batch.operations)
        return RefusedWhole(400) if is_bad else accept(batch)

    limits = Limits(alone_seconds=20, alone_others=1, alone_refusals=2, dead_letter_ratio=1.0)
    bench = Bench(limits=limits, answer=answer)
    for name in ("a", "bad", "c"):
        bench.source.feed(identify("u-1", "acme", **{name: 1}))
    for number in range(20):
        bench.source.feed(identify(f"v-{number}", x=1))
    for number in range(200):
        bench.source.feed(identify(f"w-{number}", x=1))
        bench.turn()
    bench.turn(5)
    refused = (Fate.DEAD_LETTERED, InvalidReason.REFUSED_ALONE)
    assert [bench.told.outcomes[0, offset] for offset in range(3)] == [DELIVERED, refused, DELIVERED]
    assert bench.told.fates[Fate.DELIVERED] == 222


# --- partitions that leave ---------------------------------------------------------------------------


def test_a_part_is_withdrawn_with_its_partition() -> None:
    """What the others say is sent without it, and the records of the two have different ends."""
    bench = Bench(answer=None, partitions=2)
    bench.source.feed(group("acme"))
    bench.turn(2)  # under way: what follows waits for it
    bench.source.feed(identify("u-1", a=1), number=0)
    bench.source.feed(identify("u-1", b=1), number=1)
    bench.turn()
    bench.source.revoke(1)
    assert bench.told.outcomes == {(1, 0): (Fate.RELEASED, "")}
    bench.sink.answer = accept
    bench.turn(5)
    assert told(bench) == [["a"]]
    assert bench.told.outcomes[0, 1] == DELIVERED
    bench.streamer.check()


@pytest.mark.parametrize("answer", [accept, refusing("a"), refusing("b")])
def test_of_what_is_under_way_only_the_parts_of_a_lost_partition_are_fenced(
    answer: Callable[[Batch], Answer],
) -> None:
    """The answer counts for the rest."""
    bench = Bench(answer=None, partitions=2, limits=Limits(dead_letter_ratio=1.0))
    bench.source.feed(identify("u-1", a=1), number=0)
    bench.source.feed(identify("u-1", b=1), number=1)
    bench.turn(2)
    assert told(bench) == [["a", "b"]]
    bench.source.lose(1)
    bench.streamer.check()
    assert bench.told.done == {OperationFate.RELEASED: 1}
    bench.sink.answer = answer
    bench.turn(20)
    assert bench.told.answers_fenced == 1
    assert bench.told.outcomes[1, 0] == (Fate.RELEASED, "")
    is_at_fault = answer is not accept and len(bench.dead_letters.produced) == 1
    assert bench.told.outcomes[0, 0][0] is (Fate.DEAD_LETTERED if is_at_fault else Fate.DELIVERED)
    assert told(bench)[1:] == ([] if answer is accept else [["a"]])
    bench.streamer.check()


def test_parts_told_apart_leave_with_their_partition_while_the_first_is_under_way() -> None:
    """Only the first was sent: the second goes back at once, and the third is told next."""
    bench = Bench(answer=refusing("b"), partitions=3, limits=Limits(dead_letter_ratio=1.0))
    for number, name in enumerate(("a", "b", "c")):
        bench.source.feed(identify("u-1", "acme", **{name: 1}), number=number)
    while len(bench.sink.sent) < 2:
        bench.turn()
    bench.sink.answer = None
    assert told(bench) == [["a", "b", "c"], ["a"]]
    bench.source.lose(1)
    assert bench.told.outcomes == {(1, 0): (Fate.RELEASED, "")}
    bench.sink.answer = accept
    bench.turn(5)
    assert told(bench)[2:] == [["c"]]
    assert bench.told.outcomes[0, 0] == bench.told.outcomes[2, 0] == DELIVERED
    bench.streamer.check()
