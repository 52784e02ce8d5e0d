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
import errno
import inspect
import select
import socket
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, cast

from aiohttp.client_proto import ResponseHandler
from aiohttp.http import StreamWriter

READ_BUFFER = 64 * 1024
# Generous, because presigned URLs, session tokens and user metadata come back in headers.
HEAD_LIMIT = 256 * 1024
FIELDS_LIMIT = 1000

_MOST_MISSES = 3
"""Attempts to dial, in a row, after which it is not tried any more: the emulator is too far away for that."""

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


Dialled = tuple[socket.socket, int]
"""A connected socket, and how many bytes were sent by it."""


class Catcher(Protocol):
    """Takes what comes back on a connection before aiohttp's parser sees it (`express`)."""

    def sent(self, connection: Connection) -> None:
        """The request is on its way by this connection."""

    def arrived(self, data: bytes) -> None:
        """A piece of the answer."""

    def lost(self, error: BaseException | None) -> None:
        """The connection has ended; or none came about, with a `ConnectionError`."""


class ClientProtocol(ResponseHandler):
    """aiohttp's client protocol, which does not tell the reader of a body when its chunks are malformed.

    catcher: takes what arrives, while there is one.
    """

    catcher: Catcher | None = None

    def expect_answer(self, *, without_body: bool = False, read_timeout: float | None = None) -> None:
        """Make ready for the answer to the request that is about to be written."""
        self.set_response_params(skip_payload=without_body, read_timeout=read_timeout, **_PARAMETERS)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A connection. Both event loops have set TCP_NODELAY already, which aiohttp would do once more."""
        self.transport = cast(asyncio.Transport, transport)
        if self.catcher is not None:
            self.catcher.sent(Connection(self))

    def data_received(self, data: bytes) -> None:
        """Bytes from the emulator."""
        if self.catcher is None:
            super().data_received(data)
        else:
            self.catcher.arrived(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The end of the connection."""
        catcher, self.catcher = self.catcher, None
        super().connection_lost(exc)
        if catcher is not None:
            catcher.lost(exc)

    def set_exception(self, exc: Any, exc_cause: Any = None) -> None:
        """The connection failed: for whoever waits for a head, and for whoever reads a body."""
        super().set_exception(exc, exc_cause or exc)
        payload = self._payload
        if payload is not None and payload.exception() is None and not payload.is_eof():
            payload.set_exception(exc)


