"""What an event says of destinations, in all the places where Segment's own library looks for it.

`integrations` is the one that is documented. Before there was one, `options` said it (as `context` was called
then), or `providers` in there; events of old clients may still.
"""

import re

from streamer.events.calls import JsonDict
from streamer.events.json_text import from_json_text

# RudderStack's reading, and the careful one: an opt-out we cannot read is an opt-out.
NOTHING_ENABLED: JsonDict = {"All": False}
_NO_LETTER = re.compile("[^a-zA-Z0-9]+")


def stated(event: JsonDict, context: JsonDict) -> JsonDict | None:
    """What the event says of each destination, `All` among them; None where it says nothing.

    `context` is the event's, as an object.
    """
    value = event.get("integrations")
    if type(value) is str:
        value = from_json_text(value)
    if value is not None and not isinstance(value, dict):
        return NOTHING_ENABLED
    is_old = "options" in event or "providers" in context or "All" in context or "all" in context
    if not is_old and (value is None or "providers" not in value):
        return value
    options = event.get("options")
    if type(options) is str:
        options = from_json_text(options)
    return _with_old_places(value, options if isinstance(options, dict) else None, context)


def all_enabled(places: JsonDict) -> bool | None:
    """What is said of all destinations, or None.

    `All` as it is documented; else, as Segment's own library finds it, any spelling that has these three
    letters and no others. What is no boolean says nothing.
    """
    said = places.get("All")
    if isinstance(said, bool):
        return said
    for key, said in places.items():
        if isinstance(said, bool) and _is_spelling(key, "all"):
            return said
    return None


def _with_old_places(value: JsonDict | None, options: JsonDict | None, context: JsonDict) -> JsonDict | None:
    """One object that says what all places together do.

    The order is that of Segment's library: of all destinations the old places speak first; of one the object
    itself, then `providers` within. `options` hides `context`, and both are looked into for destinations only
    where there is no `integrations`.
    """
    place = context if options is None else options
    providers = _spelled(place, "providers")
    everything = None if providers is None else all_enabled(providers)
    if everything is None:
        everything = all_enabled(place)
    if value is None and options is None and providers is None and everything is None:
        return None
    if value is None:
        value = place if providers is None else providers
    if everything is None:
        everything = all_enabled(value)
    within = value.get("providers")
    said = {key: _is_on(each) for key, each in within.items()} if isinstance(within, dict) else {}
    said |= {key: each for key, each in value.items() if each is not None}
    said = {key: each for key, each in said.items() if not _is_spelling(key, "all")}
    return said if everything is None else {**said, "All": everything}


def _spelled(place: JsonDict, name: str) -> JsonDict | None:
    """The object under the first spelling of this name, or None."""
    found = (each for key, each in place.items() if _is_spelling(key, name) and isinstance(each, dict))
    return next(found, None)


def _is_spelling(key: str, name: str) -> bool:
    return key.lower() == name or _NO_LETTER.sub("", key).lower() == name


def _is_on(value: object) -> bool | None:
    """Whether JavaScript would say so; null says nothing, as everywhere."""
    return None if value is None else isinstance(value, dict | list) or bool(value)
