"""Reading a recording: lazily, in bounded memory, and saying where anything is wrong.

`inspect` looks at both ends of a journal. `read` also walks once over its lines, not parsing them (`survey`), but for
those of which the result was kept (`keeping`): it verifies their checksums and their order, so that damage is refused
before the first call is replayed, indexes the records, and finds the marks that say which of them are in effect.
Records are decoded one at a time when they are iterated, as often as one likes. A reader takes no lock, and never
changes anything: a torn tail is left out and reported, and cut by the next writer. It holds the file that it opened
(`Pin`): a compaction that puts another one in its place does not disturb it.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from replay_proxy.errors import RecordingError
from replay_proxy.journal.blobs import BlobStore
from replay_proxy.journal.codec import MAX_LINE, Decoded, LineError, NewerFormat, decode_header, decode_line
from replay_proxy.journal.durable import Files, storage_error
from replay_proxy.journal.effect import Effect
from replay_proxy.journal.keeping import keep_index, kept_index
from replay_proxy.journal.legacy import changes_state, is_legacy_line, legacy_record
from replay_proxy.journal.records import JOURNAL_NAME, Mark, Record, RecordingHeader
from replay_proxy.journal.survey import Index, LineDamage, Prefix, Survey, is_verified, missing, survey, what_of
from replay_proxy.journal.tail import Number, Tail, TailDamage, find_tail

_CRC_HINT: Final = (
    "if somebody edited this line, remove its member \"crc\" and it is accepted: `jq -c 'del(.crc)'`. Otherwise bring "
    "the file back from a copy, or look at `replay-proxy check`, which can leave damaged lines out"
)


_NO_TAIL: Final = Tail(0, 0, 0)


class Pin:
    """A journal that stays open for as long as somebody holds this object, whatever gets its name meanwhile."""

    def __init__(self, files: Files, name: str = JOURNAL_NAME) -> None:
        """Raises OSError."""
        self._files = files
        self.fd = files.open_read(name)

    def __del__(self) -> None:
        with suppress(OSError, AttributeError):
            self._files.close(self.fd)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a journal file is, from a look at its ends. first: the length of the header line.

    header is None where the file is missing, empty, or (`legacy`) LocalStack's.
    """

    exists: bool
    header: RecordingHeader | None = None
    header_verified: bool = True
    legacy: bool = False
    first: int = 0
    tail: Tail = _NO_TAIL

    @property
    def through(self) -> int:
        """Up to this number, missing numbers are explained by a compaction."""
        return self.header.through if self.header is not None else 0


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a journal, with its place: `line` from 1, `offset` in bytes."""

    line: int
    offset: int
    length: int
    decoded: Decoded


@dataclass(slots=True)
class Recording:
    """A recording as it was when `read` looked at it.

    found: what a walk over its lines told. warnings: what a user should be told; iterating adds what only decoding can
    find, once (`unverified` and `gaps` are complete after the first full iteration).
    """

    data_dir: Path
    shape: Shape
    found: Survey
    warnings: list[str] = field(default_factory=list)
    unverified: int = 0
    files: Files = field(default_factory=lambda: Files(Path()))
    pin: Pin | None = None
    _told: set[str] = field(default_factory=set)

    @property
    def path(self) -> Path:
        """The journal."""
        return self.data_dir / JOURNAL_NAME

    @property
    def effect(self) -> Effect:
        """Which records count."""
        return self.found.effect

    @property
    def index(self) -> Index:
        """Of all records, in effect or not."""
        return self.found.index

    @property
    def header(self) -> RecordingHeader | None:
        """None where nothing was recorded yet, and for LocalStack's legacy file."""
        return self.shape.header

    @property
    def records_total(self) -> int:
        """How many records there are, in effect or not."""
        return len(self.index)

    @property
    def torn(self) -> int:
        """Bytes of a torn tail; 0 where the journal ends properly."""
        return self.shape.tail.torn

    @property
    def blobs(self) -> BlobStore:
        """The large bodies, for reading."""
        return BlobStore(self.data_dir, files=self.files)

    def __iter__(self) -> Iterator[Record]:
        return self.records()

    def records(self) -> Iterator[Record]:
        """The records that are in effect, in order.

        Raises:
            RecordingError: a damaged line; the message says where, why, and what to do.
            StorageError: the file cannot be read.
        """
        pending = reads = 0
        for entry in self.entries():
            item = entry.decoded.item
            if isinstance(item, Mark):
                if item.reason:
                    self.tell(f"line {entry.line}: calls before {item.time} were not recorded: {item.reason}")
            elif self.shape.legacy and not changes_state(item):
                reads += 1
            elif self.effect.holds(item):
                yield item
            else:
                pending += 1
        if reads:
            self.tell(f"{reads} calls of LocalStack's file only read, and are left out")
        if pending:
            self.tell(f"{pending} calls were recorded with MANUAL and never saved; they are not restored")

    def fetch(self, seq: int) -> Record:
        """One record by its number.

        Raises:
            KeyError: there is none. RecordingError: the line is damaged. StorageError: it cannot be read.
        """
        return self.at(self.index.position(seq))

    def at(self, position: int) -> Record:
        """The record at a position of the index. Raises as `fetch`."""
        assert self.pin is not None
        offset, length = self.index.offsets[position], self.index.lengths[position]
        try:
            line = self.files.read_at(self.pin.fd, length, offset)
            decoded = _legacy(line, self.index.seqs[position]) if self.shape.legacy else decode_line(line)
        except LineError as error:
            raise damage(self.path, line_number(self.files, self.pin.fd, offset), offset, str(error)) from error
        except OSError as error:
            raise storage_error("read the recording", self.path, error) from error
        assert isinstance(decoded.item, Record)
        return decoded.item

    def verify(self, seqs: Iterable[int]) -> None:
        """Verify the lines of these records, as far as they were not when this recording was read. Raises as `fetch`."""
        if not self.found.unread or self.found.kept is None or self.pin is None:
            return
        for position in map(self.index.position, sorted(seqs)):
            offset, length = self.index.offsets[position], self.index.lengths[position]
            if offset >= self.found.kept.end:
                return
            try:
                line = self.files.read_at(self.pin.fd, length, offset)
            except OSError as error:
                raise storage_error("read the recording", self.path, error) from error
            if not is_verified(line.rstrip(b"\n")):
                self.at(position)

    def keep_index(self) -> Prefix | None:
        """Keep what was found of the lines, so that the next reader need not look for it. None where it cannot be. Blocking.

        Raises OSError.
        """
        if self.pin is None or self.header is None or self.shape.tail.unterminated:
            return None
        return keep_index(self.files, self.pin.fd, self.found, self.shape.tail.end)

    def entries(self) -> Iterator[Entry]:
        """Every line but the header, marks and calls that are not in effect included. Raises as `records`."""
        last, unverified = 0, 0
        if not self.shape.exists:
            return
        for number, offset, line in raw_lines(self.files, self.shape.first, self.shape.tail.end, self.pin):
            if not line.strip():
                continue
            try:
                decoded = _legacy(line, last + 1) if self.shape.legacy else decode_line(line)
            except LineError as error:
                raise damage(self.path, number, offset, str(error)) from error
            seq = decoded.item.seq
            gap = missing(self.shape.through, last, seq)
            if gap is not None:
                self.tell(f"line {number}: the numbers {gap[0]} to {gap[1]} are missing; were lines removed?")
            last = seq
            unverified += not decoded.verified
            yield Entry(number, offset, len(line), decoded)
        if unverified and not self.shape.legacy:
            self.tell(f"{unverified} lines carry no checksum, and were not verified (they were edited)")
        self.unverified = unverified

    @property
    def told(self) -> list[str]:
        """The warnings that decoding its records led to."""
        return sorted(self._told)

    def tell(self, warning: str) -> None:
        """Add to the warnings, once."""
        if warning not in self._told:
            self._told.add(warning)
            self.warnings.append(warning)