class Connection:
    """One connection to the emulator, used by one request at a time."""

    __slots__ = ("_poll", "idle_since", "protocol", "reused", "transport")

    def __init__(self, protocol: ClientProtocol) -> None:
        assert protocol.transport is not None
        self.protocol = protocol
        self.transport: asyncio.Transport = protocol.transport
        self._poll: select.poll | None = None
        self.idle_since = 0.0
        self.reused = False

    def writer(self, loop: asyncio.AbstractEventLoop) -> StreamWriter:
        """A writer with back-pressure for a streamed body."""
        return StreamWriter(self.protocol, loop)

    def quiet(self) -> bool:
        """Whether an idle connection can still carry a request."""
        if self.protocol.should_close or not self.protocol.is_connected():
            return False
        poll = self._poll
        if poll is None:
            poll = self._poll = select.poll()
            poll.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    def follow(self, catcher: Catcher) -> None:
        """What comes back of the request that was just written goes to `catcher`."""
        self.protocol.catcher = catcher
        catcher.sent(self)

    def let_go(self) -> None:
        """What comes back goes to aiohttp's parser again."""
        self.protocol.catcher = None

    def close(self) -> None:
        """Close after what was written."""
        self.protocol.close()

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
        self._address: Any = None
        self._misses = 0
        self.ends = False  # the emulator ends each connection with its answer, as far as the latest one tells
        self._knocking: socket.socket | None = None
        self._spare: socket.socket | None = None  # not connected

    def idle(self, loop: asyncio.AbstractEventLoop) -> Connection | None:
        """An idle connection that can be used."""
        while self._idle:
            connection = self._idle.pop()
            if loop.time() - connection.idle_since <= self._idle_limit and connection.quiet():
                return connection
            connection.abort()
        return None

    async def connect(self, loop: asyncio.AbstractEventLoop) -> Connection:
        """A new connection. Raises `OSError` or `TimeoutError`."""
        async with asyncio.timeout(self._connect_timeout):
            _, protocol = await loop.create_connection(
                lambda: ClientProtocol(loop), self._host, self._port, ssl=self._tls
            )
        connection = Connection(protocol)
        self._address = connection.transport.get_extra_info("peername")
        return connection

    def knock(self) -> None:
        """Connect for a request that is about to be sent, where there will be no idle connection for it.

        While the request is looked at, the emulator can do its part of that. Ends with `dial` or `hang_up`.
        """
        if not self.ends or self._idle or self._knocking is not None or not self._can_dial:
            return
        with suppress(OSError):  # whoever has to send will meet it again, and tell
            sock = self._socket()
            if sock.connect_ex(self._address) in (0, errno.EINPROGRESS):
                self._knocking = sock
            else:
                sock.close()

    def hang_up(self) -> None:
        """Nothing was sent after `knock`."""
        if self._knocking is not None:
            self._knocking.close()
            self._knocking = None

    @property
    def _can_dial(self) -> bool:
        return self._address is not None and self._tls is None and self._misses < _MOST_MISSES

    def _socket(self) -> socket.socket:
        spare, self._spare = self._spare, None
        return spare if spare is not None else self._new_socket()

    def _new_socket(self) -> socket.socket:
        sock = socket.socket(socket.AF_INET6 if len(self._address) == 4 else socket.AF_INET)
        sock.setblocking(False)
        return sock

    def dial(self, data: bytes) -> Dialled | None:
        """Connect and send, now: what takes two system calls where the emulator runs on the same machine.

        None where nothing was sent, because it takes longer, or cannot be done.
        """
        if not self._can_dial:
            return None
        sock, self._knocking = self._knocking, None
        try:
            if sock is None:
                sock = self._socket()
                sock.connect_ex(self._address)
            sent = sock.send(data)
        except OSError as error:
            # Who is not there may be back soon; who takes a while to answer always does.
            self._misses += isinstance(error, BlockingIOError)
            if sock is not None:
                sock.close()
            return None
        self._misses = 0
        return sock, sent

    async def attach(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        rest: bytes,
        prepare: Callable[[ClientProtocol], None],
    ) -> ClientProtocol:
        """Make a connection of a socket that was dialled, and send the rest. Raises `OSError`.

        prepare: makes its protocol ready for the answer, before there is anything to read.
        """

        def made() -> ClientProtocol:
            protocol = ClientProtocol(loop)
            prepare(protocol)
            return protocol

        try:
            transport, protocol = await loop.create_connection(made, sock=sock)
        except OSError:
            sock.close()
            raise
        if rest:
            transport.write(rest)
        return protocol

    def release(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        """Give back a connection whose answer was read to its end; it is kept if it may be used again."""
        if self._closed or connection.protocol.should_close:
            self.end(connection)
            return
        self.ends = False
        connection.reused = True
        connection.idle_since = loop.time()
        self._idle.append(connection)
        if self._sweeper is None:
            self._sweeper = loop.call_later(self._idle_limit, self._sweep, loop)

    def end(self, connection: Connection) -> None:
        """Close a connection that ends with its answer, and make ready for the next one."""
        connection.close()
        self.ends = True
        if self._spare is None and self._can_dial and not self._closed:
            with suppress(OSError):
                self._spare = self._new_socket()

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close what idled for too long, so that idle connections do not pile up after a burst."""
        oldest = loop.time() - self._idle_limit
        while self._idle and self._idle[0].idle_since <= oldest:
            self._idle.popleft().protocol.close()
        self._sweeper = loop.call_later(self._idle_limit, self._sweep, loop) if self._idle else None

    def close(self) -> None:
        """Close the idle connections; those in use close when they are released or aborted."""
        self._closed = True
        if self._spare is not None:
            self._spare.close()
            self._spare = None
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        while self._idle:
            self._idle.pop().protocol.close()
