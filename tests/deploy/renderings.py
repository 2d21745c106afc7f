"""Every way that k8s/ is meant to be rendered, by name."""

import tempfile
from functools import cache
from pathlib import Path

from tests.deploy.kustomize import COMPONENTS, Documents, production_with, shipped

AS_THEY_ARE = ("base", "dashboards", "overlays/dev", "overlays/production")
WITH_ALL = "production with " + ", ".join(COMPONENTS)
WITHOUT = "production with nothing"
PRODUCTIONS = (WITHOUT, *(f"production with {name}" for name in COMPONENTS), WITH_ALL)
RENDERINGS = (*AS_THEY_ARE, *PRODUCTIONS)
STREAMERS = tuple(name for name in RENDERINGS if name != "dashboards")
"""Those with streamer in them."""


@cache
def rendering(name: str) -> Documents:
    """The documents of a rendering; shared, so whoever wants a change takes a deep copy."""
    if name in AS_THEY_ARE:
        return shipped(name)
    wanted = set(name.removeprefix("production with ").split(", ")) - {"nothing"}
    with tempfile.TemporaryDirectory() as folder:
        return production_with(wanted, Path(folder) / "k8s")
