"""The file operations of the journal, and what may be lost all the same.

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
somebody else prepared cannot make the proxy read or write elsewhere. Nor can it make the proxy wait, or read without end:
what is opened is a regular file, or it is refused (`IrregularFileError`), be it a named pipe, a socket, a device or a directory.
New files are 0600 and new directories 0700.

Every file operation of the package goes through `Files`, so that tests can put a failing disk in its place.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from replay_proxy.errors import StorageError, UnsafeFileError

FILE_MODE: Final = 0o600
DIRECTORY_MODE: Final = 0o700
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Without O_NONBLOCK, opening a FIFO of that name would hang; regular files do not know the flag.
_SAFE: Final = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_BLOCK: Final = 16 << 20
_FULL_SYNC: Final = getattr(fcntl, "F_FULLFSYNC", None)


class IrregularFileError(OSError):
    """Something else than a regular file has the name of one: a link, a named pipe, a socket, a device, a directory."""


class Identity(NamedTuple):
    """A file, and its state: device, inode, length in bytes, and when it was changed last (nanoseconds since 1970)."""

    device: int
    inode: int
    size: int
    changed_ns: int


class Files:
    """The file operations below one root. Names are relative, with `/` between their parts. All raise `OSError`.

    What opens a file raises `IrregularFileError` where something else has its name; it neither follows that nor waits for it.
    """

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
        """Return what `lstat` says of a name."""
        parent, leaf = self._parent(name)
        try:
            return os.stat(leaf, dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(parent)

    def stat_root(self) -> os.stat_result:
        """Return what `stat` says of the root."""
        return self.root.stat()

    def list_dir(self, name: str) -> list[str]:
        """Return the names in a directory, sorted; none where the directory is missing."""
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
        """Open a file for reading, and return its descriptor."""
        return self._open(name, os.O_RDONLY)

    def open_append(self, name: str) -> int:
        """Open a file for reading, and for writing at its end. Return a descriptor, which works whatever becomes of the name."""
        return self._open(name, os.O_RDWR | os.O_APPEND)

    def open_dir(self, name: str) -> int:
        """Open a directory, the root where `name` is empty, so that it is known again. Return its descriptor."""
        return self._walk(name.split("/") if name else [])

    def create(self, name: str) -> int:
        """Create a file that must not exist yet, for writing, and return its descriptor."""
        return self._open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)

    def open_lock(self, name: str) -> int:
        """Open a file to lock, created where it is missing, and return its descriptor."""
        return self._open(name, os.O_RDWR | os.O_CREAT)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        """Call `write(2)` once. Return the number of bytes taken, which may be fewer than offered."""
        return os.write(fd, data)

    def read_at(self, fd: int, size: int, offset: int) -> bytes:
        """Return at most `size` bytes from `offset`; empty at the end."""
        return os.pread(fd, size, offset)

    def content(self, name: str) -> bytes:
        """Return all bytes of a file."""
        fd = self.open_read(name)
        try:
            data = bytearray()
            while block := self.read_at(fd, _BLOCK, len(data)):
                data += block
            return bytes(data)
        finally:
            self.close(fd)

    def size(self, fd: int) -> int:
        """Return the file's length in bytes."""
        return os.fstat(fd).st_size

    def identity(self, fd: int) -> Identity:
        """Return which file it is, and in which state."""
        found = os.fstat(fd)
        return Identity(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)

    def cut(self, fd: int, size: int) -> None:
        """Cut the file to `size` bytes."""
        os.ftruncate(fd, size)

    def sync(self, fd: int) -> None:
        """Call `fsync`. After an error its success means nothing for this file any more."""
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
            fd = os.open(leaf, flags | _SAFE, FILE_MODE, dir_fd=parent)
            if not stat.S_ISREG(mode := os.fstat(fd).st_mode):
                os.close(fd)
                raise _not_a_file(mode, leaf)
            return fd
        except OSError as error:
            if error.errno in _OF_SOMETHING_ELSE and not flags & os.O_EXCL:
                # Of a link, a socket, a pipe that nobody reads, a directory: opening it failed, which only says a number.
                with suppress(FileNotFoundError):
                    mode = os.stat(leaf, dir_fd=parent, follow_symlinks=False).st_mode
                    if not stat.S_ISREG(mode):
                        raise _not_a_file(mode, leaf) from error
            raise
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


