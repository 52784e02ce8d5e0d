"""Every way in which a stream or a connection of HTTP/2 can end, too early and in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from replay_proxy.exchange import Headers
from replay_proxy.proxy.http.streams import ClientGoneError, Incoming, Outgoing
from tests.proxy.http2_peer import Http2Client, dial_http2, http2_through
from tests.proxy.raw_peer import Peer, RawServer, dial, proxy_to, serving
from tests.proxy.test_server_endings import BROKEN

BOTH_LOOPS = True

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
INTERNAL_ERROR = 2


async def reset(client: Http2Client, number: int) -> None:
    await client.reset(number)


async def abort(client: Http2Client, number: int) -> None:
    client.abort()


async def close(client: Http2Client, number: int) -> None:
    client.writer.close()


async def goodbye_in_anger(client: Http2Client, number: int) -> None:
    client.h2.close_connection(error_code=2)
    await client.flush()


LEAVING = {"reset": reset, "abort": abort, "close": close, "goodbye with an error": goodbye_in_anger}
Leave = Callable[[Http2Client, int], object]


@pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)
async def test_a_client_that_leaves_while_it_waits_takes_its_request_with_it(leave: Leave) -> None:
    gone, started = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.message()
        started.set()
        assert await peer.gone()
        gone.set()

    async with http2_through(script) as (client, _):
        number = await client.request("GET", "/")
        await asyncio.wait_for(started.wait(), 60)
        await leave(client, number)  # type: ignore[misc]
        await asyncio.wait_for(gone.wait(), 60)


@pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)
@pytest.mark.parametrize("fields", [[("content-length", "1000000")], []], ids=["length", "chunks"])
async def test_a_client_that_leaves_in_mid_upload_leaves_no_complete_request(
    fields: list[tuple[str, str]], leave: Leave
) -> None:
    gone, started = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.head()
        started.set()
        body = await peer.rest()
        assert len(body) < 1_000_000
        assert not body.endswith(b"0\r\n\r\n")
        gone.set()

    async with http2_through(script) as (client, _):
        number = await client.request("PUT", "/", fields, end=False)
        await client.body(number, b"hello", end=False)
        await asyncio.wait_for(started.wait(), 60)
        await leave(client, number)  # type: ignore[misc]
        await asyncio.wait_for(gone.wait(), 60)


@pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)
async def test_a_client_that_leaves_in_mid_download_stops_it(leave: Leave) -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nhello")
        assert await peer.gone()
        gone.set()

    async with http2_through(script) as (client, _):
        number = await client.request("GET", "/")
        await client.until(lambda: client.got[number].body)
        await leave(client, number)  # type: ignore[misc]
        await asyncio.wait_for(gone.wait(), 60)


@pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)
async def test_a_handler_can_finish_what_it_shields(leave: Leave) -> None:
    """A mutation is under way when its client leaves: it must still be recorded, whole bodies included."""
    started, recorded, cancelled = asyncio.Event(), asyncio.Event(), asyncio.Event()
    go_on = asyncio.Event()
    tasks = []

    async def mutate(body: AsyncIterator[bytes]) -> None:
        started.set()
        await go_on.wait()
        assert b"".join([chunk async for chunk in body]) == b"whole"
        recorded.set()

    async def handler(incoming: Incoming) -> Outgoing:
        assert incoming.body is not None
        tasks.append(asyncio.create_task(mutate(incoming.body)))
        try:
            await asyncio.shield(tasks[-1])
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return Outgoing(200, "OK", Headers())

    door = await serving(handler)
    client = await dial_http2(door.address)
    number = await client.request("POST", "/", end=False)
    await client.body(number, b"whole")
    await asyncio.wait_for(started.wait(), 60)
    await leave(client, number)  # type: ignore[misc]
    await asyncio.wait_for(cancelled.wait(), 60)
    assert not recorded.is_set()
    go_on.set()
    await asyncio.wait_for(tasks[0], 60)
    client.abort()
    await door.stop(0.1)


@pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)
async def test_a_shielded_reader_of_half_a_body_is_told_that_the_client_left(leave: Leave) -> None:
    started = asyncio.Event()
    tasks = []

    async def read(body: AsyncIterator[bytes]) -> None:
        async for _ in body:
            started.set()

    async def handler(incoming: Incoming) -> Outgoing:
        assert incoming.body is not None
        tasks.append(asyncio.create_task(read(incoming.body)))
        await asyncio.shield(tasks[-1])
        return Outgoing(200, "OK", Headers())

    door = await serving(handler)
    client = await dial_http2(door.address)
    number = await client.request("PUT", "/", end=False)
    await client.body(number, b"hello", end=False)
    await asyncio.wait_for(started.wait(), 60)
    await leave(client, number)  # type: ignore[misc]
    with pytest.raises(ClientGoneError):
        await asyncio.wait_for(tasks[0], 60)
    client.abort()
    await door.stop(0.1)


async def test_a_client_that_says_goodbye_still_gets_its_answers() -> None:
    """Node's `session.close()` does so."""
    go_on, started = asyncio.Event(), asyncio.Event()

    async def handler(incoming: Incoming) -> Outgoing:
        started.set()
        await go_on.wait()
        return Outgoing(200, "OK", Headers(), b"x" * 300_000)

    door = await serving(handler)
    client = await dial_http2(door.address)
    number = await client.request("PUT", "/", end=False)
    await client.body(number, b"hello", end=False)
    await asyncio.wait_for(started.wait(), 60)
    await client.send(b"\x00\x00\x08\x07\x00\x00\x00\x00\x00" + bytes(8))  # h2 would do no more after its own
    await client.body(number, b"bye")
    go_on.set()
    assert len((await client.answer(number)).body) == 300_000
    await client.end()
    await door.stop(0.1)


