"""One connection to the emulator: aiohttp's client protocol, and who gets what arrives on it. Only this file touches aiohttp's.

`aiohttp.ClientSession` cannot send a request as it was received (see `framing`), and a good part of its time goes
into building URLs, cookies and header maps that a proxy does not want. What is used of aiohttp is the layer below:
`ResponseHandler`, the `asyncio.Protocol` with the C parser, flow control and the read timeout, and `StreamWriter`.
They are not part of aiohttp's documented interface; tests/proxy/test_client_pool.py fails where a new version
changes what is relied on here.

What arrives goes to aiohttp's parser, or to an `AnswerReceiver` (the fast path) while one is attached.
"""

from __future__ import annotations

import asyncio
import select
from typing import Any, Protocol, cast

from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage, StreamWriter
from aiohttp.streams import StreamReader

from replay_proxy.proxy.http.limits import HEAD_BYTES_MAX, HEADER_FIELDS_MAX, READ_BUFFER_BYTES

_PARAMETERS: dict[str, Any] = {
    "auto_decompress": False,
    "read_until_eof": True,
    "read_bufsize": READ_BUFFER_BYTES,
    "max_line_size": HEAD_BYTES_MAX,
    "max_field_size": HEAD_BYTES_MAX,
    "max_headers": HEADER_FIELDS_MAX,
}


class AnswerReceiver(Protocol):
    """Takes what arrives on a connection in place of aiohttp's parser. Each method tells it of one event."""

    def request_sent(self, connection: Connection) -> None:
        """The request, or the first part of it, was written to `connection`."""

    def answer_arrived(self, data: bytes) -> None:
        """`data`, the next piece of the answer, has arrived."""

    def connection_lost(self, error: BaseException | None) -> None:
        """The connection has ended. Where none was made, or the request could not be sent, `error` is an `UpstreamError`."""


class ClientProtocol(ResponseHandler):
    """aiohttp's client protocol, with an `AnswerReceiver` in place of its parser while one is attached.

    Two things are mended. The reader of a body is told when its chunks are malformed, and a silence that begins after an
    interim answer (1xx) counts as one.
    """

    receiver: AnswerReceiver | None = None
    _is_request_sent = False  # whole, so that it is the emulator's turn
    _is_interim = False  # the latest head was one of an interim answer

    def expect_answer(self, *, without_body: bool = False, read_timeout: float | None = None) -> None:
        """Prepare the parser for the answer to the request that is about to be written.

        without_body: the request is a HEAD. read_timeout: the longest silence, in seconds; None for any.
        """
        self._is_request_sent = self._is_interim = False
        self.set_response_params(skip_payload=without_body, read_timeout=read_timeout, **_PARAMETERS)

    def start_timeout(self) -> None:
        """Count the emulator's silence from now on: the request has been sent whole."""
        self._is_request_sent = True
        super().start_timeout()

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """Take a head that the parser has read, and the reader of its body."""
        self._is_interim = data[0].code < 200
        super().feed_data(data, size)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport. Both event loops have set TCP_NODELAY already, which aiohttp would do once more."""
        self.transport = cast(asyncio.Transport, transport)
        if self.receiver is not None:
            self.receiver.request_sent(Connection(self))

    def data_received(self, data: bytes) -> None:
        """Give bytes from the emulator to the receiver, or to the parser."""
        if self.receiver is None:
            super().data_received(data)
            if self._is_interim and self._is_request_sent and not self.upgraded and self._exception is None:
                super().start_timeout()
        else:
            self.receiver.answer_arrived(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Tell whoever waits for an answer that the connection has ended."""
        receiver, self.receiver = self.receiver, None
        super().connection_lost(exc)
        if receiver is not None:
            receiver.connection_lost(exc)

    def set_exception(self, exc: Any, exc_cause: Any = None) -> None:
        """Raise `exc` where a head is awaited, and where a body is read."""
        super().set_exception(exc, exc_cause or exc)
        payload = self._payload
        if payload is not None and payload.exception() is None and not payload.is_eof():
            payload.set_exception(exc)


class Connection:
    """One connection to the emulator, used by one request at a time.

    reused: it has carried another request before. idle_since: when that was answered, in seconds of the event loop's clock.
    """

    __slots__ = ("_poll", "idle_since", "protocol", "reused", "transport")

    def __init__(self, protocol: ClientProtocol) -> None:
        assert protocol.transport is not None
        self.protocol = protocol
        self.transport: asyncio.Transport = protocol.transport
        self._poll: select.poll | None = None
        self.idle_since = 0.0
        self.reused = False

    def writer(self, loop: asyncio.AbstractEventLoop) -> StreamWriter:
        """Return a writer for a streamed body. It waits while the emulator takes nothing."""
        return StreamWriter(self.protocol, loop)

    def is_usable(self) -> bool:
        """Can the connection, which is idle, carry another request? Not if there is something to read: that is its end."""
        if self.protocol.should_close or not self.protocol.is_connected():
            return False
        poll = self._poll
        if poll is None:
            poll = self._poll = select.poll()
            poll.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    def attach(self, receiver: AnswerReceiver) -> None:
        """Give the answer to the request that was just written to `receiver`."""
        self.protocol.receiver = receiver
        receiver.request_sent(self)

    def detach(self) -> None:
        """Give what arrives to aiohttp's parser again."""
        self.protocol.receiver = None

    def close(self) -> None:
        """Close the connection after what was written."""
        self.protocol.close()

    def abort(self) -> None:
        """Close the connection at once, so that the emulator sees that nobody waits for its answer."""
        self.protocol.abort()
