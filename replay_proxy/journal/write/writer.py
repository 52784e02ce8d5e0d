"""The writer of a recording: append calls, and keep the save strategy's promise.

`append` gives a record its number, writes its line with one `write(2)`, and returns when the promise is kept:

| strategy | `append` returns when the line is | synced |
|---|---|---|
| `ON_REQUEST` | synced | at once; calls that wait at the same time share one `fsync` (`group_commit`) |
| `SCHEDULED` | written | every `flush_interval` seconds, if there is anything to sync |
| `ON_SHUTDOWN` | written | by `close` |
| `MANUAL` | written, and pending | by `save`, which puts what is pending in effect |

(*written* and *synced* are the words of `storage.files`.) `save` and `close` sync under every strategy. Blobs are always
synced before the journal that refers to them.

Order: numbers are given in the order in which `append` is called, without a pause between number and write. `conflict_locks`
makes that an order that the emulator could have executed the calls in.

Failure: a call whose promise cannot be kept is never acknowledged, and nothing is promised after it. `availability` has the
states of a writer. `check` raises, before a call is sent to the emulator, where it could not be recorded, and tries to recover.

Whatever else happens to the files is the business of the modules beside this one: `journal_output` (the open file),
`file_watch` (what others do to the files), `adoption` (a compacted journal takes the place of the present one).
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from replay_proxy.errors import StorageError
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.journal.format.encode import draft_record, encode_drafted
from replay_proxy.journal.format.recorded_headers import answer_to_keep, request_to_keep
from replay_proxy.journal.format.records import JOURNAL_NAME, ControlKind, ControlRecord, Record, RecordKind, utc_now
from replay_proxy.journal.read.reader import Recording
from replay_proxy.journal.storage.blobs import BlobStore
from replay_proxy.journal.storage.files import Files, folder_error, storage_error
from replay_proxy.journal.storage.lock import RecordingLock
from replay_proxy.journal.write.adoption import Adoption
from replay_proxy.journal.write.availability import Availability, WriterState
from replay_proxy.journal.write.displacement import WatchedFiles
from replay_proxy.journal.write.file_watch import FileWatch
from replay_proxy.journal.write.group_commit import GroupCommit
from replay_proxy.journal.write.journal_output import JournalOutput
from replay_proxy.journal.write.recovery import Opened, open_journal
from replay_proxy.wire.signing.sigv4 import Credential

Draft = bytes | ValueError
"""The part of a line that is known before the answer; or why it cannot be written."""


class SaveStrategy(StrEnum):
    """What `append` promises; the values are LocalStack's words."""

    ON_REQUEST = "ON_REQUEST"
    SCHEDULED = "SCHEDULED"
    ON_SHUTDOWN = "ON_SHUTDOWN"
    MANUAL = "MANUAL"


RETRY_INTERVAL_S = 1.0
"""How often a writer that has failed for want of space tries again."""

WATCH_INTERVAL_S = 1.0
"""How often a writer looks whether its files are still where they were."""

_ON_TRIAL: Final = "what follows counts if all of it succeeds"
_YOUNG_BLOBS_MARGIN_S: Final = 60.0


