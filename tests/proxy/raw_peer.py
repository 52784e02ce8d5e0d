"""Peers that speak HTTP as bytes: nothing between the test and the socket corrects a case, an order or a length."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from replay_proxy.errors import ConnectError, UpstreamError
from replay_proxy.exchange import Headers
from replay_proxy.identifiers.rewriting.endpoints import Endpoints
from replay_proxy.proxy.http.client.upstream import UpstreamClient
from replay_proxy.proxy.http.server.reverse_door import ReverseDoor
from replay_proxy.proxy.http.streams import Handler, Incoming, Outgoing
from replay_proxy.proxy.requests.engine import Engine, WaitLimits
from replay_proxy.proxy.requests.fast_path import FastPath
from replay_proxy.proxy.requests.gate import Gate
from replay_proxy.proxy.requests.policy import RequestPolicy
from replay_proxy.proxy.requests.proxy_state import ProxyState
from replay_proxy.proxy.requests.translator import Translator
from replay_proxy.replay.session_state import SessionState

PATIENCE = 60.0
"""Seconds after which nothing is waited for any more; no test takes so long where all is well, however busy the machine is."""


def unchunked(body: bytes) -> bytes:
    """The bytes of a chunked body."""
    out = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        out, body = out + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return out


class Peer:
    """One end of a TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def read(self, size: int = 65536) -> bytes:
        return await asyncio.wait_for(self.reader.read(size), PATIENCE)

    async def exactly(self, size: int) -> bytes:
        return await asyncio.wait_for(self.reader.readexactly(size), PATIENCE)

    async def head(self) -> bytes:
        """Up to and with the empty line that ends a head."""
        return await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE)

    async def chunked(self) -> bytes:
        """A chunked body as sent, with its framing."""
        out = b""
        while True:
            line = await asyncio.wait_for(self.reader.readuntil(b"\r\n"), PATIENCE)
            out += line
            out += await self.exactly(int(line, 16) + 2)
            if int(line, 16) == 0:
                return out

    async def message(self) -> bytes:
        """A head and the body that its framing announces."""
        head = await self.head()
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                return head + await self.exactly(int(value))
            if name.lower() == b"transfer-encoding":
                return head + await self.chunked()
        return head

    async def rest(self) -> bytes:
        """Everything until the end of the connection; a reset counts as its end."""
        out = b""
        try:
            while data := await self.read():
                out += data
        except ConnectionError:
            pass
        return out

    async def gone(self) -> bool:
        """Whether the other side ends the connection, without a further byte, before patience does."""
        try:
            return await self.read() == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def close(self) -> None:
        self.writer.close()

    def abort(self) -> None:
        self.writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


class RawServer:
    """A server that runs a script for each connection and remembers how many there were."""

    def __init__(self, script: Script, host: str = "127.0.0.1") -> None:
        self.script = script
        self.host = host
        self.connections = 0
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.failures: list[BaseException] = []

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self.script(Peer(reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        except BaseException as exc:
            self.failures.append(exc)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, self.host, self.port, limit=2**20, backlog=4096)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> RawServer:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()
        assert not self.failures, self.failures


async def dial(address: tuple[str, int]) -> Peer:
    return Peer(*await asyncio.open_connection(*address, limit=2**20))


async def serving(handler: Handler, **settings: float) -> ReverseDoor:
    """A door that is open, for a handler of the test's own."""
    door = ReverseDoor(handler, "127.0.0.1", 0, **settings)
    await door.start()
    return door


def pass_through(upstream: UpstreamClient) -> Handler:
    """The handler of a proxy that does nothing but forward, and say 502 or 503 where it cannot."""

    async def handler(incoming: Incoming) -> Outgoing:
        try:
            answer = await upstream.send(
                incoming.method,
                incoming.target,
                incoming.headers,
                incoming.body,
                incoming.length,
                upgrade=incoming.upgrade,
            )
        except UpstreamError as exc:
            return Outgoing(503 if isinstance(exc, ConnectError) else 502, "", Headers(), str(exc).encode())
        return Outgoing(answer.status, answer.reason, answer.headers, answer.body, answer.tunnel)

    return handler


def whole_proxy(upstream: UpstreamClient) -> tuple[Handler, FastPath]:
    """The engine of a proxy that records nothing, and its fast path."""
    gate = Gate()
    gate.move(ProxyState.READY)
    translator = Translator(upstream, SessionState(), Endpoints(upstream.base_url), 256 * 1024)
    engine = Engine(
        policy=RequestPolicy(translator, None, None, lambda: None),
        gate=gate,
        wait_limits=WaitLimits(PATIENCE, PATIENCE),
        on_lost=lambda _reason: None,
    )
    return engine.handle, FastPath(engine, upstream, 256 * 1024)


@asynccontextmanager
async def proxy_to(url: str, **settings: float) -> AsyncIterator[ReverseDoor]:
    """A door that forwards to `url`. Settings go to whichever side knows them."""
    of_door = {
        name: settings.pop(name) for name in ("body_timeout", "head_timeout", "keepalive_timeout") if name in settings
    }
    upstream = UpstreamClient(url, **settings)  # type: ignore[arg-type]  # only its numbers are set here
    door = ReverseDoor(pass_through(upstream), "127.0.0.1", 0, **of_door)
    await door.start()
    try:
        yield door
    finally:
        await door.stop(0.5)
        await upstream.close()


@asynccontextmanager
async def through(script: Script, **settings: float) -> AsyncIterator[tuple[Peer, RawServer]]:
    """A client connected to a door in front of a server that follows `script`."""
    async with RawServer(script) as server, proxy_to(server.url, **settings) as door:
        client = await dial(door.address)
        try:
            yield client, server
        finally:
            client.abort()
