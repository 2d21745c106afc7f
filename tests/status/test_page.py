"""The status page says what /metrics says; whatever a name holds is text; and no secret is on it."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from itertools import cycle
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from streamer.app.running import fixed_of
from streamer.avro.registry_http import ADVICE
from streamer.config import Settings, load_settings, secret_values, variable_name
from streamer.engine.ports import CommitResult, HoldReason
from streamer.errors import SettingsError
from streamer.logs import Event, FieldValue, Level, LogObserver, schema_advice
from streamer.metrics import registry_of
from streamer.metrics.catalogue import AWAITED_REASONS
from streamer.outcomes import Answered, CallType, Endpoint, Fate, InvalidReason, RefusedWhole, Verdict
from streamer.records import Record, TopicPartition
from streamer.status import StatusPage
from streamer.status.facts import Fixed
from tests.engine.fakes import Ended, lot_of
from tests.status.states import (
    ACCEPTED,
    AWAY,
    FIXED,
    GAUGES,
    KAFKA,
    NOW,
    STATES,
    Scene,
    gate_closed,
    healthy,
    letters,
    on_hold,
)
from tools.status_screenshot import MOST_BYTES

ROOT = Path(__file__).resolve().parent.parent.parent
HOSTILE = "<script>alert('1')</script><img src=x onerror=\"alert(2)\">&amp;{{7*7}}"
ALLOWED = {
    *("html", "head", "meta", "title", "link", "style", "body", "header", "main", "section"),
    *("h1", "h2", "p", "ul", "li", "strong", "span", "time", "a"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
}


class Read(HTMLParser):
    """The page as a browser reads it: its elements, their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def scraped(scene: Scene) -> Callable[..., float | None]:
    """What a scrape says of a metric and its labels, in any order."""
    registry: CollectorRegistry = registry_of(scene.metrics)
    return lambda name, **labels: registry.get_sample_value(name, labels)


@pytest.mark.parametrize("state", STATES)
def test_the_page_and_the_metrics_agree(state: str) -> None:
    """Every number of partitions, outcomes, quota, gates, hold and letters is the one of a scrape."""
    scene = STATES[state]()
    page, value = json.loads(scene.page.json("")[1]), scraped(scene)
    assert len(page["partitions"]) == len(GAUGES.oldest_unsettled_seconds) * (state != "no_assignment")
    for each in page["partitions"]:
        place = {"topic": each["topic"], "partition": str(each["number"])}
        assert each["committed_offset"] == value("streamer_committed_offset", **place)
        assert each["undelivered_records"] == value("streamer_undelivered_records", **place)
        assert each["undelivered_age_seconds"] == value("streamer_undelivered_age_seconds", **place)
        assert each["oldest_unsettled_seconds"] == value("streamer_oldest_unsettled_seconds", **place)
        assert each["is_paused"] == value("streamer_partition_paused", **place)
    for each in page["outcomes"]:
        calls = [
            value("streamer_events_total", call=call.value, outcome=each["outcome"]) or 0 for call in CallType
        ]
        assert each["since_start"] == sum(calls)
    quota = page["quota"]
    assert quota["share_per_minute"] == value("streamer_quota_share_calls_per_minute")
    assert quota["pace_per_minute"] == value("streamer_quota_pace_calls_per_minute")
    assert quota["tokens"] == value("streamer_quota_tokens")
    assert quota["wait_seconds"] == value("streamer_quota_wait_seconds")
    assert quota["remaining_calls"] == value("streamer_quota_remaining_calls")
    assert quota["drain_seconds"] == value("streamer_drain_forecast_seconds")
    for each in page["gates"]:
        closed = value("streamer_gate_closed_seconds", endpoint=each["endpoint"])
        assert each["closed_seconds"] == closed
        assert each["closed_until"] == (scene.now + closed if closed else None)
        assert each["waiting_operations"] == value("streamer_waiting_operations", endpoint=each["endpoint"])
    held = [reason for reason in HoldReason if value("streamer_hold", reason=reason.value)]
    assert held == ([page["hold"]["reason"]] if page["hold"] else [])
    if page["hold"]:
        assert page["hold"]["since"] == value("streamer_hold_since_timestamp_seconds")
    else:
        assert value("streamer_hold_since_timestamp_seconds") is None
    assert page["letters_held"] == value("streamer_held_dead_letters")
    counted = {
        reason.value: value("streamer_dead_letters_total", reason=reason.value) for reason in InvalidReason
    }
    assert {each["reason"]: each["since_start"] for each in page["letters"]} == {
        reason: count for reason, count in counted.items() if count
    }
    for each in page["letters"]:
        assert each["last_at"] == value("streamer_last_dead_letter_timestamp_seconds", reason=each["reason"])
    assert page["in_flight_records"] == value("streamer_in_flight_records")
    assert page["is_member"] == value("streamer_group_member")
    assert page["outside_since"] == value("streamer_group_outside_since_timestamp_seconds")
    assert page["log_ends_at"] == value("streamer_log_end_timestamp_seconds")
    assert page["last_poll_at"] == value("streamer_last_poll_timestamp_seconds")
    assert page["last_commit_at"] == value("streamer_last_commit_timestamp_seconds")


