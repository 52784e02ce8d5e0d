"""The reverse door: where clients connect that were given the proxy's address as `AWS_ENDPOINT_URL`.

aiohttp's low-level server parses requests, keeps connections alive, answers pipelined requests in order and gives
each request to `ReverseDoor._serve`, which turns it into an `Incoming`, asks the handler, and writes the
`Outgoing` that it returns. Three things are done differently from what aiohttp would do:

- *Heads are written as given* (`response`).
- *`100 Continue` is sent when the body is wanted*, that is when the handler first reads it: a handler that refuses a
  request can do so before the client has sent 5 GB. Such an answer ends the connection, for the client may send its body or not.
  A client that expects a `100 Continue` for an empty body gets it at once.
- *A client that leaves cancels its handler* (`asyncio.CancelledError`), wherever that waits. One that only closes its sending
  side does not (`half_close`). The upstream client then cuts its connection. A handler that must finish what it began
  (record a mutation whose answer is under way) runs that part in a task of its own and shields it; the door does not wait
  for it.

Connections whose clients speak HTTP/2 from the first byte are the subject of `http2`.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
from typing import TYPE_CHECKING

from aiohttp import web

from replay_proxy.errors import ListenError
from replay_proxy.exchange import Headers
from replay_proxy.proxy.http.fast_path_api import FastExchange, FastPath
from replay_proxy.proxy.http.framing import (
    asks_for_upgrade,
    asks_for_websocket,
    declared_length,
    expects_continue,
    origin_form,
)
from replay_proxy.proxy.http.limits import HEAD_BYTES_MAX, HEADER_FIELDS_MAX, READ_BUFFER_BYTES
from replay_proxy.proxy.http.server.protocol import DoorProtocol, DoorServer, begin_answer
from replay_proxy.proxy.http.server.request_body import CONTINUE, ClientBody
from replay_proxy.proxy.http.server.response import ServerResponse
from replay_proxy.proxy.http.streams import (
    ClientGoneError,
    ClientStalledError,
    Handler,
    Incoming,
    Outgoing,
    printable_target,
)

if TYPE_CHECKING:
    from replay_proxy.proxy.http.http2.connection import Http2Connection

_log = logging.getLogger(__name__)


_BACKLOG = 2048
_OTHER_FILES = 64  # the journal, the emulator's pipes, and what Python holds
_DRAIN_STEP_S = 0.02


class ReverseDoor:
    """A listening server of HTTP/1.1, and HTTP/2 with prior knowledge, that gives every request to one handler."""

    def __init__(
        self,
        handler: Handler,
        host: str,
        port: int,
        *,
        or_free_port: bool = False,
        body_timeout: float = 300.0,
        head_timeout: float = 30.0,
        connections_max: int = 4096,
        keepalive_timeout: float = 3600.0,
        fast_path: FastPath | None = None,
    ) -> None:
        """`port` 0: any free one. Times in seconds.

        or_free_port: whether any free port is taken where `port` is taken.
        body_timeout: how long a client may pause in the middle of a body that somebody waits for.
        head_timeout: how long the head of a request may take from its first byte to its last.
        connections_max: how many clients are served at a time, where the system lets the process open that many files.
        keepalive_timeout: how long an idle connection is kept. Long, because a client that reuses a connection
            at the moment it is closed loses a request.
        fast_path: where plain requests are offered first.
        """
        self._handler = handler
        self._host = host
        self._port = port
        self._or_free_port = or_free_port
        self._body_timeout = body_timeout
        self._head_timeout = head_timeout
        self._connections_max = connections_max
        self._keepalive_timeout = keepalive_timeout
        self._fast_path = fast_path
        self._server: DoorServer | None = None
        self._listener: asyncio.Server | None = None
        self._http2: set[Http2Connection] = set()
        self._stopping = False
        self.address: tuple[str, int] = (host, port)

    async def start(self) -> None:
        """Listen. Sets `address` to what was bound. Raises `ListenError`."""
        self._stopping = False
        self._server = DoorServer(
            self._serve,
            handler_cancellation=True,
            keepalive_timeout=self._keepalive_timeout,
            access_log=None,
            logger=_log,
            auto_decompress=False,
            read_bufsize=READ_BUFFER_BYTES,
            max_line_size=HEAD_BYTES_MAX,
            max_field_size=HEAD_BYTES_MAX,
            max_headers=HEADER_FIELDS_MAX,
        )
        self._server.fast_path = self._fast_path
        self._server.head_timeout_s = self._head_timeout
        self._server.connections_max = _connections_for_files(self._connections_max)
        self._server.speak_http2 = self._speak_http2
        self._server.http2_connections = self._http2
        try:
            self._listener = await self._listen(self._server, self._port)
        except OSError as exc:
            raise ListenError(
                f"cannot listen on {self._host}:{self._port}: {exc.strerror or exc}",
                hint="stop what listens there, or choose another address with --listen",
            ) from exc
        self.address = self._listener.sockets[0].getsockname()[:2]

    async def _listen(self, server: DoorServer, port: int) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        try:
            return await loop.create_server(server, self._host, port, backlog=_BACKLOG, reuse_address=True)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not self._or_free_port or not port:
                raise
        return await self._listen(server, 0)

    async def stop(self, drain: float = 10.0) -> None:
        """Stop listening. Let requests under way finish for `drain` seconds, then cut the rest."""
        if self._listener is None or self._server is None:
            return
        server, self._server = self._server, None
        self._listener.close()
        self._listener = None
        self._stopping = True
        loop = asyncio.get_running_loop()
        deadline = loop.time() + drain
        while (server.connections or self._http2) and loop.time() < deadline:
            # aiohttp's own `pre_shutdown` would throw away the rest of a body that is being received.
            for connection in server.connections:
                connection.close_if_idle()
            for http2 in list(self._http2):
                http2.close_if_idle()
            await asyncio.sleep(_DRAIN_STEP_S)
        for http2 in list(self._http2):
            await http2.shutdown(_DRAIN_STEP_S)
        # Its timeout applies to each of two phases, and zero would mean to wait for ever.
        await server.shutdown(_DRAIN_STEP_S)

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._server.connections) + len(self._http2) if self._server is not None else 0

    def _speak_http2(self, transport: asyncio.Transport, data: bytes) -> None:
        # Imported when the first client speaks it: h2 takes a while to load.
        from replay_proxy.proxy.http.http2.connection import Http2Connection

        connection = Http2Connection(
            transport,
            self._answer,
            body_timeout=self._body_timeout,
            head_timeout=self._head_timeout,
            keepalive_timeout=self._keepalive_timeout,
            on_end=self._http2.discard,
        )
        self._http2.add(connection)
        connection.begin(data)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = Headers.from_raw(request.raw_headers)
        target = request.raw_path
        if not target.isascii():
            target = target.encode("utf-8", "surrogateescape").decode("latin-1")
        body: ClientBody | None = None
        modern = request.version >= (1, 1)
        waits = modern and expects_continue(headers)
        if request.body_exists:
            body = ClientBody(request.content, request.writer, self._body_timeout, waits=waits)
        transport, protocol = request.transport, request.protocol
        incoming = Incoming(
            request.method,
            origin_form(target),
            headers,
            body,
            declared_length(headers),
            "1.1" if modern else "1.0",
            transport.get_extra_info("peername")[:2] if transport is not None else ("", 0),
            modern and asks_for_websocket(request.method, headers),
        )
        fast_exchange = protocol.take_full_path_exchange() if isinstance(protocol, DoorProtocol) else None
        if waits and body is None:
            # There is nothing to wait for, but a client may wait all the same, and then take the final answer for a refusal of
            # the body that it was about to send: botocore (older ones) is out of step with its connection from then on.
            await request.writer.write(begin_answer(request, CONTINUE))
        if isinstance(protocol, DoorProtocol):
            protocol.begin_to_serve()
        outgoing = await self._answer(incoming, fast_exchange)
        # A client that still waits for `100 Continue` may send its body or not, so what follows cannot be told.
        # Nor can what follows an upgrade that was declined: aiohttp does not always read on after one.
        close = (
            self._stopping
            or (body is not None and body.is_end_unknown)
            or (outgoing.tunnel is None and asks_for_upgrade(headers))
            or incoming.method == "CONNECT"
        )
        return ServerResponse(outgoing, request, incoming, close=close)

    async def _answer(self, incoming: Incoming, fast_exchange: FastExchange | None = None) -> Outgoing:
        if incoming.method == "CONNECT":
            return _refusal(405, "Method Not Allowed", "this is a reverse proxy: it opens no tunnels")
        try:
            if fast_exchange is not None:
                return await fast_exchange.outcome()
            return await self._handler(incoming)
        except ClientStalledError:
            return _refusal(408, "Request Timeout", "the request's body stopped arriving")
        except web.RequestPayloadError:
            return _refusal(400, "Bad Request", "the request's body is malformed")
        except ClientGoneError:
            return _refusal(400, "Bad Request", "the request's body is incomplete")
        except Exception:
            _log.exception("the handler failed on %s %s", incoming.method, printable_target(incoming.target))
            return _refusal(500, "Internal Server Error", "replay_proxy failed; its log says why")


def _connections_for_files(connections: int) -> int:
    """Return how many of `connections` the limit of open files allows: each may need two, one of them to the emulator."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return connections if files == resource.RLIM_INFINITY else max(1, min(connections, (files - _OTHER_FILES) // 2))


def _refusal(status: int, reason: str, text: str) -> Outgoing:
    body = f"{text}\n".encode()
    return Outgoing(status, reason, Headers([("Content-Type", "text/plain; charset=utf-8")]), body)
