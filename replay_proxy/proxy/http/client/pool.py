"""The connections to one address: the idle ones, and how new ones are made.

A pooled connection may have been closed by the emulator in the meantime, and a request written into it is lost in
a way that cannot be told from an emulator that died at work. So a connection is not reused when it idled for
longer than `idle_limit` (shorter than the keep-alive time of the usual servers: gunicorn 2 s, uvicorn, hypercorn
and Node 5 s), nor when its socket has something to read: an idle one can only have its end to say.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable

from replay_proxy.proxy.http.client.connection import ClientProtocol, Connection
from replay_proxy.proxy.http.client.direct_connect import DirectConnector, SentSocket


class Pool:
    """Connections to one address. The one that was used last is used first."""

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
        self._resolution: asyncio.Task[object] | None = None  # until the host's name has an address
        self._is_resolved = False
        self._direct = DirectConnector()
        self.emulator_closes = False
        """The emulator ended the latest connection with its answer, so it will most likely end the next one, too."""

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self._idle)} idle"
        return f"<Pool {self._host}:{self._port}, {state}, {self._direct!r}>"

    def take_idle(self, loop: asyncio.AbstractEventLoop) -> Connection | None:
        """Return an idle connection that can be used, None where there is none."""
        while self._idle:
            connection = self._idle.pop()
            if loop.time() - connection.idle_since <= self._idle_limit and connection.is_usable():
                return connection
            connection.abort()
        return None

    async def connect(self, loop: asyncio.AbstractEventLoop) -> Connection:
        """Make a new connection. Raises `OSError` or `TimeoutError`."""
        async with asyncio.timeout(self._connect_timeout):
            try:
                if not self._is_resolved:
                    await self._resolve(loop)
                _, protocol = await loop.create_connection(
                    lambda: ClientProtocol(loop), self._host, self._port, ssl=self._tls
                )
            except OSError:
                self._is_resolved = False
                raise
        connection = Connection(protocol)
        if self._tls is None:
            self._direct.learn_address(connection.transport.get_extra_info("peername"))
        return connection

    async def _resolve(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look up the host's name. Raises `OSError` where it has no address.

        A name server may take longer to say so than a connection may take, so whoever comes next waits for the same answer. And a
        loop that looks a name up while it connects complains of an answer that comes when nobody waits any more.
        """
        if self._resolution is None:
            self._resolution = loop.create_task(_look_up(loop, self._host, self._port))
            self._resolution.add_done_callback(lambda task: task.cancelled() or task.exception())
        resolution = self._resolution
        try:
            await asyncio.shield(resolution)
            self._is_resolved = True
        finally:
            if resolution.done() and self._resolution is resolution:
                self._resolution = None

    def preconnect(self) -> None:
        """Begin to connect for a request that is about to be sent, where no idle connection will be there for it.

        Ends with `connect_and_send` or `cancel_preconnect`.
        """
        if self.emulator_closes and not self._idle:
            self._direct.preconnect()

    def cancel_preconnect(self) -> None:
        """Close the connection of `preconnect` if nothing was sent by it."""
        self._direct.cancel_preconnect()

    def connect_and_send(self, data: bytes) -> SentSocket | None:
        """Connect and send without the event loop (`direct_connect`). None where nothing was sent."""
        return self._direct.connect_and_send(data)

    async def adopt(
        self,
        loop: asyncio.AbstractEventLoop,
        sent_socket: SentSocket,
        data: bytes,
        prepare: Callable[[ClientProtocol], None],
    ) -> ClientProtocol:
        """Make a connection of a socket by which `data` was sent, or a part of it, and send the rest. Raises `OSError`.

        prepare: makes its protocol ready for the answer, before there is anything to read.
        """
        sock, sent = sent_socket

        def made() -> ClientProtocol:
            protocol = ClientProtocol(loop)
            prepare(protocol)
            return protocol

        try:
            transport, protocol = await loop.create_connection(made, sock=sock)
        except OSError:
            sock.close()
            raise
        if sent < len(data):
            transport.write(data[sent:])
        return protocol

    def release(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        """Take back a connection whose answer was read to its end. It is kept where it may be used again."""
        if self._closed or connection.protocol.should_close:
            self.discard(connection)
            return
        self.emulator_closes = False
        connection.reused = True
        connection.idle_since = loop.time()
        self._idle.append(connection)
        if self._sweeper is None:
            self._sweeper = loop.call_later(self._idle_limit, self._sweep, loop)

    def discard(self, connection: Connection) -> None:
        """Close a connection that ends with its answer, and prepare the socket of the next one."""
        connection.close()
        self.emulator_closes = True
        if not self._closed:
            self._direct.prepare_socket()

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close what idled for too long, so that idle connections do not pile up after a burst."""
        oldest = loop.time() - self._idle_limit
        while self._idle and self._idle[0].idle_since <= oldest:
            self._idle.popleft().protocol.close()
        self._sweeper = loop.call_later(self._idle_limit, self._sweep, loop) if self._idle else None

    def close(self) -> None:
        """Close the idle connections. Those in use are closed when they are released or aborted."""
        self._closed = True
        self._direct.close()
        if self._resolution is not None:
            self._resolution.cancel()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        while self._idle:
            self._idle.pop().protocol.close()


async def _look_up(loop: asyncio.AbstractEventLoop, host: str, port: int) -> object:
    return await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
