"""Group commit: calls that wait at the same time share one `fsync`.

One `fsync` runs at a time, in a thread. Calls that come in meanwhile write their lines, and wait together for the next one,
which starts when the first ends. So the cost of an `fsync` is shared by as many calls as arrive in its time, and a single
client pays for one per call. A call is only released by an `fsync` that began after its line was written.

Before and after each `fsync` the files are looked for (`displacement`): a sync of a file that nobody can find promises nothing.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from contextlib import suppress

from replay_proxy.errors import StorageError
from replay_proxy.journal.compaction.dual_write import DualWrite
from replay_proxy.journal.storage.blobs import BlobStore
from replay_proxy.journal.storage.files import Files
from replay_proxy.journal.write.availability import Availability
from replay_proxy.journal.write.displacement import WatchedFiles
from replay_proxy.journal.write.journal_output import JournalOutput
from replay_proxy.supervision import describe_error


class _DisplacedError(Exception):
    """The journal is not where it was, so a sync of it promises nothing."""


class GroupCommit:
    """The syncs of one journal and its blobs. look: finds out what happened to the files, and mends it (`FileWatch.look`)."""

    def __init__(
        self,
        files: Files,
        output: JournalOutput,
        blobs: BlobStore,
        availability: Availability,
        watched: WatchedFiles,
        syncer: Executor,
        look: Callable[[], Awaitable[None]],
    ) -> None:
        self._files = files
        self._output = output
        self._blobs = blobs
        self._availability = availability
        self._watched = watched
        self._syncer = syncer
        self._look = look
        # What an earlier process wrote may not be synced yet; the first sync covers it.
        self._synced = -1
        self._waiters: list[asyncio.Future[None]] = []
        self._running: asyncio.Task[None] | None = None

    async def sync(self) -> None:
        """Wait until everything that is written by now is synced. Raises StorageError."""
        if not self._availability.accepts:
            raise self._availability.error()
        if self._synced >= self._output.written:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        if self._running is None:
            self._running = asyncio.create_task(self._rounds())
        await waiter

    async def sync_every(self, interval_s: float) -> None:
        """Sync again and again, until it is cancelled. A failure is kept: the next append, and `check`, raise it."""
        while True:
            await asyncio.sleep(interval_s)
            with suppress(StorageError):
                await self.sync()

    async def finished(self) -> None:
        """Wait until no sync runs."""
        if self._running is not None:
            with suppress(asyncio.CancelledError):
                await self._running

    async def _rounds(self) -> None:
        """Sync until nobody waits. Who comes during a round belongs to the next: this one may miss its line."""
        try:
            while self._waiters:
                waiters, self._waiters = self._waiters, []
                failure = await self._round(waiters)
                if failure is not None:
                    _release(waiters + self._waiters, failure)
                    self._waiters = []
                    return
        except Exception as error:
            failure = self._fail(error)
            waiters, self._waiters = self._waiters, []
            _release(waiters, failure)
        finally:
            self._running = None

    async def _round(self, waiters: list[asyncio.Future[None]]) -> StorageError | None:
        """Sync once, and release who waits. Return why nobody may be released any more; None where that is not so."""
        output, written = self._output, self._output.written
        try:
            await asyncio.get_running_loop().run_in_executor(
                self._syncer, self._sync_files, output.fd, output.position, output.dual_write
            )
        except _DisplacedError:
            self._waiters = waiters + self._waiters
            await self._look()
            return None if self._availability.accepts else self._availability.error()
        except Exception as error:  # whatever it is: nobody may wait for ever, and nothing may be promised
            return self._fail(error)
        self._synced = max(self._synced, written)
        _release(waiters, None)
        return None

    def _fail(self, error: Exception) -> StorageError:
        cause = error if isinstance(error, OSError) else OSError(errno.EIO, describe_error(error))
        return self._availability.fail("make the recording durable", cause, final=True)

    def _sync_files(self, fd: int, size: int, dual_write: DualWrite | None) -> None:
        """Sync blobs and journal. Blocking. Raises OSError, and _DisplacedError where the journal is not where it was."""
        other = dual_write.fd if dual_write is not None else None
        if self._watched.displacement(fd, size, other, exactly=False) is not None:
            raise _DisplacedError
        self._blobs.sync()
        self._files.sync(fd)
        if dual_write is not None and dual_write.changing:
            dual_write.sync()
        if self._watched.displacement(fd, size, other, exactly=False) is not None:
            raise _DisplacedError


def _release(waiters: list[asyncio.Future[None]], failure: StorageError | None) -> None:
    for waiter in waiters:
        if waiter.done():
            continue
        if failure is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(StorageError(failure.message, hint=failure.hint))
