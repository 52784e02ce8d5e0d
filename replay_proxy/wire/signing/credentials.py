"""Who signed a request, for which service and region: the credential scope, in every form that signatures take.

| form | where | names |
|---|---|---|
| SigV4 | `Authorization: AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, ...` | region, service |
| SigV4a | `AWS4-ECDSA-P256-SHA256 Credential=KEY/DATE/SERVICE/aws4_request, ...`, `X-Amz-Region-Set` | service |
| presigned | query `X-Amz-Credential`, `X-Amz-Algorithm` | as above |
| SigV2, S3 | `Authorization: AWS KEY:SIGNATURE`, or query `AWSAccessKeyId` | nothing |
| SigV2, query | query or form `AWSAccessKeyId` | nothing |
| SigV3 | `X-Amzn-Authorization: AWS3 AWSAccessKeyId=KEY, ...` | nothing |

Nothing is verified: emulators do not, and a proxy has no secrets. A malformed value gives whatever part of it
can be read. Source:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from replay_proxy.exchange import Headers, Request


class Credentials(NamedTuple):
    """The credential scope of a request; empty parts are not said by its signature.

    access_key: as sent. region, signing_name: of the scope; some forms of signature name none. only_s3: signed in a way
    that only S3 understands.
    """

    access_key: str = ""
    region: str = ""
    signing_name: str = ""
    only_s3: bool = False

    @property
    def account(self) -> str:
        """Return the account that the access key id is spelled like (LocalStack and MiniStack take it for that); else empty.

        moto does not: whoever can ask the emulator knows better (`AccessKeys.placed`).
        """
        return self.access_key if is_spelled_like_account(self.access_key) else ""


UNSIGNED = Credentials()
ACCOUNT_HEADER = "x-moto-account-id"
"""A field in which moto's clients name the account, before their access key does."""
TOKEN_HEADER = "x-amz-security-token"  # noqa: S105  # the name of a field
_TOKEN_PARAMETER = re.compile(r"[?&]x-amz-security-token=", re.IGNORECASE)
SCOPE_CHARACTERS_MAX = 512
"""Longer credential scopes are not remembered. An access key id has 128 characters at most, the rest is shorter."""


def is_spelled_like_account(access_key: str) -> bool:
    """Return whether an access key id is spelled like an account: 12 digits."""
    return len(access_key) == 12 and access_key.isascii() and access_key.isdigit()


def has_session_token(request: Request) -> bool:
    """Return whether a request is signed with temporary credentials, which come with a token: in a field, or presigned."""
    return TOKEN_HEADER in request.headers or _TOKEN_PARAMETER.search(request.target) is not None


def in_the_name_of(like: Request, request: Request) -> Request:
    """Return `request` in the name of whoever sent `like`: with its signature, its session token and the account it names."""
    headers = request.headers
    for name in ("Authorization", TOKEN_HEADER, ACCOUNT_HEADER):
        if given := like.headers.get(name.lower()):
            headers = headers.replaced(name, given)
    return replace(request, headers=headers)


def read_credentials(headers: Headers, query: Mapping[str, str]) -> Credentials:
    """Return the credential scope of a request, from its headers, else from its query parameters. Never raises."""
    authorization = headers.get("authorization")
    if authorization:
        if authorization.startswith("AWS4"):
            start = authorization.find("Credential=")
            if start >= 0:
                end = authorization.find(",", start)
                scope = authorization[start + 11 : end if end >= 0 else None].strip()
                return _of_scope(scope, "ECDSA" in authorization[:start], headers.get("x-amz-region-set"))
            return UNSIGNED
        if authorization.startswith("AWS "):
            return Credentials(authorization[4:].partition(":")[0].strip(), only_s3=True)
        if authorization.startswith("AWS3"):
            return _from_sigv3(authorization)
    if query:
        scope = query.get("X-Amz-Credential", "")
        if scope:
            asymmetric = "ECDSA" in query.get("X-Amz-Algorithm", "")
            return _of_scope(scope, asymmetric, query.get("X-Amz-Region-Set", ""))
        key = query.get("AWSAccessKeyId", "")
        if key:
            # An S3 link signed with SigV2 expires and names no action; a query signed with SigV2 names one.
            return Credentials(key, only_s3="Expires" in query and "Action" not in query)
    older = headers.get("x-amzn-authorization")
    return _from_sigv3(older) if older else UNSIGNED


def _of_scope(scope: str, asymmetric: bool, region_set: str) -> Credentials:
    if len(scope) + len(region_set) <= SCOPE_CHARACTERS_MAX:
        return _from_scope(scope, asymmetric, region_set)
    return _from_scope.__wrapped__(scope, asymmetric, region_set)


@lru_cache(maxsize=1024)
def _from_scope(scope: str, asymmetric: bool, region_set: str) -> Credentials:
    # An access key id may hold slashes, so the scope is read from its end.
    if asymmetric:
        parts = scope.rsplit("/", 3)
        if len(parts) == 4:
            region = region_set if region_set and "*" not in region_set and "," not in region_set else ""
            return Credentials(parts[0], region, parts[2])
    else:
        parts = scope.rsplit("/", 4)
        if len(parts) == 5:
            return Credentials(parts[0], parts[2], parts[3])
    return Credentials(scope.partition("/")[0].partition(" ")[0])


def _from_sigv3(value: str) -> Credentials:
    return Credentials(value.partition("AWSAccessKeyId=")[2].partition(",")[0].strip())
