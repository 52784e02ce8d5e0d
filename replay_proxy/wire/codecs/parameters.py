"""From the bytes of a request to the parameters that its client passed in.

The inverse of an SDK's serialiser, for every protocol that AWS speaks. The result is the dictionary that boto3 would
have been given: datetimes for timestamps (aware, UTC), bytes for blobs, plain values for documents; a streaming
payload stays bytes, or the BlobRef in which it lies (then as it was on the wire, `aws-chunked` framing included).

What a wire format cannot say is not there: an empty map in a query, an empty structure in a form, a header that is
an empty list. What the model does not know is dropped.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from botocore.model import OperationModel, Shape, StructureShape

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import BlobRef, Body, CallHead, Headers, Request
from replay_proxy.wire.codecs.content_coding import body_in_memory, request_body
from replay_proxy.wire.codecs.protocols.cbor import load_cbor
from replay_proxy.wire.codecs.protocols.json import load_json, read_members, read_value
from replay_proxy.wire.codecs.protocols.query import load_pairs, load_tree, read_form
from replay_proxy.wire.codecs.protocols.rest import decode_path, header_text, read_locations
from replay_proxy.wire.codecs.protocols.s3_form_upload import read_form_upload
from replay_proxy.wire.codecs.protocols.xml import load_xml, read_structure
from replay_proxy.wire.models.endpoint_hosts import parse_host
from replay_proxy.wire.models.models import UnknownModelError, protocol_model

_CHUNKED_CODING = "aws-chunked"


def parse_parameters(head: CallHead, request: Request) -> dict[str, Any]:
    """Return the parameters of the call that `request` makes; `head` says which call (`recognise`).

    Raises MalformedMessage where the request does not follow its protocol and model, or where the model is not
    installed.
    """
    try:
        operation = protocol_model(head.service, head.operation, head.protocol)
    except UnknownModelError as error:
        raise MalformedMessage(str(error)) from None
    return read_parameters(head, operation, request)


def read_parameters(head: CallHead, operation: OperationModel, request: Request) -> dict[str, Any]:
    """Return the parameters of a request by the model `operation`. Raises MalformedMessage; see `parse_parameters`."""
    shape = operation.input_shape
    body = request_body(request.headers, request.body, shape)
    if head.protocol in ("query", "ec2"):
        params = _read_query(operation, request, body_in_memory(body), ec2=head.protocol == "ec2")
    elif shape is None:
        params = {}
    elif head.protocol in ("json", "smithy-rpc-v2-cbor"):
        params = _read_rpc(shape, request.headers, body, cbor=head.protocol != "json")
    elif (head.service, head.operation) == ("s3", "PostObject"):
        params = read_form_upload(shape, request.headers, body_in_memory(body))
        params.setdefault("Bucket", decode_path(_s3_target(operation, request)[1].strip("/")))
    else:
        params = _read_rest(head, operation, shape, request, body)
    if shape is not None:
        _complete(head, operation, shape, request, params)
    return params


def _read_query(operation: OperationModel, request: Request, body: bytes, *, ec2: bool) -> dict[str, Any]:
    if operation.input_shape is None:
        return {}
    pairs = load_pairs(request.query.encode("latin-1", "replace")) if request.query else []
    if body and request.method != "GET":
        pairs += load_pairs(body)
    return read_form(operation.input_shape, load_tree(pairs), ec2=ec2)


def _read_rpc(shape: Shape, headers: Headers, body: Body, *, cbor: bool) -> dict[str, Any]:
    content = body_in_memory(body)
    if not content:
        return {}
    content_type = headers.get("content-type").lower()
    if shape.event_stream_name is not None and "eventstream" in content_type:
        return {shape.event_stream_name: content}
    # Kinesis has two formats in one protocol; the content type tells them apart.
    plain = load_cbor(content) if cbor or "cbor" in content_type else load_json(content)
    return _object(shape, plain)


def _object(shape: Shape, plain: Any) -> dict[str, Any]:
    if plain is None:
        return {}
    value = read_value(shape, plain)
    if not isinstance(value, dict):
        raise MalformedMessage(f"{shape.name}: an object is due")
    return value


def _read_rest(
    head: CallHead, operation: OperationModel, shape: StructureShape, request: Request, body: Body
) -> dict[str, Any]:
    request_uri, path = operation.http["requestUri"], request.path
    if head.service == "s3":
        request_uri, path = _s3_target(operation, request)
    params = read_locations(operation, path, request.query, request.headers, request_uri)
    payload = shape.serialization.get("payload")
    if payload is not None:
        required = payload in shape.required_members
        _read_payload(head, shape.members[payload], payload, body, params, required=required)
    else:
        content = body_in_memory(body)
        members = {name: m for name, m in shape.members.items() if "location" not in m.serialization}
        if content and members:
            if head.protocol == "rest-xml":
                params |= read_structure(members, load_xml(content))
            else:
                params |= read_members(members, _json_object(shape, content))
    return params


def _read_payload(
    head: CallHead, member: Shape, name: str, body: Body, params: dict[str, Any], *, required: bool
) -> None:
    if member.type_name == "blob" or member.serialization.get("eventstream"):
        if isinstance(body, BlobRef) or body or required:
            params[name] = body
        return
    content = body_in_memory(body)
    if not content and not (required and member.type_name == "string"):
        return
    if member.type_name == "string":
        try:
            params[name] = content.decode()
        except UnicodeDecodeError as error:
            raise MalformedMessage(f"{name}: text that is not UTF-8: {error}") from None
    elif head.protocol == "rest-xml":
        params[name] = read_structure(member.members, load_xml(content))
    else:
        value = load_json(content)
        # Without the payload SDKs send `{}` all the same.
        if value is not None and (value != {} or required):
            params[name] = read_value(member, value)


def _json_object(shape: Shape, content: bytes) -> dict[str, Any]:
    value = load_json(content)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedMessage(f"{shape.name}: the JSON body is no object")
    return value


def _s3_target(operation: OperationModel, request: Request) -> tuple[str, str]:
    """Return the URI template and the path of an S3 request in path style: bucket first, wherever it was sent."""
    template, path = operation.http["requestUri"], request.path
    if "{Bucket}" in template:
        bucket = parse_host(request.headers.get("host")).bucket
        if bucket:
            path = f"/{bucket}{path}" if path.startswith("/") else f"/{bucket}/{path}"
        path = "/" + path.lstrip("/") if not bucket else path
    return template, path


def _complete(
    head: CallHead, operation: OperationModel, shape: StructureShape, request: Request, params: dict[str, Any]
) -> None:
    """Add members that a client may leave to the host or the path, and take framing out of `ContentEncoding`."""
    if head.service == "sqs" and "QueueUrl" in shape.members and "QueueUrl" not in params:
        url = _queue_url(request)
        if url:
            params["QueueUrl"] = url
    if "ContentEncoding" in params and isinstance(params["ContentEncoding"], str):
        codings = [coding.strip() for coding in params["ContentEncoding"].split(",")]
        kept = ",".join(coding for coding in codings if coding.lower() != _CHUNKED_CODING)
        if len(codings) > 1 or not kept:
            params["ContentEncoding"] = kept
        if not kept:
            del params["ContentEncoding"]
    prefix = (operation.endpoint or {}).get("hostPrefix", "")
    if "{" in prefix:
        for name, value in _host_labels(prefix, request.headers.get("host")).items():
            if name in shape.members:
                params.setdefault(name, value)


def _queue_url(request: Request) -> str:
    """Return the queue URL to which a request was sent, as its client wrote it; empty for the service's own."""
    path = request.path
    if path.startswith("http"):
        return path
    if len(path) < 2 or not request.headers.get("host"):
        return ""
    scheme = request.headers.get("x-forwarded-proto") or "http"
    return f"{scheme}://{request.headers.get('host')}{header_text(path)}"


@lru_cache(maxsize=512)
def _host_pattern(prefix: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", prefix)
    pattern = "".join(
        f"(?P<{part}>[A-Za-z0-9-]+)" if index % 2 else re.escape(part) for index, part in enumerate(parts)
    )
    return re.compile(pattern)


def _host_labels(prefix: str, host: str) -> dict[str, str]:
    found = _host_pattern(prefix).match(host)
    return found.groupdict() if found else {}
