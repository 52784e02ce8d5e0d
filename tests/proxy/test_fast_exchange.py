"""The state machine of an exchange on the fast path: any order of events keeps to its tables, and frees what it holds."""

from __future__ import annotations

import asyncio
import itertools
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay_proxy.call_filter import CallFilter
from replay_proxy.errors import AnswerError, ConnectError
from replay_proxy.exchange import Headers
from replay_proxy.identifiers.rewriting.endpoints import Endpoints
from replay_proxy.journal.write.writer import JournalWriter, SaveStrategy
from replay_proxy.proxy.http import fast_path_api
from replay_proxy.proxy.http.client.call import UpstreamAnswer
from replay_proxy.proxy.http.client.connection import AnswerReceiver, ClientProtocol, Connection
from replay_proxy.proxy.http.client.upstream import UpstreamClient
from replay_proxy.proxy.http.fast_parser import frame_request
from replay_proxy.proxy.http.streams import Outgoing, close_stream
from replay_proxy.proxy.requests import engine as engine_module
from replay_proxy.proxy.requests import fast_path as fast_path_module
from replay_proxy.proxy.requests.engine import Engine, WaitLimits
from replay_proxy.proxy.requests.fast_exchange import FastExchange
from replay_proxy.proxy.requests.fast_exchange_states import FORWARDED, RECORDED, ExchangeEvent, ExchangeState
from replay_proxy.proxy.requests.fast_path import FastPath
from replay_proxy.proxy.requests.gate import Gate
from replay_proxy.proxy.requests.journaling.recorder import Recorder
from replay_proxy.proxy.requests.policy import RequestPolicy
from replay_proxy.proxy.requests.proxy_state import ProxyState
from replay_proxy.proxy.requests.translator import Translator
from replay_proxy.replay.session_state import SessionState
from replay_proxy.values import NameFilter

S = ExchangeState
FINAL = {S.ANSWERED, S.SAVING, S.DISMISSED, S.ABANDONED}


def sqs(operation: str) -> bytes:
    body = b'{"QueueUrl":"http://127.0.0.1:4999/000000000000/some","Attributes":{"VisibilityTimeout":"45"}}'
    return (
        b"POST / HTTP/1.1\r\nHost: h\r\nX-Amz-Target: AmazonSQS.%s\r\nContent-Type: application/x-amz-json-1.0\r\n"
        b"Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request\r\nContent-Length: %d\r\n\r\n"
    ) % (operation.encode(), len(body)) + body


def s3(method: str) -> bytes:
    return (
        b"%s /some-bucket HTTP/1.1\r\nHost: h\r\n"
        b"Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request\r\n"
        b"Content-Length: 0\r\n\r\n"
    ) % method.encode()


READS = {
    "a read": sqs("GetQueueAttributes"),
    "a GET": s3("GET"),
    "no known call": b"POST /x HTTP/1.1\r\nHost: h\r\n\r\n",
}
CHANGES = {"a change": sqs("SetQueueAttributes"), "a PUT": s3("PUT")}
REQUESTS = READS | CHANGES
SUCCESSES = {
    "plain": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "closing": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "long": b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + bytes(70000),
    "empty": b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n",
}
ANSWERS = SUCCESSES | {"refusal": b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}"}


class Watched(FastExchange):
    """Holds each change of its state to the tables."""

    def __setattr__(self, name: str, value: object) -> None:
        if name == "state":
            table = FORWARDED if self.recorder is None else RECORDED
            assert value in table[self.state].values(), f"{self!r} cannot become {value}"
        super().__setattr__(name, value)


class Transport:
    """A connection to an emulator that is played by the test."""

    def __init__(self) -> None:
        self.socket, self._other_end = socket.socketpair()
        self.is_open = True

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self.socket if name == "socket" else default

    def write(self, _data: bytes) -> None: ...

    def is_closing(self) -> bool:
        return not self.is_open

    def close(self) -> None:
        self.is_open = False
        self.socket.close()
        self._other_end.close()

    abort = close


