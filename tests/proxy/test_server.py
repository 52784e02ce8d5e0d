"""Byte transparency of the door and its upstream client, with raw sockets on both ends."""

from __future__ import annotations

import asyncio
import resource

import pytest

from replay_proxy.errors import ListenError
from replay_proxy.exchange import Headers
from replay_proxy.proxy.http.server.reverse_door import ReverseDoor
from replay_proxy.proxy.http.streams import Incoming, Outgoing
from tests.proxy.raw_peer import Peer, RawServer, dial, proxy_to, through, unchunked

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


REQUESTS = {
    "plain": b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "percent encoding in either case": b"GET /%2f%2F%e2%82%AC/%zz%/a%20b HTTP/1.1\r\nHost: h\r\n\r\n",
    "empty query": b"GET /a? HTTP/1.1\r\nHost: h\r\n\r\n",
    "odd query": b"GET /a?&&b&c==d&e=+%20;f?g?/h HTTP/1.1\r\nHost: h\r\n\r\n",
    "double slashes": b"GET //a//b// HTTP/1.1\r\nHost: h\r\n\r\n",
    "double slash with a colon": b"GET //a:b@c/d HTTP/1.1\r\nHost: h\r\n\r\n",
    "dot segments": b"GET /../a/./b/../c/%2e%2E/. HTTP/1.1\r\nHost: h\r\n\r\n",
    "delimiters": b"GET /a;b=c,d!$&'()*+=:@~ HTTP/1.1\r\nHost: h\r\n\r\n",
    "characters no URL may hold": b'GET /"<>{}|\\^`[]# HTTP/1.1\r\nHost: h\r\n\r\n',
    "asterisk form": b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
    "order, case and duplicates": b"GET / HTTP/1.1\r\nx-b: 1\r\nX-a: 2\r\nhOST: h\r\nX-B: 3\r\nx-B: 1\r\n\r\n",
    "host of another": b"GET / HTTP/1.1\r\nHost: bucket.s3.localhost.localstack.cloud:4566\r\n\r\n",
    "bytes that are no text": b"GET / HTTP/1.1\r\nHost: h\r\nX: caf\xc3\xa9 caf\xe9 \xff\xfe\x80\r\n\r\n",
    "empty and tabbed values": b"GET / HTTP/1.1\r\nHost: h\r\nX: \r\nY: a\tb  c\r\n\r\n",
    "64 KiB of header": b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 65536 + b"\r\n\r\n",
    "64 KiB of target": b"GET /" + b"a" * 65536 + b"?X-Amz-Signature=0 HTTP/1.1\r\nHost: h\r\n\r\n",
    "300 fields": b"GET / HTTP/1.1\r\nHost: h\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(300)) + b"\r\n",
    "nothing invented for a POST": b"POST / HTTP/1.1\r\nHost: h\r\n\r\n",
    "content length zero": b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nX: 1\r\n\r\n",
    "a body in its place": b"POST / HTTP/1.1\r\nContent-length: 4\r\nHost: h\r\n\r\n\x00\xff\r\n",
    "a body with GET": b"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}",
    "a body with DELETE": b"DELETE / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}",
    "a compressed body": b"POST / HTTP/1.1\r\nHost: h\r\n"
    b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00",
    "chunks": b"POST / HTTP/1.1\r\ntransfer-Encoding: chunked\r\nHost: h\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "no chunks": b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "methods": b"PROPFIND / HTTP/1.1\r\nHost: h\r\n\r\n",
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
async def test_a_request_arrives_as_it_was_sent(request_: bytes) -> None:
    echo = Echo()
    async with through(echo) as (client, _):
        await client.send(request_)
        assert await client.message() == OK
    assert echo.seen == [request_]


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
async def test_a_request_arrives_as_it_was_sent_byte_by_byte(request_: bytes) -> None:
    if len(request_) > 4096:
        pytest.skip("too long to be sent in single bytes")
    echo = Echo()
    async with through(echo) as (client, _):
        for at in range(len(request_)):
            await client.send(request_[at : at + 1])
            await asyncio.sleep(0)
        assert await client.message() == OK
    if b"chunked" in request_:
        # How bytes are cut into chunks is the business of each connection.
        head, _, body = echo.seen[0].partition(b"\r\n\r\n")
        assert request_.startswith(head + b"\r\n\r\n")
        assert unchunked(body) == unchunked(request_.partition(b"\r\n\r\n")[2])
    else:
        assert echo.seen == [request_]


ANSWERS = {
    "nothing added": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "order, case and duplicates": b"HTTP/1.1 200 OK\r\nset-cookie: a\r\nX-a: 1\r\nSet-Cookie: b\r\nx-A: 2\r\n"
    b"content-LENGTH: 2\r\nZ: 1\r\n\r\nok",
    "its own server and date": b"HTTP/1.1 200 OK\r\nDate: yesterday\r\nServer: Werkzeug\r\nContent-Length: 0\r\n\r\n",
    "bytes that are no text": b"HTTP/1.1 200 OK\r\nX: caf\xc3\xa9 caf\xe9 \xff\x80\r\nContent-Length: 0\r\n\r\n",
    "a reason of its own": b"HTTP/1.1 418 I'm a teapot \xe9, really\r\nContent-Length: 0\r\n\r\n",
    "no reason": b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n",
    "an unknown status": b"HTTP/1.1 799 Odd\r\nContent-Length: 0\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n",
    "not modified, with a length": b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 99\r\n\r\n',
    "a redirect": b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/x\r\nContent-Length: 0\r\n\r\n",
    "a compressed body": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00",
    "64 KiB of header": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 65536 + b"\r\nContent-Length: 0\r\n\r\n",
    "300 fields": b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 300 + b"Content-Length: 0\r\n\r\n",
    "a body larger than one read": b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"ab" * 150000,
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_an_answer_arrives_as_it_was_given(answer: bytes) -> None:
    async with through(Echo(answer)) as (client, _):
        for _ in range(2):
            await client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            if b" 304 " in answer:
                assert await client.head() == answer
            else:
                assert await client.message() == answer


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_an_answer_arrives_as_it_was_given_byte_by_byte(answer: bytes) -> None:
    if len(answer) > 4096:
        pytest.skip("too long to be sent in single bytes")

    async def script(peer: Peer) -> None:
        await peer.message()
        for at in range(len(answer)):
            await peer.send(answer[at : at + 1])
            await asyncio.sleep(0.0005)
        await peer.rest()

    async with through(script) as (client, _):
        await client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        if b" 304 " in answer:
            assert await client.head() == answer
        else:
            assert await client.message() == answer


@pytest.mark.parametrize("pause", [0.0, 0.05], ids=["at once", "slowly"])
async def test_a_chunked_answer_is_framed_anew(pause: float) -> None:
    """An answer that has arrived whole gets its length; one that has not is chunked for the client too."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.message()
            for piece in (b"HTTP/1.1 200 OK\r\nX: 1\r\nTransfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n"):
                peer.writer.write(piece)
                await asyncio.sleep(pause) if pause else None
            await peer.send(b"0\r\n\r\n")

    async with through(script) as (client, server):
        for _ in range(2):
            await client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            head, _, body = (await client.message()).partition(b"\r\n\r\n")
            if head.endswith(b"\r\nTransfer-Encoding: chunked"):
                body = unchunked(body)
            else:
                assert not pause
                assert head.endswith(b"\r\nContent-Length: 3")
            assert head.startswith(b"HTTP/1.1 200 OK\r\nX: 1\r\n")
            assert body == b"abc"
        assert server.connections == 1


@pytest.mark.parametrize("length", [b"Content-Length: 1048576\r\n", b""])
async def test_head_has_no_body_and_keeps_its_length(length: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\n" + length + b"ETag: x\r\n\r\n"
    echo = Echo(answer)
    async with through(echo) as (client, _):
        for _ in range(2):
            await client.send(b"HEAD /b/k HTTP/1.1\r\nHost: h\r\n\r\n")
            assert await client.head() == answer
    assert echo.seen == [b"HEAD /b/k HTTP/1.1\r\nHost: h\r\n\r\n"] * 2


async def test_an_absolute_target_is_reduced_and_goes_nowhere_else() -> None:
    echo = Echo()
    async with through(echo) as (client, _):
        await client.send(b"GET http://169.254.169.254:81//a/%2f?b=http://c/ HTTP/1.1\r\nHost: h\r\n\r\n")
        assert await client.message() == OK
    assert echo.seen == [b"GET //a/%2f?b=http://c/ HTTP/1.1\r\nHost: h\r\n\r\n"]


async def test_the_fields_of_a_connection_end_with_it() -> None:
    echo = Echo(
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Mine\r\nKeep-Alive: timeout=5\r\nX-Mine: 1\r\nX: 1\r\n"
        b"Proxy-Authenticate: Basic\r\nTrailer: Y\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nok"
    )
    async with through(echo) as (client, _):
        await client.send(
            b"GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, X-Mine, Host\r\nKeep-Alive: 5\r\nX-Mine: 1\r\n"
            b"TE: trailers\r\nTrailer: Y\r\nProxy-Connection: x\r\nProxy-Authorization: y\r\nX: 1\r\n"
            b"Upgrade: h2c\r\n\r\n"
        )
        assert await client.message() == b"HTTP/1.1 200 OK\r\nX: 1\r\nContent-Length: 2\r\n\r\nok"
    assert echo.seen == [b"GET / HTTP/1.1\r\nHost: h\r\nX: 1\r\n\r\n"]


@pytest.mark.parametrize("body", [b"", b"Content-Length: 3\r\n\r\nabc"])
async def test_http2_is_not_negotiated_and_the_request_served_as_it_is(body: bytes) -> None:
    """The JDK's HTTP client adds this to the first request of every connection."""
    echo = Echo()
    async with through(echo) as (client, _):
        offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"
        await client.send(b"POST /1 HTTP/1.1\r\nHost: h\r\n" + offer + (body or b"\r\n"))
        assert await client.message() == OK
        await client.send(b"GET /2 HTTP/1.1\r\nHost: h\r\n\r\n")
        assert await client.message() == OK
    assert echo.seen == [
        b"POST /1 HTTP/1.1\r\nHost: h\r\n" + (body or b"\r\n"),
        b"GET /2 HTTP/1.1\r\nHost: h\r\n\r\n",
    ]


async def test_pipelined_requests_are_answered_in_order_on_one_connection() -> None:
    async def script(peer: Peer) -> None:
        while True:
            target = (await peer.head()).split(b" ")[1]
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(target), target))

    async with through(script) as (client, server):
        await client.send(b"".join(b"GET /%02d HTTP/1.1\r\nHost: h\r\n\r\n" % n for n in range(50)))
        for n in range(50):
            assert await client.message() == b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n/%02d" % n
        assert server.connections == 1


