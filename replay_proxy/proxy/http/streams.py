"""What travels between the server, the engine and the upstream client: heads of messages, and bodies as streams.

A body is either whole (`bytes`) or an asynchronous iterator of chunks, read once, front to back. A slow reader
slows the sender down: an iterator takes nothing from its socket while nobody asks for the next chunk
(beyond a buffer of some 128 KiB), so the memory that a stream needs does not depend on its length.

Framing belongs to a connection, not to a message: a body that is at hand whole is sent with its length, and a stream
without a length in chunks, however it came in.

Heads are *wire text* (see `replay_proxy.exchange`): bytes decoded as ISO 8859-1, never interpreted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from replay_proxy.exchange import Headers

Stream = AsyncIterator[bytes]


class ClientGoneError(ConnectionError):
    """The client closed its connection before its request was whole."""


class ClientStalledError(ClientGoneError):
    """The client stopped sending its request's body for longer than the server waits."""


class Tunnel(Protocol):
    """A connection that left HTTP after `101 Switching Protocols`: bytes both ways until either side ends."""

    async def read(self) -> bytes:
        """Return the next bytes from the peer; none once the peer has ended."""

    async def write(self, data: bytes) -> None:
        """Send bytes to the peer, and wait while it has no room. Raises `ConnectionError` once it is gone."""

    def close(self) -> None:
        """End the connection after what was written."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as it entered a door.

    target: path and query exactly as sent; an absolute-form target is reduced to its origin-form.
    headers: all fields as received, those of the connection included (`UpstreamClient.send` drops them).
    body: None where the message has no body at all, else its chunks. May raise `ClientGoneError`.
    length: of the body in bytes where the client declared it (0 included), else None.
    http_version: `1.0`, `1.1` or `2`.
    peer: address and port of the client.
    upgrade: the client asks to leave HTTP for WebSocket; see `Outgoing.tunnel`. Where the emulator does not, the answer
        is one like any other.
    """

    method: str
    target: str
    headers: Headers
    body: Stream | None = None
    length: int | None = None
    http_version: str = "1.1"
    peer: tuple[str, int] = ("", 0)
    upgrade: bool = False


@dataclass(frozen=True, slots=True)
class Outgoing:
    """The answer that a door gives.

    headers: end-to-end fields exactly as they shall reach the client; the door adds only what frames the
        body. A `Content-Length` among them is corrected where `body` is bytes of another length, and a stream
        that does not keep to it cuts the connection. For HEAD and 304 it is passed on as it is.
    body: whole, or a stream that the door reads to its end or closes (`aclose`). A stream that raises cuts
        the client's connection: what has been sent can then not be mistaken for a complete answer.
    tunnel: the upstream connection, for an answer of status 101.
    """

    status: int
    reason: str
    headers: Headers
    body: bytes | Stream = b""
    tunnel: Tunnel | None = None


_PRINTED_CHARACTERS_MAX = 200


def printable_target(target: str) -> str:
    """Return a target for a log: its path, at most 200 characters of it, without the query.

    A query may hold signatures, session tokens, and parameters of calls.
    """
    path, separator, _query = target.partition("?")
    if len(path) > _PRINTED_CHARACTERS_MAX:
        path = f"{path[:_PRINTED_CHARACTERS_MAX]}..."
    return f"{path}?..." if separator else path


Handler = Callable[[Incoming], Awaitable[Outgoing]]
"""Answers one request. Cancelled when the client goes away first; it may shield what must be finished."""


async def collect(body: bytes | Stream | None, limit: int) -> tuple[bytes, Stream | None]:
    """Read a body that may be small.

    Returns `(everything, None)` for a body of at most `limit` bytes, else `(what was read so far, the rest)`,
    where what was read exceeds `limit` by at most one chunk. The rest is None exactly when the body has ended.
    """
    if body is None:
        return b"", None
    if isinstance(body, bytes):
        return body, None
    chunks: list[bytes] = []
    size = 0
    async for chunk in body:
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            return b"".join(chunks), body
    return (chunks[0] if len(chunks) == 1 else b"".join(chunks)), None


def rejoin(prefix: bytes, rest: Stream | None) -> bytes | Stream:
    """Return the body that `collect` took apart: bytes where it is whole, else one stream."""
    return prefix if rest is None else _Rejoined(prefix, rest)


class _Rejoined:
    """A prefix, then the rest of a stream. Not a generator: closing one that never started closes nothing."""

    __slots__ = ("_prefix", "_rest")

    def __init__(self, prefix: bytes, rest: Stream) -> None:
        self._prefix = prefix
        self._rest = rest

    def __aiter__(self) -> _Rejoined:
        return self

    async def __anext__(self) -> bytes:
        if self._prefix:
            prefix, self._prefix = self._prefix, b""
            return prefix
        return await anext(self._rest)

    async def aclose(self) -> None:
        await close_stream(self._rest)


async def close_stream(body: bytes | Stream | None) -> None:
    """Give up a body that will not be read to its end, so that its connection is freed or cut. May be called again."""
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()
