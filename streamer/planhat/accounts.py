"""One verdict for each operation of a bulk, from the summary it was answered with. Pure.

The laws, for a bulk of n operations:

- an operation named by an error is never ACCEPTED
- an operation is ACCEPTED when the reply lists it as saved, or when the counts leave no other reading
- what the counts leave open is UNCLEAR: it is asked about again, alone, which always gets an answer

Steps: **identified** are those in `insertsKeys` or `updatesKeys`; **named** those that an error entry
can only be about, listed as saved or not; an entry that fits several or none is **unattributed** (one
that fits several of which all but one are identified is about that one). The **rest** is neither
identified nor named; **loose** is what the counts say is at Planhat beyond the identified.

| unattributed | counts | verdict of the rest |
|---|---|---|
| none | loose = rest, or all n are counted | ACCEPTED |
| none | loose = 0, `nonupdates` = 0 | MISSING: certainly not saved |
| none | anything else | UNCLEAR |
| as many as the rest, or the rest is one | loose = 0, `nonupdates` = 0 | the entries', if they agree |
| otherwise | any | UNCLEAR |
| any | the reply does not count (400, 403) | UNCLEAR; a rest of one has the entries' |
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from streamer.outcomes import Verdict
from streamer.planhat.entries import Nature, Text, nature_of, texts_of, verdict_of
from streamer.planhat.roster import Roster
from streamer.planhat.summary import Summary
from streamer.transform.operations import Operation

_Texts = tuple[Text, ...]

# Of several verdicts on one operation the gravest stands; a duplicate is tried again before a name is
# invented for it.
_GRAVEST_FIRST = (Verdict.REFUSED, Verdict.DUPLICATED, Verdict.NAME_MISSING, Verdict.MISSING)


@dataclass(slots=True)
class _Errors:
    """What the error entries say."""

    named: dict[int, list[_Texts]] = field(default_factory=dict)
    unattributed: list[_Texts] = field(default_factory=list)
    doubtful: set[int] = field(default_factory=set)
    """Identified as saved, but an entry names them among others that are saved too."""


def verdicts(operations: Sequence[Operation], summary: Summary) -> tuple[Verdict, ...]:
    """One verdict for each operation, in order."""
    count = len(operations)
    if summary.counted and not summary.entries and summary.total == count:
        return (Verdict.ACCEPTED,) * count
    roster = Roster(operations)
    identified = {place for key in summary.saved_keys() if (place := roster.saved_as(key)) is not None}
    errors = _attribute(summary, roster, identified)
    rest = [place for place in range(count) if place not in identified and place not in errors.named]

    found = dict.fromkeys(identified, Verdict.ACCEPTED)
    found.update(dict.fromkeys(errors.doubtful - errors.named.keys(), Verdict.UNCLEAR))
    for place, entries in errors.named.items():
        nature = nature_of(operations[place])
        found[place] = _gravest(verdict_of(texts, nature) for texts in entries)
    if not errors.unattributed:
        found.update(dict.fromkeys(rest, _verdict_of_rest(len(rest), len(identified), count, summary)))
    elif _entries_are_the_rests(len(rest), len(identified), len(errors.unattributed), summary):
        natures = {place: nature_of(operations[place]) for place in rest}
        agreed = {
            nature: _agreed(errors.unattributed, nature, alone=len(rest) == 1)
            for nature in set(natures.values())
        }
        found.update({place: agreed[nature] for place, nature in natures.items()})
    else:
        found.update(dict.fromkeys(rest, Verdict.UNCLEAR))
    return tuple(found[place] for place in range(count))


def _attribute(summary: Summary, roster: Roster, identified: set[int]) -> _Errors:
    errors = _Errors()
    for entry in summary.entries:
        texts = texts_of(entry)
        candidates = roster.named_in(texts)
        open_candidates = candidates - identified if len(candidates) > 1 else candidates
        if len(open_candidates) == 1:
            errors.named.setdefault(next(iter(open_candidates)), []).append(texts)
            continue
        errors.unattributed.append(texts)
        if not open_candidates:
            errors.doubtful |= candidates
    return errors


def _verdict_of_rest(rest: int, identified: int, count: int, summary: Summary) -> Verdict:
    """Where no error is left over, the counts alone speak of the rest."""
    loose = summary.total - identified
    if not summary.counted:
        return Verdict.UNCLEAR
    if loose == rest or summary.total == count:
        return Verdict.ACCEPTED
    if loose == 0 and summary.unchanged == 0:
        return Verdict.MISSING
    return Verdict.UNCLEAR


def _entries_are_the_rests(rest: int, identified: int, unattributed: int, summary: Summary) -> bool:
    """Whether the entries that name nobody can only be about the rest, each of which has one."""
    if not summary.counted:
        return rest == 1
    nothing_loose = summary.total == identified and summary.unchanged == 0
    return nothing_loose and rest in {1, unattributed}


def _agreed(entries: Iterable[_Texts], nature: Nature, *, alone: bool) -> Verdict:
    found = {verdict_of(texts, nature) for texts in entries}
    if alone:
        return _gravest(found)
    return found.pop() if len(found) == 1 else Verdict.UNCLEAR


def _gravest(found: Iterable[Verdict]) -> Verdict:
    return min(found, key=_GRAVEST_FIRST.index)