async def test_a_client_that_stops_sending_is_given_up_and_its_connection_is_not() -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        head = await peer.head()
        if b"GET" in head:
            await peer.send(OK)
        await peer.rest()
        gone.set()

    async with http2_through(script, body_timeout=0.2) as (client, _):
        number = await client.request("PUT", "/", [("content-length", "100000")], end=False)
        await client.body(number, b"hello", end=False)
        assert (await client.answer(number)).status == 408
        await asyncio.wait_for(gone.wait(), 60)
        assert (await client.exchange("GET", "/")).body == b"ok"


async def test_a_slow_client_is_not_given_up() -> None:
    async def script(peer: Peer) -> None:
        assert (await peer.message()).endswith(b"\r\n\r\n" + b"x" * 20)
        await peer.send(OK)

    async with http2_through(script, body_timeout=1) as (client, _):
        number = await client.request("PUT", "/", [("content-length", "20")], end=False)
        for _ in range(20):
            await client.body(number, b"x", end=False)
            await asyncio.sleep(0.08)
        client.h2.end_stream(number)
        await client.flush()
        assert (await client.answer(number)).status == 200


# Answers that break off


@pytest.mark.parametrize("how", ["close", "abort"])
@pytest.mark.parametrize(("framing", "sent"), BROKEN.values(), ids=BROKEN)
async def test_half_an_answer_is_never_taken_for_a_whole_one(framing: bytes, sent: bytes, how: str) -> None:
    async def script(peer: Peer) -> None:
        head = await peer.message()
        if b"/whole" in head:
            await peer.send(OK)
            await peer.rest()
            return
        await peer.send(b"HTTP/1.1 200 OK\r\n" + framing)
        await asyncio.sleep(0.05)
        await peer.send(sent)
        await asyncio.sleep(0.05)
        peer.close() if how == "close" else peer.abort()

    async with http2_through(script) as (client, _):
        got = await client.exchange("GET", "/")
        assert (got.status, got.ended, got.reset) == (200, False, INTERNAL_ERROR)
        assert (await client.exchange("GET", "/whole")).body == b"ok"


@pytest.mark.parametrize("length", ["3", "7"])
async def test_a_handler_whose_stream_does_not_keep_to_its_length_resets(length: str) -> None:
    async def handler(incoming: Incoming) -> Outgoing:
        async def body() -> AsyncIterator[bytes]:
            yield b"fi"
            yield b"ve!"

        return Outgoing(200, "OK", Headers([("Content-Length", length)]), body())

    door = await serving(handler)
    client = await dial_http2(door.address)
    got = await client.exchange("GET", "/")
    assert (got.ended, got.reset) == (False, INTERNAL_ERROR)
    client.abort()
    await door.stop(0.1)


