"""Time that moves when the script says so."""


class VirtualClock:
    """Satisfies `ports.Clock`."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_700_000_000.0 + self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
