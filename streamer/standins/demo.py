"""`streamer demo`: the whole way on this machine alone, closed with an account of every event.

Stand-ins at both ends (librdkafka's mock cluster, the Planhat sandbox), the real pipeline between
them as a process of its own, made events through it, and an account that trusts none of the three.
"""

import argparse
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import islice
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Final, NamedTuple

from rich.console import Console

from streamer.avro.encoder import Encoder
from streamer.avro.schemas import load_schemas
from streamer.errors import UsageError
from streamer.standins.account import audit
from streamer.standins.account_findings import Audit, Seen
from streamer.standins.account_view import seen_activities, seen_companies, seen_endusers, seen_ignored
from streamer.standins.broker import CLIENT_PROPERTIES, EmbeddedBroker
from streamer.standins.demo_feed import Feed
from streamer.standins.demo_metrics import Probe, Scrape
from streamer.standins.demo_pipeline import Pipeline, free_port
from streamer.standins.demo_progress import DemoProgress
from streamer.standins.demo_report import Outcome, print_report
from streamer.standins.demo_topic import DemoTopic, GroupOffsets, read_letters
from streamer.standins.generator import Generator
from streamer.standins.planhat.child import SandboxProcess

TOPIC: Final = "segment.events"
DEAD_LETTER_TOPIC: Final = "segment.events.dead-letters"
GROUP: Final = "planhat-streamer-demo"

DEFAULT_EVENTS: Final = 20_000
MOST_EVENTS: Final = 1_000_000
TENANT_CALLS_PER_MINUTE: Final = 200
"""Planhat's quota, which the sandbox enforces."""
_REMEMBERED_WRITES: Final = 1_000


