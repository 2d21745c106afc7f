"""What Segment's Engage says in the form of events: audiences, journeys, computed traits.

An audience is a trait (of identify and group) or a property (of track) named by its key: true for who
entered it, false for who left. Of a journey Segment's own examples say it as text once.
"""

from streamer.events.calls import JsonDict

_ANSWERS = {"true": True, "false": False}
_JOURNEY = "j_o_"


def with_answers(context: JsonDict, part: JsonDict) -> JsonDict:
    """Traits or properties in which the audience that `context.personas` names is true or false, not text.

    A computed trait may well be the text "true", so those are left as they are.
    """
    personas = context.get("personas")
    if type(personas) is not dict:
        return part
    key = personas.get("computation_key")
    if not isinstance(key, str) or not isinstance(said := part.get(key), str) or said not in _ANSWERS:
        return part
    if personas.get("computation_class") != "audience" and not key.startswith(_JOURNEY):
        return part
    return {**part, key: _ANSWERS[said]}
