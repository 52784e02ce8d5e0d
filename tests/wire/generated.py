"""Parameters made up from shapes, and the requests that botocore makes of them.

`Maker` draws from a `random.Random`: a seeded one walks over every operation; the one that hypothesis provides
(`st.randoms`) makes the same code a strategy that shrinks.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.awsrequest import create_request_object, prepare_request_dict
from botocore.model import OperationModel, Shape
from botocore.serialize import create_serializer

from replay_proxy.exchange import Headers, Request

DEEPEST = 4
WORDS = (
    "a",
    "Key",
    "with space",
    "plus+and%25",
    "a&b=c;d",
    "é¡ü漢字😀",
    "slash/ed",
    "//x//",
    '<tag> & "q"',
    "0",
    "null",
)
HEADER_WORDS = ("a", "Value-1", "with space", "a=b;c", "x/y.z", "0", "true")


class Maker:
    """Makes up values of shapes for one protocol: only such as the protocol can say."""

    def __init__(self, source: random.Random, protocol: str) -> None:
        self.source = source
        self.protocol = protocol

    def parameters(self, operation: OperationModel) -> dict[str, Any]:
        shape = operation.input_shape
        if shape is None:
            return {}
        names = set(shape.required_members)
        names |= {name for name in shape.members if self.source.random() < 0.5}
        params = {}
        payload = shape.serialization.get("payload")
        for name, member in shape.members.items():
            location = member.serialization.get("location")
            needed = location == "uri" or member.serialization.get("hostLabel")
            if name in names or needed:
                value = self.value(member, 1, location=location, label=bool(member.serialization.get("hostLabel")))
                optional = name == payload and name not in shape.required_members
                if value is not None and not self._unsayable(member, value, payload=optional):
                    params[name] = value
        return params

    def _unsayable(self, shape: Shape, value: Any, *, payload: bool = False) -> bool:
        """Whether the wire has no way to tell this value from its absence."""
        location = shape.serialization.get("location")
        if location in ("header", "headers", "querystring") and value in ([], {}):
            return True
        if (payload and value == {}) or (payload and value in (b"", "")):
            return True
        if self.protocol in ("query", "ec2") and value == {}:
            return True
        if self.protocol == "ec2" and value == []:
            return True
        return self.protocol == "rest-xml" and bool(shape.serialization.get("flattened")) and value in ([], {})

    def value(self, shape: Shape, depth: int, *, location: str | None = None, label: bool = False) -> Any:
        kind = shape.type_name
        make = getattr(self, f"_{kind}", self._string)
        return make(shape, depth, location, label)

    def _structure(self, shape: Any, depth: int, _location: str | None, _label: bool) -> Any:
        if shape.is_document_type:
            return self.source.choice([{"a": [1, "b", None, {"c": 2.5}]}, {"x": True}, {}])
        if shape.serialization.get("eventstream"):
            return None
        members = dict(shape.members)
        if shape.is_tagged_union:
            chosen = {self.source.choice(list(members))} if members else set()
        else:
            required = set(shape.required_members)
            often = 0.6 if depth < DEEPEST else 0.0
            chosen = {name for name in members if name in required or self.source.random() < often}
        if depth > 4 * DEEPEST:
            return None
        if not chosen and members and self.protocol in ("query", "ec2"):
            chosen = {self.source.choice(list(members))}
        made = {}
        for name in members:
            if name in chosen:
                value = self.value(members[name], depth + 1)
                if value is not None and not self._unsayable(members[name], value):
                    made[name] = value
        if not made and self.protocol in ("query", "ec2"):
            return None
        return made

    def _list(self, shape: Any, depth: int, location: str | None, _label: bool) -> Any:
        count = self.source.randint(0, 2) if depth < DEEPEST else 0
        values = [self.value(shape.member, depth + 1, location=location) for _ in range(count)]
        # Lists within lists: the query protocols cannot say that an inner one is empty.
        return [value for value in values if value is not None and not self._unsayable(shape.member, value)]

    def _map(self, shape: Any, depth: int, location: str | None, _label: bool) -> Any:
        count = self.source.randint(0, 2) if depth < DEEPEST else 0
        made = {}
        for index in range(count):
            key = self.value(shape.key, depth + 1, location=location)
            if location == "headers":
                key = f"{index}-name"
            value = self.value(shape.value, depth + 1, location=location)
            if value is not None and not self._unsayable(shape.value, value) and value != []:
                made[key] = value
        return made

    def _string(self, shape: Any, _depth: int, location: str | None, label: bool) -> Any:
        if shape.serialization.get("jsonvalue") and location == "header":
            return {"k": [1, "é"]}
        if shape.enum and not label:
            return self.source.choice(list(shape.enum))
        if label:
            return self.source.choice(["label1", "a-b"])
        if location in ("header", "headers"):
            return self.source.choice(HEADER_WORDS)
        if location == "uri":
            return self.source.choice(WORDS)
        return self.source.choice([*WORDS, ""])

    def _integer(self, _shape: Any, _depth: int, _location: str | None, _label: bool) -> int:
        return self.source.choice([0, 1, -1, 23, 24, 255, 256, 65535, 65536, 2**31 - 1, -(2**31)])

    def _long(self, shape: Any, depth: int, location: str | None, label: bool) -> int:
        return self.source.choice([self._integer(shape, depth, location, label), 2**63 - 1, -(2**63), 1234567890123])

    def _boolean(self, _shape: Any, _depth: int, _location: str | None, _label: bool) -> bool:
        return self.source.random() < 0.5

    def _float(self, _shape: Any, _depth: int, _location: str | None, _label: bool) -> float:
        return self.source.choice([0.0, 1.5, -2.25, 1024.125, float("inf"), float("-inf")])

    def _double(self, _shape: Any, _depth: int, _location: str | None, _label: bool) -> float:
        return self.source.choice([0.0, 1.1, -2.25, 1e300, 1e-9, float("inf"), float("-inf")])

    def _timestamp(self, shape: Any, _depth: int, location: str | None, _label: bool) -> datetime:
        moment = datetime(1969, 12, 31, tzinfo=UTC) + timedelta(seconds=self.source.randint(0, 4_000_000_000))
        form = str(shape.serialization.get("timestampFormat", "")).lower()
        whole = form == "rfc822" or location in ("header", "headers")
        return (
            moment
            if whole or self.source.random() < 0.5
            else moment.replace(microsecond=self.source.randint(0, 999_999))
        )

    def _blob(self, _shape: Any, _depth: int, _location: str | None, _label: bool) -> bytes:
        return self.source.choice([b"", b"\x00\xff<>&", b"plain", bytes(range(256))])


def request_of(
    operation: OperationModel, params: dict[str, Any], protocol: str, host: str = "localhost:4566"
) -> Request:
    """The request that botocore makes of `params`, as it would be on the wire but for its signature."""
    serialized = create_serializer(protocol, include_validation=False).serialize_to_request(params, operation)
    prepare_request_dict(serialized, endpoint_url=f"http://{host}", user_agent="test")
    prepared = create_request_object(serialized).prepare()
    authority, slash, target = prepared.url.partition("://")[2].partition("/")
    body = prepared.body or b""
    fields = [("Host", authority)]
    for name, value in prepared.headers.items():
        # http.client sends text in ISO 8859-1 and bytes as they are.
        fields.append((name, value if isinstance(value, str) else value.decode("latin-1")))
    return Request(
        prepared.method, slash + target or "/", Headers(fields), body if isinstance(body, bytes) else body.encode()
    )
