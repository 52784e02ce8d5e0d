"""What the HTTP/2 connection counts by itself, since `h2` does not tell: idle frames, and whether a frame is whole. Pure."""

from __future__ import annotations

from collections.abc import Callable

from replay_proxy.proxy.http.http2.preface import HTTP2_PREFACE

_HEAD_BYTES = 9  # of a frame: length (3), type, flags, stream (RFC 9113, section 4.1)
_HEADERS, _CONTINUATION = 0x1, 0x9
_END_HEADERS = 0x4
FRAME_BYTES_MAX = 1 << 14
"""What a client may send in one frame: HTTP/2's own first value, which nothing here changes."""


class RateLimit:
    """Allows so many events at once, and so many a second after that (a token bucket)."""

    def __init__(self, burst_max: int, per_second: int, clock: Callable[[], float]) -> None:
        """clock: returns seconds."""
        self._burst_max = self._left = float(burst_max)
        self._per_second = per_second
        self._clock = clock
        self._then = clock()

    def take(self) -> bool:
        """Count one event. False where it is one too many."""
        now = self._clock()
        self._left = min(self._burst_max, self._left + (now - self._then) * self._per_second)
        self._then = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class FrameBoundary:
    """Follows the bytes of a connection from its preface on, to tell whether the last frame, or head, is whole."""

    def __init__(self) -> None:
        self._left = len(HTTP2_PREFACE)  # bytes to come of the preface, or of a frame's payload
        self._head = b""  # as much as there is of a frame's
        self._in_head = False  # of a request: more frames are to come
        self.is_too_large = False
        """A frame that has begun is larger than was agreed. h2 would wait for its end, up to 16 MiB, before it says so."""

    @property
    def is_at_rest(self) -> bool:
        """Does a new frame begin with the next byte?"""
        return not (self._left or self._head or self._in_head)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the connection."""
        at = 0
        while at < len(data):
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
            else:
                step = min(_HEAD_BYTES - len(self._head), len(data) - at)
                self._head += data[at : at + step]
                if len(self._head) == _HEAD_BYTES:
                    head, self._head = self._head, b""
                    self._left = int.from_bytes(head[:3])
                    self.is_too_large |= self._left > FRAME_BYTES_MAX
                    if head[3] in (_HEADERS, _CONTINUATION):
                        self._in_head = not head[4] & _END_HEADERS
            at += step
