"""Error answers of every protocol: where each keeps its code and its message.

| protocol | code | message |
|---|---|---|
| json | body `__type`, else header `x-amzn-errortype` | `message`, `Message` |
| rest-json | header `x-amzn-errortype`, else body `code`, `Code`, `__type` | the same |
| smithy-rpc-v2-cbor | body `__type` | the same |
| query | `<ErrorResponse><Error><Code>` | `<Message>` |
| ec2 | `<Response><Errors><Error><Code>` | `<Message>` |
| rest-xml | `<ErrorResponse><Error><Code>`, in S3 `<Error><Code>` | `<Message>` |

A header `x-amzn-query-error: CODE;FAULT` overrides the code: services that have moved from query to another protocol
(SQS) keep their old codes there (https://smithy.io/2.0/aws/protocols/aws-query-protocol.html).
Codes are cut to their name: `com.amazonaws.sqs#QueueDoesNotExist:http://…` is `QueueDoesNotExist`.
"""

from __future__ import annotations

import re
from typing import Any

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, Body
from replay_proxy.wire.codecs.content_coding import answer_body
from replay_proxy.wire.codecs.protocols.cbor import load_cbor
from replay_proxy.wire.codecs.protocols.json import load_json
from replay_proxy.wire.codecs.protocols.xml import Node, children, load_xml, tag

_MESSAGE_BYTES_MAX = 4096
_ERROR_ROOT = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}\?>)?\s*<(?:\w+:)?(?:Error|ErrorResponse)[\s>]")


def read_error(protocol: str, answer: Answer, body: Body) -> tuple[str, str]:
    """Return code and message of an error answer, each empty where the answer has none. Never raises."""
    try:
        content = answer_body(answer.headers, body, None)
    except MalformedMessage:
        content = b""
    if not isinstance(content, bytes):
        return "", ""
    code, message = _from_body(protocol, content)
    of_header = _name(answer.headers.get("x-amzn-errortype"))
    if of_header and (protocol == "rest-json" or not code):
        code = of_header
    query_code, semicolon, _ = answer.headers.get("x-amzn-query-error").partition(";")
    return (query_code if semicolon and query_code else code), message


def error_in_success(content: bytes) -> tuple[str, str] | None:
    """Return code and message of an XML error that came with a status of success.

    S3 sends the status of CopyObject, UploadPartCopy and CompleteMultipartUpload before it knows how they end
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html). None where there is none.
    """
    if _ERROR_ROOT.match(content) is None:
        return None
    try:
        root = load_xml(content)
    except MalformedMessage:
        return None
    return _from_xml(root)


def _from_body(protocol: str, content: bytes) -> tuple[str, str]:
    stripped = content.strip()
    if not stripped:
        return "", ""
    try:
        if stripped.startswith((b"<", b"\xef\xbb\xbf<")):
            return _from_xml(load_xml(content))
        if 0xA0 <= content[0] < 0xC0:
            return _from_plain(protocol, load_cbor(content))
        return _from_plain(protocol, load_json(content))
    except MalformedMessage:
        return "", content[:_MESSAGE_BYTES_MAX].decode("utf-8", "replace")


def _from_plain(protocol: str, plain: Any) -> tuple[str, str]:
    if not isinstance(plain, dict):
        return "", ""
    nested = plain.get("Error", plain.get("error"))
    if isinstance(nested, dict) and "__type" not in plain:
        plain = nested
    code_keys = ("code", "Code", "__type") if protocol == "rest-json" else ("__type", "code", "Code")
    code = next((str(plain[key]) for key in code_keys if isinstance(plain.get(key), str | int)), "")
    if not code and isinstance(plain.get("error"), str):  # OAuth 2.0 (sso-oidc)
        code = plain["error"]
    message_keys = ("message", "Message", "errorMessage", "error_description")
    message = next((plain[key] for key in message_keys if isinstance(plain.get(key), str)), "")
    return _name(code), message


def _from_xml(root: Node) -> tuple[str, str]:
    if tag(root).lower() == "html":
        return "", ""
    error = root
    for step in ("Errors", "Error"):
        found = children(error).get(step)
        if found:
            error = found[0]
    parts = children(error)
    code = next((parts[name][0].text for name in ("Code", "code") if name in parts), None)
    message = next((parts[name][0].text for name in ("Message", "message") if name in parts), None)
    return (code or "").strip(), message or ""


def _name(code: str) -> str:
    return code.partition(":")[0].rpartition("#")[2].strip()
