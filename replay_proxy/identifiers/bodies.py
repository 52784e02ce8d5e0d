"""The body of a message, changed outside of its payload.

Identifiers are replaced through a `Change`, a function from bytes to the spans that become something else; `rewrite`
gives one for aliases, `endpoints` one for URLs. What is common to both is here: which bodies may be looked into at all,
in which spelling they are, and where their payload is.
"""

from __future__ import annotations

import re
import zlib
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache

from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.identifiers import cbor
from replay_proxy.identifiers.payload import Payload, Spelling, payload_of
from replay_proxy.identifiers.scan import Hit, replaced
from replay_proxy.identifiers.spans import payload_spans

Change = Callable[[bytes], Sequence[Hit]]
"""From a piece of a message to the hits in it, in order."""

Opened = tuple[bytes, Spelling | None, Payload]
"""A body, unpacked; its spelling (None for CBOR); and its payload."""

LONGEST_UNPACKED = 64 * 1024 * 1024
"""Compressed bodies that unpack to more than this (bytes) are left alone."""

# User data as a whole, or framed with checksums of its own.
_OPAQUE_TYPE = re.compile(
    r"application/vnd\.amazon\.eventstream|multipart/|application/octet-stream|image/|video/|audio/"
)
_FRAMING = frozenset({"x-amz-content-sha256", "content-encoding"})
_CBOR_MAPS = range(0xA0, 0xC0)


def body_of(message: Request | Answer, head: CallHead | None) -> bytes | None:
    """The unpacked body of a message, if it may be looked into; None for everything that is left alone.

    Left alone are bodies of no AWS call, blobs, `aws-chunked` bodies, event streams, form uploads, and payload.
    """
    body = message.body
    if head is None or not isinstance(body, bytes) or not body:
        return None
    headers = message.headers
    payload = payload_of(head, "json", answer=isinstance(message, Answer))
    if payload.whole_body or (not payload.reference_body and _is_opaque(headers.get("content-type"))):
        return None
    if _FRAMING.isdisjoint(headers.lowers):
        return body
    if headers.get("x-amz-content-sha256").startswith("STREAMING-"):
        return None
    coding = headers.get("content-encoding").lower()
    if coding in ("", "identity"):
        return body
    return unzipped(body) if coding in ("gzip", "x-gzip") else None


@lru_cache(maxsize=256)
def _is_opaque(content_type: str) -> bool:
    return _OPAQUE_TYPE.match(content_type.lower()) is not None


def opened(message: Request | Answer, head: CallHead | None) -> Opened | None:
    """The body of a message, if it may be looked into (see `body_of`), how it is spelt, and what in it is payload."""
    body = body_of(message, head)
    if body is None or head is None:
        return None
    spelling = spelling_of(message, head, body)
    return body, spelling, payload_of(head, spelling or "json", answer=isinstance(message, Answer))


def changed(message: Request | Answer, head: CallHead | None, change: Change) -> bytes | None:
    """The body of `message` with `change` applied to it outside of payload; None where nothing changes.

    A compressed body comes back unpacked.
    """
    found = opened(message, head)
    return rewritten(found, change) if found is not None else None


def rewritten(found: Opened, change: Change) -> bytes | None:
    """As `changed`, for a body that is `opened`."""
    body, spelling, payload = found
    if spelling is None:
        new = cbor.rewritten(body, payload.tree, lambda text: replaced(text, change(text), url=False))
    else:
        hits = change(body)
        if not hits:
            return None
        new = replaced(body, outside(hits, payload, body, spelling), url=spelling == "form")
    return None if new is body else new


def outside(hits: Sequence[Hit], payload: Payload, body: bytes, spelling: Spelling) -> list[Hit]:
    """The hits that do not lie in the payload of `body`."""
    spans = payload_spans(body, payload.tree, spelling)
    if not spans:
        return list(hits)
    starts = [start for start, _ in spans]
    out = []
    for hit in hits:
        before = bisect_right(starts, hit.start) - 1
        if before < 0 or spans[before][1] <= hit.start:
            out.append(hit)
    return out


def spelling_of(message: Request | Answer, head: CallHead, body: bytes) -> Spelling | None:
    """How a body spells its members; None for CBOR. Answers are judged by their first byte, as `wire.answers` does."""
    if body[0] in _CBOR_MAPS and "cbor" in message.headers.get("content-type"):
        return None
    if (body if body[0] > 0x20 else body.lstrip())[:1] == b"<":
        return "xml"
    if isinstance(message, Request) and head.protocol in ("query", "ec2"):
        return "form"
    return "json"


def unzipped(body: bytes) -> bytes | None:
    """A gzip body, unpacked; None where it is damaged or too large."""
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        plain = unpacker.decompress(body, LONGEST_UNPACKED)
    except zlib.error:
        return None
    return plain if unpacker.eof else None
