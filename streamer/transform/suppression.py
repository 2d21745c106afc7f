"""Users of whom Planhat is told nothing: Segment drops their calls at its door; this list is ours."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from streamer.events.calls import Alias, Call, Identify, JsonDict, Page, Screen, Track
from streamer.events.values import id_text
from streamer.transform.identity import acting_email, email_text


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Whom not to tell of, by user id and by e-mail address in lower case. A repr shows nobody."""

    user_ids: frozenset[str] = field(repr=False)
    emails: frozenset[str] = field(repr=False)

    @classmethod
    def of(cls, entries: frozenset[str]) -> "Suppressed":
        """Of ids and addresses together. An address may be somebody's user id, so it stands for both."""
        addresses = filter(None, map(email_text, entries))
        return cls(entries, frozenset(address.lower() for address in addresses))

    def holds(self, call: Call) -> bool:
        """Whether the call is about one of them, by any id or address that says so.

        Among traits too: one person goes by several, and one of them on the list is enough. Not by what
        properties say besides: there it is often somebody else (who was invited).
        """
        return any(user_id in self.user_ids for user_id in _user_ids(call)) or any(
            email.lower() in self.emails for email in _emails(call)
        )


def _user_ids(call: Call) -> Iterator[str]:
    if call.user_id is not None:
        yield call.user_id
    if isinstance(call, Alias) and call.previous_id is not None:
        yield call.previous_id
    for traits in _users_traits(call):
        for key in ("user_id", "id"):
            if (user_id := id_text(traits.get(key))) is not None:
                yield user_id


def _emails(call: Call) -> Iterator[str]:
    values = [call.user_id, *(traits.get("email") for traits in _users_traits(call))]
    if isinstance(call, Alias):
        values.append(call.previous_id)
    elif isinstance(call, Track | Page | Screen):
        values.append(acting_email(call))
    yield from filter(None, map(email_text, values))


def _users_traits(call: Call) -> Iterator[JsonDict]:
    """Objects that describe the user; a group call's own traits are the company's."""
    if isinstance(call, Identify):
        yield call.traits
    traits = call.context.get("traits")
    if isinstance(traits, dict):
        yield traits
