"""The emulator, to which requests are sent byte for byte, streamed both ways.

What can go wrong falls into two classes (of `errors`), and callers must tell them apart:

- `ConnectError`: no connection came about, so nothing of the request was seen. Sending it again is safe.
- `AnswerError`: the request, or a part of it, was written, and no whole answer came back. The emulator may have
  carried it out. (`AnswerTimeoutError`: it was silent for longer than `read_timeout`.)

A kept-alive connection that turns out to be closed is replaced silently only where that cannot run a request
twice to any effect: the connection was reused, not one byte of an answer arrived, the body is in memory, and the
method is idempotent (RFC 9110, section 9.2.2), or safe where a recorded call is replayed (`exchange`). That is the
last resort: `pool` explains how stale connections are avoided in the first place, for POST too.

The fast path sends differently. It has a request as bytes, writes them at once (`send_now`), and is given what arrives as it
arrives (`receive`). In the end it gives the connection back (`release`), or leaves the rest to `UpstreamCall` (`take_over`).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import partial
from urllib.parse import SplitResult, urlsplit

from replay_proxy.errors import AnswerError, AnswerTimeoutError, ConnectError, UpstreamError, UsageError
from replay_proxy.exchange import Answer, BlobRef, Headers, Request
from replay_proxy.proxy.http.client.call import UpstreamAnswer, UpstreamCall
from replay_proxy.proxy.http.client.connection import AnswerReceiver, ClientProtocol, Connection
from replay_proxy.proxy.http.client.direct_connect import SentSocket
from replay_proxy.proxy.http.client.pool import Pool
from replay_proxy.proxy.http.framing import request_head
from replay_proxy.proxy.http.streams import ClientGoneError, Stream, collect
from replay_proxy.supervision import describe_error

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})
"""Methods of requests that may be sent again (RFC 9110, section 9.2.2)."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""Methods of requests that change nothing (RFC 9110, section 9.2.1)."""
_WITH_CONTENT = frozenset({"PATCH", "POST", "PUT"})
"""Methods whose requests say how long their body is, even where they have none."""

_SMALL_BODY_BYTES_MAX = 16 * 1024
"""A body of a declared length up to this is read before anything is sent: no task, one write, and it can be sent again."""


