"""From an exchange that changed state to a record in the journal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from replay_proxy.errors import StorageError
from replay_proxy.exchange import Answer, Body, CallHead, Request
from replay_proxy.journal.blobs import Spool
from replay_proxy.journal.ordering import Ordering, Turn
from replay_proxy.journal.records import Kind, Record, utc_now
from replay_proxy.journal.writer import Draft, JournalWriter, SaveStrategy
from replay_proxy.proxy.streams import Stream
from replay_proxy.proxy.unrecorded import Unrecorded
from replay_proxy.wire.selection import Selection
from replay_proxy.wire.signing import scrub


class Spooled:
    """A request body on its way to the emulator, of which a copy is kept.

    go_on: a body that cannot be kept is passed on all the same, and `keep` says why it was not kept.
    """

    def __init__(self, spool: Spool | StorageError, prefix: bytes, rest: Stream, *, go_on: bool) -> None:
        self._spool = spool
        self._prefix = prefix
        self._rest = rest
        self._go_on = go_on

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body; each chunk is kept before it is passed on. Raises `StorageError` unless `go_on`."""
        if self._prefix:
            self._take(self._prefix)
            yield self._prefix
        async for chunk in self._rest:
            self._take(chunk)
            yield chunk

    def _take(self, chunk: bytes) -> None:
        if isinstance(self._spool, Spool):
            try:
                self._spool.write(chunk)
            except StorageError as error:
                self._spool = error
                if not self._go_on:
                    raise

    async def keep(self) -> Body:
        """The body was sent whole, and belongs to a call that is recorded. Raises `StorageError`."""
        if isinstance(self._spool, StorageError):
            raise self._spool
        return await self._spool.commit()

    def drop(self) -> None:
        """The call is not recorded."""
        if isinstance(self._spool, Spool):
            self._spool.abort()


class Recorder:
    """Writes calls into a recording.

    threshold: bytes from which a body becomes a blob. go_on: calls that cannot be recorded are let through.
    selection: what is to be recorded at all.
    """

    def __init__(self, writer: JournalWriter, threshold: int, *, selection: Selection, go_on: bool = False) -> None:
        self._writer = writer
        self._threshold = threshold
        self._ordering = Ordering()
        self._selection = selection
        self.unrecorded = Unrecorded(go_on=go_on)

    def takes(self, head: CallHead, *, witness: bool = False) -> bool:
        """Is this call to be recorded, as far as the switches say?"""
        return not self._selection.refusal(head, witness=witness)

    def check(self) -> None:
        """Ask before a call is sent. Raises `StorageError` where it could not be recorded, and is to be refused."""
        try:
            self._writer.check()
        except StorageError:
            if not self.unrecorded.go_on:
                raise

    def spool(self, prefix: bytes, rest: Stream) -> Spooled:
        """Keep a copy of a streamed body. Raises `StorageError` where no file can be written, and calls are refused then."""
        try:
            spool = self._writer.blobs.begin()
        except StorageError as error:
            if not self.unrecorded.go_on:
                raise
            return Spooled(error, prefix, rest, go_on=True)
        return Spooled(spool, prefix, rest, go_on=self.unrecorded.go_on)

    async def keep(self, spooled: Spooled) -> Body:
        """The body of a call that was executed. Raises `StorageError`, after marking a gap."""
        try:
            return await spooled.keep()
        except StorageError as error:
            self.gap(error.message)
            raise

    def gap(self, reason: str) -> None:
        """Mark in the journal that a call that the emulator executed is missing there, as far as that can be written."""
        with suppress(StorageError):
            self._writer.gap(reason)

    @property
    def is_ready(self) -> bool:
        """Whether nothing speaks against recording a call now; where something does, `check` says what."""
        return self._writer.is_ready

    @property
    def promises_late(self) -> bool:
        """Is there anything to wait for after a call was written (`promised`)?"""
        return self._writer.strategy is SaveStrategy.ON_REQUEST

    def turn(self, head: CallHead, request: Request) -> Turn:
        """Held from before a call is sent until it is written: calls that could touch the same thing take turns."""
        return self._ordering.turn(head, request)

    async def promised(self) -> None:
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
        """Record one call.

        Raises:
            StorageError: it could not be written; the caller must not acknowledge it.
        """
        try:
            record = await self._record(Kind.MUTATION, head, request, answer, time, duration_ms, notes)
        except StorageError as error:
            self.gap(error.message)
            raise
        self._writer.write(record)

    def draft(self, head: CallHead, request: Request) -> Draft:
        """What `write_now` takes of a request; to be prepared while the emulator is at work."""
        stored, credential = scrub(request)
        return self._writer.draft(Kind.MUTATION, head, stored, credential)

    def write_now(
        self, draft: Draft, answer: Answer, *, time: str, duration_ms: float, notes: Mapping[str, Any]
    ) -> None:
        """As `write`, without waiting: for bodies that are no larger than the threshold. Raises StorageError."""
        self._writer.write_drafted(draft, answer, time=time, duration_ms=duration_ms, notes=notes)

    async def witness(self, head: CallHead, request: Request, answer: Answer, *, after: int) -> None:
        """Record a read that was made when `after` was the number of the last record. Raises `StorageError`."""
        notes = {"after": after}
        await self._writer.append(await self._record(Kind.WITNESS, head, request, answer, utc_now(), 0.0, notes))

    @property
    def last_seq(self) -> int:
        """The number of the last record; 0 where there is none."""
        return self._writer.last_seq

    async def _record(
        self,
        kind: Kind,
        head: CallHead,
        request: Request,
        answer: Answer,
        time: str,
        duration_ms: float,
        notes: Mapping[str, Any],
    ) -> Record:
        stored, credential = scrub(request)
        if _size(stored.body) > self._threshold:
            stored = replace(stored, body=await self._blob(stored.body))
        if _size(answer.body) > self._threshold:
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
    """Of what lies in memory, in bytes."""
    return len(body) if isinstance(body, bytes) else 0
