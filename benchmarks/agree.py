"""Whether rivals send what the mapping by hand says, item by item, and put aside what it cannot read.

For what no test in CI can run: rivals in an environment, or a language, of their own. JSON text within an
item is compared as JSON, since languages order keys differently. `streamer` makes several upserts into one,
so it is not among them.

    python -m benchmarks.agree --events 3000 --only careful,aiokafka,benthos
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from benchmarks.rivals.mapping import ACTIVITIES, Mapping, Unreadable
from benchmarks.scenarios import PARTITIONS, Place
from benchmarks.systems import SYSTEMS, Running, Unfinished
from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.kafka.publish import Publisher
from streamer.standins.generator import Generator
from tests.real_kafka.cluster import RealKafka

SEED = 3
LONGEST_SECONDS = 120.0
SHOWN = 3

Items = Counter[str]
"""Endpoint and JSON of each."""


def item_text(endpoint: str, item: bytes) -> str:
    """The same for the same item, however it is written."""
    return f"{endpoint} {json.dumps(_plain(json.loads(item)), sort_keys=True, ensure_ascii=False)}"


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever JSON may hold
    """With JSON text taken apart."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return json.loads(value) if isinstance(value, str) and value.startswith(("[", "{")) else value


@contextmanager
def recording(items: Items) -> Iterator[str]:
    """Planhat's address, where everything is taken and written down."""

    class Takes(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            endpoint = ACTIVITIES if self.path.startswith("/analytics") else self.path.strip("/")
            items.update(item_text(endpoint, json.dumps(item).encode()) for item in json.loads(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_PUT  # noqa: N815 - the server's word

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Takes)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def wanted(kafka: RealKafka, topic: str, events: int) -> tuple[Items, int]:
    """Produce made events; the items they come to, and how many of them nobody can read."""
    encode, mapping, publisher = Encoder(load_schemas()).encode, Mapping(), Publisher(kafka.bootstrap, topic)
    items: Items = Counter()
    unreadable = 0
    for made in Generator(SEED, events):
        value = made.value_bytes(encode)
        publisher.publish(made.key, value)
        try:
            items.update(item_text(*item) for item in (mapping.items(value) if value else []))
        except Unreadable:
            unreadable += 1
    if publisher.flush(60) or publisher.failed:
        raise SystemExit("the broker did not take every event")
    return items, unreadable


def differences(
    kafka: RealKafka, name: str, topic: str, folder: Path, want: Items, unreadable: int
) -> list[str]:
    """What one rival does otherwise, in words."""
    letters = kafka.create_topic("agree.letters")
    place, got = Place(kafka, letters, folder), Counter[str]()
    with recording(got) as url, Running(name, place.told(name, topic, url), folder) as system:
        system.wait(kafka, LONGEST_SECONDS)
    found = [f"not sent: {item}" for item in (want - got).elements()]
    found += [f"not wanted: {item}" for item in (got - want).elements()]
    put_aside = sum(kafka.end_offsets(letters).values())
    # Quix Streams skips them, as its file says.
    if put_aside != (0 if name == "quix" else unreadable):
        found.append(f"{put_aside} dead letters, {unreadable} wanted")
    return found


def main() -> int:
    """Each rival in turn; 1 where one differs."""
    rivals = [name for name, system in SYSTEMS.items() if system.module != "streamer"]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=3_000)
    parser.add_argument("--only", default=",".join(rivals), help="rivals, with commas between")
    arguments = parser.parse_args()
    is_same = True
    with tempfile.TemporaryDirectory() as directory, RealKafka(Path(directory)) as kafka:
        topic = kafka.create_topic("agree.events", PARTITIONS)
        want, unreadable = wanted(kafka, topic, arguments.events)
        for name in arguments.only.split(","):
            try:
                found = differences(kafka, name, topic, Path(directory), want, unreadable)
            except Unfinished as error:
                found = [str(error)]
            is_same = is_same and not found
            sys.stdout.write(f"{name}: {f'{len(found)} differences' if found else 'agrees'}\n")
            sys.stdout.writelines(f"  {each}\n" for each in found[:SHOWN])
    return 0 if is_same else 1


if __name__ == "__main__":
    sys.exit(main())
