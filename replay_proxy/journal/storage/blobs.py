"""Large bodies, each a file of its own: `blobs/` and the first two digits of its SHA-256, then the SHA-256 itself.

A body is spooled to `blobs/tmp/` while it streams by, hashed on the way, and gets its name at the end:

    spool = store.begin()
    spool.write(chunk)              # for every chunk
    ref = await spool.commit()      # or spool.abort()

A file under `blobs/` that is not in `tmp` is complete: it was renamed there after its last byte. Whether it is also on
stable storage then is the save strategy's business: a `durable` store syncs file and names before `commit` returns, the
others when `sync` is called (the journal's writer does so before each fsync of the journal, so that no synced record
refers to a blob that is not). The same content is one file, however often it is recorded. What `tmp` still holds at
the next start was never referred to, and is removed.

Reading verifies: `chunks` holds the last chunk back until the hash of the whole is right, so that nobody who sends a
blob on can complete a message with damaged content.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Container, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from replay_proxy.errors import RecordingError, StorageError
from replay_proxy.exchange import BlobRef
from replay_proxy.journal.storage.files import Files, storage_error, write_all
from replay_proxy.wording import counted

BLOBS: Final = "blobs"
SPOOLS: Final = "blobs/tmp"
CHUNK: Final = 256 * 1024

_HEX: Final = frozenset("0123456789abcdef")


def blob_name(sha256: str) -> str:
    """Return where a blob lies, relative to the data directory."""
    return f"{BLOBS}/{sha256[:2]}/{sha256}"


class BlobStore:
    """The blobs of one recording. `sync` and `discard` may be called in other threads.

    stored_bytes: what was stored through this object. on_made: called once the directory of all is there.
    """

    def __init__(self, data_dir: Path, *, durable: bool = True, files: Files | None = None) -> None:
        self.data_dir = Path(data_dir)
        self.durable = durable
        self.files = files or Files(self.data_dir)
        self._unsynced: set[str] = set()
        # The SHA-256 of what was stored lately, by this generation and the one before; None where nobody discards.
        self._fresh: tuple[set[str], set[str]] | None = None
        self._discarded: set[str] = set()
        self._lock = threading.Lock()
        self._dirs: set[str] = set()
        self.stored_bytes = 0
        self.on_made: Callable[[], None] | None = None

    # -- writing -----------------------------------------------------------------------------------------------

    def begin(self) -> Spool:
        """Begin a spool for one body. Raises StorageError."""
        try:
            self._make_dirs(BLOBS, SPOOLS)
            name = f"{SPOOLS}/{secrets.token_hex(12)}"
            return Spool(self, name, self.files.create(name))
        except OSError as error:
            # The directories may have been removed by hand: look again next time.
            self._dirs.clear()
            raise storage_error("store a large body", self.data_dir / SPOOLS, error) from error

    async def put(self, body: bytes) -> BlobRef:
        """Store a body that is in memory, and return its reference. Raises StorageError."""
        spool = self.begin()
        spool.write(body)
        return await spool.commit()

    def store(self, body: bytes) -> BlobRef:
        """Store a body that is in memory, and return its reference. Blocking. Raises StorageError."""
        spool = self.begin()
        try:
            spool.write(body)
            ref = BlobRef(hashlib.sha256(body).hexdigest(), len(body))
            spool._finish(ref)
        except OSError as error:
            raise storage_error("store a large body", self.data_dir / SPOOLS, error) from error
        finally:
            spool.abort()
        return ref

    def sync(self) -> None:
        """Make every blob that was stored so far durable. Blocking. Raises OSError; then no promise may be made."""
        with self._lock:
            names, self._unsynced = self._unsynced, set()
        for name in sorted(names):
            try:
                fd = self.files.open_read(name)
            except FileNotFoundError:
                if name in self._discarded:
                    continue
                raise
            try:
                self.files.sync(fd)
            finally:
                self.files.close(fd)
        for parent in sorted({name.rpartition("/")[0] for name in names}):
            self.files.sync_dir(parent)
        if names:
            self.files.sync_dir(BLOBS)
            self.files.sync_dir("")

    def recover(self, *, younger_than: float) -> int:
        """Remove abandoned spools, and remember young blobs for `sync`: at a start, by the only writer.

        A process that was killed may have renamed blobs that nobody synced; those changed in the last `younger_than`
        seconds are synced with the next flush. Return the number of spools that were removed. Raises StorageError.
        """
        try:
            spools = self.files.list_dir(SPOOLS)
            for name in spools:
                self.files.unlink(f"{SPOOLS}/{name}")
            horizon = time.time() - younger_than
            for prefix in self._prefixes():
                if self.files.stat(f"{BLOBS}/{prefix}").st_mtime < horizon:
                    continue
                for name in self.files.list_dir(f"{BLOBS}/{prefix}"):
                    if self.files.stat(f"{BLOBS}/{prefix}/{name}").st_mtime >= horizon:
                        self._unsynced.add(f"{BLOBS}/{prefix}/{name}")
        except OSError as error:
            raise storage_error("tidy the stored bodies", self.data_dir / BLOBS, error) from error
        return len(spools)

    def remove(self, sha256: str) -> None:
        """Remove a blob that nothing refers to. Raises StorageError."""
        try:
            self.files.unlink(blob_name(sha256))
        except OSError as error:
            raise storage_error("remove a stored body", self.data_dir / blob_name(sha256), error) from error

    def guard(self) -> None:
        """Begin a generation: what is stored from now on is safe from `discard` until the generation after the next."""
        with self._lock:
            self._fresh = (self._fresh[1], set()) if self._fresh is not None else (set(), set())
            self._discarded.clear()

    def discard(self, sha256s: Iterable[str]) -> tuple[int, int]:
        """Remove blobs that nothing refers to any more. Return how many, and their bytes. Blocking; for a thread, too.

        Those that were stored since `guard` was called last, or the time before, are left alone: a call that needs
        them may not have been recorded yet. What cannot be removed stays.
        """
        count = size = 0
        for sha256 in sha256s:
            name = blob_name(sha256)
            with self._lock, suppress(OSError):
                if self._fresh is not None and any(sha256 in generation for generation in self._fresh):
                    continue
                bytes_of = self.files.stat(name).st_size
                self.files.unlink(name)
                self._unsynced.discard(name)
                self._discarded.add(name)
                count, size = count + 1, size + bytes_of
        return count, size

    def _make_dirs(self, *names: str) -> None:
        for name in names:
            if name not in self._dirs:
                self.files.make_dir(name)
                self._dirs.add(name)
                if name == BLOBS and self.on_made is not None:
                    self.on_made()

    def _take_in(self, spool: str, ref: BlobRef) -> None:
        """Give a complete spool its name. Renaming over the same content heals a damaged file of that name."""
        name = blob_name(ref.sha256)
        parent = name.rpartition("/")[0]
        self._make_dirs(parent)
        with self._lock:
            if self._fresh is not None:
                self._fresh[1].add(ref.sha256)
            self._discarded.discard(name)
            self.files.rename(spool, name)
            if not self.durable:
                self._unsynced.add(name)
        self.stored_bytes += ref.size
        if self.durable:
            for directory in (parent, BLOBS, ""):
                self.files.sync_dir(directory)

    # -- reading -----------------------------------------------------------------------------------------------

    def path(self, ref: BlobRef) -> Path:
        """Return where a blob lies, for people and messages. To read it, use `chunks`."""
        return self.data_dir / blob_name(ref.sha256)

    async def chunks(self, ref: BlobRef, size: int = CHUNK) -> AsyncIterator[bytes]:
        """Yield the content in chunks of `size` bytes, read in a thread; the last only once the whole is verified.

        Raises:
            RecordingError: the blob is missing, or is not what its name says.
            StorageError: it cannot be read.
        """
        source = self.read(ref, size)
        while (chunk := await asyncio.to_thread(next, source, None)) is not None:
            yield chunk

    def read(self, ref: BlobRef, size: int = CHUNK) -> Iterator[bytes]:
        """Yield the content in chunks of `size` bytes; the last only once the whole is verified. Blocking. Raises as `chunks`."""
        digest = hashlib.sha256()
        held = b""
        total = 0
        try:
            fd = self.files.open_read(blob_name(ref.sha256))
        except FileNotFoundError as error:
            raise self._damage(ref, "is missing") from error
        except OSError as error:
            raise storage_error("read a stored body", self.path(ref), error) from error
        try:
            if self.files.size(fd) != ref.size:
                raise self._damage(ref, f"has {counted(self.files.size(fd), 'byte')}, not {ref.size}")
            while chunk := self.files.read_at(fd, size, total):
                total += len(chunk)
                digest.update(chunk)
                if held:
                    yield held
                held = chunk
        except OSError as error:
            raise storage_error("read a stored body", self.path(ref), error) from error
        finally:
            self.files.close(fd)
        if total != ref.size or digest.hexdigest() != ref.sha256:
            raise self._damage(ref, "does not have the content that its name says")
        if held:
            yield held

    def verify(self, ref: BlobRef) -> None:
        """Read all of a blob. Raises as `chunks`."""
        for _chunk in self.read(ref):
            pass

    def stored(self) -> Iterator[BlobRef]:
        """Yield every complete blob, in the order of their names."""
        for prefix in self._prefixes():
            for name in self.files.list_dir(f"{BLOBS}/{prefix}"):
                if len(name) == 64 and _HEX.issuperset(name) and name.startswith(prefix):
                    with suppress(FileNotFoundError):
                        yield BlobRef(name, self.files.stat(f"{BLOBS}/{prefix}/{name}").st_size)

    def unreferenced(self, referenced: Container[str]) -> Iterator[BlobRef]:
        """Yield every blob whose SHA-256 is not among `referenced`: left by a crash between storing and recording."""
        return (ref for ref in self.stored() if ref.sha256 not in referenced)

    def _prefixes(self) -> list[str]:
        return [name for name in self.files.list_dir(BLOBS) if len(name) == 2 and _HEX.issuperset(name)]

    def _damage(self, ref: BlobRef, what: str) -> RecordingError:
        return RecordingError(
            f"{self.path(ref)}: a stored body {what}",
            hint="bring the file back from a copy of the recording; `replay-proxy check` lists the calls that need it",
        )


class Spool:
    """One body on its way into the store. `size` is what was written so far."""

    def __init__(self, store: BlobStore, name: str, fd: int) -> None:
        self.size = 0
        self._store = store
        self._name = name
        self._fd = fd
        self._digest = hashlib.sha256()

    def write(self, chunk: bytes) -> None:
        """Append a chunk. Raises StorageError, after which the spool is gone."""
        if self._fd < 0:
            raise StorageError("a stored body was written to after its end", hint="this is a defect; please report it")
        try:
            write_all(self._store.files, self._fd, chunk)
        except OSError as error:
            self.abort()
            raise storage_error("store a large body", self._store.data_dir / SPOOLS, error) from error
        self._digest.update(chunk)
        self.size += len(chunk)

    def read(self, size: int = CHUNK) -> Iterator[bytes]:
        """Yield what was written so far, in chunks of at most `size` bytes. Blocking. Raises StorageError."""
        files, total = self._store.files, 0
        try:
            fd = files.open_read(self._name)
            try:
                while chunk := files.read_at(fd, size, total):
                    total += len(chunk)
                    yield chunk
            finally:
                files.close(fd)
        except OSError as error:
            raise storage_error("read a stored body", self._store.data_dir / SPOOLS, error) from error

    async def commit(self) -> BlobRef:
        """Complete the blob, name it, and return its reference. Raises StorageError, after which the spool is gone."""
        ref = BlobRef(self._digest.hexdigest(), self.size)
        try:
            if self._store.durable:
                await asyncio.to_thread(self._finish, ref)
            else:
                self._finish(ref)
        except OSError as error:
            raise storage_error("store a large body", self._store.path(ref), error) from error
        finally:
            self.abort()
        return ref

    def abort(self) -> None:
        """Drop what was written. Does nothing after a commit or an abort."""
        if self._fd >= 0:
            self._close()
            with suppress(OSError):
                self._store.files.unlink(self._name)

    def _finish(self, ref: BlobRef) -> None:
        if self._store.durable:
            self._store.files.sync(self._fd)
        self._store._take_in(self._name, ref)
        self._close()

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        with suppress(OSError):
            self._store.files.close(fd)
