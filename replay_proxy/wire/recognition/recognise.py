"""Which call a request makes: service, operation, protocol, account, region.

The order of the evidence, strongest first:

1. `X-Amz-Target` and Smithy RPC (`smithy-protocol`, `/service/S/operation/O`) write out service and operation.
2. The credential scope names the service, up to a few that share a signing name. Then an `Action` parameter (in
   the query string or in a form) names the operation of a query service; method, path and query string name
   that of a REST service. An endpoint's host, or a user agent into which an SDK writes its service, narrows a
   shared signing name.
3. Unsigned requests, and those whose signature names no service (SigV2, bearer tokens): the host or the user
   agent; the API version of a query, or where no model has that, its action (`query_actions`); the account and
   queue in an SQS queue URL; the date that a REST path begins with; and last S3, if the host may be an emulator's
   and the path can be a bucket and a key.

What an emulator serves besides the APIs of AWS (`/_localstack/health`, invocations of a REST API, function URLs)
is no call: None. So is an operation that the installed models do not know.

Nothing here raises, whatever the bytes. No body is read but for two or three fields of a form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from replay_proxy.exchange import CallHead, Request
from replay_proxy.wire.models.operations import Route, operation_names
from replay_proxy.wire.models.service_index import ServiceIndex, extended_index, service_index
from replay_proxy.wire.recognition.candidates import candidate_services
from replay_proxy.wire.recognition.evidence import Evidence, read_evidence
from replay_proxy.wire.recognition.form_fields import form_bytes, form_field, form_fields, is_form
from replay_proxy.wire.recognition.query_actions import services_of_action
from replay_proxy.wire.recognition.rest_routes import find_route
from replay_proxy.wire.recognition.s3_routes import find_s3_route
from replay_proxy.wire.signing.credentials import ACCOUNT_HEADER, SCOPE_CHARACTERS_MAX, Credentials

_QUEUE_PATH = re.compile(r"/(?:queue/(?P<region>[a-z0-9-]+)/)?\d{12}/[A-Za-z0-9_.-]+/?")
_SMITHY_PATH = re.compile(r"/service/(?P<service>[^/]+)/operation/(?P<operation>[^/]+)/?$")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{2,62}")
# Names that a bucket could have, under which emulators and browsers look for something else.
_NOT_BUCKETS = frozenset({"restapis", "moto-api", "health", "graphql", "favicon.ico", "robots.txt"})
# The REST services with operations that are never signed (`smithy.api#noAuth` in their models).
_NEVER_SIGNED = ("sso", "sso-oidc", "signin")
_CONNECTIONS = "/@connections/"


def recognise(request: Request) -> CallHead | None:
    """Return the call that a request makes, or None if it is no call of an AWS API that is known here. Never raises."""
    evidence = read_evidence(request)
    known = service_index()
    found = _recognise(known, evidence, request)
    if found is None:
        extended = extended_index()
        if extended is not known:
            found = _recognise(extended, evidence, request)
    return found


def needs_body(request: Request) -> bool:
    """Return whether `recognise` must see the (form) body of this request: decided from its headers. Never raises."""
    if request.method != "POST":
        return False
    evidence = read_evidence(request)
    index = service_index()
    return _form_may_decide(index, evidence, candidate_services(index, evidence))


def _recognise(index: ServiceIndex, evidence: Evidence, request: Request) -> CallHead | None:
    if not evidence.path:
        return None
    target = evidence.headers.get("x-amz-target")
    if target:
        prefix, _, operation = target.rpartition(".")
        service = _rpc_service(index, evidence, prefix, operation)
        if service:
            return _head(service, operation, "json", evidence)
    if "smithy-protocol" in evidence.headers:
        smithy = _SMITHY_PATH.search(evidence.path)
        if smithy:
            service = _rpc_service(index, evidence, smithy["service"], smithy["operation"])
            if service:
                return _head(service, smithy["operation"], "smithy-rpc-v2-cbor", evidence)
    services = candidate_services(index, evidence)
    if "Action" in evidence.query:
        head = _query_call(
            index,
            evidence,
            services,
            evidence.query["Action"],
            evidence.query.get("Version", ""),
            lambda: evidence.query,
        )
        if head is not None:
            return head
    elif _form_may_decide(index, evidence, services):
        form = form_bytes(request)
        action = form_field(form, b"Action") if form else ""
        if action:
            if not evidence.credentials.access_key:
                evidence = evidence._replace(credentials=Credentials(form_field(form, b"AWSAccessKeyId")))
            head = _query_call(
                index, evidence, services, action, form_field(form, b"Version"), lambda: form_fields(form)
            )
            if head is not None:
                return head
    route = _rest_route(index, evidence, services)
    return _head(route.service, route.operation, route.protocol, evidence) if route is not None else None


def _head(service: str, operation: str, protocol: str, evidence: Evidence) -> CallHead:
    credentials = evidence.credentials
    region = credentials.region or evidence.host.region
    named = len(credentials.access_key) + len(region) + len(evidence.headers.get(ACCOUNT_HEADER))
    make = _made if named <= SCOPE_CHARACTERS_MAX else CallHead
    return make(
        service,
        operation,
        protocol,
        evidence.headers.get(ACCOUNT_HEADER) or credentials.account,
        region,
        credentials.access_key,
    )


# Clients make the same few calls again and again.
_made = lru_cache(maxsize=1024)(CallHead)


def _rpc_service(index: ServiceIndex, evidence: Evidence, prefix: str, operation: str) -> str:
    """Return the service of a request that writes its operation out; empty where there is none."""
    services = index.by_target_prefix.get(prefix, ())
    if len(services) != 1:
        pointed_to = candidate_services(index, evidence)
        # Of a prefix that no model has (some SDKs write another one) the signature knows the service.
        services = tuple(name for name in services if name in pointed_to) or services or pointed_to
    return _first_with(services, operation)


def _form_may_decide(index: ServiceIndex, evidence: Evidence, services: tuple[str, ...]) -> bool:
    """Return whether the operation may be named in a form that is the body."""
    if evidence.method != "POST" or "Action" in evidence.query:
        return False
    content_type = evidence.headers.get("content-type")
    if content_type and not is_form(content_type):
        return False
    if "smithy-protocol" in evidence.headers or "x-amz-target" in evidence.headers:
        return False
    if services:
        return bool(index.queryable(services))
    return not evidence.host.foreign and (evidence.path == "/" or _QUEUE_PATH.fullmatch(evidence.path) is not None)


def _query_call(
    index: ServiceIndex,
    evidence: Evidence,
    services: tuple[str, ...],
    action: str,
    version: str,
    parameters: Callable[[], Mapping[str, str]],
) -> CallHead | None:
    """Return the call of a request that names its action; None where no service has it. parameters: reads them all."""
    queue = None
    if services:
        candidates = index.queryable(services)
        if len(candidates) > 1:
            of_version = tuple(name for name in candidates if index.services[name].api_version == version)
            candidates = of_version or candidates
    elif evidence.credentials.signing_name or evidence.host.foreign:
        return None
    else:
        queue = _QUEUE_PATH.fullmatch(evidence.path)
        if queue:
            candidates = ("sqs",)
        else:
            candidates = index.by_query_version.get(version, ())
            if not _first_with(candidates, action) and (evidence.host.local or evidence.credentials.access_key):
                candidates = services_of_action(index, action, version, parameters())
    service = _first_with(candidates, action)
    if not service:
        return None
    head = _head(service, action, "ec2" if service == "ec2" else "query", evidence)
    if queue and queue["region"] and not head.region:
        return CallHead(service, action, head.protocol, head.account, queue["region"], head.access_key)
    return head


def _first_with(services: tuple[str, ...], operation: str) -> str:
    for service in services:
        if operation in operation_names(service):
            return service
    return ""


def _rest_route(index: ServiceIndex, evidence: Evidence, services: tuple[str, ...]) -> Route | None:
    """Return the route that a REST request takes; None where it takes none."""
    if not services:
        if evidence.credentials.signing_name or evidence.host.foreign:
            return None
        return _unsigned_route(index, evidence)
    if "s3" in services or services == ("s3control",):
        return find_s3_route(evidence)
    rest = index.rest(services)
    if not rest:
        return None
    path = evidence.path
    if "apigatewaymanagementapi" in rest and _CONNECTIONS in path:
        # The endpoint of a web socket API ends with the name of its stage.
        path = path[path.index(_CONNECTIONS) :]
    return find_route(rest, evidence.method, path, evidence.query, evidence.headers)


def _unsigned_route(index: ServiceIndex, evidence: Evidence) -> Route | None:
    """Return the route of a request of which neither signature, host nor user agent names the service."""
    first = evidence.path.split("/", 2)[1]
    dated = index.by_dated_path.get(first)
    if dated:
        return find_route(dated, evidence.method, evidence.path, evidence.query, evidence.headers)
    if not evidence.host.local:
        return None
    route = find_route(_NEVER_SIGNED, evidence.method, evidence.path, evidence.query, evidence.headers)
    if route is not None and all(name in evidence.headers for name in route.headers):
        return route
    if evidence.host.bucket or (_BUCKET.fullmatch(first) and first not in _NOT_BUCKETS):
        return find_s3_route(evidence)
    return None
