"""Paths by which emulators are controlled, and objects of S3 that have such names.

moto, LocalStack and others take a path like `/moto-api/reset` for themselves, whatever the method and whatever `Host` says.
No bucket has such a name, so a request to one is no call, unless its `Host` names a bucket: then it is about an object. Sent
with the bucket in its path (`/bucket/moto-api/reset`) it means the same object to every emulator, and controls none.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html (the two forms).
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace
from typing import Final
from urllib.parse import unquote

from replay_proxy.exchange import Headers, Request
from replay_proxy.wire.models.endpoint_hosts import parse_host

_CONTROLS: Final = ("/moto-api/", "/_ministack/", "/_localstack/", "/_floci/")
_MAY_CONTROL: Final = re.compile(r"moto-api|_ministack|_localstack|_floci|%").search


def controls_an_emulator(target: str) -> bool:
    """Return whether an emulator may take a request to `target` for one that is meant for itself."""
    return bool(_MAY_CONTROL(target)) and _path(target).startswith(_CONTROLS)


def with_bucket_in_path(request: Request) -> Request:
    """Return a request that would control an emulator with the bucket of its `Host` in its path; any other one as it is."""
    if not controls_an_emulator(request.target):
        return request
    host = request.headers.get("host").strip()
    bucket = parse_host(host).bucket
    if not bucket or not request.target.startswith("/"):
        return request
    pairs = [
        (name, host[len(bucket) + 1 :] if name.lower() == "host" else value) for name, value in request.headers.pairs
    ]
    return replace(request, target=f"/{bucket}{request.target}", headers=Headers(pairs))


def _path(target: str) -> str:
    """Return the path of a target as an emulator reads it: decoded, with single slashes, without dots."""
    path = unquote(target.partition("?")[0])
    if "://" in path:
        path = "/" + path.partition("://")[2].partition("/")[2]
    return posixpath.normpath("/" + path.lstrip("/")) + "/"