_OF_SOMETHING_ELSE: Final = frozenset({errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.EISDIR, errno.EOPNOTSUPP})
"""What `open(2)` says of what is no regular file, on Linux, macOS and the BSDs."""


def _not_a_file(mode: int, name: str) -> IrregularFileError:
    kinds = {
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFDIR: "a directory",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return IrregularFileError(errno.EINVAL, f"it is {kinds.get(stat.S_IFMT(mode), 'something else')}, not a file", name)


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

    Written to `temporary` (in the same directory; removed if it fails), synced, renamed, and the name synced. Return
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
_NO_FILE: Final = (
    "move it away, or put the file itself in its place: only regular files are opened in a data directory, and symbolic links "
    "there are not followed (the directory itself may be one)"
)
DATA_DIR: Final = "--data-dir (DATA_DIR)"
_HINTS: Final[dict[int, str]] = {
    errno.ENOSPC: "free some space there, or choose another place with --data-dir (DATA_DIR)",
    errno.EDQUOT: "the disk quota is used up: free some space, or choose another place with --data-dir (DATA_DIR)",
    errno.EROFS: "the file system is read-only: mount it writable, or choose another place with --data-dir (DATA_DIR)",
    errno.EACCES: _NO_RIGHT,
    errno.EPERM: _NO_RIGHT,
    errno.EIO: "the device reports an error; look at the kernel's log, and do not trust this disk",
    errno.ELOOP: _NO_FILE,
    errno.ENOTDIR: "a part of the path is a file or a symbolic link, where there must be real directories",
    errno.EISDIR: "a directory has the name of a file of the recording; move it away",
    errno.EMFILE: "this process has too many files open: raise the limit (ulimit -n)",
    errno.ENFILE: "the system has too many files open",
    errno.ENOENT: "something removed it while it was in use; a data directory must not be touched while the proxy runs",
}


_NOT_MADE: Final = (
    "no directory can be made there (the file system may be none of a disk, as /proc): choose another place with "
)
_NO_PLACE: Final = "nothing can be made there (the folder is missing, or is on no disk, as /proc): choose another path"


def folder_error(doing: str, path: Path | str, error: OSError, option: str) -> StorageError:
    """Return the error for a user where a folder cannot be made. option: which names it (`--pods-dir (REPLAY_PODS_DIR)`)."""
    told = storage_error(doing, path, error)
    if error.errno == errno.ENOENT and not isinstance(error, IrregularFileError):
        return StorageError(told.message, hint=_NOT_MADE + option)
    return type(told)(told.message, hint=told.hint.replace(DATA_DIR, option))


def output_error(doing: str, path: Path | str, error: OSError) -> StorageError:
    """Return the error for a user where a file cannot be written that a command was told to write."""
    told = storage_error(doing, path, error)
    if error.errno == errno.ENOENT and not isinstance(error, IrregularFileError):
        return StorageError(told.message, hint=_NO_PLACE)
    return type(told)(told.message, hint=told.hint.replace(f"another place with {DATA_DIR}", "another path"))


def storage_error(doing: str, path: Path | str, error: OSError, *, missing: str = "") -> StorageError:
    """Return the error for a user. doing: what was tried ("append to the recording").

    missing: what to do where there is no such file, if that is not one that was there before.
    """
    reason = error.strerror or str(error) or type(error).__name__
    if isinstance(error, IrregularFileError):
        return UnsafeFileError(f"cannot {doing}: {path}: {reason}", hint=_NO_FILE)
    if missing:
        hint = (
            missing if isinstance(error, FileNotFoundError | NotADirectoryError) else "choose a file that can be read"
        )
        return StorageError(f"cannot {doing}: {path}: {reason}", hint=hint)
    hint = _HINTS.get(error.errno or 0, "choose another place with --data-dir (DATA_DIR), or repair this one")
    return StorageError(f"cannot {doing}: {path}: {reason}", hint=hint)
