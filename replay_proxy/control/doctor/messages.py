"""What the proxy and its examiner say to each other: a line of JSON each, bodies in base64.

| from the examiner | answer of the proxy |
|---|---|
| `{"id": 1, "ask": …}`: a read to be sent, in clients' identifiers | `{"id": 1, "answer": …}`, or `{"id": 1, "error": "…"}` |
| `{"id": 2, "repeat": [3, 4]}`: recorded calls to be made again | `{"id": 2, "repeated": […]}`, or an error |
| `{"document": …}`: what was found, at the end | none |
| `{"failed": "…", "hint": "…"}`: why nothing could be found | none |
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.wire.signing.sigv4 import Credential

LINE_BYTES_MAX = 256 << 20


def question_of(head: CallHead | None, request: Request, credential: Credential) -> dict[str, Any]:
    """Return a request as JSON values. head: None where it is no AWS call."""
    assert isinstance(request.body, bytes)
    parts = () if head is None else (head.service, head.operation, head.protocol, head.account, head.region)
    return {
        "head": None if head is None else [*parts, head.access_key],
        "request": [request.method, request.target, list(request.headers.pairs), b64encode(request.body).decode()],
        "credential": [credential.access_key, credential.region, credential.service, credential.kind],
    }


def read_question(asked: dict[str, Any]) -> tuple[CallHead | None, Request, Credential]:
    """Return the request that `question_of` gave."""
    method, target, headers, body = asked["request"]
    request = Request(method, target, Headers(tuple((name, value) for name, value in headers)), b64decode(body))
    return None if asked["head"] is None else CallHead(*asked["head"]), request, Credential(*asked["credential"])


def answer_of(answer: Answer) -> list[Any]:
    """Return an answer as JSON values; one whose body is no longer in memory without it."""
    body = answer.body if isinstance(answer.body, bytes) else b""
    return [answer.status, list(answer.headers.pairs), b64encode(body).decode(), answer.reason]


def read_answer(values: list[Any]) -> Answer:
    """Return the answer that `answer_of` gave."""
    status, headers, body, reason = values
    return Answer(status, Headers(tuple((name, value) for name, value in headers)), b64decode(body), reason)
