"""Identifiers in CBOR (RFC 8949), which some services speak instead of JSON.

Only text strings change, and with each the length in front of it; everything else is copied byte for byte. Byte
strings are payload. The lengths of arrays and maps count items, not bytes, so nothing else depends on a string.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from replay_proxy.identifiers.rewriting.body.payload import ITEM, VALUE

_BYTES, _TEXT, _ARRAY, _MAP, _TAG = 2, 3, 4, 5, 6
_INDEFINITE = 31
_BREAK = 0xFF
_DEPTH_MAX = 200


def rewrite_texts(body: bytes, tree: dict[str, Any], change: Callable[[bytes], bytes]) -> bytes:
    """Return `body` with `change` applied to each text string that `tree` does not mark.

    Map keys are names or identifiers and change like values. Returns the identical object where nothing changes, or
    where the body is not one well-formed item.
    """
    rewriter = _Rewriter(body, change)
    try:
        end = rewriter.item(0, tree, 0)
    except (IndexError, ValueError):
        return body
    if end != len(body) or not rewriter.pieces:
        return body
    return b"".join((*rewriter.pieces, body[rewriter.done :]))


def texts(body: bytes, tree: dict[str, Any] | None = None) -> bytes:
    """Return all text strings of `body` that `tree` does not mark, a line each.

    In the body itself a string may look one word with the byte of length in front of it.
    """
    found: list[bytes] = []

    def keep(text: bytes) -> bytes:
        found.append(text)
        return text

    rewrite_texts(body, tree or {}, keep)
    return b"\n".join(found)


class _Rewriter:
    """One pass over a body. pieces: what is written so far. done: how many bytes of the body that covers."""

    def __init__(self, body: bytes, change: Callable[[bytes], bytes]) -> None:
        self.body = body
        self.change = change
        self.pieces: list[bytes] = []
        self.done = 0

    def item(self, start: int, node: Any, depth: int) -> int:
        """Rewrite the item at `start`, and return where it ends. node: its payload (a mark, a tree, or None)."""
        if depth > _DEPTH_MAX:
            raise ValueError("nested too deep")
        major, argument, at = self._head(start)
        if major in (_BYTES, _TEXT):
            return self._string(start, major, argument, at, marked=isinstance(node, str))
        if major == _TAG:
            return self.item(at, node, depth + 1)
        if major not in (_ARRAY, _MAP):
            return at
        left = argument
        while left != 0:
            if left < 0 and self.body[at] == _BREAK:
                return at + 1
            inner = node.get(ITEM) if isinstance(node, dict) else node
            if major == _MAP:
                _, size, content = self._head(at)
                name = self.body[content : content + max(size, 0)].decode("utf-8", "replace")
                at = self.item(at, node if isinstance(node, str) else None, depth + 1)
                inner = node.get(name, node.get(VALUE)) if isinstance(node, dict) else node
            at = self.item(at, inner, depth + 1)
            left -= 1
        return at

    def _head(self, at: int) -> tuple[int, int, int]:
        """Return the major type, the argument (-1: of indefinite length), and where the content begins."""
        major, info = self.body[at] >> 5, self.body[at] & 31
        at += 1
        if info < 24:
            return major, info, at
        if info == _INDEFINITE:
            return major, -1, at
        size = 1 << (info - 24)
        if info > 27 or at + size > len(self.body):
            raise ValueError("no length")
        return major, int.from_bytes(self.body[at : at + size], "big"), at + size

    def _string(self, start: int, major: int, size: int, at: int, *, marked: bool) -> int:
        if size < 0:  # chunks, each a string of its own, up to a break
            while self.body[at] != _BREAK:
                _, size, content = self._head(at)
                at = self._string(at, major, size, content, marked=marked)
            return at + 1
        end = at + size
        if end > len(self.body):
            raise ValueError("ends in the middle")
        if major == _TEXT and not marked:
            old = self.body[at:end]
            new = self.change(old)
            if new != old:
                self.pieces += [self.body[self.done : start], _text(new)]
                self.done = end
        return end


def _text(value: bytes) -> bytes:
    size = len(value)
    if size < 24:
        return bytes((_TEXT << 5 | size,)) + value
    width = next(exponent for exponent in range(4) if size < 1 << (8 << exponent))
    return bytes((_TEXT << 5 | 24 + width,)) + size.to_bytes(1 << width, "big") + value
