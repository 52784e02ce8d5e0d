"""Requests as botocore makes them, for any operation and protocol: parameters are generated from the input shape.

Serialising is botocore's own. Signing every request takes longer than all the rest, so the credential scope is
written by hand here; `test_recognise_clients.py` and the captures have requests that botocore signed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore import serialize
from botocore.awsrequest import AWSRequest, prepare_request_dict
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape

from replay_proxy.exchange import Headers, Request

SINGLE_HOST = "localhost:4566"
ENDPOINT = f"http://{SINGLE_HOST}"
ACCOUNT = "000000000042"
REGION = "eu-central-1"


def protocols_of(model: ServiceModel) -> list[str]:
    """Every protocol that a service is called with."""
    listed = list(model.metadata.get("protocols") or [model.metadata["protocol"]])
    if "awsQueryCompatible" in model.metadata and "query" not in listed:
        listed.append("query")
    return listed


def requests_of(service: str, models: str | None = None) -> Iterator[tuple[str, str, str, Request]]:
    """(protocol, operation, variant, request) for every operation of a service in every protocol.

    Variant `required` has the required members; `all` has also the optional ones of the top level, and labels that
    need percent-encoding. models: a folder of models to use instead of botocore's.
    """
    # botocore's own loader, new for each service so that no model outlives its turn.
    model = ServiceModel(loader(models).load_service_model(service, "service-2"), service_name=service)
    for protocol in protocols_of(model):
        serializer = serialize.create_serializer(protocol, include_validation=False)
        for name in model.operation_names:
            operation = model.operation_model(name)
            for variant in ("required", "all"):
                yield protocol, name, variant, _request(serializer, operation, variant)


def loader(models: str | None = None) -> Loader:
    return Loader(extra_search_paths=[models], include_default_search_paths=False) if models else Loader()


def parameters(shape: Shape | None, variant: str) -> dict[str, Any]:
    """Parameters of an input shape."""
    if shape is None:
        return {}
    required = set(shape.required_members)
    return {
        name: _value(member, variant, ())
        for name, member in shape.members.items()
        if name in required or member.serialization.get("location") == "uri" or variant == "all"
    }


def _request(serializer: serialize.Serializer, operation: OperationModel, variant: str) -> Request:
    serialized = serializer.serialize_to_request(parameters(operation.input_shape, variant), operation)
    # At an endpoint of one's own, SDKs put the host prefix before its host unless told not to: both are tried.
    prefix = serialized.pop("host_prefix", "")
    prepare_request_dict(serialized, endpoint_url=ENDPOINT, user_agent="Boto3/1.43")
    prepared = AWSRequest(
        method=serialized["method"],
        url=serialized["url"],
        data=serialized["body"],
        headers=serialized["headers"],
    ).prepare()
    host, authorization = _host_and_authorization(operation)
    if variant == "all":
        host = prefix + host
    pairs = [("Host", host), *((name, _text(value)) for name, value in prepared.headers.items())]
    if authorization:
        pairs.append(("Authorization", authorization))
    body = prepared.body or b""
    if isinstance(body, str):
        body = body.encode()
    elif not isinstance(body, bytes | bytearray):
        body = body.read()
    target = prepared.url.removeprefix(ENDPOINT)
    return Request(prepared.method, target, Headers(pairs), bytes(body))


def _host_and_authorization(operation: OperationModel) -> tuple[str, str]:
    metadata = operation.service_model.metadata
    if metadata.get("signatureVersion") == "bearer":
        # A token names no service: the host has to.
        return f"{metadata['endpointPrefix']}.global.api.aws", "Bearer token"
    if operation.auth_type == "none":
        return SINGLE_HOST, ""
    name = metadata.get("signingName") or metadata["endpointPrefix"]
    if operation.name == "ListDirectoryBuckets":
        name = "s3express"  # by S3's endpoint rules, also at an endpoint of one's own
    scope = f"{ACCOUNT}/20260101/{REGION}/{name}/aws4_request"
    return SINGLE_HOST, f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value).encode().decode("latin-1")


def _value(shape: Shape, variant: str, above: tuple[str, ...]) -> Any:
    if shape.type_name == "structure":
        if getattr(shape, "is_document_type", False) or shape.name in above or getattr(shape, "is_eventstream", False):
            return {}
        inside = (*above, shape.name)
        if getattr(shape, "is_tagged_union", False):
            first, member = next(iter(shape.members.items()))
            return {first: _value(member, variant, inside)}
        return {name: _value(shape.members[name], variant, inside) for name in shape.required_members}
    if shape.type_name == "list":
        return [] if shape.name in above else [_value(shape.member, variant, (*above, shape.name))]
    if shape.type_name == "map":
        return {} if shape.name in above else {"a": _value(shape.value, variant, (*above, shape.name))}
    if shape.type_name == "string":
        if shape.enum:
            return shape.enum[0]
        if shape.serialization.get("location") == "uri" and variant == "all":
            return "arn:aws:a:b:000000000042:c/d e"
        return "abc"
    if shape.type_name == "timestamp":
        return "2026-01-01T00:00:00Z"
    if shape.type_name == "boolean":
        return True
    if shape.type_name in {"integer", "long"}:
        return 7
    if shape.type_name in {"float", "double"}:
        return 0.5
    return b"abc"
