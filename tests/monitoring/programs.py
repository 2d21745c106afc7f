"""The monitoring programs that tests run: Prometheus' own, from Debian's packages."""

import os
import shutil
from pathlib import Path

import pytest


def program(name: str) -> Path:
    """Where prometheus, promtool, alertmanager or amtool is; skips without it (fails with CI=true)."""
    found = shutil.which(name) or shutil.which(f"prometheus-{name}")
    if found is None:
        why = f"monitoring: NOT RUN (no {name} on the PATH): see CONTRIBUTING"
        (pytest.fail if os.environ.get("CI", "").lower() == "true" else pytest.skip)(why)
    return Path(found)