def test_the_last_minute_is_the_difference_of_two_scrapes() -> None:
    """What is told of the last minute is what counters went up by in it, and a rate is that by its length."""
    scene = Scene().report()
    scene.settle(Fate.DELIVERED, 1000)
    value = scraped(scene)
    shown: list[tuple[float, float]] = []
    for second in range(1, 131):
        scene.now = NOW + second
        scene.settle(Fate.DELIVERED, 2)
        scene.report()
        shown.append((scene.now, value("streamer_events_total", call="track", outcome="delivered") or 0))
    page = json.loads(scene.page.json("")[1])
    (delivered,) = (each for each in page["outcomes"] if each["outcome"] == "delivered")
    then = dict(shown)[scene.now - page["minute_seconds"]]

    assert 60 <= page["minute_seconds"] <= 65
    assert delivered["last_minute"] == shown[-1][1] - then == 2 * page["minute_seconds"]
    assert delivered["per_second"] == 2
    assert delivered["since_start"] == 1260


def test_of_the_last_minute_only_what_was_in_it_is_told() -> None:
    """Requests by whether anything of them was accepted, letters by reason, bugs, and commits denied."""

    def happen(scene: Scene) -> None:
        for answer, count in ((ACCEPTED, 2), (Answered((Verdict.ACCEPTED, Verdict.REFUSED)), 1), (AWAY, 4)):
            for _ in range(count):
                scene.deliver(Endpoint.COMPANIES, answer)
        scene.settle(Fate.DEAD_LETTERED, 5, InvalidReason.REFUSED_ALONE)
        for _ in range(6):
            scene.metrics.failed(ValueError())
        scene.metrics.committed(CommitResult.DENIED, 1)
        scene.metrics.committed(CommitResult.COMMITTED, 1)

    scene = Scene().report()
    happen(scene)
    scene.now += 100
    scene.report()
    happen(scene)
    scene.now += 60
    page = json.loads(scene.page.json("")[1])
    (gate,) = (each for each in page["gates"] if each["endpoint"] == "companies")
    (told,) = page["letters"]

    assert (gate["accepted"], gate["failed"]) == (3, 4)
    assert (told["last_minute"], told["since_start"]) == (5, 10)
    assert (page["failures"], page["commits_denied"]) == (6, 1)


def test_a_partition_is_shown_as_soon_as_anybody_tells_of_it() -> None:
    """The consumer has it, and the engine has read nothing of it yet."""
    scene = Scene()
    scene.kafka = KAFKA._replace(is_paused={TopicPartition(FIXED.topic, 2): False})
    page = json.loads(scene.report().page.json("")[1])

    assert [each["number"] for each in page["partitions"]] == [0, 1, 2]


def test_the_page_shows_what_the_json_tells() -> None:
    """What programs read stands on the page too, as people read it."""
    shown = Read(healthy().html()).text
    for text in ("12,345,678", "990", "107", "1.5 s", "paused", "600", "10", "80 calls a minute", "36 s"):
        assert text in shown
    assert "0.1.0" in shown
    assert "api mode" in shown
    shown = Read(letters().html()).text
    for text in ("consent_categorypreferences_not_boolean", "refused_alone", "3 letters waiting"):
        assert text in shown
    assert re.search(r"On hold: credentials since 2026-[^,]+ UTC, for 1 min\.", Read(on_hold().html()).text)
    assert shown.index("consent_categorypreferences") < shown.index("refused_alone"), "the newest first"


