"""`Expect: 100-continue` as clients send it: with a body, without one, at once or after the `100`, again and again.

What must never happen is that a client and the door differ on whose turn it is: a client that waits for `100 Continue` and is
given a final answer instead need not send its body, and old ones (botocore) take that answer for the one of their next request
too, unless the connection ends with it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from replay_proxy.exchange import Headers
from replay_proxy.proxy.http.client.upstream import UpstreamClient
from replay_proxy.proxy.http.server.reverse_door import ReverseDoor
from replay_proxy.proxy.http.streams import Incoming, Outgoing
from tests.proxy.raw_peer import Peer, RawServer, dial, serving, unchunked, whole_proxy

BOTH_LOOPS = True

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
DONE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"
EXPECT = b"Expect: 100-continue\r\n"
LENGTH, CHUNKED = b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
PLAIN = b"GET /plain HTTP/1.1\r\nHost: h\r\n\r\n"

# How each client frames what it sends, and the body: botocore and the JavaScript SDK give an empty body a length, Go and
# Apache's client for Java may give it none.
FRAMED = {
    "empty, with a length": (b"Content-Length: 0\r\n", b""),
    "empty, without a length": (b"", b""),
    "a length": (LENGTH, b"hello"),
    "chunks": (CHUNKED, CHUNKS),
    "no chunks": (CHUNKED, b"0\r\n\r\n"),
}
SPELLINGS = {
    "botocore": b"Expect: 100-continue\r\n",
    "Apache": b"Expect: 100-Continue\r\n",
    "Node": b"expect: 100-continue\r\n",
    "a list": b"Expect: a-pony, 100-continue\r\n",
}


def put(framing: bytes, expect: bytes = EXPECT, version: bytes = b"1.1", more: bytes = b"") -> bytes:
    return b"PUT /b/k HTTP/%s\r\nHost: h\r\n" % version + expect + framing + more + b"\r\n"


async def answering(peer: Peer, seen: list[bytes]) -> None:
    while True:
        seen.append(await peer.message())
        await peer.send(DONE)


@asynccontextmanager
async def proxied() -> AsyncIterator[tuple[Peer, list[bytes]]]:
    """A client of a whole proxy, fast path included, and what the emulator sees."""
    seen: list[bytes] = []
    async with RawServer(lambda peer: answering(peer, seen)) as server:
        upstream = UpstreamClient(server.url)
        handler, fast_path = whole_proxy(upstream)
        door = ReverseDoor(handler, "127.0.0.1", 0, fast_path=fast_path)
        await door.start()
        client = await dial(door.address)
        try:
            yield client, seen
        finally:
            client.abort()
            await door.stop(0.5)
            await upstream.close()


def body_of(message: bytes) -> bytes:
    head, _, body = message.partition(b"\r\n\r\n")
    return unchunked(body) if b"chunked" in head else body


@pytest.mark.parametrize("expect", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize(("framing", "body"), FRAMED.values(), ids=FRAMED)
async def test_who_waits_is_told_to_go_on_and_then_answered(framing: bytes, body: bytes, expect: bytes) -> None:
    async with proxied() as (client, seen):
        for number in range(1, 4):
            await client.send(put(framing, expect))
            assert await client.head() == CONTINUE
            await client.send(body)
            assert await client.message() == DONE
            await client.send(PLAIN)
            assert await client.message() == DONE
            assert len(seen) == 2 * number
        for message in seen[::2]:
            assert body_of(message) == (b"hello" if b"hello" in body else b"")
            assert b"xpect" not in message
        assert seen[1::2] == [PLAIN] * 3


@pytest.mark.parametrize(("framing", "body"), FRAMED.values(), ids=FRAMED)
async def test_who_does_not_wait_gets_one_final_answer_for_each_request(framing: bytes, body: bytes) -> None:
    async with proxied() as (client, seen):
        await client.send((put(framing) + body) * 3 + PLAIN)
        for _ in range(4):
            answer = await client.head()
            if answer == CONTINUE:
                answer = await client.head()
            assert answer + await client.exactly(4) == DONE
        assert [body_of(message) for message in seen[:3]] == [b"hello" if b"hello" in body else b""] * 3
        assert seen[3] == PLAIN


@pytest.mark.parametrize(("framing", "body"), FRAMED.values(), ids=FRAMED)
async def test_http_1_0_knows_no_100(framing: bytes, body: bytes) -> None:
    if framing == CHUNKED:
        pytest.skip("HTTP/1.0 has no chunks")
    async with proxied() as (client, seen):
        await client.send(put(framing, version=b"1.0", more=b"Connection: keep-alive\r\n") + body)
        answer = await client.message()
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\nConnection: keep-alive\r\n" in answer
        await client.send(PLAIN)
        assert await client.message() == DONE
        assert body_of(seen[0]) == (b"hello" if b"hello" in body else b"")


@pytest.mark.parametrize(("framing", "body"), FRAMED.values(), ids=FRAMED)
@pytest.mark.parametrize("at_once", [True, False])
async def test_a_refusal_leaves_no_doubt_about_the_connection(framing: bytes, body: bytes, at_once: bool) -> None:
    """The door, or the gate, answers without reading the body: the client gets its `100` before, or the connection ends."""

    async def refuse(_incoming: Incoming) -> Outgoing:
        return Outgoing(503, "Service Unavailable", Headers([("Content-Length", "2")]), b"no")

    door = await serving(refuse)
    client = await dial(door.address)
    await client.send(put(framing) + (body if at_once else b""))
    head = await client.head()
    if head == CONTINUE:
        assert framing != LENGTH
        await client.send(b"" if at_once else body)
        assert (await client.message()).endswith(b"\r\n\r\nno")
        await client.send(PLAIN)
        assert (await client.message()).startswith(b"HTTP/1.1 503 ")
    else:
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nConnection: close\r\n" in head
        assert framing in (LENGTH, CHUNKED)
        await client.send(b"" if at_once else body)
        assert await client.rest() == b"no"
    client.abort()
    await door.stop(0.1)
