"""From the bytes of an answer to what a client makes of it: boto3's return value, or an error's code and message.

botocore has parsers for this, but they are written for AWS: they recurse without a bound, trust that the body is in
the format that the model names, and raise whatever the standard library raises. Emulators are sloppier, so the
format is told from the body's first byte (`<`, `{`, or a CBOR map; no two can be confused), and shapes are read by
the same walks that read requests. The tests hold the results against botocore's own parsers.

Where boto3 edits an answer after parsing it (IAM policies, S3's encoded keys, …), `boto3_edits` does the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from botocore.model import OperationModel, Shape, StructureShape

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, BlobRef, Body, CallHead, Headers, Request
from replay_proxy.wire.codecs.boto3_edits import edit_like_boto3
from replay_proxy.wire.codecs.content_coding import answer_body, body_in_memory
from replay_proxy.wire.codecs.error_bodies import error_in_success, read_error
from replay_proxy.wire.codecs.protocols.cbor import load_cbor
from replay_proxy.wire.codecs.protocols.json import load_json, read_members, read_value
from replay_proxy.wire.codecs.protocols.rest import read_header_member
from replay_proxy.wire.codecs.protocols.xml import children, load_xml, read_node, read_structure
from replay_proxy.wire.models.models import UnknownModelError, protocol_model

ERROR_STATUS_MIN = 301
"""botocore takes every status from here on as an error, 304 (not modified) included."""

_FALSE = re.compile(rb"<return>\s*false\s*</return>")
_SAYS_FALSE_BYTES_MAX = 4096
"""Answers that say no more than whether a request succeeded are short."""
_CBOR_MAPS = range(0xA0, 0xC0)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a call.

    status: of HTTP. parsed: what boto3 returns, without `ResponseMetadata`; empty for an error. error_code,
    error_message: as boto3's ClientError has them; an error without a code has its status for one. An S3 error that
    arrived with status 200 has a code too.
    """

    status: int
    parsed: dict[str, Any] = field(default_factory=dict)
    error_code: str = ""
    error_message: str = ""

    @property
    def ok(self) -> bool:
        """Return whether the call succeeded."""
        return self.status < ERROR_STATUS_MIN and not self.error_code


def parse_answer(head: CallHead, answer: Answer, request: Request | None = None) -> Outcome:
    """Return what came of the call `head`; `request` is needed only to know that a HEAD has no body.

    Raises MalformedMessage where a success does not follow its protocol and model, or where the model is not
    installed. Errors are never malformed: what cannot be read of one is taken from its status.
    """
    try:
        operation = protocol_model(head.service, head.operation, head.protocol)
    except UnknownModelError as error:
        raise MalformedMessage(str(error)) from None
    return read_answer(head, operation, answer, request)


def read_answer(head: CallHead, operation: OperationModel, answer: Answer, request: Request | None = None) -> Outcome:
    """Return what came of a call by the model `operation`. Raises MalformedMessage; see `parse_answer`."""
    method = request.method if request is not None else operation.http.get("method", "")
    body: Body = b"" if method == "HEAD" else answer.body
    if answer.status >= ERROR_STATUS_MIN:
        code, message = read_error(head.protocol, answer, body)
        if not code:
            return Outcome(answer.status, {}, str(answer.status), message or _phrase(answer))
        return Outcome(answer.status, {}, code, message)
    shape = operation.output_shape
    body = answer_body(answer.headers, body, shape)
    if isinstance(body, bytes) and not _is_payload_bytes(shape):
        found = error_in_success(body)
        if found is not None:
            return Outcome(answer.status, {}, found[0] or "InternalError", found[1])
    if head.protocol == "ec2" and not _has_return(shape) and _says_false(body):
        return Outcome(answer.status, {}, "ReturnedFalse", "the answer says that the request did not succeed")
    parsed = _read_success(head, operation, shape, answer, body) if shape is not None else {}
    return Outcome(answer.status, edit_like_boto3(head, operation, answer, parsed))


def _has_return(shape: StructureShape | None) -> bool:
    """Return whether clients are shown themselves whether a request of EC2 succeeded."""
    members = shape.members.values() if shape is not None else ()
    return any(member.serialization.get("name") == "return" for member in members)


def _says_false(body: Body) -> bool:
    """Return whether an answer of EC2 says that nothing was done, in a member that the models of most calls leave out."""
    return isinstance(body, bytes) and len(body) < _SAYS_FALSE_BYTES_MAX and _FALSE.search(body) is not None


