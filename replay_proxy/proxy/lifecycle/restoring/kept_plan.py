"""The plan of the latest restore, kept in memory for the next one, where that restores the same.

A suite of tests has one state brought back again and again, and what its tests do never counts (save strategy MANUAL). To read
and plan the recording anew each time would take longer with every test, since what they did stays in the file. So the plan is
carried out once more for as long as the writer says that the same calls count. It reads its calls from the file that it was
made of, which it holds open.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from replay_proxy.journal.read.index import is_verified
from replay_proxy.journal.read.reader import Recording
from replay_proxy.journal.write.writer import JournalWriter
from replay_proxy.replay.planning.plan import Plan

JOURNAL_BYTES_MAX: Final = 8 * 1024 * 1024
"""Of a recording whose plan is kept: what is kept for it takes memory. Sending a longer one takes longer than planning it."""
Revision = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Kept:
    recording: Recording
    plan: Plan
    made: datetime
    revision: Revision


class KeptPlan:
    """Keeps one plan at most, while the same calls count. writer: None where nobody can say whether they do."""

    def __init__(self, writer: JournalWriter | None) -> None:
        self._writer = writer
        self._kept: _Kept | None = None

    @property
    def revision(self) -> Revision | None:
        """To be asked before a recording is read that may be kept; None where none may."""
        return None if self._writer is None else self._writer.effect_revision

    def keep(self, recording: Recording, plan: Plan, made: datetime, revision: Revision | None) -> None:
        """Keep a plan that was made at a time, of a recording that was read after `revision` was asked for."""
        small = recording.layout.tail.end <= JOURNAL_BYTES_MAX
        self._kept = None
        if revision is not None and small and recording.held is not None and not recording.layout.legacy:
            self._kept = _Kept(recording, plan, made, revision)

    def latest(self, now: datetime) -> tuple[Recording, Plan] | None:
        """Return the plan that is kept, with its recording; None where there is none that holds now."""
        kept = self._kept
        if kept is None or kept.revision != self.revision:
            self._kept = None
            return None
        until = kept.plan.valid_until
        return (kept.recording, kept.plan) if kept.made <= now and (until is None or now <= until) else None

    def verify(self, now: datetime) -> bool:
        """Verify once more the calls of the plan that is kept. Return False where there is none that holds. Blocking.

        Raises:
            RecordingError: a line is damaged. StorageError: it cannot be read.
        """
        kept = self.latest(now)
        if kept is None:
            return False
        recording, plan = kept
        for seq in plan.order:
            position = recording.index.position(seq)
            if not is_verified(recording.line(position).rstrip(b"\n")):
                recording.at(position)
        return True
