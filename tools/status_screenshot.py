"""Make docs/status.png anew: the status page of a demo under way, as Chromium shows it.

    make status-screenshot

Everything in the picture is real but the two ends, which are the demo's stand-ins: `streamer run`, events
that were made, bad ones among them, and about a minute of them. It ends before the dead letters begin.
"""

import argparse
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from tools.chromium import Chromium, Tab, chromium_program

ROOT: Final = Path(__file__).resolve().parent.parent
PICTURE: Final = ROOT / "docs" / "status.png"
MOST_BYTES: Final = 150_000
WIDTH: Final = 860
TRAFFIC_SECONDS: Final = 65.0
STOP_SECONDS: Final = 100.0
_ADDRESS: Final = re.compile(r"metrics at (http://\S+?/)metrics")


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the picture; 0 only if it is small enough."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=300_000, help="that the demo has to send (%(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=TRAFFIC_SECONDS, help="of traffic before (%(default)s)"
    )
    parser.add_argument("--to", type=Path, default=PICTURE, help="the file to write (%(default)s)")
    told = parser.parse_args(arguments)
    if chromium_program() is None:
        print("no chromium on the PATH: install the distribution's package", file=sys.stderr)
        return 2
    demo = subprocess.Popen(
        [sys.executable, "-m", "streamer", "demo", "--events", str(told.events)],
        cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        address = _address(demo)
        with tempfile.TemporaryDirectory() as folder, Chromium(Path(folder)) as chromium:
            picture = _picture(chromium, address, told.seconds)
    finally:
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=STOP_SECONDS)
    told.to.write_bytes(_smaller(picture))
    size = told.to.stat().st_size
    print(f"{told.to}: {size:,} bytes")
    if size > MOST_BYTES:
        print(f"more than {MOST_BYTES:,}: with optipng on the PATH it is packed better", file=sys.stderr)
        return 1
    return 0


def _address(demo: subprocess.Popen[str]) -> str:
    assert demo.stdout is not None
    for line in demo.stdout:
        found = _ADDRESS.search(line)
        if found is not None:
            return found[1]
    raise RuntimeError("the demo ended before it said where its metrics are")


def _picture(chromium: Chromium, address: str, seconds: float) -> bytes:
    """The page once there was so much traffic."""
    until = monotonic() + 60
    tab = None
    while tab is None:
        try:
            tab = chromium.open(address, width=WIDTH)
        except RuntimeError:
            if monotonic() > until:
                raise
            sleep(1)
    while not _delivered(tab, address):
        sleep(1)
    sleep(seconds)
    tab.load(f"{address}?refresh=off")
    tab.load(address)
    end = tab.evaluate("document.getElementById('dead-letters').getBoundingClientRect().top")
    return tab.picture(int(end) - 12)


def _delivered(tab: Tab, address: str) -> bool:
    tab.load(f"{address}status.json")
    told = "JSON.parse(document.body.innerText).outcomes[0].since_start"
    return bool(tab.evaluate(told))


def _smaller(picture: bytes) -> bytes:
    """The same picture, packed better where optipng is there to do it."""
    if shutil.which("optipng") is None:
        return picture
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "status.png"
        file.write_bytes(picture)
        subprocess.run(["optipng", "-quiet", "-o5", file], check=True)
        return min(picture, file.read_bytes(), key=len)


if __name__ == "__main__":
    sys.exit(main())
