"""Talks to a schema registry by Confluent's API, with Python alone.

`python registry.py register FOLDER` registers each schema of a folder under its own name, and
`python registry.py id NAME` prints the id it was given. The registry is at $REGISTRY_URL.
"""

import json
import os
import sys
import urllib.request
from pathlib import Path
from typing import Any

KIND = "application/vnd.schemaregistry.v1+json"
SECONDS = 10.0


def ask(path: str, sent: dict[str, str] | None = None) -> Any:  # noqa: ANN401 - any JSON
    """The registry's answer."""
    body = None if sent is None else json.dumps(sent).encode()
    url = f"{os.environ['REGISTRY_URL']}/subjects/{path}"
    request = urllib.request.Request(url, data=body, headers={"Content-Type": KIND})
    with urllib.request.urlopen(request, timeout=SECONDS) as reply:
        return json.load(reply)


def register(folder: Path) -> None:
    """Register every schema of the folder; one that is there already keeps its id."""
    for path in sorted(folder.glob("*.avsc")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        name = f"{schema['namespace']}.{schema['name']}".lower()
        found = ask(f"{name}/versions", {"schema": json.dumps(schema)})
        print(f"{name} has id {found['id']}")


def main() -> None:
    """Do as told."""
    if sys.argv[1] == "register":
        register(Path(sys.argv[2]))
    else:
        print(ask(f"{sys.argv[2]}/versions/latest")["id"])


if __name__ == "__main__":
    main()