async def test_connections_stay_alive_on_both_sides() -> None:
    echo = Echo()
    async with through(echo) as (client, server):
        for _ in range(20):
            await client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}")
            assert await client.message() == OK
        assert server.connections == 1


async def test_a_client_that_wants_to_close_is_closed() -> None:
    echo = Echo()
    async with through(echo) as (client, _):
        await client.send(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert await client.rest() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    assert echo.seen == [b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"]


async def test_an_emulator_that_closes_does_not_close_the_client() -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(b"HTTP/1.0 200 OK\r\nX: 1\r\nConnection: close\r\n\r\nuntil the end")

    async with through(script) as (client, server):
        for _ in range(2):
            await client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            head = await client.head()
            body = await client.chunked()
            assert head == b"HTTP/1.1 200 OK\r\nX: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
            assert b"until the end" in body
        assert server.connections == 2


async def test_http10_is_closed_after_one_answer_and_gets_no_chunks() -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.message())
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await asyncio.sleep(0.05)
        await peer.send(b"0\r\n\r\n")
        await peer.rest()

    async with through(script) as (client, server):
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert await client.rest() == b"HTTP/1.1 200 OK\r\n\r\nabc"
        assert seen == [b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % server.port]


async def test_http10_may_keep_its_connection() -> None:
    async with through(Echo()) as (client, _):
        for _ in range(2):
            await client.send(b"GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n")
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok"
            assert await client.message() == answer


@pytest.mark.parametrize(
    "interim", [b"100 Continue\r\n\r\n", b"102 Processing\r\n\r\n", b"103 Early Hints\r\nLink: x\r\n\r\n"]
)
async def test_an_interim_answer_is_not_taken_for_the_answer(interim: bytes) -> None:
    async with through(Echo(b"HTTP/1.1 " + interim + OK)) as (client, _):
        for _ in range(2):
            await client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            assert await client.message() == OK


async def test_folded_fields_are_unfolded() -> None:
    echo = Echo(b"HTTP/1.1 200 OK\r\nX: a\r\n  b\r\nContent-Length: 2\r\n\r\nok")
    async with through(echo) as (client, _):
        await client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        head = (await client.message()).split(b"\r\n")
        assert head[1].split() == [b"X:", b"a", b"b"]
        assert head[2] == b"Content-Length: 2"


async def test_ipv6_on_both_sides() -> None:
    echo = Echo()
    seen: list[Incoming] = []
    async with RawServer(echo, host="::1") as server, proxy_to(server.url) as inner:

        async def handler(incoming: Incoming) -> Outgoing:
            seen.append(incoming)
            return await inner._handler(incoming)

        door = ReverseDoor(handler, "::1", 0)
        await door.start()
        client = await dial(door.address)
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert (await client.rest()).endswith(b"ok")
        await door.stop(0.1)
    assert echo.seen == [b"GET / HTTP/1.1\r\nHost: [::1]:%d\r\n\r\n" % server.port]
    assert seen[0].peer[0] == "::1"


async def test_two_thousand_clients_at_once() -> None:
    # Four sockets for each of them are in this process.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 10_000
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this process may open {hard} files only")
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

    async def script(peer: Peer) -> None:
        while True:
            target = (await peer.head()).split(b" ")[1]
            await asyncio.sleep(0.2)
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(target), target))

    async def one(address: tuple[str, int], number: int) -> bytes:
        client = await dial(address)
        await client.send(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % number)
        answer = await client.message()
        client.close()
        return answer

    async with RawServer(script) as server, proxy_to(server.url) as door:
        answers = await asyncio.gather(*(one(door.address, number) for number in range(2000)))
    for number, answer in enumerate(answers):
        assert answer.endswith(b"\r\n\r\n/%d" % number)