class Upstream(UpstreamClient):
    """Tells of what is sent, and answers what is sent again."""

    def __init__(self, *, answers_again: bool) -> None:
        super().__init__("http://127.0.0.1:4999", read_timeout=3600.0)
        self.idle: Connection | None = None
        self.sent_again = 0
        self._answers_again = answers_again

    def send_now(self, data: bytes) -> Connection | None:
        return self.idle

    def receive(self, sent: Any, data: bytes, receiver: AnswerReceiver) -> None:
        if sent is not None:
            super().receive(sent, data, receiver)

    async def send(self, *_request: Any, **_more: Any) -> UpstreamAnswer:
        self.sent_again += 1
        if not self._answers_again:
            raise ConnectError("nobody is there")
        return UpstreamAnswer(200, "OK", Headers(), 2, b"{}")


class Client:
    """The connection of a client, as the server handles it."""

    def __init__(self) -> None:
        self.given: list[bytes] = []
        self.exchange: fast_path_api.FastExchange | None = None
        self.handed_over: fast_path_api.FastExchange | None = None
        self.serving: asyncio.Task[Outgoing] | None = None
        self.has_left = False

    def write_answer(self, data: bytes) -> None:
        assert not self.has_left
        self.given.append(data)
        self.exchange = None

    def take_full_path(self, fast_exchange: fast_path_api.FastExchange) -> None:
        assert not self.has_left
        self.exchange, self.handed_over = None, fast_exchange

    def serve(self) -> None:
        """Let aiohttp's server begin to serve what was handed over."""
        if self.handed_over is not None:
            exchange, self.handed_over = self.handed_over, None
            self.serving = asyncio.get_running_loop().create_task(exchange.outcome())

    def leave(self) -> None:
        if self.has_left:
            return
        self.has_left = True
        exchange = self.exchange or self.handed_over
        if exchange is not None:
            exchange.client_left()
        elif self.serving is not None:
            self.serving.cancel()


