"""Replace the values of single members in a body: JSON, XML or a form. CBOR stays as it is.

A `Swap` is asked for every text in the body, with the names that lead to it (lower case), and says what stands there
instead. A body in which nothing is replaced is returned as the same object.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus, unquote_plus
from xml.parsers import expat
from xml.sax.saxutils import escape

Swap = Callable[[tuple[str, ...], str], str | None]
"""From the names that lead to a text, and the text, to another one; None where it stays."""

_CBOR_MAPS = range(0xA0, 0xC0)


def with_leaves(body: bytes, content_type: str, swap: Swap) -> bytes:
    """Return `body` with its texts replaced; the same object where none is. Raises ValueError where it is not what it seems."""
    stripped = body.lstrip()
    if not stripped or (body[0] in _CBOR_MAPS and "cbor" in content_type):
        return body
    if stripped.startswith((b"<", b"\xef\xbb\xbf<")):
        return _xml(body, swap)
    if stripped.startswith((b"{", b"[", b'"')):
        return _json(body, swap)
    return form(body, swap)


def form(body: bytes, swap: Swap) -> bytes:
    """Return a form or a query with its texts replaced; the same object where none is."""
    pairs, changed = [], False
    for pair in body.split(b"&"):
        name, equals, text = pair.partition(b"=")
        names = tuple(unquote_plus(name.decode("latin-1")).lower().split("."))
        new = swap(names, unquote_plus(text.decode("latin-1")))
        if new is not None:
            changed = True
        pairs.append(pair if new is None else name + equals + quote_plus(new).encode())
    return b"&".join(pairs) if changed else body


def _json(body: bytes, swap: Swap) -> bytes:
    changed = False

    def walk(value: Any, names: tuple[str, ...]) -> Any:
        nonlocal changed
        if isinstance(value, str):
            new = swap(names, value)
            if new is not None:
                changed = True
                return new
        elif isinstance(value, dict):
            return {key: walk(inner, (*names, key.lower())) for key, inner in value.items()}
        elif isinstance(value, list):
            return [walk(inner, names) for inner in value]
        return value

    try:
        replaced = walk(json.loads(body), ())
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return (
        json.dumps(replaced, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
        if changed
        else body
    )


def _xml(body: bytes, swap: Swap) -> bytes:
    names: list[str] = []
    text: list[str] = []
    begun = 0
    pieces: list[bytes] = []
    taken = 0
    parser = expat.ParserCreate()

    def start(name: str, _attributes: dict[str, str]) -> None:
        nonlocal begun
        names.append(name.rpartition(":")[2].lower())
        text.clear()
        begun = body.index(b">", parser.CurrentByteIndex) + 1

    def end(_name: str) -> None:
        nonlocal taken
        if text:
            new = swap(tuple(names), "".join(text))
            if new is not None:
                pieces.extend((body[taken:begun], escape(new).encode()))
                taken = parser.CurrentByteIndex
        text.clear()
        names.pop()

    parser.StartElementHandler = start
    parser.CharacterDataHandler = text.append
    parser.EndElementHandler = end
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise ValueError(f"it is no XML: {error}") from error
    return b"".join([*pieces, body[taken:]]) if pieces else body
