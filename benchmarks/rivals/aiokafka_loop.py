"""A loop on asyncio: aiokafka, fastavro, httpx.

It does what `careful.py` does, in the same order: bulks of 5,000 items, retries with growing pauses,
dead letters confirmed, the commit after the answers. At-least-once. aiokafka's heartbeats go on while a
bulk is under way, since they are a task of their own; so it keeps its membership in an outage up to
`max.poll.interval`.

It does not have the rest of what `careful.py` lacks. Its environment is its own: see
requirements-python.txt.
"""

import asyncio
import random
import signal
import time

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks.rivals.mapping import Mapping, Unreadable
from benchmarks.rivals.told import BULK_ITEMS, LONGEST_PAUSE_SECONDS, ORDER, RETRIED, Told

READ = 500
LINGER_SECONDS = 1.0


async def send(client: httpx.AsyncClient, told: Told, endpoint: str, items: list[bytes]) -> None:
    """One bulk, until it is answered with success; ends the process where a retry is no use."""
    request = told.request(endpoint, items)
    pause = 0.5
    while True:
        try:
            status = (await client.request(request.method, request.url, content=request.body)).status_code
        except httpx.TransportError:
            status = 503
        if status < 300:
            return
        if status not in RETRIED:
            raise SystemExit(f"{endpoint}: {request.method} answered {status}: nothing is committed")
        await asyncio.sleep(random.uniform(0, pause))
        pause = min(LONGEST_PAUSE_SECONDS, pause * 2)


async def run(told: Told) -> None:
    """Until SIGTERM."""
    mapping = Mapping()
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    consumer = AIOKafkaConsumer(
        told.topic,
        bootstrap_servers=told.bootstrap,
        group_id=told.group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    producer = AIOKafkaProducer(bootstrap_servers=told.bootstrap, enable_idempotence=True)
    headers = {"Authorization": f"Bearer {told.api_token}", "Content-Type": "application/json"}
    async with producer, consumer, httpx.AsyncClient(timeout=60.0, headers=headers) as client:
        bulks: dict[str, list[bytes]] = {endpoint: [] for endpoint in ORDER}
        has_uncommitted, opened_at = False, 0.0
        while not stopping.is_set():
            read = await consumer.getmany(timeout_ms=100, max_records=READ)
            for message in (message for messages in read.values() for message in messages):
                if not has_uncommitted:
                    has_uncommitted, opened_at = True, time.monotonic()
                if message.value is None:
                    continue
                try:
                    for endpoint, item in mapping.items(message.value):
                        bulks[endpoint].append(item)
                except Unreadable as error:
                    reason = [("reason", str(error).encode())]
                    await producer.send(told.letters, message.value, message.key, headers=reason)
            is_full = any(len(items) >= BULK_ITEMS for items in bulks.values())
            if has_uncommitted and (is_full or time.monotonic() - opened_at > LINGER_SECONDS):
                for endpoint in ORDER:
                    items, bulks[endpoint] = bulks[endpoint], []
                    for start in range(0, len(items), BULK_ITEMS):
                        await send(client, told, endpoint, items[start : start + BULK_ITEMS])
                await producer.flush()
                await consumer.commit()
                has_uncommitted = False


if __name__ == "__main__":
    asyncio.run(run(Told.read()))
