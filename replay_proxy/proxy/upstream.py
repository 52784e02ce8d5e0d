"""The client side of the proxy: requests to the emulator, byte for byte, streamed both ways.

What can go wrong falls into two classes, and callers must tell them apart:

- `ConnectError`: no connection came about, so nothing of the request was seen. Sending it again is safe.
- `AnswerError`: the request, or a part of it, was written, and no whole answer came back. The emulator may have
  carried it out. (`AnswerTimeoutError`: it was silent for longer than `read_timeout`.)

A kept-alive connection that turns out to be closed is replaced silently only where that cannot run a request
twice to any effect: the connection was reused, not one byte of an answer arrived, the body is in memory, and the
method is idempotent (RFC 9110, section 9.2.2). That is the last resort: `connection` explains how stale
connections are avoided in the first place, for POST too.

A body that streams is written by a task of its own while the answer is awaited, because a server may answer, or
refuse, before it has read everything. Small bodies are written together with the head.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from aiohttp.client_exceptions import ClientError, SocketTimeoutError
from aiohttp.http import HttpProcessingError, StreamWriter
from aiohttp.streams import StreamReader

from replay_proxy.errors import UsageError
from replay_proxy.exchange import Answer, BlobRef, Headers, Request
from replay_proxy.proxy.connection import Catcher, ClientProtocol, Connection, Dialled, Pool
from replay_proxy.proxy.framing import declared_length, end_to_end, request_head
from replay_proxy.proxy.streams import ClientGoneError, Stream, close_stream, collect
from replay_proxy.proxy.tunnel import TunnelEnd

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
# A body of a declared length up to this is read before anything is sent: no task, one write, and it can be resent.
_SMALL = 16 * 1024


class UpstreamError(ConnectionError):
    """The emulator gave no (whole) answer."""


class ConnectError(UpstreamError):
    """The emulator cannot be reached; it has seen nothing of the request."""


class AnswerError(UpstreamError):
    """The connection broke, or carried nonsense, after the request was (partly) sent."""


class AnswerTimeoutError(AnswerError):
    """The emulator was silent for longer than the read timeout."""


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
        """The body as a stream in any case; ask once."""
        return _one(self.body) if isinstance(self.body, bytes) else self.body

    async def read(self) -> bytes:
        """The whole body. Raises `AnswerError` where it does not arrive whole."""
        if isinstance(self.body, bytes):
            return self.body
        return b"".join([chunk async for chunk in self.body])

    async def aclose(self) -> None:
        """Give the answer up: a connection with an unread body is cut."""
        await close_stream(self.body)
        if self.tunnel is not None:
            self.tunnel.close()


class AnswerStream:
    """The chunks of an answer's body; the connection goes back to the pool after the last one."""

    __slots__ = ("_call", "_payload")

    def __init__(self, call: Call, payload: StreamReader) -> None:
        self._call: Call | None = call
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
            self._call.connection.abort()


