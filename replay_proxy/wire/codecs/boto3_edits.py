"""What boto3 still does to an answer after it has been parsed, so that ours reads the same.

Each edit is an event handler of botocore (`botocore/handlers.py`); each is listed in `_EDITS` with the operations that
it is for. An edit that does not apply leaves the answer as it is.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, unquote_plus

from botocore.model import OperationModel, Shape

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, CallHead
from replay_proxy.wire.codecs.protocols.json import load_json
from replay_proxy.wire.codecs.protocols.limits import DEPTH_MAX
from replay_proxy.wire.codecs.protocols.xml import load_xml, tag

Edit = Callable[[OperationModel, Answer, dict[str, Any]], None]

_LISTS: dict[str, tuple[tuple[str, ...], tuple[tuple[str, str], ...]]] = {
    "ListObjects": (
        ("Delimiter", "Marker", "NextMarker", "Prefix"),
        (("Contents", "Key"), ("CommonPrefixes", "Prefix")),
    ),
    "ListObjectsV2": (
        ("Delimiter", "Prefix", "StartAfter"),
        (("Contents", "Key"), ("CommonPrefixes", "Prefix")),
    ),
    "ListObjectVersions": (
        ("Delimiter", "KeyMarker", "NextKeyMarker", "Prefix"),
        (("Versions", "Key"), ("DeleteMarkers", "Key"), ("CommonPrefixes", "Prefix")),
    ),
}


def edit_like_boto3(
    head: CallHead, operation: OperationModel, answer: Answer, parsed: dict[str, Any]
) -> dict[str, Any]:
    """Return `parsed`, edited in place where boto3 would edit it."""
    for key in ((head.service, head.operation), (head.service, "")):
        edit = _EDITS.get(key)
        if edit is not None:
            edit(operation, answer, parsed)
    return parsed


def _decode_keys(operation: OperationModel, _answer: Answer, parsed: dict[str, Any]) -> None:
    """S3 listings: SDKs ask for `encoding-type=url`, because XML cannot hold every key, and decode the answer."""
    if parsed.get("EncodingType") != "url":
        return
    top, nested = _LISTS[operation.name]
    for name in top:
        if isinstance(parsed.get(name), str):
            parsed[name] = unquote_plus(parsed[name])
    for name, inner in nested:
        for entry in parsed.get(name, ()):
            if isinstance(entry.get(inner), str):
                entry[inner] = unquote_plus(entry[inner])


def _bucket_location(_operation: OperationModel, answer: Answer, parsed: dict[str, Any]) -> None:
    """GetBucketLocation: the model says a structure, the answer is the text of its root element."""
    if "LocationConstraint" in parsed or not isinstance(answer.body, bytes) or not answer.body.strip():
        return
    root = load_xml(answer.body)
    if tag(root) == "LocationConstraint":
        parsed["LocationConstraint"] = root.text or None


def _policies(operation: OperationModel, _answer: Answer, parsed: dict[str, Any]) -> None:
    """IAM: policy documents are URL-encoded JSON."""
    if operation.output_shape is not None:
        _decode_policies(operation.output_shape, parsed, 0)


def _decode_policies(shape: Shape, value: Any, depth: int) -> None:
    if depth > DEPTH_MAX:
        return
    if shape.type_name == "structure" and isinstance(value, dict):
        for name, member in shape.members.items():
            if name not in value:
                continue
            if member.type_name == "string" and member.name == "policyDocumentType":
                value[name] = _json_or_text(unquote(value[name]), value[name])
            else:
                _decode_policies(member, value[name], depth + 1)
    elif shape.type_name == "list" and isinstance(value, list):
        for item in value:
            _decode_policies(shape.member, item, depth + 1)


def _template(_operation: OperationModel, _answer: Answer, parsed: dict[str, Any]) -> None:
    """CloudFormation GetTemplate: a template in JSON is returned as an object, one in YAML as text."""
    if isinstance(parsed.get("TemplateBody"), str):
        parsed["TemplateBody"] = _json_or_text(parsed["TemplateBody"], parsed["TemplateBody"])


def _json_or_text(text: str, otherwise: str) -> Any:
    try:
        return load_json(text.encode("utf-8", "surrogatepass"))
    except (MalformedMessage, json.JSONDecodeError):
        return otherwise


def _console_output(_operation: OperationModel, _answer: Answer, parsed: dict[str, Any]) -> None:
    """EC2 GetConsoleOutput: text in base64, though the model says plain text."""
    if isinstance(parsed.get("Output"), str):
        try:
            parsed["Output"] = base64.b64decode(parsed["Output"]).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            return


def _expires(operation: OperationModel, answer: Answer, parsed: dict[str, Any]) -> None:
    """S3: the Expires header of an object is kept as text too, whatever its uploader wrote."""
    shape = operation.output_shape
    if shape is not None and "Expires" in shape.members and "expires" in answer.headers:
        parsed["ExpiresString"] = answer.headers.get("expires")


_EDITS: dict[tuple[str, str], Edit] = {
    ("s3", "ListObjects"): _decode_keys,
    ("s3", "ListObjectsV2"): _decode_keys,
    ("s3", "ListObjectVersions"): _decode_keys,
    ("s3", "GetBucketLocation"): _bucket_location,
    ("s3", ""): _expires,
    ("iam", ""): _policies,
    ("cloudformation", "GetTemplate"): _template,
    ("ec2", "GetConsoleOutput"): _console_output,
}
