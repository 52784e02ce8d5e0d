"""Appending to a journal, and keeping the save strategy's promise.

`append` gives a record its number, writes its line with one `write(2)`, and returns when the promise is kept:

| strategy | `append` returns when the line is | synced |
|---|---|---|
| `ON_REQUEST` | synced | at once; calls that wait at the same time share one `fsync` (group commit) |
| `SCHEDULED` | written | every `flush_interval` seconds, if there is anything to sync |
| `ON_SHUTDOWN` | written | by `close` |
| `MANUAL` | written, and pending | by `save`, which puts what is pending in effect |

(*written* and *synced* are the words of `durable`.) `save` and `close` sync under every strategy, and blobs are always
synced before the journal that refers to them.

Order: numbers are given in the order in which `append` is called, without a pause between number and write. `ordering`
makes that an order that the emulator could have executed the calls in.

Group commit: one `fsync` runs at a time, in a thread. Calls that come in meanwhile write their lines, and wait together
for the next one, which starts when the first ends. So the cost of an `fsync` is shared by as many calls as arrive in
its time, and a single client pays for one per call.

Failure: a call whose promise cannot be kept is never acknowledged, and nothing is promised after it.
- A write that finds the disk full is repeated with the space that was put aside (`reserve`). It is recorded and
  acknowledged; `check` raises before another call is sent to the emulator, until there is space again.
- Any other write that failed is cut back to the end of the last whole line. The journal is as it was, but the emulator
  has executed a call that is not in it: so the writer is *failed*, says so in `failure`, and `check` raises. When
  writing works again, `check` writes a `gap` mark first, which says in the journal for ever that calls are missing
  there; then the writer works again.
- After a failed `fsync`, or a cut that failed too, the writer stays failed until the process is started anew: what the
  kernel holds is no longer known.
- A journal that somebody removed while it was open is noticed at each sync, and is final, too.

`adopt` puts a compacted journal in the place of this one while calls go on being recorded (`twin`).
"""

from __future__ import annotations

import asyncio
import errno
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any

from replay_proxy.errors import StorageError
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.journal.blobs import BlobStore
from replay_proxy.journal.codec import draft_record, encode_drafted, encode_mark
from replay_proxy.journal.durable import Files, storage_error, write_all
from replay_proxy.journal.fields import answer_to_keep, request_to_keep
from replay_proxy.journal.lock import RecordingLock
from replay_proxy.journal.opening import Opened, open_journal
from replay_proxy.journal.reader import Recording
from replay_proxy.journal.records import JOURNAL_NAME, Kind, Mark, MarkKind, Record, utc_now
from replay_proxy.journal.reserve import Reserve
from replay_proxy.journal.twin import Twin, change
from replay_proxy.wire.signing import Credential

Draft = bytes | ValueError
"""The part of a line that is known before the answer; or why it cannot be written."""


class SaveStrategy(StrEnum):
    """What `append` promises; the values are LocalStack's words."""

    ON_REQUEST = "ON_REQUEST"
    SCHEDULED = "SCHEDULED"
    ON_SHUTDOWN = "ON_SHUTDOWN"
    MANUAL = "MANUAL"


RETRY_SECONDS = 1.0
"""How often a writer that has failed for want of space tries again."""


