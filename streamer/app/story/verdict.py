"""The verdict: a story in a few plain sentences that say why an object is, or is not, at Planhat. Pure."""

from collections.abc import Iterator, Sequence
from shlex import quote
from typing import Final, NamedTuple

from streamer.app.story.notes import MOST_NAMES, calls_words, cut_partitions, differences
from streamer.app.story.values import Kind, Look, Outcome, Settling, Story, ToldCall, ToldLetter
from streamer.app.story.words import BROKEN_EVENTS, invalid_words, skipped_words

_DESCRIBING: Final = frozenset({"identify", "group"})
"""Calls without which nobody is in Planhat."""


class Verdict(NamedTuple):
    """What to tell whoever asked."""

    text: str
    todo: tuple[str, ...] = ()
    is_letter: bool = False
    """Of a cause: something of the object waits among the dead letters, wherever the object is."""


def verdict(story: Story) -> Verdict:
    """Why the object is, or is not, at Planhat, by the first cause that suffices."""
    causes = list(_causes(story))
    if story.present is not None and story.present.look is Look.FOUND:
        return _of_found(story, causes)
    if not causes:
        causes = [_nothing_wrong(story)]
    todo = tuple(dict.fromkeys(step for cause in causes for step in cause.todo))
    return Verdict(f"{_standing(story)}: {'; and '.join(cause.text for cause in causes)}.", todo)


def _standing(story: Story) -> str:
    """What is known of its being at Planhat."""
    if story.present is None:
        return "whether it is in Planhat was not asked (--ask-planhat); by the topic"
    if story.present.look is Look.ABSENT:
        return "not in Planhat"
    return f"whether it is in Planhat could not be told ({story.present.detail}); by the topic"


def _causes(story: Story) -> Iterator[Verdict]:
    """What stands in the way, gravest first; each is a clause about the object."""
    if not story.count and not story.letters:
        yield _silence(story)
        return
    describing = [each for each in story.letters if each.call in _DESCRIBING]
    yield from _letters(story, describing)
    yield from _ofcalls_words(story)
    yield from _letters(story, [each for each in story.letters if each.call not in _DESCRIBING])


def _ofcalls_words(story: Story) -> Iterator[Verdict]:
    unread = sum(call.outcome is Outcome.UNREAD for call in story.calls)
    if unread:
        yield Verdict(
            f"{calls_words(unread)} of it cannot be read, since the registry does not give the schema",
            ("see that the schema registry is there",),
        )
    sent = [call for call in story.calls if call.outcome is Outcome.OPERATIONS]
    if not sent:
        yield from _nothing_sent(story)
        return
    unsettled = [call for call in sent if call.settling is Settling.OPEN]
    if unsettled:
        many = len(unsettled)
        yield Verdict(
            f"{calls_words(many)} of it {'is' if many == 1 else 'are'} not finished with yet, the first at "
            f"{unsettled[0].at}",
            ("wait, or see why the group is behind: docs/runbooks/StreamerNotDraining.md",),
        )
    yield from _of_company(story) if story.wanted.kind is Kind.COMPANY else _of_enduser(story, sent)


# --- one cause each ---------------------------------------------------------------------------------------


def _silence(story: Story) -> Verdict:
    text = f"no call about it is in what was read of {story.topic} ({story.records:,} records)"
    if not story.records:
        text = f"{story.topic} holds no record of that time"
    todo = ["see under which id its events are sent"]
    if story.named_by:
        text = (
            f"no group call of it is in what was read of {story.topic}, and calls of users that name it, of "
            f"which there {'is one' if story.named_by == 1 else f'are {story.named_by:,}'}, never create it"
        )
        todo = ["send a group call for it"]
    if cut_partitions(story):
        text += "; what is older was deleted by retention"
    elif any(each.read.low > each.held.low for each in story.partitions.values()):
        todo.insert(0, "look further back with --since")
    return Verdict(text, tuple(todo))


