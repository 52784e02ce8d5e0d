"""A progress bar for restores that take longer than a moment, on a terminal only."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from replay_proxy.replay.report import RestoreReport

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

MOMENT = 0.7


class RestoreProgress:
    """Told after every restored call; draws on standard error, and leaves no trace there."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._wanted = sys.stderr.isatty()

    def __call__(self, report: RestoreReport) -> None:
        """Draw the state of `report`."""
        if not self._wanted:
            return
        if report.done >= report.total:
            self.close()
        elif self._bar is None and report.seconds > MOMENT:
            self._open()
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, total=report.total, completed=report.done)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("Restoring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("restore")
        self._bar.start()
