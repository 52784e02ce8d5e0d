"""Writing a journal anew without the calls that no restore would repeat. What these are, the caller decides.

A compaction looks at a journal up to an offset, `end`, at which a line ends; what is appended meanwhile is carried over
by whoever carries out the switch (`switching`, `writer`). Numbers stay: a line keeps its `seq`, so that everything that
refers to one (the note `after` of witnesses, aliases, reports) stays right, and the header says up to which number
some may be missing. Lines that stay are copied byte for byte, but for those that the caller changes.

Save points keep their meaning. Calls that never were saved, and never can be, go. From the first call on that is pending (it
may be saved, or not) everything stays: so the caller decides about a stretch of calls that are all in effect, and
whatever follows finds the same state, saved or not. Of the marks, gaps stay, and of save points those that still matter.

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
from replay_proxy.journal.blobs import BlobStore
from replay_proxy.journal.codec import encode_header, encode_record, scan_line
from replay_proxy.journal.durable import Files, storage_error, write_all
from replay_proxy.journal.effect import Fate
from replay_proxy.journal.file import Pin, Shape, inspect, pinned, raw_lines
from replay_proxy.journal.reader import Recording, look_through, read
from replay_proxy.journal.records import JOURNAL_NAME, Compacted, Item, Mark, Record, utc_now
from replay_proxy.journal.switching import STAGED, bodies, give_up

NEVER_SAVED: Final = "it was recorded with MANUAL and never saved"
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What becomes of the calls of a stretch. Those that are not named stay as they are.

    dropped: the reason, by number. changed: the numbers of those that `change` gives another content.
    """

    dropped: Mapping[int, str]
    changed: AbstractSet[int]
    change: Callable[[Record], Record]