class Upstream:
    """The emulator at `base_url`.

    read_timeout: the longest silence while an answer is awaited or streams, in seconds; None for any.
    """

    def __init__(
        self,
        base_url: str,
        *,
        connect_timeout: float = 5.0,
        read_timeout: float | None = None,
        idle_limit: float = 1.5,
        verify_tls: bool = True,
    ) -> None:
        """`base_url`: `http://host:port`, nothing else in it. Times in seconds.

        read_timeout: the longest silence while an answer is awaited or streams; None for any (long polls).
        idle_limit: how long an idle connection is kept.

        Raises `UsageError` for a URL that is not one of a server.
        """
        parts = urlsplit(base_url)
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            port = 0
        if parts.scheme not in {"http", "https"} or not parts.hostname or not port:
            raise UsageError(f"{base_url!r} is not the URL of an emulator", hint="give http://HOST:PORT")
        if parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in parts.netloc:
            raise UsageError(f"{base_url!r} has more than host and port", hint="give http://HOST:PORT")
        self.base_url = base_url.rstrip("/")
        self._authority = parts.netloc
        self.read_timeout = read_timeout
        tls: ssl.SSLContext | None = None
        if parts.scheme == "https":
            tls = ssl.create_default_context()
            if not verify_tls:
                tls.check_hostname = False
                tls.verify_mode = ssl.CERT_NONE
        self._pool = Pool(parts.hostname, port, tls=tls, connect_timeout=connect_timeout, idle_limit=idle_limit)
        self._launching: set[asyncio.Task[None]] = set()

    async def send(
        self,
        method: str,
        target: str,
        headers: Headers,
        body: bytes | Stream | None = None,
        length: int | None = None,
        *,
        upgrade: bool = False,
    ) -> UpstreamAnswer:
        """Send a request; return as soon as the head of its answer is there.

        headers: as received from the client; fields of the client's connection and `Expect` are left out.
        body: None where the request has none. length: of a streamed body; None sends it chunked.
        upgrade: ask for WebSocket, as the client did; `UpstreamAnswer.tunnel` is set if the emulator agrees.

        Raises `ConnectError`, `AnswerError`, or what the body raised (`ClientGoneError`). Cancelled, or when
        the body fails, it cuts the connection, so that the emulator learns that nobody waits any more.
        """
        loop = asyncio.get_running_loop()
        stream: Stream | None = None
        if body is not None and not isinstance(body, bytes):
            if length is not None and length <= _SMALL:
                body = await _exactly(body, length)
            else:
                stream, body = body, None
        if body is not None:
            length = len(body)
        whole = stream is None
        has_body = stream is not None or bool(body)
        head = request_head(method, target, headers, length, body=has_body, host=self._authority, upgrade=upgrade)
        data = head + body if body else head
        patience = None if upgrade else self.read_timeout
        expect = partial(ClientProtocol.expect_answer, without_body=method == "HEAD", read_timeout=patience)
        call = Call(self._pool, await self._begin(loop, data, expect, fresh=False), loop)
        while True:
            try:
                if stream is None:
                    call.connection.protocol.start_timeout()
                else:
                    call.pump(stream, length)
                return await call.answer()
            except ConnectionError as exc:
                await call.abandon()
                again = whole and call.connection.reused and not call.heard and method in IDEMPOTENT
                if not again or isinstance(exc, AnswerTimeoutError):
                    raise
                call = Call(self._pool, await self._begin(loop, data, expect, fresh=True), loop)
            except BaseException:
                await call.abandon()
                raise

    async def _begin(
        self, loop: asyncio.AbstractEventLoop, data: bytes, expect: Callable[[ClientProtocol], None], *, fresh: bool
    ) -> Connection:
        """A connection on which `data` was sent. Raises `UpstreamError`."""
        connection = None if fresh else self._pool.idle(loop)
        if connection is None:
            dialled = self._pool.dial(data)
            if dialled is not None:
                return Connection(await self._attach(dialled, data, expect, loop))
            connection = await self._connect(loop)
        expect(connection.protocol)
        connection.transport.write(data)
        return connection

    @property
    def will_connect(self) -> bool:
        """Does the emulator end each connection, so that the next request needs a new one?"""
        return self._pool.ends

    def knock(self) -> None:
        """A request is about to be launched, if it turns out to be plain (`Pool.knock`); else `hang_up`."""
        self._pool.knock()

    def hang_up(self) -> None:
        """It was not."""
        self._pool.hang_up()

    def launch(self, data: bytes) -> Connection | Dialled | None:
        """Send a whole request as the bytes that it is, now where that can be done; then `follow` what this gives."""
        connection = self._pool.idle(asyncio.get_running_loop())
        if connection is None:
            return self._pool.dial(data)
        connection.transport.write(data)
        return connection

    def follow(self, launched: Connection | Dialled | None, data: bytes, catcher: Catcher) -> None:
        """`catcher` is given what comes back of a request that was launched, as it comes.

        It ends with `give_back`, `take_over`, or the end of the connection.
        """
        if isinstance(launched, Connection):
            launched.follow(catcher)
            return
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._launch(launched, data, catcher, loop))
        self._launching.add(task)
        task.add_done_callback(self._launching.discard)

    async def _launch(
        self, dialled: Dialled | None, data: bytes, catcher: Catcher, loop: asyncio.AbstractEventLoop
    ) -> None:
        def catch(protocol: ClientProtocol) -> None:
            protocol.catcher = catcher

        try:
            if dialled is not None:
                await self._attach(dialled, data, catch, loop)
            else:
                connection = await self._connect(loop)
                connection.transport.write(data)
                connection.follow(catcher)
        except UpstreamError as error:
            catcher.lost(error)

    async def _attach(
        self,
        dialled: Dialled,
        data: bytes,
        prepare: Callable[[ClientProtocol], None],
        loop: asyncio.AbstractEventLoop,
    ) -> ClientProtocol:
        sock, sent = dialled
        try:
            return await self._pool.attach(loop, sock, data[sent:], prepare)
        except OSError as exc:
            raise AnswerError(f"the emulator's connection broke before an answer was whole: {exc}") from exc

    def give_back(self, connection: Connection, *, closes: bool) -> None:
        """The answer to what was launched has been caught to its end; the connection may be used again, or ends with it."""
        connection.let_go()
        if closes:
            self._pool.end(connection)
        else:
            self._pool.release(connection, asyncio.get_running_loop())

    def take_over(self, connection: Connection, received: bytes) -> Call:
        """What was launched goes on as if it had been sent by `send`; `answer_of` gives its answer.

        received: what was caught of that.
        """
        connection.let_go()
        connection.protocol.expect_answer(read_timeout=self.read_timeout)
        connection.protocol.start_timeout()
        if received:
            connection.protocol.data_received(received)
        return Call(self._pool, connection, asyncio.get_running_loop())

    async def answer_of(self, call: Call) -> UpstreamAnswer:
        """The answer to a call that was taken over. Raises as `send` does."""
        try:
            return await call.answer()
        except BaseException:
            await call.abandon()
            raise

    async def exchange(self, request: Request, *, blob: Stream | None = None) -> Answer:
        """Send a recorded request and return its whole answer.

        blob: the bytes of a body that is a `BlobRef`. Raises as `send` does.
        """
        if isinstance(request.body, BlobRef):
            if blob is None:
                raise ValueError("a request whose body is a blob needs the blob's bytes")
            answer = await self.send(request.method, request.target, request.headers, blob, request.body.size)
        else:
            answer = await self.send(request.method, request.target, request.headers, request.body or None)
        return Answer(answer.status, answer.headers, await answer.read(), answer.reason)

    async def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> Connection:
        try:
            return await self._pool.connect(loop)
        except TimeoutError as exc:
            raise ConnectError(f"{self.base_url} did not accept a connection in time") from exc
        except OSError as exc:
            raise ConnectError(f"{self.base_url} cannot be reached: {exc}") from exc


