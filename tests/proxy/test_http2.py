"""HTTP/2 with prior knowledge: what a request and an answer become, with real bytes on both ends.

Also the guard over what `http2` relies on in h2: a new version that changes it fails here.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from replay_proxy.exchange import Headers
from replay_proxy.proxy.http.streams import Incoming, Outgoing
from tests.proxy.http2_peer import Got, Http2Client, dial_http2, http2_through
from tests.proxy.raw_peer import Peer, RawServer, dial, proxy_to, serving, unchunked

BOTH_LOOPS = True

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Echo:
    """A server that keeps what it got, and gives the same answer to everything."""

    def __init__(self, answer: bytes = OK) -> None:
        self.answer = answer
        self.seen: list[bytes] = []

    async def __call__(self, peer: Peer) -> None:
        while True:
            self.seen.append(await peer.message())
            await peer.send(self.answer)


async def test_a_request_becomes_one_of_http11_and_its_answer_one_of_http2() -> None:
    echo = Echo(
        b"HTTP/1.1 200 Fine\r\nX-Amzn-RequestId: 1\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nKeep-Alive: timeout=5\r\n"
        b"Connection: keep-alive, X-Mine\r\nX-Mine: 1\r\nContent-Length: 2\r\n\r\nok"
    )
    async with http2_through(echo) as (client, _):
        fields = [("x-amz-target", "Kinesis.Put"), ("te", "trailers"), ("cookie", "a=1"), ("cookie", "b=2")]
        got = await client.exchange("POST", "/%2f//a?b=c&d", fields, b"{}")
    # `h2` puts the cookies, which it joins, at the end.
    assert echo.seen == [
        b"POST /%2f//a?b=c&d HTTP/1.1\r\nHost: h\r\nx-amz-target: Kinesis.Put\r\ncookie: a=1; b=2\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    ]
    assert got.fields == [
        (":status", "200"),
        ("x-amzn-requestid", "1"),
        ("set-cookie", "a"),
        ("set-cookie", "b"),
        ("content-length", "2"),
    ]
    assert got.body == b"ok"


async def test_a_preface_is_known_however_it_arrives() -> None:
    async with RawServer(Echo()) as server, proxy_to(server.url) as door:
        peer = await dial(door.address)
        client = Http2Client(peer.reader, peer.writer)
        client.h2.initiate_connection()
        for byte in client.h2.data_to_send():
            await peer.send(bytes([byte]))
            await asyncio.sleep(0.001)
        client.read_on()
        assert (await client.exchange("GET", "/")).body == b"ok"
        client.abort()


@pytest.mark.parametrize("beginning", [b"P", b"PR", b"PRI", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r"])
async def test_what_only_begins_like_a_preface_is_served_as_http_1(beginning: bytes) -> None:
    echo = Echo()
    async with RawServer(echo) as server, proxy_to(server.url) as door:
        peer = await dial(door.address)
        await peer.send(beginning)
        await asyncio.sleep(0.05)
        if beginning == b"P":
            await peer.send(b"OST / HTTP/1.1\r\nHost: h\r\n\r\n")
            assert await peer.message() == OK
        else:
            await peer.send(b"x / HTTP/1.1\r\nHost: h\r\n\r\n")
            assert (await peer.rest()).startswith(b"HTTP/1.1 400 ")
        peer.abort()


async def test_a_preface_in_the_middle_of_a_connection_is_no_preface() -> None:
    async with RawServer(Echo()) as server, proxy_to(server.url) as door:
        peer = await dial(door.address)
        await peer.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert await peer.message() == OK
        await peer.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert (await peer.rest()).startswith(b"HTTP/1.1 400 ")


async def test_the_settings_that_a_client_is_offered() -> None:
    async with http2_through(Echo()) as (client, _):
        await client.until(lambda: client.settings)
        assert client.settings[3] == 100
        assert client.settings[6] == 256 * 1024
        assert client.settings.get(8, 0) == 0, "extended CONNECT"


@pytest.mark.parametrize(
    ("method", "answer", "fields"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n", [("content-length", "1048576")]),
        ("GET", b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n', [("etag", '"x"')]),
        ("DELETE", b"HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n", [("x", "1")]),
        ("PUT", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", [("content-length", "0")]),
    ],
)
async def test_answers_without_a_body(method: str, answer: bytes, fields: list[tuple[str, str]]) -> None:
    async with http2_through(Echo(answer)) as (client, _):
        for _ in range(2):
            got = await client.exchange(method, "/")
            assert got.fields[1:] == fields
            assert (got.ended, got.body) == (True, b"")


async def test_a_chunked_answer_needs_no_framing() -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.message()
            await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
            await asyncio.sleep(0.05)
            await peer.send(b"6\r\nsecond\r\n0\r\n\r\n")

    async with http2_through(script) as (client, _):
        got = await client.exchange("GET", "/")
    assert got.fields == [(":status", "200")]
    assert got.body == b"firstsecond"


async def test_a_declared_length_is_passed_on() -> None:
    echo = Echo()
    async with http2_through(echo) as (client, _):
        await client.exchange("PUT", "/", [("content-length", "5")], b"hello")
        await client.exchange("POST", "/", [("content-length", "0")])
    assert echo.seen == [
        b"PUT / HTTP/1.1\r\nHost: h\r\ncontent-length: 5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: h\r\ncontent-length: 0\r\n\r\n",
    ]


async def test_streams_are_served_side_by_side() -> None:
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        while True:
            head = await peer.message()
            if b"/poll" in head:
                await go_on.wait()
            await peer.send(OK)

    async with http2_through(script) as (client, _):
        poll = await client.request("GET", "/poll")
        for _ in range(20):
            assert (await client.exchange("GET", "/quick")).body == b"ok"
        assert not client.got[poll].ended
        go_on.set()
        assert (await client.answer(poll)).body == b"ok"


async def test_more_streams_than_were_offered_are_refused_and_the_others_live_on() -> None:
    go_on = asyncio.Event()

    async def handler(incoming: Incoming) -> Outgoing:
        await go_on.wait()
        return Outgoing(200, "OK", Headers(), b"ok")

    door = await serving(handler)
    client = Http2Client(*await asyncio.open_connection(*door.address))
    client.h2.initiate_connection()
    client.h2.remote_settings.max_concurrent_streams = 1000  # it has not seen ours yet
    numbers = [await client.request("GET", "/") for _ in range(130)]
    client.read_on()
    await client.until(lambda: sum(got.reset is not None for got in client.got.values()) == 30)
    go_on.set()
    answers = [await client.answer(number) for number in numbers]
    assert [got.status for got in answers[:100]] == [200] * 100
    assert {got.reset for got in answers[100:]} == {7}  # REFUSED_STREAM
    assert (await client.exchange("GET", "/")).status == 200
    client.abort()
    await door.stop(0.1)


async def test_a_request_that_is_refused_is_told_why_and_its_body_unwanted() -> None:
    async def handler(incoming: Incoming) -> Outgoing:
        return Outgoing(503, "Slow Down", Headers(), b"later")

    door = await serving(handler)
    client = await dial_http2(door.address)
    for _ in range(120):  # what was sent in vain is credited, or the connection would come to a halt
        number = await client.request("PUT", "/", end=False)
        client.h2.send_data(number, b"x" * 16000)
        await client.flush()
        got = client.got[number]
        await client.until(lambda got=got: got.reset is not None)
        assert (got.status, got.body, got.ended, got.reset) == (503, b"later", True, 0)
    assert client.h2.outbound_flow_control_window > 3_000_000
    client.abort()
    await door.stop(0.1)


async def test_connect_is_refused() -> None:
    async def handler(incoming: Incoming) -> Outgoing:
        raise AssertionError("a reverse proxy opened a tunnel")

    door = await serving(handler)
    client = await dial_http2(door.address)
    number = client.h2.get_next_available_stream_id()
    client.got[number] = got = Got()
    client.h2.send_headers(number, [(":method", "CONNECT"), (":authority", "example.org:443")])
    await client.flush()
    await client.until(lambda: got.status or client.goaway)
    assert got.status == 405 or client.goaway == 1  # h2 before 4.4 takes it for malformed
    client.abort()
    await door.stop(0.1)


async def test_a_client_that_waits_is_told_to_continue_when_the_body_is_wanted() -> None:
    echo = Echo()
    async with http2_through(echo) as (client, _):
        number = await client.request("PUT", "/", [("expect", "100-continue"), ("content-length", "5")], end=False)
        got = client.got[number]
        await client.until(lambda: got.interim)
        await client.body(number, b"hello")
        assert (await client.answer(number)).body == b"ok"
        assert got.interim == ["100"]
        # One that does not wait is not told.
        number = client.h2.get_next_available_stream_id()
        client.got[number] = got = Got()
        head = [
            (":method", "PUT"),
            (":scheme", "http"),
            (":authority", "h"),
            (":path", "/"),
            ("expect", "100-continue"),
        ]
        client.h2.send_headers(number, head)
        client.h2.send_data(number, b"hello", end_stream=True)
        await client.flush()
        assert (await client.answer(number)).interim == []
    assert echo.seen[0] == b"PUT / HTTP/1.1\r\nHost: h\r\ncontent-length: 5\r\n\r\nhello"
    assert unchunked(echo.seen[1].partition(b"\r\n\r\n")[2]) == b"hello"


async def test_a_refusal_comes_instead_of_continue() -> None:
    async def handler(incoming: Incoming) -> Outgoing:
        return Outgoing(503, "Slow Down", Headers(), b"later")

    door = await serving(handler)
    client = await dial_http2(door.address)
    number = await client.request("PUT", "/", [("expect", "100-continue"), ("content-length", "5")], end=False)
    got = client.got[number]
    await client.until(lambda: got.reset is not None)
    assert (got.status, got.interim, got.body) == (503, [], b"later")
    client.abort()
    await door.stop(0.1)


async def test_trailers_are_the_end_of_a_body() -> None:
    echo = Echo()
    async with http2_through(echo) as (client, _):
        number = await client.request("PUT", "/", end=False)
        await client.body(number, b"hello", end=False)
        client.h2.send_headers(number, [("x-amz-checksum-crc32", "AAAAAA==")], end_stream=True)
        await client.flush()
        assert (await client.answer(number)).body == b"ok"
    assert echo.seen[0].endswith(b"5\r\nhello\r\n0\r\n\r\n")


async def test_padding_is_no_body_and_costs_no_window() -> None:
    echo = Echo()
    async with http2_through(echo) as (client, _):
        for _ in range(100):
            number = await client.request("PUT", "/", [("content-length", "2")], end=False)
            for _ in range(2):
                client.h2.send_data(number, b"x", pad_length=255)
            client.h2.end_stream(number)
            await client.flush()
            assert (await client.answer(number)).body == b"ok"
        assert client.h2.outbound_flow_control_window > 3_000_000
    assert set(echo.seen) == {b"PUT / HTTP/1.1\r\nHost: h\r\ncontent-length: 2\r\n\r\nxx"}


async def test_bytes_that_are_no_text_pass_both_ways() -> None:
    echo = Echo(b"HTTP/1.1 200 OK\r\nX: caf\xe9 \xff\x80\r\nContent-Length: 0\r\n\r\n")
    async with http2_through(echo) as (client, _):
        got = await client.exchange("GET", "/caf\xe9", [("x", "caf\xe9 \xff\x80")])
        assert got.get("x") == "caf\xe9 \xff\x80"
    assert echo.seen == [b"GET /caf\xe9 HTTP/1.1\r\nHost: h\r\nx: caf\xe9 \xff\x80\r\n\r\n"]


def test_the_library_is_not_imported_before_somebody_speaks_http2() -> None:
    """It takes time at the start, and memory."""
    program = "import sys, replay_proxy.cli.serve; sys.exit('h2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
