"""Heads of HTTP/2 messages: from fields to a request as the rest of the program knows it, and back. Pure.

In HTTP/2 the request line is a set of fields whose names begin with a colon, the host is one of them, names are written
in lower case, and nothing is said of the connection (RFC 9113, sections 8.2 and 8.3). What comes in goes to the emulator as
HTTP/1.1, where a line break in a value would begin a field, or a request, of its own. So every character is checked
here, whatever the library has checked before (`h2` 4.1 lets line breaks pass).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from replay_proxy.exchange import Headers
from replay_proxy.proxy.http.framing import declared_length, end_to_end
from replay_proxy.proxy.http.limits import HEADER_FIELDS_MAX
from replay_proxy.proxy.http.malformed import TOO_LARGE

Fields = list[tuple[bytes, bytes]]

# RFC 9110, sections 5.6.2 (tokens) and 5.5 (values; bytes above 127 are obs-text).
_METHOD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_VALUE = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*")
_TARGET = re.compile(rb"(/[^\x00-\x20\x7f]*|\*)")
_LENGTH = re.compile(rb"[0-9]{1,19}")
_AUTHORITY = re.compile(rb"[^\x00-\x20\x7f]*")


class MalformedHeadError(ValueError):
    """Fields that make no request. The text says why, for whoever sent them. status: of the answer."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


def request_line_and_fields(fields: Iterable[tuple[bytes, bytes]]) -> tuple[str, str, Headers]:
    """Return method, target and fields of a request, `:authority` as a `Host` in front. Raises `MalformedHeadError`.

    The target of a CONNECT, which has no `:path`, is its authority.
    """
    pseudo: dict[bytes, bytes] = {}
    ordinary: Fields = []
    for name, value in fields:
        if not _VALUE.fullmatch(value):
            raise MalformedHeadError("a field has a control character in its value")
        if name.startswith(b":"):
            pseudo[bytes(name)] = bytes(value)
        elif not _NAME.fullmatch(name):
            raise MalformedHeadError("a field's name is malformed")
        else:
            ordinary.append((bytes(name), bytes(value)))
    lengths = [value for name, value in ordinary if name == b"content-length"]
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(value) for value in lengths):
        raise MalformedHeadError("the length is malformed")
    if len(ordinary) > HEADER_FIELDS_MAX:
        raise MalformedHeadError(TOO_LARGE, 431)
    method, target, authority = (pseudo.get(name, b"") for name in (b":method", b":path", b":authority"))
    if not _METHOD.fullmatch(method):
        raise MalformedHeadError("the method is malformed")
    if not _AUTHORITY.fullmatch(authority):
        raise MalformedHeadError("the authority is malformed")
    if method == b"CONNECT" and not target:
        target = authority
    elif not _TARGET.fullmatch(target):
        raise MalformedHeadError("the path is malformed")
    if authority:
        ordinary = [(b"Host", authority), *[field for field in ordinary if field[0] != b"host"]]
    return method.decode("ascii"), target.decode("latin-1"), Headers.from_raw(ordinary)


def answer_fields(status: int, headers: Headers, length: int | None, *, without_body: bool) -> Fields:
    """Return the fields of an answer, `:status` first.

    length: of a body that is at hand whole, in bytes; None for a stream, which keeps the length that it declares, if any.
    without_body: HEAD, 204 or 304; what they say of a length is passed on.
    Raises `ValueError` for what no answer can say.
    """
    kept = end_to_end(headers)
    if not without_body:
        if length is not None:
            kept = kept.replaced("content-length", str(length))
        elif (declared := declared_length(kept)) is not None:
            kept = kept.replaced("content-length", str(declared))
        else:
            kept = kept.without("content-length")
    fields: Fields = [(b":status", b"%d" % status)]
    for name, text in zip(kept.lowers, (text for _, text in kept.pairs), strict=True):
        key, value = name.encode("latin-1"), text.encode("latin-1").strip(b" \t")
        if not _NAME.fullmatch(key) or b"\r" in value or b"\n" in value or b"\0" in value:
            raise ValueError(f"a field that cannot be written: {name}")
        fields.append((key, value))
    return fields