async def test_a_head_that_cannot_be_written_resets(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(incoming: Incoming) -> Outgoing:
        return Outgoing(200, "OK", Headers([("X", "a\r\nY: b")]), b"")

    door = await serving(handler)
    client = await dial_http2(door.address)
    got = await client.exchange("GET", "/a?secret")
    assert (got.status, got.reset) == (0, INTERNAL_ERROR)
    assert len(caplog.records) == 1
    assert "secret" not in caplog.text
    client.abort()
    await door.stop(0.1)


# The end of the connection


async def test_an_idle_connection_ends_with_a_goodbye() -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(OK)
        await peer.rest()

    async with http2_through(script, keepalive_timeout=0.3) as (client, _):
        assert (await client.exchange("GET", "/")).body == b"ok"
        await client.end()
        assert client.goaway == 0


async def test_a_connection_at_work_is_not_idle() -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        await asyncio.sleep(0.6)
        await peer.send(OK)
        await peer.rest()

    async with http2_through(script, keepalive_timeout=0.2) as (client, _):
        assert (await client.exchange("GET", "/")).body == b"ok"


@pytest.mark.parametrize("half", [b"\x00\x00\x08", b"\x00\x00\x05\x01\x01\x00\x00\x00\x01\x82\x86\x84\x01\x00"])
async def test_half_a_frame_or_head_is_not_waited_for_for_ever(half: bytes) -> None:
    async def script(peer: Peer) -> None:
        raise AssertionError("half a request was sent")

    async with http2_through(script, head_timeout=0.3) as (client, _):
        await client.until(lambda: client.settings)
        await client.send(half)
        await client.end()


async def test_half_a_preface_is_not_waited_for_for_ever() -> None:
    async def handler(incoming: Incoming) -> Outgoing:
        raise AssertionError("half a request was sent")

    door = await serving(handler, head_timeout=0.2)
    peer = await dial(door.address)
    await peer.send(b"PRI * HTTP/2.0\r\n")
    assert (await peer.rest()).startswith(b"HTTP/1.1 408 ")
    await door.stop(0.1)


async def test_connections_of_http2_count_as_well() -> None:
    async def handler(incoming: Incoming) -> Outgoing:
        return Outgoing(200, "OK", Headers(), b"ok")

    door = await serving(handler, connections_max=2)
    clients = [await dial_http2(door.address) for _ in range(2)]
    for client in clients:
        assert (await client.exchange("GET", "/")).body == b"ok"
    assert door.connections == 2
    peer = await dial(door.address)
    assert (await peer.rest()).startswith(b"HTTP/1.1 503 ")
    for client in clients:
        client.abort()
    async with asyncio.timeout(60):
        while door.connections:
            await asyncio.sleep(0.01)
    client = await dial_http2(door.address)
    assert (await client.exchange("GET", "/")).body == b"ok"
    client.abort()
    await door.stop(0.1)


async def test_a_stop_lets_requests_finish_uploads_included() -> None:
    async def script(peer: Peer) -> None:
        message = await peer.message()
        await asyncio.sleep(0.2)
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(message) + message)

    async with RawServer(script) as server, proxy_to(server.url) as door:
        idle, client = await dial_http2(door.address), await dial_http2(door.address)
        number = await client.request("PUT", "/", [("content-length", "50000")], end=False)
        await client.body(number, b"x" * 20000, end=False)
        await asyncio.sleep(0.1)
        assert door.connections == 2
        stopping = asyncio.create_task(door.stop(600))
        await idle.end()
        assert idle.goaway == 0
        async with asyncio.timeout(60):
            while client.goaway is None:
                await asyncio.sleep(0.01)
        assert not client.got[number].ended
        await client.body(number, b"x" * 30000)
        answer = await client.answer(number)
        assert answer.body.endswith(b"\r\n\r\n" + b"x" * 50000)
        await asyncio.wait_for(stopping, 60)
        await client.end()


async def test_a_stop_cuts_what_does_not_finish() -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.rest()

    async with RawServer(script) as server, proxy_to(server.url) as door:
        client = await dial_http2(door.address)
        number = await client.request("GET", "/")
        await asyncio.sleep(0.1)
        await asyncio.wait_for(door.stop(0.3), 3)
        await client.end()
        assert not client.got[number].ended
