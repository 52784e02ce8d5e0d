"""A guess at who sent a request that was not recognised, good enough to answer it with an error in its own protocol."""

from __future__ import annotations

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import CallHead, Request
from replay_proxy.wire.codecs.protocols.query import load_pairs
from replay_proxy.wire.models.models import UnknownModelError, service_model
from replay_proxy.wire.signing.credentials import read_credentials


def likely_call(request: Request) -> CallHead:
    """Return the service (empty where nothing tells it) and the protocol of a request, by its headers and its path.

    The operation is empty. Never raises.
    """
    service, protocol = _service_and_protocol(request)
    return CallHead(service, "", protocol)


def _service_and_protocol(request: Request) -> tuple[str, str]:
    headers = request.headers
    if headers.get("smithy-protocol"):
        return "", "smithy-rpc-v2-cbor"
    if headers.get("x-amz-target"):
        return "", "json"
    content_type = headers.get("content-type").lower()
    signing_name = _signing_name(request)
    if "x-www-form-urlencoded" in content_type:
        return signing_name, "ec2" if signing_name == "ec2" else "query"
    if signing_name and signing_name != "s3":
        try:
            return signing_name, str(service_model(signing_name).resolved_protocol)
        except (UnknownModelError, OSError, ValueError):
            return signing_name, "rest-json"
    accepted = content_type + headers.get("accept").lower()
    if not signing_name and ("json" in accepted or request.path.startswith(("/_", "/restapis/"))):
        return "", "rest-json"
    return "s3", "rest-xml"


def _signing_name(request: Request) -> str:
    try:
        query = dict(load_pairs(request.query.encode("latin-1", "replace"))) if request.query else {}
    except MalformedMessage:
        query = {}
    return read_credentials(request.headers, query).signing_name
