"""Decide which header fields of an exchange are recorded.

Everything is kept that can change what the call does or means. Left out is

- what belongs to one connection (RFC 9110, section 7.6.1), and the length where it is that of the body;
- what proves who sent it: signatures and session tokens, in headers and in the query, and cookies. The credential scope
  is kept beside the request; a replay puts a new signature on;
- what names one attempt (ids for tracing, retry counters, dates of signing), or the program that sent it, and what it
  would accept in return: an answer is recorded as a replay is to get it, which is uncompressed;
- of answers, ids of the request, the date, and the server's name.

The order, the spelling and the duplicates of what is kept stay as they were.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from replay_proxy.exchange import HOP_BY_HOP, Answer, BlobRef, Body, Headers, Request

SECRETS: Final = frozenset(
    {
        "authorization",
        "x-amzn-authorization",
        "x-amz-security-token",
        "x-amz-s3session-token",
        "x-amz-bearer-token",
        "cookie",
        "set-cookie",
    }
)

_REQUEST_NOISE: Final = frozenset(
    {
        "accept-encoding",
        "amz-sdk-invocation-id",
        "amz-sdk-request",
        "date",
        "expect",
        "traceparent",
        "tracestate",
        "user-agent",
        "x-amz-date",
        "x-amz-user-agent",
        "x-amzn-trace-id",
    }
)

_ANSWER_NOISE: Final = frozenset(
    {
        "date",
        "server",
        "x-amz-id-2",
        "x-amz-request-id",
        "x-amzn-requestid",
        "x-amzn-trace-id",
    }
)

_NOT_OF_REQUESTS: Final = HOP_BY_HOP | SECRETS | _REQUEST_NOISE
_NOT_OF_ANSWERS: Final = HOP_BY_HOP | SECRETS | _ANSWER_NOISE

# What is secret in a presigned query and has no other meaning. `wire.signing.sigv4.scrub` knows the older forms, too, and is
# applied before; this is the last line of defence.
_SECRET_PARAMETER: Final = re.compile(
    r"(?<=[?&])X-Amz-(?:Signature|Security-Token|S3session-Token)=[^&]*&?", re.IGNORECASE
)


def request_to_keep(request: Request) -> Request:
    """Return the request without what is not recorded; the same object where nothing is to be left out."""
    target = request.target
    if "?" in target:
        target = without_secrets(target)
    headers = _kept(request.headers, _NOT_OF_REQUESTS, request.body, says_none=True)
    if headers is request.headers and target == request.target:
        return request
    return Request(request.method, target, headers, request.body)


def answer_to_keep(answer: Answer) -> Answer:
    """Return the answer without what is not recorded; the same object where nothing is to be left out."""
    headers = _kept(answer.headers, _NOT_OF_ANSWERS, answer.body, says_none=False)
    return answer if headers is answer.headers else Answer(answer.status, headers, answer.body, answer.reason)


def without_secrets(target: str) -> str:
    """Return a request target without signature and session token in its query."""
    kept, count = _SECRET_PARAMETER.subn("", target)
    return kept.rstrip("?&") if count else target


@lru_cache(maxsize=64)
def _and_length(left_out: frozenset[str]) -> frozenset[str]:
    return left_out | {"content-length"}


def _kept(headers: Headers, left_out: frozenset[str], body: Body, *, says_none: bool) -> Headers:
    """`headers` without `left_out`, and without the length of the body.

    says_none: a length of 0 stays. Some servers refuse a PUT that says nothing of its body with 411 (RFC 9110, section 8.6).
    """
    connection = headers.get("connection")
    if connection:
        left_out = left_out.union(token.strip().lower() for token in connection.split(","))
    length = body.size if isinstance(body, BlobRef) else len(body)
    if (length or not says_none) and headers.get("content-length") == str(length):
        left_out = left_out | {"content-length"} if connection else _and_length(left_out)
    return headers.less(left_out)