@dataclass(slots=True)
class CompactionReport:
    """What a compaction did, or would do. Sizes in bytes.

    reasons: how many calls went, by reason. changed: calls that lost a part. journal_before, journal_after: of the
    stretch that was looked at. bodies_before, bodies_after: of the large bodies that it needs. waiting: calls that
    were not looked at, because they, or some before them, are pending. end: where the stretch ends. unneeded: bodies
    that neither it nor its predecessor needs. through: its last number. bodies_removed: files that were removed.
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
        """Does anything go?"""
        return bool(self.reasons or self.changed)

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
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


class Stretch:
    """The calls of a journal, up to `end`, that a compaction may decide about: in effect, and before any that is pending.

    It can be iterated as often as one likes, and has what a planner asks of a recording. end: None for the whole journal.
    """

    def __init__(self, files: Files, end: int | None = None) -> None:
        """Raises RecordingError and StorageError, as `read`."""
        self.files = files
        if end is None:
            self._recording = read(files.root, files=files)
        else:
            self._recording = _until(files, end)
        self.end = self._recording.shape.tail.end
        self.effect = self._recording.effect
        self.first_pending: int | None = None
        if self.effect.manual:
            fates = (item for item in self.items() if isinstance(item, Record))
            self.first_pending = next((each.seq for each in fates if self.effect.fate(each) is Fate.PENDING), None)

    @property
    def recording(self) -> Recording:
        """The journal as it was read."""
        return self._recording

    @property
    def blobs(self) -> BlobStore:
        """The large bodies."""
        return self._recording.blobs

    def items(self) -> Iterator[Item]:
        """Every record and mark. Raises as `Recording.entries`."""
        return (entry.decoded.item for entry in self._recording.entries())

    def fetch(self, seq: int) -> Record:
        """One record. Raises as `Recording.fetch`."""
        return self._recording.fetch(seq)

    def records(self) -> Iterator[Record]:
        """The calls to decide about, in order. Raises as `Recording.records`."""
        for record in self._recording.records():
            if self.first_pending is not None and record.seq >= self.first_pending:
                return
            yield record


def _until(files: Files, end: int) -> Recording:
    """The recording up to a line that ends at `end`, as it was then."""
    pin = pinned(files)
    shape = inspect(files, pin)
    if shape.header is None or shape.tail.end < end:
        raise RecordingError(
            f"{files.root / JOURNAL_NAME} became shorter while it was looked at",
            hint="a recording must not be touched while the proxy runs",
        )
    assert pin is not None
    shape = replace(shape, tail=replace(shape.tail, end=end, size=end, unterminated=False))
    found = look_through(files, shape, pin)
    shape = replace(shape, tail=replace(shape.tail, last_seq=found.last_seq))
    return Recording(files.root, shape, found, files=files, pin=pin)


def stage(stretch: Stretch, verdicts: Verdicts, *, write: bool = True) -> CompactionReport:
    """Write what stays beside the journal, synced and verified. Nothing is written where nothing goes, or not `write`.

    Raises:
        RecordingError: the journal is damaged, or what was written is not what was meant.
        StorageError: it cannot be read or written.
    """
    files = stretch.files
    report = CompactionReport(str(files.root / JOURNAL_NAME), end=stretch.end)
    shape = stretch.recording.shape
    reasons: Counter[str] = Counter(verdicts.dropped.values())
    fates = (
        Counter(stretch.effect.fate(item) for item in stretch.items() if isinstance(item, Record))
        if stretch.effect.has_sessions
        else Counter({Fate.IN_EFFECT: stretch.recording.records_total})
    )
    if fates[Fate.VOID]:
        reasons[NEVER_SAVED] = fates[Fate.VOID]
    report.reasons = dict(reasons)
    report.changed = len(verdicts.changed)
    report.calls_before = stretch.recording.records_total
    report.calls_after = report.calls_before - reasons.total()
    report.warnings = list(stretch.recording.warnings)
    report.through = max(shape.tail.last_seq, stretch.recording.header.through if stretch.recording.header else 0)
    writing = write and report.worth_it
    try:
        if not writing:
            _Pass(stretch, verdicts, report).lines(None)
            return report
        give_up(files)
        fd = files.create(STAGED)
        try:
            expected = _Pass(stretch, verdicts, report).lines(_Sink(files, fd))
            files.sync(fd)
        finally:
            files.close(fd)
        _verify(files, expected)
    except OSError as error:
        give_up(files)
        raise storage_error("write the compacted recording", files.root / STAGED, error) from error
    except BaseException:
        if writing:
            give_up(files)
        raise
    return report


class _Sink:
    """Writes in large pieces."""

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


class _Pass:
    """One walk over a stretch, which decides about each line, and adds up sizes."""

    def __init__(self, stretch: Stretch, verdicts: Verdicts, report: CompactionReport) -> None:
        self._stretch = stretch
        self._verdicts = verdicts
        self._report = report
        self._before: dict[str, int] = {}
        self._after: dict[str, int] = {}

    def lines(self, sink: _Sink | None) -> int:
        """Write (where there is a sink); how many lines, the header included."""
        stretch, report = self._stretch, self._report
        recording = stretch.recording
        shape = recording.shape
        header = self._header(shape)
        count = 1
        report.journal_before, report.journal_after = shape.first, len(header)
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

    def _header(self, shape: Shape) -> bytes:
        if shape.header is None:
            return b""
        earlier = shape.header.compacted.removed if shape.header.compacted is not None else 0
        removed = earlier + sum(self._report.reasons.values())
        compacted = Compacted(self._report.through, removed, utc_now())
        return encode_header(replace(shape.header, compacted=compacted))

    def _entries(self) -> Iterator[tuple[Item, bytes]]:
        recording = self._stretch.recording
        lines = raw_lines(recording.files, recording.shape.first, recording.shape.tail.end, recording.pin)
        entries = recording.entries()
        for _number, offset, line in lines:
            if line.strip():
                entry = next(entries)
                assert entry.offset == offset
                yield entry.decoded.item, line if line.endswith(b"\n") else line + b"\n"

    def _kept(self, item: Item, line: bytes) -> bytes | None:
        """The line that stays of this one."""
        stretch = self._stretch
        if isinstance(item, Mark):
            return line if stretch.effect.matters(item) else None
        self._before.update((ref.sha256, ref.size) for ref in bodies(item))
        fate = stretch.effect.fate(item)
        if fate is Fate.VOID or item.seq in self._verdicts.dropped:
            return None
        if stretch.first_pending is not None and item.seq >= stretch.first_pending:
            self._report.waiting += 1
        if item.seq in self._verdicts.changed:
            item = self._stored(item, self._verdicts.change(item))
            line = encode_record(item, item.seq)
        self._after.update((ref.sha256, ref.size) for ref in bodies(item))
        return line

    def _stored(self, old: Record, new: Record) -> Record:
        """With its bodies where those of the old one were."""
        return replace(
            new,
            request=replace(new.request, body=self._body(old.request.body, new.request.body)),
            answer=replace(new.answer, body=self._body(old.answer.body, new.answer.body)),
        )

    def _body(self, old: Body, new: Body) -> Body:
        if isinstance(old, BlobRef) and not isinstance(new, BlobRef):
            return BlobStore(self._stretch.files.root, durable=True, files=self._stretch.files).store(new)
        return new


def _verify(files: Files, expected: int) -> None:
    """Read what was written. Raises RecordingError where it is not what was meant, and OSError."""
    pin = Pin(files, STAGED)
    count = last = 0
    for _number, _offset, line in raw_lines(files, 0, files.size(pin.fd), pin):
        count += 1
        if count > 1:
            seq = scan_line(line)
            if seq <= last:
                raise RecordingError(f"the compacted recording is out of order at {seq}", hint="nothing was changed")
            last = seq
    if count != expected:
        raise RecordingError(f"{count} of {expected} lines were written", hint="nothing was changed; try again")
