"""Which parts of a call are payload: never rewritten, whatever identifiers they seem to name.

`replay_proxy.footprint.members.payload_members` names payload in terms of the service models. This module resolves that, once per
operation and protocol, to names on the wire: a tree of JSON keys, XML elements or form fields, headers, or the body as a
whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

from replay_proxy.exchange import CallHead
from replay_proxy.footprint.members.member_roles import keys_are_attributes
from replay_proxy.footprint.members.payload_members import (
    ALL,
    ENCODED,
    NAME,
    OBJECT,
    REPORTED,
    PayloadCondition,
    PayloadExtent,
    PayloadRules,
    payload_rules,
)
from replay_proxy.wire.models.models import protocol_model

BodyFormat = Literal["json", "xml", "form"]

ITEM, VALUE = "[]", "{}"
"""How a tree names the items of a list and the values of a map (`{}KEY`: the value under one key)."""

Tree = dict[str, Any]
"""From the name of a part to a mark, a condition (`PayloadCondition`), or the tree of its own parts."""


@dataclass(frozen=True, slots=True)
class Payload:
    """The payload of the request, or of the answer, of one operation.

    whole_body: the body is payload. reference_body: the body is a blob that the emulator resolves, and no payload.
    headers: names in lower case; a trailing `*` stands for any ending. tree: the marked parts of the body.
    query: names of fields of the query. object_headers: names of header fields that hold an address of an object.
    has_key: what follows the bucket in the path is a name that a client chose. reported_body: the body is what ran inside
    of the emulator and tells. encoded_headers: names of header fields that hold such a text in base64. by_key: the parts of
    the body that stand under keys which clients choose, such as tags; no payload, but their keys say nothing of them.
    """

    whole_body: bool = False
    reference_body: bool = False
    headers: tuple[str, ...] = ()
    tree: Tree = field(default_factory=dict)
    query: frozenset[str] = frozenset()
    object_headers: tuple[str, ...] = ()
    has_key: bool = False
    reported_body: bool = False
    encoded_headers: tuple[str, ...] = ()
    by_key: Tree = field(default_factory=dict)


NO_PAYLOAD = Payload()


def payload_of(head: CallHead, body_format: BodyFormat, *, answer: bool) -> Payload:
    """Return the payload of a request or of its answer, in a body of that format; none where no model describes it."""
    return _payload(head.service, head.operation, head.protocol, body_format, answer)


@lru_cache(maxsize=1024)
def _payload(service: str, operation: str, protocol: str, body_format: BodyFormat, answer: bool) -> Payload:
    try:
        model = protocol_model(service, operation, protocol)
    except LookupError:
        return NO_PAYLOAD
    shape = model.output_shape if answer else model.input_shape
    if shape is None:
        return NO_PAYLOAD
    builder = _Builder(payload_rules(service, answer=answer), body_format)
    outside = _outside_body(builder, shape)
    payload_member = shape.serialization.get("payload")
    if payload_member is None:
        return replace(outside, tree=builder.root(shape), by_key=_Keyed(body_format).root(shape))
    part = shape.members[payload_member]
    if f"{shape.name}.{payload_member}" in builder.rules.references:
        return replace(outside, reference_body=True)
    mark = builder.mark_of(shape, payload_member, part)
    if mark in (ALL, REPORTED):
        return replace(outside, whole_body=True, reported_body=mark == REPORTED)
    return replace(outside, tree=builder.root(part), by_key=_Keyed(body_format).root(part))


def _outside_body(builder: _Builder, shape: Any) -> Payload:
    """Return what is payload in the target and the headers of a message of that shape."""
    headers: list[str] = []
    object_headers: list[str] = []
    encoded_headers: list[str] = []
    query: set[str] = set()
    has_key = False
    for member, part in shape.members.items():
        mark = builder.mark_of(shape, member, part)
        location = part.serialization.get("location")
        if mark is None:
            continue
        marked = {OBJECT: object_headers, ENCODED: encoded_headers}.get(str(mark), headers)
        marked.extend(_header_names(part))
        if location == "querystring":
            query.add(part.serialization.get("name", member))
        has_key = has_key or (location == "uri" and mark == NAME)
    return Payload(
        headers=tuple(headers),
        query=frozenset(query),
        object_headers=tuple(object_headers),
        has_key=has_key,
        encoded_headers=tuple(encoded_headers),
    )


def _header_names(part: Any) -> tuple[str, ...]:
    location, name = part.serialization.get("location"), part.serialization.get("name", "").lower()
    if location == "header":
        return (name,)
    return (f"{name}*",) if location == "headers" else ()


class _Builder:
    """Builds the tree of one shape in one body format."""

    def __init__(self, rules: PayloadRules, body_format: BodyFormat) -> None:
        self.rules = rules
        self._body_format = body_format
        self._within: list[str] = []

    def mark_of(self, shape: Any, member: str, part: Any) -> PayloadExtent | PayloadCondition | None:
        """Return the mark of `member` of the structure `shape` as a whole; None where it has none."""
        return self.rules.mark_of(shape, member, part)

    def root(self, shape: Any) -> Tree:
        """Return the marked parts of a body of the structure `shape`."""
        tree = self.tree(shape)
        return tree if isinstance(tree, dict) else {}

    def tree(self, shape: Any) -> Tree | PayloadExtent | None:
        """Return the marked parts of `shape`; None where it has none."""
        if shape.type_name == "blob" or shape.name in self.rules.shapes:
            return self.rules.shapes.get(shape.name, ALL)
        if shape.name in self._within or shape.type_name not in ("structure", "list", "map"):
            return None
        self._within.append(shape.name)
        try:
            if shape.type_name == "structure":
                return self._structure(shape)
            inner = self.tree(shape.member if shape.type_name == "list" else shape.value)
        finally:
            self._within.pop()
        if inner is None:
            return None
        return self._list(shape, inner) if shape.type_name == "list" else {VALUE: inner}

    def _structure(self, shape: Any) -> Tree | None:
        out: Tree = {}
        for member, part in shape.members.items():
            if f"{shape.name}.{member}" in self.rules.exceptions:
                continue
            inner = self.mark_of(shape, member, part) or self.tree(part) or self._keyed(shape, member)
            if inner is not None:
                out[part.serialization.get("name", member)] = inner
                if self._flat_item(part):
                    out[part.member.serialization.get("name", member)] = inner
        return out or None

    def _keyed(self, shape: Any, member: str) -> Tree | None:
        prefix = f"{shape.name}.{member}{{"
        keys = [name[len(prefix) : -1] for name in self.rules.members if name.startswith(prefix)]
        return {VALUE + key: ALL for key in keys} or None

    def _list(self, shape: Any, inner: Tree | PayloadExtent) -> Tree | PayloadExtent:
        if self._body_format == "json":
            return {ITEM: inner}
        if self._body_format == "form" or shape.serialization.get("flattened"):
            return inner
        return {shape.member.serialization.get("name", "member"): inner}

    def _flat_item(self, part: Any) -> bool:
        return (
            self._body_format != "json"
            and part.type_name == "list"
            and (self._body_format == "form" or bool(part.serialization.get("flattened")))
        )


class _Keyed(_Builder):
    """Builds the tree of what stands under keys that clients choose, in one body format."""

    def __init__(self, body_format: BodyFormat) -> None:
        super().__init__(PayloadRules({}, {}, frozenset()), body_format)

    def tree(self, shape: Any) -> Tree | PayloadExtent | None:
        if shape.type_name == "map" and not keys_are_attributes(shape):
            return {VALUE: ALL}
        return super().tree(shape)
