"""How often Python looks for objects that hold each other: seldom, since no event leaves any behind.

Everything an event is made of goes when its last user lets go of it. Looking for cycles finds nothing, and
costs most where most is in flight: by default each look at all objects comes when a quarter more are there
than at the last, which was a fifth of the pipeline's CPU with 60,000 records in flight.
"""

import gc
from typing import Final

YOUNG: Final = 50_000
"""Objects more than were let go since the last look at the young ones; a few thousand events' worth."""
MIDDLE_AFTER: Final = 20
"""Looks at the young ones before one at those that outlived one."""
ALL_AFTER: Final = 20
"""Looks at those before one at everything. Errors, clients and logging leave a cycle now and then."""


def look_for_cycles_seldom() -> None:
    """From here on. What is there already stays for good (modules, schemas), so it is not looked at."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE_AFTER, ALL_AFTER)
