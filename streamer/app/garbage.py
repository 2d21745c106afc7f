"""How often Python looks for objects that hold each other: once a minute, since no event leaves any behind.

Everything an event is made of goes when its last user lets go of it. Looking for cycles finds nothing, and
costs most where most is in flight: as often as Python looks by itself, it was a fifth of the pipeline's CPU
with 60,000 records in flight, and a twentieth still where it looked at 50,000 new objects at a time.
By the clock it costs what it costs, and also happens while nothing is read, as when Planhat is away: errors,
clients and logging leave a cycle now and then.
"""

import gc
import threading
from typing import Final

PAUSE_SECONDS: Final = 60.0
"""Between two looks. One takes some 6 ms where little is in flight, and 0.2 s with 60,000 records."""
MOST_NEW: Final = 1_000_000
"""Objects more than were let go since the last look, after which Python looks all the same: 160,000 records
in flight bring so many, and high water lets 60,000 in."""
_STOP_SECONDS: Final = 2.0
"""What a look that is under way may take; what hangs in one holds up no shutdown."""


class CycleLooks:
    """Looks from a thread of its own, so that what ends a forgotten client never waits in the owner's."""

    def __init__(self, pause_seconds: float = PAUSE_SECONDS) -> None:
        self._pause = pause_seconds
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look_again, name="cycles", daemon=True)

    def start(self) -> None:
        """From here on. What is there already stays for good (modules, schemas): it is not looked at."""
        look_seldom()
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._is_over.set()
        self._thread.join(_STOP_SECONDS)

    def _look_again(self) -> None:
        while not self._is_over.wait(self._pause):
            gc.collect()


def look_seldom() -> None:
    """What is there stays for good; Python looks by itself only where very much is new."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(MOST_NEW)
