"""Grafana's dashboard, made from a table of panels by Grafana's own types: `write` it anew, or `check` it.

What a panel asks, in which unit and why stands here; how Grafana spells that is the SDK's business.
Metrics are written bare: each is given the selector of the variables `namespace` and `job`. A partition
counts once, however many replicas show it while it moves.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import BigValueColorMode, BigValueGraphMode, LegendDisplayMode
from grafana_foundation_sdk.models.common import LegendPlacement as Placement
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    GridPos,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
)

ROOT: Final = Path(__file__).resolve().parent.parent
PATH: Final = ROOT / "k8s" / "dashboards" / "streamer.json"
SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
SELECTOR: Final = 'namespace=~"$namespace",job=~"$job"'
METRIC: Final = re.compile(
    r"\b(?P<name>streamer[_:][a-z_:]+|process_[a-z_]+|ALERTS)\b(?P<labels>\{(?P<chosen>[^}]*)\})?"
)
WIDTH: Final = 24


class Query(NamedTuple):
    """One query, and the legend of its series."""

    expression: str
    legend: str = ""


class Number(NamedTuple):
    """A panel with one number, green below the first threshold, then yellow, then red."""

    title: str
    description: str
    expression: str
    unit: str = "short"
    yellow: float | None = None
    red: float | None = None
    width: int = 4


class Lines(NamedTuple):
    """A panel with lines over time."""

    title: str
    description: str
    queries: Sequence[Query]
    unit: str = "short"
    width: int = 8


class Section(NamedTuple):
    """A row of the dashboard."""

    title: str
    panels: Sequence[Number | Lines]


_METERED = 'endpoint=~"companies|endusers|deletions"'
_RATE = "[$__rate_interval]"
_BY_PARTITION = "max by (namespace, job, topic, partition)"

SECTIONS: Final = (
    Section("Is it fine?", (
        Number(
            "Firing alerts", "Alerts of streamer that fire now. Each has a page in docs/runbooks/.",
            'count(ALERTS{alertstate="firing",service="streamer"}) or vector(0)', red=1,
        ),
        Number("On hold", "Replicas that send nothing until a person acts.", "sum(streamer_hold)", red=1),
        Number(
            "Age of the oldest undelivered", "How far Planhat is behind the topic.",
            "max(streamer_undelivered_age_seconds)", "s", 300, 900,
        ),
        Number(
            "Undelivered", "Records unread in Kafka and in flight.",
            f"sum({_BY_PARTITION} (streamer_undelivered_records))",
        ),
        Number(
            "Delivered a second", "Records that Planhat accepted (activities: received).",
            f'sum(rate(streamer_events_total{{outcome="delivered"}}{_RATE}))', "ops",
        ),
        Number(
            "Dead letters, last hour", "Records set aside: `streamer dead-letters list --since 1h`.",
            "sum(increase(streamer_dead_letters_total[1h]))", yellow=1,
        ),
    )),
    Section("Events", (
        Lines("Records by outcome", "What becomes of records. Released ones are read again.", (
            Query(f"sum by (outcome) (rate(streamer_events_total{_RATE}))", "{{outcome}}"),
        ), "ops"),
        Lines("Records by call", "What kind of events there are.", (
            Query(f"sum by (call) (rate(streamer_events_total{_RATE}))", "{{call}}"),
        ), "ops"),
        Lines("Latency, end to end", "From a record's timestamp in Kafka until it was finished with.", tuple(
            Query(
                f"histogram_quantile({share}, "
                f"sum by (le) (rate(streamer_event_latency_seconds_bucket{_RATE})))",
                name,
            )
            for share, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
        ), "s"),
        Lines("Skipped, by reason", "Records not sent by rule, or not saved by Planhat: docs/outcomes.md.", (
            Query(f"sum by (reason) (rate(streamer_skips_total{_RATE}))", "{{reason}}"),
        ), "ops"),
        Lines("Dead letters, by reason", "Records set aside. Held ones wait until not everything is bad.", (
            Query(f"sum by (reason) (rate(streamer_dead_letters_total{_RATE}))", "{{reason}}"),
            Query("sum(streamer_held_dead_letters)", "held back"),
        )),
        Lines("Faults of ours", "Failures are bugs; fenced answers came after their partition had left.", (
            Query(f"sum(rate(streamer_failures_total{_RATE}))", "failures"),
            Query(f"sum(rate(streamer_fenced_operations_total{_RATE}))", "fenced answers"),
        ), "ops"),
    )),
    Section("Behind, and since when", (
        Lines("Undelivered, by partition", "Unread in Kafka and in flight.", (
            Query(f"{_BY_PARTITION} (streamer_undelivered_records)", "{{topic}}[{{partition}}]"),
        )),
        Lines(
            "Age of the oldest undelivered",
            "Against how long Kafka keeps the topic: what is older than that is lost.", (
                Query(f"{_BY_PARTITION} (streamer_undelivered_age_seconds)", "{{topic}}[{{partition}}]"),
                Query("min by (topic) (streamer_topic_retention_seconds)", "retention of {{topic}}"),
            ), "s",
        ),
        Lines("Oldest unsettled", "Since the oldest record in flight was read; commits stand at it.", (
            Query(f"{_BY_PARTITION} (streamer_oldest_unsettled_seconds)", "{{topic}}[{{partition}}]"),
        ), "s"),
        Lines("Time to drain", "At the pace of the last 15 minutes; none while it does not fall.", (
            Query("streamer:drain_seconds:forecast < +Inf", "{{topic}}"),
            Query("max(streamer_drain_forecast_seconds)", "by the quota, if nothing more came"),
        ), "s"),
        Lines("In flight", "Records read and not finished with.", (
            Query("sum(streamer_in_flight_records)", "records"),
        )),
        Lines("Pressure", "Partitions that are not read for now, and replicas that keep still or pause.", (
            Query('sum by (stage) (streamer_backpressure{stage!="flowing"})', "replicas {{stage}}"),
            Query("sum(streamer_paused_partitions)", "paused partitions"),
        )),
    )),
    Section("Planhat", (
        Lines("Requests by result", "accepted is well; all else is told in docs/outcomes.md.", (
            Query(
                f"sum by (endpoint, result) (rate(streamer_deliveries_total{_RATE}))",
                "{{endpoint}} {{result}}",
            ),
        ), "reqps"),
        Lines("Calls to the main API, a minute", "Made, shared out, in force; and left by Planhat's word.", (
            Query(f"60 * sum(rate(streamer_deliveries_total{{{_METERED}}}{_RATE}))", "calls"),
            Query("sum(streamer_quota_share_calls_per_minute)", "shared out"),
            Query("sum(streamer_quota_pace_calls_per_minute)", "in force"),
            Query("sum(streamer_quota_tokens)", "allowed at once"),
            Query("min(streamer_quota_remaining_calls)", "left, says Planhat"),
        )),
        Lines("Seconds of a request (p95)", "Reply included.", (
            Query(
                "histogram_quantile(0.95, "
                f"sum by (le, endpoint) (rate(streamer_delivery_seconds_bucket{_RATE})))",
                "{{endpoint}}",
            ),
        ), "s"),
        Lines("Operations in a request", "5,000 is full for companies and endusers.", (
            Query(
                f"sum by (endpoint) (rate(streamer_delivery_operations_sum{_RATE}))"
                f" / sum by (endpoint) (rate(streamer_delivery_operations_count{_RATE}))",
                "{{endpoint}}",
            ),
        )),
        Lines("Sent again, by reason", "Nothing is known to be wrong with these operations.", (
            Query(
                f"sum by (endpoint, reason) (rate(streamer_retried_operations_total{_RATE}))",
                "{{endpoint}} {{reason}}",
            ),
        ), "ops"),
        Lines("Gates and holds", "A closed gate opens by itself; a hold needs a person.", (
            Query("max by (endpoint) (streamer_gate_closed_seconds)", "{{endpoint}} closed for"),
            Query("sum by (reason) (streamer_hold) > 0", "on hold: {{reason}}"),
        ), "s"),
        Lines("Operations waiting", "Made and not finished with.", (
            Query("sum by (endpoint) (streamer_waiting_operations)", "{{endpoint}}"),
        )),
        Lines("Operations finished with", "By what became of them; some ride along with another's entry.", (
            Query(
                f"sum by (endpoint, outcome) (rate(streamer_operations_total{_RATE}))",
                "{{endpoint}} {{outcome}}",
            ),
            Query(
                f"sum by (endpoint) (rate(streamer_coalesced_operations_total{_RATE}))",
                "{{endpoint}} rode along",
            ),
            Query(f"sum(rate(streamer_revived_operations_total{_RATE}))", "revived"),
        ), "ops"),
        Lines("Schemas awaited", "Partitions stand still until the registry gives these.", (
            Query("sum by (reason) (streamer_awaited_schemas)", "{{reason}}"),
        )),
    )),
    Section("The group and its replicas", (
        Lines("Members", "Replicas that run, and those that are settled members of the group.", (
            Query("count(streamer_build_info)", "running"),
            Query("sum(streamer_group_member)", "members"),
        ), width=6),
        Lines("Commits and rebalances", "Commits end twice a second while there is something to commit.", (
            Query(f"sum by (result) (rate(streamer_commits_total{_RATE}))", "commits {{result}}"),
            Query(f"sum by (change) (rate(streamer_rebalances_total{_RATE}))", "partitions {{change}}"),
        ), "ops", 6),
        Lines("Since Kafka was heard of", "The last poll, the last commit, the last word on a log's end.", (
            Query("max(time() - streamer_last_poll_timestamp_seconds)", "poll"),
            Query("max(time() - streamer_last_commit_timestamp_seconds)", "commit"),
            Query("max(time() - streamer_log_end_timestamp_seconds)", "log's end"),
        ), "s", 6),
        Lines("Memory", "Resident memory of each replica, and the bytes of records in flight.", (
            Query("process_resident_memory_bytes and on (instance) streamer_build_info", "{{instance}}"),
            Query("sum(streamer_in_flight_bytes)", "in flight"),
        ), "bytes", 6),
        Lines(
            "Metadata of commits",
            "What is settled ahead of the committed offset, as text: above 3,000 characters a partition "
            "takes no new records. Ignored: it was not told, and is sent again.",
            (
                Query("max(streamer_commit_metadata_characters)", "characters"),
                Query(
                    f"sum by (reason) (increase(streamer_commit_metadata_ignored_total{_RATE}))",
                    "ignored: {{reason}}",
                ),
            ),
            width=6,
        ),
    )),
)  # fmt: skip


def selected(expression: str) -> str:
    """The expression with every metric bound to the dashboard's variables."""

    def bound(found: re.Match[str]) -> str:
        chosen = found["chosen"]
        return f"{found['name']}{{{SELECTOR}{',' + chosen if chosen else ''}}}"

    return METRIC.sub(bound, expression)


