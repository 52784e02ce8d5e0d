"""One request and its answer on an HTTP/2 connection: a task that asks the handler and writes what it gives.

The client may send no more of a request's body than the stream's window (64 KiB) beyond what the handler has taken; what the
handler takes is credited to it. An answer is written as far as the client's windows and the socket have room, and waits
there, so that whoever gives it waits, too. Neither side holds up another stream of the connection.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from h2.errors import ErrorCodes
from h2.exceptions import H2Error

from replay_proxy.exchange import Headers
from replay_proxy.proxy.http.framing import declared_length, expects_continue, has_no_body
from replay_proxy.proxy.http.http2.heads import (
    Fields,
    MalformedHeadError,
    answer_fields,
    request_line_and_fields,
)
from replay_proxy.proxy.http.streams import (
    ClientGoneError,
    ClientStalledError,
    Handler,
    Incoming,
    Outgoing,
    Stream,
    close_stream,
    printable_target,
)
from replay_proxy.wording import duration

_log = logging.getLogger(__name__)

_CONTINUE: Fields = [(b":status", b"100")]


class StreamTransport(Protocol):
    """What a stream asks of its connection. Once the client has left, nothing here does anything, and nothing fails."""

    async def send_head(self, stream: ClientStream, fields: Fields, *, end: bool) -> None:
        """Write fields as soon as the socket has room. end: nothing follows."""

    async def send_body(self, stream: ClientStream, data: bytes, *, end: bool) -> None:
        """Write a part of the body, as the client has room for it."""

    def credit(self, stream: ClientStream, size: int) -> None:
        """Let the client send `size` bytes more."""

    def reset(self, stream: ClientStream, code: ErrorCodes) -> None:
        """End the stream, in both directions, at once."""


class ClientStream:
    """A request of a client, from its head to the end of its answer."""

    def __init__(self, transport: StreamTransport, number: int, body_timeout: float) -> None:
        """`number`: the stream's identifier. body_timeout: the longest pause within a body that is waited for, in seconds."""
        self._transport = transport
        self._body_timeout = body_timeout
        self.number = number
        self.body: RequestBody | None = None
        self.is_closed = False  # nothing can be written any more
        self._task: asyncio.Task[None] | None = None
        self._waiter: asyncio.Future[None] | None = None

    def begin(
        self, fields: list[tuple[bytes, bytes]], peer: tuple[str, int], handler: Handler, *, ended: bool
    ) -> asyncio.Task[None]:
        """Serve the request. ended: it has no body. The task never fails; it is cancelled when the client leaves."""
        self._task = asyncio.get_running_loop().create_task(self._serve(fields, peer, handler, ended))
        if not ended:
            self.body = RequestBody(self, self._transport, self._body_timeout)
        return self._task

    async def _serve(
        self, fields: list[tuple[bytes, bytes]], peer: tuple[str, int], handler: Handler, ended: bool
    ) -> None:
        method = target = ""
        try:
            try:
                method, target, headers = request_line_and_fields(fields)
                length = declared_length(headers)
                if ended and length:
                    raise MalformedHeadError("it declares a length, and has no body")
            except MalformedHeadError as error:
                await self._write_answer("GET", _refusal(error.status, f"the request is malformed: {error}"))
                return
            if self.body is not None:
                self.body.waits = expects_continue(headers)
            incoming = Incoming(method, target, headers, self.body, length, "2", peer)
            await self._write_answer(method, await handler(incoming))
        except (ValueError, H2Error) as error:
            _log.error("%s %s: no answer: %s", method, printable_target(target), error)
            self._transport.reset(self, ErrorCodes.INTERNAL_ERROR)
        except _BrokenOffError as error:
            if not self.is_closed:
                _log.warning("%s %s: the answer broke off: %s", method, printable_target(target), error)
            self._transport.reset(self, ErrorCodes.INTERNAL_ERROR)
        except Exception:
            _log.exception("writing the answer to %s %s failed", method, printable_target(target))
            self._transport.reset(self, ErrorCodes.INTERNAL_ERROR)
        finally:
            body = self.body
            if body is not None:
                if not body.ended:
                    # The answer is complete; nobody reads the rest of the request (RFC 9113, section 8.1).
                    self._transport.reset(self, ErrorCodes.NO_ERROR)
                body.fail(ClientGoneError("the request was answered before its body had ended"))

    async def _write_answer(self, method: str, outgoing: Outgoing) -> None:
        body = outgoing.body
        try:
            without_body = has_no_body(method, outgoing.status)
            length = len(body) if isinstance(body, bytes) else None
            fields = answer_fields(outgoing.status, outgoing.headers, length, without_body=without_body)
            await self._transport.send_head(self, fields, end=without_body or not body)
            if without_body or not body:
                return
            if isinstance(body, bytes):
                await self._transport.send_body(self, body, end=True)
            else:
                await self._write_stream(body, declared_length(outgoing.headers))
        finally:
            if not isinstance(body, bytes):
                await close_stream(body)

    async def _write_stream(self, body: Stream, length: int | None) -> None:
        left = length
        try:
            async for chunk in body:
                if left is not None:
                    left -= len(chunk)
                    if left < 0:
                        raise _BrokenOffError("longer than its Content-Length")
                await self._transport.send_body(self, chunk, end=False)
        except _BrokenOffError:
            raise
        except Exception as error:
            raise _BrokenOffError(str(error)) from error
        if left:
            raise _BrokenOffError("shorter than its Content-Length")
        await self._transport.send_body(self, b"", end=True)

    def abandon(self) -> None:
        """Cancel whoever works on an answer: the client wants none any more, or has gone."""
        self.is_closed = True
        if self.body is not None:
            self.body.fail(ClientGoneError("the client gave up its request"))
        if self._task is not None:
            self._task.cancel()

    async def wait_for_room(self) -> None:
        """Wait until there may be room to write (`wake_writer`)."""
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def wake_writer(self) -> None:
        """Let the writer look once more whether there is room."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class RequestBody:
    """What has arrived of a request's body and was not read yet: never more than the stream's window."""

    def __init__(self, stream: ClientStream, transport: StreamTransport, timeout: float) -> None:
        self._stream = stream
        self._transport = transport
        self._timeout = timeout
        self._buffer = bytearray()  # not a list of pieces: a client may send byte by byte
        self._failure: ClientGoneError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.ended = False
        self.waits = False
        """The client sends nothing before it has got a `100 Continue`."""

    def feed(self, data: bytes) -> None:
        """Take a piece that has arrived."""
        if self._failure is not None:
            self._transport.credit(self._stream, len(data))
            return
        self._buffer += data
        self._wake()

    def end(self) -> None:
        """Note that the body has arrived whole."""
        if self._failure is None:
            self.ended = True
            self._wake()

    def fail(self, failure: ClientGoneError) -> None:
        """Note that nothing more arrives, or is wanted. A body that has arrived whole can still be read; a part cannot."""
        if self._failure is None:
            self._failure = failure
            self._transport.credit(self._stream, len(self._buffer))
            if not self.ended:
                self._buffer.clear()
            self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __aiter__(self) -> RequestBody:
        return self

    async def __anext__(self) -> bytes:
        if self.waits and self._must_wait:
            self.waits = False
            await self._transport.send_head(self._stream, _CONTINUE, end=False)
        while self._must_wait:
            await self._wait_for_data()
        if not self._buffer:
            if self.ended:
                raise StopAsyncIteration
            assert self._failure is not None
            raise self._failure
        data = bytes(self._buffer)
        self._buffer.clear()
        if self._failure is None:
            self._transport.credit(self._stream, len(data))
        return data

    @property
    def _must_wait(self) -> bool:
        return not (self._buffer or self.ended or self._failure is not None)

    async def _wait_for_data(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._timeout):
                await self._waiter
        except TimeoutError as error:
            raise ClientStalledError(f"the client sent nothing for {duration(self._timeout)}") from error
        finally:
            self._waiter = None


class _BrokenOffError(Exception):
    """An answer that cannot be completed."""


def _refusal(status: int, text: str) -> Outgoing:
    body = f"{text}\n".encode()
    return Outgoing(status, "", Headers([("Content-Type", "text/plain; charset=utf-8")]), body)
