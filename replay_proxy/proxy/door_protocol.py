"""Connections from clients: aiohttp's server protocol, less its own answers. The only file that reaches into it.

Requests that are whole and plain are offered to the express lane first (`express`); aiohttp's parser then never sees them.
That is safe only between two requests, when nothing is left in the parser. So the connection keeps count of what is still
to come of a body that the parser is given; when it cannot tell where a request ends (chunks, pipelined requests, a head in
two pieces), everything after that takes the usual way. Some clients send head and body one right after the other: that pair
is awaited for a moment, and joined.

Two more things aiohttp does not do for a proxy:

- It answers requests that it cannot parse by itself, with fields of its own, a traceback in the log, and HTTP/1.0.
  Here the answer is a plain 400, and the log gets one line.
- When the chunks of a body turn out to be malformed half-way, it queues that 400 behind the request being served,
  whose reader it never tells. A handler that waits for the body would wait until its time is out. Here the reader is
  told at once (`aiohttp.web.RequestPayloadError`).

tests/proxy/test_door_malformed.py fails where a new version of aiohttp changes what is relied on here.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from replay_proxy.exchange import Headers
from replay_proxy.proxy.connection import READ_BUFFER
from replay_proxy.proxy.express import LARGEST, Early, ExpressLane
from replay_proxy.proxy.framing import answer_head
from replay_proxy.proxy.plain import glance_at_request

_LOST_COUNT = -1
_PROXYS_OWN = len("DELETE /_")
_MOMENT = 0.05  # seconds


class DoorServer(web.Server):
    """aiohttp's low-level server with `DoorProtocol` for its connections. lane: where plain requests are offered first."""

    lane: ExpressLane | None = None

    def __call__(self) -> DoorProtocol:
        """A protocol for one connection."""
        return DoorProtocol(self, loop=self._loop, **self._kwargs)

    @property
    def connections(self) -> list[DoorProtocol]:  # type: ignore[override]  # a list of what `__call__` makes
        """The connections that are open."""
        return [connection for connection in self._connections if isinstance(connection, DoorProtocol)]


class DoorProtocol(web.RequestHandler):
    """One client's connection."""

    __slots__ = ("_early", "_handed_over", "_held", "_lane", "_moment", "_to_come")

    def __init__(self, manager: DoorServer, **settings: Any) -> None:
        super().__init__(manager, **settings)
        self._lane = manager.lane
        self._early: Early | None = None
        self._handed_over: Early | None = None
        # What came before its time: while the lane is at work, or the beginning of a request whose rest is about to come.
        self._held = b""
        self._moment: asyncio.TimerHandle | None = None
        # Bytes of the request that the parser was given the beginning of; 0 between two requests.
        self._to_come = 0 if self._lane is not None else _LOST_COUNT

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._moment is not None:
            data = self._held + data
            self._end_of_moment()
        if self._early is not None:
            self._hold(data)
        elif not data or self._to_come == _LOST_COUNT or not self._goes_by_express(data):
            self._parse(data)

    def _goes_by_express(self, data: bytes) -> bool:
        """Keep count of requests, and let the lane have those that it takes."""
        if self._to_come:
            self._to_come = max(self._to_come - len(data), _LOST_COUNT)
            return False
        lane = self._lane
        if lane is None:
            return False
        knocked = data.find(b" /_", 0, _PROXYS_OWN) < 0 and lane.knock()
        taken = self._is_taken(data, lane)
        if knocked:
            lane.turn_away()
        return taken

    def _is_taken(self, data: bytes, lane: ExpressLane) -> bool:
        glance = glance_at_request(data)
        if glance is None or glance.missing < 0:
            self._to_come = _LOST_COUNT
            return False
        self._to_come = glance.missing
        if not self._is_at_rest():
            return False
        if glance.missing:
            if not data.endswith(b"\r\n\r\n") or len(data) + glance.missing > LARGEST:
                return False
            self._held, self._to_come = data, 0
            self._moment = self._loop.call_later(_MOMENT, self._await_no_longer)
            return True
        self._early = lane.take(glance, data, self)
        if self._early is None:
            return False
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        return True

    def _await_no_longer(self) -> None:
        """The rest of a request has not come in a moment."""
        data = self._held
        self._end_of_moment()
        glance = glance_at_request(data)
        self._to_come = glance.missing if glance is not None else _LOST_COUNT
        self._parse(data)

    def _end_of_moment(self) -> None:
        self._held = b""
        if self._moment is not None:
            self._moment.cancel()
            self._moment = None

    def _is_at_rest(self) -> bool:
        """Does aiohttp wait for the next request (or, on a new connection, is about to)?"""
        waiter = self._waiter
        waits = not self._request_count if waiter is None else not waiter.done()
        return waits and not self._messages and not self._close

    def _hold(self, data: bytes) -> None:
        """What comes before the answer to what came earlier waits."""
        self._held += data
        if len(self._held) > READ_BUFFER and self.transport is not None:
            self.transport.pause_reading()

    def _parse(self, data: bytes) -> None:
        """The usual way. Tell the reader of a body when the parser has given up on it."""
        super().data_received(data)
        request = self._current_request
        # What is queued is a pair of a message and its body; a parser's error stands where a message has a method.
        if request is not None and self._messages and not hasattr(self._messages[-1][0], "method"):
            body = request.content
            if not body.is_eof():
                body.set_exception(web.RequestPayloadError("the request's body is malformed"))
                body.feed_eof()
                self.close()

    # What the lane tells.

    def give(self, data: bytes) -> None:
        """The whole answer to what the lane took."""
        self._early = None
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)
        self._let_go()

    def take_usual_way(self, early: Early) -> None:
        """The engine has the exchange now: aiohttp is given the request, so that it calls the door for the answer."""
        self._early, self._handed_over = None, early
        self._parse(early.data)
        self._let_go()

    def _let_go(self) -> None:
        held, self._held = self._held, b""
        if held:
            if self.transport is not None and len(held) > READ_BUFFER:
                self.transport.resume_reading()
            self.data_received(held)

    def take_handed_over(self) -> Early | None:
        """The exchange that the request is of which is being served now, where it came by the lane."""
        early, self._handed_over = self._handed_over, None
        return early

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client has gone."""
        early = self._early or self._handed_over
        self._early = self._handed_over = None
        self._end_of_moment()
        super().connection_lost(exc)
        if early is not None:
            early.left()

    def close_if_idle(self) -> None:
        """Close unless a request is being served or answered."""
        if not self._request_in_progress and self._early is None and self._moment is None:
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is not HTTP (400). Everything else is answered by the door's handler."""
        first_line = (message or str(exc) or "no reason given").strip().splitlines()[0]
        self.logger.warning("a request from %s was refused: %s", request.remote, first_line)
        if request.writer.output_size > 0:
            raise ConnectionResetError("an answer had begun")
        return _PlainError(status, first_line)


class _PlainError(web.StreamResponse):
    """A status and a line of text, and the end of the connection."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(status=status)
        self.force_close()
        self._text = f"{text}\n".encode()
        self._request: web.BaseRequest | None = None

    async def prepare(self, request: web.BaseRequest) -> Any:
        """Nothing but to remember whom to answer."""
        self._request = request

    async def write_eof(self, data: bytes = b"") -> None:
        """Write the answer."""
        assert self._request is not None
        request, self._request = self._request, None
        fields = Headers([("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(self._text)))])
        head = answer_head(self.status, self.reason, fields, None, frame=False, connection="close")
        await request.writer.write(head + self._text)
