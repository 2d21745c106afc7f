"""Ways that a request fails: what Planhat, or whatever stands before it, may answer, everything repeated."""

import json
from typing import Any, Final

from streamer.engine.limits import Limits
from streamer.engine.ports import Batch
from streamer.outcomes import Answer, Endpoint, Transient, TransientReason
from streamer.transform import Rules
from streamer.transform.choices import Deletion
from tests.security.marks import PERSONAL, SECRETS, USER, event, someone
from tests.security.scene import Reply, Scene, Stage, accepting, items_of

_PEOPLE: Final = 12
_ODD: Final = f"{USER}-odd"


def _calls(kind: str = "identify", count: int = _PEOPLE) -> list[object]:
    return [someone(kind, number) for number in range(count)]


def _everything(batch: Batch) -> dict[str, Any]:
    """What an unfriendly reply may repeat: all that was sent, and the tokens it was sent with."""
    return {"message": "no", "items": items_of(batch), "authorization": SECRETS, "headers": PERSONAL}


def _is_odd(item: Any) -> bool:
    return _ODD in json.dumps(item)


def _naming(error: str) -> Any:
    """A reply that refuses the odd one, repeats it and gives this error with its values in it."""

    def reply(batch: Batch) -> Reply:
        items = items_of(batch)
        odd = [each for each in items if _is_odd(each)]
        entries = [{"item": each, "error": f"{error} {json.dumps(each)}"} for each in odd]
        return 200, {"created": len(items) - len(odd), "createdErrors": entries, "echo": items}

    return reply


def refused_by_name(stage: Stage) -> None:
    """Items that a reply names, and repeats, as refused, as duplicates, and as lacking a name."""
    odd = [event("identify", userId=_ODD), event("group", userId=_ODD, groupId=_ODD)]
    for error in ("value not allowed:", "duplicated:", "name is required:", "Company not found:"):
        Scene(stage, _naming(error)).play([*_calls(), *odd], turns=400, seconds=2.0)


def metrics_refused(stage: Stage) -> None:
    """A push of metrics, whose errors repeat the item."""

    def reply(batch: Batch) -> Reply:
        if batch.endpoint is not Endpoint.METRICS:
            return accepting(batch)
        items = items_of(batch)
        return 200, {"processed": len(items), "errors": [{"item": items[0], "error": str(items[0])}]}

    from streamer.mapping import read_mapping  # noqa: PLC0415 - beside its only use

    rules = read_mapping('[identify.traits]\nseats = "metric:seats"\n').rules
    Scene(stage, reply, rules=rules).play(_calls(), turns=40)


def refused_as_a_whole(stage: Stage) -> None:
    """A bulk refused for one item in it, by 400 and a page that repeats it all, until it is found alone."""

    def reply(batch: Batch) -> Reply:
        body = f"<html>{json.dumps(_everything(batch))}</html>".encode()
        return (400, body) if any(map(_is_odd, items_of(batch))) else accepting(batch)

    scene = Scene(stage, reply)
    scene.play([*_calls("track", 200), event("track", userId=_ODD, messageId="odd")])
    for number in range(400):
        scene.source.feed(someone("track", 2000 + number))
        scene.turn(1, 5.0)
    scene.ended()


def everything_refused(stage: Stage) -> None:
    """Every item alike."""
    Scene(stage, lambda batch: (422, _everything(batch))).play(_calls(count=200), turns=60, seconds=2.0)
    accepted = 0

    def reply(batch: Batch) -> Reply:
        nonlocal accepted
        accepted += 1
        return accepting(batch) if accepted == 1 else (422, _everything(batch))

    scene = Scene(stage, reply).play(_calls(count=200))
    scene.play([someone("identify", 1000 + number) for number in range(200)], turns=60, seconds=2.0)


def statuses(stage: Stage) -> None:
    """Each status, with JSON and with a page, both of which repeat what was sent."""
    for status in (200, 302, 401, 403, 404, 407, 408, 413, 425, 429, 500, 502, 503, 504, 599):
        for is_page in (False, True):

            def reply(batch: Batch, status: int = status, is_page: bool = is_page) -> Reply:
                text = json.dumps(_everything(batch))
                return status, f"<!doctype html><p>{text}</p>".encode() if is_page else text.encode()

            Scene(stage, reply).play([*_calls(count=3), *_calls("track", 3)], turns=20)


def no_reply(stage: Stage) -> None:
    """No connection, or a time-out."""
    for answer in (Transient(TransientReason.CONNECTION), Transient(TransientReason.TIMEOUT)):

        def reply(_batch: Batch, answer: Answer = answer) -> Answer:
            return answer

        Scene(stage, reply).play(_calls(count=3), turns=20)


def held_and_left(stage: Stage) -> None:
    """Holds that last for minutes, are told again, and are left."""
    for refusal in (401, 403, 404):
        status = 200

        def reply(batch: Batch) -> Reply | Answer:
            return accepting(batch) if status == 200 else (status, _everything(batch))  # noqa: B023

        scene = Scene(stage, reply).play(_calls(), turns=20)
        status = refusal
        scene.play(_calls("group"), turns=40, seconds=10.0)
        status = 200
        scene.turn(40, 10.0)
        scene.ended()


def a_deletion_in_doubt(stage: Stage) -> None:
    """A 404 that may be about the slash in an id."""
    rules = Rules(deletion=Deletion.DELETE)
    calls = [*_calls(count=30), event("delete", userId=f"{USER}/x")]

    def reply(batch: Batch) -> Reply:
        is_deletion = batch.endpoint is Endpoint.DELETIONS
        return (404, _everything(batch)) if is_deletion else accepting(batch)

    Scene(stage, reply, rules=rules).play(calls, turns=40)


def taken_away(stage: Stage) -> None:
    """Partitions revoked and lost with requests on their way, whose answers come late."""
    scene = Scene(stage, lambda _: Transient(TransientReason.TIMEOUT), limits=Limits(drain_seconds=1.0))
    scene.play(_calls())
    scene.source.revoke(0)
    scene.source.assign(0)
    scene.play(_calls("track"))
    scene.source.lose(0)
    scene.turn(5)
    scene.ended()


REPLIES: Final = {
    "items that a reply names and repeats": refused_by_name,
    "metrics that a reply repeats": metrics_refused,
    "a bulk refused as a whole": refused_as_a_whole,
    "everything refused": everything_refused,
    "statuses, with JSON and with pages": statuses,
    "no reply": no_reply,
    "a hold": held_and_left,
    "a deletion in doubt": a_deletion_in_doubt,
    "partitions taken away": taken_away,
}
"""Ways to fail by what they are."""
