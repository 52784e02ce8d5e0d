"""One exchange on the fast path, from its request on the way to the emulator until its client has the answer.

It is a state machine; `fast_exchange_states` says what may happen when. Here stands what is done then. It hears from the
connection to the emulator (`AnswerReceiver`), from the client's connection (`fast_path_api.FastExchange`), and from the
engine where that finishes it (`in_flight.SentExchange`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from replay_proxy.errors import AnswerError, AnswerTimeoutError, StorageError, UpstreamError
from replay_proxy.exchange import Answer, CallHead, DeferredAnswer, Request
from replay_proxy.journal.format.records import utc_now
from replay_proxy.journal.write.conflict_locks import ConflictLock
from replay_proxy.journal.write.writer import Draft
from replay_proxy.proxy.http import fast_path_api
from replay_proxy.proxy.http.client.call import UpstreamAnswer, UpstreamCall
from replay_proxy.proxy.http.client.connection import AnswerReceiver, Connection
from replay_proxy.proxy.http.client.upstream import IDEMPOTENT, UpstreamClient
from replay_proxy.proxy.http.fast_parser import (
    AnswerFrame,
    frame_answer,
    read_answer,
    read_request,
    without_connection,
)
from replay_proxy.proxy.http.fast_path_api import FastPathClient
from replay_proxy.proxy.http.framing import answer_head
from replay_proxy.proxy.http.streams import Outgoing
from replay_proxy.proxy.requests.engine import Engine, consume_result
from replay_proxy.proxy.requests.fast_exchange_states import FORWARDED, RECORDED, ExchangeEvent, ExchangeState
from replay_proxy.proxy.requests.journaling.recorder import Recorder
from replay_proxy.proxy.requests.policy import OBSERVED, AnswerObserver
from replay_proxy.proxy.requests.translator import bytes_of
from replay_proxy.replay.issued.issuing_calls import needs_lesson

# Looked up for every call.
_WAITING, _ANSWERED, _ABANDONED = ExchangeState.WAITING, ExchangeState.ANSWERED, ExchangeState.ABANDONED


class FastExchange(AnswerReceiver, fast_path_api.FastExchange):
    """An exchange on the fast path.

    data: the bytes of the request, as they came. emulator_generation: the one that the request is sent to.
    recorder: of a change that is to be recorded, else None. observer: is shown a successful answer of any other call.
    """

    state = ExchangeState.SENDING
    request: Request
    head: CallHead | None = None
    recorder: Recorder | None = None
    observer: AnswerObserver | None = None
    _draft: Draft
    _sent_at = ""
    _lock: ConflictLock | None = None
    _connection: Connection | None = None
    _silence: asyncio.TimerHandle | None = None
    _needs_lesson = False
    _received = b""
    _bytes_needed = 0
    _result: UpstreamCall | UpstreamError | None = None
    _outcome: asyncio.Task[Outgoing] | None = None

    def __init__(
        self, engine: Engine, upstream: UpstreamClient, answer_bytes_max: int, data: bytes, client: FastPathClient
    ) -> None:
        """answer_bytes_max: of an answer that stays on the fast path."""
        self.data = data
        self.emulator_generation = engine.emulator_generation
        self._engine = engine
        self._upstream = upstream
        self._answer_bytes_max = answer_bytes_max
        self._client: FastPathClient | None = client
        self._begun_s = time.monotonic()

    def __repr__(self) -> str:
        what = f"{self.head.service}:{self.head.operation}" if self.head is not None else "no known call"
        kind = "forwarded" if self.recorder is None else "recorded"
        client = "a client" if self._client is not None else "no client"
        received = f"{len(self._received)} bytes of an answer"
        return f"<FastExchange {what}, {kind}: {self.state.value}, with {client} and {received}>"

    def understand(self) -> bool:
        """Find out what is to be done with the answer. False for a change that has to wait for another one."""
        engine = self._engine
        self.request = request = read_request(self.data)
        self.head = head = engine.policy.recognise(request)
        recorder, self.observer = engine.policy.classify(head, request)
        if recorder is not None and head is not None:
            lock = recorder.conflict_lock(head, request)
            if not lock.try_enter():
                return False
            self.recorder, self._lock, self._sent_at = recorder, lock, utc_now()
            self._draft = recorder.draft(head, request)
            self._needs_lesson = needs_lesson(head)
            engine.in_flight.begin_fast(self)
        return True

    def _enter_next(self, event: ExchangeEvent) -> None:
        """Enter the state that `event` leads to. Raises `KeyError` for an event that cannot happen in this state."""
        self.state = (FORWARDED if self.recorder is None else RECORDED)[self.state][event]

    # What the connection to the emulator tells.

    def request_sent(self, connection: Connection) -> None:
        """Note that the request is on its way by `connection`."""
        self._connection = connection
        if self.state is _ABANDONED:
            self._cut_connection()
            return
        self.state = _WAITING
        self._limit_silence()

    def answer_arrived(self, data: bytes) -> None:
        """Take a piece of the answer."""
        received = self._received = self._received + data if self._received else data
        if len(received) < self._bytes_needed:
            self._limit_silence()
            return
        frame = frame_answer(received, self._answer_bytes_max)
        if frame is None or self._needs_lesson:
            self._hand_over(ExchangeEvent.NOT_PLAIN)
        elif frame.missing:
            self._bytes_needed = len(received) + frame.missing
            self._limit_silence()
        else:
            self._finish(frame)

    def connection_lost(self, error: BaseException | None) -> None:
        """Note that the connection has ended, or that none was made."""
        if self.state not in (ExchangeState.SENDING, ExchangeState.WAITING):
            self._enter_next(ExchangeEvent.LOST)
            return
        if not isinstance(error, UpstreamError):
            error = AnswerError(
                f"the emulator's connection broke before an answer was whole: {error or 'it was closed'}"
            )
        self._hand_over(ExchangeEvent.LOST, error)

    def _limit_silence(self) -> None:
        """Count the emulator's silence from now on."""
        self._stop_timer()
        timeout_s = self._upstream.read_timeout
        if timeout_s:
            self._silence = asyncio.get_running_loop().call_later(timeout_s, self._fell_silent)

    def _fell_silent(self) -> None:
        self._cut_connection()
        error = AnswerTimeoutError("the emulator was silent for too long; no end of an answer")
        self._hand_over(ExchangeEvent.SILENT, error)

    # What the client's connection tells.

    def client_left(self) -> None:
        """Note that the client has gone. A call that changes state is carried out, and recorded, all the same."""
        self._client = None
        self._enter_next(ExchangeEvent.LEFT)
        outcome = self._outcome
        if self.state is _ABANDONED:
            self._cut_connection()
            self._cut_call()
            if outcome is not None:
                outcome.cancel()
        elif outcome is not None:
            outcome.add_done_callback(consume_result)

    async def outcome(self) -> Outgoing:
        """Return the answer of an exchange that was sent to the full path. Cancelled when the client leaves."""
        assert self._outcome is not None
        try:
            return await asyncio.shield(self._outcome)
        except asyncio.CancelledError:
            self.client_left()
            raise

    # The end on the fast path.

    def _finish(self, frame: AnswerFrame) -> None:
        """Give the whole answer to the client, and then do what is left to do."""
        if self._silence is not None:
            self._stop_timer()
        policy, head = self._engine.policy, self.head
        data, body_at = without_connection(self._received, frame)
        policy.answered_count += 1
        may_change = policy.translator.may_change_answer(data, body_at, head)
        if self.recorder is not None and head is not None:
            self._finish_change(data, head, self.recorder, may_change=may_change)
        else:
            deferred: DeferredAnswer = partial(read_answer, data)
            if may_change:
                answer = deferred()
                to_client = policy.translator.answer_to_client(answer, head, self.request)
                if to_client is not answer:
                    data, deferred = _bytes_of_answer(to_client), lambda: to_client
                    body_at = len(data) - len(bytes_of(to_client))
            self._give(data)
            is_current = self._engine.emulator_generation == self.emulator_generation
            if self.observer is not None and head is not None and frame.status in OBSERVED and is_current:
                self.observer(head, self.request, data[body_at:], deferred)
            elif head is None:
                policy.note_unrecognised(self.request, frame.status)
            if policy.traffic is not None:
                policy.traffic.note(head, self.request, frame.status, deferred, self._begun_s)
        connection, self._connection = self._connection, None
        assert connection is not None
        self._upstream.release(connection, closes=frame.closes)

    def _finish_change(self, data: bytes, head: CallHead, recorder: Recorder, *, may_change: bool) -> None:
        """Record a change, and only then let its client see the answer `data`."""
        policy, request = self._engine.policy, self.request
        answer = read_answer(data)
        to_client = answer
        if may_change:
            to_client = policy.change_to_client(answer, head, request)
            if to_client is not answer:
                data = _bytes_of_answer(to_client)
        recorded = policy.has_succeeded(head, request, answer, to_client)
        refusal: Outgoing | None = None
        notes: Mapping[str, Any] = {}
        if recorded:
            duration_ms = (time.monotonic() - self._begun_s) * 1000
            notes = policy.notes_for(head, request, to_client)
            stored = policy.to_record(head, request, to_client)
            try:
                recorder.write_now(self._draft, stored, time=self._sent_at, duration_ms=duration_ms, notes=notes)
            except StorageError as error:
                recorded = False
                refusal = policy.refusal_of_unrecorded(head, request, recorder, error)
                if refusal is not None:
                    data = _bytes_of_answer(refusal)
        if recorded and policy.delays_answer(head, recorder):
            outgoing = Outgoing(to_client.status, to_client.reason, to_client.headers, bytes_of(to_client))
            self._outcome = asyncio.get_running_loop().create_task(
                policy.answer_when_durable(head, request, recorder, outgoing)
            )
            self._enter_next(ExchangeEvent.WRITTEN)
            self._take_full_path(self._outcome)
        else:
            self._give(data)
        if policy.traffic is not None and refusal is None:
            seq = recorder.last_seq if recorded else 0
            policy.traffic.note_change(head, request, answer.status, lambda: to_client, self._begun_s, seq=seq)
        self._settle_change(head, to_client, notes, recorded=recorded)

    def _settle_change(self, head: CallHead, to_client: Answer, notes: Mapping[str, Any], *, recorded: bool) -> None:
        """Note what a change has taught, and let the calls that wait for it go on."""
        try:
            if recorded:
                self._engine.policy.note_recorded(head, self.request, to_client, notes)
        finally:
            self._release_lock(well=True)

    def _give(self, data: bytes) -> None:
        self.state = _ANSWERED
        client, self._client = self._client, None
        if client is not None:
            client.write_answer(data)

    # The full path from here on.

    def _hand_over(self, event: ExchangeEvent, error: UpstreamError | None = None) -> None:
        """Let the engine finish the exchange: it reads on where the answer has begun, or sees the error.

        On a connection that was idle before, and ended without a byte of an answer, the emulator has seen nothing; a request
        that may be repeated is sent again then.
        """
        self._stop_timer()
        connection, self._connection = self._connection, None
        if error is None:
            assert connection is not None
            self._result = self._upstream.take_over(connection, self._received)
        else:
            was_stale = connection is not None and connection.reused and not self._received
            self._result = None if was_stale and self.request.method in IDEMPOTENT else error
        self._enter_next(event)
        self._outcome = self._engine.resume(self)
        self._take_full_path(self._outcome)

    def _take_full_path(self, outcome: asyncio.Task[Outgoing]) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.take_full_path(self)
        else:
            outcome.add_done_callback(consume_result)

    # What the engine asks.

    @property
    def is_under_way(self) -> bool:
        """Whether the request was sent, and nobody has asked for its answer yet."""
        return self.state is ExchangeState.RESUMED

    def take_lock(self) -> ConflictLock | None:
        """Return the conflict lock of a change, which is held already; the caller releases it. None when asked again."""
        lock, self._lock = self._lock, None
        self._engine.in_flight.end_fast(self)
        return lock

    async def answer(self) -> UpstreamAnswer | None:
        """Return the answer to the request. None where it has to be sent, or sent again. Raises `UpstreamError`."""
        self._enter_next(ExchangeEvent.ASKED)
        result, self._result = self._result, None
        if isinstance(result, UpstreamError):
            raise result
        return None if result is None else await self._upstream.answer_of(result)

    def dismiss(self) -> None:
        """Free what the exchange still holds: nobody will ask for its answer any more."""
        self._enter_next(ExchangeEvent.DONE)
        self._release_lock(well=False)
        self._cut_call()

    # What is freed.

    def _release_lock(self, *, well: bool) -> None:
        """Let the calls that wait for this change go on. well: it was carried out, as far as is known."""
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.leave(well=well)
            self._engine.in_flight.end_fast(self)

    def _cut_connection(self) -> None:
        """Cut the connection, so that the emulator sees that nobody waits for the answer."""
        self._stop_timer()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.detach()
            connection.abort()

    def _cut_call(self) -> None:
        """Cut the connection of a call that was taken over, unless the engine has asked for its answer."""
        result, self._result = self._result, None
        if isinstance(result, UpstreamCall):
            result.cut()

    def _stop_timer(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None


def _bytes_of_answer(answer: Answer | Outgoing) -> bytes:
    body = answer.body
    assert isinstance(body, bytes)
    return answer_head(answer.status, answer.reason, answer.headers, len(body), frame=True) + body
