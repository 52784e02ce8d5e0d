"""`--answer-timeout` is about silence: it counts from the latest byte of the emulator, on each way through the proxy."""

from __future__ import annotations

import asyncio

import pytest

from replay_proxy.errors import AnswerTimeoutError
from replay_proxy.exchange import Headers
from replay_proxy.proxy.http.client.upstream import UpstreamClient
from tests.proxy.raw_peer import Peer, RawServer
from tests.proxy.test_client import HOST, OK, pieces
from tests.proxy.test_fast_path import ANSWER, REQUEST, proxied

BOTH_LOOPS = True

INTERIM = {
    "100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "102": b"HTTP/1.1 102 Processing\r\nX: y\r\n\r\n",
    "103 twice": b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" * 2,
}
PATIENCE = 0.8


@pytest.mark.parametrize("interim", INTERIM.values(), ids=INTERIM)
async def test_silence_after_an_interim_answer_ends(interim: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(interim)
        assert await peer.gone()

    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url, read_timeout=PATIENCE)
        for body, length in ((None, None), (b"small", 5), (pieces(b"x" * 40_000), 40_000)):
            with pytest.raises(AnswerTimeoutError):
                async with asyncio.timeout(60):
                    await upstream.send("PUT", "/", HOST, body, length)
        await upstream.close()


@pytest.mark.parametrize("interim", INTERIM.values(), ids=INTERIM)
async def test_interim_answers_break_the_silence_and_leave_the_connection_as_it_was(interim: bytes) -> None:
    async def script(peer: Peer) -> None:
        for pause in (0.3, 0, 0.3):
            await peer.message()
            for _ in range(3):
                await peer.send(interim)
                await asyncio.sleep(pause)
            await peer.send(OK)

    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url, read_timeout=PATIENCE)
        for _ in range(3):
            assert await (await upstream.send("GET", "/", HOST)).read() == b"ok"
        await asyncio.sleep(2 * PATIENCE)
        assert server.connections == 1
        await upstream.close()


async def test_a_handshake_that_nobody_answers_ends_and_a_silent_tunnel_does_not() -> None:
    async def script(peer: Peer) -> None:
        head = await peer.head()
        if b"/tunnel" in head:
            await peer.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            await peer.send(await peer.exactly(2))
        assert await peer.gone()

    headers = Headers([("Host", "h"), ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Key", "a")])
    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url, read_timeout=PATIENCE)
        with pytest.raises(AnswerTimeoutError):
            async with asyncio.timeout(60):
                await upstream.send("GET", "/", headers, upgrade=True)
        answer = await upstream.send("GET", "/tunnel", headers, upgrade=True)
        assert answer.tunnel is not None
        await asyncio.sleep(2 * PATIENCE)
        await answer.tunnel.write(b"hi")
        assert await asyncio.wait_for(answer.tunnel.read(), 60) == b"hi"
        await asyncio.sleep(2 * PATIENCE)
        await answer.aclose()
        await upstream.close()


async def test_an_emulator_that_takes_nothing_of_an_upload_is_given_up() -> None:
    async def script(peer: Peer) -> None:
        peer.reader._transport.pause_reading()  # type: ignore[attr-defined]  # no public way to not read
        await asyncio.sleep(3600)

    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url, read_timeout=PATIENCE)
        size, piece = 512, b"x" * 65536
        with pytest.raises(AnswerTimeoutError):
            async with asyncio.timeout(60):
                await upstream.send("PUT", "/", HOST, pieces(*[piece] * size), size * len(piece))
        await upstream.close()


async def test_an_answer_that_comes_bit_by_bit_is_waited_for_on_the_fast_path() -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.message()
            for piece in (ANSWER[:30], ANSWER[30:45], ANSWER[45:-1], ANSWER[-1:]):
                await asyncio.sleep(0.3)
                await peer.send(piece)

    async with proxied(script, read_timeout=PATIENCE) as (client, _, fast_path):
        for _ in range(2):
            await client.send(REQUEST)
            assert await client.exactly(len(ANSWER)) == ANSWER
        assert fast_path.taken == 2


@pytest.mark.parametrize("sent", [*INTERIM.values(), ANSWER[:30], ANSWER[:-1]], ids=[*INTERIM, "a head", "a body"])
async def test_silence_on_the_fast_path_ends_whatever_came_before(sent: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(sent)
        assert await peer.gone()

    async with proxied(script, read_timeout=PATIENCE) as (client, _, fast_path):
        await client.send(REQUEST)
        assert (await asyncio.wait_for(client.message(), 60)).startswith(b"HTTP/1.1 503 ")
        assert fast_path.taken == 1
