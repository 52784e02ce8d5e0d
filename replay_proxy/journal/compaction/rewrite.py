"""Write a journal anew without the calls that no restore would repeat. The caller decides which these are.

A compaction looks at a journal up to an offset, `end`, at which a line ends. What is appended meanwhile is carried over by
whoever puts the new one in place (`file_swap`, `dual_write`). Numbers stay: a line keeps its `seq`, so that everything that
refers to one (the note `after` of witnesses, aliases, reports) stays right, and the header says up to which number some may
be missing. Lines that stay are copied byte for byte, but for those that the caller changes.

Save points keep their meaning. Calls that never were saved, and never can be, go. From the first call on that is pending (it
may be saved, or not) everything stays: so the caller decides about calls that are all in effect, and whatever follows finds
the same state, saved or not. Of the control records, gaps stay, and of sessions and saves those that still matter.

The new journal is verified before it is handed out: each line, the order, the number of lines.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any, Final

from replay_proxy.errors import RecordingError
from replay_proxy.exchange import BlobRef, Body
from replay_proxy.journal.compaction.file_swap import STAGED_NAME, remove_staged
from replay_proxy.journal.format.decode import scan_line
from replay_proxy.journal.format.encode import encode_header, encode_record
from replay_proxy.journal.format.records import JOURNAL_NAME, CompactedRange, ControlRecord, Item, Record, utc_now
from replay_proxy.journal.read.journal_file import HeldJournal, JournalLayout, hold_journal, inspect, raw_lines
from replay_proxy.journal.read.reader import Recording, read, scan_journal
from replay_proxy.journal.read.save_points import SaveState
from replay_proxy.journal.storage.blobs import BlobStore
from replay_proxy.journal.storage.files import Files, storage_error, write_all
from replay_proxy.wording import counted

NEVER_SAVED: Final = "it was recorded with MANUAL and never saved"
NOT_LOADED: Final = "it is of a pod whose load failed"
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class CompactionChoices:
    """What becomes of the calls of a journal. Those that are not named stay as they are.

    dropped: the reason, by number. changed: the numbers of those that `change` gives another content.
    """

    dropped: Mapping[int, str]
    changed: AbstractSet[int]
    change: Callable[[Record], Record]


@dataclass(slots=True)
class CompactionReport:
    """What a compaction did, or would do. Sizes and offsets in bytes.

    reasons: how many calls went, by reason. changed: calls that lost a part. waiting: calls that were not looked at, because
    they, or some before them, are pending. journal_before, journal_after: of the journal up to `end`. bodies_before,
    bodies_after: of the large bodies that it needs. end: where the part that was looked at ends. through: its last number.
    unneeded: bodies that neither the new journal nor the one before it needs. bodies_removed: files that were removed.
    """

    path: str
    calls_before: int = 0
    calls_after: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    changed: int = 0
    waiting: int = 0
    journal_before: int = 0
    journal_after: int = 0
    bodies_before: int = 0
    bodies_after: int = 0
    end: int = 0
    through: int = 0
    unneeded: list[str] = field(default_factory=list)
    bodies_removed: int = 0
    body_bytes_removed: int = 0
    warnings: list[str] = field(default_factory=list)

    @property
    def worth_it(self) -> bool:
        """Whether anything goes."""
        return bool(self.reasons or self.changed)

    def as_json(self) -> dict[str, Any]:
        """Return the report as `--json` prints it."""
        return {
            "path": self.path,
            "calls_before": self.calls_before,
            "calls_after": self.calls_after,
            "left_out": dict(sorted(self.reasons.items())),
            "changed": self.changed,
            "pending": self.waiting,
            "journal_bytes_before": self.journal_before,
            "journal_bytes_after": self.journal_after,
            "body_bytes_before": self.bodies_before,
            "body_bytes_after": self.bodies_after,
            "bodies_removed": self.bodies_removed,
            "body_bytes_removed": self.body_bytes_removed,
            "warnings": self.warnings,
        }


class CompactionInput:
    """The calls of a journal up to `end` (bytes) that a compaction may decide about: in effect, and before any that is pending.

    It can be iterated as often as one likes, and has what a planner asks of a recording.
    """

    def __init__(self, files: Files, end: int | None = None) -> None:
        """Read the journal up to `end`; None: all of it. Raises as `read`."""
        self.files = files
        if end is None:
            self._recording = read(files.root, files=files)
        else:
            self._recording = _until(files, end)
        self.end = self._recording.layout.tail.end
        self.effect = self._recording.effect
        self.first_pending: int | None = None
        if self.effect.manual:
            calls = (item for item in self.items() if isinstance(item, Record))
            pending = (call.seq for call in calls if self.effect.save_state(call) is SaveState.PENDING)
            self.first_pending = next(pending, None)

    @property
    def recording(self) -> Recording:
        """The journal as it was read, with the calls that are not in effect."""
        return self._recording

    @property
    def blobs(self) -> BlobStore:
        """The bodies that are stored as blobs."""
        return self._recording.blobs

    def items(self) -> Iterator[Item]:
        """Yield every record and control record. Raises as `Recording.entries`."""
        return (entry.decoded.item for entry in self._recording.entries())

    def fetch(self, seq: int) -> Record:
        """Return one record by its number. Raises as `Recording.fetch`."""
        return self._recording.fetch(seq)

    def records(self) -> Iterator[Record]:
        """Yield the calls to decide about, in order. Raises as `Recording.records`."""
        for record in self._recording.records():
            if self.first_pending is not None and record.seq >= self.first_pending:
                return
            yield record


def _until(files: Files, end: int) -> Recording:
    """Return the recording up to a line that ends at `end`, as it was then."""
    held = hold_journal(files)
    layout = inspect(files, held)
    if layout.header is None or layout.tail.end < end:
        raise RecordingError(
            f"{files.root / JOURNAL_NAME} became shorter while it was looked at",
            hint="a recording must not be touched while the proxy runs",
        )
    assert held is not None
    layout = replace(layout, tail=replace(layout.tail, end=end, size=end, unterminated=False))
    found = scan_journal(files, layout, held)
    layout = replace(layout, tail=replace(layout.tail, last_seq=found.last_seq))
    return Recording(files.root, layout, found, files=files, held=held)


def write_compacted(source: CompactionInput, choices: CompactionChoices, *, write: bool = True) -> CompactionReport:
    """Write what stays into a file beside the journal, synced and verified, and return what went.

    Nothing is written where nothing goes, or where `write` is false.

    Raises:
        RecordingError: the journal is damaged, or what was written is not what was meant.
        StorageError: it cannot be read or written.
    """
    files = source.files
    report = CompactionReport(str(files.root / JOURNAL_NAME), end=source.end)
    layout = source.recording.layout
    reasons: Counter[str] = Counter(choices.dropped.values())
    effect = source.effect
    if effect.has_sessions:
        records = (item for item in source.items() if isinstance(item, Record))
        void = (each.seq for each in records if effect.save_state(each) is SaveState.VOID)
        reasons.update(NOT_LOADED if effect.is_on_trial(seq) else NEVER_SAVED for seq in void)
    report.reasons = dict(reasons)
    report.changed = len(choices.changed)
    report.calls_before = source.recording.records_total
    report.calls_after = report.calls_before - reasons.total()
    report.warnings = list(source.recording.warnings)
    report.through = max(layout.tail.last_seq, source.recording.header.through if source.recording.header else 0)
    writing = write and report.worth_it
    try:
        if not writing:
            _Rewrite(source, choices, report).lines(None)
            return report
        remove_staged(files)
        fd = files.create(STAGED_NAME)
        try:
            expected = _Rewrite(source, choices, report).lines(_BufferedOutput(files, fd))
            files.sync(fd)
        finally:
            files.close(fd)
        _verify(files, expected)
    except OSError as error:
        remove_staged(files)
        raise storage_error("write the compacted recording", files.root / STAGED_NAME, error) from error
    except BaseException:
        if writing:
            remove_staged(files)
        raise
    return report


class _BufferedOutput:
    """A file that is written in large pieces."""

    def __init__(self, files: Files, fd: int) -> None:
        self._files = files
        self._fd = fd
        self._waiting: list[bytes] = []
        self._size = 0

    def put(self, line: bytes) -> None:
        self._waiting.append(line)
        self._size += len(line)
        if self._size >= _CHUNK:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            write_all(self._files, self._fd, b"".join(self._waiting))
        self._waiting, self._size = [], 0


class _Rewrite:
    """One walk over the lines of a journal, which decides about each, and adds up sizes."""

    def __init__(self, source: CompactionInput, choices: CompactionChoices, report: CompactionReport) -> None:
        self._source = source
        self._choices = choices
        self._report = report
        self._before: dict[str, int] = {}
        self._after: dict[str, int] = {}

    def lines(self, sink: _BufferedOutput | None) -> int:
        """Write what stays, where there is a sink. Return the number of lines, the header included."""
        source, report = self._source, self._report
        recording = source.recording
        layout = recording.layout
        header = self._header(layout)
        count = 1
        report.journal_before, report.journal_after = layout.first, len(header)
        if sink is not None:
            sink.put(header)
        for entry, line in self._entries():
            report.journal_before += len(line)
            kept = self._kept(entry, line)
            if kept is not None:
                count += 1
                report.journal_after += len(kept)
                if sink is not None:
                    sink.put(kept)
        if sink is not None:
            sink.flush()
        report.bodies_before, report.bodies_after = sum(self._before.values()), sum(self._after.values())
        if not report.worth_it:
            report.journal_after, report.bodies_after = report.journal_before, report.bodies_before
        return count

    def _header(self, layout: JournalLayout) -> bytes:
        if layout.header is None:
            return b""
        earlier = layout.header.compacted.removed if layout.header.compacted is not None else 0
        removed = earlier + sum(self._report.reasons.values())
        compacted = CompactedRange(self._report.through, removed, utc_now())
        return encode_header(replace(layout.header, compacted=compacted))

    def _entries(self) -> Iterator[tuple[Item, bytes]]:
        recording = self._source.recording
        lines = raw_lines(recording.files, recording.layout.first, recording.layout.tail.end, recording.held)
        entries = recording.entries()
        for _number, offset, line in lines:
            if line.strip():
                entry = next(entries)
                assert entry.offset == offset
                yield entry.decoded.item, line if line.endswith(b"\n") else line + b"\n"

    def _kept(self, item: Item, line: bytes) -> bytes | None:
        """Return the line that stays in place of this one; None where it goes."""
        source = self._source
        if isinstance(item, ControlRecord):
            return line if source.effect.is_needed(item) else None
        self._before.update((ref.sha256, ref.size) for ref in item.body_refs)
        state = source.effect.save_state(item)
        if state is SaveState.VOID or item.seq in self._choices.dropped:
            return None
        if source.first_pending is not None and item.seq >= source.first_pending:
            self._report.waiting += 1
        if item.seq in self._choices.changed:
            item = self._stored(item, self._choices.change(item))
            line = encode_record(item, item.seq)
        self._after.update((ref.sha256, ref.size) for ref in item.body_refs)
        return line

    def _stored(self, old: Record, new: Record) -> Record:
        """Return `new` with its bodies in blobs where those of `old` were."""
        return replace(
            new,
            request=replace(new.request, body=self._body(old.request.body, new.request.body)),
            answer=replace(new.answer, body=self._body(old.answer.body, new.answer.body)),
        )

    def _body(self, old: Body, new: Body) -> Body:
        if isinstance(old, BlobRef) and not isinstance(new, BlobRef):
            return BlobStore(self._source.files.root, durable=True, files=self._source.files).store(new)
        return new


def _verify(files: Files, expected: int) -> None:
    """Read what was written. Raises RecordingError where it is not what was meant to be written, and OSError."""
    held = HeldJournal(files, STAGED_NAME)
    count = last = 0
    for _number, _offset, line in raw_lines(files, 0, files.size(held.fd), held):
        count += 1
        if count > 1:
            seq = scan_line(line)
            if seq <= last:
                raise RecordingError(f"the compacted recording is out of order at {seq}", hint="nothing was changed")
            last = seq
    if count != expected:
        raise RecordingError(
            f"{count} of {counted(expected, 'line')} were written", hint="nothing was changed; try again"
        )