class World:
    """One exchange between a client and an emulator, to which anything may happen that can happen."""

    def __init__(self, upstream: Upstream, engine: Engine, answer: bytes, cuts: list[int], *, reused: bool) -> None:
        self.upstream = upstream
        self.engine = engine
        self.client = Client()
        self.protocol = ClientProtocol(asyncio.get_running_loop())
        self.transport = Transport()
        bounds = [0, *sorted({cut % len(answer) for cut in cuts} - {0}), len(answer)]
        self.pieces = [answer[start:end] for start, end in itertools.pairwise(bounds)]
        self.reused = reused
        self.is_connected = self.is_over = False
        self.exchange: FastExchange | None = None

    def take(self, request: bytes) -> FastExchange:
        frame = frame_request(request)
        assert frame is not None
        if self.reused:
            self._connect()
            self.upstream.idle = Connection(self.protocol)
            self.upstream.idle.reused = True
        fast_path = FastPath(self.engine, self.upstream, 64 * 1024)
        self.exchange = self.client.exchange = fast_path.take(frame, request, self.client)
        assert self.exchange is not None
        return self.exchange

    def _connect(self) -> None:
        self.is_connected = True
        self.protocol.connection_made(cast(asyncio.Transport, self.transport))

    # What may happen. Each does nothing where it cannot.

    async def sent(self) -> None:
        if not self.is_connected and not self.is_over:
            assert self.exchange is not None
            self.protocol.receiver = self.exchange
            self._connect()

    async def refused(self) -> None:
        """No connection is made; or the one that was made is told to be of no use, once more."""
        if not self.reused:
            self.is_over = self.is_over or not self.is_connected
            if self.is_over or not self.transport.is_open:
                cast(FastExchange, self.exchange).connection_lost(ConnectError("nobody is there"))

    async def piece(self) -> None:
        if self.is_connected and self.transport.is_open and self.pieces:
            self.protocol.data_received(self.pieces.pop(0))

    async def lost(self) -> None:
        if self.is_connected and not self.is_over:
            self.is_over = True
            self.transport.close()
            self.protocol.connection_lost(None)

    async def silent(self) -> None:
        exchange = cast(FastExchange, self.exchange)
        if exchange._silence is not None:
            exchange._fell_silent()

    async def left(self) -> None:
        self.client.leave()

    async def serve(self) -> None:
        self.client.serve()

    async def turn(self) -> None:
        await asyncio.sleep(0)

    def check(self) -> None:
        """Compare what the exchange holds with what the tables say of its state."""
        exchange = cast(FastExchange, self.exchange)
        state, is_recorded = exchange.state, exchange.recorder is not None
        assert (exchange._connection is not None) == (state is S.WAITING), exchange
        assert (exchange._silence is not None) == (state is S.WAITING), exchange
        assert exchange._result is None or state is S.RESUMED, exchange
        if state in (S.SENDING, S.WAITING, S.ANSWERED):
            assert exchange._outcome is None, exchange
        elif state is not S.ABANDONED:
            assert exchange._outcome is not None, exchange
        if state in (S.SENDING, S.WAITING):
            assert (exchange._lock is not None) == is_recorded, exchange
        elif state not in (S.RESUMED, S.TAKEN):
            assert exchange._lock is None, exchange
        begun = state in (S.SENDING, S.WAITING) and not self.client.has_left
        assert (exchange._client is not None) == begun, exchange
        assert state.value in repr(exchange)

    async def end(self) -> list[bytes | Outgoing]:
        """Let everything come to its end; what the client was answered."""
        await self.refused()
        if not self.client.has_left:
            self.client.serve()
        exchange = cast(FastExchange, self.exchange)
        with suppress(asyncio.CancelledError):
            if exchange._outcome is not None and not exchange._outcome.done():
                for _ in range(20):  # what the emulator sends now is read by the engine
                    await asyncio.sleep(0)
                await self.lost()
                await asyncio.wait([exchange._outcome], timeout=10)
        await self.lost()
        answers: list[bytes | Outgoing] = [*self.client.given]
        if exchange._outcome is not None:
            await asyncio.wait([exchange._outcome], timeout=10)
        if self.client.serving is None:
            self.client.serve()
        if self.client.serving is not None:
            with suppress(asyncio.CancelledError):
                answers.append(outgoing := await self.client.serving)
                if not isinstance(outgoing.body, bytes):
                    await close_stream(outgoing.body)
        for _ in range(5):
            await asyncio.sleep(0)
        return answers


@asynccontextmanager
async def world(
    answer: bytes,
    cuts: list[int],
    *,
    reused: bool = False,
    strategy: SaveStrategy = SaveStrategy.MANUAL,
    answers_again: bool = False,
) -> AsyncIterator[World]:
    upstream = Upstream(answers_again=answers_again)
    with (
        tempfile.TemporaryDirectory(prefix="replay-proxy-test-") as scratch,
        mock.patch.object(engine_module, "LOSS_NOTICE_S", 0.0),
        mock.patch.object(fast_path_module, "FastExchange", Watched),
    ):
        writer = await JournalWriter.open(Path(scratch), strategy=strategy)
        recorder = Recorder(writer, 64 * 1024, call_filter=CallFilter(NameFilter(), NameFilter(), "", ""))
        gate = Gate()
        gate.move(ProxyState.READY)
        translator = Translator(upstream, SessionState(), Endpoints(upstream.base_url), 64 * 1024)
        engine = Engine(
            policy=RequestPolicy(translator, recorder, None, lambda: None),
            gate=gate,
            wait_limits=WaitLimits(5.0, 5.0),
            on_lost=lambda _reason: None,
        )
        made = World(upstream, engine, answer, cuts, reused=reused)
        try:
            yield made
        finally:
            made.transport.close()
            await upstream.close()
            await writer.close()


HAPPENINGS: dict[str, Callable[[World], Any]] = {
    "sent": World.sent,
    "refused": World.refused,
    "piece": World.piece,
    "lost": World.lost,
    "silent": World.silent,
    "left": World.left,
    "serve": World.serve,
    "turn": World.turn,
}
often = st.sampled_from(["sent", "piece", "piece", "turn", "turn", "serve"])
happenings = st.lists(st.one_of(often, st.sampled_from(sorted(HAPPENINGS))), max_size=14)


