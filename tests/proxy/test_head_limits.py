"""What docs/security.md promises of heads and connections, and that no log quotes what was refused."""

from __future__ import annotations

import asyncio
import logging

import pytest

from replay_proxy.errors import AnswerError
from replay_proxy.exchange import Headers
from replay_proxy.proxy.http.client.upstream import UpstreamClient
from replay_proxy.proxy.http.limits import HEAD_BYTES_MAX, HEADER_FIELDS_MAX
from replay_proxy.proxy.http.malformed import REASON_CHARACTERS_MAX, reason
from replay_proxy.proxy.http.streams import Incoming, Outgoing, printable_target
from tests.proxy.raw_peer import Peer, RawServer, dial, serving

BOTH_LOOPS = True

START = b"GET /a?X-Amz-Signature=SECRET HTTP/1.1\r\nHost: h\r\n"
SHORT = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


async def fine(incoming: Incoming) -> Outgoing:
    if incoming.body is not None:
        async for _ in incoming.body:
            pass
    return Outgoing(200, "OK", Headers([("Content-Length", "2")]), b"ok")


def head_of(size: int, fields: int = 8) -> bytes:
    """A head of so many bytes, in equal fields."""
    room = size - len(START) - 2
    each = room // fields
    lines = [b"X-%03d: " % number + b"v" * (each - 9) + b"\r\n" for number in range(fields - 1)]
    last = room - sum(map(len, lines))
    made = START + b"".join(lines) + b"X-999: " + b"v" * (last - 9) + b"\r\n\r\n"
    assert len(made) == size
    return made


async def in_pieces(client: Peer, data: bytes, size: int) -> None:
    for start in range(0, len(data), size):
        await client.send(data[start : start + size])
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("size", [4096, 50_000, 1 << 20])
@pytest.mark.parametrize("body", [b"", b"SECRET" * 100])
async def test_a_head_of_the_largest_size_is_served_and_a_larger_one_refused(size: int, body: bytes) -> None:
    door = await serving(fine)
    client = await dial(door.address)
    framing = b"Content-Length: %d\r\n" % len(body)
    for _ in range(2):
        head = head_of(HEAD_BYTES_MAX - len(framing)).replace(b"\r\n\r\n", b"\r\n" + framing + b"\r\n")
        await in_pieces(client, head + body, size)
        assert (await client.message()).startswith(b"HTTP/1.1 200 OK\r\n")
    await in_pieces(client, head_of(HEAD_BYTES_MAX + 1) + body, size)
    answer = await client.rest()
    assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.count(b"HTTP/1.1") == 1
    await door.stop(0.1)


async def test_a_head_without_end_is_refused_long_before_it_fills_the_memory() -> None:
    door = await serving(fine)
    client = await dial(door.address)
    await client.send(START)
    sent = 0
    try:
        while sent < 16 * HEAD_BYTES_MAX:
            await client.send(b"X: " + b"v" * 16_000 + b"\r\n")
            sent += 16_005
    except ConnectionError:
        pass
    assert sent < 16 * HEAD_BYTES_MAX or (await client.rest()).startswith(b"HTTP/1.1 431 ")
    client.abort()
    await door.stop(0.1)


LARGE = {
    "a megabyte of header": START + b"X: SECRET" + b"a" * 2**20 + b"\r\n\r\n",
    "a megabyte of target": b"GET /?SECRET" + b"a" * 2**20 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
    "a megabyte of name": START + b"SECRET" + b"a" * 2**20 + b": x\r\n\r\n",
    "too many fields": START + b"X: SECRET\r\n" * (HEADER_FIELDS_MAX + 1) + b"\r\n",
}
MALFORMED = {
    "a space in the target": b"GET /a?X-Amz-Signature=SECRET b HTTP/1.1\r\nHost: h\r\n\r\n",
    "an odd byte in the query": b"GET /a?X-Amz-Signature=SECRET\x01 HTTP/1.1\r\nHost: h\r\n\r\n",
    "an unknown method": b"SECRET /a HTTP/1.1\r\nHost: h\r\n\r\n",
    "an odd name": START + b"SECR ET: x\r\n\r\n",
    "an odd value": START + b"Authorization: SECRET\x00\r\n\r\n",
    "an odd length": START + b"Content-Length: SECRET\r\n\r\n",
    "an odd coding": START + b"Transfer-Encoding: SECRET\r\n\r\n",
    "an odd authority": b"GET http://[SECRET/b?c HTTP/1.1\r\nHost: h\r\n\r\n",
}


