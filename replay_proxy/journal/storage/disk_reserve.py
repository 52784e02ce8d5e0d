"""Space put aside, so that a full disk is noticed *after* the call that fills it was recorded.

When a write finds the disk full, the emulator has already executed the call: refusing it then would leave the emulator
with something that the journal does not know. So the writer holds a file of `SIZE` bytes beside the journal, and removes
it in that moment: the call, and those that are under way with it, are recorded, and only calls that have not been
sent yet are refused, until there is space for the file again. Its content is random, because some file systems store
zeros without using space.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Final

from replay_proxy.journal.storage.files import Files, write_all

RESERVE_NAME: Final = "recording.reserve"
SIZE: Final = 1 << 20
"""Bytes: room for some calls with bodies just below the threshold at which they become blobs."""


class DiskReserve:
    """The space put aside for one recording."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self.held = False

    def hold(self) -> None:
        """Put the space aside. Raises OSError where there is none."""
        if self.held:
            return
        try:
            if self._files.stat(RESERVE_NAME).st_size == SIZE:
                self.held = True  # left by a process that was killed
                return
            self._files.unlink(RESERVE_NAME)
        except FileNotFoundError:
            pass
        fd = self._files.create(RESERVE_NAME)
        try:
            write_all(self._files, fd, os.urandom(SIZE))
        except OSError:
            with suppress(OSError):
                self._files.unlink(RESERVE_NAME)
            raise
        finally:
            self._files.close(fd)
        self.held = True

    def release(self) -> bool:
        """Give the space back to the file system. Return whether there was any."""
        held, self.held = self.held, False
        if held:
            with suppress(OSError):
                self._files.unlink(RESERVE_NAME)
        return held
