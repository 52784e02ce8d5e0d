"""What REST protocols carry outside the body: labels in the path, the query string, headers.

Paths are matched as they were sent, still percent-encoded: a `%2F` inside a label is part of the label, and only
then is each label decoded.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes
from weakref import WeakKeyDictionary

from botocore.model import OperationModel, Shape, StructureShape

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Headers
from replay_proxy.wire.codecs.protocols.json import load_json
from replay_proxy.wire.codecs.protocols.query import load_pairs
from replay_proxy.wire.codecs.protocols.scalars import is_blank_scalar, parse_scalar

_LABEL = re.compile(r"\{([^{}]+?)(\+?)\}")


@lru_cache(maxsize=4096)
def _path_patterns(request_uri: str) -> tuple[re.Pattern[str], ...]:
    """Return the patterns of a URI template's path: strict; with every label greedy (ARNs sent unencoded); and strict below
    the path of an endpoint (`https://ID.execute-api.REGION.amazonaws.com/STAGE/@connections/…`).
    """
    path = request_uri.partition("?")[0]
    patterns = []
    for lenient in (False, True):
        parts, position = [], 0
        for seen, found in enumerate(_LABEL.finditer(path)):
            parts.append(re.escape(path[position : found.start()]))
            last = found.end() == len(path)
            if found.group(2):
                # A greedy label may be empty, and then its slash may be missing too.
                if parts[-1].endswith("/") and last:
                    parts[-1] = parts[-1][:-1]
                    parts.append(f"(?:/(?P<label{seen}>.*))?")
                else:
                    parts.append(f"(?P<label{seen}>.*)")
            else:
                parts.append(f"(?P<label{seen}>{'.+' if lenient else '[^/]+'})")
            position = found.end()
        parts.append(re.escape(path[position:]))
        patterns.append(re.compile("".join(parts).rstrip("/") + "/?", re.DOTALL))
    if not path.startswith("/{"):
        patterns.append(re.compile("/.*?" + patterns[0].pattern, re.DOTALL))
    return tuple(patterns)


def read_labels(request_uri: str, path: str) -> dict[str, str]:
    """Return the decoded labels of a raw `path` by the template `request_uri` (`/{Bucket}/{Key+}`).

    Raises MalformedMessage where the path does not follow the template.
    """
    names = [found.group(1) for found in _LABEL.finditer(request_uri.partition("?")[0])]
    if not names:
        return {}
    for pattern in _path_patterns(request_uri):
        found = pattern.fullmatch(path)
        if found is not None:
            labels = {name: found.group(f"label{index}") for index, name in enumerate(names)}
            return {name: decode_path(value) for name, value in labels.items() if value is not None}
    raise MalformedMessage(f"the path {path!r:.200} does not follow {request_uri}")


def decode_path(text: str) -> str:
    """Return a percent-encoded piece of a path decoded. Raises MalformedMessage where it is not UTF-8."""
    if "%" not in text and text.isascii():
        return text
    try:
        return unquote_to_bytes(text.encode("latin-1", "replace")).decode()
    except UnicodeDecodeError as error:
        raise MalformedMessage(f"a path that is not UTF-8: {error}") from None


def read_locations(
    operation: OperationModel, path: str, query: str, headers: Headers, request_uri: str
) -> dict[str, Any]:
    """Return the members of the operation's input that travel outside the body. Raises MalformedMessage."""
    shape = operation.input_shape
    if shape is None:
        return {}
    labels = read_labels(request_uri, path)
    pairs = load_pairs(query.encode("latin-1", "replace")) if query else []
    fixed = {name for name, _ in _fixed_query(request_uri)}
    located = _located(shape)
    params: dict[str, Any] = {}
    for name, member, location, wire_name in located:
        if location == "header":
            if wire_name not in headers:
                continue
            value = read_header_member(member, name, headers)
        elif location == "uri":
            if wire_name not in labels:
                continue
            value = parse_scalar(member, labels[wire_name])
        elif location == "headers":
            value = read_header_member(member, name, headers)
        elif not pairs:
            continue
        elif member.type_name == "map":
            bound = {each[3] for each in located if each[2] == "querystring" and each[1].type_name != "map"}
            value = _query_map(member, [pair for pair in pairs if pair[0] not in bound | fixed])
        else:
            value = _query_value(member, [value for key, value in pairs if key == wire_name])
        if value is not None:
            params[name] = value
    return params


