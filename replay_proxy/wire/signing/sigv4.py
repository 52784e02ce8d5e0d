"""Signatures: removed before a request is stored, made again before it is sent.

`scrub` removes what proves an identity (signatures, session tokens, bearer tokens) and returns what only names it:
access key id, region and service of the credential scope, which emulators derive the account and the region from.
What a stored request keeps: the date, and of a presigned URL every parameter but the signature and the token. An
upload in `aws-chunked` framing loses the framing with its chunk signatures (`without_aws_chunked`); one that lies in a
blob keeps its bytes, whose chunk signatures cannot be used without the key that made them.

`sign_again` does the reverse. Most emulators read the credential scope and verify nothing, so that a placeholder serves for
a signature; for one that does verify, pass the secret key, and botocore signs. Dates are renewed: a presigned
URL of last month is expired, and some emulators check that.

A credential without a key or without a service (unsigned calls, bearer tokens, SigV2 forms, which keep their key id
in the form) cannot be signed again, and its request is sent as it was stored.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote, unquote, urlsplit

from botocore.auth import HmacV1QueryAuth, S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import BlobRef, Headers, Request
from replay_proxy.wire.codecs.aws_chunked import is_aws_chunked, without_aws_chunked
from replay_proxy.wire.codecs.protocols.query import load_pairs
from replay_proxy.wire.models.endpoint_hosts import parse_host
from replay_proxy.wire.signing.credentials import SCOPE_CHARACTERS_MAX, read_credentials
from replay_proxy.wire.signing.scrub_form import scrub_form, scrub_form_upload

PLACEHOLDER_SIGNATURE = "0" * 64
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"

_TOKEN_HEADERS = frozenset(
    (
        "authorization",
        "proxy-authorization",
        "x-amzn-authorization",
        "x-amz-security-token",
        "x-amz-s3session-token",
        "x-amz-bearer-token",
    )
)
_TOKEN_PARAMETERS = frozenset({"x-amz-signature", "x-amz-security-token", "x-amz-s3session-token"})
_SIGV2_PARAMETERS = frozenset({"signature", "securitytoken", "x-amz-security-token"})
_SCOPE_PARAMETERS = frozenset(
    {"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders"}
)
_EXPIRY_DEFAULT_S = 3600
_EXPIRY_MAX_S = 7 * 24 * 3600
_S3_SIGNING_NAMES = ("s3", "s3-object-lambda", "s3express", "s3-outposts")


@dataclass(frozen=True, slots=True)
class Credential:
    """Who signed a request: nothing in it is secret.

    kind: `header` or `query` (SigV4 and SigV4a), `sigv2-header`, `sigv2-query` (also in a form), `bearer` (or any
    other Authorization), `none`. service: the signing name, which is not always botocore's name of the service.
    """

    access_key: str = ""
    region: str = ""
    service: str = ""
    kind: str = "none"


def scrub(request: Request) -> tuple[Request, Credential]:
    """Return `request` without signatures and tokens, and what is stored of its credential. Never raises."""
    credential = credential_of(request)
    headers = request.headers.less(_TOKEN_HEADERS)
    target = request.target
    if "?" in target:
        dropped = _TOKEN_PARAMETERS | (_SIGV2_PARAMETERS if credential.kind.startswith("sigv2") else frozenset())
        target = _without_parameters(target, dropped)
    stripped = Request(request.method, target, headers, request.body)
    if is_aws_chunked(request.headers):
        with suppress(MalformedMessage):  # what is broken is stored as it came, to be refused again at a replay
            stripped = without_aws_chunked(stripped)
    if isinstance(stripped.body, bytes) and stripped.body:
        content_type = request.headers.get("content-type").lower()
        body = stripped.body
        if content_type.startswith("application/x-www-form-urlencoded") and credential.kind == "sigv2-query":
            body = scrub_form(body)
        elif content_type.startswith("multipart/form-data"):
            body = scrub_form_upload(headers, body)
        if body is not stripped.body:
            resized = stripped.headers
            if "content-length" in resized:
                resized = resized.replaced("Content-Length", str(len(body)))
            stripped = Request(stripped.method, stripped.target, resized, body)
    return stripped, credential


def credential_of(request: Request) -> Credential:
    """Return what a request says of its signer. Never raises."""
    headers = request.headers
    query = _pairs(request.query.encode("latin-1", "replace")) if "?" in request.target else {}
    found = read_credentials(headers, query)
    authorization = headers.get("authorization")
    if authorization.startswith("AWS4-"):
        if len(found.access_key) + len(found.region) + len(found.signing_name) > SCOPE_CHARACTERS_MAX:
            return Credential(found.access_key, found.region, found.signing_name, "header")
        return _by_header(found.access_key, found.region, found.signing_name)
    if authorization.startswith("AWS ") or headers.get("x-amzn-authorization"):
        return Credential(found.access_key, "", "s3" if found.only_s3 else "", "sigv2-header")
    if authorization:
        return Credential(kind="bearer")
    if query.get("X-Amz-Credential"):
        return Credential(found.access_key, found.region, found.signing_name, "query")
    if query.get("AWSAccessKeyId"):
        return Credential(query["AWSAccessKeyId"], kind="sigv2-query")
    if isinstance(request.body, bytes) and b"AWSAccessKeyId=" in request.body:
        form = _pairs(request.body)
        if "Signature" in form:
            return Credential(form["AWSAccessKeyId"], kind="sigv2-query")
    return Credential()


@lru_cache(maxsize=1024)
def _by_header(access_key: str, region: str, service: str) -> Credential:
    return Credential(access_key, region, service, "header")


def sign_again(
    request: Request,
    *,
    access_key: str,
    region: str,
    service: str,
    secret_key: str = "",
    session_token: str = "",
    now: datetime | None = None,
) -> Request:
    """Return a stored request signed again in the way in which it had been: by header, presigned, or presigned SigV2.

    service: the signing name; without it, or without a key, the request itself is returned. region: where it is empty
    (SigV2 names none, and emulators fail on an empty one), that of the host, or `us-east-1`. secret_key: empty for a placeholder;
    else a real SigV4 signature, with the current time. session_token: of a temporary key; empty to leave what the request
    says of one, in its headers. now: the time to write beside a placeholder, by default the
    current one (aware). The payload's hash is set anew; for a blob it is `UNSIGNED-PAYLOAD`, and framed uploads keep
    theirs (`STREAMING-…`).
    """
    moment = now or datetime.now(UTC)
    names: set[str] = set()
    if "?" in request.target:
        names = {name.lower() for name in _pairs(request.query.encode("latin-1", "replace"))}
    if "awsaccesskeyid" in names:
        expires = int(moment.timestamp()) + _EXPIRY_DEFAULT_S
        target = _without_parameters(request.target, _SIGV2_PARAMETERS | {"expires", "awsaccesskeyid"})
        if secret_key and "signatureversion" not in names:
            credentials = BotocoreCredentials(access_key, secret_key, session_token or None)
            return _sign_presigned_v2(request, target, credentials, expires)
        return _with_parameters(
            request,
            target,
            {"AWSAccessKeyId": access_key, "Expires": str(expires), "Signature": PLACEHOLDER_SIGNATURE[:28]},
        )
    if not access_key or not service:
        return request
    region = region or parse_host(request.headers.get("host")).region or "us-east-1"
    presigned = "x-amz-credential" in names
    if secret_key:
        credentials = BotocoreCredentials(access_key, secret_key, session_token or None)
        return _sign(request, credentials, region, service, presigned)
    date = _written(int(moment.timestamp()))
    scope = f"{access_key}/{date[:8]}/{region}/{service}/aws4_request"
    if presigned:
        return _with_parameters(
            request,
            _without_parameters(request.target, _TOKEN_PARAMETERS | _SCOPE_PARAMETERS),
            {
                "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
                "X-Amz-Credential": scope,
                "X-Amz-Date": date,
                "X-Amz-Expires": str(_expiry(request)),
                "X-Amz-SignedHeaders": "host",
                "X-Amz-Signature": PLACEHOLDER_SIGNATURE,
            },
        )
    headers = _with_payload_hash(request, service).replaced("X-Amz-Date", date)
    signed = headers.of_names(_signed_headers)
    headers = headers.replaced(
        "Authorization",
        f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={signed}, Signature={PLACEHOLDER_SIGNATURE}",
    )
    return Request(request.method, request.target, headers, request.body)


@lru_cache(maxsize=8)
def _written(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")


def _signed_headers(names: tuple[str, ...]) -> str:
    return ";".join(sorted({"host"}.union(name for name in names if name.startswith("x-amz-"))))


def payload_hash(request: Request) -> str:
    """Return the value of `X-Amz-Content-SHA256` that fits the request as it is now."""
    declared = request.headers.get("x-amz-content-sha256")
    if declared.startswith("STREAMING-") or declared == UNSIGNED_PAYLOAD:
        return declared
    if isinstance(request.body, BlobRef):
        return UNSIGNED_PAYLOAD
    if not request.body and request.headers.get("content-length", "0") != "0":
        return declared or UNSIGNED_PAYLOAD  # the body streams, and is not at hand
    return hashlib.sha256(request.body).hexdigest()


def _with_payload_hash(request: Request, service: str) -> Headers:
    if service in _S3_SIGNING_NAMES or "x-amz-content-sha256" in request.headers:
        return request.headers.replaced("X-Amz-Content-SHA256", payload_hash(request))
    return request.headers


def _sign(request: Request, credentials: BotocoreCredentials, region: str, service: str, presigned: bool) -> Request:
    target = _without_parameters(request.target, _TOKEN_PARAMETERS | _SCOPE_PARAMETERS)
    # Nothing but the host of this URL is signed; the scheme is not.
    url = f"https://{request.headers.get('host') or 'localhost'}{target}"
    unsigned = AWSRequest(method=request.method, url=url, headers=dict(_signable(request.headers)))
    s3 = service in _S3_SIGNING_NAMES
    if presigned:
        query_signer = _S3Query if s3 else _Query
        query_signer(credentials, service, region, _expiry(request), payload_hash(request)).add_auth(unsigned)
        signed_target = unsigned.url.partition("://")[2]
        path = "/" + signed_target.partition("/")[2]
        return Request(request.method, path, request.headers, request.body)
    header_signer = _S3Header if s3 else _Header
    header_signer(credentials, service, region, payload_hash(request)).add_auth(unsigned)
    headers = _with_payload_hash(request, service)
    for name in ("X-Amz-Date", "X-Amz-Content-SHA256", "X-Amz-Security-Token", "Authorization"):
        if name in unsigned.headers:
            headers = headers.replaced(name, str(unsigned.headers[name]))
    return Request(request.method, target, headers, request.body)


def _sign_presigned_v2(request: Request, target: str, credentials: BotocoreCredentials, expires: int) -> Request:
    """Return an S3 request that was presigned the old way. expires: seconds since the epoch.

    The source: "Signing and authenticating REST requests (AWS signature version 2)" in the S3 developer guide.
    """
    host = request.headers.get("host") or "localhost"
    bucket = parse_host(host).bucket
    path = target.partition("?")[0]
    unsigned = AWSRequest(
        method=request.method, url=f"https://{host}{target}", headers=dict(_signable(request.headers))
    )
    signer = _PresignedV2(credentials, expires)
    signature = signer.get_signature(
        request.method, urlsplit(unsigned.url), unsigned.headers, auth_path=f"/{bucket}{path}" if bucket else None
    )
    parameters = {"AWSAccessKeyId": credentials.access_key, "Expires": str(expires), "Signature": signature}
    if credentials.token:
        parameters["x-amz-security-token"] = credentials.token
    return _with_parameters(request, target, parameters)


def _signable(headers: Headers) -> list[tuple[str, str]]:
    """Return the headers that a proxy on the way leaves alone: host, content type, and AWS's own."""
    return [
        (name, value)
        for name, value in headers
        if name.lower() in ("host", "content-type", "content-md5") or name.lower().startswith("x-amz-")
    ]