class UpstreamClient:
    """The emulator at `base_url`. `read_timeout` may be changed at any time; it holds for requests that are sent later."""

    def __init__(
        self,
        base_url: str,
        *,
        connect_timeout: float = 5.0,
        read_timeout: float | None = None,
        idle_limit: float = 1.5,
    ) -> None:
        """`base_url`: `http://host:port`, nothing else in it. Times in seconds.

        read_timeout: the longest silence since the emulator's latest byte (of an interim answer, too), or since it was sent the
            end of a request; None for any (long polls).
        idle_limit: how long an idle connection is kept.

        Raises `UsageError` for a URL that is not one of a server.
        """
        parts, host, port = _server_of(base_url)
        self.base_url = base_url.rstrip("/")
        self._authority = parts.netloc
        self.read_timeout = read_timeout
        tls: ssl.SSLContext | None = None
        if parts.scheme == "https":
            tls = ssl.create_default_context()
        self._pool = Pool(host, port, tls=tls, connect_timeout=connect_timeout, idle_limit=idle_limit)
        self._sending: set[asyncio.Task[None]] = set()

    async def send(
        self,
        method: str,
        target: str,
        headers: Headers,
        body: bytes | Stream | None = None,
        length: int | None = None,
        *,
        upgrade: bool = False,
        repeatable: frozenset[str] = IDEMPOTENT,
    ) -> UpstreamAnswer:
        """Send a request, and return as soon as the head of its answer has arrived.

        headers: as received from the client; fields of the client's connection and `Expect` are left out.
        body: None where the request has none. length: of a streamed body; None sends it chunked.
        upgrade: ask for WebSocket, as the client did; `UpstreamAnswer.tunnel` is set if the emulator agrees.
        repeatable: the methods of requests that are sent again where an idle connection turns out to be closed.

        Raises `ConnectError`, `AnswerError`, or what the body raised (`ClientGoneError`). Cancelled, or when
        the body fails, it cuts the connection, so that the emulator learns that nobody waits any more.
        """
        loop = asyncio.get_running_loop()
        stream: Stream | None = None
        if body is not None and not isinstance(body, bytes):
            if length is not None and length <= _SMALL_BODY_BYTES_MAX:
                body = await _exactly(body, length)
            else:
                stream, body = body, None
        if body is not None:
            length = len(body)
        whole = stream is None
        has_body = stream is not None or bool(body)
        head = request_head(method, target, headers, length, body=has_body, host=self._authority, upgrade=upgrade)
        data = head + body if body else head
        expect = partial(ClientProtocol.expect_answer, without_body=method == "HEAD", read_timeout=self.read_timeout)
        call = UpstreamCall(self._pool, await self._begin(loop, data, expect, fresh=False), loop, upgrade=upgrade)
        while True:
            try:
                if stream is None:
                    call.connection.protocol.start_timeout()
                else:
                    call.start_upload(stream, length)
                return await call.answer()
            except ConnectionError as exc:
                again = whole and call.connection.reused and not call.has_heard and method in repeatable
                await call.abandon()
                if not again or isinstance(exc, AnswerTimeoutError):
                    raise
                call = UpstreamCall(
                    self._pool, await self._begin(loop, data, expect, fresh=True), loop, upgrade=upgrade
                )
            except BaseException:
                await call.abandon()
                raise

    async def _begin(
        self, loop: asyncio.AbstractEventLoop, data: bytes, expect: Callable[[ClientProtocol], None], *, fresh: bool
    ) -> Connection:
        """Return a connection by which `data` was sent. fresh: not one that was idle. Raises `UpstreamError`."""
        connection = None if fresh else self._pool.take_idle(loop)
        if connection is None:
            sent_socket = self._pool.connect_and_send(data)
            if sent_socket is not None:
                return Connection(await self._adopt(sent_socket, data, expect, loop))
            connection = await self._connect(loop)
        expect(connection.protocol)
        connection.transport.write(data)
        return connection

    @property
    def emulator_closes(self) -> bool:
        """Does the emulator end each connection with its answer, so that the next request needs a new one?"""
        return self._pool.emulator_closes

    def preconnect(self) -> None:
        """Begin to connect for a request that is about to be sent. Ends with `send_now` or `cancel_preconnect`."""
        self._pool.preconnect()

    def cancel_preconnect(self) -> None:
        """Close the connection of `preconnect` if nothing was sent by it."""
        self._pool.cancel_preconnect()

    def send_now(self, data: bytes) -> Connection | SentSocket | None:
        """Send a whole request as the bytes that it is, if that can be done at once. Give the result to `receive`.

        Returns the connection, a socket by which a part of it was sent, or None where nothing was sent yet.
        """
        connection = self._pool.take_idle(asyncio.get_running_loop())
        if connection is None:
            return self._pool.connect_and_send(data)
        connection.transport.write(data)
        return connection

    def receive(self, sent: Connection | SentSocket | None, data: bytes, receiver: AnswerReceiver) -> None:
        """Give the answer to a request of `send_now` to `receiver`, as it arrives.

        sent, data: what `send_now` returned, and was given. Ends with `release`, `take_over`, or the end of the connection.
        """
        if isinstance(sent, Connection):
            sent.attach(receiver)
            return
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._send_rest(sent, data, receiver, loop))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send_rest(
        self, sent_socket: SentSocket | None, data: bytes, receiver: AnswerReceiver, loop: asyncio.AbstractEventLoop
    ) -> None:
        def attach(protocol: ClientProtocol) -> None:
            protocol.receiver = receiver

        try:
            if sent_socket is not None:
                await self._adopt(sent_socket, data, attach, loop)
            else:
                connection = await self._connect(loop)
                connection.transport.write(data)
                connection.attach(receiver)
        except UpstreamError as error:
            receiver.connection_lost(error)
        except Exception as error:  # a client waits for what the receiver is told
            receiver.connection_lost(AnswerError(f"the request could not be sent: {describe_error(error)}"))
            raise

    async def _adopt(
        self,
        sent_socket: SentSocket,
        data: bytes,
        prepare: Callable[[ClientProtocol], None],
        loop: asyncio.AbstractEventLoop,
    ) -> ClientProtocol:
        try:
            return await self._pool.adopt(loop, sent_socket, data, prepare)
        except OSError as exc:
            raise AnswerError(f"the emulator's connection broke before an answer was whole: {exc}") from exc

    def release(self, connection: Connection, *, closes: bool) -> None:
        """Take back a connection whose receiver has been given a whole answer. closes: the connection ends with it."""
        connection.detach()
        if closes:
            self._pool.discard(connection)
        else:
            self._pool.release(connection, asyncio.get_running_loop())

    def take_over(self, connection: Connection, received: bytes) -> UpstreamCall:
        """Go on with a request of `send_now` as if `send` had sent it. `answer_of` returns its answer.

        received: as much of the answer as the receiver was given.
        """
        connection.detach()
        connection.protocol.expect_answer(read_timeout=self.read_timeout)
        connection.protocol.start_timeout()
        if received:
            connection.protocol.data_received(received)
        return UpstreamCall(self._pool, connection, asyncio.get_running_loop())

    async def answer_of(self, call: UpstreamCall) -> UpstreamAnswer:
        """Return the answer to a call that was taken over. Raises as `send` does."""
        try:
            return await call.answer()
        except BaseException:
            await call.abandon()
            raise

    async def exchange(self, request: Request, *, blob: Stream | None = None) -> Answer:
        """Send a recorded request and return its whole answer.

        Only a request that changes nothing is sent again by itself. HTTP calls every PUT idempotent, but a second one makes a
        second version of an object; who replays calls knows which of them may be repeated.

        blob: the bytes of a body that is a `BlobRef`. Raises as `send` does.
        """
        if isinstance(request.body, BlobRef):
            if blob is None:
                raise ValueError("a request whose body is a blob needs the blob's bytes")
            answer = await self.send(
                request.method, request.target, request.headers, blob, request.body.size, repeatable=SAFE
            )
        else:
            headers = request.headers
            if not request.body and request.method in _WITH_CONTENT and "content-length" not in headers:
                # Recordings of other tools, and old ones of ours, do not tell; clients of AWS say it (RFC 9110, section 8.6).
                headers = headers.replaced("Content-Length", "0")
            answer = await self.send(request.method, request.target, headers, request.body or None, repeatable=SAFE)
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


def _server_of(base_url: str) -> tuple[SplitResult, str, int]:
    """Return the parts of a URL that names a server and nothing in it, with host and port. Raises `UsageError`."""
    parts = urlsplit(base_url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        port = 0
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port:
        raise UsageError(f"{base_url!r} is not the URL of an emulator", hint="give http://HOST:PORT")
    if parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in parts.netloc:
        raise UsageError(f"{base_url!r} has more than host and port", hint="give http://HOST:PORT")
    return parts, parts.hostname, port


async def _exactly(body: Stream, length: int) -> bytes:
    """Read a body that must have `length` bytes."""
    data, rest = await collect(body, length)
    if rest is not None:
        raise ValueError("a request's body is longer than it was declared")
    if len(data) != length:
        raise ClientGoneError("a request's body is shorter than it was declared")
    return data
