"""Finding and replacing known texts in bytes, however they are spelled there.

A secret seldom stands alone. It stands in a JSON string with its quotes escaped, in a form percent-encoded, in XML with
entities, within a document that is itself a string of another document, within a text that somebody encoded in base64
or hex, or compressed before that. To list all spellings of a text is hopeless, since they nest. So the other way round:
the bytes are looked at through *views*. A view undoes one kind of escape everywhere, and knows for each of its bytes
where that came from; views of views undo several layers. What is found in a view is replaced in the original. The
replacements are letters, digits and hyphens, which no spelling changes, so each is right wherever it is put.

Pieces of base64 and hex are decoded, looked through in the same way, and encoded again where something was replaced.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import re
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote_from_bytes

BYTES_MIN = 6
"""Shorter texts are not looked for: they stand everywhere by chance, and in messages as words of the protocol."""
_LAYERS_MAX = 4
_ROUNDS_MAX = 200
_UNPACKED_BYTES_MAX = 16 * 1024 * 1024
_ENCODED_BYTES_MAX, _HARMLESS_MAX = 128, 100_000
"""How long, and how many, encoded pieces without any of the texts are remembered as harmless."""
_OFFSETS_BYTES_MAX = 64 * 1024
"""A longer piece of base64 is decoded from its beginning only, and not at every offset."""

_BINARY_BYTES_MAX = 64 * 1024
"""In larger data that is no text, only texts without any encoding are found."""

_PERCENT = re.compile(rb"%[0-9A-Fa-f]{2}")
_FORM = re.compile(rb"%[0-9A-Fa-f]{2}|\+")
_BACKSLASH = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}"
    rb"|[\"'\\/bfnrt])"
)
_ENTITY = re.compile(rb"&(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});")
_ESCAPES = {
    b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"
}  # fmt: skip
_NAME_JOINTS = frozenset({b"-", b"_"})
_ENTITIES = {b"amp": b"&", b"lt": b"<", b"gt": b">", b"quot": b'"', b"apos": b"'"}
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{8,}={0,2}")
_URLSAFE = re.compile(rb"[A-Za-z0-9_-]{8,}={0,2}")
_BASE64_LINES = re.compile(rb"(?:[A-Za-z0-9+/]{40,100}\r?\n)+[A-Za-z0-9+/]{1,100}={0,2}")
_HEX = re.compile(rb"(?:[0-9a-f]{2}){6,}|(?:[0-9A-F]{2}){6,}")


@dataclass(frozen=True, slots=True)
class _View:
    """Bytes with one kind of escape undone, and the way back to their places in the original.

    data: the bytes. ends, origins: of each escape that was undone, where it ends in `data` and in the original. parent:
    the view that this one was made of. quoted: the original is percent-encoded. spaced: a plus sign was read as a space.
    """

    data: bytes
    ends: tuple[int, ...] = ()
    origins: tuple[int, ...] = ()
    parent: _View | None = None
    quoted: bool = False
    spaced: bool = False

    def origin(self, position: int) -> int:
        """Return where a position of the view is in the original."""
        at = bisect_right(self.ends, position) - 1
        mapped = self.origins[at] + position - self.ends[at] if at >= 0 else position
        return mapped if self.parent is None else self.parent.origin(mapped)


class Vocabulary:
    """The texts that are looked for, each with its replacement: letters, digits and hyphens."""

    def __init__(self) -> None:
        self._texts: dict[bytes, bytes] = {}
        self._by_start: dict[bytes, list[bytes]] = {}
        self._whole: set[bytes] = set()
        self._harmless: set[tuple[bytes, int]] = set()

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, text: bytes, replacement: str, *, whole: bool = False) -> None:
        """Add a text of at least `BYTES_MIN` bytes. whole: it is not looked for within a longer word or name."""
        assert len(text) >= BYTES_MIN
        if text not in self._texts:
            self._texts[text] = replacement.encode("ascii")
            self._harmless.clear()
            if whole:
                self._whole.add(text)
            starting = self._by_start.setdefault(text[:BYTES_MIN], [])
            starting.append(text)
            starting.sort(key=len, reverse=True)

    def holds(self, data: bytes) -> bool:
        """Return whether one of the texts stands in `data`, in any encoding."""
        return self.replaced(data) != data

    def replaced(self, data: bytes) -> bytes:
        """Return `data` with each text replaced, in whatever encoding it stands; the same object for none."""
        return self._replaced(data, _LAYERS_MAX) if self._texts and len(data) >= BYTES_MIN else data

    def _replaced(self, data: bytes, layers: int) -> bytes:
        if data.startswith(b"\x1f\x8b"):
            return self._compressed(data, layers)
        for _round in range(_ROUNDS_MAX):
            new = self._once(data, layers)
            if new is data:
                break
            data = new
        return data

    def _once(self, data: bytes, layers: int) -> bytes:
        """Return `data` with the texts replaced that one view shows. The result has other views, so this is repeated."""
        # The most undone first: a text that ends with an escaped character must not be cut in the middle of the escape.
        views = list(_views(data))[::-1]
        for view in views:
            found = [(start, end, self._texts[text]) for start, end, text in self._found(view.data)]
            if found:
                return _spliced(data, view, found)
        if layers and (len(data) <= _BINARY_BYTES_MAX or len(views) > 1 or _is_text(data)):
            for view in views:
                if view.spaced:  # in base64 a plus sign is one
                    continue
                changed = list(self._encoded(view, layers - 1))
                if changed:
                    return _spliced(data, view, changed)
        return data

    def _found(self, data: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Yield where texts stand literally: the longest of those that begin at one place, none within another."""
        starts = self._by_start
        places: list[int] = []
        if len(starts) * 4 < len(data):
            for each in starts:
                at = data.find(each)
                while at >= 0:
                    places.append(at)
                    at = data.find(each, at + 1)
            places.sort()
        else:
            places = [at for at in range(len(data) - BYTES_MIN + 1) if data[at : at + BYTES_MIN] in starts]
        free = 0
        for at in places:
            if at >= free:
                for text in starts[data[at : at + BYTES_MIN]]:
                    if data.startswith(text, at) and not (text in self._whole and _is_within(data, at, at + len(text))):
                        free = at + len(text)
                        yield at, free, text
                        break

    def _encoded(self, view: _View, layers: int) -> Iterator[tuple[int, int, bytes]]:
        """Yield each piece of base64 or hex in which something was replaced: start, end, new bytes."""
        data, free = view.data, 0
        for found in _BASE64_LINES.finditer(data):
            new = self._recoded(b"".join(found.group().split()), layers)
            if new is not None:
                free = found.end()
                yield found.start(), found.end(), _written(view, new)
        if free:
            return
        for pattern, recoded in ((_HEX, self._rehexed), (_BASE64, self._recoded), (_URLSAFE, self._recoded)):
            for found in pattern.finditer(data):
                new = recoded(found.group(), layers)
                if new is not None:
                    free = found.end()
                    yield found.start(), found.end(), _written(view, new)
            if free:
                return

    def _rehexed(self, encoded: bytes, layers: int) -> bytes | None:
        plain = bytes.fromhex(encoded.decode("ascii"))
        new = self._replaced(plain, layers)
        return None if new is plain else new.hex().encode()

    def _recoded(self, encoded: bytes, layers: int) -> bytes | None:
        # The same words and names stand in message after message.
        if (encoded, layers) in self._harmless:
            return None
        digits = encoded.rstrip(b"=")
        safe = b"-" in digits or b"_" in digits
        for offset in range(4 if len(digits) <= _OFFSETS_BYTES_MAX else 1):
            body = digits[offset:]
            body = body[: len(body) - 1] if len(body) % 4 == 1 else body
            try:
                plain = base64.b64decode(body + b"=" * (-len(body) % 4), b"-_" if safe else None, validate=True)
            except (binascii.Error, ValueError):
                continue
            new = self._replaced(plain, layers)
            if new is not plain:
                made = base64.urlsafe_b64encode(new) if safe else base64.b64encode(new)
                padded = encoded.endswith(b"=") or len(digits) % 4 == 0
                return digits[:offset] + (made if padded else made.rstrip(b"="))
        if len(encoded) <= _ENCODED_BYTES_MAX and len(self._harmless) < _HARMLESS_MAX:
            self._harmless.add((encoded, layers))
        return None

    def _compressed(self, data: bytes, layers: int) -> bytes:
        plain = gunzipped(data)
        if plain is None or not layers:
            return data
        new = self._replaced(plain, layers - 1)
        return data if new is plain else gzip.compress(new, mtime=0)


