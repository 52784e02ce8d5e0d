"""One request on one connection to the emulator, and its answer.

A body that streams is written by a task of its own while the answer is awaited, because a server may answer, or
refuse, before it has read everything.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum

from aiohttp.client_exceptions import ClientError, SocketTimeoutError
from aiohttp.http import HttpProcessingError, StreamWriter
from aiohttp.streams import StreamReader

from replay_proxy.errors import AnswerError, AnswerTimeoutError
from replay_proxy.exchange import Headers
from replay_proxy.proxy.http.client.connection import Connection
from replay_proxy.proxy.http.client.pool import Pool
from replay_proxy.proxy.http.framing import declared_length, end_to_end
from replay_proxy.proxy.http.malformed import reason
from replay_proxy.proxy.http.streams import ClientGoneError, Stream, close_stream
from replay_proxy.proxy.http.tunnel import TunnelEnd


class State(Enum):
    """What has come of the answer. (The upload of a streamed body runs beside it, see `UpstreamCall.start_upload`.)"""

    AWAITING_HEAD = "awaiting a head"
    """Nothing has arrived."""
    INTERIM = "awaiting the final head"
    """An interim answer has arrived (1xx other than 101)."""
    READING_BODY = "reading the body"
    """The final head has arrived; the connection belongs to the body."""
    TUNNELLED = "tunnelled"
    """The connection has left HTTP, and belongs to a `TunnelEnd`."""
    COMPLETE = "complete"
    """The answer was read to its end, and the connection went back to the pool."""
    CUT = "cut"
    """The connection was closed before that."""


_HEADS = frozenset({State.INTERIM, State.READING_BODY, State.TUNNELLED, State.CUT})
TRANSITIONS: dict[State, frozenset[State]] = {
    State.AWAITING_HEAD: _HEADS,
    State.INTERIM: _HEADS,
    State.READING_BODY: frozenset({State.COMPLETE, State.CUT}),
    State.TUNNELLED: frozenset({State.CUT}),
    State.COMPLETE: frozenset(),
    State.CUT: frozenset({State.CUT}),  # whoever waited for the answer cleans up once more
}


class UpstreamCall:
    """One request on one connection, which goes back to the pool when the answer has been read."""

    __slots__ = ("_loop", "_pool", "_state", "_upgrade", "_upload", "_upload_error", "connection")

    def __init__(
        self, pool: Pool, connection: Connection, loop: asyncio.AbstractEventLoop, *, upgrade: bool = False
    ) -> None:
        """upgrade: the emulator was asked to leave HTTP."""
        self._pool = pool
        self._loop = loop
        self._state = State.AWAITING_HEAD
        self._upload: asyncio.Task[None] | None = None
        self._upload_error: BaseException | None = None
        self._upgrade = upgrade
        self.connection = connection

    def __repr__(self) -> str:
        upload = ""
        if self._upload is not None:
            upload = ", upload " + ("failed" if self._upload_error else "ended" if self._upload.done() else "under way")
        return f"<UpstreamCall {self._state.value}{upload}>"

    def _move(self, state: State) -> None:
        assert state in TRANSITIONS[self._state], f"{self!r} cannot become {state.value}"
        self._state = state

    @property
    def has_heard(self) -> bool:
        """Has the emulator sent the head of any answer, be it an interim one?"""
        return self._state not in (State.AWAITING_HEAD, State.CUT)

    def start_upload(self, body: Stream, length: int | None) -> None:
        """Start to write a streamed body, in a task of its own. length: in bytes; None sends it chunked."""
        self._upload = self._loop.create_task(self._write(body, self.connection.writer(self._loop), length))

    async def _write(self, body: Stream, writer: StreamWriter, length: int | None) -> None:
        try:
            if length is None:
                writer.enable_chunking()
            left = length
            async for chunk in body:
                if left is not None:
                    left -= len(chunk)
                    if left < 0:
                        raise ValueError("a request's body is longer than it was declared")
                try:
                    async with asyncio.timeout(self.connection.protocol.read_timeout):
                        await writer.write(chunk)
                except TimeoutError:
                    self._fail_upload(AnswerTimeoutError("the emulator took nothing of a body for too long"))
                    return
                except ConnectionError:
                    # The emulator closed the connection; whether it has answered before is for the reading side to see.
                    return
            if left:
                raise ClientGoneError("a request's body is shorter than it was declared")
            await writer.write_eof()
            self.connection.protocol.start_timeout()
        except asyncio.CancelledError:
            raise
        except ConnectionError as exc:
            if isinstance(exc, ClientGoneError):
                self._fail_upload(exc)
        except Exception as exc:
            self._fail_upload(exc)

    def _fail_upload(self, error: BaseException) -> None:
        """Close the connection. The answer may have arrived all the same, and is read then."""
        self._upload_error = error
        self.connection.abort()

    async def answer(self) -> UpstreamAnswer:
        """Wait for the final answer's head and return it. Interim answers (1xx other than 101) are dropped.

        Raises `AnswerError`, or what the request's body raised.
        """
        protocol = self.connection.protocol
        try:
            while True:
                message, payload = await protocol.read()
                if message.code >= 200 or message.code == 101:
                    break
                self._move(State.INTERIM)
            if message.code == 101 and not self._upgrade:
                self._move(State.INTERIM)
                raise AnswerError("the emulator left HTTP, which it was not asked to do")
        except (ClientError, HttpProcessingError, ConnectionError, TimeoutError) as exc:
            raise self.failure(exc, "an answer") from exc
        headers = _unfolded(Headers.from_raw(message.raw_headers))
        reason = message.reason
        if not reason.isascii():
            reason = reason.encode("utf-8", "surrogateescape").decode("latin-1")
        if message.code == 101:
            self._move(State.TUNNELLED)
            protocol.read_timeout = None  # either side of a tunnel may be silent for as long as it likes
            tunnel = TunnelEnd(protocol, self.connection.writer(self._loop))
            protocol.set_parser(tunnel, None)
            return UpstreamAnswer(101, reason, headers, None, b"", tunnel)
        self._move(State.READING_BODY)
        length = declared_length(headers)
        headers = end_to_end(headers)
        if payload.is_eof() and payload.exception() is None:
            body = payload.read_nowait()
            await self.finish()
            return UpstreamAnswer(message.code, reason, headers, length, body)
        return UpstreamAnswer(message.code, reason, headers, length, AnswerStream(self, payload))

    async def finish(self) -> None:
        """Free the connection: the answer was read to its end. A request that is still being written has no reader any more."""
        if self._upload is not None and not self._upload.done():
            await self.abandon()
        elif self._upload_error is not None:
            self.cut()
        else:
            self._move(State.COMPLETE)
            self._pool.release(self.connection, self._loop)

    def cut(self) -> None:
        """Close the connection at once."""
        self._move(State.CUT)
        self.connection.abort()

    async def abandon(self) -> None:
        """Close the connection at once, and end the upload."""
        self.cut()
        upload, self._upload = self._upload, None
        if upload is not None and not upload.done():
            upload.cancel()
            await asyncio.wait([upload])

    def failure(self, exc: BaseException, what: str) -> BaseException:
        """Return the error for the caller, where `exc` ended the wait for `what`. An error of the request's body goes first."""
        if self._upload_error is not None:
            return self._upload_error
        if isinstance(exc, SocketTimeoutError):
            return AnswerTimeoutError(f"the emulator was silent for too long; no end of {what}")
        return AnswerError(f"the emulator's connection broke before {what} was whole: {reason(exc)}")