def read(data_dir: Path, *, files: Files | None = None) -> Recording:
    """The recording in `data_dir`: without header and records where nothing was recorded yet.

    Raises:
        RecordingError: the journal is not a recording, of a newer format, or damaged at its beginning or end.
        StorageError: it cannot be read.
    """
    data_dir = Path(data_dir)
    files = files or Files(data_dir)
    pin = pinned(files)
    shape = inspect(files, pin)
    path = data_dir / JOURNAL_NAME
    found = look_through(files, shape, pin) if pin is not None else Survey(Effect(), Index())
    recording = Recording(data_dir, shape, found, files=files, pin=pin)
    if shape.exists and shape.header is None and not shape.legacy:
        recording.warnings.append(f"{path} is empty; a new recording will be begun in it")
    if shape.tail.torn:
        recording.warnings.append(
            f"{path}: the last {shape.tail.torn} bytes, from byte {shape.tail.end} on, are the torn end of a write "
            "that was never acknowledged; they are left out"
        )
    if not shape.header_verified:
        recording.warnings.append(f"{path}: the header carries no checksum (it was edited)")
    return recording


def pinned(files: Files) -> Pin | None:
    """The journal, held open; None where there is none. Raises StorageError."""
    try:
        return Pin(files)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_error("read the recording", files.root / JOURNAL_NAME, error) from error


