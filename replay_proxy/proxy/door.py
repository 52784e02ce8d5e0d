"""The reverse door: where clients connect that were given the proxy's address as `AWS_ENDPOINT_URL`.

aiohttp's low-level server parses requests, keeps connections alive, answers pipelined requests in order and gives
each request to `ReverseDoor._serve`, which turns it into an `Incoming`, asks the handler, and writes the
`Outgoing` it gets. Three things are done differently from what aiohttp would do:

- *Heads are written as given*, by `reply.Reply`.
- *`100 Continue` is sent when the body is wanted*, that is when the handler first reads it: a handler that refuses a
  request can do so before the client has sent 5 GB.
- *A client that leaves cancels its handler* (`asyncio.CancelledError`), wherever that waits. The upstream client
  then cuts its connection. A handler that must finish what it began (record a mutation whose answer is under way)
  runs that part in a task of its own and shields it; the door does not wait for it.
"""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.streams import StreamReader

from replay_proxy.errors import ListenError
from replay_proxy.exchange import Headers
from replay_proxy.proxy.connection import FIELDS_LIMIT, HEAD_LIMIT, READ_BUFFER
from replay_proxy.proxy.door_protocol import DoorProtocol, DoorServer
from replay_proxy.proxy.express import Early, ExpressLane
from replay_proxy.proxy.framing import (
    asks_for_websocket,
    declared_length,
    expects_continue,
    origin_form,
)
from replay_proxy.proxy.reply import Reply
from replay_proxy.proxy.streams import (
    ClientGoneError,
    ClientStalledError,
    Handler,
    Incoming,
    Outgoing,
    shown,
)

_log = logging.getLogger(__name__)

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BACKLOG = 2048
_DRAIN_STEP = 0.02


