"""Tagged netstrings, the notation of mitmproxy's flow files: `LENGTH:CONTENT` and a byte that says what it is.

`,` bytes, `;` text, `#` integer, `^` float, `!` boolean, `~` nothing, `]` list, `}` dictionary (keys and values in turn).
A flow file is one dictionary after the other.

Bounded: a value of a file has at most `MAX_VALUE` bytes and `MAX_ITEMS` values in it, and is nested at most `MAX_DEPTH` deep.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import IO, Any, Final

MAX_VALUE: Final = 64 * 1024 * 1024
MAX_ITEMS: Final = 100_000
MAX_DEPTH: Final = 64
_MAX_DIGITS: Final = len(str(MAX_VALUE))
_LONGEST_NUMBER: Final = 64


class NotTagged(ValueError):
    """Why bytes are no tagged netstring."""


def values(source: IO[bytes]) -> Iterator[tuple[int, Any]]:
    """Yield offset and value of every netstring in a file. Raises NotTagged; a cut-off end is one, too."""
    offset = 0
    while first := source.read(1):
        digits = first
        while not digits.endswith(b":"):
            byte = source.read(1)
            if not byte or len(digits) > _MAX_DIGITS:
                raise NotTagged(f"at byte {offset}: no length")
            digits += byte
        length = _length(digits[:-1], offset)
        content = source.read(length + 1)
        if len(content) != length + 1:
            raise NotTagged(f"at byte {offset}: it ends in the middle of a value")
        yield offset, _value(memoryview(content)[:-1], content[-1:], 0, itertools.count(1))
        offset += len(digits) + length + 1


def _length(digits: bytes, offset: int) -> int:
    if not digits.isdigit() or len(digits) > _MAX_DIGITS or int(digits) > MAX_VALUE:
        raise NotTagged(f"at byte {offset}: {digits[:20]!r} is no length that a value may have")
    return int(digits)


def _value(content: memoryview, tag: bytes, depth: int, counted: Iterator[int]) -> Any:
    if next(counted) > MAX_ITEMS:
        raise NotTagged(f"there are more than {MAX_ITEMS} values in one")
    if depth > MAX_DEPTH:
        raise NotTagged(f"values are nested more than {MAX_DEPTH} deep")
    match tag:
        case b",":
            return bytes(content)
        case b";":
            return _text(content)
        case b"#" | b"^":
            return _number(bytes(content[: _LONGEST_NUMBER + 1]), tag)
        case b"!":
            if bytes(content[:6]) not in (b"true", b"false"):
                raise NotTagged("a boolean is neither true nor false")
            return bytes(content) == b"true"
        case b"~":
            if len(content):
                raise NotTagged("nothing has content")
            return None
        case b"]":
            return list(_items(content, depth, counted))
        case b"}":
            return _dictionary(list(_items(content, depth, counted)))
    raise NotTagged(f"{tag!r} is no tag")


def _text(content: memoryview) -> str:
    try:
        return str(content, "utf-8")
    except UnicodeDecodeError as error:
        raise NotTagged(f"a text is not UTF-8: {error.reason}") from None


def _number(content: bytes, tag: bytes) -> int | float:
    if len(content) > _LONGEST_NUMBER:
        raise NotTagged("a number is too long")
    try:
        return int(content) if tag == b"#" else float(content)
    except ValueError:
        raise NotTagged(f"{content!r} is no number") from None


def _dictionary(items: list[Any]) -> dict[Any, Any]:
    if len(items) % 2:
        raise NotTagged("a dictionary has a key without a value")
    keys = items[::2]
    if not all(isinstance(key, str | bytes) for key in keys):
        raise NotTagged("a key is no text")
    return dict(zip(keys, items[1::2], strict=True))


def _items(content: memoryview, depth: int, counted: Iterator[int]) -> Iterator[Any]:
    at = 0
    while at < len(content):
        start = bytes(content[at : at + _MAX_DIGITS + 1])
        digits, colon, _rest = start.partition(b":")
        if not colon:
            raise NotTagged("a value has no length")
        length = _length(digits, at)
        begin = at + len(digits) + 1
        end = begin + length
        if end >= len(content):
            raise NotTagged("a value is longer than what it is in")
        yield _value(content[begin:end], bytes(content[end : end + 1]), depth + 1, counted)
        at = end + 1
