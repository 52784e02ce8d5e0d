"""Clients that close their sending side after their request get their answer; those that have left are noticed as ever."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from replay_proxy.exchange import Headers
from replay_proxy.proxy.http.client.upstream import UpstreamClient
from replay_proxy.proxy.http.server.reverse_door import ReverseDoor
from replay_proxy.proxy.http.streams import Incoming, Outgoing
from tests.proxy.raw_peer import Peer, RawServer, dial, serving, unchunked, whole_proxy

BOTH_LOOPS = True

DONE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"
REQUESTS = {
    "the fast path": b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "the fast path, a body": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    "the full path": b"GET / HTTP/1.1\r\nHost: h\r\nTE: trailers\r\n\r\n",
    "chunks": b"PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "a streamed body": b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 400000\r\n\r\n" + b"x" * 400_000,
    "HTTP/1.0": b"GET / HTTP/1.0\r\nHost: h\r\n\r\n",
    "an expectation": b"PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
}
ANSWERS = {
    "plain": DONE,
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndone\r\n0\r\n\r\n",
    "long": b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000,
    "bodiless": b"HTTP/1.1 204 No Content\r\n\r\n",
}


async def in_time(peer: Peer) -> bytes:
    return await asyncio.wait_for(peer.message(), 10)


@asynccontextmanager
async def proxied(script: object) -> AsyncIterator[Peer]:
    assert callable(script)
    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url)
        handler, fast_path = whole_proxy(upstream)
        door = ReverseDoor(handler, "127.0.0.1", 0, fast_path=fast_path)
        await door.start()
        client = await dial(door.address)
        try:
            yield client
        finally:
            client.abort()
            await door.stop(0.5)
            assert door.connections == 0
            await upstream.close()


@pytest.mark.parametrize("pause", [0, 0.01, 0.5])
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
async def test_an_answer_reaches_who_only_listens_and_then_the_connection_ends(
    request_: bytes, answer: bytes, pause: float
) -> None:
    async def script(peer: Peer) -> None:
        while True:
            await in_time(peer)
            await asyncio.sleep(pause)
            await peer.send(answer)

    async with proxied(script) as client:
        await client.send(request_)
        client.writer.write_eof()
        got = await client.rest()
    head, _, body = got.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").partition(b"\r\n\r\n")
    assert head.startswith(answer.partition(b"\r\n")[0])
    assert head.count(b"HTTP/1.1") == 1
    wanted = answer.partition(b"\r\n\r\n")[2]
    if b"chunked" in answer:
        wanted, body = unchunked(wanted), unchunked(body) if b"chunked" in head else body
    assert body == wanted


@pytest.mark.parametrize("first", REQUESTS.values(), ids=REQUESTS)
async def test_pipelined_requests_are_all_answered(first: bytes) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        while True:
            seen.append(await in_time(peer))
            await asyncio.sleep(0.1)
            await peer.send(DONE)

    async with proxied(script) as client:
        first = first.replace(b"HTTP/1.0\r\n", b"HTTP/1.0\r\nConnection: keep-alive\r\n")
        await client.send(first + REQUESTS["the fast path"])
        await client.send(REQUESTS["chunks"] + REQUESTS["the fast path, a body"])
        client.writer.write_eof()
        got = (await client.rest()).replace(b"HTTP/1.1 100 Continue\r\n\r\n", b"")
    assert len(seen) == 4
    assert got.count(b"HTTP/1.1 200 OK\r\n") == got.count(b"\r\n\r\ndone") == 4
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")


def slammed(client: Peer, how: str) -> None:
    """Leave: in good order, with a RST, or first with one half and a moment later with the other."""
    if how == "reset":
        linger = struct.pack("ii", 1, 0)
        client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        client.abort()
    else:
        client.close()


@pytest.mark.parametrize("how", ["close", "reset", "one half, then the other"])
@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
async def test_who_has_left_is_seen_by_the_emulator(request_: bytes, how: str) -> None:
    started, gone = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await in_time(peer)
        started.set()
        assert await peer.gone()
        gone.set()

    async with proxied(script) as client:
        await client.send(request_)
        await asyncio.wait_for(started.wait(), 60)
        if how == "one half, then the other":
            client.writer.write_eof()
            await asyncio.sleep(0.3)
            assert not gone.is_set()
        slammed(client, how)
        await asyncio.wait_for(gone.wait(), 60)


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 1000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n30d40\r\n"]
)
async def test_who_has_left_in_the_middle_of_an_answer_that_stands_still_is_seen(framing: bytes) -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await in_time(peer)
        await peer.send(b"HTTP/1.1 200 OK\r\n" + framing + b"x" * 200_000)
        assert await peer.gone()
        gone.set()

    async with proxied(script) as client:
        await client.send(REQUESTS["the fast path"])
        await client.head()
        await client.exactly(190_000)
        client.close()
        await asyncio.wait_for(gone.wait(), 60)


@pytest.mark.parametrize("early", [True, False])
async def test_who_listens_gets_an_answer_that_takes_its_time_to_its_end(early: bool) -> None:
    async def script(peer: Peer) -> None:
        await in_time(peer)
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\n")
        await peer.send(b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(10):
            await peer.send(b"1\r\nx\r\n")
            await asyncio.sleep(0.3)
        await peer.send(b"0\r\n\r\n")

    async with proxied(script) as client:
        await client.send(REQUESTS["the fast path"])
        if early:
            client.writer.write_eof()
        head = await client.head()
        if not early:
            client.writer.write_eof()
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert unchunked(await client.rest()) == b"x" * 10


@pytest.mark.parametrize("framing", [b"Content-Length: 1000000\r\n", b"Transfer-Encoding: chunked\r\n"])
async def test_an_upload_that_ends_before_its_end_is_not_passed_on_as_whole(framing: bytes) -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.head()
        assert not (await peer.rest()).endswith(b"0\r\n\r\n")
        gone.set()

    async with proxied(script) as client:
        await client.send(b"PUT / HTTP/1.1\r\nHost: h\r\n" + framing + b"\r\n")
        await client.send(b"%x\r\n" % 400_000 if b"chunked" in framing else b"")
        await client.send(b"x" * 400_000)
        await asyncio.sleep(0.1)
        client.writer.write_eof()
        await asyncio.wait_for(gone.wait(), 60)
        assert await client.rest() == b""


async def test_who_asks_nothing_is_let_go_at_once() -> None:
    async def script(peer: Peer) -> None:
        await in_time(peer)
        await peer.send(DONE)
        assert await peer.gone()

    async with proxied(script) as client:
        client.writer.write_eof()
        assert await client.rest() == b""
    async with proxied(script) as client:
        await client.send(REQUESTS["the fast path"])
        assert await client.message() == DONE
        client.writer.write_eof()
        assert await client.rest() == b""


@pytest.mark.parametrize("status", [200, 503])
async def test_who_waits_at_the_gate_is_answered_too(status: int) -> None:
    """Beginning at once, and over a wait that takes all that can be sent ahead."""

    async def handler(_incoming: Incoming) -> Outgoing:
        await asyncio.sleep(0.7)
        return Outgoing(status, "Very Well", Headers([("Content-Length", "2")]), b"ok")

    door = await serving(handler)
    client = await dial(door.address)
    await client.send(REQUESTS["the fast path"])
    client.writer.write_eof()
    assert await client.rest() == b"HTTP/1.1 %d Very Well\r\nContent-Length: 2\r\n\r\nok" % status
    await door.stop(0.1)


async def test_what_is_malformed_is_refused_to_who_only_listens() -> None:
    async def script(peer: Peer) -> None:
        raise AssertionError("it was passed on")

    async with proxied(script) as client:
        await client.send(b"hello\r\n\r\n")
        client.writer.write_eof()
        assert (await client.rest()).startswith(b"HTTP/1.1 400 Bad Request\r\n")
