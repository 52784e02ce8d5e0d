"""WebSocket through the door: with aiohttp's own client and server, and with bytes that no library would send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from tests.proxy.raw_peer import Peer, RawServer, dial, proxy_to, through

BOTH_LOOPS = True

ASK = (
    b"GET //ws/%2f?x=1 HTTP/1.1\r\nHost: h\r\nupgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
AGREE = (
    b"HTTP/1.1 101 Switching Protocols\r\nServer: emu\r\nUPGRADE: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


@asynccontextmanager
async def websocket_server() -> AsyncIterator[str]:
    """Echoes text, doubles bytes, and closes with 4001 when told to."""

    async def handler(request: web.Request) -> web.StreamResponse:
        if "refuse" in request.query:
            raise web.HTTPForbidden(text="not you")
        socket = web.WebSocketResponse(max_msg_size=0, protocols=["graphql-ws"], compress=True)
        await socket.prepare(request)
        async for message in socket:
            if message.data == "close":
                await socket.close(code=4001, message=b"as you wish")
            elif message.type is aiohttp.WSMsgType.TEXT:
                await socket.send_str(message.data)
            else:
                await socket.send_bytes(message.data * 2)
        return socket

    app = web.Application()
    app.router.add_get("/ws", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_websocket_conversation() -> None:
    async with (
        websocket_server() as url,
        proxy_to(url) as door,
        aiohttp.ClientSession() as session,
        session.ws_connect(
            f"http://127.0.0.1:{door.address[1]}/ws", protocols=["graphql-ws"], max_msg_size=0, compress=15
        ) as socket,
    ):
        assert socket.protocol == "graphql-ws"
        for text in ("hello", "", "\u20ac" * 1000):
            await socket.send_str(text)
            assert (await socket.receive(5)).data == text
        await socket.send_bytes(bytes(range(256)) * 16384)
        assert (await socket.receive(10)).data == bytes(range(256)) * 32768
        await socket.ping(b"still there?")
        await socket.send_str("close")
        last = await socket.receive(5)
        assert (last.type, last.data, last.extra) == (aiohttp.WSMsgType.CLOSE, 4001, "as you wish")


async def test_a_hundred_websockets_at_once() -> None:
    async with websocket_server() as url, proxy_to(url) as door, aiohttp.ClientSession() as session:

        async def one(number: int) -> None:
            async with session.ws_connect(f"http://127.0.0.1:{door.address[1]}/ws") as socket:
                for turn in range(5):
                    await socket.send_str(f"{number} {turn}")
                    assert (await socket.receive(10)).data == f"{number} {turn}"

        await asyncio.gather(*(one(number) for number in range(100)))


async def test_a_refusal_is_passed_on() -> None:
    async with websocket_server() as url, proxy_to(url) as door, aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(f"http://127.0.0.1:{door.address[1]}/ws?refuse=1")
        assert caught.value.status == 403
        async with session.get(f"http://127.0.0.1:{door.address[1]}/ws?refuse=1") as answer:
            assert await answer.text() == "not you"


async def test_the_handshake_is_passed_on_byte_for_byte_and_bytes_behind_it_are_not_lost() -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        assert await peer.head() == ASK
        await peer.send(AGREE + b"first words")
        seen.append(await peer.exactly(10))
        seen.append(await peer.exactly(5))
        await peer.send(b"bye")

    async with through(script) as (client, _):
        await client.send(ASK + b"early bird")
        assert await client.head() == AGREE
        assert await client.exactly(11) == b"first words"
        await client.send(b"\x00\xff\r\n\r")
        assert await client.rest() == b"bye"
    assert seen == [b"early bird", b"\x00\xff\r\n\r"]


@pytest.mark.parametrize("how", ["close", "abort"])
async def test_a_client_that_leaves_ends_the_other_side(how: str) -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(AGREE)
        assert await peer.exactly(3) == b"end"
        assert await peer.gone()
        gone.set()

    async with through(script) as (client, _):
        await client.send(ASK)
        await client.head()
        await client.send(b"end")
        if how == "close":
            client.close()
        else:
            await asyncio.sleep(0.05)
            client.abort()
        await asyncio.wait_for(gone.wait(), 60)


async def test_an_emulator_that_dies_ends_the_client() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(AGREE)
        await peer.exactly(1)
        peer.abort()

    async with through(script) as (client, _):
        await client.send(ASK)
        await client.head()
        await client.send(b"x")
        assert await client.gone()


@pytest.mark.parametrize("slow", ["client", "emulator"])
async def test_a_slow_side_slows_the_fast_one(slow: str) -> None:
    sent = 0
    total = 128 * 2**20

    async def pour(peer: Peer) -> None:
        nonlocal sent
        while sent < total:
            await peer.send(b"x" * 65536)
            sent += 65536

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(AGREE)
        if slow == "client":
            await pour(peer)
        else:
            peer.reader._transport.pause_reading()  # type: ignore[attr-defined]  # no public way to not read
        await asyncio.sleep(3600)

    async with through(script) as (client, _):
        await client.send(ASK)
        await client.head()
        pouring = None
        if slow == "client":
            client.reader._transport.pause_reading()  # type: ignore[attr-defined]  # as above
        else:
            pouring = asyncio.create_task(pour(client))
        last = -1
        while last != sent or not sent:
            last = sent
            await asyncio.sleep(0.3)
        assert sent < total / 2
        if pouring is not None:
            pouring.cancel()


async def test_an_upgrade_that_the_emulator_ignores_is_an_ordinary_answer_and_closes() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await peer.rest()

    async with through(script) as (client, _):
        await client.send(ASK)
        assert await client.rest() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


async def test_a_stop_ends_tunnels() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(AGREE)
        await peer.rest()

    async with RawServer(script) as server, proxy_to(server.url) as door:
        client = await dial(door.address)
        await client.send(ASK)
        await client.head()
        await asyncio.wait_for(door.stop(0.2), 3)
        assert await client.gone()
