"""Signatures that travel in a body: SigV2 forms of the query protocol, and the policy of a browser's upload to S3."""

from __future__ import annotations

import re

from replay_proxy.exchange import Headers

_SIGV2_FIELDS = (b"signature", b"securitytoken")
# Without its signature a policy is refused; without policy and signature, an upload is an anonymous one.
_UPLOAD_FIELDS = frozenset(
    {
        "awsaccesskeyid",
        "policy",
        "signature",
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-security-token",
        "x-amz-signature",
    }
)
_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,200})"|([^\s;]{1,200}))', re.IGNORECASE)
_NAME = re.compile(rb'(?<![a-z])name="([^"]*)"', re.IGNORECASE)


def scrub_form(body: bytes) -> bytes:
    """Return a SigV2-signed form without its signature and token; every other byte stays."""
    fields = body.split(b"&")
    return b"&".join(field for field in fields if field.partition(b"=")[0].lower() not in _SIGV2_FIELDS)


def scrub_form_upload(headers: Headers, body: bytes) -> bytes:
    """Return a form upload without its policy, credential and signature; the same object where there are none."""
    boundary = _BOUNDARY.search(headers.get("content-type"))
    if boundary is None:
        return body
    mark = b"--" + (boundary.group(1) or boundary.group(2)).encode("latin-1", "replace")
    pieces = body.split(mark)
    kept = [piece for piece in pieces if not _is_secret(piece)]
    return body if len(kept) == len(pieces) else mark.join(kept)


def _is_secret(piece: bytes) -> bool:
    found = _NAME.search(piece.partition(b"\r\n\r\n")[0][:2048])
    return found is not None and found.group(1).decode("latin-1").lower() in _UPLOAD_FIELDS