def test_a_hold_is_told_in_the_words_of_the_log() -> None:
    """Reason and advice on the page and the `next` of the log's line are one text."""
    lines: list[dict[str, object]] = []

    def write(event: Event, level: Level | None = None, **fields: FieldValue) -> None:
        lines.append({"event": event, "level": level, **fields})

    for reason in HoldReason:
        LogObserver(write).hold_entered(reason)
        scene = Scene()
        scene.metrics.hold_entered(reason)
        scene.report(replace(GAUGES, hold=reason))
        hold = json.loads(scene.page.json("")[1])["hold"]
        assert (hold["reason"], hold["advice"]) == (reason.value, lines[-1]["next"])
        first = Read(scene.html()).text
        assert hold["advice"][1:] in first
        assert f"Act now: it is on hold ({reason.value})" in first


def test_a_hold_that_came_back_has_held_since_it_first_did() -> None:
    """What the engine says every minute corrects the moment at which it was last entered."""
    scene = on_hold()
    scene.metrics.holding(HoldReason.CREDENTIALS, 300.0)
    assert json.loads(scene.page.json("")[1])["hold"]["since"] == scene.now - 300
    scene.metrics.hold_left(HoldReason.CREDENTIALS)
    scene.report()
    assert json.loads(scene.page.json("")[1])["hold"] is None


def test_every_reason_to_await_a_schema_has_its_advice() -> None:
    """The page of a running program knows what the log would say of each."""
    scene = Scene(fixed=fixed_of(load_settings(REQUIRED), NOW))
    for reason in AWAITED_REASONS:
        scene.awaited = {reason: 1}
        (awaited,) = json.loads(scene.report().page.json("")[1])["awaited_schemas"]
        assert awaited["advice"] == schema_advice(ADVICE[reason])


def test_endpoints_are_those_of_the_mode() -> None:
    """Passthrough asks one endpoint, and has no quota to tell of."""
    page = json.loads(Scene(mode="passthrough").report().page.json("")[1])
    assert [each["endpoint"] for each in page["gates"]] == ["segment"]
    assert page["quota"] is None
    assert "In passthrough mode there is none." in Scene(mode="passthrough").report().html()
    page = json.loads(gate_closed().page.json("")[1])
    assert [each["endpoint"] for each in page["gates"]] == [
        e.value for e in Endpoint if e is not Endpoint.SEGMENT
    ]


def test_whatever_a_name_holds_is_text() -> None:
    """Markup in a topic, a group, a setting, a reason or an advice makes no element; it is read as text."""
    there = TopicPartition(HOSTILE, 0)
    row = FIXED.settings[0]._replace(name=HOSTILE, value=HOSTILE, source=HOSTILE, meaning=HOSTILE)
    fixed = Fixed(HOSTILE, HOSTILE, NOW - 90, 120, 45, [row], {"timeout": HOSTILE})
    scene = Scene(fixed=fixed)
    scene.awaited = {"timeout": 1, HOSTILE: 1}
    scene.kafka = KAFKA._replace(is_paused={there: True}, committed={there: 1}, is_member=False)
    scene.settle(Fate.DEAD_LETTERED, 1, HOSTILE)
    scene.report(replace(GAUGES, oldest_unsettled_seconds={there: 999.0}))
    read = Read(scene.html())

    assert set(read.elements) <= ALLOWED
    assert not {name for name in read.attributes if name.startswith("on") or name in {"src", "style"}}
    assert read.text.count(HOSTILE) >= 6
    assert json.loads(scene.page.json("")[1])["topic"] == HOSTILE
    assert {each["reason"] for each in json.loads(scene.page.json("")[1])["letters"]} == {"unknown"}


def test_half_a_character_breaks_no_page() -> None:
    """What cannot be written in UTF-8 is replaced."""
    fixed = Fixed("a\ud800\x00b", "g", NOW, 120, 45, [])
    assert "a?\x00b" in Scene(fixed=fixed).report().html()


REQUIRED = {
    "STREAMER_KAFKA_BOOTSTRAP_SERVERS": "broker:9092",
    "STREAMER_PLANHAT_TENANT_TOKEN": "0e7b3c52-4f2d-4c61-9a55-3d1f0e8b7a21",
    "STREAMER_PLANHAT_API_TOKEN": "marked-api-token-of-the-test",
    "STREAMER_SCHEMA_REGISTRY_URL": "https://registry",
    "STREAMER_SCHEMA_REGISTRY_USER": "u",
    "STREAMER_SCHEMA_REGISTRY_PASSWORD": "marked-registry-password",
    "STREAMER_KAFKA_PROPERTIES": "sasl.password=marked-kafka-password\n"
    "ssl.key.pem=marked-kafka-key\nclient.id=me",
}


