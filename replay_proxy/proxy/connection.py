"""Connections to the emulator: aiohttp's client protocol, and a pool of idle ones. The only file that touches it.

`aiohttp.ClientSession` cannot send a request as it was received (see `framing`), and a good part of its time goes
into building URLs, cookies and header maps that a proxy does not want. What is used of aiohttp is the layer below:
`ResponseHandler`, the `asyncio.Protocol` with the C parser, flow control and the read timeout, and `StreamWriter`.
They are not part of aiohttp's documented interface; tests/proxy/test_connection.py fails where a new version
changes what is relied on here.

A pooled connection may have been closed by the emulator in the meantime, and a request written into it is lost in
a way that cannot be told from an emulator that died at work. So a connection is not reused when it idled for
longer than `idle_limit` (shorter than the keep-alive time of the usual servers: gunicorn 2 s, uvicorn, hypercorn
and Node 5 s), nor when its socket has something to read: an idle one can only have its end to say.
"""

from __future__ import annotations

import asyncio
import inspect
import select
import ssl
from collections import deque
from typing import Any

from aiohttp.client_proto import ResponseHandler
from aiohttp.http import StreamWriter

READ_BUFFER = 64 * 1024
# Generous, because presigned URLs, session tokens and user metadata come back in headers.
HEAD_LIMIT = 256 * 1024
FIELDS_LIMIT = 1000

_PARAMETERS: dict[str, Any] = {
    name: value
    for name, value in {
        "auto_decompress": False,
        "read_until_eof": True,
        "read_bufsize": READ_BUFFER,
        "max_line_size": HEAD_LIMIT,
        "max_field_size": HEAD_LIMIT,
        "max_headers": FIELDS_LIMIT,  # since aiohttp 3.13
    }.items()
    if name in inspect.signature(ResponseHandler.set_response_params).parameters
}


class _Protocol(ResponseHandler):
    """aiohttp's client protocol, which does not tell the reader of a body when its chunks are malformed."""

    def set_exception(self, exc: Any, exc_cause: Any = None) -> None:
        """The connection failed: for whoever waits for a head, and for whoever reads a body."""
        super().set_exception(exc, exc_cause or exc)
        payload = self._payload
        if payload is not None and payload.exception() is None and not payload.is_eof():
            payload.set_exception(exc)


class Connection:
    """One connection to the emulator, used by one request at a time."""

    __slots__ = ("_fd", "idle_since", "protocol", "reused", "transport")

    def __init__(self, protocol: ResponseHandler) -> None:
        assert protocol.transport is not None
        self.protocol = protocol
        self.transport: asyncio.Transport = protocol.transport
        self._fd: int = self.transport.get_extra_info("socket").fileno()
        self.idle_since = 0.0
        self.reused = False

    def expect_answer(self, *, without_body: bool, read_timeout: float | None) -> None:
        """Make ready for the answer to the request that is about to be written."""
        self.protocol.set_response_params(skip_payload=without_body, read_timeout=read_timeout, **_PARAMETERS)

    def writer(self, loop: asyncio.AbstractEventLoop) -> StreamWriter:
        """A writer with back-pressure for a streamed body."""
        return StreamWriter(self.protocol, loop)

    def quiet(self) -> bool:
        """Whether an idle connection can still carry a request."""
        if self.protocol.should_close or not self.protocol.is_connected():
            return False
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        return not poll.poll(0)

    def abort(self) -> None:
        """Close at once: whoever serves the request on the other side sees that nobody waits for its answer."""
        self.protocol.abort()


class Pool:
    """Connections to one address; the one that was used last is used first."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None,
        connect_timeout: float,
        idle_limit: float,
    ) -> None:
        """Times in seconds."""
        self._host = host
        self._port = port
        self._tls = tls
        self._connect_timeout = connect_timeout
        self._idle_limit = idle_limit
        self._idle: deque[Connection] = deque()
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    async def acquire(self, loop: asyncio.AbstractEventLoop) -> Connection:
        """An idle connection, else a new one. Raises `OSError` or `TimeoutError`."""
        while self._idle:
            connection = self._idle.pop()
            if loop.time() - connection.idle_since <= self._idle_limit and connection.quiet():
                return connection
            connection.abort()
        return await self.connect(loop)

    async def connect(self, loop: asyncio.AbstractEventLoop) -> Connection:
        """A new connection. Raises `OSError` or `TimeoutError`."""
        async with asyncio.timeout(self._connect_timeout):
            _, protocol = await loop.create_connection(lambda: _Protocol(loop), self._host, self._port, ssl=self._tls)
        return Connection(protocol)

    def release(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        """Give back a connection whose answer was read to its end; it is kept if it may be used again."""
        if self._closed or connection.protocol.should_close:
            connection.protocol.close()
            return
        connection.reused = True
        connection.idle_since = loop.time()
        self._idle.append(connection)
        if self._sweeper is None:
            self._sweeper = loop.call_later(self._idle_limit, self._sweep, loop)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close what idled for too long, so that idle connections do not pile up after a burst."""
        oldest = loop.time() - self._idle_limit
        while self._idle and self._idle[0].idle_since <= oldest:
            self._idle.popleft().protocol.close()
        self._sweeper = loop.call_later(self._idle_limit, self._sweep, loop) if self._idle else None

    def close(self) -> None:
        """Close the idle connections; those in use close when they are released or aborted."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        while self._idle:
            self._idle.pop().protocol.close()
