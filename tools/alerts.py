"""What is made from the alert rules: `write` the PrometheusRule, or `check` that it is in step.

The one source is k8s/alerts/streamer.rules.yaml, which Prometheus reads as it is. `print` shows the
PrometheusRule with addresses of runbooks that lie elsewhere than in this repository:

    tools/alerts.py print --runbooks https://wiki.example.com/streamer/runbooks
"""

import argparse
import re
import sys
from pathlib import Path
from textwrap import indent
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parent.parent
RULES: Final = ROOT / "k8s" / "alerts" / "streamer.rules.yaml"
PROMETHEUS_RULE: Final = ROOT / "k8s" / "components" / "monitoring" / "prometheusrule.yaml"
RUNBOOKS: Final = "docs/runbooks"
"""Where the pages of this repository are: what `runbook_url` begins with unless told otherwise."""

_HEAD: Final = """\
# Made by `make alerts` from k8s/alerts/streamer.rules.yaml, where the reasons stand; not to be edited.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: streamer
  labels:
    app.kubernetes.io/name: streamer
spec:
"""


def rules() -> dict[str, Any]:
    """The rules as shipped: a mapping with `groups`."""
    read: dict[str, Any] = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    return read


def alerts() -> list[dict[str, Any]]:
    """Every alerting rule, in the order of the file."""
    return [rule for group in rules()["groups"] for rule in group["rules"] if "alert" in rule]


def recordings() -> list[dict[str, Any]]:
    """Every recording rule, in the order of the file."""
    return [rule for group in rules()["groups"] for rule in group["rules"] if "record" in rule]


def prometheus_rule(runbooks: str = RUNBOOKS) -> str:
    """The PrometheusRule, its runbooks under `runbooks` (a URL, without a slash at the end)."""
    text = RULES.read_text(encoding="utf-8").partition("\ngroups:\n")[2]
    # Text, not a dump of what was read: expressions and descriptions keep the lines they were given.
    # Comments about rules stay behind; those inside an expression belong to it.
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#") and line.strip()]
    text = "groups:\n" + "\n".join(lines) + "\n"
    text = re.sub(rf"(?m)^( *runbook_url: ){RUNBOOKS}/", rf"\g<1>{runbooks}/", text)
    return _HEAD + indent(text, "  ")


def table() -> str:
    """The alerts of docs/alerts.md, as a Markdown table."""
    lines = ["| Alert | `reason` | Severity | What | For | Runbook |", "|---|---|---|---|---|---|"]
    for rule in alerts():
        name, labels, notes = rule["alert"], rule["labels"], rule["annotations"]
        reason = f"`{labels['reason']}`" if "reason" in labels else "the hold's"
        page = f"runbooks/{name}.md"
        what = re.sub(r"{{ *\$labels\.(\w+) *}}", r"*\1*", notes["summary"])
        what = re.sub(r"{{ *\$value.*?}}", "*so much*", what)
        cells = (f"`{name}`", reason, labels["severity"], what, rule.get("for", "at once"), f"[page]({page})")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write, check or print."""
    parser = argparse.ArgumentParser(description="Make the PrometheusRule from the alert rules.")
    parser.add_argument("action", choices=["write", "check", "print"])
    parser.add_argument("--runbooks", default=RUNBOOKS, help="where the runbooks are (print)")
    told = parser.parse_args(arguments)
    if told.action == "print":
        sys.stdout.write(prometheus_rule(told.runbooks.rstrip("/")))
    elif told.action == "write":
        PROMETHEUS_RULE.parent.mkdir(parents=True, exist_ok=True)
        PROMETHEUS_RULE.write_text(prometheus_rule(), encoding="utf-8")
    elif not PROMETHEUS_RULE.exists() or PROMETHEUS_RULE.read_text(encoding="utf-8") != prometheus_rule():
        print(f"{PROMETHEUS_RULE.relative_to(ROOT)}: out of step with the rules; mend it with `make alerts`")
        return 1
    else:
        print("alerts: the PrometheusRule is in step")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
