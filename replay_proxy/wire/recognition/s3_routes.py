"""From an HTTP request to the operation of S3.

S3 differs from other REST services in three ways. The bucket is in the path or in the host. A key is any
text: it may begin with a slash, end with one, and hold several in a row, so a path is cut once, after the
bucket, and never split. And many operations share one method and level (service, bucket, object), told apart
by subresources in the query string (`?versioning`), by required parameters (`uploadId`), and by headers
(`x-amz-copy-source`); the model says which (`rest_routes.choose`).

A browser's form upload is no operation in botocore's model: it is called `PostObject` here, the name in S3's
API reference (https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html).

S3 Control and S3 on Outposts sign as S3 does. Their paths begin with a segment that no bucket is called by.
"""

from __future__ import annotations

from functools import lru_cache

from replay_proxy.wire.models.operations import Route, routes
from replay_proxy.wire.recognition.evidence import Evidence
from replay_proxy.wire.recognition.rest_routes import choose, find_route, specificity

POST_OBJECT = "PostObject"
_SIBLINGS = {"v20180820": ("s3control",), "S3Outposts": ("s3outposts",)}
_SERVICE, _BUCKET, _OBJECT = range(3)
_LEVEL_OF_PATH = {"/": _SERVICE, "/{Bucket}": _BUCKET, "/{Bucket}/{Key+}": _OBJECT}
_OBJECT_LAMBDA_PATH = "/WriteGetObjectResponse"
# Two operations list buckets with the same request; the signing name (or the `x-id` that some SDKs send) tells which.
_LIST_DIRECTORY_BUCKETS = "ListDirectoryBuckets"
_NOT_BY_LEVEL = frozenset({_LIST_DIRECTORY_BUCKETS, POST_OBJECT})
_POST_OBJECT_ROUTE = Route("s3", POST_OBJECT, "rest-xml", "POST", "/{Bucket}")


def find_s3_route(evidence: Evidence) -> Route | None:
    """Return the operation of S3, or of S3 Control, that a request is for; None where there is none."""
    method, path, query, headers = evidence.method, evidence.path, evidence.query, evidence.headers
    sibling = _SIBLINGS.get(path.split("/", 2)[1])
    if sibling:
        found = find_route(sibling, method, path, query, headers)
        if found is not None:
            return found
    if path == _OBJECT_LAMBDA_PATH and method == "POST" and "x-amz-request-route" in headers:
        return _special().get(path)
    level = _level(path, bool(evidence.host.bucket))
    if method == "POST" and level == _BUCKET and headers.get("content-type").startswith("multipart/form-data"):
        return _POST_OBJECT_ROUTE
    # Not lenient: of `POST /bucket/key` with nothing else, no operation of S3 is meant.
    found = choose(_by_level().get((method, level), ()), query, headers, lenient=False)
    if found is None or found.operation != "ListBuckets":
        return found
    directory = evidence.credentials.signing_name == "s3express" or query.get("x-id") == _LIST_DIRECTORY_BUCKETS
    return _special()[_LIST_DIRECTORY_BUCKETS] if directory else found


def _level(path: str, bucket_in_host: bool) -> int:
    if bucket_in_host:
        return _OBJECT if len(path) > 1 else _BUCKET
    rest = path.lstrip("/")
    if not rest:
        return _SERVICE
    _, slash, key = rest.partition("/")
    return _OBJECT if slash and key else _BUCKET


@lru_cache(maxsize=1)
def _by_level() -> dict[tuple[str, int], tuple[Route, ...]]:
    table: dict[tuple[str, int], list[Route]] = {}
    for route in routes("s3"):
        level = _LEVEL_OF_PATH.get(route.path)
        if level is not None and route.operation not in _NOT_BY_LEVEL:
            table.setdefault((route.method, level), []).append(route)
    return {key: tuple(sorted(found, key=specificity)) for key, found in table.items()}


@lru_cache(maxsize=1)
def _special() -> dict[str, Route]:
    """Return the routes outside of the three levels by path, and the one that shares another's route by name."""
    special = {route.path: route for route in routes("s3") if route.path not in _LEVEL_OF_PATH}
    special.update({route.operation: route for route in routes("s3") if route.operation == _LIST_DIRECTORY_BUCKETS})
    return special
