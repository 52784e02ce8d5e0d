"""Put a compacted journal in the place of the present one, and keep the present one beside it.

    recorded_api_calls.json.compacting               the new one, while it is written; nobody reads it
    recorded_api_calls.json.before-compaction.new    the present one's second name, while the two change places
    recorded_api_calls.json.before-compaction        the one before the latest compaction, kept until the next one
    recorded_api_calls.json.again                    a copy of one that was moved away or removed, while it is written

The present journal gets its second name first; then the new one, which is synced, takes the first name with one
`rename(2)`; then the second name becomes the final one, in place of what an earlier compaction had left there. Whoever
opens the journal at any moment, or after a crash at any moment, finds the old one or the new one whole. `recover` finishes, or
takes back, what a crash has left, told by the header: each compaction writes another one.

Bodies that only the journal before the last but one needed go with it. A body that was stored since the compaction
before is left alone, because a call that needs it may not have been recorded yet (`BlobStore.discard`).
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from replay_proxy.journal.format.checksum import LineError
from replay_proxy.journal.format.decode import decode_line
from replay_proxy.journal.format.records import JOURNAL_NAME, Record
from replay_proxy.journal.storage.files import Files, replace

STAGED_NAME: Final = f"{JOURNAL_NAME}.compacting"
BACKUP_NAME: Final = f"{JOURNAL_NAME}.before-compaction"
BACKUP_STAGED_NAME: Final = f"{BACKUP_NAME}.new"
RESTORED_NAME: Final = f"{JOURNAL_NAME}.again"
_BACKUP_COPY_NAME: Final = f"{BACKUP_NAME}.copy"
_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES})
_BLOCK: Final = 1 << 20
_REFERS: Final = b'"body_blob":'


class FileSwap:
    """The swap of a staged journal for the present one. renamed: the new one has the name, whatever went wrong afterwards."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self.renamed = False

    def carry_out(self) -> None:
        """Swap the two. The staged journal must be synced. Raises OSError; `renamed` says how far it came."""
        files = self._files
        with suppress(FileNotFoundError):
            files.unlink(BACKUP_STAGED_NAME)
        try:
            files.link(JOURNAL_NAME, BACKUP_STAGED_NAME)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _copy(files)
        files.rename(STAGED_NAME, JOURNAL_NAME)
        self.renamed = True
        files.sync_dir("")
        files.rename(BACKUP_STAGED_NAME, BACKUP_NAME)
        files.sync_dir("")


class NameRestore:
    """The return of a journal to its name, which no file has. renamed: it has the name, whatever went wrong afterwards."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self.renamed = False

    def carry_out(self) -> None:
        """Give the copy, which must be synced, the name. Raises OSError, also where another file has the name."""
        files = self._files
        try:
            files.link(RESTORED_NAME, JOURNAL_NAME)
        except OSError as error:
            if error.errno not in _NO_LINKS or JOURNAL_NAME in files.list_dir(""):
                raise
            files.rename(RESTORED_NAME, JOURNAL_NAME)
        self.renamed = True
        with suppress(FileNotFoundError):
            files.unlink(RESTORED_NAME)
        files.sync_dir("")


def remove_staged(files: Files, staged: str = STAGED_NAME) -> None:
    """Remove the files of a swap that did not come to its end. Raises nothing."""
    for name in (staged, BACKUP_STAGED_NAME, _BACKUP_COPY_NAME) if staged == STAGED_NAME else (staged,):
        with suppress(OSError):
            files.unlink(name)


def recover(files: Files) -> list[str]:
    """Finish or take back a swap that was interrupted: at a start, by the only writer. Raises OSError.

    Return what to tell the user.
    """
    warnings = []
    names = files.list_dir("")
    if RESTORED_NAME in names and JOURNAL_NAME not in names:
        files.rename(RESTORED_NAME, JOURNAL_NAME)
        files.sync_dir("")
        warnings.append(
            f"{files.root / JOURNAL_NAME} was moved or removed while it was in use, and the proxy was killed while it wrote it "
            "again: calls at its end may be missing; if the file was moved, bring it back"
        )
    for name in (STAGED_NAME, _BACKUP_COPY_NAME, RESTORED_NAME):
        with suppress(FileNotFoundError):
            files.unlink(name)
    before = _header(files, BACKUP_STAGED_NAME)
    if before is None:
        return warnings
    if before == _header(files, JOURNAL_NAME):
        files.unlink(BACKUP_STAGED_NAME)
    else:
        files.rename(BACKUP_STAGED_NAME, BACKUP_NAME)
        files.sync_dir("")
    return warnings


def interrupted_files(files: Files) -> list[str]:
    """Return the names of files that an interrupted compaction left, or that one under way has. Raises OSError."""
    names = set(files.list_dir(""))
    return [name for name in (STAGED_NAME, BACKUP_STAGED_NAME, _BACKUP_COPY_NAME, RESTORED_NAME) if name in names]


def backup_references(files: Files) -> dict[str, int]:
    """Return SHA-256 and size of each body that the journals kept by compactions need. Raises OSError."""
    needed: dict[str, int] = {}
    for name in (BACKUP_NAME, BACKUP_STAGED_NAME):
        with suppress(FileNotFoundError):
            needed.update(references(files, name))
    return needed


def references(files: Files, name: str) -> dict[str, int]:
    """Return SHA-256 and size of each body that a journal needs; lines that cannot be read need none. Raises OSError."""
    needed: dict[str, int] = {}
    fd = files.open_read(name)
    try:
        for line in _lines(files, fd):
            if _REFERS in line:
                with suppress(LineError):
                    item = decode_line(line).item
                    if isinstance(item, Record):
                        needed.update((ref.sha256, ref.size) for ref in item.body_refs)
    finally:
        files.close(fd)
    return needed


def _copy(files: Files) -> None:
    """Copy the journal, on file systems without hard links."""
    fd = files.open_read(JOURNAL_NAME)
    try:
        replace(files, BACKUP_STAGED_NAME, _blocks(files, fd, 0, files.size(fd)), temporary=_BACKUP_COPY_NAME)
    finally:
        files.close(fd)


def _blocks(files: Files, fd: int, start: int, end: int) -> Iterator[bytes]:
    while start < end and (block := files.read_at(fd, min(_BLOCK, end - start), start)):
        yield block
        start += len(block)


def _header(files: Files, name: str) -> bytes | None:
    """Return the first line of a journal; None where there is no such file."""
    try:
        fd = files.open_read(name)
    except FileNotFoundError:
        return None
    try:
        return next(_lines(files, fd), b"")
    finally:
        files.close(fd)


def _lines(files: Files, fd: int) -> Iterator[bytes]:
    rest = b""
    for block in _blocks(files, fd, 0, files.size(fd)):
        *whole, rest = (rest + block).split(b"\n")
        yield from whole
    if rest:
        yield rest
