"""The program itself, told of marked secrets and fed with marked events, beside a Planhat that repeats them.

With librdkafka's debugging and our own at their most talkative: no mark is in its log, its metrics, the
letters' headers, or what the commands that look at letters print unasked.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import pytest
from confluent_kafka import Consumer, Producer

from streamer.outcomes import InvalidReason
from streamer.standins.broker import CLIENT_PROPERTIES, EmbeddedBroker
from tests.security.marks import PERSONAL, SECRETS, TENANT, event, leaks, someone
from tests.security.of_edges import PROPERTIES
from tests.security.of_events import INVALID

pytestmark = [pytest.mark.long, pytest.mark.timeout(120)]

GOOD: Final = 60
BAD: Final = (
    *(INVALID[InvalidReason.BAD_JSON][0], INVALID[InvalidReason.UNDECODABLE][1]),
    *(INVALID[InvalidReason.ID_NOT_STRING][0], INVALID[InvalidReason.NOT_AN_EVENT][0]),
)
LETTERS: Final = len(BAD) + 1
TOPIC: Final = "segment.events"
LETTER_TOPIC: Final = f"{TOPIC}.dead-letters"
WAIT_SECONDS: Final = 60.0
COMMANDS: Final = (
    *("settings", "check", "dead-letters list", "dead-letters list --json --all", "dead-letters show 0:0"),
    *("dead-letters show 0:1 --json", "dead-letters replay --dry-run"),
)


class _Planhat(BaseHTTPRequestHandler):
    """Repeats whatever it is told, headers too; fails first, refuses one by name, and last the token."""

    protocol_version = "HTTP/1.1"
    requests = 0
    refuses_token = False

    def do_PUT(self) -> None:
        """A bulk."""
        self._answer()

    def do_POST(self) -> None:
        """Activities."""
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
        _Planhat.requests += 1
        echo = f"{self.path} {self.headers} {body}"
        items = json.loads(body or "[]")
        if self.refuses_token:
            return self._send(401, {"message": echo})
        if items and _Planhat.requests in {3, 4}:
            return self._send(200 if _Planhat.requests == 3 else 503, f"<html>{echo}</html>")
        odd = [each for each in items if isinstance(each, dict) and each.get("name") == "odd"]
        errors = [{"item": each, "error": f"not allowed: {json.dumps(each)}"} for each in odd]
        return self._send(200, {"created": len(items) - len(odd), "createdErrors": errors, "echo": echo})

    def _send(self, status: int, told: Any) -> None:
        body = told.encode() if isinstance(told, str) else json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Echo", " ".join([*SECRETS.values(), *PERSONAL.values()]))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def environ() -> Iterator[dict[str, str]]:
    """An environment that names a broker, which holds the events, and such a Planhat."""
    with EmbeddedBroker() as broker, ThreadingHTTPServer(("127.0.0.1", 0), _Planhat) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for topic in (TOPIC, LETTER_TOPIC):
            broker.create_topic(topic)
        _produce(broker.bootstrap_servers)
        url = f"http://127.0.0.1:{server.server_address[1]}"
        properties = {**CLIENT_PROPERTIES, **PROPERTIES, "debug": "all"}
        yield {
            "PATH": os.defpath,
            "no_proxy": "127.0.0.1",
            "https_proxy": f"http://somebody:{SECRETS['proxy password']}@127.0.0.1:1",
            "STREAMER_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "STREAMER_KAFKA_PROPERTIES": "\n".join(f"{name}={text}" for name, text in properties.items()),
            "STREAMER_PLANHAT_TENANT_TOKEN": TENANT,
            "STREAMER_PLANHAT_API_TOKEN": SECRETS["API token"],
            "STREAMER_PLANHAT_API_URL": url,
            "STREAMER_PLANHAT_ANALYTICS_URL": url,
            "STREAMER_PLANHAT_CALLS_PER_MINUTE": "1000",
            "STREAMER_START": "earliest",
            "STREAMER_HTTP_PORT": "0",
            "STREAMER_LOG_LEVEL": "debug",
            "STREAMER_LINGER_SECONDS": "0.02",
        }
        server.shutdown()


def _produce(bootstrap: str, odd_one: int = 999) -> None:
    producer = Producer({**CLIENT_PROPERTIES, "bootstrap.servers": bootstrap})
    odd = someone("identify", odd_one)
    good = [someone("track", number) for number in range(GOOD)]
    for each in (*good, *BAD, {**odd, "traits": {**odd["traits"], "name": "odd"}}, event("group")):
        value = each if isinstance(each, bytes) else json.dumps(each).encode()
        headers: list[tuple[str, str | bytes | None]] = [("trace", PERSONAL["header"].encode())]
        producer.produce(TOPIC, value, PERSONAL["key"].encode(), 0, headers=headers)
    assert producer.flush(30) == 0


def _streamer(environ: dict[str, str], *words: str) -> str:
    """What a command says, on both streams; it may end as it likes, but not by a bug."""
    ended = subprocess.run(
        [sys.executable, "-m", "streamer", *words],
        env=environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode != 1, ended.stderr
    return ended.stdout + ended.stderr


def _letters(bootstrap: str) -> list[dict[str, bytes]]:
    """Our headers of each letter in the topic."""
    group = {"group.id": "reader", "auto.offset.reset": "earliest", "enable.auto.commit": False}
    consumer = Consumer({**CLIENT_PROPERTIES, "bootstrap.servers": bootstrap, **group})
    consumer.subscribe([LETTER_TOPIC])
    found: list[dict[str, bytes]] = []
    deadline = time.monotonic() + WAIT_SECONDS
    try:
        while len(found) < LETTERS:
            assert time.monotonic() < deadline, len(found)
            for record in consumer.consume(LETTERS, 0.2):
                headers: Any = record.headers() or []
                found.append({name: value for name, value in headers if name.startswith("streamer.")})
    finally:
        consumer.close()
    return found


def _until(path: str, port: int, is_there: str) -> str:
    """What it serves there, once that holds this."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", path)
        text = connection.getresponse().read().decode()
        connection.close()
        if is_there in text:
            return text
        assert time.monotonic() < deadline, text
        time.sleep(0.1)


