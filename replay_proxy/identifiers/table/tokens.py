r"""Finding identifiers in bytes, whatever the text around them is encoded as.

An identifier travels raw (`vpc-0a1b`), percent-encoded once or twice (`arn%3Aaws`, `%252F`), inside JSON strings
inside JSON strings (`\\\"Resource\\\":`), or with XML entities. Three observations make one cheap scan enough:

* Every identifier contains a *word*: at least four characters out of `[A-Za-z0-9_-]` in a row. In practice no encoding
  changes these. So a message is split into its words, at C speed, and one set operation says whether any of them is
  known. That is the whole cost of a message that mentions nothing known, however many aliases there are.
* What an encoding does change is the character *before* a word: in `%3Avpc-1` the word is `vpc-1`, not `3Avpc-1`, and
  in `\nvpc-1` it is not `nvpc-1`. Where it matters a message is *unescaped*: each escape is decoded to one character,
  with a map back to the original offsets, so that only the bytes of a match are ever replaced.
* A *compound* is an identifier with other characters in it (upload ids, receipt handles, stream labels). It is found by
  its *index word*, the word in it that is rarest by its looks, and then compared around that. IP and MAC addresses, and
  fingerprints of keys, which are written alike, have no word; they are split off as a whole, for tables that know any.

A word is matched as a whole: no identifier matches inside a longer word. `web1` does not match in `web1-server`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass

WORD_CHARACTERS_MIN = 4
"""Characters of the shortest word that can be an identifier by itself. Shorter ones are `1`, `v2`, `GET`."""

WORD = re.compile(rb"[A-Za-z0-9_-]{4,}")
ADDRESS = re.compile(
    rb"(?<![\w.-])\d{1,3}(?:\.\d{1,3}){3}(?![\w.-])|(?<![\w:-])[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5,}(?![\w:-])"
)

WORD_CHARACTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


def _keep(also: bytes = b"") -> bytes:
    return bytes(c if c in WORD_CHARACTERS or c in also else 0x20 for c in range(256))


_WORDS_ONLY, _WITH_DOTS, _WITH_COLONS = _keep(), _keep(b"."), _keep(b":")

# Second and deeper levels of percent-encoding are recognised where they encode a character that needs it (reserved, a
# line break, `-`, `_`, or a byte of UTF-8); `%25` before anything else is a percent sign.
_PERCENT = (
    rb"%(?:(?:25)+(?:0[9ADad]|2[0-9A-Fa-f]|3[A-Fa-f]|40|5[BCDFbcdf]|7[BCDEbcde]|[89A-Fa-f][0-9A-Fa-f])"
    rb"|[0-9A-Fa-f]{2})"
)
# JSON in a form has its backslashes percent-encoded, but not the letters after them.
_BACKSLASHES = rb"(?:\\|%(?:25)*5[Cc])+"
_ESCAPE = re.compile(
    rb"(?P<json>" + _BACKSLASHES + rb"(?P<kind>u[0-9A-Fa-f]{4}|[\"/bfnrt])?)|(?P<percent>" + _PERCENT + rb")"
    rb"|&(?:amp;)*(?:#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6}|[A-Za-z]{2,6});"
)
_SIGN = re.compile(rb"[%\\&]")  # every escape begins with one of these, and to look for them is fast
# Escapes that end in characters of words, so that the word after them would be read too long. (Each pattern begins with its
# literal, which makes the search for it fast.)
_BEFORE_LETTER = re.compile(rb"\\[bfnrtu]")  # without one of these no backslash changes any word
_SPOILING_BACKSLASH = re.compile(rb"\\\\*(?:u[0-9A-Fa-f]{4}|[bfnrt])")
_SPOILING_PERCENT = re.compile(
    rb"%(?:25)*5[Cc](?:%(?:25)*5[Cc])*(?:u[0-9A-Fa-f]{4}|[bfnrt])|" + _PERCENT,
)
_ENDS_IN_ESCAPE = re.compile(rb"(?:" + _BACKSLASHES + rb"(?:u[0-9A-Fa-f]{4}|[bfnrt])|" + _PERCENT + rb")\Z")
_ESCAPE_BYTES_MAX = 24
_SPECIAL = re.compile(rb"[^A-Za-z0-9_.~-]")
_COLON = re.compile(rb"%(?:25)*3[Aa]")  # what joins the bytes of an address that has no word
# Escapes of characters of words: nobody needs them, some encoders write them.
_HIDING_PERCENT = re.compile(rb"%(?:25)*(?:2[Dd]|3[0-9]|4[1-9A-Fa-f]|5[0-9AFaf]|5[Cc]u00|6[1-9A-Fa-f]|7[0-9Aa])")
_NAMED = {b"quot": b'"', b"apos": b"'", b"lt": b"<", b"gt": b">", b"amp": b"&"}
_OTHER = b"\x00"  # stands for any character that no identifier contains


@dataclass(frozen=True, slots=True)
class Unescaped:
    """Text with each escape decoded to one byte, and the map back to the offsets of the original."""

    text: bytes
    _positions: tuple[int, ...] = ()
    _shifts: tuple[int, ...] = ()

    @property
    def is_original(self) -> bool:
        """Return whether no escape was decoded, so that offsets are those of the original."""
        return not self._positions

    def original_offset(self, index: int) -> int:
        """Return the offset in the original at which the character `index` of `text` begins."""
        before = bisect_left(self._positions, index)
        return index + self._shifts[before - 1] if before else index


def has_escapes(data: bytes) -> bool:
    """Return whether anything in `data` may be an escape."""
    return b"%" in data or b"\\" in data or b"&" in data


def unescaped(data: bytes) -> Unescaped:
    """Return `data` with every escape decoded to one byte; a character that no identifier contains becomes NUL."""
    if not has_escapes(data):
        return Unescaped(data)
    pieces: list[bytes] = []
    positions: list[int] = []
    shifts: list[int] = []
    done = length = shift = 0
    for sign in _SIGN.finditer(data):
        start = sign.start()
        match = _ESCAPE.match(data, start) if start >= done else None
        if match is None:
            continue
        end = match.end()
        pieces.append(data[done:start])
        pieces.append(_decoded(match))
        length += start - done
        positions.append(length)
        length += 1
        shift += end - start - 1
        shifts.append(shift)
        done = end
    pieces.append(data[done:])
    return Unescaped(b"".join(pieces), tuple(positions), tuple(shifts))


def _decoded(escape: re.Match[bytes]) -> bytes:
    text = escape.group()
    if escape["json"]:
        kind = escape["kind"] or b"\\"
        if kind[:1] != b"u":
            return kind if kind in b'"/\\' else b"\n" if kind == b"n" else _OTHER
        code = int(kind[1:], 16)
    elif escape["percent"]:
        code = int(text[-2:], 16)
    else:
        name = text[1:-1].rpartition(b";")[2]
        if name[:1] != b"#":
            return _NAMED.get(name, _OTHER)
        code = int(b"0" + name[1:], 16) if name[1:2] == b"x" else int(name[1:])
    return bytes((code,)) if 0 < code < 0x80 else _OTHER


def words(data: bytes) -> list[bytes]:
    """Return the words of `data`, duplicates included, for a prescan: shorter strings may be among them."""
    return words_of_bare(bare_text(data)[0])


def address_parts(data: bytes) -> list[bytes]:
    """Return the IP and MAC addresses of `data`, among much else, for a prescan."""
    return address_parts_of_bare(bare_text(data)[0])


def words_of_bare(text: bytes) -> list[bytes]:
    """Return the words of a text that `bare_text` gave."""
    return text.translate(_WORDS_ONLY).split()


def address_parts_of_bare(text: bytes) -> list[bytes]:
    """Return what `address_parts` does, of a text that `bare_text` gave."""
    return text.translate(_WITH_DOTS).split() + text.translate(_WITH_COLONS).split()


def bare_text(data: bytes) -> tuple[bytes, bool]:
    """Return `data` without the escapes before words, as a prescan needs it, and whether words are escaped themselves.

    Where characters of words are escaped, only the unescaped text shows the words; that is returned then. A colon is decoded.
    """
    # To look for one byte is much faster than for two.
    percent = b"%" in data
    first = data.find(b"\\")
    backslash = first >= 0 and _BEFORE_LETTER.search(data, first) is not None
    if (
        (percent and _HIDING_PERCENT.search(data))
        or (backslash and b"\\u00" in data)
        or (b"&" in data and b"&#" in data)
    ):
        return unescaped(data).text, True
    if percent:
        data = _SPOILING_PERCENT.sub(b" ", _COLON.sub(b":", data) if b"3A" in data or b"3a" in data else data)
    if backslash:
        data = _SPOILING_BACKSLASH.sub(b" ", data)
    return data, False


def occurrences(text: bytes, token: bytes, *, addresses: bool = True) -> list[tuple[int, int, bytes]]:
    """Return where the word or address `token` stands in `text` as a whole: start, end and the token itself.

    In unescaped text, `token` may be a compound, too. In other text, an escape right before the token is no part of it.
    addresses: False where the token cannot be an address.
    """
    if not addresses or not is_address(token):
        return word_occurrences(text, token)
    found = []
    start = text.find(token)
    while start >= 0:
        whole = ADDRESS.match(text, start)
        if whole is not None and whole.group() == token:
            found.append((start, whole.end(), token))
        start = text.find(token, start + 1)
    return found


def word_occurrences(text: bytes, token: bytes) -> list[tuple[int, int, bytes]]:
    """Return where `token`, which is no address, stands in `text`; see `occurrences`."""
    found = []
    size, length = len(token), len(text)
    start = text.find(token)
    while start >= 0:
        end = start + size
        beside_word = (start and text[start - 1] in WORD_CHARACTERS) or (end < length and text[end] in WORD_CHARACTERS)
        if not beside_word or is_bounded(text, start, end):
            found.append((start, end, token))
        start = text.find(token, start + 1)
    return found


def is_bounded(text: bytes, start: int, end: int) -> bool:
    """Return whether `start:end` is a whole word: bounded by other characters, or at its start by an escape."""
    if start and text[start] in WORD_CHARACTERS and text[start - 1] in WORD_CHARACTERS:
        before = text[max(0, start - _ESCAPE_BYTES_MAX) : start]
        if (b"%" not in before and b"\\" not in before) or not _ENDS_IN_ESCAPE.search(before):
            return False
    return not (end < len(text) and text[end - 1] in WORD_CHARACTERS and text[end] in WORD_CHARACTERS)


def index_word(identifier: bytes) -> bytes:
    """Return the word by which a compound identifier is found: the longest with a digit, else the longest.

    Raises:
        ValueError: there is no word in it.
    """
    best = max(
        WORD.findall(identifier),
        key=lambda word: (any(48 <= byte <= 57 for byte in word), len(word)),
        default=None,
    )
    if best is None:
        raise ValueError(f"no word of {WORD_CHARACTERS_MIN} identifier characters in {identifier!r}")
    return bytes(best)


def is_word(identifier: bytes) -> bool:
    """Return whether an identifier is a single word."""
    return WORD.fullmatch(identifier) is not None


def is_address(identifier: bytes) -> bool:
    """Return whether an identifier is an IPv4 or MAC address, or a fingerprint of bytes joined by colons."""
    return ADDRESS.fullmatch(identifier) is not None


def escaped_like(new: bytes, original: bytes, *, url: bool) -> bytes:
    """Return `new` with its special characters escaped as in `original`, the raw bytes that it replaces.

    url: whether they must be percent-encoded where `original` escapes nothing (path, query, form).
    """
    unescaped_place = b"%" not in original and b"\\" not in original
    if (unescaped_place and not url) or is_word(new):
        return new
    if unescaped_place:
        return _SPECIAL.sub(lambda found: b"%%%02X" % ord(found[0]), new)
    percent = re.search(_PERCENT, original)
    prefix = b"%" + b"25" * (len(percent.group()) // 2 - 1) if percent else b"%"
    slash = re.search(rb"\\+/", original)
    line_break = re.search(rb"\\+n", original)
    unicode_escape = re.search(rb"(\\+u)[0-9A-Fa-f]{4}", original)
    out = bytearray()
    for byte in new:
        if byte in WORD_CHARACTERS or byte in b".~":
            out.append(byte)
        elif url or percent:
            out += prefix + b"%02X" % byte
        elif byte == 0x2F and slash:
            out += slash.group()
        elif byte == 0x0A and line_break:
            out += line_break.group()
        elif unicode_escape and byte not in b"/:":
            out += unicode_escape.group(1) + b"%04x" % byte
        else:
            out.append(byte)
    return bytes(out)