def gunzipped(data: bytes) -> bytes | None:
    """Return gzip data unpacked; None where it is none, or has more than 16 MiB."""
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        plain = unpacker.decompress(data, _UNPACKED_BYTES_MAX)
    except zlib.error:
        return None
    return plain if unpacker.eof else None


def _is_within(data: bytes, start: int, end: int) -> bool:
    """Return whether these bytes stand within a longer name."""
    return (
        data[max(0, start - 1) : start].isalnum()
        or data[max(0, start - 1) : start] in _NAME_JOINTS
        or (data[end : end + 1].isalnum() or data[end : end + 1] in _NAME_JOINTS)
    )


def _written(view: _View, encoded: bytes) -> bytes:
    return quote_from_bytes(encoded, safe="").encode() if view.quoted else encoded


def _spliced(data: bytes, view: _View, found: list[tuple[int, int, bytes]]) -> bytes:
    pieces, taken = [], 0
    for start, end, new in found:
        first, last = view.origin(start), view.origin(end)
        pieces += [data[taken:first], new]
        taken = last
    return b"".join([*pieces, data[taken:]])


def _views(data: bytes) -> Iterator[_View]:
    """Yield `data` itself, and its views with up to three kinds of escape undone, one after the other."""
    first = _View(data)
    yield first
    if len(data) > _BINARY_BYTES_MAX and not _is_text(data):
        return
    seen = {data}
    latest = [first]
    for _layer in range(3):
        deeper = []
        for view in latest:
            for pattern, trigger, decode, quoted in _KINDS:
                if trigger in view.data:
                    made = _undone(view, pattern, decode, quoted=quoted)
                    if made is not None and made.data not in seen:
                        seen.add(made.data)
                        deeper.append(made)
                        yield made
        latest = deeper


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _undone(view: _View, pattern: re.Pattern[bytes], decode: object, *, quoted: bool) -> _View | None:
    pieces: list[bytes] = []
    ends: list[int] = []
    origins: list[int] = []
    taken = length = 0
    for found in pattern.finditer(view.data):
        before, new = view.data[taken : found.start()], decode(found.group())  # type: ignore[operator]  # of `_KINDS`
        pieces += [before, new]
        length += len(before) + len(new)
        taken = found.end()
        ends.append(length)
        origins.append(taken)
    if not pieces:
        return None
    whole = b"".join([*pieces, view.data[taken:]])
    return _View(whole, tuple(ends), tuple(origins), view, view.quoted or quoted, view.spaced or pattern is _FORM)


def _of_percent(escape: bytes) -> bytes:
    return b" " if escape == b"+" else bytes([int(escape[1:], 16)])


def _of_backslash(escape: bytes) -> bytes:
    kind = escape[1:2]
    if kind == b"u":
        if len(escape) == 12:
            high, low = int(escape[2:6], 16), int(escape[8:12], 16)
            return chr(0x10000 + ((high - 0xD800) << 10) + low - 0xDC00).encode()
        return chr(int(escape[2:6], 16)).encode("utf-8", "surrogatepass")
    if kind == b"x":
        return chr(int(escape[2:4], 16)).encode()
    return _ESCAPES.get(kind, kind)


def _of_entity(escape: bytes) -> bytes:
    name = escape[1:-1]
    if name in _ENTITIES:
        return _ENTITIES[name]
    number = int(name[1:].lower().replace(b"x", b"0x"), 0) if name[1:2] in b"xX" else int(name[1:])
    return chr(number).encode("utf-8", "surrogatepass") if number < 0x110000 else escape


_KINDS = (
    (_BACKSLASH, b"\\", _of_backslash, False),
    (_ENTITY, b"&", _of_entity, False),
    (_PERCENT, b"%", _of_percent, True),
    (_FORM, b"+", _of_percent, True),
)
