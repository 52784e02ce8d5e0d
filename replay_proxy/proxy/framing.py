"""Heads of HTTP/1.1 messages as bytes, and which fields belong to a connection rather than to a message. Pure.

aiohttp's own writers are not used for heads: they add fields (`Server`, `Date`, `Content-Type`, `User-Agent`),
put `Host` first, and encode text as UTF-8, which turns one byte of obs-text into two. A proxy must write what it
was given, so the head is joined here from wire text and encoded as ISO 8859-1, byte for byte what was received.

Framing is the one thing that is decided anew for each connection. A body of known length keeps (or gets) its
`Content-Length`, any other is chunked; a framing field that was there keeps its place, spelling and order.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from replay_proxy.exchange import Headers

# RFC 9110, section 7.6.1, and the fields of the proxy's own hop (11.7). `Trailer` announces what is dropped here.
HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# Never dropped because a `Connection` field names them: without these the message is another one.
_KEPT = frozenset({"host", "content-length"})
_FRAMING = frozenset({"content-length", "transfer-encoding"})
_SWITCHING = frozenset({"connection", "upgrade"})
_NOTHING: frozenset[str] = frozenset()
_CHUNKING = frozenset({"transfer-encoding"})
_KEPT_FRAMING, _KEPT_UPGRADING = _CHUNKING, _SWITCHING | _CHUNKING


def connection_options(headers: Headers) -> frozenset[str]:
    """What the `Connection` fields list, in lower case (RFC 9110, section 7.6.1)."""
    if "connection" not in headers:
        return _NOTHING
    listed = ",".join(headers.get_all("connection"))
    return frozenset(option.strip().lower() for option in listed.split(",") if option.strip())


def end_to_end(headers: Headers, *, keep: frozenset[str] = _NOTHING) -> Headers:
    """The fields less those of the connection; the same object where there are none. `keep`: lower-case names."""
    options = connection_options(headers)
    return headers.less(_dropped(options, keep))


@lru_cache(maxsize=64)
def _dropped(options: frozenset[str], keep: frozenset[str]) -> frozenset[str]:
    return (HOP_BY_HOP | (options - _KEPT)) - keep


def expects_continue(headers: Headers) -> bool:
    """The client waits for `100 Continue` before it sends its body (RFC 9110, section 10.1.1)."""
    return "expect" in headers and headers.get("expect").strip().lower() == "100-continue"


def asks_for_websocket(headers: Headers) -> bool:
    """A request to leave HTTP for WebSocket (RFC 6455, section 4.1). No other protocol is let through."""
    return (
        "upgrade" in headers
        and headers.get("upgrade").strip().lower() == "websocket"
        and "upgrade" in connection_options(headers)
    )


def origin_form(target: str) -> str:
    """The target without scheme and authority (RFC 9112, section 3.2), otherwise as it is."""
    if target.startswith("/") or target == "*":
        return target
    _, scheme_ends, rest = target.partition("://")
    if not scheme_ends:
        return target
    for at, character in enumerate(rest):
        if character == "/":
            return rest[at:]
        if character in "?#":
            return "/" + rest[at:]
    return "/"


def declared_length(headers: Headers) -> int | None:
    """The value of `Content-Length`, None where it is missing or no number."""
    value = headers.get("content-length")
    return int(value) if value.isascii() and value.isdigit() else None


def request_head(
    method: str,
    target: str,
    headers: Headers,
    length: int | None,
    *,
    body: bool,
    host: str,
    upgrade: bool = False,
) -> bytes:
    """The head of a request to the emulator.

    length: of the body in bytes; None with `body` set: chunked.
    body: whether a body follows at all. Without one, `Content-Length: 0` is kept but not invented.
    host: the `Host` for a request that came without one (HTTP/1.0).
    upgrade: keep the fields that ask for another protocol.
    """
    kept = end_to_end(headers, keep=_KEPT_UPGRADING if upgrade else _KEPT_FRAMING)
    if expects_continue(headers):
        kept = kept.without("expect")
    if body:
        pairs: Iterable[tuple[str, str]] = _framed(kept, length)
    else:
        kept = kept.less(_CHUNKING)
        pairs = kept.replaced("content-length", "0").pairs if "content-length" in kept else kept.pairs
    if "host" not in headers:
        pairs = [("Host", host), *pairs]
    return head_bytes(f"{method} {target} HTTP/1.1", pairs, spaces=2)


def answer_head(
    status: int,
    reason: str,
    headers: Headers,
    length: int | None,
    *,
    frame: bool,
    connection: str = "",
) -> bytes:
    """The head of an answer to a client.

    length: of the body in bytes; None with `frame` set: chunked.
    frame: False for answers that have no body whatever their fields say (HEAD, 1xx, 204, 304), and for those
        that end with the connection (HTTP/1.0).
    connection: the value of a `Connection` field to add.
    """
    pairs: Iterable[tuple[str, str]] = _framed(headers, length) if frame else headers.pairs
    if connection:
        pairs = [*pairs, ("Connection", connection)]
    return head_bytes(f"HTTP/1.1 {status} {reason}", pairs)


def _framed(headers: Headers, length: int | None) -> Iterable[tuple[str, str]]:
    """The fields with exactly one framing field, in the place of the first of its kind, else at the end."""
    if (
        length is not None
        and headers.get("content-length") == str(length)
        and not headers.has_duplicates
        and "transfer-encoding" not in headers
    ):
        return headers.pairs  # as most are
    wanted = "transfer-encoding" if length is None else "content-length"
    out: list[tuple[str, str]] = []
    done = False
    for name, value in headers.pairs:
        lower = name.lower()
        if lower not in _FRAMING:
            out.append((name, value))
        elif lower == wanted and not done:
            done = True
            # The client's own codings before `chunked` were not undone, so they stay named.
            out.append((name, value if length is None else str(length)))
    if not done:
        out.append(("Transfer-Encoding", "chunked") if length is None else ("Content-Length", str(length)))
    return out


def head_bytes(start_line: str, pairs: Iterable[tuple[str, str]], *, spaces: int = 0) -> bytes:
    """A start line and fields as they go on the wire.

    spaces: how many the start line may hold; 0 for any number.
    Raises `ValueError` where a line break would start a field of its own, or text is no wire text.
    """
    lines = [start_line, *map(": ".join, pairs)]
    text = "\r\n".join(lines)
    breaks = len(lines) - 1
    if text.count("\n") != breaks or text.count("\r") != breaks:
        raise ValueError("a line break in the head of a message")
    if spaces and start_line.count(" ") != spaces:
        raise ValueError("a space in the target of a request")
    return (text + "\r\n\r\n").encode("latin-1")
