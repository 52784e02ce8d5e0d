"""Bring a journal into the state in which a line can be appended: begin it, finish it, cut it, or convert it.

Only the holder of the recording's lock may do this. What is cut or converted is kept beside the journal first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from replay_proxy.journal.compaction.file_swap import recover
from replay_proxy.journal.format.encode import encode_header, encode_record
from replay_proxy.journal.format.records import JOURNAL_NAME, RecordingHeader, utc_now
from replay_proxy.journal.read.journal_file import JournalLayout, inspect
from replay_proxy.journal.read.reader import Recording, read
from replay_proxy.journal.read.save_points import SavePoints
from replay_proxy.journal.storage.files import Files, replace, storage_error, write_all
from replay_proxy.wording import counted

TEMPORARY = f"{JOURNAL_NAME}.tmp"


@dataclass(slots=True)
class Opened:
    """A journal that can be appended to. offset: its length in bytes. effect: which calls are in effect. found: what it held."""

    header: RecordingHeader
    fd: int
    offset: int
    last_seq: int
    effect: SavePoints
    found: Recording
    warnings: list[str] = field(default_factory=list)


def open_journal(files: Files, emulator: dict[str, Any], new_id: str) -> Opened:
    """Make the journal below `files.root` ready for appending, and open it.

    Raises:
        RecordingError: damaged, not a recording, or of a newer format.
        StorageError: it cannot be read or written.
    """
    path = files.root / JOURNAL_NAME
    try:
        warnings = recover(files)
    except OSError as error:
        raise storage_error("finish a compaction that was interrupted", path, error) from error
    layout = inspect(files)
    try:
        if layout.legacy:
            warnings.append(_convert(files, emulator, new_id))
        elif layout.header is None:
            header = RecordingHeader(new_id, utc_now(), emulator)
            replace(files, JOURNAL_NAME, [encode_header(header)], temporary=TEMPORARY)
        elif layout.tail.torn:
            warnings.append(cut_tail(files, layout))
    except OSError as error:
        raise storage_error("begin the recording", path, error) from error
    recording = read(files.root, files=files)
    tail = recording.layout.tail
    try:
        fd = files.open_append(JOURNAL_NAME)
        try:
            if tail.unterminated:
                write_all(files, fd, b"\n")
            offset = files.size(fd)
        except BaseException:
            files.close(fd)
            raise
    except OSError as error:
        raise storage_error("open the recording", path, error) from error
    begun = recording.header
    assert begun is not None  # above, where there was none
    last_seq = max(tail.last_seq, recording.layout.through)
    return Opened(begun, fd, offset, last_seq, recording.effect, recording, warnings)


def cut_tail(files: Files, layout: JournalLayout) -> str:
    """Cut a torn tail, after keeping it beside the journal. Return what to tell the user. Raises OSError."""
    tail = layout.tail
    kept = f"{JOURNAL_NAME}.torn-{_stamp()}"
    source = files.open_read(JOURNAL_NAME)
    try:
        replace(files, kept, _bytes(files, source, tail.end, tail.size), temporary=TEMPORARY)
    finally:
        files.close(source)
    fd = files.open_append(JOURNAL_NAME)
    try:
        files.cut(fd, tail.end)
        files.sync(fd)
    finally:
        files.close(fd)
    return (
        f"{files.root / JOURNAL_NAME}: cut {counted(tail.torn, 'byte')} from byte {tail.end} on: the torn end of a write that "
        f"was never acknowledged; they are kept in {kept}"
    )


def _convert(files: Files, emulator: dict[str, Any], new_id: str) -> str:
    """Convert LocalStack's legacy file into a recording, and keep the old file. Return what to tell the user."""
    header = RecordingHeader(new_id, utc_now(), emulator)

    def lines() -> Iterator[bytes]:
        yield encode_header(header)
        for record in read(files.root, files=files):
            yield encode_record(record, record.seq)

    kept = replace_journal(files, lines(), "localstack")
    return f"{files.root / JOURNAL_NAME} was LocalStack's legacy file; it was converted, and is kept as {kept}"


def replace_journal(files: Files, lines: Iterator[bytes], why: str) -> str:
    """Put a journal of these lines in the place of the present one, which is copied first. Return the copy's name.

    Raises OSError, with the journal as it was.
    """
    kept = f"{JOURNAL_NAME}.{why}-{_stamp()}"
    source = files.open_read(JOURNAL_NAME)
    try:
        replace(files, kept, _bytes(files, source, 0, files.size(source)), temporary=TEMPORARY)
    finally:
        files.close(source)
    replace(files, JOURNAL_NAME, lines, temporary=TEMPORARY)
    return kept


def _bytes(files: Files, fd: int, start: int, end: int) -> Iterator[bytes]:
    while start < end and (block := files.read_at(fd, min(1 << 20, end - start), start)):
        yield block
        start += len(block)


def _stamp() -> str:
    return utc_now().replace(":", "").replace("-", "").replace(".", "")
