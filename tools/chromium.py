"""Chromium without a window, driven over a pipe by its own protocol: for tests of pages, and for pictures.

    with Chromium(folder) as chromium:
        tab = chromium.open("http://127.0.0.1:8000/")
        tab.evaluate("document.title")

No driver and no library: what is written is JSON that ends with a zero byte (--remote-debugging-pipe).
"""

import base64
import json
import os
import select
import shutil
import subprocess
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self

PROGRAMS: Final = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome")
PATIENCE_SECONDS: Final = 30.0
_ARGUMENTS: Final = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-extensions", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--hide-scrollbars", "--remote-debugging-pipe",
)  # fmt: skip


def chromium_program() -> str | None:
    """Where a Chromium is; None without one."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Chromium:
    """One browser, which ends with the block. Its profile lives in `folder`."""

    def __init__(self, folder: Path) -> None:
        program = chromium_program()
        if program is None:
            raise FileNotFoundError("no chromium on the PATH: install the distribution's package")
        self._command = [program, *_ARGUMENTS, f"--user-data-dir={folder}"]
        self._number = 0
        self._unread = b""
        self.told: list[dict[str, Any]] = []
        """Events that came while an answer was awaited."""

    def __enter__(self) -> Self:
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        # It reads from 3 and writes to 4, wherever our ends of the pipes are.
        moved = f'exec 3<&{theirs_in} 4>&{theirs_out} && exec "$@"'
        self._child = subprocess.Popen(
            ["bash", "-c", moved, "chromium", *self._command],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.ask("Browser.close")
            self._child.wait(10)
        except (OSError, EOFError, TimeoutError, subprocess.TimeoutExpired):
            self._child.kill()
            self._child.wait()
        os.close(self._in)
        os.close(self._out)

    def open(self, url: str, *, width: int = 1000, height: int = 900, is_dark: bool = False) -> "Tab":
        """A tab with this page, loaded, as wide as a phone or a desktop (CSS pixels)."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, session, target)
        for room in ("Page", "Runtime", "Log", "Network"):
            tab.ask(f"{room}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        tab.ask("Emulation.setEmulatedMedia", features=[scheme])
        tab.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        tab.load(url)
        return tab

    def ask(self, method: str, session: str | None = None, **parameters: object) -> dict[str, Any]:
        """One command and its answer. Raises RuntimeError where it is refused."""
        self._number += 1
        wanted = self._number
        asked: dict[str, object] = {"id": wanted, "method": method, "params": parameters}
        if session is not None:
            asked["sessionId"] = session
        os.write(self._out, json.dumps(asked).encode() + b"\0")
        while True:
            read = self.read()
            if read.get("id") != wanted:
                self.told.append(read)
            elif "error" in read:
                raise RuntimeError(f"{method}: {read['error']['message']}")
            else:
                answer: dict[str, Any] = read["result"]
                return answer

    def read(self) -> dict[str, Any]:
        """The next thing it says."""
        until = monotonic() + PATIENCE_SECONDS
        while b"\0" not in self._unread:
            if not select.select([self._in], [], [], max(0.0, until - monotonic()))[0]:
                raise TimeoutError("chromium says nothing")
            more = os.read(self._in, 1 << 20)
            if not more:
                raise EOFError("chromium has ended")
            self._unread += more
        said, _, self._unread = self._unread.partition(b"\0")
        read: dict[str, Any] = json.loads(said)
        return read


class Tab:
    """One page."""

    def __init__(self, chromium: Chromium, session: str, target: str) -> None:
        self._chromium = chromium
        self._session = session
        self._target = target

    def ask(self, method: str, **parameters: object) -> dict[str, Any]:
        """One command to this tab."""
        return self._chromium.ask(method, self._session, **parameters)

    def load(self, url: str) -> None:
        """Go there, and wait until all of it is loaded."""
        self._forget("Page.loadEventFired")
        answer = self.ask("Page.navigate", url=url)
        if "errorText" in answer:
            raise RuntimeError(f"{url}: {answer['errorText']}")
        self.wait_for("Page.loadEventFired")

    def close(self) -> None:
        """Close it."""
        self._chromium.ask("Target.closeTarget", targetId=self._target)

    def wait_for(self, method: str) -> None:
        """Wait for an event that was not waited for before."""
        while not self.events(method):
            self._chromium.told.append(self._chromium.read())
        self._forget(method)

    def events(self, method: str) -> list[dict[str, Any]]:
        """What this tab told of one kind."""
        return [
            each["params"]
            for each in self._chromium.told
            if each.get("sessionId") == self._session and each.get("method") == method
        ]

    def complaints(self) -> list[str]:
        """What stands in the console: errors, warnings, and whatever scripts wrote or threw."""
        logged = [each["entry"]["text"] for each in self.events("Log.entryAdded")]
        logged += [str(each["args"]) for each in self.events("Runtime.consoleAPICalled")]
        return logged + [str(each["exceptionDetails"]) for each in self.events("Runtime.exceptionThrown")]

    def requested(self) -> list[str]:
        """Every address that was asked for."""
        return [each["request"]["url"] for each in self.events("Network.requestWillBeSent")]

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401 - whatever the page's script says
        """The value of a script, as JSON has it."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def picture(self, height: int) -> bytes:
        """The page from its top, so many CSS pixels of it, as PNG."""
        width = self.evaluate("document.documentElement.clientWidth")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        shot = self.ask("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        return base64.b64decode(shot["data"])

    def _forget(self, method: str) -> None:
        told = self._chromium.told
        told[:] = [
            each for each in told if (each.get("sessionId"), each.get("method")) != (self._session, method)
        ]