class Addresses(NamedTuple):
    """Where everything can be looked at."""

    broker: str
    sandbox: str
    metrics: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `streamer demo`."""
    parser.add_argument(
        "--events", type=int, default=DEFAULT_EVENTS, metavar="N", help="how many events (%(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="the same seed makes the same events (%(default)s)"
    )
    parser.add_argument(
        "--calls-per-minute",
        type=int,
        default=160,
        metavar="N",
        help=f"budget for Planhat's main API; the sandbox allows {TENANT_CALLS_PER_MINUTE}, "
        "or a quarter more than a larger budget (%(default)s)",
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=60,
        metavar="SECONDS",
        help="give up after so long without any progress (%(default)s)",
    )
    parser.add_argument(
        "--keep", action="store_true", help="leave everything running afterwards, until Ctrl+C"
    )


def run(args: argparse.Namespace) -> int:
    """Run the demo; 0 only if every event is accounted for. Raises StreamerError when it cannot run."""
    _check(args)
    console = Console(highlight=False, soft_wrap=True)
    try:
        with _sigterm_as_interrupt(), tempfile.TemporaryDirectory(prefix="streamer-demo-") as folder:
            return _run(args, console, Path(folder))
    except KeyboardInterrupt:
        console.print("Interrupted: what the demo started has been stopped, and no account was closed.")
        raise


def _check(args: argparse.Namespace) -> None:
    problems = []
    for name, value, low, high in (
        ("--events", args.events, 1, MOST_EVENTS),
        ("--calls-per-minute", args.calls_per_minute, 1, 100_000),
        ("--patience", args.patience, 1, 3600),
    ):
        if not low <= value <= high:
            problems.append(f"{name} cannot be {value}; allowed: {low} to {high:,}")
    if problems:
        raise UsageError("\n".join(problems))


def _run(args: argparse.Namespace, console: Console, folder: Path) -> int:
    with ExitStack() as stack:
        quota = max(TENANT_CALLS_PER_MINUTE, args.calls_per_minute * 5 // 4)
        switches = {
            "calls_per_minute": quota,
            "history": _REMEMBERED_WRITES,
            "keep_activities": 2 * MOST_EVENTS,
            "keep_ignored": 2 * MOST_EVENTS,
        }
        broker = stack.enter_context(EmbeddedBroker())
        for name in (TOPIC, DEAD_LETTER_TOPIC):
            broker.create_topic(name)
        sandbox = stack.enter_context(SandboxProcess(switches))
        port = free_port()
        settings = _settings(broker.bootstrap_servers, sandbox, port, args.calls_per_minute)
        log = folder / "streamer-run.log"
        pipeline = stack.enter_context(Pipeline(settings, log))
        addresses = Addresses(broker.bootstrap_servers, sandbox.url, f"http://127.0.0.1:{port}/metrics")
        console.print(f"Embedded broker {addresses.broker}, Planhat sandbox {addresses.sandbox}")
        console.print(f"`streamer run` (process {pipeline.pid}), metrics at {addresses.metrics}")
        console.print(f"Its status page, while it runs: {addresses.metrics.removesuffix('metrics')}")
        offsets = stack.enter_context(closing(GroupOffsets(broker.bootstrap_servers, GROUP, TOPIC)))
        topic = DemoTopic(broker.bootstrap_servers, TOPIC)
        probe = Probe(port)
        with DemoProgress(console, args.events) as progress:
            encode = Encoder(load_schemas()).encode
            feed = Feed(topic, offsets, probe, pipeline, progress, encode, args.patience)
            seconds = _feed(feed, Generator(args.seed, args.events))
        scrape = probe.scrape() or Scrape("")
        code = 0 if args.keep else pipeline.stop()
        account = _account(feed, sandbox, offsets, broker.bootstrap_servers, scrape)
        print_report(console, Outcome(account, scrape, sandbox.view(), seconds))
        is_complete = _say(console, account, args.events, code, scrape)
        if not is_complete:
            console.print(f"The last lines of `streamer run`:\n{pipeline.tail()}", markup=False)
        console.print(f"Metrics were at {addresses.metrics}" + (" and still are." if args.keep else "."))
        if args.keep:
            _keep(console, addresses, log)
            pipeline.stop()
        return 0 if is_complete else 1


def _feed(feed: Feed, generator: Generator) -> float:
    """Everything through; seconds it took. What did not get through is for the account to say."""
    if not feed.wait_until_ready():
        return 0.001
    started = monotonic()
    events = iter(generator)
    is_flowing = feed.send(islice(events, generator.opening_count)) and feed.wait_until_settled("companies")
    if is_flowing and feed.send(events):
        feed.wait_until_settled("delivering")
    return monotonic() - started


def _settings(bootstrap: str, sandbox: SandboxProcess, port: int, calls_per_minute: int) -> dict[str, str]:
    settings = {
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "KAFKA_TOPIC": TOPIC,
        "KAFKA_DEAD_LETTER_TOPIC": DEAD_LETTER_TOPIC,
        "KAFKA_GROUP_ID": GROUP,
        "KAFKA_PROPERTIES": "\n".join(f"{name}={value}" for name, value in CLIENT_PROPERTIES.items()),
        "START": "earliest",
        "PLANHAT_TENANT_TOKEN": sandbox.tenant_token,
        "PLANHAT_API_TOKEN": sandbox.api_token,
        "PLANHAT_API_URL": sandbox.url,
        "PLANHAT_ANALYTICS_URL": sandbox.url,
        "PLANHAT_CALLS_PER_MINUTE": str(calls_per_minute),
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": str(port),
        "LOG_FORMAT": "json",
    }
    return {f"STREAMER_{name}": value for name, value in settings.items()}


def _account(
    feed: Feed, sandbox: SandboxProcess, offsets: GroupOffsets, bootstrap: str, scrape: Scrape
) -> Audit:
    skips = scrape.by("streamer_skips_total", "reason")
    seen = Seen(
        activities=seen_activities(sandbox.activities(), sandbox.endusers()),
        endusers=seen_endusers(sandbox.endusers()),
        companies=seen_companies(sandbox.companies()),
        ignored=seen_ignored(sandbox.ignored()),
        letters=read_letters(bootstrap, DEAD_LETTER_TOPIC, TOPIC),
        committed=offsets.committed(set(feed.expected.ends)),
        skipped={reason: int(count) for reason, count in skips.items()},
        merged=int(scrape.total("streamer_coalesced_operations_total")),
    )
    return audit(feed.expected, seen)


def _say(console: Console, account: Audit, wanted: int, code: int, scrape: Scrape) -> bool:
    """The verdict in words."""
    problems = account.lines()
    if account.produced < wanted:
        problems.insert(0, f"{wanted - account.produced:,} events were never produced")
    if code:
        problems.append(f"`streamer run` ended with exit code {code}")
    for reason in scrape.by("streamer_hold", "reason"):
        problems.append(f"the pipeline is on hold: {reason}")
    if not problems:
        console.print(f"Every one of {account.produced:,} events is accounted for.")
        return True
    console.print(f"NOT every one of {wanted:,} events is accounted for:")
    for problem in problems:
        console.print(f"- {problem}", markup=False)
    return False


def _keep(console: Console, addresses: Addresses, log: Path) -> None:
    console.print(f"Still running: broker {addresses.broker}, topic {TOPIC}, group {GROUP};")
    try:  # whoever reads the line may press it before `print` has returned
        console.print(
            f"sandbox {addresses.sandbox}/, metrics {addresses.metrics}, log {log}. Ctrl+C ends it."
        )
        threading.Event().wait()
    except KeyboardInterrupt:
        console.print("Stopping.")


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """SIGTERM ends the demo as Ctrl+C does, so that its children are stopped."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
