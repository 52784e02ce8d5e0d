"""How an `Outgoing` goes onto a client's connection.

aiohttp asks a response to write itself through two public methods, `prepare` and `write_eof`. `ServerResponse` implements both
without what `aiohttp.web.StreamResponse` does in them: no `Server`, `Date` or `Content-Type` is added, and no byte is
encoded anew. The finished head is handed to the connection's stream writer as bytes.

An answer that cannot be completed must not look complete: the connection is cut before the last chunk, or before
`Content-Length` is reached. Where only the end of the connection marks the end of the body (HTTP/1.0), it is reset.
"""

from __future__ import annotations

import logging
import socket
import struct
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from replay_proxy.proxy.http.framing import answer_head, declared_length, has_no_body
from replay_proxy.proxy.http.server.protocol import begin_answer
from replay_proxy.proxy.http.streams import Incoming, Outgoing, Stream, Tunnel, close_stream, printable_target
from replay_proxy.proxy.http.tunnel import TunnelEnd, splice

_log = logging.getLogger(__name__)

_JOINED_BODY_BYTES_MAX = 64 * 1024
"""A head and a body up to this are written as one piece. Joining larger ones costs more than a second write."""
_LINGER_NO_TIME = struct.pack("ii", 1, 0)
"""SO_LINGER on, for 0 seconds: closing resets the connection."""


class ServerResponse(web.StreamResponse):
    """Writes an `Outgoing` in place of what aiohttp would make of a response."""

    def __init__(self, outgoing: Outgoing, request: web.BaseRequest, incoming: Incoming, *, close: bool) -> None:
        """`close`: end the connection afterwards, whatever the client wants."""
        super().__init__(status=outgoing.status)
        self._outgoing = outgoing
        self._request = request
        self._incoming = incoming
        self._sent = False
        self._keep_alive = request.keep_alive and not close
        self._client: TunnelEnd | None = None
        if outgoing.tunnel is not None:
            # Now, in the handler: aiohttp parses what follows as another request once the handler has returned.
            protocol: Any = request.protocol
            self._client = TunnelEnd(protocol, request.writer)
            protocol.set_parser(self._client)

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Do nothing: the head is written together with the beginning of the body."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Write the whole answer. Raises `ConnectionError` after cutting a connection."""
        if self._sent:
            return
        self._sent = True
        outgoing = self._outgoing
        try:
            if self._client is not None and outgoing.tunnel is not None:
                await self._tunnel(self._client, outgoing.tunnel)
            elif isinstance(outgoing.body, bytes):
                await self._write_whole(outgoing.body)
            else:
                await self._write_streamed(outgoing.body)
        except ValueError as exc:
            # A head that cannot be written. Nothing has been, so the connection just ends.
            _log.error("%s %s: no answer: %s", self._incoming.method, printable_target(self._incoming.target), exc)
            self._cut(reset=False)
            raise ConnectionResetError("the answer cannot be written") from exc
        finally:
            if not isinstance(outgoing.body, bytes):
                await close_stream(outgoing.body)

    async def _write_whole(self, body: bytes) -> None:
        outgoing, writer = self._outgoing, self._request.writer
        bodiless = has_no_body(self._incoming.method, outgoing.status)
        head = answer_head(
            outgoing.status,
            outgoing.reason,
            outgoing.headers,
            len(body),
            frame=not bodiless,
            connection=self._connection_field(),
        )
        head = begin_answer(self._request, head)
        if bodiless or not body:
            await writer.write(head)
        elif len(body) <= _JOINED_BODY_BYTES_MAX:
            await writer.write(head + body)
        else:
            await writer.write(head)
            await writer.write(body)
        await writer.drain()

    async def _write_streamed(self, body: Stream) -> None:
        outgoing, writer, modern = self._outgoing, self._request.writer, self._incoming.http_version == "1.1"
        length = declared_length(outgoing.headers)
        bodiless = has_no_body(self._incoming.method, outgoing.status)
        until_close = length is None and not bodiless and not modern
        if until_close:
            self._keep_alive = False
        head = answer_head(
            outgoing.status,
            outgoing.reason,
            outgoing.headers,
            length,
            frame=not bodiless and not until_close,
            connection=self._connection_field(),
        )
        await writer.write(begin_answer(self._request, head))
        if bodiless:
            return
        left = length
        if length is None and modern:
            writer.enable_chunking()
        try:
            async for chunk in body:
                if left is not None:
                    left -= len(chunk)
                    if left < 0:
                        raise _LengthError("longer than its Content-Length")
                await writer.write(chunk)
            if left:
                raise _LengthError("shorter than its Content-Length")
        except Exception as exc:
            if self._request.transport is not None:
                _log.warning(
                    "%s %s: the answer broke off: %s",
                    self._incoming.method,
                    printable_target(self._incoming.target),
                    exc,
                )
                self._cut(reset=until_close)
            raise ConnectionResetError("the answer broke off") from exc
        await writer.write_eof()

    async def _tunnel(self, client: TunnelEnd, emulator: Tunnel) -> None:
        outgoing = self._outgoing
        self._keep_alive = False
        try:
            await client.write(answer_head(outgoing.status, outgoing.reason, outgoing.headers, None, frame=False))
        except BaseException:
            emulator.close()
            raise
        await splice(client, emulator)

    def _connection_field(self) -> str:
        """Return the value of the `Connection` field, empty where the client needs none."""
        if not self._keep_alive:
            return "close" if self._incoming.http_version == "1.1" else ""
        return "keep-alive" if self._incoming.http_version == "1.0" else ""

    def _cut(self, *, reset: bool) -> None:
        transport = self._request.transport
        if transport is None:
            return
        if reset:
            sock = transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NO_TIME)
        transport.abort()


class _LengthError(Exception):
    """A body that is longer or shorter than its `Content-Length`."""
