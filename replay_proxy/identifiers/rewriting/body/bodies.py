"""The body of a message, changed outside of its payload.

Identifiers are replaced through a `Change`, a function from bytes to replacements; `rewrite` has one for aliases,
`endpoints` one for URLs. What both have in common is here: which bodies may be read at all, in which format they are, and
where their payload is.
"""

from __future__ import annotations

import re
import zlib
from bisect import bisect_right
from collections.abc import Callable, Sequence

from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.footprint.members.payload_members import REPORTED
from replay_proxy.identifiers.rewriting.body import cbor
from replay_proxy.identifiers.rewriting.body.payload import BodyFormat, Payload, payload_of
from replay_proxy.identifiers.rewriting.body.payload_spans import marked_spans, payload_spans
from replay_proxy.identifiers.table.account_places import AccountPlace
from replay_proxy.identifiers.table.scan import Replacement, replaced

Change = Callable[[bytes], Sequence[Replacement]]
"""From a piece of a message to the replacements in it, in order."""

ReadableBody = tuple[bytes, BodyFormat | None, Payload]
"""A body, unpacked; its format (None for CBOR); and its payload."""

UNPACKED_BYTES_MAX = 64 * 1024 * 1024
"""Compressed bodies that unpack to more than this are left alone."""

# Bodies that are user data as a whole, or framed with checksums of their own.
_OPAQUE_TYPE = re.compile(
    r"application/vnd\.amazon\.eventstream|multipart/|application/octet-stream|image/|video/|audio/"
)
_TYPE_MAX = 64
_FRAMING = frozenset({"x-amz-content-sha256", "content-encoding"})
_CBOR_MAPS = range(0xA0, 0xC0)


def unpacked_body(message: Request | Answer, head: CallHead | None, *, reported: bool = False) -> bytes | None:
    """Return the unpacked body of a message, if it may be changed; None for every other one.

    Never changed are bodies of no AWS call, blobs, `aws-chunked` bodies, event streams, form uploads, and payload.
    reported: also a body that what ran inside of the emulator tells, in which certain replacements are made.
    """
    body = message.body
    if head is None or not isinstance(body, bytes) or not body:
        return None
    headers = message.headers
    payload = payload_of(head, "json", answer=isinstance(message, Answer))
    if payload.whole_body:
        if not (reported and payload.reported_body):
            return None
    elif not payload.reference_body and _is_opaque(headers.get("content-type")):
        return None
    if _FRAMING.isdisjoint(headers.lowers):
        return body
    if headers.get("x-amz-content-sha256").startswith("STREAMING-"):
        return None
    coding = headers.get("content-encoding").lower()
    if coding in ("", "identity"):
        return body
    return gunzipped(body) if coding in ("gzip", "x-gzip") else None


def _is_opaque(content_type: str) -> bool:
    return _OPAQUE_TYPE.match(content_type[:_TYPE_MAX].lower()) is not None


def readable_body(message: Request | Answer, head: CallHead | None, *, reported: bool = False) -> ReadableBody | None:
    """Return the body of a message if it may be changed (see `unpacked_body`), its format, and what in it is payload."""
    body = unpacked_body(message, head, reported=reported)
    if body is None or head is None:
        return None
    body_format = body_format_of(message, head, body)
    return body, body_format, payload_of(head, body_format or "json", answer=isinstance(message, Answer))


def rewritten_outside_payload(message: Request | Answer, head: CallHead | None, change: Change) -> bytes | None:
    """Return the body of `message` with `change` applied outside of its payload; None where nothing changes.

    A compressed body is returned unpacked.
    """
    found = readable_body(message, head)
    return rewrite_body(found, change) if found is not None else None


