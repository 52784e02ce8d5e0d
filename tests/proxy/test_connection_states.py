"""The states of a client's connection, as its `repr` shows them while a client talks to a whole proxy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from replay_proxy.proxy.http.client.upstream import UpstreamClient
from replay_proxy.proxy.http.server import protocol
from replay_proxy.proxy.http.server.connection_states import INPUT_TRANSITIONS, OUTPUT_TRANSITIONS, Input, Output
from replay_proxy.proxy.http.server.protocol import DoorProtocol
from replay_proxy.proxy.http.server.reverse_door import ReverseDoor
from tests.proxy.raw_peer import Peer, RawServer, dial, whole_proxy

PLAIN = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Talk:
    """One client, its connection at the door, and an emulator that answers when it is told to."""

    def __init__(self) -> None:
        self.client: Peer
        self.connection: DoorProtocol
        self.answers = asyncio.Semaphore(0)

    async def emulator(self, peer: Peer) -> None:
        while True:
            await peer.message()
            await self.answers.acquire()
            await peer.send(ANSWER)

    async def shows(self, *words: str) -> None:
        """Wait until the connection is in these states. Fails by the test's own time limit."""
        async with asyncio.timeout(30):
            while not all(word in repr(self.connection) for word in words):
                await asyncio.sleep(0.005)


@asynccontextmanager
async def talking() -> AsyncIterator[Talk]:
    talk = Talk()
    async with RawServer(talk.emulator) as server:
        upstream = UpstreamClient(server.url)
        handler, fast_path = whole_proxy(upstream)
        door = ReverseDoor(handler, "127.0.0.1", 0, fast_path=fast_path)
        await door.start()
        talk.client = await dial(door.address)
        try:
            async with asyncio.timeout(30):
                while door._server is None or not door._server.connections:
                    await asyncio.sleep(0.005)
            [talk.connection] = door._server.connections
            yield talk
        finally:
            talk.client.abort()
            await door.stop(0.5)
            await upstream.close()


async def test_a_plain_request_takes_the_fast_path_and_comes_back_from_it() -> None:
    async with talking() as talk:
        await talk.shows("at the first bytes", "no answer due")
        await talk.client.send(PLAIN + b"hello")
        await talk.shows("on the fast path")
        await talk.client.send(PLAIN)
        await talk.shows("on the fast path", f"{len(PLAIN)} bytes kept")
        talk.answers.release()
        assert await talk.client.message() == ANSWER
        await talk.shows("in a request (5 bytes to come)", "an answer awaited")
        await talk.client.send(b"hello")
        await talk.shows("between two requests", "an answer awaited")
        talk.answers.release()
        assert await talk.client.message() == ANSWER
        await talk.shows("between two requests", "an answer begun")


async def test_a_body_is_awaited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "_BODY_WAIT_S", 3600.0)
    async with talking() as talk:
        await talk.client.send(PLAIN)
        await talk.shows("awaiting a body (5 bytes to come)", f"{len(PLAIN)} bytes kept")
        await talk.client.send(b"hello")
        await talk.shows("on the fast path")


async def test_a_body_that_does_not_come_at_once_is_for_the_parser() -> None:
    async with talking() as talk:
        await talk.client.send(PLAIN)
        await talk.shows("in a request (5 bytes to come)")
        await talk.client.send(b"hel")
        await talk.shows("in a request (2 bytes to come)")
        await talk.client.send(b"lo" + PLAIN)
        await talk.shows("parser only")


@pytest.mark.parametrize(
    ("data", "state"),
    [
        (b"PRI * HT", "at the first bytes"),
        (b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", "parser only"),
        (b"GET / HTTP/1.1\r\nHos", "parser only"),
        (b"nonsense\r\n\r\n", "refused"),
    ],
)
async def test_what_is_not_plain_is_for_the_parser(data: bytes, state: str) -> None:
    async with talking() as talk:
        await talk.client.send(data)
        await talk.shows(state)


async def test_a_connection_that_has_ended_shows_that() -> None:
    async with talking() as talk:
        await talk.client.send(PLAIN + b"hello")
        await talk.shows("on the fast path")
        talk.client.abort()
        await talk.shows("ended")


async def test_a_client_that_sends_nothing_more_is_shown() -> None:
    async with talking() as talk:
        await talk.client.send(PLAIN + b"hello")
        await talk.shows("on the fast path")
        talk.client.writer.write_eof()
        await talk.shows("HalfClosed probing")
        talk.answers.release()
        assert await talk.client.message() == ANSWER
        await talk.shows("HalfClosed ended", "<DoorProtocol ended")


def test_every_state_has_its_moves_and_can_be_reached() -> None:
    assert set(INPUT_TRANSITIONS) == set(Input)
    assert set(OUTPUT_TRANSITIONS) == set(Output)
    reached = {state for moves in INPUT_TRANSITIONS.values() for state in moves}
    assert reached == set(Input) - {Input.FIRST_BYTES}


async def test_a_move_that_is_not_in_the_table_is_a_fault() -> None:
    async with talking() as talk:
        with pytest.raises(AssertionError, match=r"at the first bytes.* cannot be on the fast path"):
            talk.connection._move(Input.ON_FAST_PATH)
