"""Put another file in the journal's place under a running writer: for a moment every line is written to two files.

    catch up      what was appended since the compaction began is copied behind what it kept, in a thread, until little is left
    dual write    the rest is copied at once; from here on each line goes to both files, and so does each sync
    swap          the new file is synced, and takes the name (`file_swap`), in the thread that syncs, between two syncs
    settle        the writer goes on with the new file alone

So whichever file a power cut leaves under the name, it holds everything that was promised. Nobody waits: appends go on, and
a sync may have to wait for the swap as for another sync.

In the same way a journal whose name was taken away is written again under it (`restore_name`): what it held is copied from
the open file.

A failure before the swap removes the new file; the journal is as it was. While the swap is under way, a line must be
in both files to count. A failure after the new file got the name is final, because what the device holds is not known.
"""

from __future__ import annotations

import asyncio
import errno
from concurrent.futures import Executor
from contextlib import suppress
from typing import Final, Protocol

from replay_proxy.errors import StorageError
from replay_proxy.journal.compaction.file_swap import RESTORED_NAME, STAGED_NAME, FileSwap, NameRestore, remove_staged
from replay_proxy.journal.format.records import JOURNAL_NAME
from replay_proxy.journal.storage.files import Files, storage_error, write_all

NEAR: Final = 64 * 1024
"""Bytes that may be copied at once, while nothing else runs."""
_BLOCK: Final = 1 << 20


class DualWrite:
    """The file that is to become the journal.

    offset: its length in bytes. changing: the swap is under way, so a line that is not in this file does not count, nor does a
    sync without it. failed: a sync of it failed, so it must not become the journal. dropped: a write to it failed.
    """

    def __init__(self, files: Files, name: str = STAGED_NAME) -> None:
        """Open the staged file. Raises OSError."""
        self._files = files
        self.fd = files.open_append(name)
        self.offset = files.size(self.fd)
        self.changing = False
        self.failed = False
        self.dropped = False

    def write(self, line: bytes) -> None:
        """Append a line that was appended to the journal. Raises OSError where that means that the line does not count."""
        if self.dropped:
            return
        try:
            write_all(self._files, self.fd, line)
        except OSError:
            if self.changing:
                raise
            self.dropped = True
        else:
            self.offset += len(line)

    def cut_back(self) -> None:
        """Cut off what a failed write left. Raises OSError."""
        if not self.dropped:
            self._files.cut(self.fd, self.offset)

    def sync(self) -> None:
        """Sync this file, too, while the swap is under way. Raises OSError."""
        if self.changing:
            try:
                self._files.sync(self.fd)
            except OSError:
                self.failed = True
                raise


class Host(Protocol):
    """What a dual write asks of the open journal (`write.journal_output`)."""

    @property
    def position(self) -> int:
        """The journal's length in bytes."""

    @property
    def fd(self) -> int:
        """The descriptor of the journal, which can be read."""

    @property
    def failure(self) -> StorageError | None:
        """Why nothing can be recorded."""

    def begin_dual_write(self, dual_write: DualWrite) -> None:
        """From now on, write everything twice."""

    def end_dual_write(self, *, adopted: bool) -> None:
        """Write every line once again: to the new file where it was `adopted`, else to the old one."""


async def put_in_place(files: Files, host: Host, end: int, syncer: Executor) -> None:
    """Put the staged file, which holds what was kept of the journal's first `end` bytes, in the journal's place.

    Raises:
        StorageError: it could not be done. Where the writer has no `failure` after it, the journal is as it was.
    """
    await _change(files, host, end, syncer, FileSwap(files), STAGED_NAME, "put the compacted recording in its place")


async def restore_name(files: Files, host: Host, syncer: Executor) -> None:
    """Put a copy of the journal, which is still open, under its name, which nobody has any more.

    Raises:
        StorageError: it could not be done: also where somebody has the name again.
    """
    doing = "write the recording again under its name"
    try:
        with suppress(FileNotFoundError):
            files.unlink(RESTORED_NAME)
        files.close(files.create(RESTORED_NAME))
    except OSError as error:
        raise storage_error(doing, files.root / JOURNAL_NAME, error) from error
    await _change(files, host, 0, syncer, NameRestore(files), RESTORED_NAME, doing)


async def _change(
    files: Files, host: Host, end: int, syncer: Executor, switch: FileSwap | NameRestore, staged: str, doing: str
) -> None:
    path = files.root / JOURNAL_NAME
    try:
        dual_write = DualWrite(files, staged)
    except OSError as error:
        remove_staged(files, staged)
        raise storage_error(doing, path, error) from error
    begun = False
    try:
        at = end
        while host.position - at > NEAR:
            at = await asyncio.to_thread(_copy, files, host.fd, dual_write, at, host.position)
        _copy(files, host.fd, dual_write, at, host.position)
        _refuse(host, dual_write)
        host.begin_dual_write(dual_write)
        begun = True
        await asyncio.to_thread(files.sync, dual_write.fd)
        _refuse(host, dual_write)
        dual_write.changing = True
        await asyncio.get_running_loop().run_in_executor(syncer, _carry_out, files, dual_write, switch)
    except OSError as error:
        raise storage_error(doing, path, error) from error
    finally:
        if switch.renamed:
            host.end_dual_write(adopted=True)
        else:
            if begun:
                host.end_dual_write(adopted=False)
            dual_write.changing = False
            await asyncio.get_running_loop().run_in_executor(syncer, _close, files, dual_write)
            remove_staged(files, staged)


def _refuse(host: Host, dual_write: DualWrite) -> None:
    failure = host.failure
    if failure is not None:
        raise failure
    if dual_write.dropped:
        raise StorageError(
            "the new file of the recording cannot be written", hint="free some space in the data directory"
        )


def _close(files: Files, dual_write: DualWrite) -> None:
    with suppress(OSError):
        files.close(dual_write.fd)


def _carry_out(files: Files, dual_write: DualWrite, switch: FileSwap | NameRestore) -> None:
    if dual_write.failed:
        raise OSError(errno.EIO, "an earlier sync failed")
    files.sync(dual_write.fd)
    switch.carry_out()


def _copy(files: Files, source: int, dual_write: DualWrite, at: int, end: int) -> int:
    while at < end:
        block = files.read_at(source, min(_BLOCK, end - at), at)
        if not block:
            raise OSError(errno.EIO, "the recording became shorter while it was in use")
        write_all(files, dual_write.fd, block)
        dual_write.offset += len(block)
        at += len(block)
    return at