def test_no_mark_comes_out_of_the_program(environ: dict[str, str]) -> None:
    """It starts, is refused, sets records aside, goes on hold and ends; then its letters are looked at."""
    said: dict[str, str] = {}
    lines: list[str] = []
    child = subprocess.Popen(
        [sys.executable, "-m", "streamer", "-v", "run"],
        env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    served = threading.Event()

    def read(stream: Any) -> None:
        for line in stream:
            lines.append(line)
            if '"serving"' in line:
                served.set()

    reader = threading.Thread(target=read, args=(child.stdout,))
    reader.start()
    try:
        assert served.wait(WAIT_SECONDS), "".join(lines)[-3000:]
        serving = next(line for line in lines if '"serving"' in line)
        port = json.loads(serving)["port"]
        headers = _letters(environ["STREAMER_KAFKA_BOOTSTRAP_SERVERS"])
        _Planhat.refuses_token = True
        # Somebody new among them: a copy of the odd one, whose letter streamer may not know to be written
        # yet, waits for it and shares its fate. Then nothing would be asked of Planhat, and nothing held.
        _produce(environ["STREAMER_KAFKA_BOOTSTRAP_SERVERS"], odd_one=998)
        said["/metrics"] = _until("/metrics", port, 'streamer_hold{reason="credentials"} 1')
        said["/readyz"] = _until("/readyz", port, "")
        said["/"] = _until("/", port, "")
        said["/status.json"] = _until("/status.json", port, "")
    finally:
        child.send_signal(signal.SIGTERM)
        reader.join(WAIT_SECONDS)
        assert child.wait(WAIT_SECONDS) == 0
        child.stdout.close()
    said["log"] = "".join(lines)
    said["headers"] = str(headers)
    with ThreadPoolExecutor(len(COMMANDS)) as several:
        said |= zip(
            COMMANDS, several.map(lambda words: _streamer(environ, *words.split()), COMMANDS), strict=True
        )

    assert {name: found for name, text in said.items() if (found := leaks(text))} == {}
    assert all(said.values())
    assert {header["streamer.reason"] for header in headers} >= {b"refused", b"bad_json", b"undecodable"}
    assert "hold_entered" in said["log"]
    # librdkafka's own lines come as ours or not at all; and what is kept back is shown on request.
    assert "rdkafka#" not in "".join(line for line in lines if not line.startswith("{"))
    assert leaks(_streamer(environ, "dead-letters", "show", "--reveal", "0:0"))
