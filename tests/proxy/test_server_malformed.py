"""What is not HTTP is refused with 400, never forwarded, and nothing behind it on the connection is believed.

Also the guard over what `door_protocol` relies on in aiohttp: a new version that changes it fails here.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.proxy.raw_peer import Peer, through

BOTH_LOOPS = True

HOST = b"Host: h\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"

CASES = {
    "length and chunks": b"POST / HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": b"POST / HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 0\r\nContent-Length: 40\r\n\r\n",
    "a list of lengths": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 0, 40\r\n\r\n",
    "a signed length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: +0\r\n\r\n",
    "a negative length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n",
    "a huge length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n",
    "unknown coding": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked not last": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "two codings": b"POST / HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "space before the colon": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a folded field": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n",
    "a zero byte in a field": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\x00b\r\n\r\n",
    "a bare line feed": b"GET / HTTP/1.1\n" + HOST + b"\r\n",
    "no request line": b"hello\r\n\r\n",
    "an unknown method": b"BREW / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a TLS hello": b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
    "half an HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nS\r\n\r\n",
}


@pytest.mark.parametrize("request_", CASES.values(), ids=CASES)
async def test_a_malformed_request_is_refused(request_: bytes, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.message())

    async with through(script) as (client, _):
        await client.send(request_ + SMUGGLED)
        answer = await client.rest()
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\nConnection: close\r\n" in answer
    assert b"Server:" not in answer
    assert b"Date:" not in answer
    assert answer.count(b"HTTP/1.1") == 1
    assert seen == []
    assert len(caplog.records) == 1
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("wrong", [b"zz\r\n", b"-1\r\n", b"3\r\nabcd\r\n", b"3 3\r\n", b"ffffffffffffffffff\r\n"])
async def test_chunks_that_go_wrong_half_way_end_the_request_at_once(wrong: bytes) -> None:
    aborted = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.head()
        body = await peer.rest()
        assert b"0\r\n\r\n" not in body, "the emulator got a complete body"
        aborted.set()

    async with through(script, body_timeout=60) as (client, _):
        await client.send(b"PUT / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await asyncio.sleep(0.05)
        await client.send(wrong + SMUGGLED)
        answer = await client.rest()
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert answer.count(b"HTTP/1.1") == 1
        await asyncio.wait_for(aborted.wait(), 60)


async def test_connect_is_refused() -> None:
    async def script(peer: Peer) -> None:
        raise AssertionError("a reverse proxy opened a tunnel")

    async with through(script) as (client, _):
        await client.send(b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n")
        answer = await client.rest()
    assert answer.startswith(b"HTTP/1.1 405 Method Not Allowed\r\n")