def test_no_secret_is_on_the_page() -> None:
    """Every secret that is set, and put into every other setting by mistake as well, is on no page."""
    secrets = {
        "0e7b3c52-4f2d-4c61-9a55-3d1f0e8b7a21",
        "marked-api-token-of-the-test",
        "marked-registry-password",
        "marked-kafka-password",
        "marked-kafka-key",
    }
    assert secret_values(load_settings(REQUIRED)) == secrets
    accepted = set()
    metrics = healthy().metrics
    names = map(variable_name, Settings.model_fields)
    for name, secret in zip(names, cycle(sorted(secrets)), strict=False):
        for text in (secret, f"https://{secret}.example.com", f"client.id={secret}", f"/{secret}"):
            try:
                settings = load_settings(REQUIRED | {name: text})
            except SettingsError:
                continue
            accepted.add(name)
            page = StatusPage(metrics, fixed_of(settings, NOW), lambda: NOW)
            shown = page.html("")[1] + page.json("")[1]
            known = secret_values(settings) | (secrets if name not in REQUIRED else set())
            assert [each for each in known if each.encode() in shown] == [], name
    assert {f"STREAMER_{name}" for name in ("KAFKA_TOPIC", "KAFKA_GROUP_ID", "PLANHAT_API_URL")} <= accepted


def test_the_page_shows_settings_in_force() -> None:
    """Every setting is there with its value, masked where it is a secret."""
    settings = load_settings(REQUIRED)
    status = StatusPage(healthy().metrics, fixed_of(settings, NOW), lambda: NOW)
    page = Read(status.html("")[1].decode()).text
    told = {each["name"]: each for each in json.loads(status.json("")[1])["settings"]}
    assert told["STREAMER_KAFKA_TOPIC"] == {
        "name": "STREAMER_KAFKA_TOPIC", "value": "segment.events", "source": "default"
    }  # fmt: skip
    assert told.keys() == {variable_name(field) for field in Settings.model_fields}
    for field in Settings.model_fields:
        assert variable_name(field) in page
    assert "sasl.password=****\nssl.key.pem=****\nclient.id=me" in page


def test_nothing_that_a_record_says_is_on_the_page() -> None:
    """Neither a key nor a value of a record, nor an error's text, nor what Planhat answered."""
    scene = healthy()
    record = Record("segment.events", 0, 7, 0, b"marked", b"marked")
    scene.metrics.settled(lot_of(Ended(record, CallType.TRACK, Fate.DEAD_LETTERED, "marked")), 0.1)
    scene.metrics.failed(ValueError("marked"))
    scene.metrics.retried(Endpoint.COMPANIES, "marked", 1)
    scene.deliver(Endpoint.COMPANIES, RefusedWhole(400))
    scene.report()

    assert "marked" not in scene.html()
    assert b"marked" not in scene.page.json("")[1]


def test_the_picture_is_there_and_small() -> None:
    """README and the page about the page show it; `make status-screenshot` makes it anew."""
    picture = ROOT / "docs/status.png"
    assert picture.read_bytes().startswith(b"\x89PNG\r\n")
    assert picture.stat().st_size <= MOST_BYTES
    for name, path in (("README.md", "docs/status.png"), ("docs/status.md", "status.png")):
        assert re.search(rf"!\[[^\]]{{40,}}\]\({path}\)", (ROOT / name).read_text(encoding="utf-8"))


def test_the_page_can_be_kept_still() -> None:
    """It loads itself anew every ten seconds, unless the reader says that it should not."""
    assert '<meta http-equiv="refresh" content="10">' in healthy().html()
    still = healthy().html("refresh=off")
    assert "http-equiv" not in still
    assert 'href="?"' in still


@pytest.mark.parametrize(("compiled", "words"), [(True, "(compiled, Python 3."), (False, "(Python 3.")])
def test_it_is_told_whether_the_engine_is_compiled(
    compiled: bool, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the page, for programs, and as a label: whoever looks into a fault sees which of both ran."""
    monkeypatch.setattr("streamer.metrics.counting.is_compiled", lambda: compiled)
    scene = healthy()
    lines = generate_latest(registry_of(scene.metrics)).decode()

    assert words in Read(scene.page.html("")[1].decode()).text
    assert json.loads(scene.page.json("")[1])["is_compiled"] is compiled
    assert f'compiled="{str(compiled).lower()}"' in lines
