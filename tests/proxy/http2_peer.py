"""A client that speaks HTTP/2, made of the `h2` library: it answers windows and settings, and keeps what comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    InformationalResponseReceived,
    PingAckReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from hyperframe.frame import GoAwayFrame

from tests.proxy.raw_peer import PATIENCE, RawServer, Script, proxy_to

Fields = list[tuple[str, str]]


@dataclass
class Got:
    """What has come on one stream. reset: the error code."""

    status: int = 0
    fields: Fields = field(default_factory=list)
    body: bytes = b""
    interim: list[str] = field(default_factory=list)
    ended: bool = False
    reset: int | None = None

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.fields if key == name), None)


class _Protocol(H2Connection):
    """Goes on after a goodbye of either side, as real clients do with the streams that they have."""

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Any], list[Event]]:
        event = ConnectionTerminated()
        event.error_code = frame.error_code
        return [], [event]


class Http2Client:
    """One connection. reads: whether what comes is read, and windows are opened."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.h2 = _Protocol(
            H2Configuration(client_side=True, header_encoding="latin-1", validate_outbound_headers=False)
        )
        self.got: dict[int, Got] = {}
        self.goaway: int | None = None
        self.settings: dict[int, int] = {}
        self.pongs = 0
        self.closed = False
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        self.h2.initiate_connection()
        await self.flush()
        self.read_on()

    def read_on(self) -> None:
        self._task = asyncio.create_task(self._read())

    async def stop_reading(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])
        self.reader._transport.pause_reading()  # type: ignore[attr-defined]  # no public way to not read

    async def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())
        await self.writer.drain()

    async def send(self, data: bytes) -> None:
        """Bytes, whatever they mean."""
        self.writer.write(data)
        await self.writer.drain()

    async def _read(self) -> None:
        try:
            while data := await self.reader.read(65536):
                for event in self.h2.receive_data(data):
                    self._note(event)
                await self.flush()
                async with self._changed:
                    self._changed.notify_all()
        except ConnectionError:
            pass
        finally:
            self.closed = True
            async with self._changed:
                self._changed.notify_all()

    def _note(self, event: Event) -> None:
        if isinstance(event, RemoteSettingsChanged):
            self.settings |= {int(code): change.new_value for code, change in event.changed_settings.items()}
        elif isinstance(event, ConnectionTerminated):
            self.goaway = int(event.error_code or 0)
        elif isinstance(event, PingAckReceived):
            self.pongs += 1
        number = getattr(event, "stream_id", 0)
        got = self.got.get(number)
        if got is None:
            return
        if isinstance(event, InformationalResponseReceived):
            got.interim.append(dict(event.headers)[":status"])  # type: ignore[arg-type]
        elif isinstance(event, ResponseReceived):
            got.fields = [(str(name), str(value)) for name, value in event.headers or []]
            got.status = int(got.fields[0][1])
        elif isinstance(event, DataReceived):
            got.body += event.data or b""
            self.h2.acknowledge_received_data(event.flow_controlled_length or 0, number)
        elif isinstance(event, StreamEnded):
            got.ended = True
        elif isinstance(event, StreamReset):
            got.reset = int(event.error_code)

    async def until(self, condition: object) -> None:
        """Wait until `condition()` holds, after what has come was looked at."""
        assert callable(condition)
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(lambda: condition() or self.closed)
        assert condition(), "the connection ended before"

    async def request(
        self, method: str, path: str, fields: Iterable[tuple[str, str]] = (), *, end: bool = True, host: str = "h"
    ) -> int:
        """Send a head; the number of its stream."""
        number = self.h2.get_next_available_stream_id()
        self.got[number] = Got()
        pseudo = [(":method", method), (":scheme", "http"), (":authority", host), (":path", path)]
        head = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in [*pseudo, *fields]]
        self.h2.send_headers(number, head, end_stream=end)
        await self.flush()
        return number

    async def body(self, number: int, data: bytes, *, end: bool = True) -> None:
        """Send a part of a body, as windows allow."""
        while data:
            await self.until(lambda: self.h2.local_flow_control_window(number) > 0)
            size = min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size, len(data))
            self.h2.send_data(number, data[:size])
            data = data[size:]
            await self.flush()
        if end:
            self.h2.end_stream(number)
            await self.flush()

    async def answer(self, number: int) -> Got:
        """The whole answer, or the reset."""
        got = self.got[number]
        await self.until(lambda: got.ended or got.reset is not None)
        return got

    async def exchange(
        self, method: str, path: str, fields: Iterable[tuple[str, str]] = (), body: bytes | None = None, host: str = "h"
    ) -> Got:
        number = await self.request(method, path, fields, end=body is None, host=host)
        if body is not None:
            await self.body(number, body)
        return await self.answer(number)

    async def reset(self, number: int, code: int = 8) -> None:
        self.h2.reset_stream(number, code)
        await self.flush()

    async def end(self) -> None:
        """Wait for the end of the connection."""
        async with asyncio.timeout(PATIENCE), self._changed:
            await self._changed.wait_for(lambda: self.closed)

    def abort(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self.writer.transport.abort()


async def dial_http2(address: tuple[str, int]) -> Http2Client:
    client = Http2Client(*await asyncio.open_connection(*address))
    await client.begin()
    return client


@asynccontextmanager
async def http2_through(script: Script, **settings: float) -> AsyncIterator[tuple[Http2Client, RawServer]]:
    """A client that speaks HTTP/2, connected to a door in front of a server that follows `script`."""
    async with RawServer(script) as server, proxy_to(server.url, **settings) as door:
        client = await dial_http2(door.address)
        try:
            yield client, server
        finally:
            client.abort()
