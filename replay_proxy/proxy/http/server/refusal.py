"""Answers to what is no request that can be served: a status and a line of text, and the end of the connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from replay_proxy.exchange import Headers
from replay_proxy.proxy.http.framing import answer_head

_LINGER_S = 1.0

TOO_MANY_CONNECTIONS = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 41\r\n"
    b"Connection: close\r\n\r\ntoo many connections are open; try again\n"
)
"""A whole answer. AWS SDKs try again by themselves after a 503."""


class RefusalError(Exception):
    """A request that is refused before it is whole. Stands in aiohttp's queue where its parser's errors do."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class Refusal(web.StreamResponse):
    """A response of a status and a line of text, after which the connection ends."""

    def __init__(
        self, status: int, text: str, *, begin_answer: Callable[[bytes, AbstractStreamWriter], bytes], lingers: bool
    ) -> None:
        """begin_answer: returns what is left to write of an answer's first bytes (`DoorProtocol.begin_answer`).

        lingers: the client may still be sending. What it sends is read for a moment, since a socket that is closed with
            something unread is reset, and may take the answer with it.
        """
        super().__init__(status=status)
        self.force_close()
        self._begin_answer = begin_answer
        self._lingers = lingers
        self._text = f"{text}\n".encode()
        self._request: web.BaseRequest | None = None

    async def prepare(self, request: web.BaseRequest) -> Any:
        """Remember whom to answer. Nothing is written yet."""
        self._request = request

    async def write_eof(self, data: bytes = b"") -> None:
        """Write the answer."""
        assert self._request is not None
        request, self._request = self._request, None
        fields = Headers([("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(self._text)))])
        head = answer_head(self.status, self.reason, fields, None, frame=False, connection="close")
        writer = request.writer
        await writer.write(self._begin_answer(head + self._text, writer))
        transport = request.transport
        if self._lingers and transport is not None and transport.can_write_eof():
            transport.write_eof()
            await asyncio.sleep(_LINGER_S)  # cancelled when the client closes