def look_through(files: Files, shape: Shape, pin: Pin) -> Survey:
    """Walk over all lines once: checksums and order, the marks, and where each record is. Raises as `read`.

    Not over those of which that was kept (`keeping`).
    """
    path = files.root / JOURNAL_NAME
    if shape.legacy:
        return Survey(Effect(), _index_of_legacy(files, shape, pin))
    kept = kept_index(files, pin.fd, shape.tail.end)
    start = kept.kept.end if kept is not None and kept.kept is not None else shape.first
    try:
        return survey(lambda count, at: files.read_at(pin.fd, count, at), start, shape.tail.end, shape.through, kept)
    except LineDamage as error:
        raise damage(path, error.line, error.offset, error.reason) from error
    except OSError as error:
        raise storage_error("read the recording", path, error) from error


def _index_of_legacy(files: Files, shape: Shape, pin: Pin) -> Index:
    """LocalStack's lines have no numbers; they get theirs by counting."""
    index = Index()
    for number, offset, line in raw_lines(files, shape.first, shape.tail.end, pin):
        if line.strip():
            try:
                record = legacy_record(line, len(index) + 1)
            except LineError as error:
                raise damage(files.root / JOURNAL_NAME, number, offset, str(error)) from error
            index.add(record.seq, offset, len(line), what_of(record))
    return index


def inspect(files: Files, pin: Pin | None = None) -> Shape:
    """Look at the beginning and the end of the journal below `files.root` (or the one held open). Raises as `read`."""
    path = files.root / JOURNAL_NAME
    pin = pin or pinned(files)
    if pin is None:
        return Shape(exists=False)
    try:
        if not stat.S_ISREG(os.fstat(pin.fd).st_mode):
            raise RecordingError(f"{path} is not a file", hint="move it away; the recording has this name")
        return _inspect(files, pin.fd, path)
    except OSError as error:
        raise storage_error("read the recording", path, error) from error


def _inspect(files: Files, fd: int, path: Path) -> Shape:
    size = files.size(fd)
    if size == 0:
        return Shape(exists=True)
    first_line = _first_line(files, fd)
    if is_legacy_line(first_line):
        return Shape(
            exists=True, legacy=True, tail=_tail(files, fd, path, size, 0, lambda line: legacy_record(line, 1).seq)
        )
    try:
        header, verified = decode_header(first_line)
    except NewerFormat as error:
        raise RecordingError(
            f"{path}: {error}", hint="use the version of replay-proxy that wrote it, or a newer one"
        ) from error
    except LineError as error:
        raise _not_ours(path, first_line, str(error)) from error
    first = len(first_line)
    tail = _tail(files, fd, path, size, first, lambda line: decode_line(line).item.seq)
    if tail.end == first and not first_line.endswith(b"\n"):
        tail = Tail(first, size, 0, unterminated=True)
    return Shape(True, header, verified, False, first, tail)


