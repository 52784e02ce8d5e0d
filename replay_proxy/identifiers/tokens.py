r"""Finding identifiers in bytes, whatever the text around them is encoded as.

An identifier travels raw (`vpc-0a1b`), percent-encoded once or twice (`arn%3Aaws`, `%252F`), inside JSON strings
inside JSON strings (`\\\"Resource\\\":`), or with XML entities. Three observations make one cheap scan enough:

* Every identifier contains a *run* of at least four characters out of `[A-Za-z0-9_-]`, and in practice no encoding
  touches these. So a message is split into its runs, at C speed, and one set operation says whether any of them is
  known. That is the whole cost of a message that mentions nothing known, however many aliases there are.
* What an encoding does touch is the character *before* a run: in `%3Avpc-1` the run is `vpc-1`, not `3Avpc-1`, and in
  `\nvpc-1` it is not `nvpc-1`. Where it matters a message is *plained*: its escapes are decoded to one character
  each, with a map back to the original offsets, so that only the bytes of a match are ever replaced.
* Identifiers with other characters in them (upload ids, receipt handles, stream labels) are found by their *anchor*,
  their most telling run, and then compared around it. IP and MAC addresses have no such run and are split off as a
  whole, for tables that know any.

A run is a whole token: an identifier never matches inside a longer run, so `web1` does not match in `web1-server`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass

MIN_RUN = 4
"""The shortest run that can be an identifier by itself; shorter ones are words and versions (`1`, `v2`, `GET`)."""

RUN = re.compile(rb"[A-Za-z0-9_-]{4,}")
ADDRESS = re.compile(
    rb"(?<![\w.-])\d{1,3}(?:\.\d{1,3}){3}(?![\w.-])|(?<![\w:-])[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}(?![\w:-])"
)

RUN_CHARACTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


def _keep(also: bytes = b"") -> bytes:
    return bytes(c if c in RUN_CHARACTERS or c in also else 0x20 for c in range(256))


_ONLY_RUNS, _WITH_DOTS, _WITH_COLONS = _keep(), _keep(b"."), _keep(b":")

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
# Escapes that end in run characters, so that the run after them would be read too long. (Each pattern begins with its
# literal, which makes the search for it fast.)
_BEFORE_LETTER = re.compile(rb"\\[bfnrtu]")  # without one of these no backslash spoils or hides anything
_SPOILING_BACKSLASH = re.compile(rb"\\\\*(?:u[0-9A-Fa-f]{4}|[bfnrt])")
_SPOILING_PERCENT = re.compile(
    rb"%(?:25)*5[Cc](?:%(?:25)*5[Cc])*(?:u[0-9A-Fa-f]{4}|[bfnrt])|" + _PERCENT,
)
_ENDS_IN_ESCAPE = re.compile(rb"(?:" + _BACKSLASHES + rb"(?:u[0-9A-Fa-f]{4}|[bfnrt])|" + _PERCENT + rb")\Z")
_LONGEST_ESCAPE = 24
_SPECIAL = re.compile(rb"[^A-Za-z0-9_.~-]")
# Escapes of run characters themselves: nobody needs them, some encoders write them.
_HIDING_PERCENT = re.compile(rb"%(?:25)*(?:2[Dd]|3[0-9]|4[1-9A-Fa-f]|5[0-9AFaf]|5[Cc]u00|6[1-9A-Fa-f]|7[0-9Aa])")
_NAMED = {b"quot": b'"', b"apos": b"'", b"lt": b"<", b"gt": b">", b"amp": b"&"}
_OTHER = b"\x00"  # stands for any character that no identifier contains


@dataclass(frozen=True, slots=True)
class Plain:
    """Text with its escapes decoded, one byte for each, and the way back to the offsets of the original."""

    text: bytes
    _positions: tuple[int, ...] = ()
    _shifts: tuple[int, ...] = ()

    @property
    def is_original(self) -> bool:
        """No escape was decoded: offsets are those of the original."""
        return not self._positions

    def origin(self, index: int) -> int:
        """The offset in the original at which the character `index` of `text` begins."""
        before = bisect_left(self._positions, index)
        return index + self._shifts[before - 1] if before else index


def has_escapes(data: bytes) -> bool:
    """Whether anything in `data` may be an escape."""
    return b"%" in data or b"\\" in data or b"&" in data


def plain(data: bytes) -> Plain:
    """Decode every escape of `data` to one byte; characters that no identifier contains become NUL."""
    if not has_escapes(data):
        return Plain(data)
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
    return Plain(b"".join(pieces), tuple(positions), tuple(shifts))


def _decoded(escape: re.Match[bytes]) -> bytes:
    text = escape.group()
    if escape["json"]:
        kind = escape["kind"] or b"\\"
        if kind[:1] != b"u":
            return kind if kind in b'"/\\' else _OTHER
        code = int(kind[1:], 16)
    elif escape["percent"]:
        code = int(text[-2:], 16)
    else:
        name = text[1:-1].rpartition(b";")[2]
        if name[:1] != b"#":
            return _NAMED.get(name, _OTHER)
        code = int(b"0" + name[1:], 16) if name[1:2] == b"x" else int(name[1:])
    return bytes((code,)) if 0 < code < 0x80 else _OTHER


def runs(data: bytes) -> list[bytes]:
    """The runs of `data`, duplicates included.

    May hold strings that are no runs, because they are shorter: this list is for a first look.
    """
    return runs_of_bare(bare(data)[0])


def address_parts(data: bytes) -> list[bytes]:
    """The IP and MAC addresses of `data`, and much else: for a first look."""
    return address_parts_of_bare(bare(data)[0])


def runs_of_bare(text: bytes) -> list[bytes]:
    """As `runs`, for text that is `bare`."""
    return text.translate(_ONLY_RUNS).split()


def address_parts_of_bare(text: bytes) -> list[bytes]:
    """As `address_parts`, for text that is `bare`."""
    return text.translate(_WITH_DOTS).split() + text.translate(_WITH_COLONS).split()


def bare(data: bytes) -> tuple[bytes, bool]:
    """`data` without the escapes that spoil its runs, in the way of a first look.

    Also whether run characters of `data` are escaped themselves, so that only its plained text (which it then gives)
    shows its runs.
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
        return plain(data).text, True
    if percent:
        data = _SPOILING_PERCENT.sub(b" ", data)
    if backslash:
        data = _SPOILING_BACKSLASH.sub(b" ", data)
    return data, False