def _target(index: int, query: Query) -> prometheus.Dataquery:
    return (
        prometheus.Dataquery()
        .ref_id(chr(ord("A") + index))
        .datasource(SOURCE)
        .expr(selected(query.expression))
        .legend_format(query.legend)
        .range()
    )


def _steps(panel: Number) -> dashboard.ThresholdsConfig:
    steps = [Threshold(color="green")]
    steps += [
        Threshold(value=value, color=color)
        for value, color in ((panel.yellow, "yellow"), (panel.red, "red"))
        if value is not None
    ]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def _number(panel: Number) -> stat.Panel:
    return (
        stat.Panel()
        .title(panel.title)
        .description(panel.description)
        .datasource(SOURCE)
        .unit(panel.unit)
        .decimals(0)
        .thresholds(_steps(panel))
        .color_mode(BigValueColorMode.BACKGROUND)
        .graph_mode(BigValueGraphMode.AREA)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(_target(0, Query(panel.expression)))
    )


def _lines(panel: Lines) -> timeseries.Panel:
    legend = common.VizLegendOptions().show_legend(True).display_mode(LegendDisplayMode.LIST)
    lines = (
        timeseries.Panel()
        .title(panel.title)
        .description(panel.description)
        .datasource(SOURCE)
        .unit(panel.unit)
        .min(0)
        .fill_opacity(10)
        .legend(legend.placement(Placement.BOTTOM))
    )
    for index, query in enumerate(panel.queries):
        lines = lines.with_target(_target(index, query))
    return lines


