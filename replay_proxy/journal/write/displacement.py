"""Find out what somebody did to the files of a recording while they are in use.

A descriptor goes on working when its file is renamed, removed or replaced: writes succeed, and nobody finds them
afterwards. So name and file are compared, before a call is acknowledged (`ON_REQUEST`) or once a second (`file_watch`):

| what is found | what it means |
|---|---|
| no file under the name | moved (log rotation) or removed. All of it is still in the open file: it is written again |
| another file under the name | an editor or a copy put it there. It is not touched; nothing more is recorded |
| the open file is shorter | emptied or cut: what was cut is gone. What came after it is put in order (`rebuild`) |
| the open file is longer | another program writes into it |
| another data directory, or none | moved, removed, or no longer mounted |
| another `blobs`, or none | the large bodies are gone |

Directories are held open, so that no new one can have the number (inode) of one that was removed.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass

from replay_proxy.errors import StorageError
from replay_proxy.journal.format.records import JOURNAL_NAME
from replay_proxy.journal.storage.blobs import BLOBS
from replay_proxy.journal.storage.files import Files, storage_error
from replay_proxy.wording import counted


@dataclass(frozen=True, slots=True)
class Displacement:
    """What happened to the files of a recording.

    whole: all of the journal is still in the open file. lasting: to put files back does not help. shorter_by: bytes that were
    cut off.
    """

    message: str
    hint: str
    whole: bool = False
    lasting: bool = False
    shorter_by: int = 0

    @property
    def error(self) -> StorageError:
        """The error for a user."""
        return StorageError(self.message, hint=self.hint)


class WatchedFiles:
    """The data directory and its `blobs` as they were when the recording was opened, held open to know them again."""

    def __init__(self, files: Files) -> None:
        """Raises OSError."""
        self._files = files
        self._path = files.root / JOURNAL_NAME
        self._root = files.open_dir("")
        self._blobs = -1
        self.hold_blobs()

    def hold_blobs(self) -> None:
        """Remember which directory `blobs` is, once there is one. A file of this name is reported by whoever stores a body."""
        if self._blobs < 0:
            with suppress(OSError):
                self._blobs = self._files.open_dir(BLOBS)

    def close(self) -> None:
        """Close the directories."""
        for fd in (self._root, self._blobs):
            if fd >= 0:
                self._files.close(fd)
        self._root = self._blobs = -1

    def displacement(self, fd: int, size: int, other: int | None = None, *, exactly: bool) -> Displacement | None:
        """Return what happened to the journal that is open as `fd`; None where all is well. Raises nothing.

        size: bytes that it must have, at least or `exactly`. other: a descriptor whose file may have the name as well.
        """
        try:
            return self._directories(fd) or self._journal(fd, size, other, exactly=exactly)
        except OSError as error:
            told = storage_error("see whether the recording is still there", self._path, error)
            return Displacement(told.message, told.hint)

    def _directories(self, fd: int) -> Displacement | None:
        root = self._files.root
        keep = f"; until the proxy ends, the journal can be copied from /proc/{os.getpid()}/fd/{fd} (Linux)"
        try:
            found = self._files.stat_root()
        except FileNotFoundError:
            return Displacement(
                f"the data directory {root} was moved, removed or unmounted while it was in use",
                f"put it back, and recording goes on{keep}",
            )
        if not os.path.samestat(found, os.fstat(self._root)):
            return Displacement(
                f"the data directory {root} was replaced by another one while it was in use",
                f"put the first one back, and recording goes on, or start the proxy anew with this one{keep}",
            )
        hint = (
            "put it back, and recording goes on; without it, start the proxy anew: `replay-proxy check` names the calls "
            "whose bodies are missing"
        )
        try:
            found = self._files.stat(BLOBS)
        except FileNotFoundError:
            if self._blobs < 0:
                return None
            return Displacement(f"{root / BLOBS} was removed while it was in use: the large bodies are gone", hint)
        if self._blobs < 0:
            self.hold_blobs()
        elif not os.path.samestat(found, os.fstat(self._blobs)):
            return Displacement(
                f"{root / BLOBS} was replaced by another one while it was in use: the large bodies are gone", hint
            )
        return None

    def _journal(self, fd: int, size: int, other: int | None, *, exactly: bool) -> Displacement | None:
        ours = os.fstat(fd)
        try:
            found = self._files.stat(JOURNAL_NAME)
        except FileNotFoundError:
            what = "moved away" if ours.st_nlink else "removed"
            return Displacement(
                f"{self._path} was {what} while it was in use",
                "the recording could not be written again under its name, which is tried once a second; do not stop "
                "the proxy before it is, or put the file back",
                whole=True,
            )
        if not os.path.samestat(found, ours) and (other is None or not os.path.samestat(found, os.fstat(other))):
            kept = (
                "has another name now"
                if ours.st_nlink
                else f"is /proc/{os.getpid()}/fd/{fd} (Linux) until the proxy ends"
            )
            return Displacement(
                f"{self._path} was replaced by another file while it was in use",
                f"put the first file back, and recording goes on (it {kept}); or start the proxy anew with the one that "
                "is there now",
            )
        if ours.st_size < size:
            return Displacement(
                f"{self._path} was emptied or cut while it was in use: {counted(size - ours.st_size, 'byte')} of it gone",
                "bring the file back from a copy while the proxy is stopped, then start it anew: until then nothing is "
                "recorded",
                lasting=True,
                shorter_by=size - ours.st_size,
            )
        if exactly and ours.st_size > size:
            return Displacement(
                f"{self._path} was written to by another program while it was in use",
                "stop the proxy and look at it with `replay-proxy check`, then start the proxy anew: until then nothing "
                "is recorded",
                lasting=True,
            )
        return None
