"""One OCI image layout in a folder: blobs named by their content, and an index of manifests.

    oci-layout            {"imageLayoutVersion": "1.0.0"}
    index.json            the manifests, each with its reference name
    blobs/sha256/…        every blob under its digest
    blobs/tmp/…           blobs on their way; whatever is there when nobody writes is nobody's

A blob appears under its name when it is complete and what its name says. The index is replaced as a whole, and changed under a
lock, so that several processes may save, tag and remove at the same time. Who writes blobs holds a shared lock until the index
names them; who prunes wants that lock alone, and so never removes what somebody is about to name.

Locks are `flock(2)`: the kernel drops them when their holder dies.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from replay_proxy.errors import StorageError
from replay_proxy.journal.storage.files import DATA_DIR, Files, folder_error, replace, storage_error, write_all
from replay_proxy.journal.storage.scratch import ScratchFiles
from replay_proxy.pods.limits import FETCH_AGAIN, INDEX_BYTES_MAX, MANIFEST_BYTES_MAX, Limits, PodError, damaged
from replay_proxy.pods.oci.descriptor import (
    DOCUMENT_TYPES,
    Descriptor,
    descriptor_of,
    is_digest,
)
from replay_proxy.pods.oci.index import Index, parse_index
from replay_proxy.pods.oci.manifest import Manifest
from replay_proxy.pods.oci.parts import parse_version
from replay_proxy.wording import counted, duration

LAYOUT_NAME: Final = "oci-layout"
INDEX_NAME: Final = "index.json"
BLOBS: Final = "blobs/sha256"
SPOOLS: Final = "blobs/tmp"
LAYOUT_CONTENT: Final = b'{"imageLayoutVersion":"1.0.0"}'
PODS_DIR: Final = "--pods-dir (REPLAY_PODS_DIR)"
CHUNK: Final = 256 << 10
LOCK_TIMEOUT_S: Final = 60.0
SYNCS_AT_A_TIME: Final = 8
_INDEX_LOCK: Final = "index.lock"
_BLOBS_LOCK: Final = "blobs.lock"
_TO_MEND: Final = (
    "remove that file: the next `pod save`, `pod pull` or `pod push` of what it should be puts it there again"
)
_T = TypeVar("_T")


def blob_path(digest: str) -> str:
    """Return where a blob lies, relative to the layout. Raises PodError where `digest` is none."""
    if not is_digest(digest):
        raise damaged(f"{digest[:100]!r} is no SHA-256 digest")
    return f"{BLOBS}/{digest.removeprefix('sha256:')}"


class Layout:
    """An OCI image layout in a folder, which need not exist yet. Everything here is blocking.

    limits: what a manifest in it may name. name: of what was unpacked here, for messages; empty where the folder itself is
    what people know. durable: whether it is to outlive a power cut; what is on its way to somewhere else need not.
    option: what names its folder, for hints.
    """

    def __init__(
        self, root: Path, limits: Limits | None = None, name: str = "", *, durable: bool = True, option: str = PODS_DIR
    ) -> None:
        self.root = Path(root)
        self.limits = limits or Limits()
        self.name = name
        self.durable = durable
        self.option = option
        self._files = Files(self.root) if durable else ScratchFiles(self.root)
        self._unsynced: list[str] = []

    def __repr__(self) -> str:
        return f"<Layout {self.root}>"

    @property
    def exists(self) -> bool:
        """Whether there is a layout in the folder. Raises StorageError, where nobody may look, or that is no folder."""
        try:
            return stat.S_ISREG((self.root / LAYOUT_NAME).stat().st_mode)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self.failure("look into the folder of pods", self.root, error) from error

    def failure(self, doing: str, path: Path, error: OSError) -> StorageError:
        """Return the error for a user. doing: what was tried ("store a blob")."""
        told = storage_error(doing, path, error)
        return type(told)(told.message, hint=told.hint.replace(DATA_DIR, self.option))

    def create(self) -> None:
        """Make the layout unless it is there. Raises StorageError."""
        try:
            self._files.make_root()
            self._files.make_dir("blobs")
            self._files.make_dir(BLOBS)
            self._files.make_dir(SPOOLS)
            if not self.exists:
                replace(self._files, LAYOUT_NAME, [LAYOUT_CONTENT], temporary=_temporary(LAYOUT_NAME))
        except OSError as error:
            raise folder_error("make the folder of pods", self.root, error, self.option) from error

    # -- the index -------------------------------------------------------------------------------------------------

    def index(self) -> Index:
        """Return the index; an empty one where there is none yet. Raises PodError, StorageError."""
        try:
            fd = self._files.open_read(INDEX_NAME)
        except FileNotFoundError:
            return Index()
        except OSError as error:
            raise self.failure("read the index of pods", self.root / INDEX_NAME, error) from error
        try:
            if self._files.size(fd) > INDEX_BYTES_MAX:
                raise damaged(f"{self.root / INDEX_NAME} is longer than {INDEX_BYTES_MAX} bytes")
            data = bytearray()
            while block := self._files.read_at(fd, 1 << 20, len(data)):
                data += block
        except OSError as error:
            raise self.failure("read the index of pods", self.root / INDEX_NAME, error) from error
        finally:
            self._files.close(fd)
        try:
            return parse_index(bytes(data), str(self.root / INDEX_NAME))
        except PodError as error:
            hint = f"put a copy of that file back; without one, move {self.root} away, and save, pull or push its pods anew"
            raise PodError(error.message, hint=hint) from error

    def change(self, change: Callable[[Index], _T]) -> _T:
        """Change the index while nobody else does: `change` is given it, and what it returns is returned.

        Blobs that were written through this object are made durable before. Raises PodError, StorageError, and what
        `change` raises; then the index is as it was.
        """
        self.create()
        self.sync()
        with self._locked(_INDEX_LOCK, fcntl.LOCK_EX):
            index = self.index()
            before = index.encode()
            result = change(index)
            data = index.encode()
            if data != before:
                try:
                    replace(self._files, INDEX_NAME, [data], temporary=_temporary(INDEX_NAME))
                except OSError as error:
                    raise self.failure("write the index of pods", self.root / INDEX_NAME, error) from error
        return result

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep others from pruning, from the first blob until the index names it. Raises StorageError."""
        self.create()
        with self._locked(_BLOBS_LOCK, fcntl.LOCK_SH):
            yield

    @contextmanager
    def pruning(self) -> Iterator[None]:
        """Wait until nobody writes blobs, and keep others from it. Raises StorageError."""
        self.create()
        with self._locked(_BLOBS_LOCK, fcntl.LOCK_EX):
            yield

    @contextmanager
    def _locked(self, name: str, how: int) -> Iterator[None]:
        path = self.root / name
        try:
            fd = self._files.open_lock(name)
        except OSError as error:
            raise self.failure("lock the folder of pods", path, error) from error
        try:
            until = time.monotonic() + LOCK_TIMEOUT_S
            while True:
                try:
                    fcntl.flock(fd, how | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > until:
                        raise StorageError(
                            f"{self.root} is in use by another process for more than {duration(LOCK_TIMEOUT_S)}",
                            hint="wait until it is done, and try again",
                        ) from None
                    time.sleep(0.01)
                except OSError as error:
                    raise self.failure("lock the folder of pods", path, error) from error
            yield
        finally:
            self._files.close(fd)

    # -- blobs -----------------------------------------------------------------------------------------------------

    def holds(self, descriptor: Descriptor) -> bool:
        """Return whether a blob is there, with its size. Its content is verified when it is read."""
        try:
            return self._files.stat(blob_path(descriptor.digest)).st_size == descriptor.size
        except OSError:
            return False

    def is_whole(self, descriptor: Descriptor) -> bool:
        """Return whether a blob is there with its content, which is read for that."""
        try:
            for _chunk in self.read(descriptor):
                pass
        except (PodError, StorageError):
            return False
        return True

    def begin(self) -> BlobWriter:
        """Begin a blob. Raises StorageError."""
        self.create()
        name = f"{SPOOLS}/{secrets.token_hex(12)}"
        try:
            return BlobWriter(self, name, self._files.create(name))
        except OSError as error:
            raise self.failure("store a blob", self.root / SPOOLS, error) from error

    def put(self, data: bytes, media_type: str) -> Descriptor:
        """Store what is in memory, and return its descriptor. Raises StorageError."""
        descriptor = descriptor_of(data, media_type)
        if not self.holds(descriptor):
            with self.begin() as blob:
                blob.write(data)
                blob.commit(media_type, descriptor)
        return descriptor

    def told(self, digest: str) -> str:
        """Return what messages call a blob of the layout. Raises PodError where `digest` is none."""
        return f"{self.name}: {blob_path(digest)}" if self.name else str(self.root / blob_path(digest))

    def take(self, descriptor: Descriptor, chunks: Iterable[bytes], source: str = "") -> None:
        """Store a blob that comes from elsewhere. Nothing of it is kept where it is not what its descriptor says.

        source: where it comes from, for messages; empty for what was unpacked here.

        Raises:
            PodError: another size or content. StorageError: it cannot be written. Others: what `chunks` raises.
        """
        with self.begin() as blob:
            for chunk in chunks:
                blob.write(chunk)
                if blob.size > descriptor.size:
                    raise damaged(
                        f"{_of(source or self.name)}{descriptor.digest} is longer than the {descriptor.size} bytes that it "
                        "should have"
                    )
            blob.commit(descriptor.media_type, descriptor, source or self.name)

    def read(self, descriptor: Descriptor, size: int = CHUNK) -> Iterator[bytes]:
        """Yield a blob in chunks of at most `size` bytes; the last only once the whole is verified.

        Raises:
            PodError: it is missing, or not what its digest says. StorageError: it cannot be read.
        """
        path = self.root / blob_path(descriptor.digest)
        told, to_mend = self.told(descriptor.digest), FETCH_AGAIN if self.name else _TO_MEND
        digest, total, held = hashlib.sha256(), 0, b""
        try:
            fd = self._files.open_read(blob_path(descriptor.digest))
        except FileNotFoundError as error:
            raise damaged(f"{told} is missing") from error
        except OSError as error:
            raise self.failure("read a blob", path, error) from error
        try:
            if self._files.size(fd) != descriptor.size:
                raise damaged(
                    f"{told} has {counted(self._files.size(fd), 'byte')}, not {descriptor.size}", hint=to_mend
                )
            while chunk := self._files.read_at(fd, size, total):
                total += len(chunk)
                digest.update(chunk)
                if held:
                    yield held
                held = chunk
        except OSError as error:
            raise self.failure("read a blob", path, error) from error
        finally:
            self._files.close(fd)
        if total != descriptor.size or digest.hexdigest() != descriptor.sha256:
            raise damaged(f"{told} does not have the content that its name says", hint=to_mend)
        if held:
            yield held

    def manifest_bytes(self, descriptor: Descriptor) -> bytes:
        """Return the document of a version, or of a part, as it is stored, verified. Raises PodError, StorageError."""
        if descriptor.media_type not in DOCUMENT_TYPES:
            raise damaged(f"{descriptor.digest} is no manifest, but {descriptor.media_type[:100]!r}")
        if descriptor.size > MANIFEST_BYTES_MAX:
            raise damaged(f"{self.told(descriptor.digest)} is longer than the {MANIFEST_BYTES_MAX} bytes of a manifest")
        return b"".join(self.read(descriptor))

    def manifest(self, descriptor: Descriptor) -> Manifest:
        """Return what a version is. Raises PodError, StorageError."""
        return self.parsed(self.manifest_bytes(descriptor), f"{self.name or self.root}: {descriptor.digest}")

    def parsed(self, data: bytes, where: str) -> Manifest:
        """Return what a version is, from its document; its parts are read from here. Raises PodError, StorageError."""
        return parse_version(data, where, self.limits, self.manifest_bytes)

    def require_whole(self, manifest: Manifest) -> None:
        """Raise PodError where a blob that a manifest names is missing, or has another size."""
        for each in manifest.blobs():
            if not self.holds(each):
                raise PodError(
                    f"{self.told(each.digest)} is missing, or has not {counted(each.size, 'byte')}",
                    hint="pull or copy the pod once more",
                )

    def stored(self) -> Iterator[Descriptor]:
        """Yield every blob that is there, in the order of their names; their types are not known."""
        for name in self._files.list_dir(BLOBS):
            if is_digest(f"sha256:{name}"):
                with suppress(FileNotFoundError):
                    yield Descriptor("", f"sha256:{name}", self._files.stat(f"{BLOBS}/{name}").st_size)

    def remove_blob(self, digest: str) -> None:
        """Remove a blob. Raises StorageError."""
        try:
            self._files.unlink(blob_path(digest))
        except FileNotFoundError:
            return
        except OSError as error:
            raise self.failure("remove a blob", self.root / blob_path(digest), error) from error

    def remove_spools(self) -> tuple[int, int]:
        """Remove what was begun and never finished; only while `pruning`. Return how many, and their bytes.

        Raises StorageError.
        """
        count = total = 0
        try:
            for name in self._files.list_dir(SPOOLS):
                path = f"{SPOOLS}/{name}"
                count, total = count + 1, total + self._files.stat(path).st_size
                self._files.unlink(path)
            return count, total
        except OSError as error:
            raise self.failure("tidy the folder of pods", self.root / SPOOLS, error) from error

    def sync(self) -> None:
        """Make every blob durable that was written through this object. Raises StorageError."""
        names, self._unsynced = self._unsynced, []
        if not self.durable:
            return
        try:
            # One after the other each would wait for a turn of the disk of its own; several share one.
            with ThreadPoolExecutor(SYNCS_AT_A_TIME) as pool:
                for _done in pool.map(self._sync, names):
                    pass
            if names:
                self._files.sync_dir(BLOBS)
        except OSError as error:
            raise self.failure("store a blob", self.root / BLOBS, error) from error

    def _sync(self, name: str) -> None:
        fd = self._files.open_read(name)
        try:
            self._files.sync(fd)
        finally:
            self._files.close(fd)


class BlobWriter:
    """One blob on its way. As a context manager it is gone at the end, unless it was committed. size: bytes so far."""

    def __init__(self, layout: Layout, name: str, fd: int) -> None:
        self.size = 0
        self._layout = layout
        self._name = name
        self._fd = fd
        self._digest = hashlib.sha256()

    def __enter__(self) -> BlobWriter:
        return self

    def __exit__(self, *_error: object) -> None:
        self.abort()

    def write(self, chunk: bytes) -> None:
        """Append a chunk. Raises StorageError."""
        try:
            write_all(self._layout._files, self._fd, chunk)
        except OSError as error:
            raise self._layout.failure("store a blob", self._layout.root / SPOOLS, error) from error
        self._digest.update(chunk)
        self.size += len(chunk)

    def commit(self, media_type: str, expected: Descriptor | None = None, source: str = "") -> Descriptor:
        """Give the blob its name, and return its descriptor. source: where it comes from, for messages.

        Raises:
            PodError: it is not what was expected. StorageError: it cannot be named.
        """
        found = Descriptor(media_type, "sha256:" + self._digest.hexdigest(), self.size)
        if expected is not None and (found.digest, found.size) != (expected.digest, expected.size):
            raise damaged(
                f"{_of(source)}{expected.digest} of {counted(expected.size, 'byte')} came as {found.digest} of "
                f"{counted(found.size, 'byte')}"
            )
        name = blob_path(found.digest)
        try:
            self._layout._files.rename(self._name, name)
        except OSError as error:
            raise self._layout.failure("store a blob", self._layout.root / name, error) from error
        self._layout._unsynced.append(name)
        self._close()
        return found

    def abort(self) -> None:
        """Drop what was written. Does nothing after a commit or an abort."""
        if self._fd >= 0:
            self._close()
            with suppress(OSError):
                self._layout._files.unlink(self._name)

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        with suppress(OSError):
            self._layout._files.close(fd)


def _of(source: str) -> str:
    return f"{source}: " if source else ""


def _temporary(name: str) -> str:
    """Return a name for a file that is to take the place of `name`, which no other process uses."""
    return f".{name}.{os.getpid()}.{secrets.token_hex(4)}"
