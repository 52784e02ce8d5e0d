"""Verifying a recording from end to end, and repairing what can be repaired safely.

`check` reads everything and changes nothing: each line and its checksum, the order of the numbers, the torn tail, each blob
against its name, blobs that nothing refers to, spools that were abandoned, file modes. It goes on behind a damaged line.
`repair` needs the recording to itself (the lock), explains each step, and keeps what it takes away beside the journal. What
would lose recorded calls it does only when it is told to (`drop_damaged`).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from replay_proxy.errors import RecordingError, StorageError
from replay_proxy.exchange import BlobRef
from replay_proxy.journal.compaction.file_swap import BACKUP_NAME, backup_references, interrupted_files, recover
from replay_proxy.journal.format.checksum import LineError
from replay_proxy.journal.format.decode import decode_header, decode_line
from replay_proxy.journal.format.encode import encode_header
from replay_proxy.journal.format.records import (
    JOURNAL_NAME,
    ControlKind,
    ControlRecord,
    Item,
    Record,
    RecordingHeader,
    utc_now,
)
from replay_proxy.journal.read.index import missing_numbers
from replay_proxy.journal.read.journal_file import (
    HeldJournal,
    JournalLayout,
    hold_journal,
    inspect,
    journal_size,
    no_recording,
    raw_lines,
)
from replay_proxy.journal.read.save_points import SavePoints
from replay_proxy.journal.read.torn_tail import Tail, TailDamage, find_tail
from replay_proxy.journal.storage.blobs import SPOOLS, BlobStore
from replay_proxy.journal.storage.files import Files, storage_error
from replay_proxy.journal.storage.lock import RecordingLock, holder
from replay_proxy.journal.write.recovery import cut_tail, replace_journal
from replay_proxy.wording import counted, size


class Severity(StrEnum):
    """ERROR: recorded calls are lost or cannot be trusted. WARNING: worth knowing. INFO: harmless."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that `check` found. line: from 1, and offset in bytes, where it is about a line of the journal."""

    severity: Severity
    what: str
    remedy: str = ""
    line: int | None = None
    offset: int | None = None

    def __str__(self) -> str:
        place = "" if self.line is None else f"line {self.line}, byte {self.offset}: "
        return f"{self.severity.value}: {place}{self.what}" + (f" ({self.remedy})" if self.remedy else "")


@dataclass(slots=True)
class CheckReport:
    """What a recording holds, and what is wrong with it. Sizes in bytes."""

    path: str
    id: str = ""
    version: int = 0
    size: int = 0
    records: int = 0
    in_effect: int = 0
    marks: int = 0
    unverified: int = 0
    blobs: int = 0
    blob_bytes: int = 0
    torn: int = 0
    damaged_lines: list[int] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every recorded call is there and right."""
        return not any(finding.severity is Severity.ERROR for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Return the report as `--json` prints it."""
        return {**asdict(self), "ok": self.ok}

    def add(
        self, severity: Severity, what: str, remedy: str = "", line: int | None = None, offset: int | None = None
    ) -> None:
        """Add a finding."""
        self.findings.append(Finding(severity, what, remedy, line, offset))


def check(data_dir: Path, *, blobs: bool = True, files: Files | None = None) -> CheckReport:
    """Verify the recording in `data_dir`, and return what is wrong with it. blobs: read every large body, too.

    Raises:
        RecordingError: there is no recording, or the file is something else altogether.
        StorageError: it cannot be read.
    """
    files = files or Files(Path(data_dir))
    report = CheckReport(str(files.root / JOURNAL_NAME))
    held = hold_journal(files)
    layout = _shape(files, report, held)
    if not layout.exists:
        raise no_recording(files.root)
    report.size = layout.tail.size
    refs: dict[str, BlobRef] = {}
    if layout.legacy:
        remedy = "it is converted when the proxy next starts on it, or by `replay-proxy import`"
        report.add(Severity.INFO, "this is LocalStack's legacy file", remedy)
        report.records = sum(1 for _line in raw_lines(files, 0, report.size, held))
    else:
        _lines(files, layout, report, refs, held)
    _modes(files, report)
    _blobs(files, report, refs, read_them=blobs)
    if who := holder(files.root, files=files):
        report.add(Severity.INFO, f"in use by {who}; what it is just writing may look torn")
    return report


# -- lines -------------------------------------------------------------------------------------------------------------


