"""How far a command is: a bar on a terminal, a plain line every few seconds elsewhere; on standard error."""

from time import monotonic
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

_LINE_EVERY_SECONDS: Final = 5.0


class ProgressScreen:
    """Satisfies `Screen` of app.replay_letters and of app.story.explaining."""

    def __init__(self, *, is_quiet: bool) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._is_quiet = is_quiet
        self._bar: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._said_at = monotonic()
        if self._console.is_terminal and not is_quiet:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
            )
            self._bar = Progress(*columns, console=self._console)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, text: str) -> None:
        """A line for a person."""
        if not self._is_quiet:
            self._console.print(text, markup=False)

    def show(self, stage: str, done: int, total: int) -> None:
        """How far a stage is."""
        if self._bar is not None:
            if stage not in self._tasks:
                self._tasks[stage] = self._bar.add_task(stage, total=total)
            self._bar.update(self._tasks[stage], completed=done, total=total)
        elif monotonic() - self._said_at >= _LINE_EVERY_SECONDS:
            self._said_at = monotonic()
            self.say(f"{stage}: {done:,} of {total:,}")
