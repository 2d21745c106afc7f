"""Asks a schema registry by Confluent's API, with Python alone.

`python registry.py id SUBJECT` prints the id of the subject's newest schema. The registry is at
$REGISTRY_URL.
"""

import json
import os
import sys
import urllib.request

SECONDS = 10.0


def main() -> None:
    """Do as told."""
    command, subject = sys.argv[1:]
    if command != "id":
        raise SystemExit(f"no such command: {command}")
    url = f"{os.environ['REGISTRY_URL']}/subjects/{subject}/versions/latest"
    with urllib.request.urlopen(url, timeout=SECONDS) as reply:
        print(json.load(reply)["id"])


if __name__ == "__main__":
    main()
