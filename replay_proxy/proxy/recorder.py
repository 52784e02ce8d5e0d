"""From an exchange that changed state to a record in the journal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from replay_proxy.exchange import Answer, Body, CallHead, Request
from replay_proxy.journal.blobs import Spool
from replay_proxy.journal.ordering import Ordering
from replay_proxy.journal.records import Kind, Record, utc_now
from replay_proxy.journal.writer import JournalWriter
from replay_proxy.proxy.streams import Stream
from replay_proxy.wire.signing import scrub


class Spooled:
    """A request body on its way to the emulator, of which a copy is kept."""

    def __init__(self, spool: Spool, prefix: bytes, rest: Stream) -> None:
        self._spool = spool
        self._prefix = prefix
        self._rest = rest

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body; each chunk is kept before it is passed on."""
        if self._prefix:
            self._spool.write(self._prefix)
            yield self._prefix
        async for chunk in self._rest:
            self._spool.write(chunk)
            yield chunk

    async def keep(self) -> Body:
        """The body was sent whole, and belongs to a call that is recorded."""
        return await self._spool.commit()

    def drop(self) -> None:
        """The call is not recorded."""
        self._spool.abort()


class Recorder:
    """Writes calls into a recording. `threshold`: bytes from which a body becomes a blob."""

    def __init__(self, writer: JournalWriter, threshold: int) -> None:
        self._writer = writer
        self._threshold = threshold
        self._ordering = Ordering()

    def check(self) -> None:
        """Ask before a call is sent. Raises `StorageError` where it could not be recorded."""
        self._writer.check()

    def spool(self, prefix: bytes, rest: Stream) -> Spooled:
        """Keep a copy of a streamed body. Raises `StorageError` where no file can be written."""
        return Spooled(self._writer.blobs.begin(), prefix, rest)

    def turn(self, head: CallHead, request: Request) -> AbstractAsyncContextManager[None]:
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
        self._writer.write(await self._record(Kind.MUTATION, head, request, answer, time, duration_ms, notes))

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
        return Record(
            seq=0,
            time=time,
            duration_ms=round(duration_ms, 3),
            kind=kind,
            head=head,
            request=Request(stored.method, stored.target, stored.headers, await self._body(stored.body)),
            answer=Answer(answer.status, answer.headers, await self._body(answer.body), answer.reason),
            credential=credential,
            notes=notes,
        )

    async def _body(self, body: Body) -> Body:
        if isinstance(body, bytes) and len(body) > self._threshold:
            return await self._writer.blobs.put(body)
        return body