async def test_what_the_handler_is_told() -> None:
    seen: list[tuple[Incoming, bytes]] = []

    async def handler(incoming: Incoming) -> Outgoing:
        body = b"".join([chunk async for chunk in incoming.body]) if incoming.body else b""
        seen.append((incoming, body))
        return Outgoing(200, "OK", Headers(), b"")

    door = ReverseDoor(handler, "127.0.0.1", 0)
    await door.start()
    client = await dial(door.address)
    for request in (
        b"POST /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    ):
        await client.send(request)
        assert await client.message() == b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    client.close()
    await door.stop(0.1)
    told = [(i.method, i.target, i.length, i.body is None, body) for i, body in seen]
    assert told == [
        ("POST", "/a?b", 3, False, b"abc"),
        ("POST", "/", None, False, b"abc"),
        ("POST", "/", 0, True, b""),
        ("GET", "/", None, True, b""),
    ]
    assert seen[0][0].headers.pairs == (("Host", "h"), ("Content-Length", "3"))
    assert seen[0][0].http_version == "1.1"
    assert seen[0][0].peer[0] == "127.0.0.1"
    assert not seen[0][0].upgrade


async def test_a_body_changed_by_the_handler_gets_the_right_length_in_place() -> None:
    async def handler(incoming: Incoming) -> Outgoing:
        return Outgoing(200, "OK", Headers([("content-length", "999"), ("X", "1")]), b"four")

    door = ReverseDoor(handler, "127.0.0.1", 0)
    await door.start()
    client = await dial(door.address)
    await client.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert await client.message() == b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nX: 1\r\n\r\nfour"
    client.close()
    await door.stop(0.1)


async def test_a_handler_that_fails_is_a_500_and_the_connection_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def handler(incoming: Incoming) -> Outgoing:
        raise RuntimeError("a defect")

    door = ReverseDoor(handler, "127.0.0.1", 0)
    await door.start()
    client = await dial(door.address)
    for _ in range(2):
        await client.send(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
        answer = await client.message()
        assert answer.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
        assert b"a defect" not in answer
    assert "a defect" in caplog.text
    client.close()
    await door.stop(0.1)


async def test_a_taken_port_is_one_clear_error() -> None:
    async with RawServer(Echo()) as server:
        with pytest.raises(ListenError, match=f"127.0.0.1:{server.port}") as caught:
            await ReverseDoor(lambda incoming: NotImplemented, "127.0.0.1", server.port).start()
        assert caught.value.hint
        assert caught.value.exit_code == 7
