"""One pass over the lines of a journal: verified, in order, and where each call stands.

Damage has to be refused before the first call is replayed, so every checksum is verified, however little of the journal
is needed then. (Where the result of an earlier pass was kept, `index_cache`, only lines that a restore needs are verified.)

That need not mean to parse a line: number, kind, service and operation of a record stand at a fixed place near its beginning
(`format.encode`), and a checksum covers them. So a line costs a search for its end, a CRC-32 of its bytes, and a match of some
hundred bytes at its beginning. What is found is kept as an *index*: 24 bytes a call, by which `lookup` finds and decodes the
calls of some services without reading the others.

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

from replay_proxy.journal.format.checksum import LINE_BYTES_MAX, LineError
from replay_proxy.journal.format.decode import decode_line
from replay_proxy.journal.format.records import ControlKind, ControlRecord, Record, RecordKind
from replay_proxy.journal.read.save_points import SavePoints

BLOCK = 256 << 10
"""Bytes that are read at a time: few enough to stay in a processor's cache."""

_HEAD = re.compile(
    rb'\{"seq":([0-9]{1,18}),"time":"[^"]*","ms":[^,]*,'
    # A name with an escape in it is left to the decoder.
    rb'("kind":"(?:mutation|witness|observation)",(?:"service":"[^"\\]*","operation":"[^"\\]*",|(?!"service":)))'
)
_WORDS = re.compile(rb'"kind":"([^"]*)",(?:"service":"([^"]*)","operation":"([^"]*)",)?')
_CRC_LENGTH = len(b',"crc":"01234567"}')
_CRC_START = b',"crc":"'
_HEX8 = re.compile(rb"[0-9a-f]{8}").fullmatch


class CallType(NamedTuple):
    """The kind of call that a line records. service, operation: empty where the call was not recognised."""

    kind: RecordKind
    service: str
    operation: str


def call_type_of(record: Record) -> CallType:
    """Return the call type of a decoded record."""
    head = record.head
    return CallType(record.kind, head.service, head.operation) if head is not None else CallType(record.kind, "", "")


@dataclass(slots=True)
class Index:
    """Every record of a journal, in order: its number, its place in bytes, and its type as a place in `call_types`.

    warnings: lines that are missing, and calls that were never recorded, as `Recording.warnings` has them after decoding.
    """

    call_types: list[CallType] = field(default_factory=list)
    seqs: array[int] = field(default_factory=lambda: array("Q"))
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    lengths: array[int] = field(default_factory=lambda: array("L"))
    type_places: array[int] = field(default_factory=lambda: array("L"))
    warnings: list[str] = field(default_factory=list)
    _places: dict[CallType, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._places = {what: place for place, what in enumerate(self.call_types)}

    def __len__(self) -> int:
        return len(self.seqs)

    def add(self, seq: int, offset: int, length: int, what: CallType) -> None:
        """Take in the next record."""
        place = self.place(what)
        self.seqs.append(seq)
        self.offsets.append(offset)
        self.lengths.append(length)
        self.type_places.append(place)

    def place(self, what: CallType) -> int:
        """Return the place of a call type in `call_types`; a new one is added at the end."""
        place = self._places.get(what)
        if place is None:
            place = self._places[what] = len(self.call_types)
            self.call_types.append(what)
        return place

    def call_type(self, position: int) -> CallType:
        """Return the call type of the record at a position (from 0)."""
        return self.call_types[self.type_places[position]]

    def positions(self, wanted: Callable[[CallType], bool]) -> Iterator[int]:
        """Yield the positions of the records whose call type is `wanted`, in order."""
        chosen = [wanted(what) for what in self.call_types]
        return (position for position, what in enumerate(self.type_places) if chosen[what])

    def through(self, seq: int) -> Index:
        """Return the index of the records up to that number."""
        end = bisect_right(self.seqs, seq)
        return Index(
            self.call_types,
            self.seqs[:end],
            self.offsets[:end],
            self.lengths[:end],
            self.type_places[:end],
            self.warnings,
        )

    def position(self, seq: int) -> int:
        """Return the position of the record with this number. Raises KeyError."""
        position = bisect_left(self.seqs, seq)
        if position == len(self.seqs) or self.seqs[position] != seq:
            raise KeyError(seq)
        return position


def is_verified(line: bytes) -> bool:
    """Whether a line (without its line feed) ends with the right checksum."""
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
    """The beginning of a journal. end: its length in bytes. lines: how many, the header included. crc: CRC-32 of its bytes."""

    end: int
    lines: int
    crc: int


@dataclass(slots=True)
class JournalIndex:
    """What one pass over a journal found: which calls are in effect, the index of the calls, and the number of the last line.

    lines: how many there are, the header included. kept: the prefix whose index came from the cache (`index_cache`).
    unread: nothing of that prefix was read this time, so its lines were not verified.
    """

    effect: SavePoints
    index: Index
    last_seq: int = 0
    lines: int = 0
    kept: Prefix | None = None
    unread: bool = False


def missing_numbers(through: int, last: int, seq: int) -> tuple[int, int] | None:
    """Return the first and the last number between `last` and `seq` that no compaction up to `through` explains; else None."""
    begin = max(last, through) + 1
    return (begin, seq - 1) if begin < seq else None


def build_index(
    read_at: Callable[[int, int], bytes], start: int, end: int, through: int = 0, found: JournalIndex | None = None
) -> JournalIndex:
    """Walk over the lines between two offsets. read_at: at most so many bytes from an offset.

    through: the last number whose absence a compaction explains. found: what is known of the lines before `start`; it is
    added to.

    Raises:
        LineDamage: a line that is damaged or out of order. OSError: as `read_at`.
    """
    walk = _Walk(found or JournalIndex(SavePoints(), Index(), lines=1 if start else 0), through)
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
            if len(carry) > LINE_BYTES_MAX:
                raise LineDamage(walk.line + 1, offset, f"it is longer than {LINE_BYTES_MAX} bytes")
            continue
        piece = carry + block[:cut] if carry else block[:cut]
        yield piece, offset
        offset += len(piece)
        carry = block[cut:]


class _Walk:
    """The state of one pass. line: how many lines were seen, the header included."""

    def __init__(self, found: JournalIndex, through: int) -> None:
        self.found = found
        self._through = through
        self.line = found.lines
        self._last = found.last_seq
        self._known: dict[bytes, int] = {}

    def take(self, block: bytes, base: int) -> None:
        """Take in whole lines, of which the first begins at the offset `base`."""
        index, known, view = self.found.index, self._known, memoryview(block)
        add_seq, add_offset = index.seqs.append, index.offsets.append
        add_length, add_what = index.lengths.append, index.type_places.append
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
            if seq != last + 1 and (gap := missing_numbers(self._through, last, seq)) is not None:
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
        """Decode a line. Return number and type: -1 for a control record, which is taken in; None where the line is empty."""
        if not line.strip():
            return None
        item = decode_line(line).item
        if isinstance(item, ControlRecord):
            self.found.effect.add(item)
            if item.kind is ControlKind.GAP:
                told = f"line {number}: calls before {item.time} were not recorded: {item.reason}"
                self.found.index.warnings.append(told)
            return item.seq, -1
        return item.seq, self.found.index.place(call_type_of(item))

    def _learn(self, words: bytes) -> int:
        found = _WORDS.fullmatch(words)
        assert found is not None
        kind, service, operation = (word.decode("utf-8") if word else "" for word in found.groups())
        place = self._known[words] = self.found.index.place(CallType(RecordKind(kind), service, operation))
        return place
