"""The checksum of a line, and where it stands.

A line is a JSON object in UTF-8 without spaces, with a fixed order of members, and a checksum as its last one:

    {"seq":7,"time":"...","ms":3.1,"kind":"mutation",...,"crc":"5f0a91d2"}

The checksum is the CRC-32 (the polynomial of zlib, gzip and PNG) of the line's bytes before `,"crc"`. It is looked for
at the very end of the line's *bytes*, before any parsing, so that damage cannot be parsed into something else first.
"""

from __future__ import annotations

import re
import zlib
from typing import Final

LINE_BYTES_MAX: Final = 256 * 1024 * 1024
"""A longer line is no line of a recording: a body of that size belongs into a blob."""

CRC_MEMBER_BYTES: Final = len(b',"crc":"01234567"}')
CRC_START: Final = b',"crc":"'
_HEX8: Final = re.compile(rb"[0-9a-f]{8}").fullmatch


class LineError(ValueError):
    """Why a line is no line of a recording. The reader adds where the line stands."""


def with_checksum(text: bytes) -> bytes:
    """Return the line, newline included, of a JSON object that lacks its closing brace.

    Raises:
        ValueError: it would be longer than `LINE_BYTES_MAX`.
    """
    if len(text) >= LINE_BYTES_MAX:
        raise ValueError(
            f"a line of {len(text) + 1} bytes is longer than the {LINE_BYTES_MAX} that a recording may have"
        )
    return b'%s,"crc":"%08x"}\n' % (text, zlib.crc32(text))


def has_right_checksum(line: bytes) -> bool:
    """Whether a line without its newline ends with the right checksum; False where it has none.

    Raises:
        LineError: it has a wrong one.
    """
    if line[-CRC_MEMBER_BYTES : -CRC_MEMBER_BYTES + 8] != CRC_START or not line.endswith(b'"}'):
        return False
    digits = line[-10:-2]
    if not _HEX8(digits) or zlib.crc32(memoryview(line)[:-CRC_MEMBER_BYTES]) != int(digits, 16):
        raise LineError("its checksum does not match its content")
    return True
