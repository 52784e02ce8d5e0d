"""Which parts of a call are payload: never rewritten, whatever identifiers they seem to name.

What is payload is said in terms of the service models (`data/payload.json`, every entry with its reason; blobs by their
type). Here that is resolved, once per operation and protocol, to the names under which the parts travel: a tree of
JSON keys, XML elements or form fields, headers, or the body as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import orjson

from replay_proxy.exchange import CallHead
from replay_proxy.wire.models import protocol_model

Spelling = Literal["json", "xml", "form"]

ALL = "all"
"""The mark of a member whose whole value is payload."""
QUOTED = "quoted"
"""The mark of a member in which only single-quoted literals are payload."""

ITEM, VALUE = "[]", "{}"
"""How a tree names the items of a list and the values of a map (`{}KEY`: the value under one key)."""

Mark = str
Tree = dict[str, Any]
"""From the name of a part to a mark, a condition (`When`), or the tree of its own parts."""


@dataclass(frozen=True, slots=True)
class When:
    """A mark that holds only where the field `sibling` has the value `value`."""

    sibling: str
    value: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class Payload:
    """The payload of one side of one operation."""

    whole_body: bool = False
    reference_body: bool = False
    """The body is a blob, but one that the emulator resolves."""
    headers: tuple[str, ...] = ()
    """Header names in lower case; a trailing `*` stands for any ending."""
    tree: Tree = field(default_factory=dict)


NOTHING = Payload()


@dataclass(frozen=True, slots=True)
class _Rules:
    shapes: dict[str, Mark]
    members: dict[str, Mark | When]
    references: frozenset[str]


@lru_cache(maxsize=1)
def entries() -> list[dict[str, Any]]:
    """The data file's entries."""
    document = orjson.loads((Path(__file__).parent / "data" / "payload.json").read_bytes())
    return list(document["entries"])


@lru_cache(maxsize=64)
def _rules(service: str) -> _Rules:
    shapes: dict[str, Mark] = {}
    members: dict[str, Mark | When] = {}
    references: set[str] = set()
    for entry in entries():
        if entry["service"] != service:
            continue
        mark = QUOTED if entry.get("quoted") else ALL
        shapes |= dict.fromkeys(entry.get("shapes", ()), mark)
        rule: Mark | When = mark
        for sibling, value in entry.get("when", {}).items():
            rule = When(sibling, value, mark)
        members |= dict.fromkeys(entry.get("members", ()), rule)
        references |= set(entry.get("references", ()))
    return _Rules(shapes, members, frozenset(references))


def payload_of(head: CallHead, spelling: Spelling, *, answer: bool) -> Payload:
    """The payload of a request or of its answer, in a body of that spelling; nothing where no model describes it."""
    return _payload(head.service, head.operation, head.protocol, spelling, answer)


@lru_cache(maxsize=1024)
def _payload(service: str, operation: str, protocol: str, spelling: Spelling, answer: bool) -> Payload:
    try:
        model = protocol_model(service, operation, protocol)
    except LookupError:
        return NOTHING
    shape = model.output_shape if answer else model.input_shape
    if shape is None:
        return NOTHING
    builder = _Builder(_rules(service), spelling)
    headers = tuple(
        name
        for member, part in shape.members.items()
        if builder.mark_of(shape, member, part) is not None
        for name in _header_names(part)
    )
    payload_member = shape.serialization.get("payload")
    if payload_member is None:
        return Payload(headers=headers, tree=builder.root(shape))
    part = shape.members[payload_member]
    if f"{shape.name}.{payload_member}" in builder.rules.references:
        return Payload(reference_body=True, headers=headers)
    if builder.mark_of(shape, payload_member, part) == ALL:
        return Payload(whole_body=True, headers=headers)
    return Payload(headers=headers, tree=builder.root(part))


def _header_names(part: Any) -> tuple[str, ...]:
    location, name = part.serialization.get("location"), part.serialization.get("name", "").lower()
    if location == "header":
        return (name,)
    return (f"{name}*",) if location == "headers" else ()


class _Builder:
    """Builds the tree of one shape in one spelling."""

    def __init__(self, rules: _Rules, spelling: Spelling) -> None:
        self.rules = rules
        self._spelling = spelling
        self._within: list[str] = []

    def mark_of(self, shape: Any, member: str, part: Any) -> Mark | When | None:
        """How `member` of the structure `shape` is marked as a whole, if it is."""
        if part.type_name == "blob":
            return ALL
        return self.rules.members.get(f"{shape.name}.{member}") or self.rules.shapes.get(part.name)

    def root(self, shape: Any) -> Tree:
        """The marked parts of a body of the structure `shape`."""
        tree = self.tree(shape)
        return tree if isinstance(tree, dict) else {}

    def tree(self, shape: Any) -> Tree | Mark | None:
        """The marked parts of `shape`; None where it has none."""
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

    def _list(self, shape: Any, inner: Tree | Mark) -> Tree | Mark:
        if self._spelling == "json":
            return {ITEM: inner}
        if self._spelling == "form" or shape.serialization.get("flattened"):
            return inner
        return {shape.member.serialization.get("name", "member"): inner}

    def _flat_item(self, part: Any) -> bool:
        return (
            self._spelling != "json"
            and part.type_name == "list"
            and (self._spelling == "form" or bool(part.serialization.get("flattened")))
        )
