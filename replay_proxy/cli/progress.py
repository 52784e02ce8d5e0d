"""A progress bar for restores that take longer than a moment, on a terminal only."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from replay_proxy.replay.execution.reporting.report import RestoreReport

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SHOWN_AFTER_S = 0.7
"""Shorter restores have no bar."""


class RestoreProgress:
    """A progress bar on standard error; called after every restored call. It is removed at the end."""

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
        elif self._bar is None and report.seconds > SHOWN_AFTER_S:
            self._open()
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, total=report.total, completed=report.done)

    def close(self) -> None:
        """Remove the bar."""
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
