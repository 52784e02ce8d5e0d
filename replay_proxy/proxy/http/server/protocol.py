"""Connections from clients: aiohttp's server protocol, less its own answers. The only file that reaches into it.

Requests that are whole and plain are offered to the fast path first; aiohttp's parser then never sees them. When that is safe
is the subject of `connection_states`. Some clients send head and body one right after the other: that pair is awaited for
`_BODY_WAIT_S`, and joined. A client that speaks HTTP/2 is known by its first bytes; its connection is handed over
(`DoorServer.speak_http2`).

Four more things aiohttp does not do for a proxy:

- It answers requests that it cannot parse by itself, with fields of its own, a traceback in the log, and HTTP/1.0.
  Here the answer is a plain 400, and the log gets one line, which quotes nothing.
- It bounds neither the size of a whole head nor the time that one takes (`partial_head`), nor the number of connections.
- It lets an `Upgrade` that nobody wants to follow end the reading of requests, or take the body with it. That field is
  removed before the parser sees it.
- When the chunks of a body turn out to be malformed half-way, it queues that 400 behind the request being served,
  whose reader it never tells. A handler that waits for the body would wait until its time is out. Here the reader is
  told at once (`aiohttp.web.RequestPayloadError`).

tests/proxy/test_server_malformed.py fails where a new version of aiohttp changes what is relied on here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sized
from typing import Any, cast

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import _ErrInfo

from replay_proxy.proxy.http.fast_parser import frame_request
from replay_proxy.proxy.http.fast_path_api import MESSAGE_BYTES_MAX, FastExchange, FastPath
from replay_proxy.proxy.http.framing import without_vain_upgrade
from replay_proxy.proxy.http.http2.preface import HTTP2_PREFACE
from replay_proxy.proxy.http.limits import READ_BUFFER_BYTES
from replay_proxy.proxy.http.malformed import TOO_LARGE, TOO_LATE, reason, refusal_of
from replay_proxy.proxy.http.server.connection_states import INPUT_TRANSITIONS, OUTPUT_TRANSITIONS, Input, Output
from replay_proxy.proxy.http.server.half_close import HalfClosed
from replay_proxy.proxy.http.server.partial_head import PartialHead
from replay_proxy.proxy.http.server.refusal import TOO_MANY_CONNECTIONS, Refusal, RefusalError

_BETWEEN_REQUESTS, _ON_FAST_PATH, _AWAITING_BODY = Input.BETWEEN_REQUESTS, Input.ON_FAST_PATH, Input.AWAITING_BODY
_NONE_DUE = Output.NONE_DUE
_OWN_TARGET_ENDS = len("DELETE /_")
"""Where ` /_`, the beginning of the proxy's own targets, ends in a request at the latest."""
_BODY_WAIT_S = 0.05


class DoorServer(web.Server):
    """aiohttp's low-level server with `DoorProtocol` for its connections.

    fast_path: where plain requests are offered first. head_timeout_s: how long the head of a request may take, from its first
    byte. connections_max: how many clients are served at a time; others get a 503.
    """

    fast_path: FastPath | None = None
    head_timeout_s = 30.0
    connections_max = 4096
    http2_connections: Sized = ()
    """Connections of clients that speak HTTP/2, which count as well."""
    speak_http2: Callable[[asyncio.Transport, bytes], None]
    """Takes over a connection whose client speaks HTTP/2, with what it has sent so far."""

    def __call__(self) -> DoorProtocol:
        """Return a protocol for one connection."""
        return DoorProtocol(self, loop=self._loop, **self._kwargs)

    @property
    def connections(self) -> list[DoorProtocol]:  # type: ignore[override]  # a list of what `__call__` makes
        """The connections that are open."""
        return [connection for connection in self._connections if isinstance(connection, DoorProtocol)]