# botocore's signers hash the payload themselves, from the body; here the hash is known and the body may be a blob.


class _PresignedV2(HmacV1QueryAuth):  # type: ignore[misc]  # botocore has no types
    """expires: seconds since the epoch, where botocore takes a number of seconds from now."""

    def _get_date(self) -> str:
        return str(self._expires)


class _Header(SigV4Auth):  # type: ignore[misc]  # botocore has no types
    def __init__(self, credentials: BotocoreCredentials, service: str, region: str, digest: str) -> None:
        super().__init__(credentials, service, region)
        self._digest = digest

    def payload(self, request: AWSRequest) -> str:
        return self._digest


class _S3Header(S3SigV4Auth):  # type: ignore[misc]  # botocore has no types
    def __init__(self, credentials: BotocoreCredentials, service: str, region: str, digest: str) -> None:
        super().__init__(credentials, service, region)
        self._digest = digest

    def payload(self, request: AWSRequest) -> str:
        return self._digest


class _Query(SigV4QueryAuth):  # type: ignore[misc]  # botocore has no types
    def __init__(self, credentials: BotocoreCredentials, service: str, region: str, expires: int, digest: str) -> None:
        super().__init__(credentials, service, region, expires=expires)
        self._digest = digest

    def payload(self, request: AWSRequest) -> str:
        return self._digest


