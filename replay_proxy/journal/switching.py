"""Putting a compacted journal in the place of the present one, and what of the present one is kept.

    recorded_api_calls.json.compacting               the new one, while it is written; nobody reads it
    recorded_api_calls.json.before-compaction.new    the present one's second name, while the two change places
    recorded_api_calls.json.before-compaction        the one before the latest compaction, kept until the next one

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

from replay_proxy.exchange import BlobRef
from replay_proxy.journal.codec import LineError, decode_line
from replay_proxy.journal.durable import Files, replace
from replay_proxy.journal.records import JOURNAL_NAME, Record

STAGED: Final = f"{JOURNAL_NAME}.compacting"
KEPT: Final = f"{JOURNAL_NAME}.before-compaction"
KEEPING: Final = f"{KEPT}.new"
_COPYING: Final = f"{KEPT}.copy"
_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES})
_BLOCK: Final = 1 << 20
_REFERS: Final = b'"body_blob":'


class Switch:
    """One change of journals. `renamed`: the new one has the name, whatever went wrong afterwards."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self.renamed = False

    def carry_out(self) -> None:
        """Change. The staged journal must be synced. Raises OSError; then look at `renamed`."""
        files = self._files
        with suppress(FileNotFoundError):
            files.unlink(KEEPING)
        try:
            files.link(JOURNAL_NAME, KEEPING)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _copy(files)
        files.rename(STAGED, JOURNAL_NAME)
        self.renamed = True
        files.sync_dir("")
        files.rename(KEEPING, KEPT)
        files.sync_dir("")


def give_up(files: Files) -> None:
    """Remove what a compaction that did not come to its end has left. Raises nothing."""
    for name in (STAGED, KEEPING, _COPYING):
        with suppress(OSError):
            files.unlink(name)


def recover(files: Files) -> None:
    """What is due at a start, by the only writer: finish or take back a compaction that was interrupted. Raises OSError."""
    for name in (STAGED, _COPYING):
        with suppress(FileNotFoundError):
            files.unlink(name)
    before = _header(files, KEEPING)
    if before is None:
        return
    if before == _header(files, JOURNAL_NAME):
        files.unlink(KEEPING)
    else:
        files.rename(KEEPING, KEPT)
        files.sync_dir("")


def leftovers(files: Files) -> list[str]:
    """The names of what an interrupted compaction has left (or one that is under way). Raises OSError."""
    names = set(files.list_dir(""))
    return [name for name in (STAGED, KEEPING, _COPYING) if name in names]


def kept_references(files: Files) -> dict[str, int]:
    """SHA-256 and size of each body that the journals kept by compactions need. Raises OSError."""
    needed: dict[str, int] = {}
    for name in (KEPT, KEEPING):
        with suppress(FileNotFoundError):
            needed.update(references(files, name))
    return needed


def references(files: Files, name: str) -> dict[str, int]:
    """SHA-256 and size of each body that a journal needs; what cannot be read needs none. Raises OSError."""
    needed: dict[str, int] = {}
    fd = files.open_read(name)
    try:
        for line in _lines(files, fd):
            if _REFERS in line:
                with suppress(LineError):
                    item = decode_line(line).item
                    if isinstance(item, Record):
                        needed.update((ref.sha256, ref.size) for ref in bodies(item))
    finally:
        files.close(fd)
    return needed


def bodies(record: Record) -> list[BlobRef]:
    """The large bodies of a record."""
    return [body for body in (record.request.body, record.answer.body) if isinstance(body, BlobRef)]


def _copy(files: Files) -> None:
    """For file systems without hard links."""
    fd = files.open_read(JOURNAL_NAME)
    try:
        replace(files, KEEPING, _blocks(files, fd, 0, files.size(fd)), temporary=_COPYING)
    finally:
        files.close(fd)


def _blocks(files: Files, fd: int, start: int, end: int) -> Iterator[bytes]:
    while start < end and (block := files.read_at(fd, min(_BLOCK, end - start), start)):
        yield block
        start += len(block)


def _header(files: Files, name: str) -> bytes | None:
    """The first line of a journal; None where there is no such file."""
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