@pytest.mark.parametrize("request_", [*LARGE.values(), *MALFORMED.values()], ids=[*LARGE, *MALFORMED])
async def test_a_refusal_quotes_nothing(request_: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    door = await serving(fine)
    client = await dial(door.address)
    await client.send(request_)
    answer = await client.rest()
    assert answer.startswith(b"HTTP/1.1 431 " if request_ in LARGE.values() else b"HTTP/1.1 400 ")
    assert b"SECR" not in answer
    refusals = [record for record in caplog.records if record.levelno >= logging.INFO]
    assert len(refusals) == 1
    assert "was refused: " in caplog.text
    assert "SECR" not in caplog.text
    assert "Traceback" not in caplog.text
    assert len(refusals[0].getMessage()) < 2 * REASON_CHARACTERS_MAX
    await door.stop(0.1)


async def test_a_failing_handler_and_a_broken_answer_are_logged_without_a_query(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def failing(incoming: Incoming) -> Outgoing:
        if "early" in incoming.target:
            raise RuntimeError("it failed")
        return Outgoing(200, "OK", Headers([("X", "a\r\nb")]))

    door = await serving(failing)
    for path in (b"/early", b"/late", b"/early/" + b"long" * 5000):
        client = await dial(door.address)
        await client.send(b"GET " + path + b"?X-Amz-Signature=SECRET HTTP/1.1\r\nHost: h\r\n\r\n")
        await client.rest() if path == b"/late" else await client.message()
        client.abort()
    await door.stop(0.1)
    assert "it failed" in caplog.text
    assert "SECRET" not in caplog.text
    assert "long" * 100 not in caplog.text


def test_a_target_is_shown_in_part() -> None:
    assert printable_target("/a/b") == "/a/b"
    assert printable_target("/a/b?c=d") == "/a/b?..."
    assert len(printable_target("/" + "a" * 10_000 + "?b")) < 210
    assert reason(ValueError("x" * 10_000)) == "x" * REASON_CHARACTERS_MAX


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 SECRET\r\n\r\n", b"HTTP/1.1 200 OK\r\nLocation: /?SECRET" + b"x" * 2**20 + b"\r\n\r\n"],
)
async def test_what_the_emulator_says_is_not_quoted_either(answer: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(answer)

    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url)
        with pytest.raises(AnswerError) as caught:
            await upstream.send("GET", "/", Headers([("Host", "h")]))
        assert "SECRET" not in str(caught.value)
        assert len(str(caught.value)) < 2 * REASON_CHARACTERS_MAX
        await upstream.close()


async def test_a_head_that_comes_byte_by_byte_and_never_ends_is_given_up() -> None:
    door = await serving(fine, head_timeout=0.5)
    slow, idle, fresh = await dial(door.address), await dial(door.address), await dial(door.address)
    await idle.send(SHORT)
    await idle.message()
    sending = asyncio.create_task(in_pieces(slow, START + b"X: y\r\n" * 5000, 1))
    assert (await asyncio.wait_for(slow.rest(), 60)).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    sending.cancel()
    for client in (idle, fresh):  # who says nothing is in no hurry
        await client.send(SHORT)
        assert (await client.message()).startswith(b"HTTP/1.1 200 OK\r\n")
    await door.stop(0.1)


async def test_a_head_that_comes_in_time_is_no_matter_how_often() -> None:
    door = await serving(fine, head_timeout=1)
    client = await dial(door.address)
    for request_ in (SHORT, b"\r\n" + SHORT, b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab", SHORT):
        await client.send(request_[:5])
        await asyncio.sleep(0.4)
        await client.send(request_[5:])
        assert (await client.message()).startswith(b"HTTP/1.1 200 OK\r\n")
    await client.send(b"\r\n")
    await asyncio.sleep(1.5)
    await client.send(SHORT)
    assert (await client.message()).startswith(b"HTTP/1.1 200 OK\r\n")
    await door.stop(0.1)


async def test_a_slow_body_is_no_slow_head() -> None:
    door = await serving(fine, head_timeout=0.2)
    for framing, body in (
        (b"Content-Length: 9\r\n", b"x" * 9),
        (b"Transfer-Encoding: chunked\r\n", b"1\r\nx\r\n0\r\n\r\n"),
    ):
        client = await dial(door.address)
        for _ in range(2):
            await client.send(b"PUT / HTTP/1.1\r\nHost: h\r\n" + framing + b"\r\n")
            for at in range(len(body)):
                await asyncio.sleep(0.05)
                await client.send(body[at : at + 1])
            assert (await client.message()).startswith(b"HTTP/1.1 200 OK\r\n")
    await door.stop(0.1)


async def test_a_head_that_stops_behind_a_request_does_not_take_its_answer() -> None:
    go_on = asyncio.Event()

    async def waiting(_incoming: Incoming) -> Outgoing:
        await go_on.wait()
        return Outgoing(200, "OK", Headers([("Content-Length", "2")]), b"ok")

    door = await serving(waiting, head_timeout=0.2)
    client = await dial(door.address)
    await client.send(SHORT)
    await asyncio.sleep(0.05)
    await client.send(SHORT[:10])
    await asyncio.sleep(0.5)
    go_on.set()
    answers = await client.rest()
    assert answers.startswith(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 408 ")
    await door.stop(0.1)


async def test_one_connection_too_many_is_told_so_and_the_others_are_served() -> None:
    door = await serving(fine, connections_max=3)
    clients = [await dial(door.address) for _ in range(3)]
    for client in clients:
        await client.send(SHORT)
        assert (await client.message()).startswith(b"HTTP/1.1 200 OK\r\n")
    answer = await (await dial(door.address)).rest()
    assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nContent-Length: %d\r\n" % len(body) in head
    assert door.connections == 3
    clients.pop().close()
    while door.connections > 2:
        await asyncio.sleep(0.01)
    client = await dial(door.address)
    for each in (client, *clients):
        await each.send(SHORT)
        assert (await each.message()).startswith(b"HTTP/1.1 200 OK\r\n")
    await door.stop(0.1)