def places(text: bytes, token: bytes, *, addresses: bool = True) -> list[tuple[int, int, bytes]]:
    """Where the run or address `token` stands in `text` as a whole token: start, end and the token itself.

    In plained text, also a compound one. In text that is not plained, an escape right before the token is no part of
    it. addresses: False where the token cannot be one.
    """
    if not addresses or not is_address(token):
        return run_places(text, token)
    found = []
    start = text.find(token)
    while start >= 0:
        whole = ADDRESS.match(text, start)
        if whole is not None and whole.group() == token:
            found.append((start, whole.end(), token))
        start = text.find(token, start + 1)
    return found


def run_places(text: bytes, token: bytes) -> list[tuple[int, int, bytes]]:
    """As `places`, for a token that is no address."""
    found = []
    size, length = len(token), len(text)
    start = text.find(token)
    while start >= 0:
        end = start + size
        beside_run = (start and text[start - 1] in RUN_CHARACTERS) or (end < length and text[end] in RUN_CHARACTERS)
        if not beside_run or is_bounded(text, start, end):
            found.append((start, end, token))
        start = text.find(token, start + 1)
    return found


def is_bounded(text: bytes, start: int, end: int) -> bool:
    """Does the run `start:end` end where it ends, and begin where it begins, or right after an escape?"""
    if start and text[start] in RUN_CHARACTERS and text[start - 1] in RUN_CHARACTERS:
        before = text[max(0, start - _LONGEST_ESCAPE) : start]
        if (b"%" not in before and b"\\" not in before) or not _ENDS_IN_ESCAPE.search(before):
            return False
    return not (end < len(text) and text[end - 1] in RUN_CHARACTERS and text[end] in RUN_CHARACTERS)


def anchor(identifier: bytes) -> bytes:
    """The run by which a compound identifier is found: the longest that has a digit, else the longest.

    Raises ValueError where the identifier has no run at all.
    """
    best = max(
        RUN.findall(identifier),
        key=lambda run: (any(48 <= byte <= 57 for byte in run), len(run)),
        default=None,
    )
    if best is None:
        raise ValueError(f"no run of {MIN_RUN} identifier characters in {identifier!r}")
    return bytes(best)


def is_run(identifier: bytes) -> bool:
    """Whether an identifier is a single run."""
    return RUN.fullmatch(identifier) is not None


def is_address(identifier: bytes) -> bool:
    """Whether an identifier is an IPv4 or MAC address."""
    return ADDRESS.fullmatch(identifier) is not None


def respelt(new: bytes, original: bytes, *, url: bool) -> bytes:
    """`new` as its place demands: special characters escaped as `original`, the raw bytes it replaces, escapes them.

    Where `original` escapes nothing, `url` says whether they must be percent-encoded (path, query, form).
    """
    plain_place = b"%" not in original and b"\\" not in original
    if (plain_place and not url) or is_run(new):
        return new
    if plain_place:
        return _SPECIAL.sub(lambda found: b"%%%02X" % ord(found[0]), new)
    percent = re.search(_PERCENT, original)
    prefix = b"%" + b"25" * (len(percent.group()) // 2 - 1) if percent else b"%"
    slash = re.search(rb"\\+/", original)
    unicode_escape = re.search(rb"(\\+u)[0-9A-Fa-f]{4}", original)
    out = bytearray()
    for byte in new:
        if byte in RUN_CHARACTERS or byte in b".~":
            out.append(byte)
        elif url or percent:
            out += prefix + b"%02X" % byte
        elif byte == 0x2F and slash:
            out += slash.group()
        elif unicode_escape and byte not in b"/:":
            out += unicode_escape.group(1) + b"%04x" % byte
        else:
            out.append(byte)
    return bytes(out)
