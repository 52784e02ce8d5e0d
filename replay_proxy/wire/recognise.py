"""Which call a request makes: service, operation, protocol, account, region.

The order of the evidence, strongest first:

1. `X-Amz-Target` and Smithy RPC (`smithy-protocol`, `/service/S/operation/O`) write out service and operation.
2. The credential scope names the service, up to a few that share a signing name. Then an `Action` parameter (in
   the query string or in a form) names the operation of a query service; method, path and query string name
   that of a REST service. An endpoint's host, or a user agent into which an SDK writes its service, narrows a
   shared signing name.
3. Unsigned requests, and those whose signature names no service (SigV2, bearer tokens): the host or the user
   agent; the API version of a query; the account and queue in an SQS queue URL; the date that a REST path begins
   with; and last S3, if the host may be an emulator's and the path can be a bucket and a key.

What an emulator serves besides the APIs of AWS (`/_localstack/health`, invocations of a REST API, function URLs)
is no call: None. So is an operation that the installed models do not know.

Nothing here raises, whatever the bytes. No body is read but for two or three fields of a form.
"""

from __future__ import annotations

import re
from functools import lru_cache

from replay_proxy.exchange import CallHead, Request
from replay_proxy.wire.candidates import candidate_services
from replay_proxy.wire.credentials import Credentials
from replay_proxy.wire.evidence import Evidence, read_evidence
from replay_proxy.wire.form import form_bytes, form_field, is_form
from replay_proxy.wire.operations import Route, operation_names
from replay_proxy.wire.rest_routes import find_route
from replay_proxy.wire.s3_routes import find_s3_route
from replay_proxy.wire.services import ServiceIndex, extended_index, service_index

_QUEUE_PATH = re.compile(r"/(?:queue/(?P<region>[a-z0-9-]+)/)?\d{12}/[A-Za-z0-9_.-]+/?")
_SMITHY_PATH = re.compile(r"/service/(?P<service>[^/]+)/operation/(?P<operation>[^/]+)/?$")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{2,62}")
# Names that a bucket could have, under which emulators and browsers look for something else.
_NOT_BUCKETS = frozenset({"restapis", "moto-api", "health", "graphql", "favicon.ico", "robots.txt"})
# The REST services with operations that are never signed (`smithy.api#noAuth` in their models).
_NEVER_SIGNED = ("sso", "sso-oidc", "signin")
_CONNECTIONS = "/@connections/"


def recognise(request: Request) -> CallHead | None:
    """The call that a request makes, or None if it is no call of an AWS API that is known here. Never raises."""
    seen = read_evidence(request)
    known = service_index()
    found = _recognise(known, seen, request)
    if found is None:
        extended = extended_index()
        if extended is not known:
            found = _recognise(extended, seen, request)
    return found


def needs_body(request: Request) -> bool:
    """Whether `recognise` must see the (form) body of this request: decided from its headers. Never raises."""
    if request.method != "POST":
        return False
    seen = read_evidence(request)
    index = service_index()
    return _form_may_decide(index, seen, candidate_services(index, seen))


def _recognise(index: ServiceIndex, seen: Evidence, request: Request) -> CallHead | None:
    if not seen.path:
        return None
    target = seen.headers.get("x-amz-target")
    if target:
        prefix, _, operation = target.rpartition(".")
        service = _rpc_service(index, seen, prefix, operation)
        if service:
            return _head(service, operation, "json", seen)
    if "smithy-protocol" in seen.headers:
        smithy = _SMITHY_PATH.search(seen.path)
        if smithy:
            service = _rpc_service(index, seen, smithy["service"], smithy["operation"])
            if service:
                return _head(service, smithy["operation"], "smithy-rpc-v2-cbor", seen)
    services = candidate_services(index, seen)
    if "Action" in seen.query:
        head = _query_call(index, seen, services, seen.query["Action"], seen.query.get("Version", ""))
        if head is not None:
            return head
    elif _form_may_decide(index, seen, services):
        form = form_bytes(request)
        action = form_field(form, b"Action") if form else ""
        if action:
            if not seen.credentials.access_key:
                seen = seen._replace(credentials=Credentials(form_field(form, b"AWSAccessKeyId")))
            head = _query_call(index, seen, services, action, form_field(form, b"Version"))
            if head is not None:
                return head
    route = _rest_route(index, seen, services)
    return _head(route.service, route.operation, route.protocol, seen) if route is not None else None


