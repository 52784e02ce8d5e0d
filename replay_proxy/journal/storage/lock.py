"""The lock of a recording: one writer at a time.

The lock is `flock(2)` on `recording.lock` in the data directory. The kernel drops it when its holder dies, however it
dies, so there is no stale lock to clean up; the file itself stays, and says who holds it, for the message to the next
one. `flock` sees other containers on the same machine, too; over network file systems it is as good as their locking.
Readers take no lock: a journal is only ever appended to.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import orjson

from replay_proxy.errors import RecordingError
from replay_proxy.journal.format.records import utc_now
from replay_proxy.journal.storage.files import Files, storage_error, write_all

LOCK_NAME: Final = "recording.lock"


class RecordingLock:
    """The right to write to a recording, held until `release` or the end of the process.

    left_by: who held it before and ended without releasing it, in words; empty where nobody did, as far as is known.
    """

    def __init__(self, files: Files, fd: int, left_by: str = "") -> None:
        self._files = files
        self._fd = fd
        self.left_by = left_by

    @classmethod
    def acquire(cls, files: Files) -> RecordingLock:
        """Take the lock of the recording at `files.root`, without waiting.

        Raises:
            RecordingError: another process holds it; the message names that process.
            StorageError: the lock file cannot be created.
        """
        path = files.root / LOCK_NAME
        try:
            fd = files.open_lock(LOCK_NAME)
        except OSError as error:
            raise storage_error("lock the recording", path, error) from error
        try:
            _take(fd)
        except BlockingIOError:
            who_else = _describe(files, fd)
            files.close(fd)
            raise RecordingError(
                f"{files.root} is in use by {who_else}",
                hint="stop that process, or give this one a directory of its own with --data-dir (DATA_DIR)",
            ) from None
        except OSError as error:
            files.close(fd)
            raise storage_error("lock the recording", path, error) from error
        left_by = _describe(files, fd) if _is_written(files, fd) else ""
        who = {"pid": os.getpid(), "host": socket.gethostname(), "since": utc_now()}
        # Only for the message to others: a full disk must not keep the lock from its holder.
        with suppress(OSError):
            files.cut(fd, 0)
            write_all(files, fd, orjson.dumps(who) + b"\n")
        return cls(files, fd, left_by)

    def again(self) -> RecordingLock:
        """Return this lock, or a new one where somebody removed its file, since others could take that. Raises as `acquire`."""
        with suppress(FileNotFoundError):
            if os.path.samestat(self._files.stat(LOCK_NAME), os.fstat(self._fd)):
                return self
        fresh = RecordingLock.acquire(self._files)
        self.release()
        return fresh

    def release(self) -> None:
        """Release the lock. Does nothing the second time."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with suppress(OSError):
                self._files.cut(fd, 0)
            self._files.close(fd)


def _take(fd: int) -> None:
    # `holder` takes the lock for a moment to find out whether it is free; that must not turn a writer away.
    for _attempt in range(4):
        with suppress(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(0.01)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _is_written(files: Files, fd: int) -> bool:
    """Whether the lock file names somebody. Whoever releases the lock takes the name away."""
    try:
        return bool(files.read_at(fd, 1, 0))
    except OSError:
        return False


def _describe(files: Files, fd: int) -> str:
    try:
        who: Any = orjson.loads(files.read_at(fd, 4096, 0))
        return f"process {who['pid']} on {who['host']}, since {who['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def holder(data_dir: Path, *, files: Files | None = None) -> str:
    """Return who holds the lock of a recording, in words; empty where nobody does. For `check` and status views."""
    files = files or Files(Path(data_dir))
    try:
        fd = files.open_read(LOCK_NAME)
    except OSError:
        return ""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _describe(files, fd)
    finally:
        files.close(fd)
    return ""
