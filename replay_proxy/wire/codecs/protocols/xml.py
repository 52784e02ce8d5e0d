"""XML documents to parameters by shape: REST XML requests, and the answers of every XML protocol.

No document type declaration is accepted, so no entity can be declared: expansion attacks and external entities are
impossible by construction. The encoding is always UTF-8, whatever the document says, as with every AWS service.
Element names are compared without their namespace.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, ParseError, XMLParser

from botocore.model import Shape

from replay_proxy.errors import MalformedMessage
from replay_proxy.wire.codecs.protocols.limits import NODES_MAX, check_depth, check_size
from replay_proxy.wire.codecs.protocols.scalars import is_blank_scalar, parse_scalar

_PROLOG = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s+|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)

Node = Element
Found = Element | list[Element]


def load_xml(body: bytes) -> Element:
    """Return the root element of a document. Raises MalformedMessage."""
    check_size(len(body), "the XML body")
    if body.count(b"<") > NODES_MAX:
        raise MalformedMessage(f"the XML body has more than {NODES_MAX} tags")
    if b"\0" in body:
        # No XML character; in UTF-16, which expat reads by its byte order mark whatever it is told, every other byte.
        raise MalformedMessage("the XML body is not UTF-8")
    prolog = _PROLOG.match(body)
    if prolog is not None and body.startswith(b"<!", prolog.end()):
        raise MalformedMessage("the XML body has a document type declaration")
    parser = XMLParser(encoding="utf-8")  # noqa: S314  (no DOCTYPE gets here, see above)
    try:
        parser.feed(body)
        root: Element = parser.close()
    except (ParseError, ValueError) as error:
        raise MalformedMessage(f"the body is not XML: {error}") from None
    return root


def tag(node: Element) -> str:
    """Return the name of an element without its namespace."""
    return node.tag.rpartition("}")[2]


def children(node: Element) -> dict[str, list[Element]]:
    """Return the child elements by name, repeated ones in order."""
    by_name: dict[str, list[Element]] = {}
    for child in node:
        by_name.setdefault(tag(child), []).append(child)
    return by_name


def read_node(shape: Shape, nodes: Sequence[Element], depth: int = 0) -> Any:
    """Return the elements of one member as a value of `shape`: several where it is flattened, else the first counts.

    Raises MalformedMessage.
    """
    check_depth(depth)
    kind = shape.type_name
    if kind == "structure":
        return read_structure(shape.members, nodes[0], depth)
    if kind == "list":
        return _read_list(shape, nodes, depth)
    if kind == "map":
        return _read_map(shape, nodes, depth)
    return parse_scalar(shape, nodes[0].text or "")


def read_structure(members: Mapping[str, Shape], node: Element, depth: int = 0) -> dict[str, Any]:
    """Return those of `members` that an element has. Raises MalformedMessage."""
    params = {}
    by_name = children(node)
    for name, member in members.items():
        serialization = member.serialization
        if serialization.get("xmlAttribute"):
            value = _attribute(node, serialization.get("name", name))
            if value is not None:
                params[name] = parse_scalar(member, value)
            continue
        found = next((by_name[wire] for wire in element_names(member, name) if wire in by_name), None)
        if found and not (is_blank_scalar(member, found[0].text) and not len(found[0])):
            params[name] = read_node(member, found, depth + 1)
    return params


def element_names(member: Shape, name: str) -> list[str]:
    """Return what the element of a structure's member may be called, best first.

    A flattened list has two names, its own and its members'. Smithy says that its own counts, and botocore writes
    that one and reads the other.
    """
    serialization = member.serialization
    names = [str(serialization.get("name", name))]
    if member.type_name == "list" and serialization.get("flattened"):
        inner = member.member.serialization.get("name")
        if inner is not None:
            names.append(str(inner))
    return [*names, name]


def _read_list(shape: Shape, nodes: Sequence[Element], depth: int) -> list[Any]:
    member = shape.member
    if shape.serialization.get("flattened"):
        items: Sequence[Element] = nodes
        # An emulator that does not flatten writes one element that holds the items: told by their own name.
        wrapped = member.serialization.get("name", "member")
        if len(nodes) == 1 and len(nodes[0]) and tag(nodes[0]) != wrapped:
            inside = [child for child in nodes[0] if tag(child) in (wrapped, "member")]
            if len(inside) == len(nodes[0]):
                items = inside
    else:
        items = list(nodes[0])
    return [read_node(member, [item], depth + 1) for item in items]


def _read_map(shape: Shape, nodes: Sequence[Element], depth: int) -> dict[str, Any]:
    entries: Sequence[Element] = nodes if shape.serialization.get("flattened") else list(nodes[0])
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")
    result: dict[str, Any] = {}
    for entry in entries:
        parts = children(entry)
        keys = parts.get(key_name) or parts.get("key")
        if not keys:
            raise MalformedMessage(f"{shape.name}: an entry without <{key_name}>")
        values = parts.get(value_name) or parts.get("value")
        key = parse_scalar(shape.key, keys[0].text or "")
        result[key] = read_node(shape.value, values, depth + 1) if values else ""
    return result


def _attribute(node: Element, name: str) -> str | None:
    """Return the value of an attribute that the model calls `name` (`xsi:type`); its prefix may differ. None without it."""
    local = name.rpartition(":")[2]
    for key, value in node.attrib.items():
        if key.rpartition("}")[2].rpartition(":")[2] == local:
            return value
    return None
