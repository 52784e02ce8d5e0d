"""Which calls a compaction takes out of a recording: those that a restore leaves out, with three exceptions.

A compacted recording is gone on with, so what it loses must not matter to any call that is still to come, either.

- Calls that will be *missed* (`Plan.losses`) stay: each restore is to say so, and a later version may do better.
- What could still explain a repetition in a FIFO queue stays (`repetitions`).
- A witness that had shown something of a dropped call stays, and is marked as `partial`, so that a restore does not
  report the difference.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from replay_proxy.journal.blobs import BlobStore
from replay_proxy.journal.compacting import CompactionReport, Stretch, Verdicts, stage
from replay_proxy.journal.durable import Files, storage_error
from replay_proxy.journal.lock import RecordingLock
from replay_proxy.journal.opening import open_journal
from replay_proxy.journal.records import JOURNAL_NAME, Kind, Record
from replay_proxy.journal.switching import KEPT, STAGED, Switch, give_up, kept_references, references
from replay_proxy.replay.compact import PARTIAL, plan_of
from replay_proxy.replay.repetitions import may_be_repeated


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
    switch = Switch(files)
    try:
        opened = open_journal(files, {}, str(uuid.uuid4()))
        files.close(opened.fd)
        report = condense(files)
        report.warnings[:0] = opened.warnings
        store = BlobStore(files.root, files=files)
        store.recover(younger_than=0.0)
        if report.worth_it:
            switch.carry_out()
        if discard_original:
            with suppress(FileNotFoundError):
                files.unlink(KEPT)
                files.sync_dir("")
        needed = references(files, JOURNAL_NAME).keys() | kept_references(files).keys()
        gone = [ref.sha256 for ref in store.unreferenced(needed)]
        report.bodies_removed, report.body_bytes_removed = store.discard(gone)
        return report
    except OSError as error:
        if not switch.renamed:
            give_up(files)
        raise storage_error("compact the recording", path, error) from error
    finally:
        lock.release()


def condense(
    files: Files, end: int | None = None, *, write: bool = True, now: datetime | None = None
) -> CompactionReport:
    """Decide what stays of the journal below `files.root` (up to the offset `end`), and write it beside the journal.

    `unneeded` of the report names the bodies that may be removed after the switch. Blocking, for long.

    Raises:
        RecordingError, StorageError: the recording cannot be read, or the new journal cannot be written.
    """
    stretch = Stretch(files, end)
    report = stage(stretch, verdicts_of(stretch, now or datetime.now(UTC)), write=write)
    if write and report.worth_it:
        needed = references(files, JOURNAL_NAME).keys() | references(files, STAGED).keys()
        report.unneeded = sorted(kept_references(files).keys() - needed)
    return report


def verdicts_of(stretch: Stretch, now: datetime) -> Verdicts:
    """What becomes of the calls of a stretch. Raises as the recording does when it is read."""
    plan = plan_of(stretch)
    edited = plan.edits.edited
    staying = may_be_repeated(stretch.recording, edited.union(each.seq for each in plan.dropped), now)
    dropped = {each.seq: each.reason for each in plan.dropped if not each.loss and each.seq not in staying}

    def change(record: Record) -> Record:
        if record.seq in edited:
            return plan.survivor(record)
        return replace(record, notes={**record.notes, PARTIAL: True})

    noted = {record.seq for record in stretch.records() if record.kind is Kind.WITNESS and record.notes.get(PARTIAL)}
    return Verdicts(dropped, (edited - staying) | (plan.partial - noted), change)
