"""Requests that offer to leave HTTP for something that nobody speaks: they are the requests that they also are."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from tests.proxy.raw_peer import Peer, through, unchunked

BOTH_LOOPS = True

DONE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"
OFFERS = {
    "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAA\r\n",
    "WebSocket without a key": b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
    "WebSocket with a key": b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\n",
    "several": b"Connection: upgrade\r\nUpgrade: a/1\r\nupgrade: websocket\r\n",
    "TLS": b"Upgrade: TLS/1.0\r\nConnection: Upgrade\r\n",
    "not named": b"Upgrade: websocket\r\n",
}
FRAMED = {
    "a length": (b"Content-Length: 5\r\n", b"hello"),
    "chunks": (b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
}


async def answering(peer: Peer, seen: list[bytes]) -> None:
    while True:
        seen.append(await peer.message())
        await peer.send(DONE)


@pytest.mark.parametrize("how", ["at once", "in two", "pipelined"])
@pytest.mark.parametrize(("framing", "body"), FRAMED.values(), ids=FRAMED)
@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
async def test_the_body_arrives_and_the_connection_goes_on(offer: bytes, framing: bytes, body: bytes, how: str) -> None:
    if how == "pipelined" and b"websocket" in offer and aiohttp.__version__.startswith("3.12."):
        pytest.skip(
            "it takes the body for the other protocol where the head does not come first, and the connection ends"
        )
    seen: list[bytes] = []
    async with through(lambda peer: answering(peer, seen)) as (client, _):
        request = b"POST / HTTP/1.1\r\nHost: h\r\n" + offer + framing + b"\r\n"
        if how == "pipelined":
            await client.send((request + body) * 3)
        for _ in range(3):
            if how == "at once":
                await client.send(request + body)
            elif how == "in two":
                await client.send(request)
                await asyncio.sleep(0.01)
                await client.send(body)
            answer = await client.message()
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
            if b"\r\nConnection: close\r\n" in answer:
                assert how == "pipelined", "only what stands behind the first of several may have to be sent again"
                assert await client.rest() == b""
                break
            assert answer == DONE
        for message in seen:
            head, _, got = message.partition(b"\r\n\r\n")
            assert (unchunked(got) if b"chunked" in head else got) == b"hello"
            assert b"pgrade" not in head
            assert b"HTTP2-Settings" not in head


async def test_an_emulator_that_leaves_http_unasked_is_not_followed() -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nwhat?")
        assert await peer.gone()

    async with through(script) as (client, _):
        await client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")
        assert (await client.message()).startswith(b"HTTP/1.1 502 ")