class DoorProtocol(web.RequestHandler):
    """One client's connection."""

    __slots__ = (
        "_answer_writer",
        "_body",
        "_body_timer",
        "_fast_exchange",
        "_fast_path",
        "_full_path_exchange",
        "_half_closed",
        "_input",
        "_kept",
        "_output",
        "_partial_head",
        "_to_come",
    )

    def __init__(self, manager: DoorServer, **settings: Any) -> None:
        super().__init__(manager, **settings)
        self._fast_path = manager.fast_path
        self._input = Input.FIRST_BYTES
        self._output = Output.NONE_DUE
        # What the states have besides. Bytes that came before their time: in FIRST_BYTES, AWAITING_BODY, ON_FAST_PATH.
        self._kept = b""
        self._body_timer: asyncio.TimerHandle | None = None  # in AWAITING_BODY
        self._fast_exchange: FastExchange | None = None  # in ON_FAST_PATH
        self._to_come = 0  # in AWAITING_BODY and IN_REQUEST: how many bytes of the request
        self._answer_writer: AbstractStreamWriter | None = None  # in BEGUN
        # An exchange that left the fast path, until the handler is given its request.
        self._full_path_exchange: FastExchange | None = None
        # The body of the latest request that the parser has found; what comes after its end begins another one.
        self._body: StreamReader | None = None
        self._partial_head = PartialHead(self._loop, manager.head_timeout_s, self._refuse_late_head)
        self._half_closed: HalfClosed | None = None

    def __repr__(self) -> str:
        to_come = f" ({self._to_come} bytes to come)" if self._input in (Input.IN_REQUEST, Input.AWAITING_BODY) else ""
        kept = f", {len(self._kept)} bytes kept" if self._kept else ""
        half_closed = f", {self._half_closed!r}" if self._half_closed is not None else ""
        return f"<DoorProtocol {self._input.value}{to_come}{kept}, {self._output.value}{half_closed}>"

    def _move(self, state: Input) -> None:
        assert state in INPUT_TRANSITIONS[self._input], f"{self!r} cannot be {state.value}"
        self._input = state

    # Bytes from the client.

    def data_received(self, data: bytes) -> None:
        """Give bytes from the client to whoever is to have them."""
        state = self._input
        if state is _AWAITING_BODY:
            data = self._kept + data
            self._end_body_wait(_BETWEEN_REQUESTS)
            state = _BETWEEN_REQUESTS
        if state is _BETWEEN_REQUESTS:
            if not data or not self._takes_fast_path(data):
                self._parse(data)
        elif state is _ON_FAST_PATH:
            self._keep(data)
        elif state is Input.FIRST_BYTES:
            self._find_version(data)
        elif state is Input.IN_REQUEST:
            self._count(data)
            self._parse(data)
        elif state is Input.PARSER_ONLY:
            self._parse(data)

    def _find_version(self, data: bytes) -> None:
        """Tell by the first bytes which version of HTTP the client speaks."""
        data, self._kept = self._kept + data, b""
        if not HTTP2_PREFACE.startswith(data[: len(HTTP2_PREFACE)]):
            self._move(Input.PARSER_ONLY if self._fast_path is None else _BETWEEN_REQUESTS)
            self._partial_head.end()
            self.data_received(data)
        elif len(data) < len(HTTP2_PREFACE) or self.transport is None:
            self._kept = data
            self._partial_head.grow(data)
        else:
            server, transport, self.transport = self._manager, self.transport, None
            self.connection_lost(None)
            assert isinstance(server, DoorServer)
            server._connections.pop(self, None)  # at once, or it would count twice for a moment
            server.speak_http2(transport, data)

    def _takes_fast_path(self, data: bytes) -> bool:
        """Offer a request, of which `data` is the beginning, to the fast path. False: the parser is to have it."""
        fast_path = self._fast_path
        assert fast_path is not None
        preconnected = data.find(b" /_", 0, _OWN_TARGET_ENDS) < 0 and fast_path.preconnect()
        taken = self._try_fast_path(data, fast_path)
        if preconnected:
            fast_path.cancel_preconnect()
        return taken

    def _try_fast_path(self, data: bytes, fast_path: FastPath) -> bool:
        frame = frame_request(data)
        if frame is None or frame.missing < 0:
            self._move(Input.PARSER_ONLY)
            return False
        if frame.missing:
            self._to_come = frame.missing
            fits = len(data) + frame.missing <= MESSAGE_BYTES_MAX
            if not fits or not data.endswith(b"\r\n\r\n") or not self._awaits_request():
                self._move(Input.IN_REQUEST)
                return False
            self._move(_AWAITING_BODY)
            self._kept = data
            self._body_timer = self._loop.call_later(_BODY_WAIT_S, self._await_body_no_longer)
            return True
        if not self._awaits_request():
            return False
        self._fast_exchange = fast_path.take(frame, data, self)
        if self._fast_exchange is None:
            return False
        self._move(_ON_FAST_PATH)
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        return True

    def _await_body_no_longer(self) -> None:
        """Give the parser a head whose body has not come at once."""
        data = self._kept
        self._end_body_wait(Input.IN_REQUEST)
        self._parse(data)

    def _end_body_wait(self, state: Input) -> None:
        self._move(state)
        self._kept = b""
        if self._body_timer is not None:
            self._body_timer.cancel()
            self._body_timer = None

    def _count(self, data: bytes) -> None:
        """Count what the parser is about to be given of a request."""
        self._to_come -= len(data)
        if self._to_come <= 0:
            self._move(Input.PARSER_ONLY if self._to_come else _BETWEEN_REQUESTS)

    def _awaits_request(self) -> bool:
        """Does aiohttp wait for the next request (or, on a new connection, is about to)?"""
        waiter = self._waiter
        waits = not self._request_count if waiter is None else not waiter.done()
        return waits and not self._messages and not self._close

    def _keep(self, data: bytes) -> None:
        """Keep what comes before the fast path has an answer to what came earlier."""
        self._kept += data
        if len(self._kept) > READ_BUFFER_BYTES and self.transport is not None:
            self.transport.pause_reading()

    def _parse(self, data: bytes) -> None:
        """Give bytes to aiohttp's parser, within bounds. Tell the reader of a body when the parser has given up on it."""
        head = self._partial_head
        between = (
            (self._body is None or self._body.is_eof()) and self._payload_parser is None and not self._has_upgraded
        )
        if between:
            if head.is_too_large_with(data):
                self._refuse(431, TOO_LARGE)
                return
            if not head.has_begun:
                data = without_vain_upgrade(data)
        count = self._request_count
        super().data_received(data)
        if self._request_count != count:
            head.end()
            if self._messages:
                self._body = self._messages[-1][1]
        elif between and data and not getattr(self, "_buffer_paused", False):
            head.grow(data)
        request = self._current_request
        # What is queued is a pair of a message and its body; a parser's error stands where a message has a method.
        if request is not None and self._messages and not hasattr(self._messages[-1][0], "method"):
            body = request.content
            if not body.is_eof():
                body.set_exception(web.RequestPayloadError("the request's body is malformed"))
                body.feed_eof()
                self.close()

    def _refuse_late_head(self) -> None:
        self._refuse(408, TOO_LATE)

    def _refuse(self, status: int, text: str) -> None:
        """Refuse the next request, in its turn, and read no more. It is queued as aiohttp queues what it cannot parse."""
        self._move(Input.REFUSED)
        self._partial_head.end()
        self._request_count += 1
        self._messages.append((_ErrInfo(status, RefusalError(status, text), text), EMPTY_PAYLOAD))
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # What the fast path tells (`fast_path_api.FastPathClient`).

    def write_answer(self, data: bytes) -> None:
        """Write `data`, the whole answer to the request that the fast path has taken."""
        self._leave_fast_path()
        transport = self.transport
        if transport is not None and not transport.is_closing():
            transport.write(self.begin_answer(data))
        if self._kept or self._half_closed is not None:
            self._read_kept()

    def take_full_path(self, fast_exchange: FastExchange) -> None:
        """Give aiohttp the request that the fast path has taken, so that the handler is asked for the exchange's answer."""
        self._leave_fast_path()
        self._full_path_exchange = fast_exchange
        self._parse(fast_exchange.data)
        self._read_kept()

    def _leave_fast_path(self) -> None:
        self._fast_exchange = None
        self._move(_BETWEEN_REQUESTS)

    def _read_kept(self) -> None:
        kept, self._kept = self._kept, b""
        if kept:
            if self.transport is not None and len(kept) > READ_BUFFER_BYTES:
                self.transport.resume_reading()
            self.data_received(kept)
        if self._half_closed is not None:
            self._end_with_last_answer()

    # A client that sends nothing more.

    def eof_received(self) -> bool:  # type: ignore[override]  # None stands for False there
        """Return True where the client, which has closed its sending side, is owed an answer (`half_close`)."""
        if self._half_closed is not None:
            return True  # told again: reading was resumed meanwhile
        state = self._input
        if state is Input.REFUSED:
            return False
        whole = self._body is None or self._body.is_eof()
        waits = state is _ON_FAST_PATH or (state is not _AWAITING_BODY and not self._awaits_request())
        if self.transport is None or not whole or not waits or self._payload_parser is not None or self._has_upgraded:
            return False
        self._half_closed = HalfClosed(self.transport, self._loop, self._answer_writer)
        if state is _ON_FAST_PATH or self._output is Output.AWAITED:
            self._half_closed.await_answer()
        self._end_with_last_answer()
        return True

    @property
    def _has_upgraded(self) -> bool:
        """Has the parser met a handshake?"""
        return bool(self._upgraded)

    def _end_with_last_answer(self) -> None:
        """End the connection when all that the client has asked is answered."""
        if self._input is _ON_FAST_PATH or self._messages:
            return
        if self._awaits_request():
            self.force_close()
        else:
            self.close()

    # Answers.

    def begin_to_serve(self) -> None:
        """Note that the handler has been given the next request."""
        self._move_output(Output.AWAITED)
        if self._half_closed is not None:
            self._half_closed.await_answer()
            self._end_with_last_answer()

    def begin_answer(self, data: bytes, writer: AbstractStreamWriter | None = None) -> bytes:
        """Return what is left to write of `data`, with which an answer begins.

        writer: writes the rest of the answer; None where `data` is the whole one.
        """
        self._move_output(_NONE_DUE if writer is None else Output.BEGUN, writer)
        return data if self._half_closed is None else self._half_closed.begin_answer(data)

    def _move_output(self, state: Output, writer: AbstractStreamWriter | None = None) -> None:
        assert state in OUTPUT_TRANSITIONS[self._output], f"{self!r} cannot have {state.value}"
        self._output, self._answer_writer = state, writer

    def take_full_path_exchange(self) -> FastExchange | None:
        """Return the exchange, once, whose request is being served now. None where it did not come by the fast path."""
        fast_exchange, self._full_path_exchange = self._full_path_exchange, None
        return fast_exchange

    # The connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a client's connection. Where there are too many, the client is told to come back, and it is closed."""
        server = self._manager
        if (
            isinstance(server, DoorServer)
            and len(server._connections) + len(server.http2_connections) >= server.connections_max
        ):
            self._manager = None
            self._move(Input.REFUSED)
            self.logger.warning("a connection was refused: %d are open", server.connections_max)
            cast(asyncio.Transport, transport).write(TOO_MANY_CONNECTIONS)
            transport.close()
            return
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give up all that is under way: the client has gone."""
        self._partial_head.end()
        if self._half_closed is not None:
            self._half_closed.end()
        fast_exchange = self._fast_exchange or self._full_path_exchange
        self._fast_exchange = self._full_path_exchange = None
        self._end_body_wait(Input.ENDED)
        super().connection_lost(exc)
        if fast_exchange is not None:
            fast_exchange.client_left()

    def close_if_idle(self) -> None:
        """Close the connection unless a request is being received, served or answered."""
        if not self._request_in_progress and self._input not in (_ON_FAST_PATH, _AWAITING_BODY):
            self.force_close()

    # What aiohttp asks for when something is wrong.

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the answer to what is no HTTP (400), too large (431) or too slow (408). The handler answers all else."""
        if isinstance(exc, RefusalError):
            text = exc.text
        elif status == 400:
            status, text = refusal_of(exc)
        else:
            text = reason(exc or message or "no reason given")
        if self._input is not Input.ENDED:
            self._move(Input.REFUSED)
        self.logger.warning("a request from %s was refused: %s", request.remote, text)
        if request.writer.output_size > 0:
            raise ConnectionResetError("an answer had begun")
        return Refusal(status, text, begin_answer=self.begin_answer, lingers=self._half_closed is None)

    def log_exception(self, *args: Any, **more: Any) -> None:
        """Log what went wrong in aiohttp. Of an error of its parser only the reason: the rest quotes the request."""
        error = more.get("exc_info")
        if isinstance(error, HttpProcessingError):
            self.logger.warning("a connection was given up: %s", reason(error))
        else:
            super().log_exception(*args, **more)


def begin_answer(request: web.BaseRequest, data: bytes) -> bytes:
    """Return what is left to write of `data`, with which the answer to `request` begins (`half_close`)."""
    protocol = request.protocol
    return protocol.begin_answer(data, request.writer) if isinstance(protocol, DoorProtocol) else data