def _shape(files: Files, report: CheckReport, held: HeldJournal | None) -> JournalLayout:
    """Return the layout of the journal, also where `inspect` refuses it for damage."""
    try:
        return inspect(files, held)
    except RecordingError:
        size = journal_size(files)
    lines = raw_lines(files, 0, size, held)
    _number, _offset, first_line = next(lines)
    try:
        header, verified = decode_header(first_line)
        first = len(first_line)
    except LineError as error:
        try:  # without header, or with a damaged one, it is still a recording if a line behind it is one
            if not any(_is_line(line) for _number, _offset, line in lines):
                raise RecordingError(
                    f"{report.path} is not a recording", hint="move this file away, or name another --data-dir"
                ) from error
        finally:
            lines.close()
        header, verified, first = None, True, len(first_line)
        report.damaged_lines.append(1)
        report.add(Severity.ERROR, f"the header is damaged: {error}", "--drop-damaged writes a new one", 1, 0)
    tail = Tail(size, size, 0)
    fd = files.open_read(JOURNAL_NAME)
    with suppress(TailDamage):  # the last line is then found, and reported, with all others
        tail = find_tail(lambda count, offset: files.read_at(fd, count, offset), size, first)
    files.close(fd)
    return JournalLayout(True, header, verified, False, first, tail)


def _is_line(line: bytes) -> bool:
    try:
        decode_line(line)
    except LineError:
        return False
    return True


def _lines(
    files: Files, layout: JournalLayout, report: CheckReport, refs: dict[str, BlobRef], held: HeldJournal | None
) -> None:
    if layout.header is not None:
        report.id, report.version = layout.header.id, layout.header.version
        if not layout.header_verified:
            report.add(Severity.WARNING, "the header carries no checksum: it was edited", line=1, offset=0)
    if layout.tail.torn:
        report.torn = layout.tail.torn
        what = f"the end ({size(report.torn)}) is torn: it is that of a write that was never acknowledged"
        report.add(Severity.WARNING, what, "the next start cuts it off, as does --repair", offset=layout.tail.end)
    effect, services = SavePoints(), []
    last = 0
    for number, offset, line in raw_lines(files, layout.first, layout.tail.end, held):
        if not line.strip():
            continue
        try:
            decoded = decode_line(line)
        except LineError as error:
            report.damaged_lines.append(number)
            remedy = "after an intended edit: remove its member crc; else --drop-damaged leaves the line out"
            report.add(Severity.ERROR, f"damaged: {error}", remedy, number, offset)
            continue
        item = decoded.item
        report.unverified += not decoded.verified
        if item.seq <= last:
            report.damaged_lines.append(number)
            what = f"its seq is {item.seq}, and an earlier line has {last}"
            report.add(Severity.ERROR, what, "--drop-damaged leaves the line out", number, offset)
            continue
        gap = missing_numbers(layout.through, last, item.seq)
        if gap is not None and not report.damaged_lines:
            what = f"the numbers {gap[0]} to {gap[1]} are missing"
            report.add(Severity.WARNING, what, "lines were removed", number, offset)
        last = item.seq
        if isinstance(item, ControlRecord):
            report.marks += 1
            effect.add(item)
            if item.kind is ControlKind.GAP:
                what = f"calls before {item.time} were not recorded: {item.reason}"
                report.add(Severity.WARNING, what, line=number, offset=offset)
            continue
        report.records += 1
        if item.flaw:
            what = f"seq {item.seq} cannot be sent: {item.flaw}"
            report.add(Severity.WARNING, what, "a restore counts it as failed, and goes on", number, offset)
        services.append((item.seq, item.head.service if item.head is not None else ""))
        for ref in item.body_refs:
            refs.setdefault(ref.sha256, ref)
    void = [seq for seq, service in services if not effect.counts_in_effect(seq, service)]
    report.in_effect = report.records - len(void)
    if report.unverified:
        what = f"{counted(report.unverified, 'line', 'carries carry')} no checksum: edited, and cannot be verified"
        report.add(Severity.WARNING, what)
    tried = sum(map(effect.is_on_trial, void))
    for count, why in ((len(void) - tried, "with MANUAL and never saved"), (tried, "of a pod whose load failed")):
        if count:
            what = f"{counted(count, 'call', 'was were')} recorded {why}"
            report.add(Severity.INFO, what, "they are not restored")


# -- files beside the journal ------------------------------------------------------------------------------------------


def _modes(files: Files, report: CheckReport) -> None:
    with suppress(OSError):
        if files.stat(JOURNAL_NAME).st_mode & 0o077:
            report.add(Severity.WARNING, "others may read the journal", f"chmod 600 {report.path}")


