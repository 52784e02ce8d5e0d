"""Files and folders that are needed for a while, among the temporary files (TMPDIR), or beside what they become.

A disk that is full, or takes nothing, is a StorageError that names the folder. The end of a scratch file never fails: what it
holds has been used by then, or nobody needs it any more.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from replay_proxy.errors import StorageError
from replay_proxy.journal.storage.files import Files, folder_error

TEMPORARY: Final = "TMPDIR"
"""What names the folder for temporary files, for hints."""
_PREFIX: Final = "replay-proxy-scratch-"
_NO_FOLDER: Final = "the folder for temporary files"


class ScratchFiles(Files):
    """Files that need not outlive a power cut: nobody waits for the disk."""

    def sync(self, _fd: int) -> None:
        """Do nothing."""


class ScratchFile(io.BufferedRandom):
    """A file without a name, for reading and writing. folder: where it lies. option: what names that, for the hint."""

    def __init__(self, raw: io.FileIO, folder: Path, option: str) -> None:
        super().__init__(raw)
        self._folder = folder
        self._option = option

    def write(self, data: Any, /) -> int:
        """Write bytes. Raises StorageError."""
        with self._failing():
            return super().write(data)

    def flush(self) -> None:
        """Hand what was written to the kernel. Raises StorageError."""
        with self._failing():
            super().flush()

    def seek(self, target: int, whence: int = 0, /) -> int:
        """Go to a place; what was written before is with the kernel then. Raises StorageError."""
        with self._failing():
            return super().seek(target, whence)

    def truncate(self, size: int | None = None, /) -> int:
        """Drop what follows. Raises StorageError."""
        with self._failing():
            return super().truncate(size)

    def close(self) -> None:
        """Let go of the file, and of what it holds."""
        with suppress(OSError, StorageError):
            super().close()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise folder_error("write a temporary file", self._folder, error, self._option) from error


def scratch_file(folder: Path | None = None, option: str = TEMPORARY) -> ScratchFile:
    """Open a file without a name. folder: None for that of temporary files; `option` names it. Raises StorageError."""
    told: Path | str = folder or _NO_FOLDER
    try:
        place = folder or Path(tempfile.gettempdir())
        told = place
        return ScratchFile(tempfile.TemporaryFile(dir=place, buffering=0), place, option)
    except OSError as error:
        raise folder_error("make a temporary file", told, error, option) from error


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a folder among the temporary files, which is gone at the end. Raises StorageError where none can be made."""
    try:
        folder = tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
    except OSError as error:
        raise folder_error("make a temporary folder", _NO_FOLDER, error, TEMPORARY) from error
    with folder as name:
        yield Path(name)
