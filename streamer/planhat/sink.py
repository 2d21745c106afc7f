"""The engine's `Sink` at Planhat: worker threads that send batches and hand back deliveries.

One worker for each endpoint of the main API (Planhat asks for its bulks one after another), a few for
activities and for metrics; in passthrough mode many for forwarded calls, and no others. A batch is taken
only when a worker of its endpoint is free, so nothing queues here.
"""

import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from streamer.errors import StreamerError
from streamer.outcomes import Answer, Answered, Endpoint, Transient, TransientReason
from streamer.planhat.client import Client, Failure, Reply, trusted_authorities
from streamer.planhat.credentials import Credentials
from streamer.planhat.deletion import deleted_by_id, looked_up
from streamer.planhat.headers import remaining_calls
from streamer.planhat.requests import Addresses, Request, deletion_of, look_up_of, request_for
from streamer.planhat.responses import is_nobody_there, read_answer
from streamer.transform.operations import DeleteEnduser

if TYPE_CHECKING:
    from streamer.engine.ports import Batch, Delivery

MakeDelivery = Callable[["Batch", Answer, float, int | None, int | None], "Delivery"]
"""`ports.Delivery` itself, handed in by `app`: edges do not import the engine."""

API_WORKERS: Mapping[Endpoint, int] = {
    Endpoint.COMPANIES: 1,
    Endpoint.ENDUSERS: 1,
    Endpoint.ACTIVITIES: 4,
    Endpoint.METRICS: 4,
    Endpoint.DELETIONS: 1,
}
_TOOK_LONG = Transient(TransientReason.GATEWAY_TIMEOUT)
_SENDING_STOPPED = Transient(TransientReason.CONNECTION)


class PlanhatSink:
    """Sends batches on its own threads; every method belongs to the owner thread."""

    def __init__(
        self,
        *,
        api_url: str,
        analytics_url: str,
        segment_url: str = "https://analytics.planhat.com",
        read_credentials: Callable[[], Credentials],
        membership: Callable[[], int | None],
        make_delivery: MakeDelivery,
        main_deadline_seconds: float = 60.0,
        analytics_deadline_seconds: float = 20.0,
        workers: Mapping[Endpoint, int] = API_WORKERS,
    ) -> None:
        """`workers`: for each endpoint that batches will come for. They start at once, and idle until then.

        `membership` is asked before each request and each piece of it, on a worker's thread. It numbers the
        membership of a group that is proved. None, or another number than when the batch was begun (this
        replica may have lost its partitions), gives the batch back as a transient failure, and Planhat
        never has the whole of that request. Raises SettingsError where the environment's proxy or
        certificates cannot be used.
        """
        self._urls = api_url, analytics_url, segment_url
        self._read_credentials = read_credentials
        self._membership = membership
        self._make_delivery = make_delivery
        self._finished: SimpleQueue[Delivery | StreamerError] = SimpleQueue()
        self._deletion_seconds = main_deadline_seconds * 2 / 3
        self._closed = False
        self._failure: StreamerError | None = None
        self.refresh_credentials()
        tls = trusted_authorities()
        self._crews: dict[Endpoint, _Crew] = {}
        for endpoint, count in workers.items():
            seconds = main_deadline_seconds if endpoint.is_metered else analytics_deadline_seconds
            if endpoint is Endpoint.DELETIONS:
                seconds /= 3  # one by id and e-mail takes three requests, and see `_deliver`
            clients = [Client(tls, deadline_seconds=seconds) for _ in range(count)]
            self._crews[endpoint] = _Crew(endpoint, clients, self._deliver, self._finished)

    def submit(self, batch: "Batch") -> bool:
        """Take a batch to send; False when every worker of its endpoint is busy. Never waits."""
        return not self._closed and self._crews[batch.endpoint].take(batch)

    def collect(self, timeout_seconds: float) -> "Sequence[Delivery]":
        """Deliveries that ended; waits at most `timeout_seconds` for the first.

        Raises StreamerError where a worker met what it cannot: a bug of ours, or an address that
        makes no request. Its batch has no delivery; nothing of it may be committed. What was answered
        before is returned first; from then on every call raises, for there is nothing more to wait for.
        """
        deliveries: list[Delivery] = []
        if self._failure is not None:
            raise self._failure
        try:
            finished = self._finished.get(timeout=timeout_seconds) if timeout_seconds > 0 else None
            while True:
                if isinstance(finished, StreamerError):
                    self._failure = finished
                    break
                if finished is not None:
                    deliveries.append(finished)
                finished = self._finished.get_nowait()
        except Empty:
            pass
        if self._failure is not None and not deliveries:
            raise self._failure
        return deliveries

    def refresh_credentials(self) -> None:
        """Read the tokens again; what is sent from now on carries them."""
        credentials = self._read_credentials()
        api_url, analytics_url, segment_url = self._urls
        # One assignment: a worker sees the old pair of tokens or the new, never a mixture.
        addresses = Addresses(api_url, analytics_url, credentials.tenant_token, segment_url)
        self._access = addresses, credentials

    def close(self, timeout_seconds: float) -> bool:
        """Take nothing more, and wait for requests under way; False when some outlast the time-out.

        Those end at their own deadline on daemon threads, which do not keep the process alive.
        Deliveries that ended meanwhile can still be collected.
        """
        self._closed = True
        ends_at = time.monotonic() + timeout_seconds
        for crew in self._crews.values():
            crew.dismiss()
        return all(crew.join(ends_at) for crew in self._crews.values())

    def _deliver(self, client: Client, batch: "Batch") -> "Delivery":
        """One request, and what a deletion asks besides, on a worker's thread."""
        began = time.monotonic()
        addresses, credentials = self._access
        request = request_for(batch.endpoint, batch.items, addresses)
        authorization = _authorization(batch.endpoint, credentials)
        membership, asked = self._membership(), 0

        def may_send() -> bool:
            return membership is not None and self._membership() == membership

        while may_send():
            reply = client.send(request, may_send=may_send, **authorization)
            seconds = time.monotonic() - began
            if isinstance(reply, Failure):
                return self._make_delivery(batch, Transient(reply.reason), seconds, None, None)
            following = _following(batch, request, reply, addresses, asked=asked)
            if not isinstance(following, Request):
                left = remaining_calls(reply.headers)
                return self._make_delivery(batch, following, seconds, reply.status, left)
            if seconds > self._deletion_seconds:
                # The next might outlast what a drain waits for. Who is gone is gone; it is asked again.
                return self._make_delivery(batch, _TOOK_LONG, seconds, reply.status, None)
            request, asked = following, asked + 1
        return self._make_delivery(batch, _SENDING_STOPPED, time.monotonic() - began, None, None)


