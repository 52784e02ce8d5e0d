"""Plain messages: the form of HTTP/1.1 in which nearly all calls and answers come, told at a glance. Pure.

A message is plain if it says nothing about its connection that would have to change on the way, and if it cannot be read in
two ways: one start line, fields of a strict grammar with nothing around their values, and a body of one declared length.
A plain message may be passed on as the very bytes that came. Everything else (chunks, trailers, `Expect`, folded lines,
odd characters, HTTP/1.0) is for aiohttp's parser, which knows all of HTTP (RFC 9112).

Three functions here are gone through by every call, twice, between its client and the emulator:

- `glance_at_request(data)`: the request that begins at the beginning of `data`; None where it is not plain, or its head is
  not whole.
- `glance_at_answer(data, limit)`: the answer that `data` is, or the beginning of; None where it is not plain, or its body
  longer than `limit` bytes.
- `split(data)`: the parts of a message that a glance has found plain, and whole.

They are there twice: compiled (`_plain.c`), where a C compiler was there when this was installed, and in Python
(`plain_python`). Both say the same of any bytes (tests/proxy/test_plain.py); docs/performance.md has what it is for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replay_proxy.exchange import Answer, Headers, Request
from replay_proxy.proxy import plain_python
from replay_proxy.proxy.plain_python import AnswerGlance, RequestGlance

_REVISION = 1
"""Of `_plain.c`. What was compiled of another one is left alone: a checkout goes on, and what was built in it stays."""

if TYPE_CHECKING:
    from replay_proxy.proxy._plain import glance_at_answer, glance_at_request, split
else:
    try:
        from replay_proxy.proxy import _plain as chosen

        if chosen.REVISION != _REVISION:
            raise ImportError("it was built of another revision")
    except ImportError:
        chosen = plain_python
    glance_at_answer, glance_at_request, split = chosen.glance_at_answer, chosen.glance_at_request, chosen.split

__all__ = [
    "AnswerGlance",
    "RequestGlance",
    "glance_at_answer",
    "glance_at_request",
    "is_compiled",
    "read_answer",
    "read_request",
    "split",
    "without_connection",
]


def is_compiled() -> bool:
    """Are the compiled functions in use?"""
    return glance_at_request is not plain_python.glance_at_request


def without_connection(data: bytes, glance: RequestGlance | AnswerGlance) -> tuple[bytes, int]:
    """A message without its field of the connection, and where its body begins then."""
    start, end = glance.cut_from, glance.cut_to
    return (data[:start] + data[end:], glance.body_at - end + start) if end else (data, glance.body_at)


def read_request(data: bytes) -> Request:
    """The request that `data` is, which is plain, and whole."""
    start, names, pairs, body = split(data)
    method, target, _ = start.split(" ")
    return Request(method, target, Headers.named(pairs, names), body)


def read_answer(data: bytes) -> Answer:
    """The answer that `data` is, which is plain, whole, and says nothing of its connection."""
    start, names, pairs, body = split(data)
    _, status, reason = start.split(" ", 2)
    return Answer(int(status), Headers.named(pairs, names), body, reason)
