"""What the kernel tells of a process: memory, open files, threads, CPU."""

import os
from pathlib import Path
from typing import Final, NamedTuple

_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Vitals(NamedTuple):
    """One process at one moment."""

    resident_mib: float
    """Pages of it in memory, those that it shares with others too: what a limit counts, about."""
    proportional_mib: float
    """Likewise, but of a page that several share only its part."""
    handles: int
    threads: int
    cpu_seconds: float
    """User and system time since its start."""


def vitals(pid: int) -> Vitals:
    """Of a process that runs. Raises OSError where it has ended."""
    root = Path(f"/proc/{pid}")
    status, shares = _kib(root / "status"), _kib(root / "smaps_rollup")
    fields = (root / "stat").read_text().rpartition(")")[2].split()
    if "VmRSS" not in status or "Pss" not in shares:  # a zombie has no memory, nor who ended between the two
        raise ProcessLookupError(f"{pid} has ended")
    return Vitals(
        status["VmRSS"] / 1024,
        shares["Pss"] / 1024,
        sum(1 for _ in (root / "fd").iterdir()),
        int(status["Threads"]),
        (int(fields[11]) + int(fields[12])) / _TICKS,
    )


def _kib(path: Path) -> dict[str, float]:
    """The lines that tell a number."""
    found = {}
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        number = value.split()[0] if value.split() else ""
        if number.isdigit():
            found[name] = float(number)
    return found
