"""The compaction of a recording: the calls that a restore leaves out are removed from its file, with four exceptions.

More calls are appended to a compacted recording, so what it loses must not matter to any call that is still to come, either.

- Calls that will be *missed* (`Plan.losses`) stay: each restore is to report them, and a later version may do better.
- Calls that gave out what a client may present later (`replay.issued`) stay, the latest.
- What could still explain a repetition in a FIFO queue stays (`fifo_deduplication`).
- A witness that had shown something of a superseded call stays, and gets the note `partial`, so that a restore does not report
  the difference.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from replay_proxy.journal.compaction.file_swap import (
    BACKUP_NAME,
    STAGED_NAME,
    FileSwap,
    backup_references,
    references,
    remove_staged,
)
from replay_proxy.journal.compaction.rewrite import (
    CompactionChoices,
    CompactionInput,
    CompactionReport,
    write_compacted,
)
from replay_proxy.journal.format.records import JOURNAL_NAME, Record, RecordKind
from replay_proxy.journal.read.reader import Recording
from replay_proxy.journal.storage.blobs import BlobStore
from replay_proxy.journal.storage.files import Files, storage_error
from replay_proxy.journal.storage.lock import RecordingLock
from replay_proxy.journal.write.recovery import open_journal
from replay_proxy.replay.issued.issuing_calls import is_kept
from replay_proxy.replay.planning.fifo_deduplication import may_be_repeated
from replay_proxy.replay.planning.plan import PARTIAL, plan_of

ISSUING_MAX = 100_000
"""How many calls stay because of what they gave out, the latest."""


def compact_recording(
    data_dir: Path, *, discard_original: bool = False, files: Files | None = None
) -> CompactionReport:
    """Compact the recording in `data_dir`, which nobody else may be using. Blocking.

    discard_original: remove the journal as it was, too, with the bodies that only it needs; else it is kept until the
    next compaction.

    Raises:
        RecordingError: there is none, it is in use, or damaged. StorageError: it cannot be read or written.
    """
    files = files or Files(data_dir)
    path = files.root / JOURNAL_NAME
    lock = RecordingLock.acquire(files)
    switch = FileSwap(files)
    try:
        opened = open_journal(files, {}, str(uuid.uuid4()))
        files.close(opened.fd)
        report = stage_compaction(files)
        report.warnings[:0] = opened.warnings
        store = BlobStore(files.root, files=files)
        store.recover(younger_than=0.0)
        if report.worth_it:
            switch.carry_out()
        if discard_original:
            with suppress(FileNotFoundError):
                files.unlink(BACKUP_NAME)
                files.sync_dir("")
        needed = references(files, JOURNAL_NAME).keys() | backup_references(files).keys()
        gone = [ref.sha256 for ref in store.unreferenced(needed)]
        report.bodies_removed, report.body_bytes_removed = store.discard(gone)
        return report
    except OSError as error:
        if not switch.renamed:
            remove_staged(files)
        raise storage_error("compact the recording", path, error) from error
    finally:
        lock.release()


def stage_compaction(
    files: Files, end: int | None = None, *, write: bool = True, now: datetime | None = None
) -> CompactionReport:
    """Decide what stays of the journal below `files.root` (up to the offset `end`), and write that beside the journal.

    `unneeded` of the report names the bodies that may be removed after the files were swapped. Blocking, for long.

    Raises:
        RecordingError, StorageError: the recording cannot be read, or the new journal cannot be written.
    """
    source = CompactionInput(files, end)
    report = write_compacted(source, compaction_choices(source, now or datetime.now(UTC)), write=write)
    if write and report.worth_it:
        needed = references(files, JOURNAL_NAME).keys() | references(files, STAGED_NAME).keys()
        report.unneeded = sorted(backup_references(files).keys() - needed)
    return report


def compaction_choices(source: CompactionInput, now: datetime) -> CompactionChoices:
    """Return what becomes of the calls of a journal. Raises as the recording does when it is read."""
    plan = plan_of(source)
    edited = plan.edits.edited
    staying = may_be_repeated(source.recording, edited.union(each.seq for each in plan.omissions), now)
    staying |= _issuing(source.recording)
    staying = staying.union(each.seq for each in (*plan.losses, *plan.answered))
    dropped = {each.seq: each.reason for each in plan.omissions if each.seq not in staying}

    def change(record: Record) -> Record:
        if record.seq in edited:
            return plan.reduced(record)
        return replace(record, notes={**record.notes, PARTIAL: True})

    known_partial = {
        record.seq for record in source.records() if record.kind is RecordKind.WITNESS and record.notes.get(PARTIAL)
    }
    return CompactionChoices(dropped, (edited - staying) | (plan.partial - known_partial), change)


def _issuing(recording: Recording) -> set[int]:
    """Return the numbers of the latest calls that gave out, or revoked, what a client may present."""
    index = recording.index
    seqs = [index.seqs[position] for position in index.positions(lambda what: is_kept(what.service, what.operation))]
    return set(seqs[-ISSUING_MAX:])
