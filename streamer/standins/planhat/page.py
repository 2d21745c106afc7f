"""The page at `/`: what the sandbox holds, for people. Counts and requests only, no stored values."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from streamer.standins.planhat import guide
from streamer.standins.planhat.entries import iso
from streamer.standins.planhat.rows import RequestRow
from streamer.standins.planhat.switches import SwitchNote

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 64rem; padding: 0 1rem }
table { border-collapse: collapse; margin-bottom: 2rem; width: 100% }
td, th { border-bottom: 1px solid #8884; padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top }
td.number { font-variant-numeric: tabular-nums; text-align: right }
small { color: #777 }
"""


def page_of(view: Mapping[str, Any], requests: Sequence[RequestRow], switches: Iterable[SwitchNote]) -> str:
    """The page as HTML."""
    held = [
        (name, what, str(count))
        for name in ("companies", "endusers", "activities")
        for what, count in view[name].items()
        if isinstance(count, int)
    ]
    refused = [
        (name, words, str(count))
        for name in ("companies", "endusers")
        for words, count in view[name]["refusals"].items()
    ]
    ignored = [
        (name, reason, str(count))
        for name, reasons in view["ignored"].items()
        for reason, count in reasons.items()
    ]
    asked = [
        (
            iso(each.time),
            each.method,
            each.endpoint,
            str(each.status or "cut off"),
            str(each.items),
            f"{each.seconds * 1000:.1f}",
            each.fault,
        )
        for each in reversed(requests)
    ]
    parts = [
        _table("Holds", ("", "", ""), held),
        _table("Refused", ("model", "error", "items"), refused),
        _table("Ignored", ("endpoint", "reason", "items"), ignored),
        _table(
            f"Requests: {view['requests']['total']}, the newest first",
            ("time", "method", "endpoint", "status", "items", "ms", "fault"),
            asked,
        ),
        _table(
            "Switches",
            ("name", "value", "allowed", "source", "about"),
            [(note.name, note.value, note.allowed, note.tag, note.about) for note in switches],
        ),
        _table("What else can be asked", ("method", "path", "for what"), guide.PATHS),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="3">'
        f"<title>Planhat sandbox</title><style>{_STYLE}</style></head><body><h1>Planhat sandbox</h1>"
        "<p>A stand-in of Planhat's API, made from public documentation. "
        "<small>Source of a switch's default: D documented, D3 a third party's summary, C client code, "
        "I inferred, S the sandbox's own.</small></p>"
        f"{''.join(parts)}</body></html>"
    )


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<h2>{escape(title)}</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: str) -> str:
    kind = ' class="number"' if value.replace(".", "", 1).isdigit() else ""
    return f"<td{kind}>{escape(value)}</td>"
