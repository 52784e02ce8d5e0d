"""The open journal: lines are numbered and written to its end, and a write that failed leaves no part of a line.

A write that finds the disk full is repeated with the space that was put aside (`disk_reserve`). Any other write that failed is
cut back to the end of the last whole line. What that means for the calls that follow, `availability` says.

While another file is about to take the journal's place, each line goes to both (`compaction.dual_write`, which asks this
class for what it needs: `Host`).
"""

from __future__ import annotations

import errno
from concurrent.futures import Executor
from typing import Final

from replay_proxy.errors import StorageError
from replay_proxy.journal.compaction.dual_write import DualWrite
from replay_proxy.journal.format.encode import encode_control
from replay_proxy.journal.format.records import ControlKind, ControlRecord, utc_now
from replay_proxy.journal.storage.disk_reserve import DiskReserve
from replay_proxy.journal.storage.files import Files, storage_error, write_all
from replay_proxy.journal.write.availability import Availability
from replay_proxy.journal.write.recovery import Opened

_DISK_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class JournalOutput:
    """The journal as a writer appends to it. Use it from one event loop.

    fd: its descriptor, and position: its length in bytes; a line ends there. written: bytes that were appended by this
    object. last_seq: the number of the last line, 0 where there is none. replacements: how often another file took its place.
    effect_changes: how often a line was written by which other calls may count than before.
    """

    def __init__(self, files: Files, opened: Opened, availability: Availability, syncer: Executor) -> None:
        self.fd = opened.fd
        self.position = opened.offset
        self.last_seq = opened.last_seq
        self.written = 0
        self.replacements = 0
        self.effect_changes = 0
        self.dual_write: DualWrite | None = None
        self._files = files
        self._availability = availability
        self._syncer = syncer
        self._reserve = DiskReserve(files)

    # -- appending ---------------------------------------------------------------------------------------------

    def append(self, line: bytes) -> None:
        """Write a line, which carries the number after `last_seq`. Raises StorageError; the line is not there then."""
        try:
            self._write(line)
        except OSError as error:
            self._cut_back(error)
            if error.errno not in _DISK_FULL or not self._reserve.release():
                raise self._availability.fail("append to the recording", error, final=False) from error
            try:
                self._write(line)
            except OSError as again:
                self._cut_back(again)
                raise self._availability.fail("append to the recording", again, final=False) from again
            self._availability.full(error)
        self.position += len(line)
        self.written += len(line)
        self.last_seq += 1

    def append_control(self, record: ControlRecord) -> None:
        """Write a control record (its own `seq` does not matter). Raises StorageError."""
        if not self._availability.accepts:
            raise self._availability.error()
        self.append(encode_control(record, self.last_seq + 1))
        if not record.manual:  # that nothing counts from here on changes nothing
            self.effect_changes += 1

    def append_gap(self) -> None:
        """Say in the journal that calls are missing here, and why (`Availability.gap_reason`). Raises StorageError."""
        reason = self._availability.gap_reason
        self.append_control(ControlRecord(0, utc_now(), ControlKind.GAP, reason=reason))

    def _write(self, line: bytes) -> None:
        write_all(self._files, self.fd, line)
        if self.dual_write is not None:
            self.dual_write.write(line)

    def _cut_back(self, error: OSError) -> None:
        """Take away what a failed write left of a line. Raises StorageError where that fails, too."""
        try:
            # What cannot be changed at all (made immutable) has nothing to be cut.
            if self._files.size(self.fd) != self.position:
                self._files.cut(self.fd, self.position)
            if self.dual_write is not None:
                self.dual_write.cut_back()
        except OSError:
            raise self._availability.fail("append to the recording", error, final=True) from error

    # -- space -------------------------------------------------------------------------------------------------

    def hold_reserve(self) -> None:
        """Put space aside. Raises StorageError where there is none."""
        try:
            self._reserve.hold()
        except OSError as error:
            raise storage_error("put space aside for the recording", self._availability.path.parent, error) from error

    def close(self) -> None:
        """Give the space back and close the journal. Raises OSError."""
        self._reserve.release()
        self._files.close(self.fd)

    # -- for `dual_write` ----------------------------------------------------------------------------------------

    @property
    def failure(self) -> StorageError | None:
        """Why nothing more can be recorded; None where all is well."""
        return self._availability.failure

    def begin_dual_write(self, dual_write: DualWrite) -> None:
        """Write every line twice from now on."""
        self.dual_write = dual_write

    def end_dual_write(self, *, adopted: bool) -> None:
        """Write every line once again: to the new file where it was `adopted`, else to the journal as before."""
        dual_write, self.dual_write = self.dual_write, None
        if adopted and dual_write is not None:
            # A sync may be using the old descriptor: it is closed in the same thread, after it.
            old, self.fd, self.position = self.fd, dual_write.fd, dual_write.offset
            self.replacements += 1
            self._syncer.submit(self._files.close, old)
