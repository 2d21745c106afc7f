"""The alert rules, judged by Prometheus' own promtool, and what is made from them."""

import subprocess
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from tests.monitoring.programs import program
from tests.monitoring.series import known_series, series_of
from tools import alerts

HERE = Path(__file__).resolve().parent
STORIES = sorted(HERE.glob("*.test.yaml"))
ALERTS = {
    "StreamerNotConsuming",
    "StreamerOldestUnsettledTooOld",
    "StreamerOnHold",
    "StreamerDeadLettersRising",
    "StreamerPlanhatWaiting",
    "StreamerNotDraining",
}
EMPTY_STORY = """
rule_files: [{rules}]
evaluation_interval: 30s
tests:
  - interval: 30s
    input_series:
      - {{ series: 'streamer_hold{{job="streamer",reason="credentials"}}', values: 0x60 }}
      - {{ series: 'streamer_build_info{{job="streamer"}}', values: 1x60 }}
    alert_rule_test:
      - eval_time: 20m
        alertname: StreamerOnHold
        exp_alerts:
          - exp_labels: {{ severity: page, service: streamer, job: streamer, reason: credentials }}
"""


def _promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program("promtool"), *arguments], cwd=HERE, capture_output=True, text=True, timeout=120, check=False
    )


def _fired(story: Path) -> set[tuple[str, str]]:
    """Alert and reason of everything that a file of stories expects to fire, with its words."""
    tests = yaml.safe_load(story.read_text(encoding="utf-8"))["tests"]
    return {
        (asked["alertname"], expected["exp_labels"]["reason"])
        for test in tests
        for asked in test.get("alert_rule_test", ())
        for expected in asked.get("exp_alerts", ())
        if expected["exp_annotations"]
    }


def test_prometheus_takes_the_rules() -> None:
    """`promtool check rules` finds nothing to say."""
    checked = _promtool("check", "rules", str(alerts.RULES))

    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("story", STORIES, ids=lambda path: path.name)
def test_alerts_fire_and_stay_quiet(story: Path) -> None:
    """Every story ends as it says, by Prometheus' own engine."""
    told = _promtool("test", "rules", story.name)

    assert told.returncode == 0, told.stdout + told.stderr


def test_a_story_that_is_not_true_fails(tmp_path: Path) -> None:
    """An alert that is expected and does not fire is found."""
    story = tmp_path / "untrue.test.yaml"
    story.write_text(EMPTY_STORY.format(rules=alerts.RULES), encoding="utf-8")

    assert _promtool("test", "rules", str(story)).returncode == 1


def test_every_rule_has_a_story_in_which_it_fires() -> None:
    """For each alert and reason there is a story with the exact words that a person would read."""
    reasons = {(rule["alert"], rule["labels"].get("reason", "credentials")) for rule in alerts.alerts()}

    assert reasons == _fired(HERE / "firing.test.yaml")
    assert {alert for alert, _ in reasons} == ALERTS


@pytest.mark.parametrize("rule", alerts.alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_happens_and_where_to_read_on(rule: dict[str, Any]) -> None:
    """Labels to route by; a sentence, its numbers, and a runbook that is there."""
    labels, notes = rule["labels"], rule["annotations"]

    assert labels["severity"] in {"page", "ticket"}
    assert labels["service"] == "streamer"
    assert "reason" in labels or "reason" in rule["expr"]
    assert set(notes) == {"summary", "description", "runbook_url"}
    assert notes["summary"].endswith(".")
    assert notes["description"].endswith(".")
    assert "{{" in notes["description"]
    assert notes["runbook_url"] == f"docs/runbooks/{rule['alert']}.md"
    assert (alerts.ROOT / notes["runbook_url"]).exists()


@pytest.mark.parametrize(
    "rule", [*alerts.alerts(), *alerts.recordings()], ids=lambda rule: rule.get("alert") or rule["record"]
)
def test_rules_work_for_any_job_namespace_and_number_of_replicas(rule: dict[str, Any]) -> None:
    """None names a job, a namespace or an instance; whatever is aggregated keeps job and namespace apart."""
    expression = rule["expr"]
    promql_parser.parse(expression)

    for label in ("job", "namespace", "instance", "pod"):
        assert f"{label}=" not in expression
    grouped = [words.partition(")")[0] for words in expression.split(" by (")[1:]]
    assert all(group.startswith("namespace, job") for group in grouped)
    assert "without (" not in expression


@pytest.mark.parametrize(
    "rule", [*alerts.alerts(), *alerts.recordings()], ids=lambda rule: rule.get("alert") or rule["record"]
)
def test_rules_ask_for_what_is_there(rule: dict[str, Any]) -> None:
    """Every series is one of the catalogue, one recorded here, or the process's own."""
    assert series_of(rule["expr"]) <= known_series()


def test_the_prometheus_rule_says_the_same() -> None:
    """The PrometheusRule holds exactly the groups of the rules; `make alerts` would not change it."""
    made = yaml.safe_load(alerts.PROMETHEUS_RULE.read_text(encoding="utf-8"))

    assert (made["apiVersion"], made["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert made["spec"] == alerts.rules()
    assert alerts.PROMETHEUS_RULE.read_text(encoding="utf-8") == alerts.prometheus_rule()
    assert alerts.main(["check"]) == 0


def test_runbooks_may_lie_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    """Printed with an address of runbooks, each alert has its page there, and nothing else is changed."""
    assert alerts.main(["print", "--runbooks", "https://wiki.example.com/runbooks/"]) == 0
    printed = capsys.readouterr().out
    groups = yaml.safe_load(printed)["spec"]["groups"]
    pages = {rule["annotations"]["runbook_url"] for rule in groups[1]["rules"]}

    assert pages == {f"https://wiki.example.com/runbooks/{name}.md" for name in ALERTS}
    assert printed.replace("https://wiki.example.com/runbooks/", "docs/runbooks/") == alerts.prometheus_rule()


def test_a_prometheus_rule_out_of_step_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A PrometheusRule that was edited, or is not there, is named with the command that mends it."""
    copy = tmp_path / "prometheusrule.yaml"
    monkeypatch.setattr(alerts, "ROOT", tmp_path)
    monkeypatch.setattr(alerts, "PROMETHEUS_RULE", copy)
    assert alerts.main(["check"]) == 1
    copy.write_text(alerts.prometheus_rule() + "# edited\n", encoding="utf-8")
    assert alerts.main(["check"]) == 1
    assert "make alerts" in capsys.readouterr().out
    assert alerts.main(["write"]) == 0
    assert alerts.main(["check"]) == 0
