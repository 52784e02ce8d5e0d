"""JSON documents, and plain values (from JSON or CBOR), to parameters by shape.

The same walk reads requests and answers. What the model does not know is dropped, as botocore drops it; `null`
members of a structure are absent members. Scalars are taken as AWS takes them: a number where text is due is text,
and the other way round where nothing is lost; in answers, a fraction where an integer is due stays one. Anything else raises
MalformedMessage.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from botocore.model import Shape

from replay_proxy.errors import MalformedMessage
from replay_proxy.wire.codecs.protocols.limits import check_depth, check_size
from replay_proxy.wire.codecs.protocols.scalars import parse_blob, parse_boolean, parse_float, parse_integer
from replay_proxy.wire.codecs.protocols.timestamps import parse_timestamp


def load_json(body: bytes) -> Any:
    """Return a JSON document as plain values. Raises MalformedMessage."""
    check_size(len(body), "the JSON body")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    # The standard parser takes what orjson does not: NaN (Python's encoder writes it), lone surrogates, a BOM.
    try:
        return json.loads(body)
    except RecursionError:
        raise MalformedMessage("the JSON body is nested too deeply") from None
    except (ValueError, UnicodeError) as error:
        raise MalformedMessage(f"the body is not JSON: {error}") from None


def read_value(shape: Shape, value: Any, depth: int = 0, *, answer: bool = False) -> Any:
    """Return a plain value as parameters of `shape`. Raises MalformedMessage where it has another structure.

    answer: take fractions for integers, as botocore does: emulators count milliseconds in fractions.
    """
    check_depth(depth)
    kind = shape.type_name
    if kind == "structure":
        if shape.is_document_type:
            return value
        if not isinstance(value, dict):
            raise MalformedMessage(f"{shape.name}: an object is due, not {_kind(value)}")
        return read_members(shape.members, value, depth, answer=answer)
    if kind == "list":
        if not isinstance(value, list):
            raise MalformedMessage(f"{shape.name}: a list is due, not {_kind(value)}")
        member = shape.member
        return [None if item is None else read_value(member, item, depth + 1, answer=answer) for item in value]
    if kind == "map":
        if not isinstance(value, dict):
            raise MalformedMessage(f"{shape.name}: an object is due, not {_kind(value)}")
        entry = shape.value
        return {
            key: None if item is None else read_value(entry, item, depth + 1, answer=answer)
            for key, item in value.items()
        }
    return _read_scalar(shape, kind, value, answer=answer)


def read_members(
    members: Mapping[str, Shape], value: Mapping[str, Any], depth: int = 0, *, answer: bool = False
) -> dict[str, Any]:
    """Return those of `members` that an object has, by their wire names, else by their own. Raises as `read_value`."""
    params = {}
    for name, member in members.items():
        serialization = member.serialization
        wire_name = serialization.get("name", name)
        item = value.get(wire_name)
        if item is None and wire_name != name:
            item = value.get(name)
        if item is not None:
            params[name] = read_value(member, item, depth + 1, answer=answer)
    return params


def _read_scalar(shape: Shape, kind: str, value: Any, *, answer: bool) -> Any:
    if kind == "timestamp":
        return parse_timestamp(value)
    if kind == "blob":
        if isinstance(value, bytes):
            return value
        if isinstance(value, str):
            return parse_blob(value)
    elif kind in ("string", "character"):
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return str(value)
        if isinstance(value, dict | list) and shape.serialization.get("jsonvalue"):
            return value
    elif kind == "boolean":
        if isinstance(value, bool):
            return value
        if isinstance(value, str):
            return parse_boolean(value)
        if value in (0, 1):
            return bool(value)
    elif kind in ("integer", "long"):
        if isinstance(value, int):
            return int(value)
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, float) and answer:
            return value
        if isinstance(value, str):
            return parse_integer(value)
    elif kind in ("float", "double"):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        if isinstance(value, str):
            return parse_float(value)
    raise MalformedMessage(f"{shape.name}: a {kind} is due, not {_kind(value)}")


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, datetime):
        return "a timestamp"
    names = {dict: "an object", list: "a list", str: "text", int: "a number", float: "a number"}
    return names.get(type(value), "null" if value is None else type(value).__name__)