def _phrase(answer: Answer) -> str:
    try:
        return answer.reason or HTTPStatus(answer.status).phrase
    except ValueError:
        return ""


def _is_payload_bytes(shape: StructureShape | None) -> bool:
    """Return whether the body is the user's own (an object, an invocation's result) and never one of the protocol's."""
    if shape is None:
        return False
    name = shape.serialization.get("payload") or shape.event_stream_name
    if name is None:
        return False
    member = shape.members[name]
    return member.type_name in ("blob", "string") or bool(member.serialization.get("eventstream"))


def _read_success(
    head: CallHead, operation: OperationModel, shape: StructureShape, answer: Answer, body: Body
) -> dict[str, Any]:
    if head.protocol in ("rest-json", "rest-xml"):
        parsed = _read_outside_body(shape, answer)
        payload = shape.serialization.get("payload")
        if payload is not None:
            _read_payload(shape.members[payload], payload, body, parsed)
            return parsed
        members = {n: m for n, m in shape.members.items() if m.serialization.get("location") not in _OUTSIDE}
        return parsed | _read_body(operation, shape, members, body_in_memory(body))
    if shape.event_stream_name is not None:
        return {shape.event_stream_name: body}
    return _read_body(operation, shape, dict(shape.members), body_in_memory(body))


_OUTSIDE = ("header", "headers", "statusCode")


def _read_outside_body(shape: StructureShape, answer: Answer) -> dict[str, Any]:
    parsed: dict[str, Any] = {}
    for name, member in shape.members.items():
        location = member.serialization.get("location")
        if location == "statusCode":
            parsed[name] = answer.status
        elif location == "headers":
            parsed[name] = read_header_member(member, name, answer.headers) or {}
        elif location == "header":
            value = _read_header(member, name, answer.headers)
            if value is not None:
                parsed[name] = value
    return parsed


def _read_header(member: Shape, name: str, headers: Headers) -> Any:
    try:
        return read_header_member(member, name, headers)
    except MalformedMessage:
        # An object's Expires is whatever its uploader wrote. boto3 leaves out what is no date, too.
        if name == "Expires":
            return None
        raise


def _read_payload(member: Shape, name: str, body: Body, parsed: dict[str, Any]) -> None:
    if member.type_name == "blob" or member.serialization.get("eventstream"):
        parsed[name] = body
        return
    if member.type_name == "string":
        parsed[name] = body if isinstance(body, BlobRef) else _text(body, name)
        return
    content = body_in_memory(body)
    if not content.strip():
        if member.type_name == "structure" and not member.is_tagged_union:
            parsed[name] = {}
        return
    kind = _format(content)
    if kind == "xml":
        parsed[name] = read_node(member, [load_xml(content)])
    else:
        plain = load_cbor(content) if kind == "cbor" else load_json(content)
        if plain is not None:
            parsed[name] = read_value(member, plain, answer=True)


def _text(body: bytes, name: str) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise MalformedMessage(f"{name}: text that is not UTF-8: {error}") from None


def _read_body(
    operation: OperationModel, shape: StructureShape, members: dict[str, Shape], content: bytes
) -> dict[str, Any]:
    if not content.strip() or not members:
        return {}
    kind = _format(content)
    if kind == "xml":
        root = load_xml(content)
        wrapper = shape.serialization.get("resultWrapper", f"{operation.name}Result")
        return read_structure(members, children(root).get(wrapper, [root])[0])
    plain = load_cbor(content) if kind == "cbor" else load_json(content)
    if plain is None:
        return {}
    if not isinstance(plain, dict):
        raise MalformedMessage(f"{shape.name}: the body is no object")
    # Query services asked for JSON wrap it as they wrap XML: {"XResponse": {"XResult": {…}}}.
    for wrapper in (f"{operation.name}Response", f"{operation.name}Result"):
        if wrapper not in members and isinstance(plain.get(wrapper), dict):
            plain = plain[wrapper]
    return read_members(members, plain, answer=True)


def _format(content: bytes) -> str:
    first = content.lstrip()[:1] if content[0] < 0x80 else content[:1]
    if first == b"<" or content.startswith(b"\xef\xbb\xbf<"):
        return "xml"
    return "cbor" if first[0] in _CBOR_MAPS else "json"
