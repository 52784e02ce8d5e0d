"""The body of a client's request over HTTP/1: chunks as they arrive, and `100 Continue` when somebody wants the first of them."""

from __future__ import annotations

import asyncio

from aiohttp.abc import AbstractStreamWriter
from aiohttp.streams import StreamReader

from replay_proxy.proxy.http.streams import ClientGoneError, ClientStalledError
from replay_proxy.wording import duration

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class ClientBody:
    """The chunks of a request's body. waits: the client sends nothing before it has got the `100 Continue` of the first read."""

    __slots__ = ("_reader", "_timeout", "_writer", "waits")

    def __init__(self, reader: StreamReader, writer: AbstractStreamWriter, timeout: float, *, waits: bool) -> None:
        """timeout: the longest pause that a read waits for, in seconds."""
        self._reader = reader
        self._writer = writer
        self._timeout = timeout
        self.waits = waits

    @property
    def is_end_unknown(self) -> bool:
        """Can it not be told where the next request begins? (The client may send the body or not, or it is malformed.)"""
        return self.waits or self._reader.exception() is not None

    def __aiter__(self) -> ClientBody:
        return self

    async def __anext__(self) -> bytes:
        reader = self._reader
        try:
            chunk = reader.read_nowait()
            if not chunk:
                if self.waits and not reader.is_eof():
                    await self._writer.write(CONTINUE)
                self.waits = False
                if reader.is_eof():
                    raise StopAsyncIteration
                async with asyncio.timeout(self._timeout):
                    chunk = await reader.readany()
        except TimeoutError as exc:
            raise ClientStalledError(f"the client sent nothing for {duration(self._timeout)}") from exc
        except (OSError, RuntimeError) as exc:
            # aiohttp raises RuntimeError for a read after the connection was lost.
            raise ClientGoneError("the client closed its connection") from exc
        self.waits = False
        if not chunk:
            raise StopAsyncIteration
        return chunk
