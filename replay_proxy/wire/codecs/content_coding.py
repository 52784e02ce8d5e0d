"""From the body on the wire to the body that a protocol describes: unframed, decompressed, within bounds."""

from __future__ import annotations

import zlib

from botocore.model import Shape

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import BlobRef, Body, Headers
from replay_proxy.wire.codecs.aws_chunked import decode_aws_chunked, is_aws_chunked
from replay_proxy.wire.codecs.protocols.limits import PARSED_BYTES_MAX
from replay_proxy.wording import counted


def request_body(headers: Headers, body: Body, shape: Shape | None) -> Body:
    """Return the body that the client's serialiser made. `shape` is the operation's input.

    A BlobRef is returned as it is: it names the bytes on the wire. Raises MalformedMessage.
    """
    if isinstance(body, BlobRef):
        return body
    if is_aws_chunked(headers):
        # Servers in front of us may have removed the framing already and left the header as it was.
        body = _without_framing(body, headers)
    return _inflated(headers, body, shape)


def answer_body(headers: Headers, body: Body, shape: Shape | None) -> Body:
    """Return the body that the service's serialiser made. `shape` is the operation's output.

    Raises MalformedMessage.
    """
    if isinstance(body, BlobRef):
        return body
    return _inflated(headers, body, shape)


def body_in_memory(body: Body) -> bytes:
    """Return a body that is in memory, to be parsed member by member. Raises MalformedMessage for a blob."""
    if isinstance(body, BlobRef):
        raise MalformedMessage(
            f"the body ({counted(body.size, 'byte')}, blob {body.sha256}) is not in memory and its operation has no "
            "streaming payload"
        )
    return body


def _without_framing(body: bytes, headers: Headers) -> bytes:
    length = headers.get("x-amz-decoded-content-length")
    if length.isascii() and length.isdigit() and len(length) < 20 and int(length) == len(body):
        return body
    return decode_aws_chunked(body)[0]


def _inflated(headers: Headers, body: bytes, shape: Shape | None) -> bytes:
    """Return a body unpacked by its `Content-Encoding`, except where it describes the user's payload and not the message.

    S3 objects are stored with their Content-Encoding: it is a member of the operation, and the payload stays as
    it is.
    """
    if not body or "content-encoding" not in headers or (shape is not None and _keeps_encoding(shape)):
        return body
    codings = [coding.strip().lower() for coding in headers.get("content-encoding").split(",")]
    if "gzip" in codings or "x-gzip" in codings:
        return inflate(body, zlib.MAX_WBITS | 16)
    if "deflate" in codings:
        return inflate(body, zlib.MAX_WBITS)
    return body


def _keeps_encoding(shape: Shape) -> bool:
    return any(
        member.serialization.get("location") == "header"
        and member.serialization.get("name", "").lower() == "content-encoding"
        for member in shape.members.values()
    )


def inflate(body: bytes, wbits: int) -> bytes:
    """Return a compressed body unpacked, of at most `PARSED_BYTES_MAX` bytes. Raises MalformedMessage."""
    unpacker = zlib.decompressobj(wbits)
    try:
        plain = unpacker.decompress(body, PARSED_BYTES_MAX)
    except zlib.error as error:
        raise MalformedMessage(f"the compressed body is damaged: {error}") from None
    if unpacker.unconsumed_tail:
        raise MalformedMessage(f"the compressed body unpacks to more than {PARSED_BYTES_MAX} bytes")
    if not unpacker.eof:
        raise MalformedMessage("the compressed body is cut off")
    return plain
