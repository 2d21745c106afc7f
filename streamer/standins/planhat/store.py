"""Everything the sandbox holds, as plain Python: no HTTP, no waiting."""

import time
from collections.abc import Callable

from streamer.standins.planhat.activities import Activities
from streamer.standins.planhat.companies import Companies
from streamer.standins.planhat.custom_fields import CustomFields
from streamer.standins.planhat.dock import Dock
from streamer.standins.planhat.endusers import Endusers
from streamer.standins.planhat.entries import IgnoredLog, Stamps
from streamer.standins.planhat.metrics import Metrics
from streamer.standins.planhat.models import Model
from streamer.standins.planhat.switches import Board


class Store:
    """One tenant: its companies, endusers, activities and metrics, and what was ignored."""

    def __init__(self, board: Board, clock: Callable[[], float] = time.time) -> None:
        self.board = board
        self.stamps = Stamps(clock)
        self.ignored = IgnoredLog()
        self.companies = Companies(board, self.stamps, self.ignored)
        self.endusers = Endusers(board, self.stamps, self.ignored, self.companies)
        self.activities = Activities(board, self.stamps, self.ignored, self.companies, self.endusers)
        self.metrics = Metrics(board, self.stamps, self.ignored, self.companies, self.endusers)
        self.custom_fields = CustomFields(self.stamps)
        self.dock = Dock(board, self.activities, self.companies, self.metrics)

    def model(self, name: str) -> Model:
        """The model of a collection path."""
        return {"companies": self.companies, "endusers": self.endusers}[name]
