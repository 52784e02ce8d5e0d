"""What a redaction asks of messages, and how it makes new ones: pure functions of requests, answers and their models."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from typing import Any, TypeVar

import orjson

from replay_proxy.exchange import Answer, BlobRef, CallHead, Headers, Request
from replay_proxy.journal.format.records import Record
from replay_proxy.wire.models.models import UnknownModelError, protocol_model
from replay_proxy.wire.sensitive.secrets import is_secret

_Message = TypeVar("_Message", Request, Answer)
_CHECKSUMS = ("content-md5", "content-length", "x-amz-content-sha256", "digest", "content-digest")


def made_of(message: _Message, target: str, headers: Headers, body: bytes | BlobRef) -> _Message:
    """`message` with another target (of a request), fields and body."""
    if isinstance(message, Request):
        return replace(message, target=target, headers=headers, body=body)
    return replace(message, headers=headers, body=body)


def model_of(head: CallHead | None) -> Any:
    """The model of a call; None where there is none."""
    if head is None:
        return None
    try:
        return protocol_model(head.service, head.operation, head.protocol)
    except (UnknownModelError, LookupError):
        return None


def address_members(operation: Any) -> frozenset[str]:
    """The members of a request that name a thing by standing in its path or its host, as the bucket of S3."""
    shape = operation.input_shape
    members = {} if shape is None else shape.members
    return frozenset(
        name
        for name, member in members.items()
        if member.serialization.get("location") == "uri" or member.serialization.get("hostLabel")
    )


def name_of(record: Record) -> str:
    """What a report calls a call: `service:operation`, or the method of what no model knows."""
    head = record.head
    return f"{record.request.method} request" if head is None else f"{head.service}:{head.operation}"


def is_secret_payload(operation: Any, answer: bool) -> bool:
    """Is the body as a whole one secret member, as the payload of a Lambda invocation?"""
    if operation is None:
        return False
    shape = operation.output_shape if answer else operation.input_shape
    payload = shape.serialization.get("payload") if shape is not None else None
    if payload is None:
        return False
    member = shape.members[payload]
    return member.type_name == "blob" and is_secret(shape, payload, member)


def keeps_encoding(operation: Any, message: Request | Answer) -> bool:
    """Is `Content-Encoding` a member of the operation, so that the body is stored as it is?"""
    shape = operation.output_shape if isinstance(message, Answer) else operation.input_shape
    return shape is not None and any(
        str(member.serialization.get("name", "")).lower() == "content-encoding" for member in shape.members.values()
    )


def last_name(path: str) -> str:
    """The last name of a path, in lower case."""
    return next((part for part in reversed(path.lower().replace(":", ".").split(".")) if part not in ("*", "")), "")


def as_bytes(value: str | bytes) -> bytes:
    """A value as it is looked for: text in UTF-8, and what was no UTF-8 as it came."""
    if isinstance(value, bytes):
        return value
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a character of JSON's
        return value.encode("utf-8", "surrogatepass")


def unbased(value: str) -> bytes:
    """What was written in base64; empty where it was not."""
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        return b""


def is_text(body: bytes) -> bool:
    """Is this text, which people and programs read as such?"""
    try:
        return "\0" not in body.decode()
    except UnicodeDecodeError:
        return False


def is_json(body: bytes) -> bool:
    """Is this a document in JSON?"""
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True


def identity_of(body: bytes | BlobRef) -> bytes:
    """What tells one body from another: its SHA-256."""
    digest = body.sha256 if isinstance(body, BlobRef) else hashlib.sha256(body).hexdigest()
    return digest.encode()


def bare(headers: Headers, *, inflated: bool = True) -> Headers:
    """Without what describes the old body. inflated: it was compressed by the transport, and is no more."""
    return Headers(
        pair
        for pair in headers
        if pair[0].lower() not in _CHECKSUMS
        and not (inflated and pair[0].lower() == "content-encoding")
        and not pair[0].lower().startswith(("x-amz-checksum-", "x-amz-sdk-checksum"))
    )
