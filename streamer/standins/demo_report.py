"""The closing table: what became of every event, and what it took."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from streamer.outcomes import CallType, Endpoint, Fate
from streamer.standins.account_findings import Audit
from streamer.standins.demo_metrics import Scrape

_FATES: Final = (Fate.DELIVERED, Fate.SKIPPED, Fate.DEAD_LETTERED)


@dataclass(frozen=True, slots=True)
class Outcome:
    """All the table is made from."""

    account: Audit
    scrape: Scrape
    """The pipeline's last metrics."""
    view: Mapping[str, Any]
    """The sandbox's counts."""
    seconds: float
    """From the first event produced to the last one settled and committed."""


def print_report(console: Console, outcome: Outcome) -> None:
    """Events by call and outcome, then what delivering them took."""
    console.print()
    console.print(_events(outcome.scrape))
    console.print(_facts(outcome))


def _events(scrape: Scrape) -> Table:
    table = Table(title="Events by call and outcome", title_justify="left", show_footer=True)
    table.add_column("call", footer="all")
    for fate in _FATES:
        total = scrape.total("streamer_events_total", outcome=fate.label)
        table.add_column(fate.label.replace("_", "-"), justify="right", footer=f"{total:,.0f}")
    for call in CallType:
        counts = [scrape.total("streamer_events_total", call=call, outcome=fate.label) for fate in _FATES]
        if any(counts):
            table.add_row(call.value, *(f"{count:,.0f}" if count else "" for count in counts))
    return table


def _facts(outcome: Outcome) -> Table:
    scrape, account = outcome.scrape, outcome.account
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row("speed", f"{account.produced / outcome.seconds:,.0f} events/s in {outcome.seconds:.1f} s")
    table.add_row(
        "latency", f"p50 {_quantile(scrape, 0.5)}, p99 {_quantile(scrape, 0.99)}, from Kafka to settled"
    )
    for endpoint in (Endpoint.COMPANIES, Endpoint.ENDUSERS, Endpoint.ACTIVITIES):
        table.add_row(f"requests, {endpoint}", _requests(outcome, endpoint))
    table.add_row("skipped", _by_reason(scrape, "streamer_skips_total"))
    table.add_row("dead-lettered", _by_reason(scrape, "streamer_dead_letters_total"))
    table.add_row("duplicates", _duplicates(account))
    return table


def _quantile(scrape: Scrape, share: float) -> str:
    seconds = scrape.quantile("streamer_event_latency_seconds", share)
    return "unknown" if seconds is None else f"{seconds:.2g} s"


def _requests(outcome: Outcome, endpoint: Endpoint) -> str:
    scrape = outcome.scrape
    requests = scrape.total("streamer_deliveries_total", endpoint=endpoint)
    operations = scrape.total("streamer_delivery_operations_sum", endpoint=endpoint)
    # `streamer run` asks at its start whether Planhat knows it: no delivery, so told apart.
    reads = Counter(outcome.view["requests"]["reads"].get(endpoint.value, {}))
    answers = Counter(outcome.view["requests"]["answers"].get(endpoint.value, {})) - reads
    said = ", ".join(f"{count} x {status}" for status, count in sorted(answers.items()))
    mean = operations / requests if requests else 0
    beside = f", reads: {reads.total()}" if reads else ""
    return f"{requests:,.0f} of {mean:,.1f} operations on average ({said or 'none answered'}){beside}"


def _by_reason(scrape: Scrape, name: str) -> str:
    reasons = sorted(scrape.by(name, "reason").items(), key=lambda entry: -entry[1])
    return ", ".join(f"{count:,.0f} {reason}" for reason, count in reasons) or "none"


def _duplicates(account: Audit) -> str:
    return (
        f"{account.copies_skipped} records on the topic twice and known by their messageId; "
        f"{account.duplicates_from_copies} activities counted twice that were not, "
        f"{account.duplicates_from_resends} for being sent again"
    )
