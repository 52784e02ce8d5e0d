"""Reading a recording: lazily, in bounded memory, and saying where anything is wrong.

`read` looks at both ends of a journal (`file`), and walks once over its lines, not parsing them (`survey`), but for
those of which the result was kept (`keeping`): it verifies their checksums and their order, so that damage is refused
before the first call is replayed, indexes the records, and finds the marks that say which of them are in effect.
Records are decoded one at a time when they are iterated, as often as one likes. A reader takes no lock, and never
changes anything: a torn tail is left out and reported, and cut by the next writer. It holds the file that it opened
(`Pin`): a compaction that puts another one in its place does not disturb it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from replay_proxy.journal.blobs import BlobStore
from replay_proxy.journal.codec import Decoded, LineError, decode_line
from replay_proxy.journal.durable import Files, storage_error
from replay_proxy.journal.effect import Effect
from replay_proxy.journal.file import Pin, Shape, damage, inspect, line_number, pinned, raw_lines
from replay_proxy.journal.keeping import keep_index, kept_index
from replay_proxy.journal.legacy import changes_state, legacy_record
from replay_proxy.journal.records import JOURNAL_NAME, Mark, Record, RecordingHeader
from replay_proxy.journal.survey import Index, LineDamage, Prefix, Survey, is_verified, missing, survey, what_of


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

    def through(self, seq: int) -> Recording:
        """The same, with an index of the records up to that number, all of them verified. For `Lookup`, not for iterating.

        Raises as `fetch`; blocking.
        """
        index = self.index.through(seq)
        self.verify(index.seqs)
        return replace(self, found=replace(self.found, index=index, last_seq=seq, kept=None, unread=False))

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


def _legacy(line: bytes, seq: int) -> Decoded:
    return Decoded(legacy_record(line, seq), verified=False)