def _authorization(endpoint: Endpoint, credentials: Credentials) -> dict[str, str | None]:
    """Activities are open to whoever names the tenant; metrics are not, say all who push them."""
    if endpoint is Endpoint.SEGMENT:
        return {"tenant": credentials.tenant_token}
    return {} if endpoint is Endpoint.ACTIVITIES else {"bearer": credentials.api_token}


def _following(
    batch: "Batch", request: Request, reply: Reply, addresses: Addresses, *, asked: int
) -> Request | Answer:
    """What the reply comes to; of a deletion perhaps the next request. `asked`: how many came before."""
    whom, now = batch.operations[0], time.time()
    if not isinstance(whom, DeleteEnduser):
        return read_answer(batch.endpoint, batch.operations, reply.status, reply.headers, reply.body, now=now)
    if request.method == "GET":
        found = looked_up(reply.status, reply.headers, reply.body, whom.email or "", now=now)
        return (
            deletion_of(found, addresses, archives=bool(whom.archives)) if isinstance(found, str) else found
        )
    answer = read_answer(batch.endpoint, (whom,), reply.status, reply.headers, reply.body, now=now)
    is_nobody = is_nobody_there(reply.status, reply.body)
    if is_nobody and isinstance(answer, Answered) and asked == 0 and whom.email is not None:
        return look_up_of(whom.email, addresses)
    is_by_id = whom.external_id is not None and request == request_for(batch.endpoint, batch.items, addresses)
    if not isinstance(answer, Answered) or whom.archives or not is_by_id:
        return answer
    return deleted_by_id(answer, is_nobody=is_nobody, deleted=asked) or request


class _Crew:
    """The workers of one endpoint."""

    def __init__(
        self,
        endpoint: Endpoint,
        clients: Sequence[Client],
        deliver: "Callable[[Client, Batch], Delivery]",
        finished: "SimpleQueue[Delivery | StreamerError]",
    ) -> None:
        self._deliver = deliver
        self._finished = finished
        self._batches: SimpleQueue[Batch | None] = SimpleQueue()
        self._idle = threading.Semaphore(len(clients))
        self._threads = [
            threading.Thread(
                target=self._work, args=(client,), name=f"planhat-{endpoint}-{number}", daemon=True
            )
            for number, client in enumerate(clients, start=1)
        ]
        for thread in self._threads:
            thread.start()

    def take(self, batch: "Batch") -> bool:
        if not self._idle.acquire(blocking=False):
            return False
        self._batches.put(batch)
        return True

    def dismiss(self) -> None:
        for _ in self._threads:
            self._batches.put(None)

    def join(self, ends_at: float) -> bool:
        for thread in self._threads:
            thread.join(max(0.0, ends_at - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self, client: Client) -> None:
        while (batch := self._batches.get()) is not None:
            result = self._outcome_of(client, batch)
            # In this order whoever has collected a delivery finds its worker free.
            self._idle.release()
            self._finished.put(result)
            # Not held until the next one comes: of every idle worker that would be a bulk, megabytes.
            del batch, result
        client.close()

    def _outcome_of(self, client: Client, batch: "Batch") -> "Delivery | StreamerError":
        """A delivery, or the error that must end the process: a worker itself never dies."""
        try:
            return self._deliver(client, batch)
        except StreamerError as error:
            return error
        except Exception as error:  # noqa: BLE001 - it is not swallowed: `collect` raises it in the owner thread
            return _unexpected(error, batch.endpoint)


def _unexpected(error: Exception, endpoint: Endpoint) -> StreamerError:
    """The error by type and place alone: its text may hold a trait or a token."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return StreamerError(
        f"Sending {endpoint} failed in a way that was not foreseen: {type(error).__name__} "
        f"in {place.name}, {PurePath(place.filename).name} line {place.lineno}. Streaming ends; what was "
        "not committed is read again at the next start. Please report this."
    )