def _letters(story: Story, letters: Sequence[ToldLetter]) -> Iterator[Verdict]:
    waiting = [each for each in letters if each.state.is_open]
    if not waiting:
        return
    reasons = ", ".join(dict.fromkeys(each.reason for each in waiting))
    named = ", ".join(str(each.id) for each in waiting[:MOST_NAMES])
    many = (
        f"{calls_words(len(waiting))} of it {'is a dead letter' if len(waiting) == 1 else 'are dead letters'}"
    )
    yield Verdict(
        f"{many} ({reasons}): {named}{' and more' if len(waiting) > MOST_NAMES else ''}",
        tuple(_mending(story, waiting)),
        is_letter=True,
    )


def _mending(story: Story, waiting: Sequence[ToldLetter]) -> Iterator[str]:
    """What to do about dead letters: mend and replay, but for events that are broken themselves."""
    mendable = [each for each in waiting if each.reason not in BROKEN_EVENTS]
    if mendable:
        yield f"see why: `streamer dead-letters show {mendable[0].id}`, and mend that"
        yield f"then `streamer dead-letters replay --user {quote(story.wanted.name)} --dry-run`"
    broken = [each for each in waiting if each.reason in BROKEN_EVENTS]
    if broken:
        yield (
            f"see what is broken: `streamer dead-letters show {broken[0].id}`; have its sender mended and "
            "the event sent anew: no replay mends it"
        )


def _nothing_sent(story: Story) -> Iterator[Verdict]:
    """Every call is skipped or invalid: by the reason of the latest ones."""
    seen: dict[str, Verdict] = {}
    for call in reversed(story.calls):
        if call.skipped is not None:
            words, step = skipped_words(call.skipped)
            seen.setdefault(call.skipped, Verdict(f"skipped as {call.skipped.value}: {words}", (step,)))
        elif call.invalid is not None and not story.letters:
            words, step = invalid_words(call.invalid)
            seen.setdefault(call.invalid, Verdict(f"invalid: {words}", (step,)))
    if not seen:
        return
    causes = list(seen.values())
    whole = "its only call is" if story.count == 1 else f"none of its {story.count:,} calls is sent; they are"
    yield Verdict(
        f"{whole} {', or '.join(cause.text for cause in causes)}",
        tuple(step for cause in causes for step in cause.todo),
    )


def _of_enduser(story: Story, sent: list[ToldCall]) -> Iterator[Verdict]:
    if sent[-1].deletes:
        yield Verdict(f"its latest call, at {sent[-1].at}, deletes it")
        return
    if story.fields.get("archived") is True or any(call.archives for call in sent):
        yield Verdict("it was archived by a call, and Planhat's lists hide what is archived")
    if any(call.is_forwarded for call in sent):
        yield Verdict(
            "its calls are forwarded as they came (passthrough), and what Planhat makes of them nobody tells",
            ("see Planhat's own page of its Segment integration",),
        )
        return
    upserts = [call for call in sent if call.upserts]
    if not upserts:
        yield Verdict(
            f"no identify or group call tells of it, only {calls_words(len(sent))} of activities; Planhat "
            "drops those of endusers it does not know, unless they name a company it knows",
            ("send an identify call for it",),
        )
        return
    company = story.company
    if company is None:
        many = len(upserts)
        yield Verdict(
            f"its {'last call names' if many == 1 else f'last {many} upserts name'} no company, and Planhat "
            f"saves nobody without one, unless the e-mail's domain tells; {_unassigned(story)}",
            ("name its company in context.groupId (or traits.companyId)", "or set STREAMER_UNASSIGNED"),
        )
        return
    naming = sum(call.company == company for call in upserts)
    whose = "its last call names" if naming == 1 else f"its last {naming} calls name"
    asked = story.present_company
    if asked is not None and asked.look is Look.ABSENT:
        made = "" if _was_grouped(story, company) else ", which no group call made"
        yield Verdict(
            f"{whose} company {company}{made}, and Planhat has none; {_unassigned(story)}",
            (f"send a group call for {company}, or make the company in Planhat with that external id",),
        )
    elif asked is None and story.grouped is not None and not _was_grouped(story, company):
        yield Verdict(
            f"{whose} company {company}, which no group call made in what was read; where Planhat has none, "
            f"the enduser is not saved: {_unassigned(story)}",
            ("ask Planhat with --ask-planhat", f"send a group call for {company}"),
        )


