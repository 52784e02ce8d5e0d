"""The journal of a version as layers: its lines without numbers, cut into segments by their content, each packed.

A line is that of docs/journal-format.md without `seq` and without a checksum: numbers differ from one recording to the next, and
the digest of the segment verifies it. Lines are in the order of their replay, so a witness needs no note of its place. Where one
segment ends is decided by the lines alone, so two versions that share most lines share most segments, wherever others were put
in or left out.

Packing is deflate at one level without a time in its header. The same line gives the same bytes with the same zlib; another
build may give others, and then a segment is stored twice. `STATE` in a manifest is the digest of the lines themselves.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from replay_proxy.journal.format.checksum import CRC_START, LineError, with_checksum
from replay_proxy.journal.format.decode import decode_line
from replay_proxy.journal.format.encode import encode_record
from replay_proxy.journal.format.records import Record
from replay_proxy.pods.limits import RATIO_ALLOWANCE_BYTES, SEGMENT_BYTES_MAX, Limits, PodError, damaged
from replay_proxy.pods.oci.descriptor import JOURNAL_TYPE, Descriptor

SMALLEST_BYTES: Final = 16 << 10
LARGEST_BYTES: Final = 1 << 20
_AVERAGE_BYTES: Final = 64 << 10
_LEVEL: Final = 6
_GZIP: Final = 31
_START: Final = b'{"seq":0,'


def line_of(record: Record) -> bytes:
    """Return the line, newline included, of a record whose bodies are where they are to be. Raises ValueError."""
    line = encode_record(record, 0)
    return b"{" + line[len(_START) : line.rindex(CRC_START)] + b"}\n"


def record_of(line: bytes, number: int, where: str) -> Record:
    """Return the record of a line, with a number. where: for messages. Raises PodError."""
    text = line.rstrip(b"\n")
    if not text.startswith(b"{") or not text.endswith(b"}"):
        raise damaged(f"{where}: line {number} is no record")
    try:
        item = decode_line(with_checksum(b'{"seq":%d,%s' % (number, text[1:-1]))).item
    except (LineError, ValueError, RecursionError) as error:
        raise damaged(f"{where}: line {number}: {error}") from error
    if not isinstance(item, Record):
        raise damaged(f"{where}: line {number} is no call")
    if not item.is_readable:
        raise damaged(f"{where}: line {number} is no call: {item.flaw}")
    return item


class SegmentWriter:
    """Takes lines, and stores them in segments. state: the digest of all lines so far.

    store: stores the bytes of a segment, and returns its descriptor.
    """

    def __init__(self, store: Callable[[bytes, str], Descriptor]) -> None:
        self._store = store
        self._lines: list[bytes] = []
        self._size = 0
        self._digest = hashlib.sha256()
        self.segments: list[Descriptor] = []
        self.unpacked_bytes = 0

    @property
    def state(self) -> str:
        """The digest of all lines."""
        return f"sha256:{self._digest.hexdigest()}"

    def add(self, line: bytes) -> None:
        """Take a line. Raises what `store` raises."""
        if self._size and self._size + len(line) > LARGEST_BYTES:
            self.finish()
        self._digest.update(line)
        self._lines.append(line)
        self._size += len(line)
        # Long lines end a segment more often, so that segments are of one size whatever the lines are.
        if self._size >= SMALLEST_BYTES and zlib.crc32(line) % _AVERAGE_BYTES < len(line):
            self.finish()

    def finish(self) -> None:
        """Store what is left. Raises what `store` raises."""
        if self._lines:
            self.unpacked_bytes += self._size
            self.segments.append(self._store(packed(self._lines), JOURNAL_TYPE))
            self._lines, self._size = [], 0


def packed(pieces: Iterable[bytes]) -> bytes:
    """Return bytes as they are stored, always in the same spelling."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return b"".join([*(packer.compress(each) for each in pieces), packer.flush()])


class Budget:
    """How many bytes may still be unpacked of one version, whose layers have so many bytes."""

    def __init__(self, limits: Limits, packed_bytes: int) -> None:
        self._limits = limits
        self._left = min(limits.size_bytes, RATIO_ALLOWANCE_BYTES + limits.ratio * packed_bytes)

    def take(self, size_bytes: int, where: str) -> None:
        """Count bytes that were unpacked. Raises PodError where they are too many."""
        self._left -= size_bytes
        if self._left < 0:
            raise PodError(
                f"{where} unpacks to more than {self._limits.ratio} times its size, or to more than "
                f"{self._limits.size_bytes} bytes",
                hint="REPLAY_POD_MAX_RATIO and REPLAY_POD_MAX_SIZE allow more, where you trust whoever made it",
            )


def unpacked(chunks: Iterable[bytes], budget: Budget, where: str) -> Iterator[bytes]:
    """Yield what is in a packed layer, in pieces of bounded size. Raises PodError where it is damaged or too large."""
    total = 0
    unpacker = zlib.decompressobj(_GZIP)
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                if unpacker.eof:
                    raise damaged(f"{where}: something follows its end")
                piece = unpacker.decompress(rest, 1 << 20)
                rest = unpacker.unconsumed_tail or unpacker.unused_data
                total += len(piece)
                budget.take(len(piece), where)
                if total > SEGMENT_BYTES_MAX:
                    raise damaged(f"{where} unpacks to more than {SEGMENT_BYTES_MAX} bytes")
                if piece:
                    yield piece
    except zlib.error as error:
        raise damaged(f"{where} is damaged: {error}") from error
    if not unpacker.eof:
        raise damaged(f"{where} ends too early")


def lines_in(chunks: Iterable[bytes], budget: Budget, where: str) -> Iterator[bytes]:
    """Yield the lines of a segment. Raises PodError."""
    held: list[bytes] = []
    for piece in unpacked(chunks, budget, where):
        first, *others = piece.split(b"\n")
        held.append(first)
        for each in others:
            yield b"".join(held)
            held = [each]
    if any(held):
        raise damaged(f"{where} ends in the middle of a line")
