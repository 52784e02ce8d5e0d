"""Connections that left HTTP: raw bytes both ways after `101 Switching Protocols` (RFC 9110, section 15.2.2).

aiohttp's protocols, the server's and the client's, hand all bytes that follow an upgrade to a *payload parser*:
an object with `feed_data` and `feed_eof` (their own is the WebSocket reader). `TunnelEnd` is one that does not
parse. It keeps what arrives in a small queue and stops reading from its socket while nobody empties it, so a
fast side is slowed to the pace of the slow one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from replay_proxy.proxy.http.streams import Tunnel

_QUEUED_BYTES_MAX = 256 * 1024
"""Beyond this nothing more is read from the socket."""


class TunnelEnd:
    """One end of a tunnel over a connection that aiohttp has upgraded. Implements `streams.Tunnel`."""

    def __init__(self, protocol: Any, writer: Any) -> None:
        """protocol: an aiohttp protocol with a transport, whose payload parser this becomes. writer: its stream writer."""
        self._transport: asyncio.Transport = protocol.transport
        self._writer = writer
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None

    # What aiohttp calls.

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Take bytes from the socket. Returns what aiohttp asks: that more are wanted, and that none are left over."""
        self._chunks.append(data)
        self._size += len(data)
        if self._size > _QUEUED_BYTES_MAX and not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()
        self._wake()
        return False, b""

    def feed_eof(self) -> None:
        """Note that the connection has ended."""
        self._ended = True
        self._wake()

    # What the program calls.

    async def read(self) -> bytes:
        """Return the next bytes from the peer; none once the peer has ended."""
        while not self._chunks:
            if self._ended:
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        data = b"".join(self._chunks)
        self._chunks.clear()
        self._size = 0
        if self._paused:
            self._paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()
        return data

    async def write(self, data: bytes) -> None:
        """Send bytes to the peer, and wait while it has no room. Raises `ConnectionError` once it is gone."""
        await self._writer.write(data)
        await self._writer.drain()

    def close(self) -> None:
        """End the connection after what was written."""
        self._transport.close()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


async def splice(one: Tunnel, other: Tunnel) -> None:
    """Carry bytes both ways until either side ends or breaks, then close both."""
    ways = [asyncio.create_task(_carry(one, other)), asyncio.create_task(_carry(other, one))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        one.close()
        other.close()


async def _carry(source: Tunnel, sink: Tunnel) -> None:
    while data := await source.read():
        await sink.write(data)
