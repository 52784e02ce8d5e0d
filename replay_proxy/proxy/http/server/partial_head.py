"""The head of a request that has begun to arrive, and is not whole: how large it may become, and how long it may take.

aiohttp's parser bounds one line, and the number of fields, but neither the head as a whole nor its time. A client that sends a
head byte by byte, and never its end, would hold a connection for as long as it likes. (An idle connection has no head; it is
bounded by `keepalive_timeout`.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from replay_proxy.proxy.http.limits import HEAD_BYTES_MAX

_END = b"\r\n\r\n"


class PartialHead:
    """Counts the bytes and the seconds of a head. Two states: none has begun, or one has (`has_begun`), and a timer runs."""

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout_s: float, on_late: Callable[[], None]) -> None:
        """on_late: called when a head has taken longer than `timeout_s` seconds."""
        self._loop = loop
        self._timeout_s = timeout_s
        self._on_late = on_late
        self._timer: asyncio.TimerHandle | None = None
        self._size = 0
        self._tail = b""

    def is_too_large_with(self, data: bytes) -> bool:
        """Does the head, of which `data` is the next piece, exceed `HEAD_BYTES_MAX` bytes?"""
        if self._size + len(data) <= HEAD_BYTES_MAX:
            return False
        end = (self._tail + data).find(_END)
        of_head = len(data) if end < 0 else end + len(_END) - len(self._tail)
        return self._size + of_head > HEAD_BYTES_MAX

    def grow(self, data: bytes) -> None:
        """Count `data`, a piece of the head that is not its last one."""
        if not self._size and not data.strip(b"\r\n"):
            return  # empty lines before a request are nothing (RFC 9112, section 2.2)
        self._size += len(data)
        self._tail = (self._tail + data)[-(len(_END) - 1) :]
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout_s, self._on_late)

    @property
    def has_begun(self) -> bool:
        """Has any part of a head arrived?"""
        return self._size > 0

    def end(self) -> None:
        """Stop counting: the head is whole, or the connection has ended."""
        if self._size:
            self._size, self._tail = 0, b""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
