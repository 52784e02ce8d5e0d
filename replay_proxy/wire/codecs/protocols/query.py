"""Forms of the query and EC2 protocols (`Filter.1.Value.2=x`) to parameters by shape.

Names are paths. They are first made into a tree, and the tree is walked with the shape:

* a list is `Name.member.1` (or with the name that its model gives in place of `member`), flattened `Name.1`, where
  a flattened list's own member name replaces the last part of the path; EC2 always flattens;
* a map is `Name.entry.1.key` and `Name.entry.1.value`, flattened `Name.1.key`;
* an empty list is `Name=` (query only: EC2 has no way to say it).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from botocore.model import Shape

from replay_proxy.errors import MalformedMessage
from replay_proxy.wire.codecs.protocols.limits import DEPTH_MAX, NODES_MAX, check_depth, check_size
from replay_proxy.wire.codecs.protocols.scalars import is_blank_scalar, parse_scalar


class FormNode:
    """A place in the tree of a form: its own value, if it has one, and what hangs below it."""

    __slots__ = ("below", "value")

    def __init__(self) -> None:
        self.value: str | None = None
        self.below: dict[str, FormNode] = {}


def load_pairs(form: bytes) -> list[tuple[str, str]]:
    """Return the fields of an `application/x-www-form-urlencoded` text in order. Raises MalformedMessage."""
    check_size(len(form), "the form")
    if form.count(b"&") >= NODES_MAX:
        raise MalformedMessage(f"the form has more than {NODES_MAX} fields")
    pairs = []
    for field in form.split(b"&"):
        if field:
            name, _, value = field.partition(b"=")
            pairs.append((_decode(name), _decode(value)))
    return pairs


def _decode(text: bytes) -> str:
    try:
        return unquote_to_bytes(text.replace(b"+", b" ")).decode()
    except UnicodeDecodeError as error:
        raise MalformedMessage(f"a form field that is not UTF-8: {error}") from None


def load_tree(pairs: Iterable[tuple[str, str]]) -> FormNode:
    """Return the tree of a form. Raises MalformedMessage where a name has too many parts."""
    root = FormNode()
    count = 0
    for name, value in pairs:
        parts = name.split(".")
        count += len(parts)
        if len(parts) > 2 * DEPTH_MAX or count > NODES_MAX:
            raise MalformedMessage("the form's names have too many parts")
        node = root
        for part in parts:
            below = node.below.get(part)
            if below is None:
                below = node.below[part] = FormNode()
            node = below
        node.value = value
    return root


def read_form(shape: Shape, node: FormNode, *, ec2: bool) -> dict[str, Any]:
    """Return the parameters of an operation's input shape. Raises MalformedMessage."""
    return _read_structure(shape, node, ec2, 0)


def _read(shape: Shape, node: FormNode, ec2: bool, depth: int) -> Any:
    check_depth(depth)
    kind = shape.type_name
    if kind == "structure":
        return _read_structure(shape, node, ec2, depth)
    if kind == "list":
        return _read_list(shape, node, ec2, depth)
    if kind == "map":
        return _read_map(shape, node, ec2, depth)
    return parse_scalar(shape, node.value or "")


def _read_structure(shape: Shape, node: FormNode, ec2: bool, depth: int) -> dict[str, Any]:
    params = {}
    for name, member in shape.members.items():
        for wire_name in member_names(member, name, ec2):
            found = node.below.get(wire_name)
            if found is not None:
                said = found.below or member.type_name not in ("structure", "map")
                if said and not is_blank_scalar(member, found.value):
                    params[name] = _read(member, found, ec2, depth + 1)
                break
    return params


def member_names(member: Shape, name: str, ec2: bool) -> list[str]:
    """Return what a structure's member may be called, best first."""
    serialization = member.serialization
    if ec2:
        if "queryName" in serialization:
            return [serialization["queryName"]]
        if "name" in serialization:
            given = str(serialization["name"])
            return [given[:1].upper() + given[1:], given]
        return [name, name[:1].upper() + name[1:]]
    names = [serialization.get("name", name)]
    if member.type_name == "list" and serialization.get("flattened"):
        inner = member.member.serialization.get("name")
        if inner is not None:
            names.insert(0, inner)
    if name not in names:
        names.append(name)
    return names


def _read_list(shape: Shape, node: FormNode, ec2: bool, depth: int) -> list[Any]:
    items = node
    if not ec2 and not shape.serialization.get("flattened"):
        inner = shape.member.serialization.get("name", "member")
        items = node.below.get(inner) or node.below.get("member") or node
    return [_read(shape.member, item, ec2, depth + 1) for item in _numbered(items)]


def _read_map(shape: Shape, node: FormNode, ec2: bool, depth: int) -> dict[str, Any]:
    entries = node
    if not shape.serialization.get("flattened"):
        entries = node.below.get("entry") or node
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")
    result = {}
    for entry in _numbered(entries):
        key = entry.below.get(key_name) or entry.below.get("key")
        if key is None or key.value is None:
            raise MalformedMessage(f"{shape.name}: an entry without {key_name}")
        value = entry.below.get(value_name) or entry.below.get("value") or FormNode()
        result[key.value] = _read(shape.value, value, ec2, depth + 1)
    return result


def _numbered(node: FormNode) -> list[FormNode]:
    """Return the nodes below `.1`, `.2`, …, in the order of the numbers; gaps are allowed, as AWS allows them."""
    numbered = [
        (int(part), below) for part, below in node.below.items() if part.isascii() and part.isdigit() and len(part) < 10
    ]
    numbered.sort(key=lambda pair: pair[0])
    return [below for _, below in numbered]
