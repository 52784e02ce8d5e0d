"""Where the key of an object stands in a target, in a header that names one, and in its address.

A key is a name that a client chose: nothing in it is an identifier, whatever it looks like. The bucket before it and the
version behind it are not part of it.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, unquote_plus

from replay_proxy.identifiers.rewriting.body.payload import Payload
from replay_proxy.wire.models.endpoint_hosts import parse_host

Span = tuple[int, int]

_SOURCE = re.compile(
    rb"(?:/|%2F)?(?:arn(?::|%3A).*?(?:/|%2F)object(?:/|%2F)|.*?(?:/|%2F))(.*?)(?:\?versionId=.*)?\Z",
    re.IGNORECASE | re.DOTALL,
)
_ADDRESS = re.compile(
    rb"https?(?::|%3A)(?:/|%2F){2}([^/\"<>?]*?)(?:/|%2F)(?:([^/\"<>?]*?)(?:/|%2F))?([^\"<>?]*?)(?=%3F|[\"<>?]|\Z)",
    re.IGNORECASE,
)


def in_target(target: bytes, payload: Payload, host: str) -> list[Span]:
    """Return the spans of names that a client chose in the target of a request. host: of its `Host` header."""
    where = parse_host(host)
    if not payload.has_key and not payload.query and not where.website:
        return []
    path, mark, query = target.partition(b"?")
    spans = []
    if payload.has_key or where.website:
        start = 0
        if not where.bucket and not where.website:
            bucket_at = len(path) - len(path.lstrip(b"/"))
            start = path.find(b"/", bucket_at) + 1 or len(path)
        spans.append((start, len(path)))
    start = len(path) + len(mark)
    for pair in query.split(b"&"):
        name, _, _ = pair.partition(b"=")
        if unquote_plus(name.decode("latin-1")) in payload.query:
            spans.append((start + len(name), start + len(pair)))
        start += len(pair) + 1
    return spans


def in_source(value: bytes) -> list[Span]:
    """Return the span of the key in a header field that names the object to copy: `bucket/key?versionId=id`."""
    found = _SOURCE.match(value)
    return [found.span(1)] if found is not None else []


def in_address(text: bytes, start: int, end: int) -> list[Span]:
    """Return the span of the key in the address of an object that stands in `text` between `start` and `end`."""
    found = _ADDRESS.search(text, start, end)
    if found is None:
        return []
    host = unquote(found[1].decode("latin-1"))
    begin = found.start(2) if found[2] is not None and parse_host(host).bucket else found.start(3)
    return [(begin, found.end(3))]
