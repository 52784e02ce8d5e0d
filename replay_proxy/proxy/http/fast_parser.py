"""Plain messages: the form of HTTP/1.1 in which nearly all calls and answers come, and a parser for it. Pure.

A message is plain if it says nothing about its connection that would have to change on the way, and if it cannot be read in
two ways: one start line, fields of a strict grammar with nothing around their values, and a body of one declared length.
A plain message may be passed on as the very bytes that came. Everything else (chunks, trailers, `Expect`, folded lines,
odd characters, HTTP/1.0) is for aiohttp's parser, which knows all of HTTP (RFC 9112).

To *frame* a message is to find out where its head and body begin and end, and whether they have come. Three functions are
called for every call, twice each, between its client and the emulator:

- `frame_request(data)` frames the request with which `data` begins. None where that is not plain, or its head is not whole.
- `frame_answer(data, limit)` frames the answer that `data` is, or is the beginning of. None where that is not plain, or its
  body is longer than `limit` bytes.
- `split_message(data)` returns the parts of a message that was framed, and is whole.

They exist twice: compiled (`_fast_parser.c`), where a C compiler was there when this was installed, and in Python
(`fast_parser_py`). Both return the same for any bytes (tests/proxy/test_fast_parser.py). docs/performance.md says what it gains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replay_proxy.exchange import Answer, Headers, Request
from replay_proxy.proxy.http import fast_parser_py
from replay_proxy.proxy.http.fast_parser_py import AnswerFrame, RequestFrame

_REVISION = 2
"""Of `_fast_parser.c`. A build of another revision, which an older checkout may have left behind, is not used."""

if TYPE_CHECKING:
    from replay_proxy.proxy.http._fast_parser import frame_answer, frame_request, split_message
else:
    try:
        from replay_proxy.proxy.http import _fast_parser as chosen

        if chosen.REVISION != _REVISION:
            raise ImportError("it was built of another revision")
    except ImportError:
        chosen = fast_parser_py
    frame_answer, frame_request, split_message = chosen.frame_answer, chosen.frame_request, chosen.split_message

__all__ = [
    "AnswerFrame",
    "RequestFrame",
    "frame_answer",
    "frame_request",
    "is_compiled",
    "read_answer",
    "read_request",
    "split_message",
    "without_connection",
]


def is_compiled() -> bool:
    """Are the compiled functions in use?"""
    return frame_request is not fast_parser_py.frame_request


def without_connection(data: bytes, frame: RequestFrame | AnswerFrame) -> tuple[bytes, int]:
    """Return a message without its `Connection` field, and where its body begins then."""
    start, end = frame.cut_from, frame.cut_to
    return (data[:start] + data[end:], frame.body_at - end + start) if end else (data, frame.body_at)


def read_request(data: bytes) -> Request:
    """Return the request that `data` is. It must be plain and whole."""
    start, names, pairs, body = split_message(data)
    method, target, _ = start.split(" ")
    return Request(method, target, Headers.named(pairs, names), body)


def read_answer(data: bytes) -> Answer:
    """Return the answer that `data` is. It must be plain and whole, and have no `Connection` field."""
    start, names, pairs, body = split_message(data)
    _, status, reason = start.split(" ", 2)
    return Answer(int(status), Headers.named(pairs, names), body, reason)
