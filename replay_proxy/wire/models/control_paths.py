"""Paths by which emulators are controlled, and objects of S3 that have such names.

moto, LocalStack and others take a path like `/moto-api/reset` for themselves, whatever the method and whatever `Host` says.
No bucket has such a name, so a request to one is no call, unless its `Host` names a bucket: then it is about an object. Sent
with the bucket in its path (`/bucket/moto-api/reset`) it means the same object to every emulator, and controls none.

Servers do not agree on what the path of a target is. Of those that emulators are built with, Werkzeug (moto) drops what
follows a `#` and any scheme, with a host or without, and white space of Latin-1 at both ends; Twisted (LocalStack) and
Hypercorn (MiniStack) drop less; others (Vert.x, in Floci) resolve `..` and parameters of segments (`;a=b`). So a target is
refused that is none of the forms that clients send, and of any other every reading counts.

Sources: https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html (the two forms of buckets); RFC 9112,
section 3.2 (the forms of a target, none with a fragment); `WSGIRequestHandler.make_environ` of Werkzeug.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final
from urllib.parse import unquote

from replay_proxy.exchange import Headers, Request
from replay_proxy.wire.models.endpoint_hosts import parse_host

_NAMES: Final = ("moto-api", "_ministack", "_localstack", "_floci")
"""The first segments of such paths."""
_PREFIXES: Final = tuple(f"/{name}/" for name in _NAMES)
_MAY_CONTROL: Final = re.compile("|".join(map(re.escape, (*_NAMES, "%")))).search
_AUTHORITY: Final = re.compile(r"https?://[^/]+", re.IGNORECASE).match
_SEGMENT_PARAMETERS: Final = re.compile(r";[^/]*")


def flaw_of_target(target: str) -> str:
    """Return why no request may be sent to `target`; empty where one may."""
    path = target.partition("?")[0]
    if not path.startswith("/") and target != "*" and not _AUTHORITY(path):
        return "its target is neither a path nor a URL"
    if "#" in path:
        return "a fragment in its target"
    if controls_an_emulator(target):
        return "it would control an emulator"
    return ""


def controls_an_emulator(target: str) -> bool:
    """Return whether an emulator may take a request to `target` for one that is meant for itself.

    target: one of the forms of HTTP, without a fragment (`flaw_of_target` refuses others).
    """
    return bool(_MAY_CONTROL(target)) and any(path.startswith(_PREFIXES) for path in _readings(target))


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


def _readings(target: str) -> Iterator[str]:
    """Yield the paths that servers may read in a target, each with a slash at its end.

    Each is decoded (some decode twice) and has one slash at its beginning; and once more without dots and parameters.
    """
    path = target.partition("?")[0].strip()
    if not path.startswith("/"):
        # Behind a leading slash, `://` is a part of the path: keys of objects may be URLs.
        authority = _AUTHORITY(path)
        path = path[authority.end() :] if authority else path
    for _ in range(2):
        path = unquote(path)
        yield f"/{path.lstrip('/')}/"
        yield f"{posixpath.normpath('/' + _SEGMENT_PARAMETERS.sub('', path).lstrip('/'))}/"
