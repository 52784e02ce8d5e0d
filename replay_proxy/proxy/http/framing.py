"""Heads of HTTP/1.1 messages as bytes, and which fields belong to a connection rather than to a message. Pure.

aiohttp's own writers are not used for heads: they add fields (`Server`, `Date`, `Content-Type`, `User-Agent`),
put `Host` first, and encode text as UTF-8, which turns one byte of obs-text into two. A proxy must write what it
was given, so the head is joined here from wire text and encoded as ISO 8859-1, byte for byte what was received.

Framing is the one thing that is decided anew for each connection. A body of known length keeps its `Content-Length`, or gets
one; any other is chunked. A framing field that was there keeps its place, spelling and order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from replay_proxy.errors import UnsendableError
from replay_proxy.exchange import HOP_BY_HOP, Headers

# Never dropped because a `Connection` field names them: without these the message is another one.
_KEPT = frozenset({"host", "content-length"})
_FRAMING = frozenset({"content-length", "transfer-encoding"})
_SWITCHING = frozenset({"connection", "upgrade"})
_NOTHING: frozenset[str] = frozenset()
_UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)
_REQUEST_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) [^ ]+ HTTP/1\.([01])")
_CHUNKING = frozenset({"transfer-encoding"})
_KEPT_FRAMING, _KEPT_UPGRADING = _CHUNKING, _SWITCHING | _CHUNKING


def connection_options(headers: Headers) -> frozenset[str]:
    """Return the options that the `Connection` fields list, in lower case (RFC 9110, section 7.6.1)."""
    if "connection" not in headers:
        return _NOTHING
    listed = ",".join(headers.get_all("connection"))
    return frozenset(option.strip().lower() for option in listed.split(",") if option.strip())


def end_to_end(headers: Headers, *, keep: frozenset[str] = _NOTHING) -> Headers:
    """Return the fields without those of the connection; the same object where there are none. keep: lower-case names."""
    options = connection_options(headers)
    dropped = _dropped if len(options) <= _OPTIONS_MAX else _dropped.__wrapped__
    return headers.less(dropped(options, keep))


_OPTIONS_MAX = 16
"""Connection options of one message that are remembered together."""


@lru_cache(maxsize=64)
def _dropped(options: frozenset[str], keep: frozenset[str]) -> frozenset[str]:
    return (HOP_BY_HOP | (options - _KEPT)) - keep


def expects_continue(headers: Headers) -> bool:
    """Does the client wait for `100 Continue` before it sends its body (RFC 9110, section 10.1.1)?"""
    if "expect" not in headers:
        return False
    return any(item.strip().lower() == "100-continue" for item in ",".join(headers.get_all("expect")).split(","))


def asks_for_websocket(method: str, headers: Headers) -> bool:
    """Is this a whole opening handshake of WebSocket (RFC 6455, section 4.1)? That is the one reason to leave HTTP.

    Whatever else names an `Upgrade` (h2c, a handshake that lacks its key or has another method) goes on as the request
    that it also is, for a server may ignore that field (RFC 9110, section 7.8).
    """
    return (
        "upgrade" in headers
        and method == "GET"
        and headers.get("upgrade").strip().lower() == "websocket"
        and "upgrade" in connection_options(headers)
        and "sec-websocket-key" in headers
        and declared_length(headers) in (None, 0)
        and "transfer-encoding" not in headers
    )


def asks_for_upgrade(headers: Headers) -> bool:
    """Does a request ask to leave HTTP for any protocol?"""
    return "upgrade" in headers and "upgrade" in connection_options(headers)


def without_vain_upgrade(data: bytes) -> bytes:
    """Return bytes that begin with a request, without its `Upgrade` fields where those are to be ignored.

    A parser that meets such a field may stop after that request, or take its body for the other protocol. The field
    belongs to the connection, and is not passed on anyway. Left as they are: a handshake of WebSocket, and what does not
    begin with a whole head whose fields stand on a line each.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0 or _UPGRADE.search(data, 0, end) is None:
        return data
    line, *fields = data[:end].decode("latin-1").split("\r\n")
    start = _REQUEST_LINE.fullmatch(line)
    if start is None or any(field.startswith((" ", "\t")) for field in fields):
        return data
    headers = Headers((name, value.strip(" \t")) for name, _, value in (field.partition(":") for field in fields))
    if start[2] == "1" and asks_for_websocket(start[1], headers):
        return data
    kept = [field for field in fields if field.partition(":")[0].lower() != "upgrade"]
    return "\r\n".join([line, *kept]).encode("latin-1") + data[end:]


def origin_form(target: str) -> str:
    """Return the target without scheme and authority (RFC 9112, section 3.2), otherwise as it is."""
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
    """Return the value of `Content-Length`, None where it is missing or no number."""
    value = headers.get("content-length")
    return int(value) if value.isascii() and value.isdigit() else None


def has_no_body(method: str, status: int) -> bool:
    """Has the answer no body, whatever its fields say (RFC 9112, section 6.3)?"""
    return method == "HEAD" or status < 200 or status in {204, 304}


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
    """Return the head of a request to the emulator, as bytes.

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
    """Return the head of an answer to a client, as bytes.

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
    """Return the fields with exactly one framing field, in the place of the first of its kind, else at the end."""
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
    """Return a start line and fields as they go on the wire.

    spaces: how many the start line may hold; 0 for any number.
    Raises `UnsendableError` (a `ValueError`) where a line break would start a field of its own, or text is no wire text.
    """
    lines = [start_line, *map(": ".join, pairs)]
    text = "\r\n".join(lines)
    breaks = len(lines) - 1
    if text.count("\n") != breaks or text.count("\r") != breaks:
        raise UnsendableError("a line break in the head of a message")
    if spaces and start_line.count(" ") != spaces:
        raise UnsendableError("a space in the target of a request")
    try:
        return (text + "\r\n\r\n").encode("latin-1")
    except UnicodeEncodeError as error:
        raise UnsendableError(
            "a character that is not of ISO 8859-1 (latin-1), so that no byte of the wire stands for it"
        ) from error
