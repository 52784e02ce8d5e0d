"""The fast path between raw peers: every byte as it was, and every way from there to the full path."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from replay_proxy.proxy.http.client.upstream import UpstreamClient
from replay_proxy.proxy.http.fast_parser import RequestFrame
from replay_proxy.proxy.http.fast_path_api import FastPathClient
from replay_proxy.proxy.http.server.reverse_door import ReverseDoor
from replay_proxy.proxy.requests.fast_exchange import FastExchange
from replay_proxy.proxy.requests.fast_path import FastPath
from tests.proxy.raw_peer import Peer, RawServer, Script, dial, whole_proxy

BOTH_LOOPS = True

HEAD = b"POST /some/where?x=%20 HTTP/1.1\r\nhost: h:1\r\nX-Odd: caf\xe9  x\r\nx-odd: 2\r\ncontent-length: "
REQUEST = HEAD + b"3\r\n\r\nabc"
ANSWER = b"HTTP/1.1 201 Made It\r\nx-Id: caf\xe9\r\nX-id: 2\r\ncontent-length: 2\r\n\r\n\xff\x00"


class Counting(FastPath):
    """A fast path that counts what it took, and what it had to hand over."""

    taken = 0
    declined = 0

    def take(self, frame: RequestFrame, data: bytes, client: FastPathClient) -> FastExchange | None:
        fast_exchange = super().take(frame, data, client)
        self.taken += fast_exchange is not None
        self.declined += fast_exchange is None
        return fast_exchange


@asynccontextmanager
async def proxied(script: Script, **settings: float) -> AsyncIterator[tuple[Peer, RawServer, Counting]]:
    """A client of a whole proxy in front of a server that follows `script`."""
    async with RawServer(script) as server:
        upstream = UpstreamClient(server.url, **settings)  # type: ignore[arg-type]  # only its numbers are set here
        handler, fast_path = whole_proxy(upstream)
        counting = Counting(fast_path.engine, upstream, fast_path.message_bytes_max)
        door = ReverseDoor(handler, "127.0.0.1", 0, fast_path=counting)
        await door.start()
        client = await dial(door.address)
        try:
            yield client, server, counting
        finally:
            client.abort()
            await door.stop(0.5)
            await upstream.close()


def answering(*answers: bytes, seen: list[bytes] | None = None, pause: float = 0) -> Callable[[Peer], Awaitable[None]]:
    """A script that answers each request with the next of `answers`, over and over."""

    async def script(peer: Peer) -> None:
        number = 0
        while True:
            message = await peer.message()
            if seen is not None:
                seen.append(message)
            await asyncio.sleep(pause)
            await peer.send(answers[number % len(answers)])
            number += 1

    return script


async def test_requests_and_answers_pass_byte_for_byte() -> None:
    seen: list[bytes] = []
    async with proxied(answering(ANSWER, seen=seen)) as (client, server, fast_path):
        for _ in range(3):
            await client.send(REQUEST)
            assert await client.exactly(len(ANSWER)) == ANSWER
        assert seen == [REQUEST] * 3
        assert (fast_path.taken, fast_path.declined, server.connections) == (3, 0, 1)


async def test_a_field_of_the_connection_that_says_what_is_the_rule_is_left_out() -> None:
    seen: list[bytes] = []
    async with proxied(answering(ANSWER, seen=seen)) as (client, _, fast_path):
        for field in (b"Connection: keep-alive\r\n", b"connection: Keep-Alive\r\n"):
            await client.send(REQUEST.replace(b"X-Odd", field + b"X-Odd"))
            assert await client.exactly(len(ANSWER)) == ANSWER
        assert seen == [REQUEST] * 2
        assert fast_path.taken == 2


async def test_head_and_body_that_come_one_after_the_other_are_one_request() -> None:
    seen: list[bytes] = []
    async with proxied(answering(ANSWER, seen=seen)) as (client, _, fast_path):
        head, body = REQUEST[:-3], REQUEST[-3:]
        for _ in range(2):
            await client.send(head)
            await asyncio.sleep(0.01)
            await client.send(body)
            assert await client.exactly(len(ANSWER)) == ANSWER
        assert seen == [REQUEST] * 2
        assert fast_path.taken == 2


async def test_a_body_that_does_not_come_at_once_takes_the_full_path_and_the_next_request_the_fast_path() -> None:
    seen: list[bytes] = []
    async with proxied(answering(ANSWER, seen=seen)) as (client, _, fast_path):
        await client.send(REQUEST[:-3])
        await asyncio.sleep(0.2)
        await client.send(REQUEST[-3:-1])
        await asyncio.sleep(0.05)
        await client.send(REQUEST[-1:])
        assert await client.message() == ANSWER
        assert fast_path.taken == 0
        await client.send(REQUEST)
        assert await client.message() == ANSWER
        assert fast_path.taken == 1
        assert [message.rpartition(b"\r\n\r\n")[2] for message in seen] == [b"abc", b"abc"]


@pytest.mark.parametrize("size", [1, 7, 40, len(ANSWER) - 1])
async def test_an_answer_in_pieces_is_passed_on_when_it_is_whole(size: int) -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.message()
            for start in range(0, len(ANSWER), size):
                await peer.send(ANSWER[start : start + size])
                await asyncio.sleep(0.001)

    async with proxied(script) as (client, _, fast_path):
        for _ in range(2):
            await client.send(REQUEST)
            assert await client.exactly(len(ANSWER)) == ANSWER
        assert fast_path.taken == 2


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300000
EMPTY = b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n"


# A chunked answer that was looked at as a whole goes on with its length.
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize(
    ("odd", "shown"), [(CHUNKED, WHOLE), (LONG, LONG), (EMPTY, EMPTY)], ids=["chunked", "long", "empty"]
)
@pytest.mark.parametrize("cut", [0, 20, 60])
async def test_an_answer_that_is_not_plain_takes_the_full_path(odd: bytes, shown: bytes, cut: int) -> None:
    async def script(peer: Peer) -> None:
        while True:
            await peer.message()
            await peer.send(odd[:cut])
            await asyncio.sleep(0.01 if cut else 0)
            await peer.send(odd[cut:])
            await peer.message()
            await peer.send(ANSWER)

    async with proxied(script) as (client, server, fast_path):
        for _ in range(2):
            await client.send(REQUEST)
            assert await client.message() == shown
            await client.send(REQUEST)
            assert await client.message() == ANSWER
        assert fast_path.taken == 4
        assert server.connections == 1


async def test_after_a_loss_only_what_could_name_a_receipt_of_before_takes_the_full_path() -> None:
    names_one = HEAD + b'21\r\n\r\n{"ReceiptHandle":"h"}'
    async with proxied(answering(ANSWER)) as (client, _, fast_path):
        receipts = fast_path.engine.translator.receipts
        receipts.remember("message", "h")
        for request in (REQUEST, names_one, REQUEST):
            await client.send(request)
            assert await client.exactly(len(ANSWER)) == ANSWER
        assert (fast_path.taken, fast_path.declined) == (3, 0)
        fast_path.engine.begin_emulator_generation()
        for request in (REQUEST, names_one, REQUEST):
            await client.send(request)
            assert b"201 Made It" in await client.exactly(len(ANSWER))
        assert receipts.any_stale
        assert (fast_path.taken, fast_path.declined) == (5, 1)


async def test_a_server_that_ends_each_connection_does_not_end_the_clients() -> None:
    closing = ANSWER.replace(b"content-length", b"Connection: close\r\ncontent-length")

    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(closing)

    async with proxied(script) as (client, server, fast_path):
        for _ in range(5):
            await client.send(REQUEST)
            assert await client.exactly(len(ANSWER)) == ANSWER
        assert (fast_path.taken, server.connections) == (5, 5)


CLOSING = ANSWER.replace(b"x-Id", b"Connection: close\r\nx-Id")


async def test_a_server_that_ends_each_connection_is_called_before_the_request_is_looked_at() -> None:
    """And the line is given up where the request takes another way, or none."""
    messages: list[bytes] = []

    async def script(peer: Peer) -> None:
        messages.append(b"")
        number = len(messages) - 1
        try:
            messages[number] = await peer.message()
        except asyncio.IncompleteReadError:
            return  # nobody had anything to say
        await peer.send(CLOSING)
        peer.close()

    async with proxied(script) as (client, server, fast_path):
        for _ in range(3):  # the first tells, the others are dialled
            await client.send(REQUEST)
            assert await client.exactly(len(ANSWER)) == ANSWER
        assert messages == [REQUEST] * 3
        assert fast_path.taken == 3
        # Not plain: the connection that was made for the fast path is of no use to the full path, which makes its own.
        await client.send(REQUEST.replace(b" HTTP/1.1\r\n", b" HTTP/1.1\r\nTE: x\r\n"))
        assert (await client.message()).startswith(b"HTTP/1.1 201 Made It\r\n")
        await asyncio.sleep(0.05)
        assert fast_path.taken == 3
        assert sorted(messages[3:]) == [b"", REQUEST]
        assert server.connections == len(messages)
        # The proxy's own: nobody is called.
        await client.send(b"GET /_replay/status HTTP/1.1\r\nHost: h\r\n\r\n")
        await client.head()
        await asyncio.sleep(0.05)
        assert [message for message in messages[5:] if not message] == []


async def test_pipelined_requests_are_answered_in_order() -> None:
    def numbered(number: int) -> bytes:
        return ANSWER[:-2] + b"%02d" % number

    async def script(peer: Peer) -> None:
        while True:
            number = int((await peer.message())[-3:])
            await asyncio.sleep(0.02)
            await peer.send(numbered(number))

    async with proxied(script) as (client, _, _fast_path):
        await client.send(HEAD + b"3\r\n\r\n001")
        await asyncio.sleep(0.005)
        await client.send(b"".join(HEAD + b"3\r\n\r\n%03d" % number for number in range(2, 6)))
        for number in range(1, 6):
            assert await client.exactly(len(ANSWER)) == numbered(number)
        await client.send(HEAD + b"3\r\n\r\n006" + HEAD + b"3\r\n\r\n007")
        for number in (6, 7):
            assert await client.exactly(len(ANSWER)) == numbered(number)


@pytest.mark.parametrize(
    "request_",
    [
        b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, x-a\r\nX-A: b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /_replay/nothing HTTP/1.1\r\nHost: h\r\n\r\n",
    ],
)
async def test_what_is_not_plain_takes_the_full_path(request_: bytes) -> None:
    async with proxied(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as (client, _, fast_path):
        for _ in range(2):
            await client.send(request_)
            assert (await client.message()).startswith(b"HTTP/1.1 200 OK\r\n")
        assert fast_path.taken == 0


async def test_a_client_that_leaves_is_seen_by_the_emulator() -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.message()
        assert await peer.gone()
        gone.set()

    async with proxied(script) as (client, _, fast_path):
        await client.send(REQUEST)
        await asyncio.sleep(0.1)
        assert fast_path.taken == 1
        client.close()
        await asyncio.wait_for(gone.wait(), 60)


async def test_a_client_that_leaves_in_the_middle_of_a_long_answer_is_seen_too() -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(LONG[:200000])
        assert await peer.gone()
        gone.set()

    async with proxied(script) as (client, _, _fast_path):
        await client.send(REQUEST)
        await client.head()
        client.close()
        await asyncio.wait_for(gone.wait(), 60)


async def test_an_emulator_that_breaks_off_gives_a_whole_503() -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(ANSWER[:-1])
        peer.abort()

    async with proxied(script) as (client, _, fast_path):
        for _ in range(2):
            await client.send(REQUEST)
            came = await client.message()
            assert came.startswith(b"HTTP/1.1 503 "), came
        assert fast_path.taken == 2


async def test_an_emulator_that_falls_silent_gives_a_whole_503() -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(ANSWER[:-1])
        await asyncio.sleep(3600)

    async with proxied(script, read_timeout=0.2) as (client, _, _fast_path):
        await client.send(REQUEST)
        came = await asyncio.wait_for(client.message(), 60)
        assert came.startswith(b"HTTP/1.1 503 "), came


async def test_an_idle_connection_that_was_closed_is_replaced_where_that_does_no_harm() -> None:
    async def script(peer: Peer) -> None:
        await peer.message()
        await peer.send(ANSWER)
        await peer.message()  # and is gone before it answers

    async with proxied(script) as (client, server, _fast_path):
        get = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
        for _ in range(3):
            await client.send(get)
            assert await client.message() == ANSWER
        assert server.connections == 3
        await client.send(REQUEST)
        assert (await client.message()).startswith(b"HTTP/1.1 503 ")


async def test_nobody_is_there() -> None:
    async with proxied(answering(ANSWER)) as (client, server, fast_path):
        await client.send(REQUEST)
        assert await client.message() == ANSWER
        await server.stop()
        await client.send(REQUEST)
        came = await asyncio.wait_for(client.message(), 20)
        assert came.startswith(b"HTTP/1.1 503 "), came
        await server.start()
        await client.send(REQUEST)
        assert await client.message() == ANSWER
        assert fast_path.taken == 3


async def test_a_request_on_the_fast_path_is_answered_when_the_door_stops() -> None:
    async with RawServer(answering(ANSWER, pause=0.3)) as server:
        upstream = UpstreamClient(server.url)
        handler, fast_path = whole_proxy(upstream)
        door = ReverseDoor(handler, "127.0.0.1", 0, fast_path=fast_path)
        await door.start()
        client = await dial(door.address)
        await client.send(REQUEST)
        await asyncio.sleep(0.1)
        await door.stop(5)
        assert await client.rest() == ANSWER
        await upstream.close()


async def test_many_clients_at_once() -> None:
    async def echo(peer: Peer) -> None:
        while True:
            message = await peer.message()
            await asyncio.sleep(0.001 * (message[-1] % 5))
            await peer.send(ANSWER[:-2] + message[-2:])

    async with RawServer(echo) as server:
        upstream = UpstreamClient(server.url)
        handler, fast_path = whole_proxy(upstream)
        door = ReverseDoor(handler, "127.0.0.1", 0, fast_path=fast_path)
        await door.start()

        async def client(number: int) -> None:
            peer = await dial(door.address)
            for turn in range(20):
                await peer.send(HEAD + b"3\r\n\r\n" + b"x%c%c" % (number, turn))
                assert await peer.exactly(len(ANSWER)) == ANSWER[:-2] + b"%c%c" % (number, turn)
            peer.close()

        await asyncio.gather(*map(client, range(50)))
        await door.stop(1)
        await upstream.close()
