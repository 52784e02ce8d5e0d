"""Adopt a compacted journal in the place of the present one while calls go on being recorded (`compaction.dual_write`)."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor

from replay_proxy.errors import StorageError
from replay_proxy.journal.compaction.dual_write import put_in_place
from replay_proxy.journal.compaction.file_swap import remove_staged
from replay_proxy.journal.storage.files import Files
from replay_proxy.journal.write.availability import Availability
from replay_proxy.journal.write.file_watch import FileWatch
from replay_proxy.journal.write.journal_output import JournalOutput
from replay_proxy.supervision import describe_error


class Adoption:
    """The compacted journals that one writer adopts, one at a time."""

    def __init__(
        self, files: Files, output: JournalOutput, availability: Availability, watch: FileWatch, syncer: Executor
    ) -> None:
        self._files = files
        self._output = output
        self._availability = availability
        self._watch = watch
        self._syncer = syncer
        self._running: asyncio.Task[None] | None = None

    async def adopt(self, end: int) -> None:
        """Go on with the staged journal, in which stands what a compaction kept of the first `end` bytes of this one.

        What was appended since is carried over, and no append waits. A caller that is cancelled does not stop it.

        Raises:
            StorageError: it could not be done. Where there is no `failure` after it, the journal is as it was.
        """
        if not self._availability.accepts:
            raise self._availability.error()
        self._running = asyncio.create_task(self._adopt(end))
        self._running.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.shield(self._running)

    async def finished(self) -> None:
        """Wait until no adoption is under way."""
        if self._running is not None:
            await asyncio.wait([self._running])

    async def _adopt(self, end: int) -> None:
        async with self._watch.changing:
            replacements = self._output.replacements
            try:
                # Who compacted has read the file that has the name.
                found = self._watch.find()
                if found is not None:
                    remove_staged(self._files)
                    raise found.error
                await put_in_place(self._files, self._output, end, self._syncer)
            except Exception as error:
                failure = error
                if not isinstance(failure, StorageError):
                    failure = StorageError(f"the compacted recording was not taken up: {describe_error(error)}")
                if self._output.replacements != replacements:
                    self._availability.lose(failure)
                raise failure from error
