"""Known vulnerabilities of all that is pinned: pip-audit over the files of hashed requirements.

It asks a vulnerability service (OSV, or what --osv-url names) about names and versions, and needs a network
for that. Where none answers it says "not audited" and ends with 0: no change is wrong for want of a network,
and CI with one fails where something is found. What is accepted for now stands, with its reason and the day
it ends, in `accepted_vulnerabilities.toml`.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from tools.requirements import DEVELOPMENT, FILES, ROOT

PINS: Final = ROOT / "requirements-audit.txt"
ACCEPTED: Final = ROOT / "tools" / "accepted_vulnerabilities.toml"
AUDITED: Final = tuple(file.path for file in FILES if file is DEVELOPMENT or file.alone)
"""The others hold no package that the first of these does not: `tools/requirements.py check`."""
INSTALL_SECONDS: Final = 120
AUDIT_SECONDS: Final = 180
ANSWER_SECONDS: Final = 15
REACH_SECONDS: Final = 5
OSV: Final = "https://api.osv.dev/v1/query"
"""pip-audit's own default."""


class NotAudited(Exception):
    """Nobody says whether anything is known; says why, and names no address."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One vulnerability of one pinned package."""

    file: str
    package: str
    version: str
    ids: tuple[str, ...]
    """The service's id, and what others call it."""
    mended_in: tuple[str, ...]

    def __str__(self) -> str:
        mended = f"mended in {', '.join(self.mended_in)}" if self.mended_in else "not mended yet"
        return f"{self.file}: {self.package} {self.version}: {', '.join(self.ids)} ({mended})"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A vulnerability that does not count for a while."""

    package: str
    id: str
    until: date
    reason: str

    def covers(self, finding: Finding, today: date) -> bool:
        """Whether this finding is the accepted one, today still."""
        return today < self.until and self.is_about(finding)

    def is_about(self, finding: Finding) -> bool:
        """Whether this finding is the accepted one, whatever the day."""
        return finding.package == self.package and self.id in finding.ids


def read_accepted(path: Path = ACCEPTED) -> list[Accepted]:
    """What is accepted. Raises TypeError where an entry lacks something."""
    return [Accepted(**entry) for entry in tomllib.loads(path.read_text("utf-8")).get("accepted", [])]


def audited(files: Sequence[Path], osv_url: str = OSV) -> list[Finding]:
    """What is known of the pins in these files. Raises NotAudited."""
    _reach(osv_url)
    program = _program()
    return [finding for file in files for finding in _audited(program, file, osv_url)]


def problems(findings: Sequence[Finding], accepted: Sequence[Accepted], today: date) -> list[str]:
    """What must be mended, a line each."""
    open_ones = [each for each in findings if not any(one.covers(each, today) for one in accepted)]
    stale = [one for one in accepted if not any(one.is_about(each) for each in findings)]
    gone = [f"{one.package}: {one.id} is accepted and not found any more: take it out" for one in stale]
    return [str(each) for each in open_ones] + gone


def _reach(osv_url: str) -> None:
    """Ask once, since pip-audit takes a quarter of a minute to find out that nobody answers."""
    try:
        with urllib.request.urlopen(osv_url, data=b"{}", timeout=REACH_SECONDS):
            return
    except urllib.error.HTTPError:
        return  # an answer too: it was asked nothing
    except OSError:
        raise NotAudited("no vulnerability service answers from here") from None


def _audited(program: Path, file: Path, osv_url: str) -> list[Finding]:
    line = [str(program), "--requirement", str(file), "--require-hashes", "--disable-pip", "--format", "json"]
    line += ["--progress-spinner", "off", "--timeout", str(ANSWER_SECONDS), "--vulnerability-service", "osv"]
    try:
        ended = subprocess.run(
            [*line, "--osv-url", osv_url], capture_output=True, text=True, timeout=AUDIT_SECONDS, check=False
        )
        told: dict[str, Any] = json.loads(ended.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        raise NotAudited("the vulnerability service broke off") from None
    skipped = [each["name"] for each in told["dependencies"] if "skip_reason" in each]
    if skipped:
        raise NotAudited(f"{file.name}: the service knows nothing of {', '.join(skipped)}")
    return [
        Finding(
            file.name, each["name"], each["version"], (found["id"], *found["aliases"]),
            tuple(found["fix_versions"]),
        )
        for each in told["dependencies"] for found in each["vulns"]
    ]  # fmt: skip


def _program() -> Path:
    """pip-audit, in an environment of its own in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    made = hashlib.sha256(PINS.read_bytes()).hexdigest()[:12]
    name = f"pip-audit-{made}-py{sys.version_info.major}.{sys.version_info.minor}"
    final = Path(base) / "segment-planhat-streamer" / name
    if not final.exists():
        incoming = final.with_name(f"{name}.{uuid.uuid4().hex[:8]}")
        try:
            _install(incoming)
            incoming.rename(final)
        except OSError:
            if not final.exists():  # another run may have won the race
                raise NotAudited("its environment cannot be made in the user's cache") from None
        finally:
            shutil.rmtree(incoming, ignore_errors=True)
    return final / "bin" / "pip-audit"


def _install(folder: Path) -> None:
    uv = str(Path(sys.executable).parent / "uv")  # the pinned one, no other
    python = str(folder / "bin" / "python")
    install = [uv, "pip", "install", "--quiet", "--require-hashes", "--python", python]
    for line in (
        [uv, "venv", "--quiet", "--relocatable", "--python", sys.executable, str(folder)],
        [*install, "--requirements", str(PINS)],
    ):
        try:
            ended = subprocess.run(line, capture_output=True, timeout=INSTALL_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            raise NotAudited("pip-audit could not be installed in time") from None
        if ended.returncode != 0:
            raise NotAudited("pip-audit could not be installed")


def main(arguments: Sequence[str]) -> int:
    """Say what is known; 1 where something must be mended."""
    parser = argparse.ArgumentParser(description="look for known vulnerabilities of what is pinned")
    parser.add_argument(
        "--osv-url", default=OSV, help="ask this service instead, which speaks OSV's protocol"
    )
    wanted = parser.parse_args(arguments)
    try:
        found = audited(AUDITED, wanted.osv_url)
    except NotAudited as why:
        print(f"not audited: {why}. CI with a network does it; so does `make audit` there.")
        return 0
    wrong = problems(found, read_accepted(), datetime.now(UTC).date())
    for each in wrong:
        print(each)
    names = ", ".join(file.name for file in AUDITED)
    print(f"audited: {names}: {len(wrong)} to mend" if wrong else f"audited: {names}: nothing to mend")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
