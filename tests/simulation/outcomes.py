"""What Planhat did with each operation of a request, by its store and not by its reply."""

from collections.abc import Sequence
from typing import Any

import msgspec

from streamer.engine.ports import Batch
from streamer.outcomes import Endpoint
from streamer.planhat.requests import Request
from streamer.standins.planhat.choices import UnknownCompany
from streamer.standins.planhat.faults import Fault, FaultKind
from streamer.standins.planhat.replies import Reply
from streamer.standins.planhat.store import Store
from streamer.transform.operations import DeleteEnduser, Operation

UNTOUCHED = frozenset({FaultKind.STATUS, FaultKind.RESET})
"""Faults for which a request is not looked at."""


def outcomes_of(
    store: Store,
    batch: Batch,
    asked: Request,
    before: int,
    reply: Reply,
    fault: Fault | None,
    *,
    is_first: bool,
) -> list[str]:
    """For each operation, in order, one of the words of `planhat.Ear.served`.

    `asked`: the last of its requests; `is_first`: and the only one. `before`: the newest arrival at Planhat
    before the first.
    """
    if fault is not None and fault.kind in UNTOUCHED:
        is_hidden = fault.kind is FaultKind.STATUS and _is_taken_for_done(batch.endpoint, reply)
        return ["hidden" if is_hidden else "failed"] * len(batch.items)
    match batch.endpoint:
        case Endpoint.ACTIVITIES | Endpoint.SEGMENT:
            # Received is all that is ever said, but for a token that is not taken.
            return ["applied" if reply.status // 100 == 2 else "failed"] * len(batch.items)
        case Endpoint.METRICS:
            return _of_metrics(store, batch, reply)
        case Endpoint.DELETIONS:
            return [_of_deletion(batch.operations[0], asked, reply, is_first=is_first)]
        case _:
            return _of_bulk(store, batch, before, reply)


def _is_taken_for_done(endpoint: Endpoint, reply: Reply) -> bool:
    """Whether a gateway says in Planhat's name what it would say of what is done: nobody can know better."""
    is_success = reply.status // 100 == 2
    match endpoint:
        case Endpoint.ACTIVITIES | Endpoint.SEGMENT:
            return is_success
        case Endpoint.METRICS:
            return is_success and not reply.body
        case Endpoint.DELETIONS:
            return (is_success or reply.status in {404, 410}) and not reply.body.startswith(b"<")
        case _:
            return False


def _of_metrics(store: Store, batch: Batch, reply: Reply) -> list[str]:
    stored = set()
    for row in reversed(store.metrics.kept):
        if row.request != store.stamps.request:
            break
        stored.add((row.model, row.external_id, row.dimension_id, row.value))
    refused = [sent for sent, _ in reply.refused]
    outcomes = []
    for raw in batch.items:
        sent = msgspec.json.decode(raw)
        if (sent["model"], sent["externalId"], sent["dimensionId"], sent["value"]) in stored:
            outcomes.append("applied")
        elif reply.status // 100 != 2:
            outcomes.append("failed")
        else:  # ignored without a word, or refused
            outcomes.append("refused" if sent in refused else "hidden")
    return outcomes


def _of_deletion(whom: Operation, asked: Request, reply: Reply, *, is_first: bool) -> str:
    """Nobody there is what was asked for; several with the address are nobody's to choose from."""
    if asked.method != "GET":
        if reply.status in {200, 204}:
            return "applied"
        # Of whom an address is known too, that nobody ever had the id is not the last word.
        has_more = isinstance(whom, DeleteEnduser) and whom.email is not None and "/extid-" in asked.url
        return "applied" if reply.status == 404 and not (has_more and is_first) else "failed"
    if reply.status != 200:
        return "failed"
    return "ambiguous" if msgspec.json.decode(reply.body) else "applied"


def _of_bulk(store: Store, batch: Batch, before: int, reply: Reply) -> list[str]:
    model = store.model(batch.endpoint.value)
    written = [
        row.sent
        for entry in model.by_id.values()
        if entry.last_arrival > before
        for row in entry.history or ()
        if row.arrival > before
    ]
    ignored = [(row.external_id, row.email) for row in store.ignored.rows if row.arrival > before]
    is_counted = store.board.now.unknown_company is UnknownCompany.NONUPDATES
    outcomes = []
    for raw in batch.items:
        sent = msgspec.json.decode(raw)
        if sent in written:
            outcomes.append("applied")
        elif (sent.get("externalId"), sent.get("email")) in ignored:
            outcomes.append("hidden" if is_counted else "ignored")
        else:
            outcomes.append(_refused_as(sent, reply.refused))
    return outcomes


def _refused_as(sent: dict[str, Any], refused: Sequence[tuple[object, str]]) -> str:
    """What the sandbox's words for a refusal mean: said a second time, as the engine's reading is judged."""
    text = next(text for each, text in refused if each == sent)
    if text in {"company not found", "companyId must be specified"}:
        return "ignored"
    if text.endswith(" duplicated"):
        return "duplicated"
    is_named = bool(sent.get("name"))
    return "nameless" if text == "name must be specified" and not is_named else "refused"
