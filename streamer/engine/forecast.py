"""A forecast of the time to drain, by the quota and by how full requests are. Pure."""

from typing import Final

from streamer.engine.ports import Load

CALLS_REMEMBERED: Final = 16
"""About so many of the newest calls make up the mean."""
RECORDS_REMEMBERED: Final = 5_000


def seconds_to_drain(waiting_operations: int, unread_records: int, load: Load) -> float | None:
    """Until all that waits is sent to the main API, if nothing more came; None where nobody can say.

    `waiting_operations` are those of the main API; what is unread comes to as many for each record as
    what was read lately. Activities go to another host, which is not metered: they are not in it.
    """
    operations = waiting_operations + unread_records * load.operations_per_record
    if operations <= 0.0:
        return 0.0
    a_minute = load.calls_per_minute * load.operations_per_call
    return operations / a_minute * 60.0 if a_minute > 0.0 else None


class Loads:
    """What calls to the main API carry, and what records come to: means in which the past fades."""

    def __init__(self, operations_per_call: int) -> None:
        """Until something was sent calls are thought to be full."""
        self.operations_per_call = float(operations_per_call)
        self.operations_per_record = 0.0
        self._made = 0
        self._polled = 0

    def sent(self, operations: int) -> None:
        """A bulk goes out."""
        self.operations_per_call += (operations - self.operations_per_call) / CALLS_REMEMBERED

    def polled(self, records: int) -> None:
        """Records were read."""
        self._polled += records

    def made(self, operations: int) -> None:
        """Records came to so many operations for the main API."""
        self._made += operations

    def fade(self) -> None:
        """Take what was read since the last call into the mean; about once a second."""
        if not self._polled:
            return
        weight = self._polled / (self._polled + RECORDS_REMEMBERED) if self.operations_per_record else 1.0
        self.operations_per_record += weight * (self._made / self._polled - self.operations_per_record)
        self._made = self._polled = 0
