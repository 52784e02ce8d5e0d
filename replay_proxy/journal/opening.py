"""Bringing a journal into the state in which a line can be appended: begin it, finish it, cut it, or convert it.

Only the holder of the recording's lock may do this. What is cut or converted is kept beside the journal first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from replay_proxy.journal.codec import encode_header, encode_record
from replay_proxy.journal.durable import Files, replace, storage_error, write_all
from replay_proxy.journal.effect import Effect
from replay_proxy.journal.file import Shape, inspect
from replay_proxy.journal.reader import Recording, read
from replay_proxy.journal.records import JOURNAL_NAME, RecordingHeader, utc_now
from replay_proxy.journal.switching import recover

TEMPORARY = f"{JOURNAL_NAME}.tmp"


@dataclass(slots=True)
class Opened:
    """A journal that can be appended to. offset: its length; effect: of its marks. found: what it held, already verified."""

    fd: int
    offset: int
    last_seq: int
    effect: Effect
    found: Recording
    warnings: list[str] = field(default_factory=list)


def open_journal(files: Files, emulator: dict[str, Any], new_id: str) -> Opened:
    """Make the journal below `files.root` ready for appending, and open it.

    Raises:
        RecordingError: damaged, not a recording, or of a newer format.
        StorageError: it cannot be read or written.
    """
    path = files.root / JOURNAL_NAME
    warnings: list[str] = []
    try:
        recover(files)
    except OSError as error:
        raise storage_error("finish a compaction that was interrupted", path, error) from error
    shape = inspect(files)
    try:
        if shape.legacy:
            warnings.append(_convert(files, emulator, new_id))
        elif shape.header is None:
            header = RecordingHeader(new_id, utc_now(), emulator)
            replace(files, JOURNAL_NAME, [encode_header(header)], temporary=TEMPORARY)
        elif shape.tail.torn:
            warnings.append(cut_tail(files, shape))
    except OSError as error:
        raise storage_error("begin the recording", path, error) from error
    recording = read(files.root, files=files)
    tail = recording.shape.tail
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
    return Opened(fd, offset, max(tail.last_seq, recording.shape.through), recording.effect, recording, warnings)


def cut_tail(files: Files, shape: Shape) -> str:
    """Cut a torn tail, after keeping it beside the journal. Gives what to tell the user. Raises OSError."""
    tail = shape.tail
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
        f"{files.root / JOURNAL_NAME}: cut {tail.torn} bytes from byte {tail.end} on: the torn end of a write that was "
        f"never acknowledged; they are kept in {kept}"
    )


def _convert(files: Files, emulator: dict[str, Any], new_id: str) -> str:
    """LocalStack's legacy file becomes a recording; the old file is kept."""
    header = RecordingHeader(new_id, utc_now(), emulator)

    def lines() -> Iterator[bytes]:
        yield encode_header(header)
        for record in read(files.root, files=files):
            yield encode_record(record, record.seq)

    kept = replace_journal(files, lines(), "localstack")
    return f"{files.root / JOURNAL_NAME} was LocalStack's legacy file; it was converted, and is kept as {kept}"


def replace_journal(files: Files, lines: Iterator[bytes], why: str) -> str:
    """Put a journal of these lines in the place of the present one, which is copied first. Gives the copy's name.

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