def _head(service: str, operation: str, protocol: str, seen: Evidence) -> CallHead:
    credentials = seen.credentials
    return _made(
        service,
        operation,
        protocol,
        credentials.account,
        credentials.region or seen.host.region,
        credentials.access_key,
    )


# Clients make the same few calls again and again.
_made = lru_cache(maxsize=1024)(CallHead)


def _rpc_service(index: ServiceIndex, seen: Evidence, prefix: str, operation: str) -> str:
    """The service of a request that writes its operation out; empty where there is none."""
    services = index.by_target_prefix.get(prefix, ())
    if len(services) != 1:
        pointed_to = candidate_services(index, seen)
        # Of a prefix that no model has (some SDKs write another one) the signature knows the service.
        services = tuple(name for name in services if name in pointed_to) or services or pointed_to
    return _first_with(services, operation)


def _form_may_decide(index: ServiceIndex, seen: Evidence, services: tuple[str, ...]) -> bool:
    """Whether the operation may be named in a form that is the body."""
    if seen.method != "POST" or "Action" in seen.query:
        return False
    content_type = seen.headers.get("content-type")
    if content_type and not is_form(content_type):
        return False
    if "smithy-protocol" in seen.headers or "x-amz-target" in seen.headers:
        return False
    if services:
        return bool(index.queryable(services))
    return not seen.host.foreign and (seen.path == "/" or _QUEUE_PATH.fullmatch(seen.path) is not None)


def _query_call(
    index: ServiceIndex, seen: Evidence, services: tuple[str, ...], action: str, version: str
) -> CallHead | None:
    """The call of a request that names its action; None where no service has it."""
    queue = None
    if services:
        candidates = index.queryable(services)
        if len(candidates) > 1:
            of_version = tuple(name for name in candidates if index.services[name].api_version == version)
            candidates = of_version or candidates
    elif seen.credentials.signing_name or seen.host.foreign:
        return None
    else:
        queue = _QUEUE_PATH.fullmatch(seen.path)
        if queue:
            candidates = ("sqs",)
        elif version:
            candidates = index.by_query_version.get(version, ())
        else:
            candidates = index.queryable(index.services) if seen.host.local else ()
    service = _first_with(candidates, action)
    if not service:
        return None
    head = _head(service, action, "ec2" if service == "ec2" else "query", seen)
    if queue and queue["region"] and not head.region:
        return CallHead(service, action, head.protocol, head.account, queue["region"], head.access_key)
    return head


def _first_with(services: tuple[str, ...], operation: str) -> str:
    for service in services:
        if operation in operation_names(service):
            return service
    return ""


def _rest_route(index: ServiceIndex, seen: Evidence, services: tuple[str, ...]) -> Route | None:
    """The route that a REST request takes; None where it takes none."""
    if not services:
        if seen.credentials.signing_name or seen.host.foreign:
            return None
        return _unsigned_route(index, seen)
    if "s3" in services or services == ("s3control",):
        return find_s3_route(seen)
    rest = index.rest(services)
    if not rest:
        return None
    path = seen.path
    if "apigatewaymanagementapi" in rest and _CONNECTIONS in path:
        # The endpoint of a web socket API ends with the name of its stage.
        path = path[path.index(_CONNECTIONS) :]
    return find_route(rest, seen.method, path, seen.query, seen.headers)


def _unsigned_route(index: ServiceIndex, seen: Evidence) -> Route | None:
    """The route of a request of which neither signature, host nor user agent names the service."""
    first = seen.path.split("/", 2)[1]
    dated = index.by_dated_path.get(first)
    if dated:
        return find_route(dated, seen.method, seen.path, seen.query, seen.headers)
    if not seen.host.local:
        return None
    route = find_route(_NEVER_SIGNED, seen.method, seen.path, seen.query, seen.headers)
    if route is not None and all(name in seen.headers for name in route.headers):
        return route
    if seen.host.bucket or (_BUCKET.fullmatch(first) and first not in _NOT_BUCKETS):
        return find_s3_route(seen)
    return None
