"""Bodies in motion: streaming, back-pressure, `100 Continue`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from replay_proxy.exchange import Headers
from replay_proxy.proxy.http.streams import Incoming, Outgoing
from tests.proxy.raw_peer import Peer, dial, serving, through, unchunked

BOTH_LOOPS = True

MIB = 2**20
PIECE = bytes(range(256)) * 256


class Memory:
    """The resident memory of this process, in bytes: how far above the beginning it has been."""

    def __init__(self) -> None:
        if not Path("/proc/self/clear_refs").exists():
            pytest.skip("needs Linux's /proc to reset the peak of memory")
        # proc(5): 5 resets the peak resident set size to the current one.
        Path("/proc/self/clear_refs").write_text("5")
        self._before = self._peak()

    @staticmethod
    def _peak() -> int:
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024

    def growth(self) -> int:
        return self._peak() - self._before


# 100 Continue


async def test_a_client_that_waits_is_told_to_continue_before_the_emulator_answers() -> None:
    async def script(peer: Peer) -> None:
        message = await peer.message()
        assert message == b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with through(script) as (client, _):
        await client.send(b"PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert await client.head() == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b"hello")
        assert await client.message() == b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


async def test_a_client_that_did_not_wait_is_not_told() -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.message()
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with through(script) as (client, _):
        for _ in range(2):
            await client.send(b"PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")
            assert await client.message() == b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


async def test_a_refusal_comes_instead_of_continue_and_closes() -> None:
    async def handler(incoming: Incoming) -> Outgoing:
        return Outgoing(503, "Slow Down", Headers(), b"later")

    door = await serving(handler)
    client = await dial(door.address)
    await client.send(b"PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    wanted = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlater"
    assert await client.message() == wanted
    client.close()
    await door.stop(0.1)


async def test_http10_is_never_told_to_continue() -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with through(script) as (client, _):
        await client.send(b"PUT / HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        await asyncio.sleep(0.05)
        await client.send(b"hello")
        assert (await client.rest()).startswith(b"HTTP/1.1 200 OK\r\n")


# Streaming and back-pressure


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_a_large_upload_arrives_whole_with_flat_memory(framing: str) -> None:
    pieces = 3200  # 200 MiB
    received = 0

    async def script(peer: Peer) -> None:
        nonlocal received
        await peer.head()
        while received < pieces * len(PIECE):
            if framing == "length":
                received += len(await peer.read())
            else:
                size = int(await peer.reader.readuntil(b"\r\n"), 16)
                received += len(await peer.exactly(size))
                assert await peer.exactly(2) == b"\r\n"
        if framing == "chunks":
            assert await peer.exactly(5) == b"0\r\n\r\n"
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with through(script) as (client, _):
        memory = Memory()
        if framing == "length":
            await client.send(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (pieces * len(PIECE)))
        else:
            await client.send(b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(pieces):
            await client.send(PIECE if framing == "length" else b"10000\r\n" + PIECE + b"\r\n")
        if framing == "chunks":
            await client.send(b"0\r\n\r\n")
        assert await client.message() == b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        assert received == pieces * len(PIECE)
        assert memory.growth() < 32 * MIB


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_a_large_download_arrives_whole_with_flat_memory(framing: str) -> None:
    pieces = 3200  # 200 MiB

    async def script(peer: Peer) -> None:
        await peer.message()
        if framing == "length":
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (pieces * len(PIECE)))
        else:
            await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(pieces):
            await peer.send(PIECE if framing == "length" else b"10000\r\n" + PIECE + b"\r\n")
        if framing == "chunks":
            await peer.send(b"0\r\n\r\n")
        await peer.rest()

    async with through(script) as (client, _):
        memory = Memory()
        await client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await client.head()
        received = 0
        while received < pieces * len(PIECE):
            if framing == "length":
                data = await client.read()
                assert data[0] == received % 256
                received += len(data)
            else:
                size = int(await client.reader.readuntil(b"\r\n"), 16)
                received += len(await client.exactly(size))
                await client.exactly(2)
        if framing == "chunks":
            assert await client.exactly(5) == b"0\r\n\r\n"
        assert received == pieces * len(PIECE)
        assert memory.growth() < 32 * MIB


async def test_a_client_that_does_not_read_stops_the_emulator() -> None:
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.message()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2048 * len(PIECE)))
        for _ in range(2048):
            await peer.send(PIECE)
            sent += len(PIECE)

    async with through(script) as (client, _):
        # 16 MiB are more than all socket buffers in between can hold, and far less than the 128 MiB of the answer.
        client.reader._transport.pause_reading()  # type: ignore[attr-defined]  # no public way to not read
        await client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        await settled(lambda: sent)
        assert sent < 2048 * len(PIECE) / 2


async def test_an_emulator_that_does_not_read_stops_the_client() -> None:
    async def script(peer: Peer) -> None:
        peer.reader._transport.pause_reading()  # type: ignore[attr-defined]  # no public way to not read
        await asyncio.sleep(3600)

    async with through(script) as (client, _):
        await client.send(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (2048 * len(PIECE)))
        sent = 0

        async def upload() -> None:
            nonlocal sent
            for _ in range(2048):
                await client.send(PIECE)
                sent += len(PIECE)

        task = asyncio.create_task(upload())
        await settled(lambda: sent)
        assert not task.done()
        assert sent < 2048 * len(PIECE) / 2
        task.cancel()


async def settled(value: object) -> None:
    """Wait until what `value()` says has not changed for a moment."""
    assert callable(value)
    last = -1
    while last != value() or not last:
        last = value()
        await asyncio.sleep(0.3)


async def test_the_beginning_of_an_answer_does_not_wait_for_its_end() -> None:
    """Event streams: each event must arrive when it happens."""
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        await go_on.wait()
        await peer.send(b"6\r\nsecond\r\n0\r\n\r\n")
        await peer.rest()

    async with through(script) as (client, _):
        await client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await client.head()).endswith(b"Transfer-Encoding: chunked\r\n\r\n")
        assert await client.exactly(10) == b"5\r\nfirst\r\n"
        go_on.set()
        assert await client.chunked() == b"6\r\nsecond\r\n0\r\n\r\n"


async def test_the_beginning_of_a_request_does_not_wait_for_its_end() -> None:
    arrived = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.head()
        assert await peer.exactly(10) == b"5\r\nfirst\r\n"
        arrived.set()
        assert unchunked(await peer.chunked()) == b"second"
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with through(script) as (client, _):
        await client.send(b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        await asyncio.wait_for(arrived.wait(), 60)
        await client.send(b"6\r\nsecond\r\n0\r\n\r\n")
        assert (await client.message()).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_an_answer_may_come_before_the_request_has_ended() -> None:
    """An emulator refuses an upload early: the client must get to see why."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\nConnection: close\r\n\r\ndenied")
        await peer.rest()

    async with through(script) as (client, _):
        await client.send(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (64 * len(PIECE)))
        await client.send(PIECE)
        assert (await client.message()).startswith(b"HTTP/1.1 403 Forbidden\r\n")


async def test_a_long_poll_is_waited_for() -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        await asyncio.sleep(2)
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    async with through(script) as (client, _):
        await client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await client.message()).endswith(b"{}")
