"""A progress bar for restores that take longer than a moment, on a terminal only."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from replay_proxy.replay.execution.reporting.report import RestoreReport
from replay_proxy.wording import counted

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
        self._report: RestoreReport | None = None

    def __call__(self, report: RestoreReport) -> None:
        """Draw the state of `report`."""
        self._report = report
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

    def so_far(self) -> str:
        """Return how far a restore had come when it was ended, and what is to be done then."""
        report = self._report
        if report is None:
            return (
                "no recorded call was done by then; an emulator that had answered may hold the first of them: restart it "
                "before it is restored again"
            )
        left = max(report.total - report.done, 0)
        said = f"{report.done} of {counted(report.total, 'recorded call')} made again, {left} not"
        return f"{said}; restart the emulator before it is restored again: it may hold a part of the recording"

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("Restoring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("restore")
        self._bar.start()
