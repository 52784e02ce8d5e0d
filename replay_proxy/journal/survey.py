"""One pass over the lines of a journal: verified, in order, and where each call stands.

Damage has to be refused before the first call is replayed, so every checksum is verified, however little of the journal
is needed then (where the result of an earlier pass was kept, see `keeping`, those of the lines that live). That need
not mean to parse it: number, kind, service and operation of a record stand at a fixed place near the beginning of its
line (`codec`), and a checksum covers them. So a line costs a search for its end, a CRC-32 of its bytes, and a match of
some hundred bytes at its beginning. What is found is kept as an *index*: 24 bytes a call, by which `selection` finds
and decodes the calls of some services without reading the others.

A line that somebody edited has no checksum, and perhaps another order of members; it is decoded instead.
"""

from __future__ import annotations

import re
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from replay_proxy.journal.codec import MAX_LINE, LineError, decode_line
from replay_proxy.journal.effect import Effect
from replay_proxy.journal.records import Kind, Mark, Record

BLOCK = 256 << 10
"""Bytes that are read at a time: few enough to stay in a processor's cache."""

_HEAD = re.compile(
    rb'\{"seq":([0-9]{1,19}),"time":"[^"]*","ms":[^,]*,'
    rb'("kind":"(?:mutation|witness)"(?:,"service":"[^"]*","operation":"[^"]*")?,)'
)
_WORDS = re.compile(rb'"kind":"([^"]*)"(?:,"service":"([^"]*)","operation":"([^"]*)")?,')
_CRC_LENGTH = len(b',"crc":"01234567"}')
_CRC_START = b',"crc":"'
_HEX8 = re.compile(rb"[0-9a-f]{8}").fullmatch


class What(NamedTuple):
    """What a line records. service, operation: empty where the call was not recognised."""

    kind: Kind
    service: str
    operation: str


def what_of(record: Record) -> What:
    """What a decoded record is."""
    head = record.head
    return What(record.kind, head.service, head.operation) if head is not None else What(record.kind, "", "")


@dataclass(slots=True)
class Index:
    """Every record of a journal, in order: its number, its place in bytes, and (as a place in `kinds`) what it is.

    warnings: lines that are missing, and calls that were never recorded, as `Recording.warnings` has them after decoding.
    """

    kinds: list[What] = field(default_factory=list)
    seqs: array[int] = field(default_factory=lambda: array("Q"))
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    lengths: array[int] = field(default_factory=lambda: array("L"))
    whats: array[int] = field(default_factory=lambda: array("L"))
    warnings: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.seqs)

    def add(self, seq: int, offset: int, length: int, what: What) -> None:
        """Take in the next record."""
        if what not in self.kinds:
            self.kinds.append(what)
        self.seqs.append(seq)
        self.offsets.append(offset)
        self.lengths.append(length)
        self.whats.append(self.kinds.index(what))

    def what(self, position: int) -> What:
        """What the record at a position (from 0) is."""
        return self.kinds[self.whats[position]]

    def positions(self, wanted: Callable[[What], bool]) -> Iterator[int]:
        """The positions of the records that are `wanted`, in order."""
        chosen = [wanted(what) for what in self.kinds]
        return (position for position, what in enumerate(self.whats) if chosen[what])

    def through(self, seq: int) -> Index:
        """The records up to that number."""
        end = bisect_right(self.seqs, seq)
        return Index(
            self.kinds, self.seqs[:end], self.offsets[:end], self.lengths[:end], self.whats[:end], self.warnings
        )

    def position(self, seq: int) -> int:
        """Where the record with this number is. Raises KeyError."""
        position = bisect_left(self.seqs, seq)
        if position == len(self.seqs) or self.seqs[position] != seq:
            raise KeyError(seq)
        return position


def is_verified(line: bytes) -> bool:
    """Does a line (without its line feed) end with the right checksum?"""
    content = memoryview(line)[:-_CRC_LENGTH]
    return line[-_CRC_LENGTH:-10] == _CRC_START and line[-10:] == b'%08x"}' % zlib.crc32(content)


class LineDamage(Exception):
    """A line that cannot be accepted: its number from 1, its offset in bytes, and why."""

    def __init__(self, line: int, offset: int, reason: str) -> None:
        super().__init__(line, offset, reason)
        self.line = line
        self.offset = offset
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Prefix:
    """The beginning of a journal. end: its length in bytes; lines: in it, the header included; crc: of its bytes."""

    end: int
    lines: int
    crc: int


@dataclass(slots=True)
class Survey:
    """The result: which marks put which calls in effect, the index of the calls, and the number of the last line.

    lines: how many there are, the header included. kept: of which prefix this was known already (`keeping`).
    unread: nothing was read of that prefix this time, so its lines were not verified.
    """

    effect: Effect
    index: Index
    last_seq: int = 0
    lines: int = 0
    kept: Prefix | None = None
    unread: bool = False


