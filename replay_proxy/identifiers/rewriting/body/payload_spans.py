"""The byte spans of the payload in a body: of the parts that a tree of names marks (see `payload`).

The bodies are scanned, not parsed and written again, because exactly the bytes of identifiers may change. A body that
is not in its format gives one span over all of it: what is not understood is not changed.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_plus
from xml.parsers import expat

import orjson

from replay_proxy.footprint.members.payload_members import ALL, OBJECT, QUOTED, PayloadCondition, PayloadExtent
from replay_proxy.identifiers.rewriting.body import object_spans
from replay_proxy.identifiers.rewriting.body.payload import ITEM, VALUE, BodyFormat, Tree

Span = tuple[int, int]
MarkedSpan = tuple[int, int, PayloadExtent]

JSON_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\],:]|[^\s{}\[\],:"]++', re.DOTALL)
_LITERAL = re.compile(rb"'(?:[^']|'')*'")


def payload_spans(body: bytes, tree: Tree, body_format: BodyFormat) -> list[Span]:
    """Return the spans of `body` that `tree` marks, in order, not overlapping."""
    return [(start, end) for start, end, _ in marked_spans(body, tree, body_format)]


def marked_spans(body: bytes, tree: Tree, body_format: BodyFormat) -> list[MarkedSpan]:
    """Return the spans of `body` that `tree` marks, in order, not overlapping, each with its mark."""
    if not tree:
        return []
    scan = {"json": _json_spans, "xml": _xml_spans, "form": _form_spans}[body_format]
    try:
        marked = scan(body, tree)
    except (ValueError, IndexError, expat.ExpatError):
        return [(0, len(body), ALL)]
    spans: list[MarkedSpan] = []
    for start, end, mark in marked:
        if mark == QUOTED:
            spans += [(*match.span(), mark) for match in _LITERAL.finditer(body, start, end)]
        elif mark == OBJECT:
            spans += [(*span, mark) for span in object_spans.in_address(body, start, end)]
        else:
            spans.append((start, end, mark))
    return spans


def _child(node: Any, name: str) -> Any:
    """Return the mark or the tree of the part `name` of `node`; None where it has neither."""
    if not isinstance(node, dict):
        return None
    found = node.get(name)
    if found is None:
        found = node.get(VALUE + name)
    return node.get(VALUE) if found is None else found


def _json_spans(body: bytes, tree: Tree) -> list[tuple[int, int, str]]:
    out: list[tuple[int, int, str]] = []
    containers: list[tuple[bool, Any]] = []  # (is an object, its node), outermost first
    node: Any = tree  # the tree of the value that comes next
    key_next = False
    readable_body: tuple[int, int, str] | None = None  # depth and start of the marked container we are in
    for match in JSON_TOKEN.finditer(body):
        start, end = match.span()
        first = body[start : start + 1]
        if first in (b"{", b"["):
            if readable_body is None and isinstance(node, str):
                readable_body = (len(containers), start, node)
            key_next = first == b"{"
            containers.append((key_next, node))
            node = None if key_next else _child(node, ITEM)
        elif first in (b"}", b"]"):
            containers.pop()
            key_next = False
            if readable_body is not None and readable_body[0] == len(containers):
                out.append((readable_body[1], end, readable_body[2]))
                readable_body = None
        elif first == b",":
            is_object, parent = containers[-1]
            key_next = is_object
            node = None if is_object else _child(parent, ITEM)
        elif first == b":":
            key_next = False
        elif key_next:
            node = _child(containers[-1][1], orjson.loads(body[start:end]))
        elif readable_body is None and isinstance(node, str):
            out.append((start, end, node))
    if containers:
        raise ValueError("JSON ends in the middle")
    return out


def _form_spans(body: bytes, tree: Tree) -> list[tuple[int, int, str]]:
    fields: dict[str, tuple[int, int]] = {}
    start = 0
    for pair in body.split(b"&"):
        name, _, _ = pair.partition(b"=")
        fields[unquote_plus(name.decode("latin-1"))] = (start + len(name) + 1, start + len(pair))
        start += len(pair) + 1

    def value(name: str) -> str:
        begin, end = fields.get(name, (0, 0))
        return unquote_plus(body[begin:end].decode("latin-1"))

    out = []
    for field, (begin, end) in fields.items():
        mark = _field_mark(field, tree, value)
        if mark is not None:
            out.append((begin, end, mark))
    return out


def _field_mark(name: str, tree: Tree, value: Any) -> str | None:
    """Return the mark of the form field `A.member.1.B`: lists and maps number their items, structures name members."""
    node: Any = tree
    parts = name.split(".")
    for index, part in enumerate(parts):
        if isinstance(node, str):
            return node
        if isinstance(node, dict) and part in node:
            node = node[part]
        elif part.lower() == "value":
            prefix = ".".join(parts[:index])
            key = value(f"{prefix}.key") or value(f"{prefix}.Name")
            node = _child(node, key)
        elif not index or not (part.isdigit() or part in ("member", "entry")):
            return None
    if isinstance(node, PayloadCondition):
        return node.mark if value(node.sibling) == node.value else None
    return node if isinstance(node, str) else None


def _xml_spans(body: bytes, tree: Tree) -> list[tuple[int, int, str]]:
    out: list[tuple[int, int, str]] = []
    # One entry per open element: [its tree, its text if it is a map's key, that key for its siblings].
    path: list[list[Any]] = []
    readable_body: list[tuple[int, int, str]] = []
    parser = expat.ParserCreate()

    def start(name: str, _attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if not path:
            node: Any = tree
        else:
            parent = path[-1][0]
            node = _child_element(parent, name, path[-1][2])
            if node is None and len(path) == 1:
                node = tree  # <OperationResult> in <OperationResponse>
        if isinstance(node, str) and not readable_body:
            readable_body.append((len(path), parser.CurrentByteIndex, node))
        path.append([node, "" if name in ("key", "Name") else None, ""])

    def text(data: str) -> None:
        if path[-1][1] is not None:
            path[-1][1] += data

    def end(_name: str) -> None:
        _, key, _ = path.pop()
        if key and path:
            path[-1][2] = key
        if readable_body and readable_body[0][0] == len(path):
            _, begin, mark = readable_body.pop()
            out.append((begin, parser.CurrentByteIndex, mark))

    parser.StartElementHandler = start
    parser.CharacterDataHandler = text
    parser.EndElementHandler = end
    parser.Parse(body, True)
    return out


def _child_element(parent: Any, name: str, key: str) -> Any:
    if not isinstance(parent, dict):
        return None
    if name in parent:
        return parent[name]
    if name.lower() == "value" and any(part.startswith(VALUE) for part in parent):
        return parent.get(VALUE + key, parent.get(VALUE))
    # The <entry> of a map is between the map and its values.
    return parent if name == "entry" else None
