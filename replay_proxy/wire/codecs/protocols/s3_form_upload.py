"""A browser's upload to S3 (POST Object): a `multipart/form-data` body to parameters.

The fields before `file` are the object's key and properties; what follows it is ignored, as S3 ignores it
(https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html). Policy, credential and signature fields are no
members of the operation and are left out.
"""

from __future__ import annotations

import re
from typing import Any

from botocore.model import Shape

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Headers
from replay_proxy.wire.codecs.protocols.limits import check_size

_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,200})"|([^\s;]{1,200}))', re.IGNORECASE)
_FIELD = re.compile(r'(?<![a-z])(name|filename)="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_FIELDS_MAX = 256


def read_form_upload(shape: Shape, headers: Headers, body: bytes) -> dict[str, Any]:
    """Return the parameters of a form upload, `Body` among them. Raises MalformedMessage."""
    check_size(len(body), "the form upload")
    boundary = _BOUNDARY.search(headers.get("content-type"))
    if boundary is None:
        raise MalformedMessage("a form upload without a boundary in its Content-Type")
    by_field = {member.serialization["name"].lower(): name for name, member in shape.members.items()}
    params: dict[str, Any] = {}
    metadata: dict[str, str] = {}
    mark = b"--" + (boundary.group(1) or boundary.group(2)).encode("latin-1", "replace")
    for field, filename, content in _parts(body, mark):
        name = field.lower()
        if name == "file":
            params["Body"] = content
            if "${filename}" in params.get("Key", ""):
                params["Key"] = params["Key"].replace("${filename}", filename)
            break
        if name.startswith("x-amz-meta-"):
            metadata[name.removeprefix("x-amz-meta-")] = content.decode("utf-8", "replace")
        elif name in by_field:
            params[by_field[name]] = content.decode("utf-8", "replace")
    if metadata:
        params["Metadata"] = metadata
    return params


def _parts(body: bytes, mark: bytes) -> list[tuple[str, str, bytes]]:
    """Return field name, file name and content of each part."""
    parts: list[tuple[str, str, bytes]] = []
    pieces = (b"\r\n" + body).split(b"\r\n" + mark, _FIELDS_MAX)
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            return parts
        top, blank, content = piece.partition(b"\r\n\r\n")
        if not blank:
            raise MalformedMessage("a form upload with a part that has no content")
        names = {key.lower(): value for key, value in _FIELD.findall(top.decode("utf-8", "replace"))}
        if "name" in names:
            parts.append((names["name"], names.get("filename", ""), content))
    if len(pieces) < 2:
        raise MalformedMessage("a form upload without its boundary")
    return parts
