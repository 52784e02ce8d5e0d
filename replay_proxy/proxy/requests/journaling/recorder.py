"""Writes calls into a recording, with the checks before and the waits after it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from replay_proxy.call_filter import CallFilter
from replay_proxy.errors import StorageError
from replay_proxy.exchange import Answer, BlobRef, Body, CallHead, Request
from replay_proxy.journal.format.records import Record, RecordKind, utc_now
from replay_proxy.journal.storage.blobs import Spool
from replay_proxy.journal.write.conflict_locks import ConflictLock, ConflictLocks
from replay_proxy.journal.write.writer import Draft, JournalWriter, SaveStrategy
from replay_proxy.proxy.http.streams import Stream
from replay_proxy.proxy.requests.journaling.omissions import Omissions
from replay_proxy.proxy.requests.journaling.unrecordable import UnrecordedCalls
from replay_proxy.wire.signing.sigv4 import Credential, scrub


class SpooledBody:
    """A streamed request body, of which a copy is spooled to a file while it goes to the emulator.

    continue_unrecorded: pass the body on where it cannot be spooled; `keep` raises then.
    """

    def __init__(self, spool: Spool | StorageError, prefix: bytes, rest: Stream, *, continue_unrecorded: bool) -> None:
        self._spool = spool
        self._prefix = prefix
        self._rest = rest
        self._continue_unrecorded = continue_unrecorded

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body; each chunk is spooled before it is passed on. Raises `StorageError` unless `continue_unrecorded`."""
        if self._prefix:
            self._spool_chunk(self._prefix)
            yield self._prefix
        async for chunk in self._rest:
            self._spool_chunk(chunk)
            yield chunk

    def _spool_chunk(self, chunk: bytes) -> None:
        if isinstance(self._spool, Spool):
            try:
                self._spool.write(chunk)
            except StorageError as error:
                self._spool = error
                if not self._continue_unrecorded:
                    raise

    async def keep(self) -> Body:
        """Keep the body, which was sent whole, as a blob, and return that. Raises `StorageError`."""
        if isinstance(self._spool, StorageError):
            raise self._spool
        return await self._spool.commit()

    def drop(self) -> None:
        """Remove what was spooled: the call is not recorded."""
        if isinstance(self._spool, Spool):
            self._spool.abort()


