"""What calls of one object do to each other: say nothing new, or are overtaken by later ones. Pure.

The pipeline writes down neither which calls it skipped as `unchanged` nor which it merged. What can be said
comes from the calls themselves, by the rules of decisions 0022 and 0023. What was told before them is not
known, so that it is a perhaps.
"""

from collections.abc import Sequence
from operator import attrgetter
from types import UnionType
from typing import Final, NamedTuple

from streamer.app.story.values import At, Story, ToldCall
from streamer.transform.encoding import to_json
from streamer.transform.operations import UpsertCompany, UpsertEnduser
from streamer.transform.why import fields_of

_WHOSE: Final = frozenset({"externalId", "email", "companyExternalId"})
"""Fields of which another value is another enduser: what was known is of nobody."""


class _Said(NamedTuple):
    at: At
    value: bytes
    """As JSON: to Planhat 1, 1.0 and true are three things."""


def tell_repeating(story: Story) -> None:
    """Tell of each kept call whether it says nothing new, and what overtook it. Letters are told before."""
    # Order holds within a partition alone, and what was written from one is not believed in another.
    for partition in {call.at.partition for call in story.calls}:
        calls = [call for call in story.calls if call.at.partition == partition]
        calls.sort(key=attrgetter("at.offset"))  # clocks of senders may stand otherwise
        _tell_nothing_new(calls, story.unchanged_seconds * 1_000)
        _tell_overtaken(calls)


def _tell_nothing_new(calls: Sequence[ToldCall], longest_ms: float) -> None:
    said: dict[str, _Said] = {}
    for call in calls:
        values = _values(call, UpsertEnduser)
        if call.letter is not None or call.deletes or call.archives or values is None:
            said.clear()  # nobody knows what Planhat has now
            continue
        if not values or call.copy_of is not None:
            continue
        # Nobody is believed in longer than the oldest of her values.
        oldest = min((each.at.written_ms for each in said.values()), default=0)
        if call.at.written_ms - oldest >= longest_ms or _is_another(said, values):
            said.clear()
        is_known = all(name in said and said[name].value == value for name, value in values.items())
        call.says_nothing_new = is_known and len(call.operations) == 1
        if not call.says_nothing_new:
            said |= {name: _Said(call.at, value) for name, value in values.items()}


def _is_another(said: dict[str, _Said], values: dict[str, bytes]) -> bool:
    return any(said[name].value != values[name] for name in _WHOSE & said.keys() & values.keys())


def _tell_overtaken(calls: Sequence[ToldCall]) -> None:
    later: dict[str, At] = {}
    """By field, the first of the later calls that set it."""
    deletion: At | None = None
    for call in reversed(calls):
        if call.letter is not None or call.says_nothing_new or call.copy_of is not None:
            continue
        if call.deletes:
            later, deletion = {}, call.at
        names = (_values(call, UpsertEnduser | UpsertCompany) or {}).keys() - {"externalId"}
        found = [later.get(name, deletion) for name in names]
        overtaking = [at for at in found if at is not None]
        if found and len(overtaking) == len(found) and len(call.operations) == 1:
            call.overtaken_by = max(overtaking, key=attrgetter("offset"))
        later |= dict.fromkeys(names, call.at)


def _values(call: ToldCall, kinds: type | UnionType) -> dict[str, bytes] | None:
    """What a call's upsert says; nothing without one, and None where there are several, of many companies."""
    upserts = [each for each in call.operations if isinstance(each, kinds)]
    if len(upserts) > 1:
        return None
    # Where it goes if no company is known is our setting, not what the call says.
    return {
        name: to_json(value)
        for each in upserts
        for name, value in fields_of(each).items()
        if name != "fallbackCompany"
    }
