"""A part of a file as something that HTTP clients send: read as it goes out, and again where it must be sent again."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer


class FilePart(io.RawIOBase):
    """`length` bytes of the file `path` from `offset` on, as a file of their own. Closing it closes the file."""

    def __init__(self, path: Path, offset: int, length: int) -> None:
        self._file = path.open("rb", buffering=0)
        self._offset = offset
        self._length = length
        self._at = 0

    def __len__(self) -> int:
        return self._length

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._length}[whence]
        self._at = min(max(0, base + offset), self._length)
        return self._at

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer)  # a slice of a bytearray would be a copy
        wanted = min(len(view), self._length - self._at)
        if wanted <= 0:
            return 0
        got = os.preadv(self._file.fileno(), [view[:wanted]], self._offset + self._at)
        self._at += got
        return got

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()
