"""Read a recording: lazily, in bounded memory, and saying where anything is wrong.

`read` looks at both ends of a journal (`journal_file`). Then it walks once over its lines without parsing them (`index`), but
for those whose index is in the cache (`index_cache`). It verifies checksums and order, so that damage is refused before the
first call is replayed, indexes the records, and finds the control records that say which of them are in effect.
Records are decoded one at a time when they are iterated, as often as one likes. A reader takes no lock, and never
changes anything: a torn tail is left out and reported, and cut by the next writer. It holds the file that it opened
(`HeldJournal`), so a compaction that puts another one in its place does not disturb it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from replay_proxy.journal.format.checksum import LineError
from replay_proxy.journal.format.decode import Decoded, decode_line
from replay_proxy.journal.format.localstack_legacy import changes_state, legacy_record
from replay_proxy.journal.format.records import JOURNAL_NAME, ControlKind, ControlRecord, Record, RecordingHeader
from replay_proxy.journal.read.index import (
    Index,
    JournalIndex,
    LineDamage,
    Prefix,
    build_index,
    call_type_of,
    is_verified,
    missing_numbers,
)
from replay_proxy.journal.read.index_cache import load_index, store_index
from replay_proxy.journal.read.journal_file import (
    HeldJournal,
    JournalLayout,
    damage,
    hold_journal,
    inspect,
    line_number,
    raw_lines,
)
from replay_proxy.journal.read.save_points import SavePoints
from replay_proxy.journal.storage.blobs import BlobStore
from replay_proxy.journal.storage.files import Files, storage_error
from replay_proxy.wording import counted


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
    find, once (`unverified` and `gaps` are complete after the first full iteration). origin: what it was unpacked from, as people
    call it; empty where `data_dir` is the recording itself.
    """

    data_dir: Path
    layout: JournalLayout
    found: JournalIndex
    warnings: list[str] = field(default_factory=list)
    unverified: int = 0
    files: Files = field(default_factory=lambda: Files(Path()))
    held: HeldJournal | None = None
    origin: str = ""
    _late_warnings: set[str] = field(default_factory=set)

    @property
    def path(self) -> Path:
        """The path of the journal."""
        return self.data_dir / JOURNAL_NAME

    @property
    def effect(self) -> SavePoints:
        """Which records are in effect."""
        return self.found.effect

    @property
    def index(self) -> Index:
        """The index of all records, in effect or not."""
        return self.found.index

    @property
    def header(self) -> RecordingHeader | None:
        """The header; None where nothing was recorded yet, and for LocalStack's legacy file."""
        return self.layout.header

    @property
    def records_total(self) -> int:
        """How many records there are, in effect or not."""
        return len(self.index)

    @property
    def torn(self) -> int:
        """Bytes of a torn tail; 0 where the journal ends properly."""
        return self.layout.tail.torn

    @property
    def blobs(self) -> BlobStore:
        """The bodies that are stored as blobs, for reading."""
        return BlobStore(self.data_dir, files=self.files)

    def __iter__(self) -> Iterator[Record]:
        return self.records()

    def records(self) -> Iterator[Record]:
        """Yield the records that are in effect, in order.

        Raises:
            RecordingError: a damaged line; the message says where, why, and what to do.
            StorageError: the file cannot be read.
        """
        pending = reads = 0
        for entry in self.entries():
            item = entry.decoded.item
            if isinstance(item, ControlRecord):
                if item.kind is ControlKind.GAP:
                    self.add_warning(f"line {entry.line}: calls before {item.time} were not recorded: {item.reason}")
            elif self.layout.legacy and not changes_state(item):
                reads += 1
            elif self.effect.is_in_effect(item):
                yield item
            elif not self.effect.is_on_trial(item.seq):  # who asked for the trial was told how it ended
                pending += 1
        if reads:
            self.add_warning(f"{counted(reads, 'call', 'reads read')} only, in LocalStack's file; left out")
        if pending:
            self.add_warning(
                f"{counted(pending, 'call', 'was were')} recorded with MANUAL and never saved; not restored"
            )

    def items(self) -> Iterator[Record | ControlRecord]:
        """Yield the records that are in effect and the control records that are, in order, as history. Raises as `records`."""
        for entry in self.entries():
            item = entry.decoded.item
            if isinstance(item, ControlRecord):
                if self.effect.counts_in_effect(item.seq, item.service):
                    yield item
            elif (not self.layout.legacy or changes_state(item)) and self.effect.is_in_effect(item):
                yield item

    def fetch(self, seq: int) -> Record:
        """Return one record by its number.

        Raises:
            KeyError: there is none. RecordingError: the line is damaged. StorageError: it cannot be read.
        """
        return self.at(self.index.position(seq))

    def line(self, position: int) -> bytes:
        """Return the line of the record at a position of the index, as it stands in the file. Raises StorageError."""
        assert self.held is not None
        try:
            return self.files.read_at(self.held.fd, self.index.lengths[position], self.index.offsets[position])
        except OSError as error:
            raise storage_error("read the recording", self.path, error) from error

    def at(self, position: int) -> Record:
        """Return the record at a position of the index. Raises as `fetch`."""
        assert self.held is not None
        offset, line = self.index.offsets[position], self.line(position)
        try:
            decoded = _legacy(line, self.index.seqs[position]) if self.layout.legacy else decode_line(line)
        except LineError as error:
            raise damage(self.path, line_number(self.files, self.held.fd, offset), offset, str(error)) from error
        assert isinstance(decoded.item, Record)
        return decoded.item

    def through(self, seq: int) -> Recording:
        """Return this recording with an index of the records up to that number, all verified. For `RecordLookup` alone.

        Raises as `fetch`; blocking.
        """
        index = self.index.through(seq)
        self.verify(index.seqs)
        return replace(self, found=replace(self.found, index=index, last_seq=seq, kept=None, unread=False))

    def verify(self, seqs: Iterable[int]) -> None:
        """Verify the lines of these records, as far as they were not when this recording was read. Raises as `fetch`."""
        if not self.found.unread or self.found.kept is None or self.held is None:
            return
        for position in map(self.index.position, sorted(seqs)):
            offset, length = self.index.offsets[position], self.index.lengths[position]
            if offset >= self.found.kept.end:
                return
            try:
                line = self.files.read_at(self.held.fd, length, offset)
            except OSError as error:
                raise storage_error("read the recording", self.path, error) from error
            if not is_verified(line.rstrip(b"\n")):
                self.at(position)

    def keep_index(self) -> Prefix | None:
        """Write the index into the cache for the next reader. Return the prefix it is of; None where it cannot be kept. Blocking.

        Raises OSError.
        """
        if self.held is None or self.header is None or self.layout.tail.unterminated:
            return None
        return store_index(self.files, self.held.fd, self.found, self.layout.tail.end)

    def entries(self) -> Iterator[Entry]:
        """Yield every line but the header: control records, and calls that are not in effect, too. Raises as `records`."""
        last, unverified = 0, 0
        if not self.layout.exists:
            return
        for number, offset, line in raw_lines(self.files, self.layout.first, self.layout.tail.end, self.held):
            if not line.strip():
                continue
            try:
                decoded = _legacy(line, last + 1) if self.layout.legacy else decode_line(line)
            except LineError as error:
                raise damage(self.path, number, offset, str(error)) from error
            seq = decoded.item.seq
            gap = missing_numbers(self.layout.through, last, seq)
            if gap is not None:
                self.add_warning(f"line {number}: the numbers {gap[0]} to {gap[1]} are missing; were lines removed?")
            last = seq
            unverified += not decoded.verified
            yield Entry(number, offset, len(line), decoded)
        if unverified and not self.layout.legacy:
            self.add_warning(f"{counted(unverified, 'line', 'carries carry')} no checksum, not verified (edited)")
        self.unverified = unverified

    @property
    def late_warnings(self) -> list[str]:
        """The warnings that only decoding its records could find, sorted."""
        return sorted(self._late_warnings)

    def add_warning(self, warning: str) -> None:
        """Add to the warnings, once."""
        if warning not in self._late_warnings:
            self._late_warnings.add(warning)
            self.warnings.append(warning)


