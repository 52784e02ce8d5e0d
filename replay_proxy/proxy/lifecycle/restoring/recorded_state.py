"""The recorded state that is to be restored: which part of the recording counts, and whether it can be read.

Under the save strategy `MANUAL` what is pending counts until a restore begins from the recording, which makes it void. A reset
that a client sent ends what was recorded before, as soon as it is recorded; a recording that is not written cannot hold it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime

from replay_proxy.journal.read.reader import Recording, read
from replay_proxy.journal.write.writer import SaveStrategy
from replay_proxy.proxy.lifecycle.restoring.kept_plan import KeptPlan
from replay_proxy.proxy.lifecycle.restoring.restore import OpenRecording


class RecordedState:
    """What one recording says. kept_plan: the plan of its latest restore."""

    def __init__(self, recording: OpenRecording) -> None:
        self._recording = recording
        self._writer = recording.writer
        self.kept_plan = KeptPlan(recording.writer)
        self._is_reset_unrecorded = False

    def begin_whole(self, *, keeps_pending: bool) -> None:
        """Begin to restore everything. keeps_pending: what is pending stays so, and is not void from now on."""
        if self._writer is not None:
            self._writer.take_found()
            if not keeps_pending:
                self._writer.rollback()

    async def begin_parts(self, *, goes_on: bool) -> Recording:
        """Begin to restore in parts, and return the recording. goes_on: with a restore that was begun; then nothing is void.

        Raises:
            RecordingError: it is damaged. StorageError: it cannot be read.
        """
        found = None
        if self._writer is not None and not goes_on:
            self._writer.rollback()
            found = self._writer.take_found()
        return found if found is not None else await asyncio.to_thread(read, self._recording.data_dir)

    async def check(self) -> None:
        """See whether everything that is to be restored can be read.

        Raises:
            RecordingError: it is damaged. StorageError: it cannot be read.
        """
        if not await asyncio.to_thread(self.kept_plan.verify, datetime.now(UTC)):
            await asyncio.to_thread(read, self._recording.data_dir)

    def reset(self, services: Collection[str]) -> None:
        """Record that the emulator was made to forget these services, or everything (none), as a client asked.

        Raises:
            StorageError: it could not be recorded.
        """
        if self._writer is not None:
            for each in services or ("",):
                self._writer.reset(each)
        self._is_reset_unrecorded = self._writer is None

    async def promised(self) -> None:
        """Wait until what was recorded is as durable as the save strategy promises."""
        if self._writer is not None:
            await self._writer.promised()

    def restoring(self) -> None:
        """Note that it is being restored: what was reset away, and not recorded so, comes back."""
        self._is_reset_unrecorded = False

    @property
    def is_reset_unsaved(self) -> bool:
        """Was the emulator reset as a client asked, and does the recording still hold what was there before?"""
        return self._is_reset_unrecorded if self._writer is None else self._writer.has_unsaved_reset

    @property
    def goes_back(self) -> bool:
        """Does a restore go back to the latest save, so that what happened since is not there again?"""
        return self._writer is not None and self._writer.strategy is SaveStrategy.MANUAL