class ReverseDoor:
    """A listening HTTP/1.1 server that gives every request to one handler."""

    def __init__(
        self,
        handler: Handler,
        host: str,
        port: int,
        *,
        body_timeout: float = 300.0,
        keepalive_timeout: float = 3600.0,
        lane: ExpressLane | None = None,
    ) -> None:
        """`port` 0: any free one. Times in seconds. lane: where plain requests are offered first.

        body_timeout: how long a client may pause in the middle of a body that somebody waits for.
        keepalive_timeout: how long an idle connection is kept. Long, because a client that reuses a connection
            at the moment it is closed loses a request.
        """
        self._handler = handler
        self._host = host
        self._port = port
        self._body_timeout = body_timeout
        self._keepalive_timeout = keepalive_timeout
        self._lane = lane
        self._server: DoorServer | None = None
        self._listener: asyncio.Server | None = None
        self._stopping = False
        self.address: tuple[str, int] = (host, port)

    async def start(self) -> None:
        """Listen. Sets `address` to what was bound. Raises `ListenError`."""
        loop = asyncio.get_running_loop()
        self._stopping = False
        self._server = DoorServer(
            self._serve,
            handler_cancellation=True,
            keepalive_timeout=self._keepalive_timeout,
            access_log=None,
            logger=_log,
            auto_decompress=False,
            read_bufsize=READ_BUFFER,
            max_line_size=HEAD_LIMIT,
            max_field_size=HEAD_LIMIT,
            max_headers=FIELDS_LIMIT,
        )
        self._server.lane = self._lane
        try:
            self._listener = await loop.create_server(
                self._server, self._host, self._port, backlog=_BACKLOG, reuse_address=True
            )
        except OSError as exc:
            raise ListenError(
                f"cannot listen on {self._host}:{self._port}: {exc.strerror or exc}",
                hint="stop what listens there, or choose another address with --listen",
            ) from exc
        self.address = self._listener.sockets[0].getsockname()[:2]

    async def stop(self, drain: float = 10.0) -> None:
        """Stop listening, let requests under way finish for `drain` seconds, then cut the rest."""
        if self._listener is None or self._server is None:
            return
        server, self._server = self._server, None
        self._listener.close()
        self._listener = None
        self._stopping = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + drain
        while server.connections and loop.time() < deadline:
            # aiohttp's own `pre_shutdown` would throw away the rest of a body that is being received.
            for connection in server.connections:
                connection.close_if_idle()
            await asyncio.sleep(_DRAIN_STEP)
        # Its timeout applies to each of two phases, and zero would mean to wait for ever.
        await server.shutdown(_DRAIN_STEP)

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._server.connections) if self._server is not None else 0

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = Headers.from_raw(request.raw_headers)
        target = request.raw_path
        if not target.isascii():
            target = target.encode("utf-8", "surrogateescape").decode("latin-1")
        body: ClientBody | None = None
        modern = request.version >= (1, 1)
        if request.body_exists:
            waits = modern and expects_continue(headers)
            body = ClientBody(request.content, request.writer, self._body_timeout, waits=waits)
        transport = request.transport
        incoming = Incoming(
            request.method,
            origin_form(target),
            headers,
            body,
            declared_length(headers),
            "1.1" if modern else "1.0",
            transport.get_extra_info("peername")[:2] if transport is not None else ("", 0),
            modern and asks_for_websocket(headers),
        )
        protocol = request.protocol
        early = protocol.take_handed_over() if isinstance(protocol, DoorProtocol) else None
        outgoing = await self._answer(incoming, early)
        # A client that still waits for `100 Continue` may send its body or not, so what follows cannot be told.
        # aiohttp before 3.13 does not read on after an upgrade that was refused.
        close = (
            self._stopping
            or (body is not None and body.unclear)
            or (incoming.upgrade and outgoing.tunnel is None)
            or incoming.method == "CONNECT"
        )
        return Reply(outgoing, request, incoming, close=close)

    async def _answer(self, incoming: Incoming, early: Early | None) -> Outgoing:
        if incoming.method == "CONNECT":
            return _refusal(405, "Method Not Allowed", "this is a reverse proxy: it opens no tunnels")
        try:
            if early is not None:
                return await early.settled()
            return await self._handler(incoming)
        except ClientStalledError:
            return _refusal(408, "Request Timeout", "the request's body stopped arriving")
        except web.RequestPayloadError:
            return _refusal(400, "Bad Request", "the request's body is malformed")
        except ClientGoneError:
            return _refusal(400, "Bad Request", "the request's body is incomplete")
        except Exception:
            _log.exception("the handler failed on %s %s", incoming.method, shown(incoming.target))
            return _refusal(500, "Internal Server Error", "replay_proxy failed; its log says why")


class ClientBody:
    """The chunks of a request's body. Asks the client to continue when it is first read, if that waits for it."""

    __slots__ = ("_reader", "_timeout", "_writer", "waits")

    def __init__(self, reader: StreamReader, writer: AbstractStreamWriter, timeout: float, *, waits: bool) -> None:
        self._reader = reader
        self._writer = writer
        self._timeout = timeout
        self.waits = waits

    @property
    def unclear(self) -> bool:
        """Whether it cannot be told where the next request begins."""
        return self.waits or self._reader.exception() is not None

    def __aiter__(self) -> ClientBody:
        return self

    async def __anext__(self) -> bytes:
        reader = self._reader
        try:
            chunk = reader.read_nowait()
            if not chunk:
                if self.waits and not reader.is_eof():
                    await self._writer.write(_CONTINUE)
                self.waits = False
                if reader.is_eof():
                    raise StopAsyncIteration
                async with asyncio.timeout(self._timeout):
                    chunk = await reader.readany()
        except TimeoutError as exc:
            raise ClientStalledError(f"the client sent nothing for {self._timeout:g} s") from exc
        except (OSError, RuntimeError) as exc:
            # aiohttp raises RuntimeError for a read after the connection was lost.
            raise ClientGoneError("the client closed its connection") from exc
        self.waits = False
        if not chunk:
            raise StopAsyncIteration
        return chunk


def _refusal(status: int, reason: str, text: str) -> Outgoing:
    body = f"{text}\n".encode()
    return Outgoing(status, reason, Headers([("Content-Type", "text/plain; charset=utf-8")]), body)
