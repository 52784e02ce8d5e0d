"""The express lane: small plain exchanges, carried from one socket to the other without a task, a queue or a second parser.

Nearly all calls are small, arrive in one piece, and name nothing that has to be replaced. Such a request is read at a
glance (`plain`) and sent on at once; what it is, is found out while the emulator works on it. Its answer is passed on in the
very moment it is whole, or, for a call that changes state, recorded.

What is decided of a call is decided by the same functions as in the engine (`decisions`). Whatever is not simple takes the
usual way, which is aiohttp's, through `door` and `engine`. It can do so at two moments. Before the request is sent:
`take` declines. And afterwards, when the answer turns out to be long, chunked or missing: then the engine resumes the
exchange from where it stands (`Engine.resume`), and the door is handed the same bytes to write the answer by.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Protocol

from replay_proxy.errors import StorageError
from replay_proxy.exchange import Answer, CallHead, Request, Unread
from replay_proxy.journal.ordering import Turn
from replay_proxy.journal.records import utc_now
from replay_proxy.journal.writer import Draft
from replay_proxy.proxy.carrier import bytes_of
from replay_proxy.proxy.connection import Catcher, Connection
from replay_proxy.proxy.decisions import Look
from replay_proxy.proxy.engine import Engine, forget
from replay_proxy.proxy.framing import answer_head, request_head
from replay_proxy.proxy.plain import (
    AnswerGlance,
    RequestGlance,
    glance_at_answer,
    read_answer,
    read_request,
    without_connection,
)
from replay_proxy.proxy.recorder import Recorder
from replay_proxy.proxy.streams import Outgoing
from replay_proxy.proxy.upstream import (
    IDEMPOTENT,
    AnswerError,
    AnswerTimeoutError,
    Call,
    Upstream,
    UpstreamAnswer,
    UpstreamError,
)
from replay_proxy.wire.recognise import recognise

LARGEST = 64 * 1024
"""Bytes of a message that goes this way."""
RESERVED = ("/_", "/health")
"""How the targets of requests begin that may be for the proxy itself."""


class Client(Protocol):
    """The connection that a request came by."""

    def give(self, data: bytes) -> None:
        """The whole answer."""

    def take_usual_way(self, early: Early) -> None:
        """The engine resumes the exchange: wait for `early.outcome`, and write that."""


class ExpressLane:
    """The lane of one engine."""

    def __init__(self, engine: Engine, upstream: Upstream, largest: int) -> None:
        """largest: bytes of a body that is looked at as a whole (`--body-threshold`)."""
        self.engine = engine
        self.upstream = upstream
        self.largest = min(LARGEST, largest)

    def knock(self) -> bool:
        """A request has come that may be for the lane. Was anything done for it? Then it ends with `turn_away`."""
        if not self.upstream.will_connect or not self.engine.is_at_ease:
            return False
        self.upstream.knock()
        return True

    def turn_away(self) -> None:
        """What was done for a request that was not taken is of no use."""
        self.upstream.hang_up()

    def take(self, glance: RequestGlance, data: bytes, client: Client) -> Early | None:
        """Send a plain request that came as `data`, whole. None where it has to take the usual way, and nothing was done."""
        engine = self.engine
        if not engine.is_at_ease or len(data) > self.largest or glance.target.startswith(RESERVED):
            return None
        data, body_at = without_connection(data, glance)
        upstream = self.upstream
        if engine.changes_under_way or engine.carrier.may_change_request(data, body_at):
            early = Early(self, data, client)
            if not early.understand():
                return None
            outward = engine.carrier.outward(early.request, early.head)
            if outward is not early.request:
                data = _bytes_of_request(outward)
            upstream.follow(upstream.launch(data), data, early)
        else:
            launched = upstream.launch(data)
            early = Early(self, data, client)
            upstream.follow(launched, data, early)
            understood = early.understand()
            assert understood, "a change met another one, and none was under way"
        engine.decisions.meanwhile()
        return early


class Early(Catcher):
    """An exchange in the lane.

    data: the request as it came. life: of the emulator that it was sent to. outcome: where the engine has to do with it,
    what that makes of it.
    """

    request: Request
    head: CallHead | None = None
    recorder: Recorder | None = None
    look: Look | None = None
    outcome: asyncio.Task[Outgoing] | None = None
    _draft: Draft
    _taken = ""
    _turn: Turn | None = None
    _connection: Connection | None = None
    _timer: asyncio.TimerHandle | None = None
    _received = b""
    _needed = 0
    _call: Call | None = None
    _failure: UpstreamError | None = None
    _stale = False

    def __init__(self, lane: ExpressLane, data: bytes, client: Client) -> None:
        self.data = data
        self.life = lane.engine.life
        self._lane = lane
        self._client: Client | None = client
        self._begun = time.monotonic()

    def understand(self) -> bool:
        """Find out what is to be done with the answer. False for a change that has to wait for another one."""
        engine = self._lane.engine
        self.request = request = read_request(self.data)
        self.head = head = recognise(request)
        recorder, self.look = engine.decisions.sort(head, request)
        if recorder is not None and head is not None:
            turn = recorder.turn(head, request)
            if not turn.enter_now():
                return False
            self.recorder, self._turn, self._taken = recorder, turn, utc_now()
            self._draft = recorder.draft(head, request)
            engine.begin_early(self)
        return True

    # What the connection to the emulator tells.

    def sent(self, connection: Connection) -> None:
        """The request is on its way."""
        self._connection = connection
        if self._client is None and self.recorder is None:
            self._drop()
            return
        patience = self._lane.upstream.read_timeout
        if patience:
            self._timer = asyncio.get_running_loop().call_later(patience, self._silent)

    def arrived(self, data: bytes) -> None:
        """A piece of the answer."""
        received = self._received = self._received + data if self._received else data
        if len(received) < self._needed:
            return
        glance = glance_at_answer(received, self._lane.largest)
        if glance is None:
            self._hand_over()
        elif glance.missing:
            self._needed = len(received) + glance.missing
        else:
            self._end(glance)

    def lost(self, error: BaseException | None) -> None:
        """The connection has ended, or none came about."""
        if self.outcome is not None or self._call is not None or self._failure is not None:
            return  # told already, by the connection itself: a request must not be sent twice for one loss
        if isinstance(error, UpstreamError):
            self._failure = error
        else:
            self._failure = AnswerError(
                f"the emulator's connection broke before an answer was whole: {error or 'it was closed'}"
            )
        self._hand_over()

    def _silent(self) -> None:
        self._drop()
        self._failure = AnswerTimeoutError("the emulator was silent for too long; no end of an answer")
        self._hand_over()

    # What the client tells.

    def left(self) -> None:
        """The client has gone. A call that changes state is carried out, and recorded, all the same."""
        self._client = None
        if self.recorder is not None:
            if self.outcome is not None:
                self.outcome.add_done_callback(forget)
        elif self.outcome is not None:
            self.outcome.cancel()
            self.dismiss()  # a task that never began ends without doing so itself
        else:
            self._drop()

    async def settled(self) -> Outgoing:
        """What the engine makes of it. Cancelled where the client leaves."""
        assert self.outcome is not None
        try:
            return await asyncio.shield(self.outcome)
        except asyncio.CancelledError:
            self.left()
            raise

    # The end in the lane.

    def _end(self, glance: AnswerGlance) -> None:
        """The answer is whole. First its client gets it, and then what is left to do is done."""
        if self._timer is not None:
            self._stop_timer()
        decisions, head = self._lane.engine.decisions, self.head
        data, body_at = without_connection(self._received, glance)
        decisions.answered += 1
        changes = decisions.carrier.may_change_answer(data, body_at, head)
        if self.recorder is not None and head is not None:
            self._end_of_change(data, head, self.recorder, changes=changes)
        else:
            unread: Unread = partial(read_answer, data)
            if changes:
                answer = unread()
                shown = decisions.carrier.shown(answer, head, self.request)
                if shown is not answer:
                    data, unread = _bytes_of_answer(shown), lambda: shown
                    body_at = len(data) - len(bytes_of(shown))
            self._give(data)
            if self.look is not None and head is not None and glance.status == 200:
                self.look(head, self.request, data[body_at:], unread)
        self._free(closes=glance.closes)

    def _free(self, *, closes: bool) -> None:
        """The connection is not needed any more."""
        connection, self._connection = self._connection, None
        assert connection is not None
        self._lane.upstream.give_back(connection, closes=closes)

    def _end_of_change(self, data: bytes, head: CallHead, recorder: Recorder, *, changes: bool) -> None:
        """A change is recorded before its client sees the answer."""
        decisions, request = self._lane.engine.decisions, self.request
        answer = read_answer(data)
        shown = answer
        if changes:
            shown = decisions.shown(answer, head, request)
            if shown is not answer:
                data = _bytes_of_answer(shown)
        recorded = decisions.has_changed(head, request, answer, shown)
        if recorded:
            duration = (time.monotonic() - self._begun) * 1000
            notes = decisions.carrier.receipts.notes_for(head, request)
            try:
                recorder.write_now(self._draft, shown, time=self._taken, duration_ms=duration, notes=notes)
            except StorageError as error:
                recorded = False
                refusal = decisions.refusal(head, request, recorder, error)
                if refusal is not None:
                    data = _bytes_of_answer(refusal)
        if recorded and recorder.promises_late:
            outgoing = Outgoing(shown.status, shown.reason, shown.headers, bytes_of(shown))
            self.outcome = asyncio.get_running_loop().create_task(decisions.promised(head, request, recorder, outgoing))
            self._settle(head, shown, recorded=recorded)
            self._take_usual_way()
        else:
            self._give(data)
            self._settle(head, shown, recorded=recorded)

    def _settle(self, head: CallHead, shown: Answer, *, recorded: bool) -> None:
        """A change is over."""
        if recorded:
            self._lane.engine.decisions.was_recorded(head, self.request, shown)
        self._leave_turn(well=True)

    def _give(self, data: bytes) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.give(data)

    def _leave_turn(self, *, well: bool) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.leave(well=well)
            self._lane.engine.end_early(self)

    # The usual way from here on.

    def _hand_over(self) -> None:
        self._stop_timer()
        connection, self._connection = self._connection, None
        if self._client is None and self.recorder is None:
            if connection is not None:
                connection.let_go()
                connection.abort()
            return
        if self._failure is None and connection is not None:
            self._call = self._lane.upstream.take_over(connection, self._received)
        else:
            self._stale = connection is not None and connection.reused and not self._received
        self.outcome = self._lane.engine.resume(self)
        self._take_usual_way()

    def _take_usual_way(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.take_usual_way(self)

    @property
    def is_under_way(self) -> bool:
        """Was the request sent, and nobody has asked for the answer yet?"""
        return self._call is not None or self._failure is not None

    def take_turn(self) -> Turn | None:
        """The turn of a change, entered, the first time."""
        turn, self._turn = self._turn, None
        self._lane.engine.end_early(self)
        return turn

    async def answer(self) -> UpstreamAnswer | None:
        """What came of it; None where it has to be sent (again). Raises `UpstreamError`."""
        call, self._call = self._call, None
        failure, self._failure = self._failure, None
        if call is not None:
            return await self._lane.upstream.answer_of(call)
        if failure is None or (self._stale and self.request.method in IDEMPOTENT):
            return None
        raise failure

    def dismiss(self) -> None:
        """Nobody will ask any more."""
        self._leave_turn(well=False)
        call, self._call = self._call, None
        if call is not None:
            call.connection.abort()

    def _drop(self) -> None:
        """Give up the answer."""
        self._stop_timer()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.let_go()
            connection.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _bytes_of_request(request: Request) -> bytes:
    body = bytes_of(request)
    head = request_head(request.method, request.target, request.headers, len(body), body=bool(body), host="")
    return head + body


def _bytes_of_answer(answer: Answer | Outgoing) -> bytes:
    body = answer.body
    assert isinstance(body, bytes)
    return answer_head(answer.status, answer.reason, answer.headers, len(body), frame=True) + body
