"""Every way in which a request or an answer can end too early, and how the door itself ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from replay_proxy.exchange import Headers
from replay_proxy.proxy.http.client.upstream import UpstreamClient
from replay_proxy.proxy.http.streams import ClientGoneError, Incoming, Outgoing
from tests.proxy.raw_peer import Peer, RawServer, dial, pass_through, proxy_to, serving, through

BOTH_LOOPS = True


# Clients that leave


async def test_a_client_that_leaves_while_it_waits_takes_its_request_with_it() -> None:
    gone = asyncio.Event()
    started = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.message()
        started.set()
        assert await peer.gone()
        gone.set()

    async with through(script) as (client, _):
        await client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await asyncio.wait_for(started.wait(), 60)
        client.abort()
        await asyncio.wait_for(gone.wait(), 60)


@pytest.mark.parametrize("framing", [b"Content-Length: 1000000\r\n", b"Transfer-Encoding: chunked\r\n"])
async def test_a_client_that_leaves_in_mid_upload_leaves_no_complete_request(framing: bytes) -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.head()
        body = await peer.rest()
        assert len(body) < 1_000_000
        assert not body.endswith(b"0\r\n\r\n")
        gone.set()

    async with through(script) as (client, _):
        await client.send(b"PUT / HTTP/1.1\r\nHost: h\r\n" + framing + b"\r\n")
        await client.send(b"5\r\nhello\r\n" if b"chunked" in framing else b"hello")
        await asyncio.sleep(0.05)
        client.close()
        await asyncio.wait_for(gone.wait(), 60)


async def test_a_client_that_leaves_in_mid_download_stops_it() -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nhello")
        assert await peer.gone()
        gone.set()

    async with through(script) as (client, _):
        await client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await client.head()
        client.abort()
        await asyncio.wait_for(gone.wait(), 60)


async def test_a_handler_can_finish_what_it_shields() -> None:
    """A mutation is under way when its client leaves: it must still be recorded."""
    started, recorded = asyncio.Event(), asyncio.Event()
    cancelled = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.message()
        started.set()
        await asyncio.sleep(0.3)
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        await peer.rest()

    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url)
        tasks = []

        async def mutate(incoming: Incoming) -> Outgoing:
            answer = await pass_through(upstream)(incoming)
            recorded.set()
            return answer

        async def handler(incoming: Incoming) -> Outgoing:
            tasks.append(asyncio.create_task(mutate(incoming)))
            try:
                return await asyncio.shield(tasks[-1])
            except asyncio.CancelledError:
                cancelled.set()
                raise

        door = await serving(handler)
        client = await dial(door.address)
        await client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}")
        await asyncio.wait_for(started.wait(), 60)
        client.abort()
        await asyncio.wait_for(cancelled.wait(), 60)
        assert not recorded.is_set()
        await asyncio.wait_for(recorded.wait(), 60)
        await door.stop(0.1)
        await upstream.close()


async def test_a_shielded_reader_of_a_body_is_told_that_the_client_left() -> None:
    told: list[BaseException] = []
    started = asyncio.Event()

    async def read(body: AsyncIterator[bytes]) -> None:
        try:
            async for _ in body:
                started.set()
        except ClientGoneError as exc:
            told.append(exc)

    tasks = []

    async def handler(incoming: Incoming) -> Outgoing:
        assert incoming.body is not None
        tasks.append(asyncio.create_task(read(incoming.body)))
        await asyncio.shield(tasks[-1])
        return Outgoing(200, "OK", Headers())

    door = await serving(handler)
    client = await dial(door.address)
    await client.send(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhello")
    await asyncio.wait_for(started.wait(), 60)
    client.close()
    await asyncio.wait_for(tasks[0], 60)
    assert len(told) == 1
    await door.stop(0.1)


async def test_a_client_that_stops_sending_is_given_up() -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.rest()
        gone.set()

    async with through(script, body_timeout=0.2) as (client, _):
        await client.send(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nhello")
        assert (await client.message()).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        await asyncio.wait_for(gone.wait(), 60)


async def test_a_slow_client_is_not_given_up() -> None:
    async def script(peer: Peer) -> None:
        assert (await peer.message()).endswith(b"\r\n\r\n" + b"x" * 20)
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with through(script, body_timeout=1) as (client, _):
        await client.send(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\n")
        for _ in range(20):
            await client.send(b"x")
            await asyncio.sleep(0.08)
        assert (await client.message()).startswith(b"HTTP/1.1 200 OK\r\n")


# Answers that break off

BROKEN = {
    "length": (b"Content-Length: 10\r\n\r\n", b"hello"),
    "chunks": (b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\nhello\r\n"),
    "a chunk": (b"Transfer-Encoding: chunked\r\n\r\n", b"a\r\nhello"),
    "malformed chunks": (b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\nhello\r\nzz\r\n"),
}


@pytest.mark.parametrize("how", ["close", "abort"])
@pytest.mark.parametrize(("framing", "sent"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
async def test_half_an_answer_is_never_taken_for_a_whole_one(
    framing: bytes, sent: bytes, how: str, version: bytes
) -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(b"HTTP/1.1 200 OK\r\n" + framing)
        await asyncio.sleep(0.05)
        await peer.send(sent)
        await asyncio.sleep(0.05)
        if how == "close":
            peer.close()
        else:
            peer.abort()

    async with through(script) as (client, _):
        await client.send(b"GET / HTTP/" + version + b"\r\nHost: h\r\n\r\n")
        head = await client.head()
        if b"Content-Length: 10" in head:
            assert len(await client.rest()) < 10
        elif b"chunked" in head:
            assert not (await client.rest()).endswith(b"0\r\n\r\n")
        else:
            # Only the end of the connection ends this body, so it must not end in an orderly way.
            with pytest.raises(ConnectionResetError):
                while await client.read():
                    pass


async def test_an_emulator_that_falls_silent_is_cut_at_the_read_timeout() -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        await asyncio.sleep(3600)

    async with through(script, read_timeout=0.3) as (client, _):
        await client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await client.head()
        assert len(await asyncio.wait_for(client.rest(), 60)) < 10


@pytest.mark.parametrize("length", ["3", "7"])
async def test_a_handler_whose_stream_does_not_keep_to_its_length_cuts_the_connection(length: str) -> None:
    async def handler(incoming: Incoming) -> Outgoing:
        async def body() -> AsyncIterator[bytes]:
            yield b"fi"
            yield b"ve!"

        return Outgoing(200, "OK", Headers([("Content-Length", length)]), body())

    door = await serving(handler)
    client = await dial(door.address)
    await client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    await client.head()
    assert len(await client.rest()) < int(length)
    await door.stop(0.1)


async def test_a_head_that_cannot_be_written_cuts_the_connection() -> None:
    async def handler(incoming: Incoming) -> Outgoing:
        return Outgoing(200, "OK", Headers([("X", "a\r\nY: b")]), b"")

    door = await serving(handler)
    client = await dial(door.address)
    await client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert await client.rest() == b""
    await door.stop(0.1)


# The end of the door


async def test_a_stop_lets_requests_finish_uploads_included() -> None:
    async def script(peer: Peer) -> None:
        message = await peer.message()
        await asyncio.sleep(0.2)
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(message) + message)

    async with RawServer(script) as server, proxy_to(server.url) as door:
        idle, client = await dial(door.address), await dial(door.address)
        await client.send(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 50000\r\n\r\n" + b"x" * 20000)
        await asyncio.sleep(0.1)
        stopping = asyncio.create_task(door.stop(600))
        assert await idle.gone()
        await client.send(b"x" * 30000)
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\nConnection: close\r\n" in answer
        assert answer.endswith(b"\r\n\r\n" + b"x" * 50000)
        await asyncio.wait_for(stopping, 60)
        with pytest.raises(OSError, match="onnect"):
            await dial(door.address)


async def test_a_stop_cuts_what_does_not_finish() -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.rest()

    async with RawServer(script) as server, proxy_to(server.url) as door:
        client = await dial(door.address)
        await client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await asyncio.sleep(0.1)
        await asyncio.wait_for(door.stop(0.3), 3)
        assert await client.rest() == b""
