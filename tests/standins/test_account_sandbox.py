"""The account and the sandbox's view fit together: delivered one by one, made events leave no fault."""

import http.client
import json
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit
from zlib import crc32

import pytest

from streamer.avro.decoder import Decoder
from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.engine.ports import Decoded
from streamer.errors import InvalidEvent
from streamer.events.parse import parse
from streamer.outcomes import Endpoint, SkipReason
from streamer.planhat.items import encode_operation
from streamer.planhat.requests import Addresses, request_for
from streamer.standins.account import audit
from streamer.standins.account_books import Expected
from streamer.standins.account_findings import Audit, Fault, Seen, SeenLetter
from streamer.standins.account_view import seen_activities, seen_companies, seen_endusers, seen_ignored
from streamer.standins.generator import Generator
from streamer.standins.planhat.child import SandboxProcess
from streamer.transform import Rules, Skipped, transform
from streamer.transform.operations import Operation

PARTITIONS = 4


@pytest.fixture
def sandbox() -> Iterator[SandboxProcess]:
    """A sandbox that remembers every write and limits nothing."""
    with SandboxProcess({"history": 1000, "calls_per_minute": 0, "calls_per_second": 0}) as running:
        yield running


class OneByOne:
    """The simplest pipeline there is: each operation in a request of its own, in order."""

    def __init__(self, sandbox: SandboxProcess, drop: int | None = None) -> None:
        schemas = load_schemas()
        self._encode = Encoder(schemas).encode
        self._decoder = Decoder(schemas)
        self._sandbox = sandbox
        self._addresses = Addresses(sandbox.url, sandbox.url, sandbox.tenant_token)
        self._connection = http.client.HTTPConnection(urlsplit(sandbox.url).netloc)
        self._drop = drop
        self._sent = 0
        self.expected = Expected()
        self.letters: list[SeenLetter] = []
        self.skipped: Counter[str] = Counter()

    def take(self, total: int) -> Audit:
        """Deliver so many made events and close the account."""
        ends: Counter[int] = Counter()
        for made in Generator(11, total):
            partition = crc32(made.key or b"") % PARTITIONS
            offset = ends[partition]
            ends[partition] += 1
            self.expected.add(partition, offset, made.expectation)
            self._deliver(made.value_bytes(self._encode), partition, offset)
        self._connection.close()
        seen = Seen(
            seen_activities(self._sandbox.activities(), self._sandbox.endusers()),
            seen_endusers(self._sandbox.endusers()),
            seen_companies(self._sandbox.companies()),
            seen_ignored(self._sandbox.ignored()),
            self.letters,
            ends,
            self.skipped,
        )
        return audit(self.expected, seen)

    def _deliver(self, value: bytes | None, partition: int, offset: int) -> None:
        if value is None:
            self.skipped[SkipReason.TOMBSTONE] += 1
            return
        try:
            decoded = self._decoder.decode(value)
            assert isinstance(decoded, Decoded)
            outcome = transform(parse(decoded.value), Rules())
        except InvalidEvent as error:
            self.letters.append(SeenLetter(partition, offset, error.reason.value))
            return
        if isinstance(outcome, Skipped):
            self.skipped[outcome.reason] += 1
            return
        for operation in outcome.operations:
            self._send(operation)

    def _send(self, operation: Operation) -> None:
        self._sent += 1
        if self._sent == self._drop:
            return
        request = request_for(operation.endpoint, [encode_operation(operation)], self._addresses)
        headers = {"Authorization": f"Bearer {self._sandbox.api_token}", "Content-Type": "application/json"}
        self._connection.request(request.method, urlsplit(request.url).path, request.body, headers)
        reply = self._connection.getresponse()
        body = reply.read()
        assert reply.status == 200, body
        if operation.endpoint is Endpoint.ENDUSERS:
            summary = json.loads(body)
            if not summary["created"] + summary["updated"] + summary["nonupdates"]:
                self.skipped[SkipReason.NO_COMPANY] += 1


def test_delivered_one_by_one_every_event_is_accounted_for(sandbox: SandboxProcess) -> None:
    """Generator, transform, requests, sandbox and account agree about what each event must leave."""
    account = OneByOne(sandbox).take(1200)
    assert account.lines() == []
    assert account.produced == 1200


def test_one_operation_never_sent_is_found(sandbox: SandboxProcess) -> None:
    """Of some thousand operations a single one is missing, and the account names its event."""
    account = OneByOne(sandbox, drop=700).take(1200)
    assert account.faults.total() >= 1
    lost = {Fault.LOST_ACTIVITY, Fault.LOST_UPSERT, Fault.UNEXPLAINED_MERGE, Fault.STALE, Fault.LOST_IGNORED}
    assert set(account.faults) <= lost