def read(data_dir: Path, *, files: Files | None = None) -> Recording:
    """Return the recording in `data_dir`: without header and records where nothing was recorded yet.

    Raises:
        RecordingError: the journal is not a recording, of a newer format, or damaged at its beginning or end.
        StorageError: it cannot be read.
    """
    data_dir = Path(data_dir)
    files = files or Files(data_dir)
    held = hold_journal(files)
    layout = inspect(files, held)
    path = data_dir / JOURNAL_NAME
    found = scan_journal(files, layout, held) if held is not None else JournalIndex(SavePoints(), Index())
    recording = Recording(data_dir, layout, found, files=files, held=held)
    if layout.exists and layout.header is None and not layout.legacy:
        recording.warnings.append(f"{path} is empty; a new recording will be begun in it")
    if layout.tail.torn:
        recording.warnings.append(
            f"{path}: what follows byte {layout.tail.end} ({counted(layout.tail.torn, 'byte')}) is the torn end of a write "
            "that was never acknowledged; it is left out"
        )
    if not layout.header_verified:
        recording.warnings.append(f"{path}: the header carries no checksum (it was edited)")
    return recording


def scan_journal(files: Files, layout: JournalLayout, held: HeldJournal) -> JournalIndex:
    """Walk over all lines once: checksums and order, control records, and where each record is. Raises as `read`.

    Lines whose index is in the cache (`index_cache`) are left out.
    """
    path = files.root / JOURNAL_NAME
    if layout.legacy:
        return JournalIndex(SavePoints(), _index_of_legacy(files, layout, held))
    kept = load_index(files, held.fd, layout.tail.end)
    start = kept.kept.end if kept is not None and kept.kept is not None else layout.first
    try:
        return build_index(
            lambda count, at: files.read_at(held.fd, count, at), start, layout.tail.end, layout.through, kept
        )
    except LineDamage as error:
        raise damage(path, error.line, error.offset, error.reason) from error
    except OSError as error:
        raise storage_error("read the recording", path, error) from error


def _index_of_legacy(files: Files, layout: JournalLayout, held: HeldJournal) -> Index:
    """LocalStack's lines have no numbers; they get theirs by counting."""
    index = Index()
    for number, offset, line in raw_lines(files, layout.first, layout.tail.end, held):
        if line.strip():
            try:
                record = legacy_record(line, len(index) + 1)
            except LineError as error:
                raise damage(files.root / JOURNAL_NAME, number, offset, str(error)) from error
            index.add(record.seq, offset, len(line), call_type_of(record))
    return index


def _legacy(line: bytes, seq: int) -> Decoded:
    return Decoded(legacy_record(line, seq), verified=False)