def rewrite_body(found: ReadableBody, change: Change) -> bytes | None:
    """Return a body from `readable_body` with `change` applied outside of its payload; None where nothing changes."""
    body, body_format, payload = found
    if body_format is None:

        def rewritten(text: bytes) -> bytes:
            return replaced(text, _without_bare_numbers(change(text)), url=False)

        new = cbor.rewrite_texts(body, payload.tree, rewritten)
    else:
        replacements = change(body)
        if not replacements:
            return None
        new = replaced(body, outside_payload(replacements, payload, body, body_format), url=body_format == "form")
    return None if new is body else new


def outside_payload(
    replacements: Sequence[Replacement], payload: Payload, body: bytes, body_format: BodyFormat
) -> list[Replacement]:
    """Return the replacements that do not lie in the payload of `body`; in what is reported, those that are certain."""
    if payload.reported_body:
        return [replacement for replacement in replacements if replacement.is_certain]
    spans = marked_spans(body, payload.tree, body_format)
    starts = [start for start, _, _ in spans]
    out = []
    for replacement in _without_bare_numbers(_without_keyed_numbers(replacements, payload, body, body_format)):
        before = bisect_right(starts, replacement.start) - 1
        is_outside = before < 0 or spans[before][1] <= replacement.start
        if is_outside or (replacement.is_certain and spans[before][2] == REPORTED):
            out.append(replacement)
    return out


def _without_keyed_numbers(
    replacements: Sequence[Replacement], payload: Payload, body: bytes, body_format: BodyFormat
) -> Sequence[Replacement]:
    """Return the replacements without the accounts that only a key says to be some, where clients choose the keys."""
    told = [each for each in replacements if each.account is AccountPlace.MEMBER]
    if not told or not payload.by_key:
        return replacements
    kept = outside_spans(told, payload_spans(body, payload.by_key, body_format))
    return [each for each in replacements if each.account is not AccountPlace.MEMBER or each in kept]


def _without_bare_numbers(replacements: Sequence[Replacement]) -> list[Replacement]:
    """Return the replacements without the accounts of which neither a member nor an address says that they are some."""
    return [each for each in replacements if each.account not in (AccountPlace.BARE, AccountPlace.SEGMENT)]


def outside_spans(replacements: Sequence[Replacement], spans: Sequence[tuple[int, int]]) -> list[Replacement]:
    """Return the replacements that begin in none of `spans`, which are in order and do not overlap."""
    if not spans:
        return list(replacements)
    starts = [start for start, _ in spans]
    out = []
    for replacement in replacements:
        before = bisect_right(starts, replacement.start) - 1
        if before < 0 or spans[before][1] <= replacement.start:
            out.append(replacement)
    return out


def texts_outside_payload(message: Request | Answer, head: CallHead | None, bytes_max: int) -> list[bytes]:
    """Return the text of a body outside of its payload, in pieces.

    Empty where the body may not be read, or is larger (also unpacked) than `bytes_max`.
    """
    if isinstance(message.body, bytes) and len(message.body) > bytes_max:
        return []
    found = readable_body(message, head)
    if found is None or len(found[0]) > bytes_max:
        return []
    body, body_format, payload = found
    if body_format is None:
        return [cbor.texts(body, payload.tree)]
    pieces, done = [], 0
    for start, end in payload_spans(body, payload.tree, body_format):
        pieces.append(body[done:start])
        done = end
    pieces.append(body[done:])
    return pieces


def body_format_of(message: Request | Answer, head: CallHead, body: bytes) -> BodyFormat | None:
    """Return the format of a body; None for CBOR. Its first byte tells it, as in `wire.codecs.answers`."""
    if body[0] in _CBOR_MAPS and "cbor" in message.headers.get("content-type"):
        return None
    if (body if body[0] > 0x20 else body.lstrip())[:1] == b"<":
        return "xml"
    if isinstance(message, Request) and head.protocol in ("query", "ec2"):
        return "form"
    return "json"


def gunzipped(body: bytes) -> bytes | None:
    """Return a gzip body unpacked; None where it is damaged or too large."""
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        plain = unpacker.decompress(body, UNPACKED_BYTES_MAX)
    except zlib.error:
        return None
    return plain if unpacker.eof else None
