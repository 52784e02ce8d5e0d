"""Requests of our own making, from parameters, by botocore's serializers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from botocore.serialize import create_serializer

from replay_proxy.exchange import CallHead, Headers, Request
from replay_proxy.wire.models.models import operation_model


def build_request(head: CallHead, parameters: Mapping[str, Any], host: str) -> Request:
    """Return an unsigned request for the call `head` with `parameters`, to `host` (the `Host` field's value).

    Raises LookupError for an operation that no model has.
    """
    operation = operation_model(head.service, head.operation)
    made = create_serializer(head.protocol, False).serialize_to_request(dict(parameters), operation)
    body = made["body"]
    if isinstance(body, dict):
        body = urlencode(body).encode()
    elif isinstance(body, str):
        body = body.encode()
    query = urlencode(made["query_string"]) if isinstance(made["query_string"], dict) else made["query_string"]
    # The path of some operations has a query already: `/{Bucket}?versions`.
    target = made["url_path"] + (f"{'&' if '?' in made['url_path'] else '?'}{query}" if query else "")
    headers = {"Host": host, **made["headers"], "Content-Length": str(len(body))}
    return Request(made["method"], target, Headers(headers.items()), bytes(body))