@settings(max_examples=300, deadline=None)
@given(
    request=st.sampled_from(sorted(REQUESTS)),
    answer=st.sampled_from(sorted(ANSWERS)),
    cuts=st.lists(st.integers(1, 90), max_size=3),
    reused=st.booleans(),
    strategy=st.sampled_from([SaveStrategy.MANUAL, SaveStrategy.ON_REQUEST]),
    answers_again=st.booleans(),
    happened=happenings,
)
def test_any_order_of_events_keeps_to_the_tables_and_frees_everything(
    request: str,
    answer: str,
    cuts: list[int],
    reused: bool,
    strategy: SaveStrategy,
    answers_again: bool,
    happened: list[str],
) -> None:
    async def run() -> None:
        async with world(ANSWERS[answer], cuts, reused=reused, strategy=strategy, answers_again=answers_again) as it:
            exchange = it.take(REQUESTS[request])
            it.check()
            for name in happened:
                await HAPPENINGS[name](it)
                it.check()
            was_whole = not it.pieces and answer in SUCCESSES
            answers = await it.end()
            it.check()
            assert exchange.state in FINAL, exchange
            if it.client.has_left:
                assert len(answers) <= 1
            else:
                assert len(answers) == 1
            # Nothing is kept: neither the place among the changes, nor the conflict lock, nor the connection.
            assert not it.engine.in_flight
            recorder, head = it.engine.policy.recorder, exchange.head
            assert recorder is not None
            if head is not None:
                lock = recorder.conflict_lock(head, exchange.request)
                assert lock.try_enter()
                lock.leave(well=False)
            assert it.protocol.receiver is None or it.is_over
            # A change is recorded once if the emulator has carried it out, whatever became of its client.
            recorded = it.engine.policy.counters.recorded.total()
            assert recorded <= (request in CHANGES)
            if request in CHANGES and was_whole and not it.upstream.sent_again:
                assert recorded == 1, exchange
            # Nothing that may have been carried out is done twice.
            if exchange.request.method not in ("PUT", "GET") and it.is_connected:
                assert it.upstream.sent_again == 0, exchange

    asyncio.run(run())


def test_the_tables_name_every_state_and_end_where_they_say() -> None:
    for table, only in ((FORWARDED, S.ABANDONED), (RECORDED, S.SAVING)):
        other = S.SAVING if only is S.ABANDONED else S.ABANDONED
        assert set(table) == set(S) - {other}
        reached = {after for events in table.values() for after in events.values()}
        assert reached <= set(table)
        assert reached | {S.SENDING} == set(table)
        for state in FINAL & set(table):
            assert set(table[state].values()) <= {state}, "a final state stays what it is"
        assert {event for events in table.values() for event in events} >= set(ExchangeEvent) - {ExchangeEvent.WRITTEN}


@pytest.mark.parametrize("strategy", [SaveStrategy.MANUAL, SaveStrategy.ON_REQUEST])
async def test_a_fault_after_a_change_was_recorded_keeps_no_lock_and_sends_nothing_again(
    strategy: SaveStrategy,
) -> None:
    async with world(ANSWERS["plain"], [], strategy=strategy, answers_again=True) as it:
        exchange = it.take(CHANGES["a PUT"])
        await it.sent()
        fault = RuntimeError("a fault of ours")
        with mock.patch.object(it.engine.policy, "note_recorded", side_effect=fault), pytest.raises(RuntimeError):
            await it.piece()
        await it.lost()  # as the event loop ends a connection whose protocol raises
        assert len(await it.end()) == 1
        assert exchange.state in FINAL
        assert not it.engine.in_flight
        assert it.upstream.sent_again == 0


async def test_a_loss_that_is_told_twice_counts_once() -> None:
    async with world(ANSWERS["plain"], []) as it:
        exchange = it.take(READS["a read"])
        await it.sent()
        await it.lost()
        exchange.connection_lost(AnswerError("told again by whoever sent the request"))
        assert exchange.state is S.RESUMED
        [answer] = await it.end()
        assert isinstance(answer, Outgoing)
        assert answer.status == 503
