"""Connections from clients: aiohttp's server protocol, less its own answers. The only file that reaches into it.

Two things aiohttp does not do for a proxy:

- It answers requests that it cannot parse by itself, with fields of its own, a traceback in the log, and HTTP/1.0.
  Here the answer is a plain 400, and the log gets one line.
- When the chunks of a body turn out to be malformed half-way, it queues that 400 behind the request being served,
  whose reader it never tells. A handler that waits for the body would wait until its time is out. Here the reader is
  told at once (`aiohttp.web.RequestPayloadError`).

tests/proxy/test_door_malformed.py fails where a new version of aiohttp changes what is relied on here.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from replay_proxy.exchange import Headers
from replay_proxy.proxy.framing import answer_head


class DoorServer(web.Server):
    """aiohttp's low-level server with `DoorProtocol` for its connections."""

    def __call__(self) -> DoorProtocol:
        """A protocol for one connection."""
        return DoorProtocol(self, loop=self._loop, **self._kwargs)

    @property
    def connections(self) -> list[DoorProtocol]:  # type: ignore[override]  # a list of what `__call__` makes
        """The connections that are open."""
        return [connection for connection in self._connections if isinstance(connection, DoorProtocol)]


class DoorProtocol(web.RequestHandler):
    """One client's connection."""

    __slots__ = ()

    def data_received(self, data: bytes) -> None:
        """Parse what came; tell the reader of a body when the parser has given up on it."""
        super().data_received(data)
        request = self._current_request
        # What is queued is a pair of a message and its body; a parser's error stands where a message has a method.
        if request is not None and self._messages and not hasattr(self._messages[-1][0], "method"):
            body = request.content
            if not body.is_eof():
                body.set_exception(web.RequestPayloadError("the request's body is malformed"))
                body.feed_eof()
                self.close()

    def close_if_idle(self) -> None:
        """Close unless a request is being served or answered."""
        if not self._request_in_progress:
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
