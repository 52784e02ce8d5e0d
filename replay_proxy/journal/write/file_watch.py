"""Watch over the files of a recording while they are in use, and mend what others did to them.

Once a second, by a sync that finds the journal gone, and by `close`, the files are compared with what is open (`displacement`).
A journal that was moved away or removed is written again under its name, from the open file, while calls go on being recorded.
Where something else has its place, nothing is recorded until it is put back. Where a part of the journal is gone, nothing is
recorded until the process is started anew, and what is left is put in order (`rebuild`).
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import replace
from functools import partial

from replay_proxy import log
from replay_proxy.errors import ReplayProxyError, StorageError
from replay_proxy.journal.compaction.dual_write import restore_name
from replay_proxy.journal.format.records import RecordingHeader
from replay_proxy.journal.storage.files import Files, storage_error
from replay_proxy.journal.storage.lock import RecordingLock
from replay_proxy.journal.write.availability import Availability, WriterState
from replay_proxy.journal.write.displacement import Displacement, WatchedFiles
from replay_proxy.journal.write.journal_output import JournalOutput
from replay_proxy.journal.write.rebuild import rebuild_cut_journal

_log = log.get(__name__)
_NOTHING_TO_LOOK_FOR = frozenset({WriterState.FAILED, WriterState.LOST, WriterState.CLOSED})


class FileWatch:
    """The watch over one recording's files.

    changing: held while another file takes the journal's place; one change at a time. lock: the right to write, which is
    taken again where somebody removed its file. manual: calls count only once they are saved.
    """

    def __init__(
        self,
        files: Files,
        output: JournalOutput,
        availability: Availability,
        watched: WatchedFiles,
        lock: RecordingLock,
        header: RecordingHeader,
        syncer: Executor,
        *,
        manual: bool,
    ) -> None:
        self.changing = asyncio.Lock()
        self.lock = lock
        self._files = files
        self._output = output
        self._availability = availability
        self._watched = watched
        self._header = header
        self._syncer = syncer
        self._manual = manual
        self._looking: asyncio.Task[None] | None = None

    async def look_every(self, interval_s: float) -> None:
        """Look again and again, until it is cancelled or the recording is lost."""
        while self._availability.state is not WriterState.LOST:
            await asyncio.sleep(interval_s)
            # Whoever cancels this, by `close`, does not stop a change of files in the middle.
            self._looking = asyncio.create_task(self.look())
            try:
                await asyncio.shield(self._looking)
            except Exception:
                _log.exception("looking whether the recording is still in its place failed; it is tried again")

    async def finished(self) -> None:
        """Wait until no look of `look_every` is under way."""
        if self._looking is not None:
            await asyncio.wait([self._looking])

    def find(self) -> Displacement | None:
        """Return what is wrong with the files at the moment; None where all is well."""
        output = self._output
        other = output.dual_write.fd if output.dual_write is not None else None
        return self._watched.displacement(output.fd, output.position, other, exactly=True)

    async def look(self) -> None:
        """Find out what somebody did to the files. Mend it, record nothing more, or record again where it was put back."""
        state = self._availability.state
        if state in _NOTHING_TO_LOOK_FOR or (state is not WriterState.DISPLACED and self.find() is None):
            return
        async with self.changing:
            if self._availability.state in _NOTHING_TO_LOOK_FOR:
                return
            found = self.find()
            if found is not None and found.whole:
                found = await self._restore_name(found)
            if found is None:
                self._resume()
            elif self._availability.state is not WriterState.LOST:
                await self._displace(found)

    async def _restore_name(self, found: Displacement) -> Displacement | None:
        """Write the journal, which is whole and has lost its name, under it again. Return what is wrong afterwards."""
        availability, replacements = self._availability, self._output.replacements
        # Calls are recorded meanwhile: the open file has all of the journal.
        before = availability.resume()
        try:
            self.lock = self.lock.again()
            await restore_name(self._files, self._output, self._syncer)
        except ReplayProxyError as error:
            if self._output.replacements != replacements:
                availability.lose(StorageError(error.message, hint=error.hint))
                return found
            if before is not None and availability.accepts:
                availability.displace(before)
            now = self.find()
            return now and replace(now, message=f"{now.message}; {error.message}")
        _log.warning(
            f"{found.message}: it was written again under its name, with all that it held",
            hint="a data directory must not be touched while the proxy runs; a file that was moved away gets no more calls",
        )
        return None

    def _resume(self) -> None:
        """Record again, after a `gap` record, where nothing was recorded because of the files."""
        if self._availability.resume() is None:
            return
        # Where that fails, the state says so.
        with suppress(StorageError):
            self._output.append_gap()
            _log.info("the recording is whole and in its place again: calls are recorded")

    async def _displace(self, found: Displacement) -> None:
        """Record nothing more, and put in order what is left where a part of the journal is gone."""
        before = self._availability.displacement
        if before is None or before.message != found.message:
            _log.error(f"{found.message}: nothing is recorded", hint=found.hint)
        self._availability.displace(found)
        if not found.shorter_by:
            return
        arguments = (self._files, self._output.fd, self._header, self._output.last_seq, found.message)
        try:
            kept = await asyncio.get_running_loop().run_in_executor(
                self._syncer, partial(rebuild_cut_journal, *arguments, manual=self._manual)
            )
        except OSError as error:
            path = self._availability.path
            _log.error(storage_error("put in order what is left of the recording", path, error).message)
        else:
            if kept:
                _log.warning(f"what was left of the recording is kept in {kept}")
