"""What this package asks of the operating system's files, and what may be lost all the same.

Three words, used precisely in all that follows:

*written*   `write(2)` returned: the bytes are in the kernel's page cache. They survive the death of this process by any
            signal. They do not survive a power cut, a kernel panic or a virtual machine that is pulled.
*synced*    `fsync(2)` returned without an error: the kernel says that the device says that the bytes are on stable
            storage. A device that lies about its cache (some consumer disks, some hypervisors, network file systems
            mounted `async`) can still lose them, and nothing here can know. On macOS `F_FULLFSYNC` is asked for,
            because `fsync` alone stops at the drive's cache there.
*named*     the directory entry was synced too (`sync_dir`). A synced file whose new name was not synced can be gone,
            or be found under its old name, after a power cut.

What follows from the way kernels behave:

- A failed `fsync` is final. Linux marks the pages clean after reporting the error once, so a second `fsync` returns
  success for data that never reached the disk (the PostgreSQL "fsyncgate" thread of 2018). Callers must stop promising.
- A `write` can be short, or fail after a part of it was taken. `write_all` goes on after a short one; after a failed
  one the caller knows the last good offset and cuts back to it (`cut`).
- After a power cut, unsynced parts of a file may be there or not, each page by itself; missing pages read as zeros.
- Replacing a file is atomic for readers (`rename`), and for a power cut if the new content was synced before.

Paths are relative to a root, the data directory. The root may be a symbolic link, since its owner chose it; below it no
link is followed: each directory on the way and the file itself is opened with `O_NOFOLLOW`, so that a recording which
somebody else prepared cannot make the proxy read or write elsewhere. New files are 0600 and new directories 0700.

Every file operation of the package goes through `Files`, so that tests can put a failing disk in its place.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from replay_proxy.errors import StorageError

FILE_MODE: Final = 0o600
DIRECTORY_MODE: Final = 0o700
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Without O_NONBLOCK, opening a FIFO of that name would hang; regular files do not know the flag.
_SAFE: Final = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_BLOCK: Final = 16 << 20
_FULL_SYNC: Final = getattr(fcntl, "F_FULLFSYNC", None)


class Identity(NamedTuple):
    """A file, and its state: device, inode, length in bytes, and when it was changed last (nanoseconds since 1970)."""

    device: int
    inode: int
    size: int
    changed_ns: int


class Files:
    """The file operations below one root. Names are relative, with `/` between their parts. All raise `OSError`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    # -- names ---------------------------------------------------------------------------------------------------

    def make_root(self) -> None:
        """Create the root and what is missing above it, durably. An existing directory keeps its mode."""
        missing = [path for path in (self.root, *self.root.parents) if not path.exists()]
        self.root.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        for path in missing:
            fd = os.open(path.parent, _DIRECTORY)
            try:
                self.sync(fd)
            finally:
                os.close(fd)

    def make_dir(self, name: str) -> None:
        """Create one directory below the root unless it is there."""
        parent, leaf = self._parent(name)
        try:
            with suppress(FileExistsError):
                os.mkdir(leaf, DIRECTORY_MODE, dir_fd=parent)
        finally:
            os.close(parent)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, in place of whatever had it."""
        old_parent, old_leaf = self._parent(old)
        try:
            new_parent, new_leaf = self._parent(new)
            try:
                os.rename(old_leaf, new_leaf, src_dir_fd=old_parent, dst_dir_fd=new_parent)
            finally:
                os.close(new_parent)
        finally:
            os.close(old_parent)

    def link(self, old: str, new: str) -> None:
        """Give a file a second name, which must be free. Not every file system can."""
        old_parent, old_leaf = self._parent(old)
        try:
            new_parent, new_leaf = self._parent(new)
            try:
                os.link(old_leaf, new_leaf, src_dir_fd=old_parent, dst_dir_fd=new_parent, follow_symlinks=False)
            finally:
                os.close(new_parent)
        finally:
            os.close(old_parent)

    def unlink(self, name: str) -> None:
        """Remove a file."""
        parent, leaf = self._parent(name)
        try:
            os.unlink(leaf, dir_fd=parent)
        finally:
            os.close(parent)

    def stat(self, name: str) -> os.stat_result:
        """What `lstat` says of a name."""
        parent, leaf = self._parent(name)
        try:
            return os.stat(leaf, dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(parent)

    def list_dir(self, name: str) -> list[str]:
        """The names in a directory, sorted; none where the directory is missing."""
        try:
            fd = self._walk(name.split("/") if name else [])
        except FileNotFoundError:
            return []
        try:
            return sorted(os.listdir(fd))  # noqa: PTH208  of a descriptor: a path could lead elsewhere
        finally:
            os.close(fd)

    def sync_dir(self, name: str = "") -> None:
        """Make the names in a directory durable."""
        fd = self._walk(name.split("/") if name else [])
        try:
            self.sync(fd)
        finally:
            os.close(fd)

    # -- content -------------------------------------------------------------------------------------------------

    def open_read(self, name: str) -> int:
        """A descriptor for reading."""
        return self._open(name, os.O_RDONLY)

    def open_append(self, name: str) -> int:
        """A descriptor whose every write goes to the end."""
        return self._open(name, os.O_WRONLY | os.O_APPEND)

    def create(self, name: str) -> int:
        """A descriptor for writing a file that must not exist yet."""
        return self._open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)

    def open_lock(self, name: str) -> int:
        """A descriptor of a file to lock, created where missing."""
        return self._open(name, os.O_RDWR | os.O_CREAT)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """One `write(2)`; the number of bytes taken, which may be fewer than offered."""
        return os.write(fd, data)

    def read_at(self, fd: int, size: int, offset: int) -> bytes:
        """At most `size` bytes at `offset`; empty at the end."""
        return os.pread(fd, size, offset)

    def content(self, name: str) -> bytes:
        """All of a file."""
        fd = self.open_read(name)
        try:
            data = bytearray()
            while block := self.read_at(fd, _BLOCK, len(data)):
                data += block
            return bytes(data)
        finally:
            self.close(fd)

    def size(self, fd: int) -> int:
        """The file's length in bytes."""
        return os.fstat(fd).st_size

    def identity(self, fd: int) -> Identity:
        """Which file it is, and in which state."""
        found = os.fstat(fd)
        return Identity(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)

    def has_name(self, fd: int) -> bool:
        """Is the open file still to be found under some name? (False after somebody removed it.)"""
        return os.fstat(fd).st_nlink > 0

    def cut(self, fd: int, size: int) -> None:
        """Cut the file to `size` bytes."""
        os.ftruncate(fd, size)

    def sync(self, fd: int) -> None:
        """`fsync`: after an error, never call it again and believe it."""
        if _FULL_SYNC is not None:
            fcntl.fcntl(fd, _FULL_SYNC)
        else:
            os.fsync(fd)

    def close(self, fd: int) -> None:
        """Close a descriptor."""
        os.close(fd)

    # -- ways ----------------------------------------------------------------------------------------------------

    def _open(self, name: str, flags: int) -> int:
        parent, leaf = self._parent(name)
        try:
            return os.open(leaf, flags | _SAFE, FILE_MODE, dir_fd=parent)
        finally:
            os.close(parent)

    def _parent(self, name: str) -> tuple[int, str]:
        *way, leaf = name.split("/")
        if leaf in ("", ".", ".."):
            raise ValueError(f"not the name of a file: {name!r}")
        return self._walk(way), leaf

    def _walk(self, way: Iterable[str]) -> int:
        fd = os.open(self.root, _DIRECTORY)
        for part in way:
            if part in ("", ".", ".."):
                os.close(fd)
                raise ValueError(f"not the name of a directory: {part!r}")
            try:
                below = os.open(part, _DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
            finally:
                os.close(fd)
            fd = below
        return fd


def write_all(files: Files, fd: int, data: bytes) -> None:
    """Write `data` to its end, going on after short writes. Raises OSError, with an unknown part of it written."""
    taken = files.write(fd, data)
    if taken == len(data):
        return
    rest = memoryview(data)[taken:]
    while rest:
        taken = files.write(fd, rest)
        if taken == 0:
            raise OSError(errno.EIO, "the file takes no more bytes")
        rest = rest[taken:]


def replace(files: Files, name: str, chunks: Iterable[bytes], *, temporary: str) -> int:
    """Put a new file in the place of `name` at once: readers, and a power cut, leave the old one or the new one.

    Written to `temporary` (in the same directory; removed if it fails), synced, renamed, and the name synced. Gives
    the size in bytes. Raises OSError, with `name` as it was before.
    """
    with suppress(FileNotFoundError):
        files.unlink(temporary)
    fd = files.create(temporary)
    size = 0
    try:
        try:
            for chunk in chunks:
                write_all(files, fd, chunk)
                size += len(chunk)
            files.sync(fd)
        finally:
            files.close(fd)
        files.rename(temporary, name)
    except BaseException:
        with suppress(OSError):
            files.unlink(temporary)
        raise
    files.sync_dir(name.rpartition("/")[0])
    return size


_NO_RIGHT: Final = (
    "give this user the right to read and write there, or choose another place with --data-dir (DATA_DIR)"
)
_HINTS: Final[dict[int, str]] = {
    errno.ENOSPC: "free some space there, or choose another place with --data-dir (DATA_DIR)",
    errno.EDQUOT: "the disk quota is used up: free some space, or choose another place with --data-dir (DATA_DIR)",
    errno.EROFS: "the file system is read-only: mount it writable, or choose another place with --data-dir (DATA_DIR)",
    errno.EACCES: _NO_RIGHT,
    errno.EPERM: _NO_RIGHT,
    errno.EIO: "the device reports an error; look at the kernel's log, and do not trust this disk",
    errno.ELOOP: "symbolic links inside a recording are not followed: put the file itself in its place",
    errno.ENOTDIR: "a part of the path is a file or a symbolic link; the data directory must hold real directories",
    errno.EISDIR: "a directory has the name of a file of the recording; move it away",
    errno.EMFILE: "this process has too many files open: raise the limit (ulimit -n)",
    errno.ENFILE: "the system has too many files open",
    errno.ENOENT: "something removed it while it was in use; a data directory must not be touched while the proxy runs",
}


def storage_error(doing: str, path: Path | str, error: OSError) -> StorageError:
    """The error for a user: `doing` is what was tried ("append to the recording")."""
    reason = error.strerror or str(error) or type(error).__name__
    hint = _HINTS.get(error.errno or 0, "choose another place with --data-dir (DATA_DIR), or repair this one")
    return StorageError(f"cannot {doing}: {path}: {reason}", hint=hint)
