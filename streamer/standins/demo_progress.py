"""How far the demo is: a bar on a terminal, a plain line every few seconds elsewhere."""

from time import monotonic
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

_LINE_EVERY_SECONDS: Final = 5.0


class DemoProgress:
    """Shows events settled of those to come."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._said_at = monotonic()
        self._said = ""
        if console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description:<24}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=console,
            )
            self._task = self._bar.add_task("starting", total=total)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, stage: str, settled: int) -> None:
        """Now at this stage, with so many events settled."""
        if self._bar is not None:
            self._bar.update(self._task, description=stage, completed=settled)
        elif stage != self._said or monotonic() - self._said_at >= _LINE_EVERY_SECONDS:
            self._console.print(f"{stage}: {settled:,} of {self._total:,} events settled")
            self._said, self._said_at = stage, monotonic()