def _placed(section: Section, top: int) -> Iterator[tuple[Number | Lines, GridPos]]:
    x, y = 0, top
    for panel in section.panels:
        height = 4 if isinstance(panel, Number) else 8
        if x + panel.width > WIDTH:
            x, y = 0, y + height
        yield panel, GridPos(h=height, w=panel.width, x=x, y=y)
        x += panel.width


def _variable(name: str, label: str) -> dashboard.QueryVariable:
    everything = VariableOption(selected=True, text="All", value="$__all")
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query({"query": f"label_values(streamer_build_info, {name})", "refId": name})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .include_all(True)
        .all_value(".*")  # also matches where there is no such label, as in compose
        .current(everything)
        .multi(True)
    )


def build() -> str:
    """The dashboard as JSON."""
    made = (
        dashboard.Dashboard("streamer")
        .uid("streamer")
        .description("Segment events from Kafka into Planhat. What to do about alerts: docs/runbooks/.")
        .tags(["streamer"])
        .editable()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .refresh("10s")
        .time("now-1h", "now")
        .timezone("browser")
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_variable("namespace", "Namespace"))
        .with_variable(_variable("job", "Job"))
    )
    number, top = 0, 0
    for section in SECTIONS:
        number += 1
        row = dashboard.Row(section.title).id(number).grid_pos(GridPos(h=1, w=WIDTH, x=0, y=top))
        made = made.with_row(row)
        for panel, place in _placed(section, top + 1):
            number += 1
            drawn = _number(panel) if isinstance(panel, Number) else _lines(panel)
            made = made.with_panel(drawn.id(number).grid_pos(place))
            bottom = place.y + place.h
        top = bottom
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build()) + "\n"


def main(action: str) -> int:
    """Write or check, and say what was found."""
    if action == "write":
        PATH.write_text(build(), encoding="utf-8")
        return 0
    if PATH.read_text(encoding="utf-8") == build():
        print("dashboard: in step with tools/dashboard.py")
        return 0
    print(f"{PATH.relative_to(ROOT)} is out of step with tools/dashboard.py; mend it with `make dashboard`")
    return 1


if __name__ == "__main__":
    if sys.argv[1:] not in (["write"], ["check"]):
        raise SystemExit("usage: dashboard.py write | check")
    raise SystemExit(main(sys.argv[1]))