class JournalWriter:
    """The one writer of a recording. Use it from one event loop; `open` makes one.

    warnings: what a user should be told about the opening: a torn tail that was cut, an old file that was converted.
    """

    def __init__(self, files: Files, lock: RecordingLock, opened: Opened, strategy: SaveStrategy) -> None:
        self.path = files.root / JOURNAL_NAME
        self.strategy = strategy
        self.warnings = opened.warnings
        self._found: Recording | None = opened.found
        self.blobs = BlobStore(files.root, durable=strategy is SaveStrategy.ON_REQUEST, files=files)
        self._files = files
        self._lock = lock
        self._fd = opened.fd
        self._offset = opened.offset
        self._last_seq = opened.last_seq
        self._twin: Twin | None = None
        self._adopting: asyncio.Task[None] | None = None
        # Bytes that were appended, and how many of them are synced. What an earlier process wrote may not be synced yet;
        # the first sync covers it.
        self._written = 0
        self._synced = -1
        # Calls since the last session or save mark; only MANUAL asks.
        self._pending = False
        self._session_due = opened.effect.manual or strategy is SaveStrategy.MANUAL
        self._waiters: list[asyncio.Future[None]] = []
        self._syncing: asyncio.Task[None] | None = None
        self._flusher: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal-sync")
        self._reserve = Reserve(files)
        self._failure: tuple[str, str] | None = None
        # Set while calls are still recorded, in the space that was put aside, and no more should be sent.
        self._full: StorageError | None = None
        self._final = False
        self._tried = 0.0
        self._gap_reason = ""
        self._closed = False
        self._changes = 0

    @classmethod
    async def open(
        cls,
        data_dir: Path,
        *,
        strategy: SaveStrategy | str = SaveStrategy.SCHEDULED,
        flush_interval: float = 15.0,
        emulator: Mapping[str, Any] | None = None,
        files: Files | None = None,
    ) -> JournalWriter:
        """Open the recording in `data_dir` for appending; begin one where there is none.

        A torn tail is cut (and kept beside the journal), abandoned spools are removed, LocalStack's legacy file is
        converted (and kept). `emulator` goes into the header of a new recording.

        Raises:
            RecordingError: in use by another process, damaged, not a recording, or of a newer format.
            StorageError: the directory cannot be written.
        """
        strategy = SaveStrategy(strategy)
        files = files or Files(Path(data_dir))
        try:
            files.make_root()
        except OSError as error:
            raise storage_error("create the data directory", files.root, error) from error
        lock = RecordingLock.acquire(files)
        try:
            opened = open_journal(files, dict(emulator or {}), str(uuid.uuid4()))
            try:
                writer = cls(files, lock, opened, strategy)
                writer.blobs.recover(younger_than=flush_interval + 60.0)
                writer._hold_reserve()
            except BaseException:
                files.close(opened.fd)
                raise
        except BaseException:
            lock.release()
            raise
        if strategy is SaveStrategy.SCHEDULED:
            writer._flusher = asyncio.create_task(writer._flush_every(flush_interval))
        return writer

    def take_found(self) -> Recording | None:
        """What the journal held when it was opened, verified and indexed; once, as long as nothing was appended since."""
        found, self._found = self._found, None
        return found if found is not None and found.shape.tail.last_seq == self._last_seq else None

    # -- appending ---------------------------------------------------------------------------------------------

    async def append(self, record: Record) -> int:
        """Write `record` (its own `seq` does not matter), and keep the promise. Gives its number.

        Headers, signatures and tokens that are not kept (see `fields`) are left out here.

        Raises:
            StorageError: the promise cannot be kept; the call must not be acknowledged.
        """
        seq = self.write(record)
        if self.strategy is SaveStrategy.ON_REQUEST:
            await self._sync()
        return seq

    def write(self, record: Record) -> int:
        """The first half of `append`: number and write a record, without waiting. Raises StorageError.

        A caller that keeps calls in order (`ordering`) may let the next one in after this, before `promised`.
        """
        draft = self.draft(record.kind, record.head, record.request, record.credential)
        return self.write_drafted(
            draft, record.answer, time=record.time, duration_ms=record.duration_ms, notes=record.notes
        )

    def draft(self, kind: Kind, head: CallHead | None, request: Request, credential: Credential) -> Draft:
        """Prepare what `write_drafted` writes, as far as it is known before the answer. Never raises."""
        try:
            return draft_record(kind, head, request_to_keep(request), credential)
        except ValueError as error:
            return error

    def write_drafted(
        self, draft: Draft, answer: Answer, *, time: str, duration_ms: float, notes: Mapping[str, Any]
    ) -> int:
        """As `write`, of what `draft` has prepared. duration_ms: from `time` to the answer, in milliseconds."""
        if self._failure is not None or self._closed:
            raise self._unavailable()
        if self._session_due:
            self._begin_session()
        seq = self._last_seq + 1
        try:
            if isinstance(draft, ValueError):
                raise draft
            line = encode_drafted(draft, answer_to_keep(answer), seq, time=time, ms=duration_ms, notes=notes)
        except ValueError as error:
            self.gap(str(error))
            raise StorageError(
                f"a call cannot be recorded: {error}",
                hint="a smaller --body-threshold keeps large bodies out of the journal",
            ) from error
        self._put(line)
        self._last_seq = seq
        self._pending = True
        return seq

    async def promised(self) -> None:
        """The second half of `append`: wait until all that was written so far is as safe as the strategy says."""
        if self.strategy is SaveStrategy.ON_REQUEST:
            await self._sync()

    # -- saving ------------------------------------------------------------------------------------------------

    async def save(self, service: str = "") -> None:
        """Make everything so far durable; under `MANUAL`, put what is pending (of `service`) in effect.

        Raises:
            StorageError: it could not be done.
        """
        if self.strategy is SaveStrategy.MANUAL and self._pending:
            self._mark(Mark(0, utc_now(), MarkKind.SAVE, service=service))
            if not service:
                self._pending = False
        await self._sync()

    def rollback(self) -> None:
        """Under `MANUAL`: declare void what is pending, because a restore goes back to the last save.

        To be called before a restore into a running emulator; a start does it by itself. Raises StorageError.
        """
        if self.strategy is SaveStrategy.MANUAL and self._pending:
            self._begin_session()

    async def flush(self) -> None:
        """Make everything so far durable. Raises StorageError."""
        await self._sync()

    async def close(self) -> None:
        """Make everything durable, and give the recording free. Raises StorageError where the last sync fails."""
        if self._closed:
            return
        if self._adopting is not None:
            await asyncio.wait([self._adopting])
        if self._flusher is not None:
            self._flusher.cancel()
            with suppress(asyncio.CancelledError):
                await self._flusher
        try:
            if self._failure is None:
                await self._sync()
        finally:
            self._closed = True
            if self._syncing is not None:
                with suppress(asyncio.CancelledError):
                    await self._syncing
            self._thread.shutdown(wait=True)
            self._reserve.give_up()
            with suppress(OSError):
                self._files.close(self._fd)
            self._lock.release()

    def gap(self, reason: str) -> None:
        """Say in the journal that a call that the emulator executed could not be recorded, for `reason`.

        For calls that fail before they are appended, as when a large body cannot be stored. Raises StorageError.
        """
        self._gap_reason = reason
        self._mark(Mark(0, utc_now(), MarkKind.GAP, reason=reason))

    # -- compaction --------------------------------------------------------------------------------------------

    @property
    def position(self) -> int:
        """The journal's length in bytes; a line ends there."""
        return self._offset

    async def adopt(self, end: int) -> None:
        """Go on with the staged journal, in which stands what a compaction kept of the first `end` bytes of this one.

        What was appended since is carried over, and no append waits. A caller that is cancelled does not stop it.

        Raises:
            StorageError: it could not be done. Where there is no `failure` after it, the journal is as it was.
        """
        if self._failure is not None or self._closed:
            raise self._unavailable()
        self._adopting = asyncio.create_task(self._adopt(end))
        self._adopting.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.shield(self._adopting)

    async def _adopt(self, end: int) -> None:
        before = self._changes
        try:
            await change(self._files, self, end, self._thread)
        except StorageError as error:
            if self._changes != before:
                self._fail_for_good(error)
            raise

    def begin_twin(self, twin: Twin) -> None:
        """For `twin`: write every line twice from now on."""
        self._twin = twin

    def end_twin(self, *, adopted: bool) -> None:
        """For `twin`: write once again, and to the twin alone where it was `adopted`."""
        twin, self._twin = self._twin, None
        if adopted and twin is not None:
            # A sync may be using the old descriptor: it is closed in the same thread, after it.
            old, self._fd, self._offset = self._fd, twin.fd, twin.offset
            self._changes += 1
            self._thread.submit(self._files.close, old)

    # -- failure -----------------------------------------------------------------------------------------------

    @property
    def failure(self) -> StorageError | None:
        """Why nothing can be recorded at the moment; None where all is well."""
        return self._unavailable() if self._failure is not None or self._full is not None else None

    @property
    def last_seq(self) -> int:
        """The number of the last line; 0 where there is none."""
        return self._last_seq

    @property
    def is_ready(self) -> bool:
        """Whether nothing speaks against recording a call now; where something does, `check` says what."""
        return self._failure is None and self._full is None and not self._closed

    def check(self) -> None:
        """Ask before a call is sent to the emulator: can it be recorded? Tries to recover where that is possible.

        Raises:
            StorageError: it cannot.
        """
        if self.is_ready:
            return
        now = time.monotonic()
        if self._final or self._closed or now - self._tried < RETRY_SECONDS:
            raise self._unavailable()
        self._tried = now
        try:
            self._reserve.hold()
        except OSError:
            raise self._unavailable() from None
        failure, self._failure = self._failure, None
        self._full = None
        if failure is None:
            return
        try:
            self._mark(Mark(0, utc_now(), MarkKind.GAP, reason=self._gap_reason))
        except StorageError:
            self._failure = self._failure or failure
            raise

    def _hold_reserve(self) -> None:
        try:
            self._reserve.hold()
        except OSError as error:
            raise storage_error("put space aside for the recording", self.path.parent, error) from error

    def _unavailable(self) -> StorageError:
        if self._failure is None and self._full is not None:
            return StorageError(self._full.message, hint=self._full.hint)
        if self._failure is None:
            return StorageError(f"{self.path} is closed", hint="the proxy is stopping")
        message, hint = self._failure
        return StorageError(message, hint=hint)

    def _fail_for_good(self, error: StorageError) -> None:
        self._final = True
        self._failure = (error.message, error.hint + "; then start the proxy anew: until then nothing is recorded")
        self._gap_reason = error.message

    def _fail(self, doing: str, error: OSError, *, final: bool) -> StorageError:
        told = storage_error(doing, self.path, error)
        hint = told.hint
        if final:
            hint += "; then start the proxy anew: until then nothing is recorded"
        self._tried = time.monotonic()
        self._final = self._final or final
        self._failure = (told.message, hint)
        self._gap_reason = error.strerror or str(error)
        return StorageError(told.message, hint=hint)

    # -- lines -------------------------------------------------------------------------------------------------

    def _begin_session(self) -> None:
        """Say in the journal whether what follows is in effect at once, or only once it is saved."""
        self._session_due = False
        manual = self.strategy is SaveStrategy.MANUAL
        try:
            self._mark(Mark(0, utc_now(), MarkKind.SESSION, manual=manual))
        except StorageError:
            self._session_due = True
            raise
        self._pending = False

    def _mark(self, mark: Mark) -> None:
        if self._failure is not None or self._closed:
            raise self._unavailable()
        self._put(encode_mark(mark, self._last_seq + 1))
        self._last_seq += 1

    def _put(self, line: bytes) -> None:
        try:
            self._write_line(line)
        except OSError as error:
            self._cut_back(error)
            if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not self._reserve.give_up():
                raise self._fail("append to the recording", error, final=False) from error
            try:
                self._write_line(line)
            except OSError as again:
                self._cut_back(again)
                raise self._fail("append to the recording", again, final=False) from again
            self._full = storage_error("record more calls", self.path, error)
            self._tried = time.monotonic()
        self._offset += len(line)
        self._written += len(line)

    def _write_line(self, line: bytes) -> None:
        write_all(self._files, self._fd, line)
        if self._twin is not None:
            self._twin.write(line)

    def _cut_back(self, error: OSError) -> None:
        """Take away what a failed write left of a line. Raises StorageError where that fails, too."""
        try:
            self._files.cut(self._fd, self._offset)
            if self._twin is not None:
                self._twin.cut_back()
        except OSError:
            raise self._fail("append to the recording", error, final=True) from error

    # -- syncing -----------------------------------------------------------------------------------------------

    async def _sync(self) -> None:
        """Wait until everything that is written by now is synced. Raises StorageError."""
        if self._failure is not None or self._closed:
            raise self._unavailable()
        if self._synced >= self._written:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        if self._syncing is None:
            self._syncing = asyncio.create_task(self._sync_rounds())
        await waiter

    async def _sync_rounds(self) -> None:
        """Sync until nobody waits. Who comes during a round belongs to the next: this one may miss its line."""
        loop = asyncio.get_running_loop()
        try:
            while self._waiters:
                round_of, self._waiters = self._waiters, []
                written = self._written
                try:
                    await loop.run_in_executor(self._thread, self._sync_files, self._fd, self._twin)
                except OSError as error:
                    told = self._fail("make the recording durable", error, final=True)
                    for waiter in round_of + self._waiters:
                        if not waiter.done():
                            waiter.set_exception(StorageError(told.message, hint=told.hint))
                    self._waiters = []
                    return
                self._synced = max(self._synced, written)
                for waiter in round_of:
                    if not waiter.done():
                        waiter.set_result(None)
        finally:
            self._syncing = None

    def _sync_files(self, fd: int, twin: Twin | None) -> None:
        self.blobs.sync()
        self._files.sync(fd)
        if twin is not None and twin.changing:
            twin.sync()
        elif not self._files.has_name(fd):
            raise FileNotFoundError(2, "the file was removed while it was in use")

    async def _flush_every(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            # The failure is kept: the next append, and `check`, tell it.
            with suppress(StorageError):
                await self._sync()
