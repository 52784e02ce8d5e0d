"""The functions of `fast_parser` in Python: used where there are no compiled ones, and to compare those with.

A head is framed by one regular expression. A message that was framed can be split at its line breaks and colons, since it is
known to be plain.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from replay_proxy.exchange import HOP_BY_HOP
from replay_proxy.proxy.http.limits import HEADER_FIELDS_MAX

PLAIN_HEAD_BYTES_MAX = 16 * 1024
"""Bytes of a head; one that is longer is not plain."""

# Fields of the connection, all that begin with `proxy-`, and the one that makes a client wait.
_NOT_THESE = "|".join([*sorted(HOP_BY_HOP), "proxy-[a-z-]*", "expect"])
# A token, and a value that begins and ends with a visible character (RFC 9110, sections 5.1 and 5.5).
_FIELD = rf"\r\n(?!(?i:{_NOT_THESE}):)[!#$%&'*+.^_`|~0-9A-Za-z-]++: [!-~\x80-\xff][\t -~\x80-\xff]*+"
_FIELDS = rf"(?:{_FIELD})*+"
_REQUEST_LINE = r"(?:GET|POST|PUT|DELETE|PATCH) (/[A-Za-z0-9/_.~%?=&+:@!$'()*,;-]*+) HTTP/1\.1"
# One field of the connection may be there, where it asks for what is the rule anyway. It is cut out later.
_REQUEST = re.compile(rf"{_REQUEST_LINE}{_FIELDS}(\r\n(?i:connection: keep-alive))?+{_FIELDS}".encode("latin-1"))
_ANSWER = re.compile(
    rf"HTTP/1\.1 ([2-5][0-9][0-9]) [ -~]*+{_FIELDS}(\r\n(?i:connection: (?:(close)|keep-alive)))?+{_FIELDS}".encode(
        "latin-1"
    )
)
_LENGTH = re.compile(rb"\r\ncontent-length: ([^\r]*)", re.IGNORECASE)
# Of a request, its host as well, for which the group is empty.
_HOST_AND_LENGTH = re.compile(rb"\r\n(?:content-length: ([^\r]*)|host: )", re.IGNORECASE)
_NUMBER = re.compile(rb"0|[1-9][0-9]{0,8}")
_BODILESS = (b"204", b"304")
_END = b"\r\n\r\n"
_LINE_BREAK = b"\r\n"


class RequestFrame(NamedTuple):
    """Where the parts of a plain request are.

    missing: how many bytes of its body are still to come; negative where more bytes than the request came. cut_from, cut_to:
    the bounds of its `Connection` field, with the line break before it; 0 where there is none. body_at: where the body begins.
    """

    target: str
    missing: int
    cut_from: int
    cut_to: int
    body_at: int


class AnswerFrame(NamedTuple):
    """Where the parts of a plain answer are.

    missing: how many bytes are still to come, at least. closes: the connection ends with it. The others as in a request.
    """

    status: int
    missing: int
    closes: bool
    cut_from: int
    cut_to: int
    body_at: int


def frame_request(data: bytes) -> RequestFrame | None:
    """Frame the request with which `data` begins. None where that is not plain, or its head is not whole."""
    end = data.find(_END, 0, PLAIN_HEAD_BYTES_MAX)
    head = data[:end] if end > 0 else b""
    match = _REQUEST.fullmatch(head)
    if match is None or _ends_in_space(data, end) or head.count(_LINE_BREAK) > HEADER_FIELDS_MAX:
        return None
    found = _HOST_AND_LENGTH.findall(head)
    if found.count(b"") != 1:
        return None
    found.remove(b"")
    length = _length_of(found)
    if length is None:
        return None
    body_at = end + len(_END)
    return RequestFrame(match[1].decode(), max(length, 0) - len(data) + body_at, *_span(match), body_at)


def frame_answer(data: bytes, limit: int) -> AnswerFrame | None:
    """Frame the answer with which `data` begins, of a body of at most `limit` bytes. None where that is not plain."""
    end = data.find(_END, 0, PLAIN_HEAD_BYTES_MAX)
    if end < 0:
        return None if len(data) > PLAIN_HEAD_BYTES_MAX else AnswerFrame(0, 1, False, 0, 0, 0)
    head = data[:end]
    match = _ANSWER.fullmatch(head)
    if match is None or match[1] in _BODILESS or _ends_in_space(data, end):
        return None
    if head.count(_LINE_BREAK) > HEADER_FIELDS_MAX:
        return None
    length = _length_of(_LENGTH.findall(head))
    if length is None or not 0 <= length <= limit:
        return None
    body_at = end + len(_END)
    missing = length - len(data) + body_at
    if missing < 0:
        return None
    return AnswerFrame(int(match[1]), missing, match[3] is not None, *_span(match), body_at)


def _span(match: re.Match[bytes]) -> tuple[int, int]:
    return match.span(2) if match[2] else (0, 0)


def _ends_in_space(data: bytes, end: int) -> bool:
    """Does any line of the head, which ends at `end`, end in white space?"""
    return data.find(b" \r\n", 0, end + 2) >= 0 or data.find(b"\t\r\n", 0, end + 2) >= 0


def _length_of(found: list[bytes]) -> int | None:
    """Return the length of a body by the values of its `Content-Length`; -1 where there is none, None where it is unclear."""
    if not found:
        return -1
    return int(found[0]) if len(found) == 1 and _NUMBER.fullmatch(found[0]) else None


def split_message(data: bytes) -> tuple[str, tuple[str, ...], tuple[tuple[str, str], ...], bytes]:
    """Return a plain message in parts: its first line, the names of its fields, the fields, and its body."""
    head, _, body = data.partition(_END)
    start, *fields = head.decode("latin-1").split("\r\n")
    pairs = tuple([(name, value) for name, _, value in [field.partition(": ") for field in fields]])
    return start, tuple([name for name, _ in pairs]), pairs, body
