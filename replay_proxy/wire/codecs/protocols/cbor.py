"""CBOR (RFC 8949) to plain values: `smithy-rpc-v2-cbor`, and the `application/x-amz-cbor-1.1` of Kinesis.

Written out here because botocore's decoder is a private method of a parser class, recurses without a bound, and
reads only what botocore itself would write. Tag 1 becomes a datetime; bignums (tags 2 and 3) integers; decimal
fractions (tag 4) floats; every other tag is passed over and its content kept.
"""

from __future__ import annotations

import struct
from typing import Any

from replay_proxy.errors import MalformedMessage
from replay_proxy.wire.codecs.protocols.limits import check_depth, check_size
from replay_proxy.wire.codecs.protocols.timestamps import parse_timestamp
from replay_proxy.wording import counted

_BREAK = object()
_SIMPLE: dict[int, bool | None] = {20: False, 21: True, 22: None, 23: None}
_FLOATS = {25: (">e", 2), 26: (">f", 4), 27: (">d", 8)}


def load_cbor(body: bytes) -> Any:
    """Return one CBOR data item as plain values (bytes and datetimes among them). Raises MalformedMessage."""
    check_size(len(body), "the CBOR body")
    reader = _Reader(body)
    value = reader.item(0)
    if value is _BREAK:
        raise MalformedMessage("CBOR: a break without a beginning")
    if reader.position != len(body):
        raise MalformedMessage(f"CBOR: {counted(len(body) - reader.position, 'byte')} after the end")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, count: int) -> bytes:
        start = self.position
        end = start + count
        if end > len(self.data):
            raise MalformedMessage(f"CBOR: ends at byte {len(self.data)}, in the middle of a value")
        self.position = end
        return self.data[start:end]

    def argument(self, info: int) -> int:
        if info < 24:
            return info
        if info > 27:
            raise MalformedMessage(f"CBOR: reserved additional information {info} at byte {self.position}")
        return int.from_bytes(self.take(1 << (info - 24)), "big")

    def item(self, depth: int) -> Any:
        check_depth(depth)
        initial = self.take(1)[0]
        major, info = initial >> 5, initial & 31
        if major == 0:
            return self.argument(info)
        if major == 1:
            return -1 - self.argument(info)
        if major == 2:
            return self.string(major, info)
        if major == 3:
            try:
                return self.string(major, info).decode()
            except UnicodeDecodeError as error:
                raise MalformedMessage(f"CBOR: text that is not UTF-8: {error}") from None
        if major == 4:
            return self.array(info, depth)
        if major == 5:
            return self.map(info, depth)
        if major == 6:
            return self.tagged(self.argument(info), depth)
        return self.simple(info)

    def string(self, major: int, info: int) -> bytes:
        if info != 31:
            return self.take(self.argument(info))
        chunks = []
        while (initial := self.take(1)[0]) != 0xFF:
            if initial >> 5 != major or initial & 31 == 31:
                raise MalformedMessage(f"CBOR: a string in pieces that are no strings at byte {self.position}")
            chunks.append(self.take(self.argument(initial & 31)))
        return b"".join(chunks)

    def array(self, info: int, depth: int) -> list[Any]:
        items: list[Any] = []
        left = -1 if info == 31 else self.argument(info)
        while left:
            item = self.item(depth + 1)
            if item is _BREAK:
                if left > 0:
                    raise MalformedMessage(f"CBOR: an array that ends early at byte {self.position}")
                break
            items.append(item)
            left -= 1
        return items

    def map(self, info: int, depth: int) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        left = -1 if info == 31 else self.argument(info)
        while left:
            key = self.item(depth + 1)
            if key is _BREAK:
                if left > 0:
                    raise MalformedMessage(f"CBOR: a map that ends early at byte {self.position}")
                break
            if not isinstance(key, str):
                raise MalformedMessage(f"CBOR: a map key that is not text at byte {self.position}")
            value = self.item(depth + 1)
            if value is _BREAK:
                raise MalformedMessage(f"CBOR: a key without a value at byte {self.position}")
            entries[key] = value
            left -= 1
        return entries

    def tagged(self, tag: int, depth: int) -> Any:
        value = self.item(depth + 1)
        if value is _BREAK:
            raise MalformedMessage(f"CBOR: a tag without a value at byte {self.position}")
        if tag == 1:
            return parse_timestamp(value)
        if tag in (2, 3) and isinstance(value, bytes):
            number = int.from_bytes(value[:1024], "big")
            return number if tag == 2 else -1 - number
        if tag == 4 and isinstance(value, list) and len(value) == 2:
            try:
                return float(f"{value[1]:d}e{value[0]:d}")
            except (ValueError, TypeError):
                raise MalformedMessage("CBOR: not a decimal fraction") from None
        return value

    def simple(self, info: int) -> Any:
        if info in _SIMPLE:
            return _SIMPLE[info]
        if info in _FLOATS:
            form, size = _FLOATS[info]
            return struct.unpack(form, self.take(size))[0]
        if info == 31:
            return _BREAK
        raise MalformedMessage(f"CBOR: unknown simple value {info} at byte {self.position}")
