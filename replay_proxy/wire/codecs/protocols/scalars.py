"""Text to scalar values by shape: what queries, XML, headers, labels and query strings have in common."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from botocore.model import Shape

from replay_proxy.errors import MalformedMessage
from replay_proxy.wire.codecs.protocols.timestamps import parse_timestamp

_INTEGER = re.compile(r"[+-]?\d{1,400}", re.ASCII)
_FLOAT_WORDS = {"nan": "nan", "infinity": "inf", "-infinity": "-inf", "inf": "inf", "-inf": "-inf"}


def parse_scalar(shape: Shape, text: str) -> Any:
    """Return `text` as a value of `shape`, which is neither structure, list nor map.

    Raises MalformedMessage where the text is no such value.
    """
    kind = shape.type_name
    if kind in ("integer", "long"):
        return parse_integer(text)
    if kind == "boolean":
        return parse_boolean(text)
    if kind in ("float", "double"):
        return parse_float(text)
    if kind == "timestamp":
        return parse_timestamp(text)
    if kind == "blob":
        return parse_blob(text)
    return text


def is_blank_scalar(shape: Shape, text: str | None) -> bool:
    """Return whether `text` says nothing about a number, a boolean or a time: `<Size/>` and `Size=` are no values.

    Empty text and empty bytes are values, and so are empty lists.
    """
    return not (text and text.strip()) and shape.type_name in _NEVER_BLANK


_NEVER_BLANK = ("integer", "long", "boolean", "float", "double", "timestamp")


def parse_integer(text: str) -> int:
    """Return the integer that a text writes; `5.0` counts (some clients have only floats). Raises MalformedMessage."""
    stripped = text.strip()
    if _INTEGER.fullmatch(stripped):
        return int(stripped)
    number = parse_float(stripped)
    if number.is_integer():
        return int(number)
    raise MalformedMessage(f"not an integer: {text!r:.80}")


def parse_boolean(text: str) -> bool:
    """Return True for `true` and `1`, False for `false` and `0`, in any case. Raises MalformedMessage."""
    word = text.strip().lower()
    if word in ("true", "1"):
        return True
    if word in ("false", "0"):
        return False
    raise MalformedMessage(f"not a boolean: {text!r:.80}")


def parse_float(text: str) -> float:
    """Return the number that a text writes: decimal, `NaN`, `Infinity` or `-Infinity`. Raises MalformedMessage."""
    word = text.strip()
    try:
        return float(_FLOAT_WORDS.get(word.lower(), word))
    except ValueError:
        raise MalformedMessage(f"not a number: {text!r:.80}") from None


def parse_blob(text: str) -> bytes:
    """Return the bytes that base64 text encodes; line breaks and missing padding are allowed. Raises MalformedMessage."""
    packed = "".join(text.split())
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise MalformedMessage(f"not base64: {text!r:.80}") from None
