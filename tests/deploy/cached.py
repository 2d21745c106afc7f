"""What judges of manifests are fetched once and kept: in the user's cache, outside the tree."""

import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest


def kept(name: str, fetch: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache, filled by `fetch` the first time."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    final = Path(base) / "segment-planhat-streamer" / name
    if final.exists():
        return final
    # Filled beside its final place and renamed, so that what was interrupted never looks complete.
    incoming = final.with_name(f"{name}.{uuid.uuid4().hex[:8]}")
    incoming.mkdir(parents=True)
    try:
        fetch(incoming)
        try:
            incoming.rename(final)
        except OSError:
            if not final.exists():  # another run may have won the race
                raise
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
    return final


def not_to_be_had(why: str) -> NoReturn:
    """Skip the calling test on a laptop; with CI=true fail it, as no proof is left out there."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"{why}: see CONTRIBUTING")
