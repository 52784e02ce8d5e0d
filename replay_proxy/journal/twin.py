"""Changing the journal under a running writer: for a moment every line is written to two files.

    catch up      what was appended since the compaction began is copied behind what it kept, in a thread, until little is left
    double        the rest is copied at once; from here on each line goes to both files, and so does each sync
    change        the new file is synced, and takes the name (`switching`), in the thread that syncs, between two syncs
    settle        the writer goes on with the new file alone

So whichever file a power cut leaves under the name, it holds everything that was promised, and nobody waits for the
change: appends go on, and a sync may have to wait for the change like for another sync.

A failure before the change gives the new file up; the journal is as it was. While the change is under way, a line must be
in both files to count. A failure after the new file got the name is final, because what the device holds is not known.
"""

from __future__ import annotations

import asyncio
import errno
from concurrent.futures import Executor
from contextlib import suppress
from typing import Final, Protocol

from replay_proxy.errors import StorageError
from replay_proxy.journal.durable import Files, storage_error, write_all
from replay_proxy.journal.records import JOURNAL_NAME
from replay_proxy.journal.switching import STAGED, Switch, give_up

NEAR: Final = 64 * 1024
"""Bytes that may be copied at once, while nothing else runs."""
_BLOCK: Final = 1 << 20


class Twin:
    """The file that is to become the journal.

    changing: a line that is not in it does not count, nor does a sync without it. failed: a sync did, so it is worth nothing.
    """

    def __init__(self, files: Files) -> None:
        """Open the staged file. Raises OSError."""
        self._files = files
        self.fd = files.open_append(STAGED)
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
        """Take away what a failed write has left. Raises OSError."""
        if not self.dropped:
            self._files.cut(self.fd, self.offset)

    def sync(self) -> None:
        """As part of a sync of the journal. Raises OSError."""
        if self.changing:
            try:
                self._files.sync(self.fd)
            except OSError:
                self.failed = True
                raise


class Host(Protocol):
    """What changing asks of the writer."""

    @property
    def position(self) -> int:
        """The journal's length in bytes."""

    @property
    def failure(self) -> StorageError | None:
        """Why nothing can be recorded."""

    def begin_twin(self, twin: Twin) -> None:
        """From now on, write everything twice."""

    def end_twin(self, *, adopted: bool) -> None:
        """Write once again: to the twin from now on, or (not `adopted`) to the old file."""


async def change(files: Files, host: Host, end: int, syncer: Executor) -> None:
    """Put the staged file, which holds what was kept of the journal's first `end` bytes, in the journal's place.

    Raises:
        StorageError: it could not be done. Where the writer has no `failure` after it, the journal is as it was.
    """
    path = files.root / JOURNAL_NAME
    try:
        twin = Twin(files)
    except OSError as error:
        give_up(files)
        raise storage_error("put the compacted recording in its place", path, error) from error
    switch = Switch(files)
    begun = False
    try:
        source = files.open_read(JOURNAL_NAME)
        try:
            at = end
            while host.position - at > NEAR:
                at = await asyncio.to_thread(_copy, files, source, twin, at, host.position)
            _copy(files, source, twin, at, host.position)
        finally:
            files.close(source)
        _refuse(host, twin)
        host.begin_twin(twin)
        begun = True
        await asyncio.to_thread(files.sync, twin.fd)
        _refuse(host, twin)
        twin.changing = True
        await asyncio.get_running_loop().run_in_executor(syncer, _carry_out, files, twin, switch)
    except OSError as error:
        raise storage_error("put the compacted recording in its place", path, error) from error
    finally:
        if switch.renamed:
            host.end_twin(adopted=True)
        else:
            if begun:
                host.end_twin(adopted=False)
            twin.changing = False
            await asyncio.get_running_loop().run_in_executor(syncer, _close, files, twin)
            give_up(files)


def _refuse(host: Host, twin: Twin) -> None:
    failure = host.failure
    if failure is not None:
        raise failure
    if twin.dropped:
        raise StorageError("the compacted recording cannot be written", hint="free some space in the data directory")


def _close(files: Files, twin: Twin) -> None:
    with suppress(OSError):
        files.close(twin.fd)


def _carry_out(files: Files, twin: Twin, switch: Switch) -> None:
    if twin.failed:
        raise OSError(errno.EIO, "an earlier sync failed")
    files.sync(twin.fd)
    switch.carry_out()


def _copy(files: Files, source: int, twin: Twin, at: int, end: int) -> int:
    while at < end:
        block = files.read_at(source, min(_BLOCK, end - at), at)
        if not block:
            raise OSError(errno.EIO, "the recording became shorter while it was in use")
        write_all(files, twin.fd, block)
        twin.offset += len(block)
        at += len(block)
    return at
