"""The fast path as the server sees it: protocols only, so that nothing here knows what a request means.

The server offers each plain request that is whole to a `FastPath` before aiohttp's parser sees it. What is taken becomes a
`FastExchange`. It answers through the `FastPathClient` that the request came by: with the bytes of a whole answer, or by
asking for the full path, on which the server serves the same request and writes what `FastExchange.outcome` returns.
`proxy.requests.fast_path` implements the first two, `server_protocol` the third.
"""

from __future__ import annotations

from typing import Protocol

from replay_proxy.proxy.http.fast_parser import RequestFrame
from replay_proxy.proxy.http.streams import Outgoing

MESSAGE_BYTES_MAX = 64 * 1024
"""Bytes of the largest message, head and body, that takes the fast path."""


class FastPathClient(Protocol):
    """A client's connection, which waits for the answer to one request."""

    def write_answer(self, data: bytes) -> None:
        """Write `data`, the whole answer."""

    def take_full_path(self, fast_exchange: FastExchange) -> None:
        """Serve the request on the full path: wait for `fast_exchange.outcome()`, and write what it returns."""


class FastExchange(Protocol):
    """A request that the fast path has taken. data: its bytes, as they came."""

    data: bytes

    def client_left(self) -> None:
        """Note that the client has closed its connection, and wants no answer any more."""

    async def outcome(self) -> Outgoing:
        """Return the answer of an exchange that takes the full path. Cancelled when the client leaves."""


class FastPath(Protocol):
    """Takes plain requests."""

    def preconnect(self) -> bool:
        """Connect to the emulator for a request that has just begun to arrive, where that saves time.

        Returns whether anything was done; then the caller ends it with `cancel_preconnect`, whether or not it was used.
        """

    def cancel_preconnect(self) -> None:
        """Give up the connection of `preconnect`, unless a request has been sent by it."""

    def take(self, frame: RequestFrame, data: bytes, client: FastPathClient) -> FastExchange | None:
        """Send the request `data`, which is plain and whole. None where it has to take the full path; nothing was sent then."""
