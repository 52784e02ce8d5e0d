"""The states of a load strategy: how far the recorded state has come into the emulator, and what may follow."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from replay_proxy.proxy.lifecycle.restoring.session_file import RestorePosition
from replay_proxy.proxy.lifecycle.restoring.staged_restore import StagedRestore
from replay_proxy.replay.execution.reporting.report import RestoreReport
from replay_proxy.replay.execution.restore_target import RestoreTarget


class LoadState(StrEnum):
    """How far the recorded state has come into the emulator."""

    NEW = "new"
    WHOLE = "whole"
    IN_PARTS = "in parts"
    COMPLETE = "complete"


TRANSITIONS = {
    LoadState.NEW: frozenset({LoadState.WHOLE, LoadState.IN_PARTS, LoadState.COMPLETE}),
    LoadState.WHOLE: frozenset({LoadState.WHOLE, LoadState.IN_PARTS, LoadState.COMPLETE}),
    LoadState.IN_PARTS: frozenset({LoadState.WHOLE, LoadState.IN_PARTS, LoadState.COMPLETE}),
    LoadState.COMPLETE: frozenset({LoadState.WHOLE, LoadState.IN_PARTS, LoadState.COMPLETE}),
}
"""The states that may follow each state: nothing leads back to NEW."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A restore that has not come to its end. staged: set where it is one in parts."""

    report: RestoreReport
    target: RestoreTarget
    staged: StagedRestore | None = None

    @property
    def position(self) -> RestorePosition:
        """How far it has come."""
        if self.staged is not None:
            return self.staged.position
        return RestorePosition(self.report.through, (), tuple(self.report.dealt_with), self.report.left_in_doubt)
