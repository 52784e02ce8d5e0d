"""Connecting to an emulator on the same machine, and sending a request, in two system calls.

An emulator that ends each connection with its answer, as moto does, needs a new one for each request. The event loop takes
several rounds to make one. On the loopback interface `connect` succeeds at once, so the request can be sent by the next
system call, and the event loop is given a socket whose answer is under way already.

Connecting can begin even earlier: when a request has begun to arrive, and nobody knows yet what it is (`preconnect`). The
emulator accepts the connection meanwhile.

An emulator that is further away does not accept in time. After `_MISSES_MAX` such attempts in a row none is made any more.
"""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from enum import Enum
from typing import Any

_MISSES_MAX = 3

SentSocket = tuple[socket.socket, int]
"""A connected socket, and how many bytes of a request were sent by it."""


class State(Enum):
    """What a `DirectConnector` can do."""

    NO_ADDRESS = "no address"
    """Nothing: no connection was made yet, so the emulator's numeric address is not known."""
    READY = "ready"
    """Connect and send, or begin to connect."""
    PRECONNECTING = "preconnecting"
    """Send by the socket that is connecting."""
    GIVEN_UP = "given up"
    """Nothing: the emulator is too far away."""


TRANSITIONS: dict[State, frozenset[State]] = {
    State.NO_ADDRESS: frozenset({State.READY}),  # the event loop has made a connection
    State.READY: frozenset({State.PRECONNECTING, State.GIVEN_UP}),  # a request has begun to arrive; too many misses
    State.PRECONNECTING: frozenset({State.READY}),  # the request is sent, or will not be
    State.GIVEN_UP: frozenset(),
}


class DirectConnector:
    """Makes connections to one address without the event loop."""

    def __init__(self) -> None:
        self._state = State.NO_ADDRESS
        self._address: Any = None
        self._misses = 0
        self._connecting: socket.socket | None = None  # while PRECONNECTING
        self._spare: socket.socket | None = None  # not connected

    def __repr__(self) -> str:
        spare = ", a spare socket" if self._spare is not None else ""
        return f"<DirectConnector {self._state.value}, address {self._address}, misses {self._misses}{spare}>"

    def _move(self, state: State) -> None:
        assert state in TRANSITIONS[self._state], f"{self!r} cannot become {state.value}"
        self._state = state

    def learn_address(self, address: Any) -> None:
        """Keep the emulator's numeric address, as `getpeername` tells it of a connection that was made."""
        self._address = address
        if self._state is State.NO_ADDRESS:
            self._move(State.READY)

    def preconnect(self) -> None:
        """Begin to connect for a request that is about to be sent. Ends with `connect_and_send` or `cancel_preconnect`."""
        if self._state is not State.READY:
            return
        with suppress(OSError):  # whoever sends the request will meet the error again, and report it
            sock = self._take_socket()
            if sock.connect_ex(self._address) in (0, errno.EINPROGRESS):
                self._connecting = sock
                self._move(State.PRECONNECTING)
            else:
                sock.close()

    def cancel_preconnect(self) -> None:
        """Close the connection of `preconnect` if nothing was sent by it."""
        if self._connecting is not None:
            self._connecting.close()
            self._connecting = None
            self._move(State.READY)

    def connect_and_send(self, data: bytes) -> SentSocket | None:
        """Connect, where that has not begun, and send as much of `data` as the socket takes. None where nothing was sent."""
        sock: socket.socket | None = None
        if self._state is State.PRECONNECTING:
            sock, self._connecting = self._connecting, None
            self._move(State.READY)
        if self._state is not State.READY:
            return None
        try:
            if sock is None:
                sock = self._take_socket()
                sock.connect_ex(self._address)
            sent = sock.send(data)
        except OSError as error:
            # Who is not there may be back soon; who takes a while to accept always does.
            self._misses += isinstance(error, BlockingIOError)
            if self._misses >= _MISSES_MAX:
                self._move(State.GIVEN_UP)
            if sock is not None:
                sock.close()
            return None
        self._misses = 0
        return sock, sent

    def prepare_socket(self) -> None:
        """Make the socket for the next request now, while nobody waits for it."""
        if self._spare is None and self._state in (State.READY, State.PRECONNECTING):
            with suppress(OSError):
                self._spare = self._new_socket()

    def close(self) -> None:
        """Close the socket that was made for the next request."""
        if self._spare is not None:
            self._spare.close()
            self._spare = None

    def _take_socket(self) -> socket.socket:
        spare, self._spare = self._spare, None
        return spare if spare is not None else self._new_socket()

    def _new_socket(self) -> socket.socket:
        sock = socket.socket(socket.AF_INET6 if len(self._address) == 4 else socket.AF_INET)
        sock.setblocking(False)
        return sock
