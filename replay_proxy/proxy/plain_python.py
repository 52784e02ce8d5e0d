"""What `plain` needs of messages, in Python: where the compiled functions are not there, and to compare them with.

A glance is one regular expression over the head. To split a message, once a glance has found it plain, is to split it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

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

    missing: bytes of its body that are still to come; negative where more than it came. cut_from, cut_to: where the one field
    of the connection stands, with the line break before it; 0 where there is none. body_at: where the body begins.
    """

    target: str
    missing: int
    cut_from: int
    cut_to: int
    body_at: int


class AnswerGlance(NamedTuple):
    """A plain answer.

    missing: bytes that are still to come. closes: the connection ends with it. The others as in a request.
    """

    status: int
    missing: int
    closes: bool
    cut_from: int
    cut_to: int
    body_at: int


def glance_at_request(data: bytes) -> RequestGlance | None:
    """See `plain`."""
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
    body_at = end + len(_END)
    return RequestGlance(match[1].decode(), max(length, 0) - len(data) + body_at, *_span(match), body_at)


def glance_at_answer(data: bytes, limit: int) -> AnswerGlance | None:
    """See `plain`."""
    end = data.find(_END, 0, HEAD_LIMIT)
    if end < 0:
        return None if len(data) > HEAD_LIMIT else AnswerGlance(0, 1, False, 0, 0, 0)
    head = data[:end]
    match = _ANSWER.fullmatch(head)
    if match is None or match[1] in _BODILESS or _ends_in_space(data, end):
        return None
    length = _length_of(_LENGTH.findall(head))
    if length is None or not 0 <= length <= limit:
        return None
    body_at = end + len(_END)
    missing = length - len(data) + body_at
    if missing < 0:
        return None
    return AnswerGlance(int(match[1]), missing, match[3] is not None, *_span(match), body_at)


def _span(match: re.Match[bytes]) -> tuple[int, int]:
    return match.span(2) if match[2] else (0, 0)


def _ends_in_space(data: bytes, end: int) -> bool:
    """Does a line of the head, which ends at `end`, end in white space?"""
    return data.find(b" \r\n", 0, end + 2) >= 0 or data.find(b"\t\r\n", 0, end + 2) >= 0


def _length_of(found: list[bytes]) -> int | None:
    """The length of a body that these values declare; -1 where there is none, None where that is unclear."""
    if not found:
        return -1
    return int(found[0]) if len(found) == 1 and _NUMBER.fullmatch(found[0]) else None


def split(data: bytes) -> tuple[str, tuple[str, ...], tuple[tuple[str, str], ...], bytes]:
    """A plain message in parts: its first line, the names of its fields, the fields, and its body."""
    head, _, body = data.partition(_END)
    start, *fields = head.decode("latin-1").split("\r\n")
    pairs = tuple([(name, value) for name, _, value in [field.partition(": ") for field in fields]])
    return start, tuple([name for name, _ in pairs]), pairs, body