def _of_company(story: Story) -> Iterator[Verdict]:
    if not any(call.upserts or call.is_forwarded for call in story.calls):
        yield Verdict("no group call makes it", ("send a group call for it",))


def _nothing_wrong(story: Story) -> Verdict:
    told = "all its calls are finished with, and nothing says why it should not be there"
    if any(call.settling is Settling.UNKNOWN for call in story.calls):
        told = "nothing in its calls says why it should not be there"
    if story.present is not None and story.present.look is Look.ABSENT:
        quiet = _kept_quiet(story)
        if quiet is not None:
            return Verdict(f"{told}, but {quiet.text}", quiet.todo)
        return Verdict(told, ("see in Planhat whether it was deleted, merged or given another id there",))
    return Verdict(told, ("ask Planhat with --ask-planhat",) if story.present is None else ())


def _kept_quiet(story: Story) -> Verdict | None:
    """That its latest call may have been kept from Planhat, which is believed to have all of it still."""
    upserts = [call for call in story.calls if call.upserts]
    if not upserts or not upserts[-1].says_nothing_new:
        return None
    return Verdict(
        f"its latest call, at {upserts[-1].at}, says nothing new and may not have been sent: what was "
        "changed or deleted at Planhat itself stays so while our last writing is younger than "
        "STREAMER_UNCHANGED_TTL",
        ("wait for a call after that time, or set STREAMER_UNCHANGED_TTL lower",),
    )


def _of_found(story: Story, causes: list[Verdict]) -> Verdict:
    """It is there; what its calls say and Planhat does not have is named."""
    differing = differences(story)
    text = f"in Planhat: this {story.wanted.noun} is there"
    if not story.count:
        return Verdict(f"{text}, though {_silence(story).text}.")
    elsewhere: tuple[str, ...] = ()
    if not differing:
        text += ", as its calls say"
    else:
        named = ", ".join(differing[:MOST_NAMES]) + (" and more" if len(differing) > MOST_NAMES else "")
        many = "1 field is" if len(differing) == 1 else f"{len(differing)} fields are"
        text += f"; {many} not what its calls say: {named}"
        ids = _ids_of_an_address(story)
        if ids:
            text += f"; calls with the user id {', '.join(ids)} alone may say so"
            elsewhere = tuple(f"see what those say: `streamer explain --user {quote(each)}`" for each in ids)
    blocked = [cause for cause in causes if differing or cause.is_letter]
    quiet = _kept_quiet(story)
    if differing and not blocked and quiet is not None:
        return Verdict(f"{text}; {quiet.text}.", (*elsewhere, *quiet.todo))
    if differing and not blocked and not elsewhere:
        changed = "see in Planhat who changed it: a call that says it anew puts it back"
        return Verdict(f"{text}, and nothing of them says why.", (changed,))
    if blocked:
        text += f". What stands in the way: {'; and '.join(cause.text for cause in blocked)}"
    steps = (step for cause in blocked for step in cause.todo)
    return Verdict(f"{text}.", tuple(dict.fromkeys((*elsewhere, *steps))))


def _ids_of_an_address(story: Story) -> list[str]:
    """User ids of whom is asked about by address: most calls name the id alone, so this story lacks them."""
    if story.wanted.kind is not Kind.EMAIL:
        return []
    held = None if story.present is None else story.present.record.get("externalId")
    return sorted(story.other_ids | ({held} if isinstance(held, str) and held else set()))[:MOST_NAMES]


# --- words -----------------------------------------------------------------------------------------------


def _unassigned(story: Story) -> str:
    if story.holding_company is not None:
        return f"STREAMER_UNASSIGNED puts such endusers into {story.holding_company}"
    return "STREAMER_UNASSIGNED is discard, so it is skipped as no_company until a call names a company"


def _was_grouped(story: Story, company: str) -> bool:
    return story.grouped is not None and company in story.grouped
