"""HTTP/2 at the reverse door, for clients that speak it at once (RFC 9113, section 3.3, "prior knowledge").

The JavaScript SDK's Kinesis client does, and others that stream both ways. `server.protocol` knows them by the first bytes of a
connection and hands it over to `Http2Connection`. The `h2` library keeps the state of the protocol (`protocol_state`). Here is
what it leaves to others: the socket, a task for each stream (`stream`), flow control, and bounds. Each stream becomes the same
`Incoming` and `Outgoing` as a request of HTTP/1.1, is given to the same handler, and goes to the emulator as HTTP/1.1.

What one connection can cost is bounded, whatever its client does:

- 100 streams at a time; those beyond are refused, and may be sent again (`REFUSED_STREAM`).
- 64 KiB of each request's body beyond what the emulator has taken, so 6.4 MiB for all of them.
- Frames of 16 KiB; heads of 256 KiB and 1,000 fields, in at most 64 frames (`h2` counts the latter).
- What is written and not read: answers wait for the client, and what the protocol answers by itself (pings, settings,
  resets) ends the connection at 1 MiB.
- Idle frames, which cost work and bring none (resets, pings, settings, empty data): 1,000 at once and 100 a second after that
  (CVE-2023-44487, CVE-2019-9512, 9515, 9518).
- A connection without streams ends after `keepalive_timeout`, or after `head_timeout` where a frame or a head is half there.

A client that breaks the protocol is told so by `GOAWAY`, and the log by one line. One that says `GOAWAY` itself still gets the
answers that are under way, as Node's clients expect; `h2` would refuse to write them, so it is not told of that frame.
tests/proxy/test_http2.py fails where a new version of h2 changes what is relied on here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from functools import partial
from typing import Any

from h2 import events
from h2.errors import ErrorCodes
from h2.exceptions import H2Error, StreamClosedError
from h2.settings import SettingCodes
from hyperframe.frame import GoAwayFrame

from replay_proxy.proxy.http.http2.heads import Fields
from replay_proxy.proxy.http.http2.limits import FrameBoundary, RateLimit
from replay_proxy.proxy.http.http2.protocol_state import STREAMS_MAX, WINDOW_BYTES, server_connection
from replay_proxy.proxy.http.http2.stream import ClientStream
from replay_proxy.proxy.http.malformed import reason
from replay_proxy.proxy.http.streams import Handler

_log = logging.getLogger(__name__)

_UNREAD_BYTES_MAX = 1 << 20
_WRITE_BYTES = 64 * 1024
_TABLE_BYTES_MAX = 4096
_IDLE_FRAMES_MAX, _IDLE_FRAMES_PER_SECOND = 1000, 100
_LINGER_S = 1.0


class State(Enum):
    """What a connection still does."""

    OPEN = "open"
    """Everything."""
    DRAINING = "draining"
    """No new streams: one side has said `GOAWAY`. Those that are open are served to their end."""
    LINGERING = "lingering"
    """Nothing: the client has broken the protocol, and is given `_LINGER_S` to read why."""
    CLOSED = "closed"
    """Nothing: the connection was closed, or is lost."""


TRANSITIONS: dict[State, frozenset[State]] = {
    State.OPEN: frozenset({State.DRAINING, State.LINGERING, State.CLOSED}),
    State.DRAINING: frozenset({State.LINGERING, State.CLOSED}),
    State.LINGERING: frozenset({State.CLOSED}),
    State.CLOSED: frozenset({State.CLOSED}),  # closed by us, and then lost
}


class Http2Connection(asyncio.Protocol):
    """One client's connection: takes over its transport."""

    def __init__(
        self,
        transport: asyncio.Transport,
        handler: Handler,
        *,
        body_timeout: float,
        head_timeout: float,
        keepalive_timeout: float,
        on_end: Callable[[Http2Connection], None],
    ) -> None:
        """Times in seconds, as `ReverseDoor` has them. on_end: called when the connection has ended."""
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._handler = handler
        self._body_timeout = body_timeout
        self._head_timeout = head_timeout
        self._keepalive_timeout = keepalive_timeout
        self._on_end = on_end
        self._peer: tuple[str, int] = (transport.get_extra_info("peername") or ("", 0))[:2]
        self._streams: dict[int, ClientStream] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle_frames = RateLimit(_IDLE_FRAMES_MAX, _IDLE_FRAMES_PER_SECOND, self._loop.time)
        self._boundary = FrameBoundary()
        self._timer: asyncio.TimerHandle | None = None
        self._state = State.OPEN
        self._is_full = False  # the socket takes nothing at the moment
        self._h2 = server_connection()
        self._on_event: dict[type[events.Event], Callable[[Any], None]] = {
            events.RequestReceived: self._request_received,
            events.DataReceived: self._data_received,
            events.StreamEnded: self._stream_ended,
            events.StreamReset: self._stream_reset,
            events.WindowUpdated: self._window_updated,
            events.RemoteSettingsChanged: self._settings_changed,
            events.PingReceived: self._count_idle_frame,
            events.ConnectionTerminated: self._client_ends,
        }

    def __repr__(self) -> str:
        full = ", its client reads nothing" if self._is_full else ""
        return f"<Http2Connection {self._state.value}, {len(self._tasks)} streams served{full}>"

    def _move(self, state: State) -> None:
        assert state in TRANSITIONS[self._state], f"{self!r} cannot be {state.value}"
        self._state = state

    @property
    def _is_over(self) -> bool:
        """Is nothing read or written any more?"""
        return self._state is State.LINGERING or self._state is State.CLOSED

    def begin(self, data: bytes) -> None:
        """Take the connection over. data: what came on it so far, the preface first."""
        self._transport.set_protocol(self)
        self._h2.initiate_connection()
        self._h2.increment_flow_control_window(STREAMS_MAX * WINDOW_BYTES - WINDOW_BYTES)
        self._begin_idle_time()
        self.data_received(data)

    # What the transport tells.

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client."""
        if self._is_over:
            return
        was_at_rest = self._boundary.is_at_rest
        self._boundary.feed(data)
        if self._boundary.is_too_large:
            self._refuse(ErrorCodes.FRAME_SIZE_ERROR, "a frame is larger than was agreed")
            return
        try:
            received = self._h2.receive_data(data)
        except H2Error as error:
            self._refuse(None, f"{type(error).__name__}: {reason(error)}")  # h2 has written the GOAWAY
            return
        except Exception as error:  # whatever a decoder makes of bytes that anybody may send
            self._refuse(ErrorCodes.PROTOCOL_ERROR, type(error).__name__)
            return
        for event in received:
            handle = self._on_event.get(type(event))
            if handle is not None and not self._is_over:
                handle(event)
        self._flush()
        if not self._tasks and not self._is_over and self._boundary.is_at_rest != was_at_rest:
            self._begin_idle_time()

    def pause_writing(self) -> None:
        """Write nothing more: the client does not read as fast as we write."""
        self._is_full = True

    def resume_writing(self) -> None:
        """Go on writing: the client has caught up."""
        self._is_full = False
        self._wake_writers()

    def eof_received(self) -> bool:
        """Close the connection: the client has left. HTTP/2 knows no half-closed connections."""
        return False

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give up all that is under way: the connection has ended."""
        self._move(State.CLOSED)
        self._stop_timer()
        self._abandon_streams()
        self._on_end(self)

    # What the client tells.

    def _request_received(self, event: events.RequestReceived) -> None:
        number = event.stream_id
        if self._state is not State.OPEN or len(self._streams) >= STREAMS_MAX:
            self._reset(number, ErrorCodes.REFUSED_STREAM)
            self._count_idle_frame(event)
            return
        self._stop_timer()
        stream = self._streams[number] = ClientStream(self, number, self._body_timeout)
        fields = [(bytes(name), bytes(value)) for name, value in event.headers or []]
        task = stream.begin(fields, self._peer, self._handler, ended=event.stream_ended is not None)
        self._tasks.add(task)
        task.add_done_callback(partial(self._served, number))

    def _served(self, number: int, task: asyncio.Task[None]) -> None:
        self._streams.pop(number, None)
        self._tasks.discard(task)
        if not self._tasks and not self._is_over:
            self._begin_idle_time()

    def _data_received(self, event: events.DataReceived) -> None:
        number, data = event.stream_id, event.data or b""
        padding = (event.flow_controlled_length or 0) - len(data)
        if padding:
            self._h2.acknowledge_received_data(padding, number)
        if not data and event.stream_ended is None:
            self._count_idle_frame(event)
        stream = self._streams.get(number)
        if stream is not None and stream.body is not None:
            stream.body.feed(data)
        else:
            self._h2.acknowledge_received_data(len(data), number)

    def _stream_ended(self, event: events.StreamEnded) -> None:
        stream = self._streams.get(event.stream_id)
        if stream is not None and stream.body is not None:
            stream.body.end()

    def _stream_reset(self, event: events.StreamReset) -> None:
        stream = self._streams.pop(event.stream_id, None)
        if stream is not None:
            stream.abandon()
        self._count_idle_frame(event)

    def _window_updated(self, event: events.WindowUpdated) -> None:
        if event.stream_id:
            stream = self._streams.get(event.stream_id)
            if stream is not None:
                stream.wake_writer()
        else:
            self._wake_writers()

    def _settings_changed(self, event: events.RemoteSettingsChanged) -> None:
        # As much as a client may allow us to remember of answers' fields is more than we want to.
        if SettingCodes.HEADER_TABLE_SIZE in event.changed_settings:
            self._h2.encoder.header_table_size = min(self._h2.encoder.header_table_size, _TABLE_BYTES_MAX)
        self._count_idle_frame(event)
        self._wake_writers()

    def _client_ends(self, event: events.ConnectionTerminated) -> None:
        if self._state is State.OPEN:
            self._move(State.DRAINING)
        if event.error_code:
            self._abandon_streams()
        if not self._tasks:
            self._finish()

    def _count_idle_frame(self, event: events.Event) -> None:
        """Count a frame that costs work and brings none."""
        if not self._is_over and not self._idle_frames.take():
            self._refuse(ErrorCodes.ENHANCE_YOUR_CALM, f"too many idle frames ({type(event).__name__})")

    # What streams ask for.

    async def send_head(self, stream: ClientStream, fields: Fields, *, end: bool) -> None:
        """Write fields as soon as the socket has room. end: nothing follows."""
        while self._is_full and not stream.is_closed:
            await stream.wait_for_room()
        if not stream.is_closed:
            self._h2.send_headers(stream.number, fields, end_stream=end)
            self._flush()

    async def send_body(self, stream: ClientStream, data: bytes, *, end: bool) -> None:
        """Write a part of the body, as the client has room for it."""
        at = 0
        while not stream.is_closed and (data or end):
            window = self._h2.local_flow_control_window(stream.number)
            if self._is_full or (window <= 0 and data):
                await stream.wait_for_room()
                continue
            at = self._write_some(stream.number, data, at, min(max(window, 0), _WRITE_BYTES), end=end)
            if at == len(data):
                return
            await asyncio.sleep(0)  # others have their turn, this client's frames among them

    def _write_some(self, number: int, data: bytes, at: int, most: int, *, end: bool) -> int:
        """Write at most `most` bytes of `data` from `at` on. Returns where the rest begins."""
        until = min(at + most, len(data))
        while True:
            piece = data[at : min(at + self._h2.max_outbound_frame_size, until)]
            at += len(piece)
            self._h2.send_data(number, piece, end_stream=end and at == len(data))
            if at == until:
                break
        self._flush()
        return at

    def credit(self, stream: ClientStream, size: int) -> None:
        """Let the client send `size` bytes more."""
        if size and not self._is_over:
            self._h2.acknowledge_received_data(size, stream.number)
            self._flush()

    def reset(self, stream: ClientStream, code: ErrorCodes) -> None:
        """End the stream, in both directions, at once."""
        if not stream.is_closed:
            stream.is_closed = True
            if not self._is_over:
                self._reset(stream.number, code)
                self._flush()

    def _reset(self, number: int, code: ErrorCodes) -> None:
        with suppress(StreamClosedError):  # by a frame that is still to be looked at
            self._h2.reset_stream(number, code)

    # The end of the connection.

    def close_if_idle(self) -> None:
        """Accept no more streams, and tell the client so; close unless a request is being served."""
        if self._state is State.OPEN:
            self._move(State.DRAINING)
            self._send_goaway(ErrorCodes.NO_ERROR)
        if not self._tasks and not self._is_over:
            self._finish()

    async def shutdown(self, timeout: float) -> None:
        """Cut the connection, and wait, at most `timeout` seconds, for what was being served."""
        self._transport.abort()
        self._abandon_streams()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout)

    def _begin_idle_time(self) -> None:
        """Limit how long the connection is kept while no request is served."""
        if self._state is State.DRAINING:
            self._finish()
        else:
            self._stop_timer()
            timeout_s = self._keepalive_timeout if self._boundary.is_at_rest else self._head_timeout
            self._timer = self._loop.call_later(timeout_s, self.close_if_idle)

    def _finish(self) -> None:
        """Close after what was written."""
        self._flush()
        self._move(State.CLOSED)
        self._stop_timer()
        self._transport.close()

    def _refuse(self, code: ErrorCodes | None, why: str) -> None:
        """End the connection of a client that breaks the protocol. code: None where h2 has written the GOAWAY already."""
        _log.warning("the HTTP/2 connection of %s was ended: %s", self._peer[0], why)
        if code is not None:
            self._send_goaway(code)
        self._flush()
        if self._is_over:
            return  # what was to be written was more than the connection may keep
        self._move(State.LINGERING)
        self._abandon_streams()
        self._stop_timer()
        # Closed with something unread, a connection is reset, and the client might not get to see why.
        if self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()
        self._timer = self._loop.call_later(_LINGER_S, self._transport.abort)

    def _send_goaway(self, code: ErrorCodes) -> None:
        # Not by h2, which would write nothing of the answers under way afterwards.
        self._flush()
        frame = GoAwayFrame(0, last_stream_id=self._h2.highest_inbound_stream_id, error_code=code)
        self._write(frame.serialize())

    def _abandon_streams(self) -> None:
        for stream in list(self._streams.values()):
            stream.abandon()

    def _wake_writers(self) -> None:
        for stream in list(self._streams.values()):
            stream.wake_writer()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _flush(self) -> None:
        data = self._h2.data_to_send()
        if data:
            self._write(data)

    def _write(self, data: bytes) -> None:
        if self._is_over or self._transport.is_closing():
            return
        self._transport.write(data)
        if self._is_full and self._transport.get_write_buffer_size() > _UNREAD_BYTES_MAX:
            _log.warning("the HTTP/2 connection of %s was cut: it reads nothing of what it asks for", self._peer[0])
            self._move(State.CLOSED)
            self._abandon_streams()
            self._transport.abort()
