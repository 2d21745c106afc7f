"""A Planhat to ask: the sandbox, or a real tenant that somebody has lent to a run.

Whatever is written there has an external id that begins with the run's mark, and is deleted at the end.
"""

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from streamer.engine.ports import Batch, Delivery
from streamer.outcomes import Answer, Answered, Endpoint, Verdict
from streamer.planhat.client import Client, Failure, trusted_authorities
from streamer.planhat.credentials import Credentials
from streamer.planhat.items import encode_operation
from streamer.planhat.probe import Probed, probe_segment
from streamer.planhat.requests import Addresses, Request, request_for
from streamer.planhat.responses import read_answer
from streamer.planhat.sink import PlanhatSink
from streamer.standins.planhat.sandbox import Sandbox
from streamer.transform.operations import LogActivity, Operation, PushMetric, UpsertCompany, UpsertEnduser

MARK = "streamer-contract-"
REAL_CALL_SECONDS = 0.45
"""Between two calls to a real tenant: its quota of 200 a minute is for others too."""
PATIENCE_SECONDS = 30.0


class Said(NamedTuple):
    """A reply: its status, its headers in lower case and its body, parsed where it is JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any


class Planhat:
    """Asks one Planhat, with the requests and the reading of replies that streamer has."""

    def __init__(
        self,
        api_url: str,
        analytics_url: str,
        credentials: Credentials,
        sandbox: Sandbox | None = None,
    ) -> None:
        """`sandbox` is the store behind the address, where it is one."""
        self._addresses = Addresses(api_url, analytics_url, credentials.tenant_token)
        self._api_token = credentials.api_token
        self._sandbox = sandbox
        self._client = Client(trusted_authorities(), deadline_seconds=PATIENCE_SECONDS)
        self._mark = f"{MARK}{uuid.uuid4().hex[:8]}"
        self._written: dict[Endpoint, dict[str, None]] = {endpoint: {} for endpoint in Endpoint}
        self._addresses_written: dict[str, None] = {}
        self._next_call_at = 0.0
        self._company: str | None = None

    @property
    def is_real(self) -> bool:
        """Whether this is nobody's sandbox."""
        return self._sandbox is None

    @property
    def sandbox(self) -> Sandbox:
        """The sandbox's store; skips the test at a real tenant, which shows no such thing."""
        if self._sandbox is None:
            pytest.skip("cannot be seen at a real tenant: Planhat has no API that shows it")
        return self._sandbox

    def name(self, word: str) -> str:
        """An id that nobody else has: `streamer-contract-<run>-<word>`."""
        return f"{self._mark}-{word}"

    def address(self, word: str, domain: str | None = None) -> str:
        """An e-mail address that nobody else has."""
        return f"{self.name(word)}@{domain or self._mark}.example"

    def company(self) -> str:
        """The external id of a company that is there."""
        if self._company is None:
            company = self.name("company")
            assert self.tell(UpsertCompany(company, {"name": "streamer contract test"})) == ACCEPTED
            self._company = company
        return self._company

    # --- asking ---------------------------------------------------------------------------------------

    def bulk(self, *operations: Operation, source: bool = False) -> tuple[Said, Answer]:
        """One bulk as streamer sends it, the reply, and what streamer reads in it.

        Without `source`, which is an assumption of its own.
        """
        items = [json.loads(encode_operation(operation)) for operation in operations]
        if not source:
            for item in items:
                item.pop("source", None)
        endpoint = operations[0].endpoint
        self._note(operations)
        request = request_for(endpoint, [json.dumps(item).encode() for item in items], self._addresses)
        said = self._send(request, takes_token=endpoint is not Endpoint.ACTIVITIES)
        body = said.body if isinstance(said.body, str) else json.dumps(said.body)
        return said, read_answer(
            endpoint, operations, said.status, said.headers, body.encode(), now=time.time()
        )

    def tell(self, *operations: Operation) -> tuple[Verdict, ...] | Answer:
        """The verdicts on a bulk; another kind of answer is given as it is."""
        answer = self.bulk(*operations)[1]
        return answer.verdicts if isinstance(answer, Answered) else answer

    def log(self, *activities: LogActivity) -> Said:
        """Activities in bulk, as streamer sends them: without authorization."""
        return self.bulk(*activities, source=True)[0]

    def deliver(self, operation: Operation) -> Answer:
        """One request of one operation by the pipeline's own edge, and what it reads in the reply."""
        self._note((operation,))
        self._keep_distance(is_metered=operation.endpoint.is_metered)
        addresses = self._addresses
        credentials = Credentials(self._api_token, addresses.tenant_token)
        sink = PlanhatSink(
            api_url=addresses.api_url,
            analytics_url=addresses.analytics_url,
            segment_url=addresses.analytics_url,
            read_credentials=lambda: credentials,
            membership=lambda: 0,
            make_delivery=Delivery,
            workers={operation.endpoint: 1},
        )
        try:
            assert sink.submit(Batch(1, operation.endpoint, (operation,), (encode_operation(operation),)))
            (delivery,) = sink.collect(PATIENCE_SECONDS)
        finally:
            sink.close(PATIENCE_SECONDS)
        return delivery.answer

    def probe_segment(self) -> Probed:
        """What `check` asks in passthrough mode."""
        credentials = Credentials(None, self._addresses.tenant_token)
        return probe_segment(self._client, self._addresses.analytics_url, credentials)

    def ask(self, method: str, path: str, body: bytes = b"", token: str | None = None) -> Said:
        """One request to the main API."""
        url = self._addresses.api_url + path
        return self._send(Request(method, url, body, url), takes_token=True, token=token)

    def enduser(self, external_id: str) -> dict[str, Any] | None:
        """The enduser with this external id as Planhat shows it; None where there is none."""
        return self._one(Endpoint.ENDUSERS, external_id)

    def stored_company(self, external_id: str) -> dict[str, Any] | None:
        """The company, likewise."""
        return self._one(Endpoint.COMPANIES, external_id)

    def _one(self, endpoint: Endpoint, external_id: str) -> dict[str, Any] | None:
        said = self.ask("GET", f"/{endpoint}/extid-{external_id}")
        if said.status == 404:
            return None
        assert said.status == 200
        assert isinstance(said.body, dict)
        return said.body

    def _send(self, request: Request, *, takes_token: bool, token: str | None = None) -> Said:
        self._keep_distance(is_metered=takes_token)
        reply = self._client.send(request, bearer=(token or self._api_token) if takes_token else None)
        assert not isinstance(reply, Failure), reply
        text = reply.body.decode()
        try:
            body = json.loads(text)
        except ValueError:
            body = text
        return Said(reply.status, reply.headers, body)

    def _keep_distance(self, *, is_metered: bool) -> None:
        if self.is_real and is_metered:
            time.sleep(max(0.0, self._next_call_at - time.monotonic()))
            self._next_call_at = time.monotonic() + REAL_CALL_SECONDS

    # --- the sandbox's switches -----------------------------------------------------------------------

    @contextmanager
    def switched(self, **switches: object) -> Iterator[None]:
        """Other switches for a while; skips the test at a real tenant, which must not be driven there."""
        if self._sandbox is None:
            pytest.skip("a real tenant is not driven into its limits, or out of its permissions")
        board = self._sandbox.board
        before = board.now
        board.change(switches)
        try:
            yield
        finally:
            board.now = before

    # --- leaving --------------------------------------------------------------------------------------

    def close(self) -> None:
        """Delete what was written, endusers first."""
        if self.is_real:
            for email in self._addresses_written:
                self._delete_by_address(email)
            for endpoint in (Endpoint.ENDUSERS, Endpoint.COMPANIES):
                for external_id in self._written[endpoint]:
                    self._delete(endpoint, external_id)
        self._client.close()

    def _delete(self, endpoint: Endpoint, external_id: str) -> None:
        """Several endusers may share the id: until there is none."""
        for _ in range(3):
            if self.ask("DELETE", f"/{endpoint}/extid-{external_id}").status == 404:
                return

    def _delete_by_address(self, email: str) -> None:
        """Endusers written without an external id. Only exact matches: a filter may be ignored."""
        found = self.ask("GET", f"/endusers?email={quote(email)}&select=email").body
        for enduser in found if isinstance(found, list) else []:
            if str(enduser.get("email")).lower() == email.lower():
                self.ask("DELETE", f"/endusers/{enduser['_id']}")

    def _note(self, operations: tuple[Operation, ...]) -> None:
        for operation in operations:
            if isinstance(operation, PushMetric):
                continue
            if operation.external_id is not None:
                assert operation.external_id.startswith(self._mark)
                of_company = isinstance(operation, UpsertCompany)
                endpoint = Endpoint.COMPANIES if of_company else Endpoint.ENDUSERS
                self._written[endpoint][operation.external_id] = None
            elif isinstance(operation, UpsertEnduser) and operation.email is not None:
                assert operation.email.lower().startswith(self._mark)
                self._addresses_written[operation.email] = None


ACCEPTED = (Verdict.ACCEPTED,)
