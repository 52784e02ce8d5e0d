"""Errors of the proxy, in the protocol that the caller speaks: its SDK understands, retries and reports them.

SDKs retry on the status alone (500, 502, 503, 504) as long as they can parse the answer or need not; the code and the
message are what a user sees when the attempts are used up. Formats: `error_bodies.py` has the table.
"""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

import orjson

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.wire.models.models import UnknownModelError, service_model

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOT_HEADER = re.compile(r"[^\x20-\x7e]")


def error_response(
    head: CallHead, request: Request, *, status: int, code: str, message: str, request_id: str
) -> Answer:
    """Return an error answer to `request`, in the protocol of `head`.

    head: the call, or a guess at it (`recognition.likely_call`); its service may be empty. status: of HTTP. code:
    without a namespace (`ServiceUnavailable`). message: for people. request_id: shown by SDKs. A HEAD gets no body, so
    its client sees the status in place of the code. Never raises.
    """
    service, protocol = head.service, head.protocol
    code = _NOT_HEADER.sub("", code)
    who = "Sender" if status < 500 else "Receiver"
    request_type = request.headers.get("content-type").partition(";")[0].strip().lower()
    headers = [("x-amzn-RequestId", request_id)]
    if protocol == "query":
        content_type = "text/xml"
        body = _xml_error_response(who, code, message, request_id)
    elif protocol == "ec2":
        content_type = "text/xml;charset=UTF-8"
        body = _xml(
            f"<Response><Errors><Error><Code>{_text(code)}</Code><Message>{_text(message)}</Message></Error></Errors>"
            f"<RequestID>{_text(request_id)}</RequestID></Response>"
        )
    elif protocol == "rest-xml" and service in ("s3", ""):
        content_type = "application/xml"
        headers = [("x-amz-request-id", request_id), ("x-amz-id-2", request_id)]
        body = _xml(
            f"<Error><Code>{_text(code)}</Code><Message>{_text(message)}</Message>"
            f"<RequestId>{_text(request_id)}</RequestId><HostId>{_text(request_id)}</HostId></Error>"
        )
    elif protocol == "rest-xml":
        content_type = "text/xml"
        body = _xml_error_response(who, code, message, request_id)
    elif protocol == "smithy-rpc-v2-cbor" or request_type == "application/x-amz-cbor-1.1":
        content_type = request_type if "cbor" in request_type else "application/cbor"
        if protocol == "smithy-rpc-v2-cbor":
            headers.append(("smithy-protocol", "rpc-v2-cbor"))
        body = b"\xa2" + b"".join(_cbor_text(text) for text in ("__type", code, "message", message))
    else:
        content_type = request_type if "json" in request_type else "application/json"
        headers.append(("x-amzn-ErrorType", code))
        body = _json({"__type": code, "message": message, "Message": message})
    if protocol in ("json", "smithy-rpc-v2-cbor") and _is_query_compatible(service, request):
        headers.append(("x-amzn-query-error", f"{code};{who}"))
    if request.method == "HEAD":
        body = b""
    headers = [("Content-Type", content_type), *headers, ("Content-Length", str(len(body)))]
    return Answer(status, Headers((name, _NOT_HEADER.sub("", value)) for name, value in headers), body)


def _is_query_compatible(service: str, request: Request) -> bool:
    """Return whether the client may look for its code in `x-amzn-query-error` (the trait `awsQueryCompatible`)."""
    if request.headers.get("x-amzn-query-mode").lower() == "true":
        return True
    try:
        return bool(service_model(service).is_query_compatible)
    except UnknownModelError:
        return False


def _xml_error_response(who: str, code: str, message: str, request_id: str) -> bytes:
    return _xml(
        f"<ErrorResponse><Error><Type>{who}</Type><Code>{_text(code)}</Code><Message>{_text(message)}</Message></Error>"
        f"<RequestId>{_text(request_id)}</RequestId></ErrorResponse>"
    )


def _xml(root: str) -> bytes:
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + root.encode()


def _text(text: str) -> str:
    return escape(_NOT_XML.sub("\ufffd", text))


def _json(document: dict[str, str]) -> bytes:
    return orjson.dumps({key: text.encode("utf-8", "replace").decode() for key, text in document.items()})


def _cbor_text(text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    size = len(data)
    if size < 24:
        return bytes([0x60 | size]) + data
    return b"\x7a" + size.to_bytes(4, "big") + data
