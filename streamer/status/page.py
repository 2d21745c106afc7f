"""The facts as a page that is read without a script, on a phone, in the dark, or aloud. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final
from xml.etree.ElementTree import Element

from streamer.status.elements import Cell, Child, document, element, table
from streamer.status.facts import Facts, Gate, Partition
from streamer.status.spans import clock, counted, machine_moment, moment, number, span
from streamer.status.style import STYLE
from streamer.status.verdict import OPENING, Verdict

REFRESH_SECONDS: Final = 10
UNKNOWN: Final = "not known"


def page(facts: Facts, told: Sequence[Verdict], *, refreshes: bool = True) -> bytes:
    """The page. `told` is what is to be said of the facts, the most pressing first."""
    first, *others = told
    head = [
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{OPENING[first.level]} - streamer"),
        element("link", rel="icon", href="data:,"),
        element("style", STYLE),
    ]
    if refreshes:
        head.insert(0, element("meta", http_equiv="refresh", content=str(REFRESH_SECONDS)))
    main = element("main", *_sections(facts))
    body = element("body", _header(first, others), _about(facts, refreshes=refreshes), main)
    return document(element("html", element("head", *head), body, lang="en"))


def _header(first: Verdict, others: Sequence[Verdict]) -> Element:
    header = element("header", element("h1", first.sentence), class_=first.level.value)
    if first.advice:
        header.append(element("p", _sentence(first.advice)))
    if others:
        also = (
            element("li", element("strong", each.sentence), " ", _sentence(each.advice)) for each in others
        )
        header.append(element("ul", *also))
    return header


def _about(facts: Facts, *, refreshes: bool) -> Element:
    kind = "compiled, Python" if facts.is_compiled else "Python"
    runs = f"Running for {span(facts.now - facts.started_at)}, since "
    poll = f"last poll {_ago(facts, facts.last_poll_at)}, last commit {_ago(facts, facts.last_commit_at)}. "
    every, query, switch = (
        (f"Loaded anew every {REFRESH_SECONDS} s; ", "?refresh=off", "stop that")
        if refreshes
        else ("Not loaded anew; ", "?", f"load it every {REFRESH_SECONDS} s")
    )
    return element(
        "p",
        f"streamer {facts.version} ({kind} {facts.python}) in {facts.mode} mode reads {facts.topic} as "
        f"{facts.group}. {runs}",
        _time(facts.started_at),
        ". As of ",
        _time(facts.now),
        f": {poll}{every}",
        element("a", switch, href=query),
        ". The same for programs: ",
        element("a", "status.json", href="status.json"),
        ", ",
        element("a", "metrics", href="metrics"),
        ".",
        class_="soft",
    )


def _sections(facts: Facts) -> Iterator[Element]:
    yield _section("Partitions", *_partitions(facts))
    yield _section("Events by outcome", _outcomes(facts))
    yield _section("Hold", *_hold(facts))
    yield _section("Planhat's endpoints", _gates(facts))
    yield _section("Quota of Planhat's main API", _quota(facts))
    yield _section("Dead letters", *_letters(facts))
    yield _section("Settings in force", _settings(facts))


def _section(heading: str, *children: Child) -> Element:
    name = heading.lower().replace(" ", "-").replace("'", "")
    return element("section", element("h2", heading, id=name), *children, aria_labelledby=name)


def _partitions(facts: Facts) -> Iterator[Element]:
    if not facts.partitions:
        yield element("p", "None is assigned to this replica.")
        return
    rows = [
        (
            _number(each.number),
            _number(each.committed_offset),
            Cell(_oldest(each), is_number=True),
            _number(each.undelivered_records),
            Cell(_age(each), is_number=True),
            Cell("paused" if each.is_paused else "read"),
        )
        for each in facts.partitions
    ]
    headings = ("Partition", "Committed", "Oldest in flight", "Waiting", "Oldest of these", "State")
    caption = (
        f"{counted(len(rows), 'partition')} of {facts.topic}; {counted(facts.in_flight_records, 'record')} "
        f"in flight; back-pressure: {facts.backpressure}. Waiting: not delivered yet, unread or in flight"
    )
    yield table(caption, headings, rows)


def _oldest(partition: Partition) -> str:
    return span(partition.oldest_unsettled_seconds) if partition.oldest_unsettled_seconds else "none"


def _age(partition: Partition) -> str:
    if not partition.undelivered_records:
        return UNKNOWN if partition.undelivered_records is None else "none"
    return _span(partition.undelivered_age_seconds)


def _outcomes(facts: Facts) -> Element:
    rows = [
        (
            Cell(each.outcome.replace("_", " ")),
            _number(each.last_minute),
            Cell(number(each.per_second), is_number=True),
            _number(each.since_start),
        )
        for each in facts.outcomes
    ]
    caption = f"In the last {span(facts.minute_seconds)}, and since the start"
    return table(caption, ("Outcome", "Lately", "A second", "Since start"), rows)


def _hold(facts: Facts) -> Iterator[Element]:
    hold = facts.hold
    if hold is None:
        yield element("p", "Not on hold.")
        return
    since: tuple[Child, ...] = ()
    if hold.since is not None:
        since = (" since ", _time(hold.since), f", for {span(facts.now - hold.since)}")
    yield element("p", "On hold: ", element("strong", hold.reason), *since, ".")
    yield element("p", _sentence(hold.advice))


def _gates(facts: Facts) -> Element:
    rows = [
        (
            Cell(each.endpoint),
            Cell(_gate(each)),
            _number(each.waiting_operations),
            _number(each.accepted),
            _number(each.failed),
        )
        for each in facts.gates
    ]
    caption = f"Gates, and requests of the last {span(facts.minute_seconds)}"
    return table(caption, ("Endpoint", "Gate", "Waiting", "Accepted", "Failed"), rows)


def _gate(gate: Gate) -> Child:
    if gate.closed_until is None:
        return "open, failing" if gate.is_failing else "open"
    until = element("time", clock(gate.closed_until), datetime=machine_moment(gate.closed_until))
    return element("span", "closed until ", until, f", for {span(gate.closed_seconds)}")


def _quota(facts: Facts) -> Element:
    quota = facts.quota
    if quota is None:
        return element("p", "In passthrough mode there is none.")
    told = (
        ("Share of this replica", f"{number(quota.share_per_minute)} calls a minute"),
        ("In force now", f"{number(quota.pace_per_minute)} calls a minute"),
        ("Calls allowed at once", number(quota.tokens)),
        ("Next call allowed in", "0 s" if quota.wait_seconds == 0 else _span(quota.wait_seconds)),
        (
            "Left, as Planhat says",
            UNKNOWN if quota.remaining_calls is None else number(quota.remaining_calls),
        ),
        ("What waits is through in", _span(quota.drain_seconds)),
    )
    rows = [(Cell(name), Cell(text)) for name, text in told]
    return table(
        "By calls a minute and operations a call of late, if nothing more came", ("What", "Now"), rows
    )


def _letters(facts: Facts) -> Iterator[Element]:
    if facts.letters_held:
        waiting = (
            f"{counted(facts.letters_held, 'letter')} waiting until it is sure that not everything is bad."
        )
        yield element("p", waiting)
    if not facts.letters:
        yield element("p", "None since the start.")
        return
    rows = [
        (
            Cell(each.reason),
            _number(each.last_minute),
            _number(each.since_start),
            Cell(UNKNOWN if each.last_at is None else _time(each.last_at)),
        )
        for each in facts.letters
    ]
    yield table("Reasons, the newest first", ("Reason", "Last minute", "Since start", "Last"), rows)
    yield element(
        "p", "docs/outcomes.md says what a reason means; docs/dead-letters.md how to look into them."
    )


def _settings(facts: Facts) -> Element:
    rows = [(Cell(each.name), Cell(each.value), Cell(each.source)) for each in facts.settings]
    return table("As read at start; secrets are masked", ("Setting", "Value", "From"), rows)


def _number(count: float | None) -> Cell:
    return Cell(UNKNOWN if count is None else number(count), is_number=True)


def _span(seconds: float | None) -> str:
    return UNKNOWN if seconds is None else span(seconds)


def _ago(facts: Facts, at: float | None) -> str:
    return "none yet" if at is None else f"{span(facts.now - at)} ago"


def _time(at: float) -> Element:
    return element("time", moment(at), datetime=machine_moment(at))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') or not text else '.'}"
