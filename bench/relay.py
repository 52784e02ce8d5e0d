"""A relay that passes bytes on and reads none of them: what any proxy in this language costs at least.

python -m bench.relay LISTEN_PORT UPSTREAM_PORT [MICROSECONDS]

MICROSECONDS: of work before each message is passed on, as if it were looked at; what any proxy in any language costs that
looks at what it passes on, on this machine. Where processors sleep deeply while they have nothing to do (most virtual ones),
it costs more than these microseconds, since whoever waits for the message is asleep by then.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress
from typing import cast

from bench.load import run


class _Way(asyncio.Protocol):
    """One side of a connection; what arrives goes to the `other`, or waits for it."""

    work = 0.0
    """Seconds."""

    def __init__(self, upstream: int | None) -> None:
        self._upstream = upstream
        self._waiting: list[bytes] = []
        self._opening: asyncio.Task[None] | None = None
        self.transport: asyncio.Transport | None = None
        self.other: _Way | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not every loop (uvloop) derives its transports from asyncio.Transport.
        self.transport = cast(asyncio.Transport, transport)
        if self._upstream is not None:
            self._opening = asyncio.get_running_loop().create_task(self._open(self._upstream))

    async def _open(self, port: int) -> None:
        _, other = await asyncio.get_running_loop().create_connection(lambda: _Way(None), "127.0.0.1", port)
        self.other, other.other = other, self
        for data in self._waiting:
            self.data_received(data)

    def data_received(self, data: bytes) -> None:
        if self.other is None or self.other.transport is None:
            self._waiting.append(data)
        else:
            until = time.perf_counter() + self.work
            while self.work and time.perf_counter() < until:
                pass
            self.other.transport.write(data)

    def connection_lost(self, _error: Exception | None) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()


async def _serve(port: int, upstream: int) -> None:
    listener = await asyncio.get_running_loop().create_server(lambda: _Way(upstream), "127.0.0.1", port, backlog=2048)
    async with listener:
        await listener.serve_forever()


if __name__ == "__main__":
    if len(sys.argv) > 3:
        _Way.work = float(sys.argv[3]) / 1e6
    with suppress(KeyboardInterrupt):
        run(_serve(int(sys.argv[1]), int(sys.argv[2])))