class JournalWriter:
    """The one writer of a recording. Use it from one event loop; `open` makes one.

    warnings: what a user should be told about the opening: a torn tail that was cut, an old file that was converted.
    left_by: the process that wrote before, where it died and did not close the recording; else empty.
    has_unsaved_reset: under `MANUAL`, the emulator was reset and that was not saved, so that a load brings back what was.
    recording_id: that of the header.
    """

    def __init__(
        self, files: Files, lock: RecordingLock, opened: Opened, strategy: SaveStrategy, watched: WatchedFiles
    ) -> None:
        self.path = files.root / JOURNAL_NAME
        self.strategy = strategy
        self.warnings = opened.warnings
        self.left_by = lock.left_by
        self.recording_id = opened.header.id
        self.blobs = BlobStore(files.root, durable=strategy is SaveStrategy.ON_REQUEST, files=files)
        self.blobs.on_made = watched.hold_blobs
        manual = strategy is SaveStrategy.MANUAL
        thread = ThreadPoolExecutor(1, thread_name_prefix="journal-sync")
        state = Availability(self.path)
        self._availability = state
        self._output = JournalOutput(files, opened, state, thread)
        self._watch = FileWatch(files, self._output, state, watched, lock, opened.header, thread, manual=manual)
        self._commits = GroupCommit(files, self._output, self.blobs, state, watched, thread, self._watch.look)
        self._adoption = Adoption(files, self._output, state, self._watch, thread)
        self._watched = watched
        self._thread = thread
        self._found_at_opening: Recording | None = opened.found
        self._last_seq_at_opening, self._effect_at_opening = opened.last_seq, opened.effect
        # Calls since the last session or save record; only MANUAL asks.
        self._pending = False
        self.has_unsaved_reset = opened.effect.has_unsaved_reset
        self._session_due = opened.effect.manual or manual
        self._background: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return f"<JournalWriter {self.path} {self.strategy} {self._availability.state.value}, last seq {self.last_seq}>"

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
        converted (and kept). flush_interval: seconds, for `SCHEDULED`. emulator: goes into the header of a new recording.

        Raises:
            RecordingError: in use by another process, damaged, not a recording, or of a newer format.
            StorageError: the directory cannot be written.
        """
        strategy = SaveStrategy(strategy)
        files = files or Files(Path(data_dir))
        try:
            files.make_root()
        except OSError as error:
            raise folder_error("create the data directory", files.root, error, "--data-dir (DATA_DIR)") from error
        lock = RecordingLock.acquire(files)
        try:
            opened = open_journal(files, dict(emulator or {}), str(uuid.uuid4()))
            try:
                writer = cls(files, lock, opened, strategy, _watched_files(files))
                writer.blobs.recover(younger_than=flush_interval + _YOUNG_BLOBS_MARGIN_S)
                writer._output.hold_reserve()
            except BaseException:
                files.close(opened.fd)
                raise
        except BaseException:
            lock.release()
            raise
        writer._background.append(asyncio.create_task(writer._watch.look_every(WATCH_INTERVAL_S)))
        if strategy is SaveStrategy.SCHEDULED:
            writer._background.append(asyncio.create_task(writer._commits.sync_every(flush_interval)))
        return writer

    def take_found(self) -> Recording | None:
        """Return what the journal held when it was opened, verified and indexed; None the second time, or after an append."""
        found, self._found_at_opening = self._found_at_opening, None
        return found if found is not None and found.layout.tail.last_seq == self.last_seq else None

    # -- appending ---------------------------------------------------------------------------------------------

    @property
    def has_pending(self) -> bool:
        """Under `MANUAL`: has this process recorded something that was not saved since?"""
        return self.strategy is SaveStrategy.MANUAL and self._pending

    def was_in_effect(self, seq: int) -> bool:
        """Return whether the journal held everything up to the number `seq` when it was opened, and it all counted."""
        return seq <= self._last_seq_at_opening and self._effect_at_opening.counts_in_effect(seq, "")

    async def append(self, record: Record) -> int:
        """Write `record` (its own `seq` does not matter), and keep the promise. Return its number.

        Headers, signatures and tokens that are not kept (`format.recorded_headers`) are left out here.

        Raises:
            StorageError: the promise cannot be kept; the call must not be acknowledged.
        """
        seq = self.write(record)
        await self.promised()
        return seq

    def write(self, record: Record) -> int:
        """Number and write a record, without waiting: the first half of `append`. Return its number. Raises StorageError.

        A caller that keeps calls in order (`conflict_locks`) may let the next one in after this, before `promised`.
        """
        draft = self.draft(record.kind, record.head, record.request, record.credential)
        return self.write_drafted(
            draft, record.answer, time=record.time, duration_ms=record.duration_ms, notes=record.notes
        )

    def draft(self, kind: RecordKind, head: CallHead | None, request: Request, credential: Credential) -> Draft:
        """Return what of a line is known before the answer, for `write_drafted`. Raises nothing."""
        try:
            return draft_record(kind, head, request_to_keep(request), credential)
        except ValueError as error:
            return error

    def write_drafted(
        self, draft: Draft, answer: Answer, *, time: str, duration_ms: float, notes: Mapping[str, Any]
    ) -> int:
        """Number and write the call that `draft` has prepared. Return its number. Raises StorageError.

        time: when the request was taken in. duration_ms: from then until the answer was complete, in milliseconds.
        """
        if not self._availability.accepts:
            raise self._availability.error()
        if self._session_due:
            self._begin_session()
        output = self._output
        seq = output.last_seq + 1
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
        output.append(line)
        self._pending = True
        if self.strategy is not SaveStrategy.MANUAL:
            output.effect_changes += 1
        return seq

    async def promised(self) -> None:
        """Wait until all that was written so far is as safe as the strategy says: the second half of `append`.

        Raises StorageError.
        """
        if self.strategy is SaveStrategy.ON_REQUEST:
            await self._commits.sync()

    # -- saving ------------------------------------------------------------------------------------------------

    async def save(self, service: str = "") -> None:
        """Make everything so far durable; under `MANUAL`, put what is pending (of `service`) in effect.

        Raises:
            StorageError: it could not be done.
        """
        if self.has_pending:
            self._output.append_control(ControlRecord(0, utc_now(), ControlKind.SAVE, service=service))
            if not service:
                self._pending = self.has_unsaved_reset = False
        await self._commits.sync()

    def rollback(self) -> None:
        """Under `MANUAL`: declare void what is pending, because a restore goes back to the last save.

        To be called before a restore into a running emulator; a start does it by itself. Raises StorageError.
        """
        if self.has_pending:
            self._begin_session()
        self.has_unsaved_reset = False

    def reset(self, service: str = "") -> None:
        """Record that the emulator was made to forget everything, or one service, without waiting; see `promised`.

        Raises StorageError.
        """
        self.begin_due_session()
        self._output.append_control(ControlRecord(0, utc_now(), ControlKind.RESET, service=service))
        self._pending = True
        self.has_unsaved_reset = self.strategy is SaveStrategy.MANUAL

    def begin_due_session(self) -> None:
        """Begin the session of this process, as its first record does: what another left pending is void. Raises StorageError."""
        if self._session_due:
            self._begin_session()

    # -- what is recorded as a whole, or not at all ----------------------------------------------------------------

    async def begin_trial(self) -> None:
        """Begin calls that are all to count, or none: `keep_trial` puts them in effect, `drop_trial` makes them void.

        So does the end of this process. What is pending under `MANUAL` is saved before. Raises StorageError.
        """
        await self.save()
        mark = ControlRecord(0, utc_now(), ControlKind.SESSION, manual=True, reason=_ON_TRIAL)
        self._output.append_control(mark)
        self._session_due = False

    async def keep_trial(self) -> None:
        """Put in effect what was recorded since `begin_trial`, durably. Raises StorageError."""
        self._output.append_control(ControlRecord(0, utc_now(), ControlKind.SAVE))
        self._begin_session()
        await self._commits.sync()

    def drop_trial(self) -> None:
        """Make void what was recorded since `begin_trial`, and never kept. Raises StorageError."""
        self._begin_session()

    async def close(self) -> None:
        """Make everything durable, and release the recording's lock. Raises StorageError where the last sync fails."""
        if self._availability.state is WriterState.CLOSED:
            return
        await self._adoption.finished()
        for task in self._background:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        try:
            await self._watch.finished()
            await self._watch.look()
            if self._availability.accepts:
                await self._commits.sync()
        finally:
            self._availability.close()
            await self._commits.finished()
            self._thread.shutdown(wait=True)
            with suppress(OSError):
                self._output.close()
            self._watched.close()
            self._watch.lock.release()

    def gap(self, reason: str) -> None:
        """Say in the journal that a call that the emulator executed could not be recorded, for `reason`.

        For calls that fail before they are appended, as when a large body cannot be stored. Raises StorageError.
        """
        self._availability.gap_reason = reason
        self._output.append_gap()

    def _begin_session(self) -> None:
        """Say in the journal whether what follows is in effect at once, or only once it is saved."""
        manual = self.strategy is SaveStrategy.MANUAL
        self._output.append_control(ControlRecord(0, utc_now(), ControlKind.SESSION, manual=manual))
        self._session_due = False
        self._pending = False

    # -- compaction --------------------------------------------------------------------------------------------

    @property
    def effect_revision(self) -> tuple[int, int]:
        """What is another value as soon as other calls may count than before, or the journal is another file."""
        return self._output.replacements, self._output.effect_changes

    @property
    def position(self) -> int:
        """The journal's length in bytes; a line ends there."""
        return self._output.position

    async def adopt(self, end: int) -> None:
        """Go on with the staged journal, in which stands what a compaction kept of the first `end` bytes of this one.

        Raises:
            StorageError: as `Adoption.adopt`. Where there is no `failure` after it, the journal is as it was.
        """
        await self._adoption.adopt(end)

    # -- failure -----------------------------------------------------------------------------------------------

    @property
    def failure(self) -> StorageError | None:
        """Why nothing can be recorded at the moment; None where all is well."""
        return self._availability.failure

    @property
    def last_seq(self) -> int:
        """The number of the last line; 0 where there is none."""
        return self._output.last_seq

    @property
    def is_ready(self) -> bool:
        """Whether nothing speaks against recording a call now; where something does, `check` says what."""
        return self._availability.is_ready

    def check(self) -> None:
        """Ask before a call is sent to the emulator: can it be recorded? Tries to recover where that is possible.

        Raises:
            StorageError: it cannot.
        """
        state = self._availability
        if state.is_ready:
            return
        now = time.monotonic()
        was = state.state
        if was not in (WriterState.FULL, WriterState.FAILED) or now - state.tried_at < RETRY_INTERVAL_S:
            raise state.error()
        state.tried_at = now
        try:
            self._output.hold_reserve()
        except StorageError:
            raise state.error() from None
        state.recover()
        if was is WriterState.FAILED:
            self._output.append_gap()


def _watched_files(files: Files) -> WatchedFiles:
    try:
        return WatchedFiles(files)
    except OSError as error:
        raise storage_error("open the data directory", files.root, error) from error