def _blobs(files: Files, report: CheckReport, refs: dict[str, BlobRef], *, read_them: bool) -> None:
    store = BlobStore(files.root, files=files)
    try:
        stored = {ref.sha256: ref.size for ref in store.stored()}
        spools = len(files.list_dir(SPOOLS))
    except OSError as error:
        raise storage_error("read the stored bodies", files.root / "blobs", error) from error
    report.blobs, report.blob_bytes = len(stored), sum(stored.values())
    for ref in refs.values():
        if ref.sha256 not in stored:
            report.add(Severity.ERROR, f"the body blobs/{ref.sha256[:2]}/{ref.sha256} is missing", _BLOB_REMEDY)
        elif stored[ref.sha256] != ref.size:
            what = f"the body {ref.sha256} has {counted(stored[ref.sha256], 'byte')}, recorded were {ref.size}"
            report.add(Severity.ERROR, what, _BLOB_REMEDY)
        elif read_them:
            try:
                store.verify(ref)
            except (RecordingError, StorageError) as error:
                report.add(Severity.ERROR, error.message, _BLOB_REMEDY)
    try:
        kept, left = backup_references(files), interrupted_files(files)
    except OSError as error:
        raise storage_error("read what a compaction kept", files.root, error) from error
    earlier = [sha256 for sha256 in kept if sha256 in stored and sha256 not in refs]
    if earlier:
        what = (
            f"{counted(len(earlier), 'stored body', 'is are')} needed by {BACKUP_NAME} alone "
            f"({size(sum(stored[each] for each in earlier))})"
        )
        report.add(Severity.INFO, what, "`replay-proxy compact --discard-original` removes both")
    if left:
        what = f"a compaction was interrupted, or is under way: {', '.join(left)}"
        report.add(Severity.INFO, what, "the recording is whole; the next start tidies up, as does --repair")
    loose = [size for sha256, size in stored.items() if sha256 not in refs and sha256 not in kept]
    if loose and not report.damaged_lines:
        what = f"nothing refers to {counted(len(loose), 'stored body')} ({size(sum(loose))})"
        report.add(Severity.INFO, what, "--remove-unreferenced removes them")
    if spools:
        what = f"{counted(spools, 'body', 'was were')} never completed"
        report.add(Severity.INFO, what, "the next start removes them, as does --repair")


_BLOB_REMEDY = "bring the file back from a copy; the calls that need it cannot be restored without"


# -- repair ------------------------------------------------------------------------------------------------------------


def repair(
    data_dir: Path,
    *,
    drop_damaged: bool = False,
    remove_unreferenced: bool = False,
    files: Files | None = None,
) -> list[str]:
    """Do what is safe, and what was asked for. Return each step that was done, in words.

    A torn tail is cut and abandoned spools are removed. drop_damaged: lines that cannot be read are left out; what they
    recorded is lost, the original is kept. remove_unreferenced: blobs that no line refers to are removed.

    Raises:
        RecordingError: another process uses the recording; or it is damaged in a way that only `drop_damaged` ends.
        StorageError: it cannot be written.
    """
    files = files or Files(Path(data_dir))
    report = check(files.root, blobs=False, files=files)
    lock = RecordingLock.acquire(files)
    try:
        steps = []
        if interrupted_files(files):
            recover(files)
            steps.append("tidied up after a compaction that was interrupted")
        damaged = set(report.damaged_lines)
        if damaged and drop_damaged:
            steps.append(_drop(files, damaged, report))
        elif damaged:
            raise RecordingError(
                f"{report.path}: {counted(len(damaged), 'line', 'is are')} damaged, the first is line {min(damaged)}",
                hint="bring the file back from a copy, or lose what these lines recorded with --drop-damaged",
            )
        if report.torn and not damaged:
            steps.append(cut_tail(files, inspect(files)))
        store = BlobStore(files.root, files=files)
        spools = store.recover(younger_than=0.0)
        if spools:
            steps.append(f"removed {counted(spools, 'body')} that a crash left incomplete")
        if remove_unreferenced:
            steps.extend(_remove(store, files))
        return steps
    except OSError as error:
        raise storage_error("repair the recording", report.path, error) from error
    finally:
        lock.release()


def _drop(files: Files, damaged: set[int], report: CheckReport) -> str:
    """Write the journal anew without its damaged lines (and without a torn tail); keep the old one."""
    end = report.size - report.torn
    header = None
    if 1 in damaged:
        header = encode_header(RecordingHeader(report.id or str(uuid.uuid4()), utc_now(), {"repaired": True}))

    def kept() -> Iterator[bytes]:
        if header is not None:
            yield header
        for number, _offset, line in raw_lines(files, 0, end):
            if number not in damaged and line.strip():
                yield line if line.endswith(b"\n") else line + b"\n"

    beside = replace_journal(files, kept(), "damaged")
    numbers = ", ".join(map(str, sorted(damaged)[:10])) + (" ..." if len(damaged) > 10 else "")
    return f"left out {counted(len(damaged), 'damaged line')} ({numbers}); the file as it was is kept as {beside}"


def _remove(store: BlobStore, files: Files) -> list[str]:
    referenced = {ref.sha256 for item in _items(files) if isinstance(item, Record) for ref in item.body_refs}
    referenced |= backup_references(files).keys()
    count = total = 0
    for ref in list(store.unreferenced(referenced)):
        store.remove(ref.sha256)
        count += 1
        total += ref.size
    return [f"removed {counted(count, 'body')} ({size(total)}) that nothing refers to"] if count else []


def _items(files: Files) -> Iterator[Item]:
    layout = inspect(files)
    for _number, _offset, line in raw_lines(files, layout.first, layout.tail.end):
        if line.strip():
            yield decode_line(line).item
