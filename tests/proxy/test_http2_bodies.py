"""Bodies in motion over HTTP/2: flow control both ways, and what of it is held in memory."""

from __future__ import annotations

import asyncio

import pytest

from replay_proxy.exchange import Headers
from replay_proxy.proxy.http.streams import Incoming, Outgoing
from tests.proxy.http2_peer import Http2Client, dial_http2, http2_through
from tests.proxy.raw_peer import Peer, serving, unchunked
from tests.proxy.test_server_bodies import MIB, PIECE, Memory, settled

BOTH_LOOPS = True

LARGE = 64 * MIB


class Pouring(Http2Client):
    """A client that counts what it gets, and keeps none of it."""

    poured = 0

    def _note(self, event: object) -> None:
        number = getattr(event, "stream_id", 0)
        super()._note(event)  # type: ignore[arg-type]
        got = self.got.get(number)
        if got is not None:
            self.poured += len(got.body)
            got.body = b""


async def test_a_large_upload_arrives_whole_with_flat_memory() -> None:
    received = 0

    async def script(peer: Peer) -> None:
        nonlocal received
        await peer.head()
        while received < LARGE:
            data = await peer.read()
            assert data[0] == received % 256
            received += len(data)
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with http2_through(script) as (client, _):
        memory = Memory()
        number = await client.request("PUT", "/", [("content-length", str(LARGE))], end=False)
        for _ in range(LARGE // len(PIECE)):
            await client.body(number, PIECE, end=False)
        client.h2.end_stream(number)
        await client.flush()
        assert (await client.answer(number)).status == 200
        assert received == LARGE
        assert memory.growth() < 32 * MIB


async def test_a_large_download_arrives_whole_with_flat_memory() -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE)
        for _ in range(LARGE // len(PIECE)):
            await peer.send(PIECE)
        await peer.rest()

    async with http2_through(script) as (client, _):
        client.__class__ = Pouring
        assert isinstance(client, Pouring)
        memory = Memory()
        got = await client.exchange("GET", "/")
        assert got.get("content-length") == str(LARGE)
        assert client.poured == LARGE
        assert memory.growth() < 32 * MIB


async def test_a_whole_answer_larger_than_every_window_arrives() -> None:
    whole = PIECE * 40

    async def handler(incoming: Incoming) -> Outgoing:
        return Outgoing(200, "OK", Headers([("Content-Length", "7")]), whole)

    door = await serving(handler)
    client = await dial_http2(door.address)
    numbers = [await client.request("GET", "/") for _ in range(3)]
    for number in numbers:
        got = await client.answer(number)
        assert got.body == whole
        assert got.get("content-length") == str(len(whole))
    client.abort()
    await door.stop(0.1)


@pytest.mark.parametrize("stops", ["reading", "opening its window"])
async def test_a_client_that_takes_nothing_stops_the_emulator(stops: str) -> None:
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.message()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2048 * len(PIECE)))
        for _ in range(2048):
            await peer.send(PIECE)
            sent += len(PIECE)

    async with http2_through(script) as (client, _):
        await client.until(lambda: client.settings)
        if stops == "reading":
            client.h2.update_settings({4: 2**31 - 1})
            client.h2.increment_flow_control_window(2**30)
            await client.stop_reading()
        else:
            client.h2.acknowledge_received_data = lambda *_: None  # type: ignore[method-assign,assignment]
        memory = Memory()
        await client.request("GET", "/")
        await settled(lambda: sent)
        assert sent < 2048 * len(PIECE) / 2
        assert memory.growth() < 32 * MIB


async def test_one_stream_that_is_not_taken_does_not_hold_up_another() -> None:
    """The connection's window has room for all of them."""

    async def handler(incoming: Incoming) -> Outgoing:
        if incoming.target == "/stuck":
            await asyncio.sleep(3600)
        assert incoming.body is not None
        size = 0
        async for chunk in incoming.body:
            size += len(chunk)
        return Outgoing(200, "OK", Headers(), str(size).encode())

    door = await serving(handler)
    client = await dial_http2(door.address)
    await client.until(lambda: client.settings)
    for _ in range(99):
        number = await client.request("PUT", "/stuck", end=False)
        await client.body(number, b"x" * client.h2.local_flow_control_window(number), end=False)
        assert client.h2.local_flow_control_window(number) == 0
    assert (await client.exchange("PUT", "/", body=PIECE * 20)).body == str(20 * len(PIECE)).encode()
    client.abort()
    await door.stop(0.1)


async def test_an_emulator_that_does_not_read_stops_the_client() -> None:
    async def script(peer: Peer) -> None:
        peer.reader._transport.pause_reading()  # type: ignore[attr-defined]  # no public way to not read
        await asyncio.sleep(3600)

    async with http2_through(script) as (client, _):
        number = await client.request("PUT", "/", [("content-length", str(2048 * len(PIECE)))], end=False)
        sent = 0

        async def upload() -> None:
            nonlocal sent
            for _ in range(2048):
                await client.body(number, PIECE, end=False)
                sent += len(PIECE)

        task = asyncio.create_task(upload())
        await settled(lambda: sent)
        assert not task.done()
        assert sent < 2048 * len(PIECE) / 2
        task.cancel()


async def test_a_body_of_single_bytes_costs_no_more_than_its_bytes() -> None:
    """64 KiB in frames of a byte each: kept as pieces they would be 40 times as large."""

    async def handler(incoming: Incoming) -> Outgoing:
        await asyncio.sleep(3600)
        raise AssertionError

    door = await serving(handler)
    client = await dial_http2(door.address)
    await client.until(lambda: client.settings)
    memory = Memory()
    for _ in range(8):
        number = await client.request("PUT", "/", end=False)
        for _ in range(60):
            for _ in range(1000):
                client.h2.send_data(number, b"x")
            await client.flush()
            await asyncio.sleep(0)
    assert memory.growth() < 8 * MIB
    client.abort()
    await door.stop(0.1)


async def test_the_beginning_of_an_answer_does_not_wait_for_its_end() -> None:
    """Event streams: each event must arrive when it happens."""
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        await go_on.wait()
        await peer.send(b"6\r\nsecond\r\n0\r\n\r\n")
        await peer.rest()

    async with http2_through(script) as (client, _):
        number = await client.request("GET", "/")
        got = client.got[number]
        await client.until(lambda: got.body == b"first")
        assert got.status == 200
        go_on.set()
        assert (await client.answer(number)).body == b"firstsecond"


async def test_the_beginning_of_a_request_does_not_wait_for_its_end() -> None:
    """And both at once: an answer that goes on while its request does."""

    async def script(peer: Peer) -> None:
        await peer.head()
        assert await peer.exactly(10) == b"5\r\nfirst\r\n"
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        assert unchunked(await peer.chunked()) == b"second"
        await peer.send(b"3\r\ntwo\r\n0\r\n\r\n")
        await peer.rest()

    async with http2_through(script) as (client, _):
        number = await client.request("PUT", "/", end=False)
        await client.body(number, b"first", end=False)
        got = client.got[number]
        await client.until(lambda: got.body == b"one")
        await client.body(number, b"second")
        assert (await client.answer(number)).body == b"onetwo"


async def test_an_answer_may_come_before_the_request_has_ended() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\nConnection: close\r\n\r\ndenied")
        await peer.rest()

    async with http2_through(script) as (client, _):
        number = await client.request("PUT", "/", [("content-length", str(64 * len(PIECE)))], end=False)
        await client.body(number, b"x" * 30000, end=False)
        got = client.got[number]
        await client.until(lambda: got.reset is not None)
        assert (got.status, got.body, got.reset) == (403, b"denied", 0)