def _tail(files: Files, fd: int, path: Path, size: int, first: int, number: Number) -> Tail:
    try:
        return find_tail(lambda count, offset: files.read_at(fd, count, offset), size, first, number)
    except TailDamage as error:
        line = line_number(files, fd, error.offset)
        raise damage(path, line, error.offset, error.reason) from error


def damage(path: Path, line: int, offset: int, reason: str) -> RecordingError:
    """The error for a line that cannot be read."""
    return RecordingError(f"{path}: line {line}, at byte {offset}, is damaged: {reason}", hint=_CRC_HINT)


def _not_ours(path: Path, first_line: bytes, reason: str) -> RecordingError:
    text = first_line[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if b'"replay-proxy-recording"' in text:
        return damage(path, 1, 0, reason)
    if first_line.strip() in (b"{", b"["):
        hint = (
            "a recording has one object a line; after pretty-printing, `jq -c .` brings that form back. A HAR file is "
            "read by `replay-proxy import FILE`"
        )
    elif text.startswith((b'{"log"', b'{"headers"', b'{"method"', b'{"url"')):
        hint = "`replay-proxy import FILE` reads HAR files, moto's recorder files and LocalStack's"
    else:
        hint = "move this file away, or choose another directory with --data-dir (DATA_DIR)"
    return RecordingError(f"{path} is not a recording: its first line is no header ({reason})", hint=hint)


def _first_line(files: Files, fd: int) -> bytes:
    pieces: list[bytes] = []
    offset = 0
    while offset < MAX_LINE and (block := files.read_at(fd, 64 * 1024, offset)):
        found = block.find(b"\n")
        if found >= 0:
            pieces.append(block[: found + 1])
            break
        pieces.append(block)
        offset += len(block)
    return b"".join(pieces)


def line_number(files: Files, fd: int, offset: int) -> int:
    """The number, from 1, of the line that begins at an offset. Raises OSError."""
    line, at = 1, 0
    while at < offset and (block := files.read_at(fd, min(1 << 20, offset - at), at)):
        line += block.count(b"\n")
        at += len(block)
    return line


def _legacy(line: bytes, seq: int) -> Decoded:
    return Decoded(legacy_record(line, seq), verified=False)


def journal_size(files: Files) -> int:
    """The length of the journal in bytes. Raises StorageError."""
    try:
        return files.stat(JOURNAL_NAME).st_size
    except OSError as error:
        raise storage_error("read the recording", files.root / JOURNAL_NAME, error) from error


def raw_lines(
    files: Files, start: int, end: int, pin: Pin | None = None
) -> Generator[tuple[int, int, bytes], None, None]:
    """Number (from 1), offset and bytes of every line of the journal from `start`, 0 or the header's end, to `end`.

    pin: the file to read, where it is held open; else the one that has the journal's name now.

    Raises:
        RecordingError: a line too long to be one. StorageError: the file cannot be read.
    """
    path = files.root / JOURNAL_NAME
    offset, number = start, 1 if start else 0
    try:
        with io.BufferedReader(_Raw(files, pin or Pin(files), offset), 1 << 20) as source:
            while offset < end:
                line = source.readline(min(MAX_LINE + 1, end - offset))
                number += 1
                if not line:
                    raise damage(path, number, offset, "the file became shorter while it was read")
                if len(line) > MAX_LINE:
                    raise damage(path, number, offset, f"it is longer than {MAX_LINE} bytes")
                yield number, offset, line
                offset += len(line)
    except OSError as error:
        raise storage_error("read the recording", path, error) from error


class _Raw(io.RawIOBase):
    """A file of `Files` as Python's buffered reader wants it."""

    def __init__(self, files: Files, pin: Pin, offset: int) -> None:
        self._files = files
        self._pin = pin
        self._offset = offset

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the buffer that BufferedReader gives
        data = self._files.read_at(self._pin.fd, len(buffer), self._offset)
        buffer[: len(data)] = data
        self._offset += len(data)
        return len(data)