def _unfolded(headers: Headers) -> Headers:
    """Return the fields with spaces for line breaks inside of values, as a proxy must (RFC 9112, section 5.2)."""
    values = "".join([value for _, value in headers.pairs])
    if "\n" not in values and "\r" not in values:
        return headers
    return Headers((name, " ".join(value.split())) for name, value in headers.pairs)


@dataclass(slots=True)
class UpstreamAnswer:
    """The head of the emulator's answer, and its body as it comes.

    status, reason: as received. headers: the end-to-end fields (all fields of a 101).
    length: the declared `Content-Length`, None where there is none.
    body: bytes where the whole body had arrived with the head, else the stream `chunks`.
    tunnel: the connection after a 101.

    Read `chunks` to its end or call `aclose`; either frees the connection.
    """

    status: int
    reason: str
    headers: Headers
    length: int | None
    body: bytes | AnswerStream
    tunnel: TunnelEnd | None = None

    @property
    def chunks(self) -> Stream:
        """The body as a stream in any case. To be asked for once."""
        return _one(self.body) if isinstance(self.body, bytes) else self.body

    async def read(self) -> bytes:
        """Return the whole body. Raises `AnswerError` where it does not arrive whole."""
        if isinstance(self.body, bytes):
            return self.body
        return b"".join([chunk async for chunk in self.body])

    async def aclose(self) -> None:
        """Give the answer up. A connection whose body was not read to its end is cut."""
        await close_stream(self.body)
        if self.tunnel is not None:
            self.tunnel.close()


class AnswerStream:
    """The chunks of an answer's body; the connection goes back to the pool after the last one."""

    __slots__ = ("_call", "_payload")

    def __init__(self, call: UpstreamCall, payload: StreamReader) -> None:
        self._call: UpstreamCall | None = call
        self._payload = payload

    def __aiter__(self) -> AnswerStream:
        return self

    async def __anext__(self) -> bytes:
        call = self._call
        if call is None:
            raise StopAsyncIteration
        try:
            chunk = await self._payload.readany()
        except asyncio.CancelledError:
            await self.aclose()
            raise
        except Exception as exc:
            await self.aclose()
            raise call.failure(exc, "the answer's body") from exc
        if chunk:
            return chunk
        self._call = None
        await call.finish()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Cut the connection unless the body was read to its end."""
        call, self._call = self._call, None
        if call is not None:
            await call.abandon()

    def __del__(self) -> None:
        if self._call is not None:
            self._call.cut()


async def _one(body: bytes) -> AsyncIterator[bytes]:
    if body:
        yield body