class Call:
    """One request on one connection: the task that writes its body, and what became of it."""

    __slots__ = ("_failed", "_loop", "_pool", "_pump", "connection", "heard")

    def __init__(self, pool: Pool, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        self._pool = pool
        self._loop = loop
        self.connection = connection
        self._pump: asyncio.Task[None] | None = None
        self._failed: BaseException | None = None
        self.heard = False

    def pump(self, body: Stream, length: int | None) -> None:
        """Start to write a streamed body."""
        self._pump = self._loop.create_task(self._write(body, self.connection.writer(self._loop), length))

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
                    await writer.write(chunk)
                except ConnectionError:
                    # The emulator hung up; whether it has answered before is for the reading side to see.
                    return
            if left:
                raise ClientGoneError("a request's body is shorter than it was declared")
            await writer.write_eof()
            self.connection.protocol.start_timeout()
        except asyncio.CancelledError:
            raise
        except ConnectionError as exc:
            if isinstance(exc, ClientGoneError):
                self._failed = exc
                self.connection.abort()
        except Exception as exc:
            self._failed = exc
            self.connection.abort()

    async def answer(self) -> UpstreamAnswer:
        """Wait for the final answer's head. Interim answers (1xx other than 101) are dropped."""
        protocol = self.connection.protocol
        try:
            while True:
                message, payload = await protocol.read()
                self.heard = True
                if message.code >= 200 or message.code == 101:
                    break
        except (ClientError, HttpProcessingError, ConnectionError, TimeoutError) as exc:
            raise self.failure(exc, "an answer") from exc
        headers = _unfolded(Headers.from_raw(message.raw_headers))
        reason = message.reason
        if not reason.isascii():
            reason = reason.encode("utf-8", "surrogateescape").decode("latin-1")
        if message.code == 101:
            tunnel = TunnelEnd(protocol, self.connection.writer(self._loop))
            protocol.set_parser(tunnel, None)
            return UpstreamAnswer(101, reason, headers, None, b"", tunnel)
        length = declared_length(headers)
        headers = end_to_end(headers)
        if payload.is_eof() and payload.exception() is None:
            body = payload.read_nowait()
            await self.finish()
            return UpstreamAnswer(message.code, reason, headers, length, body)
        return UpstreamAnswer(message.code, reason, headers, length, AnswerStream(self, payload))

    async def finish(self) -> None:
        """The answer is complete. A request still being written then has no reader any more."""
        if self._pump is not None and not self._pump.done():
            await self.abandon()
        elif self._failed is not None:
            self.connection.abort()
        else:
            self._pool.release(self.connection, self._loop)

    async def abandon(self) -> None:
        """Cut the connection and stop writing."""
        self.connection.abort()
        pump, self._pump = self._pump, None
        if pump is not None and not pump.done():
            pump.cancel()
            await asyncio.wait([pump])

    def failure(self, exc: BaseException, what: str) -> BaseException:
        """What the caller is to be told: what broke the request's body comes before what that broke."""
        if self._failed is not None:
            return self._failed
        if isinstance(exc, SocketTimeoutError):
            return AnswerTimeoutError(f"the emulator was silent for too long; no end of {what}")
        return AnswerError(f"the emulator's connection broke before {what} was whole: {exc}")


def _unfolded(headers: Headers) -> Headers:
    """The fields with line breaks inside of values made spaces, as a proxy must (RFC 9112, section 5.2)."""
    values = "".join([value for _, value in headers.pairs])
    if "\n" not in values and "\r" not in values:
        return headers
    return Headers((name, " ".join(value.split())) for name, value in headers.pairs)


async def _exactly(body: Stream, length: int) -> bytes:
    data, rest = await collect(body, length)
    if rest is not None:
        raise ValueError("a request's body is longer than it was declared")
    if len(data) != length:
        raise ClientGoneError("a request's body is shorter than it was declared")
    return data


async def _one(body: bytes) -> AsyncIterator[bytes]:
    if body:
        yield body
