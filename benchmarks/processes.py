"""CPU and memory of a process and everything it started, read from the kernel."""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """The process and its descendants that run now."""
    found = [pid]
    for parent in found:
        for tasks in Path(f"/proc/{parent}/task").glob("*/children"):
            found += [int(child) for child in _text(tasks).split()]
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time so far, with that of children that ended and were waited for."""
    return sum(_ticks(each) for each in tree(pid)) / TICKS


def peak_mib(pid: int) -> float:
    """The most memory each ever held, added up."""
    return sum(_peak_kib(each) for each in tree(pid)) / 1024


def _ticks(pid: int) -> int:
    fields = _text(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))


def _peak_kib(pid: int) -> int:
    lines = _text(Path(f"/proc/{pid}/status")).splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it ended meanwhile
        return ""
