"""Answers made up from output shapes: the bodies are written by botocore's request serialisers, shape by shape.

botocore has no serialiser for answers, but a shape is written the same way in both directions, and whether a
body is read rightly does not depend on who wrote it.
"""

from __future__ import annotations

import json
import random
from typing import Any
from xml.etree import ElementTree

from botocore.model import OperationModel
from botocore.serialize import JSONSerializer, RestJSONSerializer, RestXMLSerializer, RpcV2CBORSerializer

from replay_proxy.exchange import Answer, Headers
from tests.wire.generated import Maker


class AnswerMaker(Maker):
    """Leaves out what botocore's parsers themselves get wrong: infinities in JSON stay text with them."""

    def _float(self, _shape: Any, _depth: int, _location: str | None, _label: bool) -> float:
        return self.source.choice([0.0, 1.5, -2.25, 1024.125])

    _double = _float

    def _blob(self, _shape: Any, _depth: int, _location: str | None, _label: bool) -> bytes:
        return self.source.choice([b"", b"plain", b"<xml/>"])


def answer_of(operation: OperationModel, protocol: str, source: random.Random) -> Answer:
    """A successful answer of `operation`."""
    shape = operation.output_shape
    if shape is None:
        return Answer(200, Headers(), b"")
    maker = AnswerMaker(source, protocol)
    values = {}
    for name, member in shape.members.items():
        location = member.serialization.get("location")
        if source.random() < 0.7 and not member.serialization.get("eventstream"):
            value = maker.value(member, 1, location=location)
            if value is not None and value != {} and not (location and value == []):
                values[name] = value
    headers: dict[str, Any] = {}
    body_values = dict(values)
    if protocol.startswith("rest-"):
        body_values = {}
        parts: dict[str, Any] = {
            "headers": {},
            "body_kwargs": body_values,
            "uri_path_kwargs": {},
            "query_string_kwargs": {},
        }
        writer = RestJSONSerializer()
        for name, value in values.items():
            if shape.members[name].serialization.get("location") != "statusCode":
                writer._partition_parameters(parts, name, value, shape.members)
        headers = parts["headers"]
    payload = shape.serialization.get("payload")
    if protocol.startswith("rest-") and payload is not None:
        member = shape.members[payload]
        if payload not in values or member.serialization.get("eventstream"):
            body = b""
        elif member.type_name in ("blob", "string"):
            body = values[payload] if isinstance(values[payload], bytes) else values[payload].encode()
        else:
            body = _body(operation, protocol, member, values[payload])
    else:
        body = _body(operation, protocol, shape, body_values)
    return Answer(200, Headers((name, str(value)) for name, value in headers.items()), body)


def _body(operation: OperationModel, protocol: str, shape: Any, value: Any) -> bytes:
    if protocol in ("json", "rest-json"):
        document: dict[str, Any] = {}
        JSONSerializer()._serialize(document, value, shape, "root")
        return json.dumps(document["root"]).encode()
    if protocol == "smithy-rpc-v2-cbor":
        return bytes(RpcV2CBORSerializer()._serialize_body_params(value, shape))
    holder = ElementTree.Element("")
    name = f"{operation.name}Result" if protocol == "query" else f"{operation.name}Response"
    if protocol == "query" and "resultWrapper" in shape.serialization:
        name = shape.serialization["resultWrapper"]
    RestXMLSerializer()._serialize(shape, value, holder, name)
    root = holder[0]
    if protocol == "query":
        outer = ElementTree.Element(f"{operation.name}Response", xmlns="https://example.com/")
        outer.append(root)
        metadata = ElementTree.SubElement(outer, "ResponseMetadata")
        ElementTree.SubElement(metadata, "RequestId").text = "id"
        root = outer
    return ElementTree.tostring(root, encoding="utf-8")