class _S3Query(S3SigV4QueryAuth):  # type: ignore[misc]  # botocore has no types
    """Presigned S3 URLs never sign their payload: botocore's own `payload` says so."""

    def __init__(self, credentials: BotocoreCredentials, service: str, region: str, expires: int, _digest: str) -> None:
        super().__init__(credentials, service, region, expires=expires)


def _expiry(request: Request) -> int:
    text = _pairs(request.query.encode("latin-1", "replace")).get("X-Amz-Expires", "")
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else _EXPIRY_DEFAULT_S
    return min(max(seconds, _EXPIRY_DEFAULT_S), _EXPIRY_MAX_S)


def _pairs(form: bytes) -> dict[str, str]:
    """Return the fields of a query or form; empty where it cannot be read."""
    try:
        return dict(load_pairs(form))
    except MalformedMessage:
        return {}


def _without_parameters(target: str, names: frozenset[str] | set[str]) -> str:
    """Return a request target less the query parameters called `names` (lower case); every other byte stays."""
    path, mark, query = target.partition("?")
    if not mark:
        return target
    fields = query.split("&")
    kept = [field for field in fields if unquote(field.partition("=")[0]).lower() not in names]
    if len(kept) == len(fields):
        return target
    return path + ("?" + "&".join(kept) if kept else "")


def _with_parameters(request: Request, target: str, added: dict[str, str]) -> Request:
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in added.items())
    joined = f"{target}{'&' if '?' in target else '?'}{query}"
    return Request(request.method, joined, request.headers, request.body)