_known: WeakKeyDictionary[StructureShape, tuple[tuple[str, Shape, str, str], ...]] = WeakKeyDictionary()


def _located(shape: StructureShape) -> tuple[tuple[str, Shape, str, str], ...]:
    """Return the members that travel outside the body: name, shape, location, name there (of a header: in lower case)."""
    known = _known.get(shape)
    if known is None:
        known = _known[shape] = _locate(shape)
    return known


def _locate(shape: StructureShape) -> tuple[tuple[str, Shape, str, str], ...]:
    found = []
    for name, member in shape.members.items():
        location = member.serialization.get("location", "")
        wire_name = member.serialization.get("name", name)
        if location in ("header", "headers"):
            wire_name = wire_name.lower()
            if wire_name == "content-length":
                continue  # the HTTP client's, whether or not a caller gave it: it measures the message
        if location in ("uri", "querystring", "header", "headers"):
            found.append((name, member, location, wire_name))
    return tuple(found)


@lru_cache(maxsize=4096)
def _fixed_query(request_uri: str) -> tuple[tuple[str, str], ...]:
    return tuple(load_pairs(request_uri.partition("?")[2].encode()))


def _query_value(member: Shape, values: list[str]) -> Any:
    if not values:
        return None
    if member.type_name == "list":
        return [parse_scalar(member.member, value) for value in values]
    if is_blank_scalar(member, values[0]):
        return None
    return parse_scalar(member, values[0])


def _query_map(member: Shape, pairs: list[tuple[str, str]]) -> dict[str, Any] | None:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if member.value.type_name == "list":
            result.setdefault(key, []).append(parse_scalar(member.value.member, value))
        else:
            result.setdefault(key, parse_scalar(member.value, value))
    # Signature parameters of a presigned call are no part of the caller's map.
    return {key: value for key, value in result.items() if not key.startswith("X-Amz-")} or None


def read_header_member(member: Shape, name: str, headers: Headers) -> Any:
    """Return the value of a member bound to a header, or to all headers with a prefix; None where there is none.

    Raises MalformedMessage.
    """
    serialization = member.serialization
    if serialization["location"] == "headers":
        prefix = serialization.get("name", "").lower()
        found = {key[len(prefix) :]: header_text(value) for key, value in headers if key.lower().startswith(prefix)}
        return found or None
    wire_name = serialization.get("name", name).lower()
    if wire_name not in headers:
        return None
    if member.type_name == "list":
        text = ",".join(header_text(value) for value in headers.get_all(wire_name))
        return [parse_scalar(member.member, item) for item in _split_list(member.member, text)]
    text = header_text(headers.get(wire_name))
    if serialization.get("jsonvalue") and member.type_name == "string":
        return _json_value(text)
    if is_blank_scalar(member, text):
        return None
    return parse_scalar(member, text)


def header_text(value: str) -> str:
    """Return a header's wire text (ISO 8859-1) decoded as UTF-8 if it is that: SDKs send it, RFC 9110 leaves it open."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode()
    except (UnicodeDecodeError, UnicodeEncodeError):
        return value


def _json_value(text: str) -> Any:
    """Return the value of a header with the trait `mediaType: application/json`: base64 of JSON, or JSON."""
    try:
        return load_json(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, MalformedMessage):
        return load_json(text.encode("utf-8", "replace"))


def _split_list(member: Shape, text: str) -> list[str]:
    """Return the items of a comma-separated header. HTTP dates contain a comma themselves; text with a comma is quoted."""
    if member.type_name == "timestamp" and member.serialization.get("timestampFormat", "rfc822") == "rfc822":
        parts = text.split(",")
        return [",".join(parts[at : at + 2]).strip() for at in range(0, len(parts), 2)]
    items: list[str] = []
    position = 0 if text.strip() else 1
    while position <= len(text):
        while position < len(text) and text[position] == " ":
            position += 1
        if text.startswith('"', position):
            item, position = _quoted(text, position + 1)
        else:
            end = text.find(",", position)
            end = len(text) if end < 0 else end
            item, position = text[position:end].strip(), end + 1
        items.append(item)
    return items


def _quoted(text: str, position: int) -> tuple[str, int]:
    """Return a quoted string that starts at `position`, and where the next item starts."""
    out = []
    while position < len(text) and text[position] != '"':
        if text[position] == "\\" and position + 1 < len(text):
            position += 1
        out.append(text[position])
        position += 1
    comma = text.find(",", position)
    return "".join(out), len(text) + 1 if comma < 0 else comma + 1
