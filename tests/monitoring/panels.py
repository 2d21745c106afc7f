"""The dashboard's panels, and what they ask of a Prometheus with no Grafana before it."""

import json
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent.parent
DASHBOARD: Final = ROOT / "k8s" / "dashboards" / "streamer.json"
VARIABLES: Final = {"$__rate_interval": "2s", "$namespace": ".*", "$job": ".*", "[1h]": "[1m]"}


def panels() -> dict[str, list[str]]:
    """The queries of each panel by its title, with the variables put in as Grafana would."""
    found = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    queries: dict[str, list[str]] = {}
    for panel in found:
        for target in panel.get("targets", []):
            expression = target["expr"]
            for variable, value in VARIABLES.items():
                expression = expression.replace(variable, value)
            queries.setdefault(f"{panel['title']} ({panel['type']})", []).append(expression)
    return queries
