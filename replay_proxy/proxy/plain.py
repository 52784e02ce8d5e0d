"""Plain messages: the form of HTTP/1.1 in which nearly all calls and answers come, told at a glance. Pure.

A message is plain if it says nothing about its connection that would have to change on the way, and if it cannot be read in
two ways: one start line, fields of a strict grammar with nothing around their values, and a body of one declared length.
A plain message may be passed on as the very bytes that came. Everything else (chunks, trailers, `Expect`, folded lines,
odd characters, HTTP/1.0) is for aiohttp's parser, which knows all of HTTP (RFC 9112).

A glance is one regular expression over the head. To read a message, once a glance has found it plain, is to split it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from replay_proxy.exchange import Answer, Headers, Request

HEAD_LIMIT = 16 * 1024
"""Bytes of a head; one that is longer is not plain."""

# Fields of the connection (`framing.HOP_BY_HOP`), and what makes a client wait.
_NOT_THESE = "connection|keep-alive|proxy-[a-z-]*|te|trailer|transfer-encoding|upgrade|expect"
# A token, and a value that begins and ends with a visible character (RFC 9110, sections 5.1 and 5.5).
_FIELD = rf"\r\n(?!(?i:{_NOT_THESE}):)[!#$%&'*+.^_`|~0-9A-Za-z-]++: [!-~\x80-\xff][\t -~\x80-\xff]*+"
_FIELDS = rf"(?:{_FIELD})*+"
_REQUEST_LINE = r"(?:GET|POST|PUT|DELETE|PATCH) (/[A-Za-z0-9/_.~%?=&+:@!$'()*,;-]*+) HTTP/1\.1"
# Of the connection, one field only, that says what is the rule anyway, and can be cut out.
_REQUEST = re.compile(rf"{_REQUEST_LINE}{_FIELDS}(\r\n(?i:connection: keep-alive))?+{_FIELDS}".encode("latin-1"))
_ANSWER = re.compile(
    rf"HTTP/1\.1 ([2-5][0-9][0-9]) [ -~]*+{_FIELDS}(\r\n(?i:connection: (?:(close)|keep-alive)))?+{_FIELDS}".encode(
        "latin-1"
    )
)
_LENGTH = re.compile(rb"\r\ncontent-length: ([^\r]*)", re.IGNORECASE)
# Of a request, also its one host, which stands for an empty text.
_HOST_AND_LENGTH = re.compile(rb"\r\n(?:content-length: ([^\r]*)|host: )", re.IGNORECASE)
_NUMBER = re.compile(rb"0|[1-9][0-9]{0,8}")
_BODILESS = (b"204", b"304")
_END = b"\r\n\r\n"


class RequestGlance(NamedTuple):
    """A plain request.

    missing: bytes of its body that are still to come; negative where more than it came. of_connection: where the one field of
    the connection stands, with the line break before it; empty where there is none.
    """

    target: str
    missing: int
    of_connection: tuple[int, int]


class AnswerGlance(NamedTuple):
    """A plain answer.

    missing: bytes that are still to come. closes: the connection ends with it. of_connection: as in a request.
    """

    status: int
    missing: int
    closes: bool
    of_connection: tuple[int, int]


def glance_at_request(data: bytes) -> RequestGlance | None:
    """The request that begins at the beginning of `data`; None where it is not plain, or its head is not whole."""
    end = data.find(_END, 0, HEAD_LIMIT)
    head = data[:end] if end > 0 else b""
    match = _REQUEST.fullmatch(head)
    if match is None or _ends_in_space(data, end):
        return None
    found = _HOST_AND_LENGTH.findall(head)
    if found.count(b"") != 1:
        return None
    found.remove(b"")
    length = _length_of(found)
    if length is None:
        return None
    return RequestGlance(match[1].decode(), max(length, 0) - len(data) + end + 4, _span(match))


def glance_at_answer(data: bytes, limit: int) -> AnswerGlance | None:
    """The answer that `data` is, or the beginning of; None where it is not plain, or its body longer than `limit` bytes."""
    end = data.find(_END, 0, HEAD_LIMIT)
    if end < 0:
        return None if len(data) > HEAD_LIMIT else AnswerGlance(0, 1, closes=False, of_connection=(0, 0))
    head = data[:end]
    match = _ANSWER.fullmatch(head)
    if match is None or match[1] in _BODILESS or _ends_in_space(data, end):
        return None
    length = _length_of(_LENGTH.findall(head))
    if length is None or not 0 <= length <= limit:
        return None
    missing = length - len(data) + end + 4
    if missing < 0:
        return None
    return AnswerGlance(int(match[1]), missing, match[3] is not None, _span(match))


def _span(match: re.Match[bytes]) -> tuple[int, int]:
    return match.span(2) if match[2] else (0, 0)


def without(data: bytes, of_connection: tuple[int, int]) -> bytes:
    """A message without its field of the connection."""
    start, end = of_connection
    return data[:start] + data[end:] if end else data


def _ends_in_space(data: bytes, end: int) -> bool:
    """Does a line of the head, which ends at `end`, end in white space?"""
    return data.find(b" \r\n", 0, end + 2) >= 0 or data.find(b"\t\r\n", 0, end + 2) >= 0


def _length_of(found: list[bytes]) -> int | None:
    """The length of a body that these values declare; -1 where there is none, None where that is unclear."""
    if not found:
        return -1
    return int(found[0]) if len(found) == 1 and _NUMBER.fullmatch(found[0]) else None


def read_request(data: bytes) -> Request:
    """The request that `data` is, which is plain, and whole."""
    start, headers, body = _read(data)
    method, target, _ = start.split(" ")
    return Request(method, target, headers, body)


def read_answer(data: bytes) -> Answer:
    """The answer that `data` is, which is plain, whole, and says nothing of its connection."""
    start, headers, body = _read(data)
    _, status, reason = start.split(" ", 2)
    return Answer(int(status), headers, body, reason)


def _read(data: bytes) -> tuple[str, Headers, bytes]:
    head, _, body = data.partition(_END)
    start, *fields = head.decode("latin-1").split("\r\n")
    return start, Headers([(name, value) for name, _, value in [field.partition(": ") for field in fields]]), body
