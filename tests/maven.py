"""Maven, for whoever fetches something with it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def maven_alone() -> Iterator[None]:
    """Wait while another worker has Maven fetch: the repository it keeps is not made for two at a time."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base) / "segment-planhat-streamer"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "maven.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # let go when it is closed, also by the end of the process
        yield
