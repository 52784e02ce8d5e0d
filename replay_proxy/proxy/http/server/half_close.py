"""Clients that have closed their sending side, and still wait for an answer: half-closed connections.

A client may shut down its sending side after its request (`shutdown(SHUT_WR)`; `nc -N`, scripts, some proxies do), and is owed
its answer all the same. One that has closed its socket altogether looks the same: in both cases all that arrives is a FIN.
They differ in what they do with what is sent to them: a socket that is closed answers with a RST, a half-closed one takes it.

So something is sent: the beginning of the answer. Each answer of the proxy begins with `HTTP/1.1 `, whatever follows;
these bytes go out one by one, at growing intervals, while the answer is awaited, and are left out when it is written. A client
that listens sees nothing but the beginning of an answer that takes its time. Interim answers would do, too, but not for
clients of HTTP/1.0, and simple ones take them for the answer itself.

Once the answer has begun, each piece of it has the same effect. That leaves an answer that stands still in the middle:

- If the FIN came before the answer began, the client is believed, and TCP's own keep-alive asks: a kernel forgets a closed
  socket after a while (Linux: 60 s), and then answers with a RST.
- If it came later, it is most likely that of a client that has had enough: clients that half-close do so right after their
  request. When nothing has moved for `STANDSTILL_S` the client counts as gone.
"""

from __future__ import annotations

import asyncio
import socket
from enum import Enum

from aiohttp.abc import AbstractStreamWriter

BEGINNING = b"HTTP/1.1 "
STANDSTILL_S = 2.0
_PROBE_INTERVAL_MIN_S, _PROBE_INTERVAL_MAX_S = 0.02, 2.0
_KEEP_ALIVE_S = 5


class State(Enum):
    """How it is found out whether the client is still there."""

    WAITING = "waiting for its turn"
    """By TCP's keep-alive. No request of the client is being served."""
    PROBING = "probing"
    """By bytes of `BEGINNING`, one at a time. The answer has not begun."""
    ANSWERING = "answering"
    """By the answer, which has begun after the FIN, and by TCP's keep-alive."""
    ANSWERING_AT_FIN = "answering since before the FIN"
    """By the answer, which had begun before the FIN, and must not stand still."""
    ENDED = "ended"
    """No more: the connection has ended."""


TRANSITIONS: dict[State, frozenset[State]] = {
    State.WAITING: frozenset({State.PROBING, State.ANSWERING, State.ENDED}),
    State.PROBING: frozenset({State.ANSWERING, State.ENDED}),
    State.ANSWERING: frozenset({State.PROBING, State.ANSWERING, State.ENDED}),  # an interim answer; the next one
    State.ANSWERING_AT_FIN: frozenset({State.PROBING, State.ANSWERING, State.ENDED}),
    State.ENDED: frozenset({State.ENDED}),
}


class HalfClosed:
    """Watches a client that will send nothing more. Aborts the connection when the client is found to have left."""

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, answer_writer: AbstractStreamWriter | None
    ) -> None:
        """answer_writer: writes the answer that has begun already, if one has."""
        self._transport = transport
        self._loop = loop
        self._socket: socket.socket = transport.get_extra_info("socket")
        self._state = State.WAITING if answer_writer is None else State.ANSWERING_AT_FIN
        self._timer: asyncio.TimerHandle | None = None
        self._interval_s = _PROBE_INTERVAL_MIN_S
        self._probes = 0  # how many bytes of the beginning have been sent of the answer that is awaited
        self._answer_writer = answer_writer  # in ANSWERING_AT_FIN
        self._progress = (-1, 0.0)  # how many bytes it had written, and since when it has been that many
        for option in ("TCP_KEEPIDLE", "TCP_KEEPALIVE", "TCP_KEEPINTVL"):  # each system has some of them
            if hasattr(socket, option):
                self._socket.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), _KEEP_ALIVE_S)
        self._check()

    def __repr__(self) -> str:
        return f"<HalfClosed {self._state.value}, {self._probes} bytes sent ahead>"

    def _move(self, state: State) -> None:
        assert state in TRANSITIONS[self._state], f"{self!r} cannot be {state.value}"
        self._state = state

    def await_answer(self) -> None:
        """Probe from now on: the next answer is awaited, and has not begun."""
        if self._state not in (State.PROBING, State.ENDED):
            self._move(State.PROBING)
            self._interval_s, self._answer_writer = _PROBE_INTERVAL_MIN_S, None
            self._check()

    def begin_answer(self, data: bytes) -> bytes:
        """Return what is left to write of `data`, with which an answer begins."""
        assert data.startswith(BEGINNING)
        if self._state is not State.ENDED:
            self._move(State.ANSWERING)
        probes, self._probes = self._probes, 0
        return data[probes:]

    def end(self) -> None:
        """Stop: the connection has ended."""
        self._move(State.ENDED)
        self._stop_timer()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        """Abort the connection if the client has left, else probe, and check again later."""
        self._stop_timer()
        if self._transport.is_closing():
            return
        # A RST leaves its mark on the socket; nobody reads from it any more, so no event tells of that.
        if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or self._stands_still():
            self._transport.abort()
            return
        if self._state is State.PROBING and self._probes < len(BEGINNING):
            self._transport.write(BEGINNING[self._probes : self._probes + 1])
            self._probes += 1
        self._timer = self._loop.call_later(self._interval_s, self._check)
        self._interval_s = min(2 * self._interval_s, _PROBE_INTERVAL_MAX_S)

    def _stands_still(self) -> bool:
        """Has the answer in whose middle the FIN came not moved for `STANDSTILL_S`, though its client would take more?"""
        if self._state is not State.ANSWERING_AT_FIN or self._transport.get_write_buffer_size():
            return False
        assert self._answer_writer is not None
        now, size = self._loop.time(), self._answer_writer.output_size
        if size != self._progress[0]:
            self._progress = (size, now)
        return now - self._progress[1] >= STANDSTILL_S