def missing(through: int, last: int, seq: int) -> tuple[int, int] | None:
    """The first and the last of the numbers between `last` and `seq` whose absence no compaction up to `through` explains."""
    begin = max(last, through) + 1
    return (begin, seq - 1) if begin < seq else None


def survey(
    read_at: Callable[[int, int], bytes], start: int, end: int, through: int = 0, found: Survey | None = None
) -> Survey:
    """Walk over the lines between two offsets. read_at: at most so many bytes from an offset.

    through: the last number whose absence a compaction explains. found: what is known of the lines before `start`; it is
    added to.

    Raises:
        LineDamage: a line that is damaged or out of order. OSError: as `read_at`.
    """
    walk = _Walk(found or Survey(Effect(), Index(), lines=1 if start else 0), through)
    for block, offset in _blocks(read_at, start, end, walk):
        walk.take(block, offset)
    walk.found.lines = walk.line
    return walk.found


def _blocks(read_at: Callable[[int, int], bytes], start: int, end: int, walk: _Walk) -> Iterable[tuple[bytes, int]]:
    """The bytes between two offsets in pieces that end with a line (the last one perhaps without its newline)."""
    carry, offset, at = b"", start, start
    while at < end:
        block = read_at(min(BLOCK, end - at), at)
        if not block:
            raise LineDamage(walk.line + 1, offset, "the file became shorter while it was read")
        at += len(block)
        cut = len(block) if at >= end else block.rfind(b"\n") + 1
        if not cut:
            carry += block
            if len(carry) > MAX_LINE:
                raise LineDamage(walk.line + 1, offset, f"it is longer than {MAX_LINE} bytes")
            continue
        piece = carry + block[:cut] if carry else block[:cut]
        yield piece, offset
        offset += len(piece)
        carry = block[cut:]


class _Walk:
    """The state of one pass. line: how many lines were seen, the header included."""

    def __init__(self, found: Survey, through: int) -> None:
        self.found = found
        self._through = through
        self.line = found.lines
        self._last = found.last_seq
        self._known: dict[bytes, int] = {}
        self._places = {what: place for place, what in enumerate(found.index.kinds)}

    def take(self, block: bytes, base: int) -> None:
        """Take in whole lines, of which the first begins at the offset `base`."""
        index, known, view = self.found.index, self._known, memoryview(block)
        add_seq, add_offset = index.seqs.append, index.offsets.append
        add_length, add_what = index.lengths.append, index.whats.append
        find, match, crc32 = block.find, _HEAD.match, zlib.crc32
        line, last, at, size = self.line, self._last, 0, len(block)
        while at < size:
            end = find(b"\n", at)
            after = end + 1
            if end < 0:
                end = after = size
            line += 1
            head = match(block, at, end)
            if (
                head is not None
                and block[end - _CRC_LENGTH : end - 10] == _CRC_START
                and block[end - 10 : end] == b'%08x"}' % crc32(view[at : end - _CRC_LENGTH])
            ):
                seq = int(head[1])
                what = known.get(head[2])
                if what is None:
                    what = self._learn(head[2])
            else:
                try:
                    slowly = self._slowly(block[at:end], line)
                except LineError as error:
                    raise LineDamage(line, base + at, str(error)) from error
                if slowly is None:
                    at = after
                    continue
                seq, what = slowly
            if seq <= last:
                raise LineDamage(line, base + at, f"its seq is {seq}, and the line before has {last}")
            if seq != last + 1 and (gap := missing(self._through, last, seq)) is not None:
                index.warnings.append(f"line {line}: the numbers {gap[0]} to {gap[1]} are missing; were lines removed?")
            last = seq
            if what >= 0:
                add_seq(seq)
                add_offset(base + at)
                add_length(after - at)
                add_what(what)
            at = after
        self.line, self._last = line, last
        self.found.last_seq = last

    def _slowly(self, line: bytes, number: int) -> tuple[int, int] | None:
        """Number and kind of any line by decoding it: -1 for a mark, which is taken in, and None for a blank line."""
        if not line.strip():
            return None
        item = decode_line(line).item
        if isinstance(item, Mark):
            self.found.effect.add(item)
            if item.reason:
                told = f"line {number}: calls before {item.time} were not recorded: {item.reason}"
                self.found.index.warnings.append(told)
            return item.seq, -1
        return item.seq, self._place(what_of(item))

    def _learn(self, words: bytes) -> int:
        found = _WORDS.fullmatch(words)
        assert found is not None
        kind, service, operation = (word.decode("utf-8") if word else "" for word in found.groups())
        place = self._known[words] = self._place(What(Kind(kind), service, operation))
        return place

    def _place(self, what: What) -> int:
        place = self._places.get(what)
        if place is None:
            place = self._places[what] = len(self.found.index.kinds)
            self.found.index.kinds.append(what)
        return place