class Recorder:
    """Writes calls into one recording.

    inline_bytes_max: a larger body becomes a blob. call_filter: which calls are wanted in the recording.
    continue_unrecorded: let calls through that cannot be recorded (`--when-unrecordable continue`).
    """

    def __init__(
        self,
        writer: JournalWriter,
        inline_bytes_max: int,
        *,
        call_filter: CallFilter,
        continue_unrecorded: bool = False,
    ) -> None:
        self._writer = writer
        self._inline_bytes_max = inline_bytes_max
        self._conflict_locks = ConflictLocks()
        self._call_filter = call_filter
        self.omissions = Omissions(self.mark_gap)
        self.unrecorded = UnrecordedCalls(self.omissions, continue_unrecorded=continue_unrecorded)

    def is_wanted(self, head: CallHead, *, witness: bool = False) -> bool:
        """Return whether the settings want this call recorded. witness: it is a read."""
        return not self._call_filter.refusal(head, witness=witness)

    def check(self) -> None:
        """Check, before a call is sent, that it can be recorded. Raises `StorageError` where it is to be refused."""
        try:
            self._writer.check()
        except StorageError:
            if not self.unrecorded.continue_unrecorded:
                raise

    def spool(self, prefix: bytes, rest: Stream) -> SpooledBody:
        """Begin to spool a streamed body. Raises `StorageError` where that cannot be done and such calls are refused."""
        try:
            spool = self._writer.blobs.begin()
        except StorageError as error:
            if not self.unrecorded.continue_unrecorded:
                raise
            return SpooledBody(error, prefix, rest, continue_unrecorded=True)
        return SpooledBody(spool, prefix, rest, continue_unrecorded=self.unrecorded.continue_unrecorded)

    def spool_answer(self, body: bytes) -> Spool:
        """Spool the body of an answer that may be recorded, and return the spool. Raises `StorageError`."""
        spool = self._writer.blobs.begin()
        spool.write(body)
        return spool

    def stored(self, body: Body, chunk_bytes: int) -> Iterator[bytes]:
        """Read a body that was stored as a blob. Blocking. Raises `RecordingError` or `StorageError`."""
        assert isinstance(body, BlobRef)
        return self._writer.blobs.read(body, chunk_bytes)

    async def keep(self, spooled: SpooledBody) -> Body:
        """Keep the body of a call that was carried out, and return the blob. Raises `StorageError`, after marking a gap."""
        try:
            return await spooled.keep()
        except StorageError as error:
            self.mark_gap(error.message)
            raise

    def mark_gap(self, reason: str) -> None:
        """Mark in the journal, as far as it can be written, that a call is missing there which the emulator has carried out."""
        with suppress(StorageError):
            self._writer.gap(reason)

    @property
    def is_ready(self) -> bool:
        """Whether a call can be recorded now; where not, `check` says why."""
        return self._writer.is_ready

    @property
    def saves_later(self) -> bool:
        """Whether a call that was written has yet to become durable (`wait_until_durable`)."""
        return self._writer.strategy is SaveStrategy.ON_REQUEST

    def conflict_lock(self, head: CallHead, request: Request) -> ConflictLock:
        """Return the lock that a call holds until it is recorded, so that calls that touch the same thing take turns."""
        return self._conflict_locks.lock(head, request)

    async def wait_until_durable(self) -> None:
        """Wait until what was written is as durable as the save strategy promises. Raises `StorageError`."""
        await self._writer.promised()

    async def write(
        self,
        head: CallHead,
        request: Request,
        answer: Answer,
        *,
        time: str,
        duration_ms: float,
        notes: Mapping[str, Any],
    ) -> None:
        """Record a change that was carried out.

        Raises:
            StorageError: it could not be written; the caller must not acknowledge it.
        """
        try:
            record = await self._record(RecordKind.MUTATION, head, request, answer, time, duration_ms, notes)
        except StorageError as error:
            self.mark_gap(error.message)
            raise
        self._writer.write(record)

    def draft(self, head: CallHead, request: Request) -> Draft:
        """Return the part of a record that the request gives, to be prepared while the emulator works; `write_now` takes it."""
        stored, credential = scrub(request)
        return self._writer.draft(RecordKind.MUTATION, head, stored, credential)

    def write_now(
        self, draft: Draft, answer: Answer, *, time: str, duration_ms: float, notes: Mapping[str, Any]
    ) -> None:
        """Record a change whose bodies are no larger than `inline_bytes_max`, without waiting. Raises `StorageError`."""
        self._writer.write_drafted(draft, answer, time=time, duration_ms=duration_ms, notes=notes)

    async def witness(
        self,
        head: CallHead,
        request: Request,
        answer: Answer,
        *,
        after: int,
        counts: Callable[[], bool],
        notes: Mapping[str, Any] | None = None,
    ) -> bool:
        """Record a witness: a read that was made when `after` was the number of the last record. Return whether it is recorded.

        counts: tells whether the emulator still holds what it was asked about; it is asked when the record is written, with no
        pause between. Raises `StorageError`.
        """
        notes = {"after": after, **(notes or {})}
        record = await self._record(RecordKind.WITNESS, head, request, answer, utc_now(), 0.0, notes)
        if not counts():
            return False
        await self._writer.append(record)
        return True

    async def keep_body(self, body: Body) -> Body:
        """Return a body as it is to stand in a record: as a blob where it is large. Raises `StorageError`."""
        return await self._blob(body) if _size(body) > self._inline_bytes_max else body

    def observation(
        self,
        head: CallHead,
        request: Request,
        answer: Answer,
        credential: Credential,
        *,
        time: str,
        notes: Mapping[str, Any],
    ) -> None:
        """Record what the emulator did by itself, without waiting; `request` is not signed. Raises `StorageError`."""
        self._writer.write(
            Record(0, time, 0.0, RecordKind.OBSERVATION, head, request, answer, credential=credential, notes=notes)
        )

    @property
    def last_seq(self) -> int:
        """Return the number of the last record; 0 where there is none."""
        return self._writer.last_seq

    async def _record(
        self,
        kind: RecordKind,
        head: CallHead,
        request: Request,
        answer: Answer,
        time: str,
        duration_ms: float,
        notes: Mapping[str, Any],
    ) -> Record:
        stored, credential = scrub(request)
        if _size(stored.body) > self._inline_bytes_max:
            stored = replace(stored, body=await self._blob(stored.body))
        if _size(answer.body) > self._inline_bytes_max:
            answer = replace(answer, body=await self._blob(answer.body))
        return Record(
            seq=0,
            time=time,
            duration_ms=round(duration_ms, 3),
            kind=kind,
            head=head,
            request=stored,
            answer=answer,
            credential=credential,
            notes=notes,
        )

    async def _blob(self, body: Body) -> Body:
        return await self._writer.blobs.put(body) if isinstance(body, bytes) else body


def _size(body: Body) -> int:
    """Return the size of a body that is held in memory, in bytes; 0 for a blob."""
    return len(body) if isinstance(body, bytes) else 0
