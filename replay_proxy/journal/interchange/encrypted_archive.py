"""A recording as one encrypted file: written from a directory, and unpacked into a data directory.

The plaintext is a tar archive (`encryption` has the format around it). What comes out of one is a recording and nothing else:
plain files under the names that a recording has, each once, each body with the content that its name says, and every body
that a line refers to.
"""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

from replay_proxy.errors import RecordingError
from replay_proxy.journal.format.records import JOURNAL_NAME, Record
from replay_proxy.journal.interchange.encryption import DecryptingReader, EncryptingWriter
from replay_proxy.journal.read.journal_file import inspect
from replay_proxy.journal.read.reader import Recording, read
from replay_proxy.journal.storage.blobs import BlobStore, blob_name
from replay_proxy.journal.storage.files import Files, output_error, storage_error
from replay_proxy.journal.storage.lock import RecordingLock
from replay_proxy.wording import counted


def encrypt_recording(source: Path, output: Path, passphrase: str) -> None:
    """Encrypt the recording in `source` into `output`, which appears when it is complete."""
    partial = output.with_name(output.name + ".partial")
    try:
        with ExitStack() as stack:
            fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            stack.callback(partial.unlink, missing_ok=True)
            sink = stack.enter_context(os.fdopen(fd, "wb"))
            sealing = EncryptingWriter(sink, passphrase)
            with tarfile.open(fileobj=sealing, mode="w|", format=tarfile.PAX_FORMAT) as archive:
                for name in _members(source):
                    archive.add(source / name, arcname=name, recursive=False, filter=_anonymous)
            sealing.finish()
            sink.flush()
            os.fsync(fd)
            partial.rename(output)
    except OSError as error:
        raise output_error("write the export", output, error) from error


def _members(source: Path) -> Iterator[str]:
    yield JOURNAL_NAME
    for ref in BlobStore(source, durable=False).stored():
        yield blob_name(ref.sha256)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    member.mode = 0o600
    return member


async def decrypt_recording(source: Path, data_dir: Path, passphrase: str) -> int:
    """Decrypt an export into `data_dir`, which must hold no recording yet. Return how many calls it has.

    Raises:
        RecordingError: it is damaged, the passphrase is another, or `data_dir` holds a recording.
        StorageError: something cannot be read or written.
    """
    if inspect(Files(data_dir)).exists:
        raise RecordingError(
            f"{data_dir / JOURNAL_NAME} exists already", hint="choose an empty directory with --data-dir (DATA_DIR)"
        )
    files = Files(data_dir)
    lock: RecordingLock | None = None
    try:
        files.make_root()
        lock = RecordingLock.acquire(files)
        with tempfile.TemporaryDirectory(prefix="import-", dir=data_dir) as scratch, source.open("rb") as sealed:
            _unpack(sealed, Path(scratch), passphrase, str(source))
            blobs = BlobStore(data_dir, durable=True)
            recording = read(Path(scratch))
            calls = sum(1 for _record in recording.records())
            _refuse_missing_bodies(recording, str(source))
            for ref in recording.blobs.stored():
                spool = blobs.begin()
                try:
                    for chunk in recording.blobs.read(ref):
                        spool.write(chunk)
                    await spool.commit()
                finally:
                    spool.abort()
            with (Path(scratch) / JOURNAL_NAME).open("rb") as journal:
                os.fsync(journal.fileno())
            (Path(scratch) / JOURNAL_NAME).rename(data_dir / JOURNAL_NAME)
            files.sync_dir("")
    except OSError as error:
        raise storage_error("take in the encrypted recording", data_dir, error) from error
    finally:
        if lock is not None:
            lock.release()
    return calls


def _refuse_missing_bodies(recording: Recording, name: str) -> None:
    """Raises RecordingError where a line refers to a body that is not beside it, or has another length."""
    stored = {ref.sha256: ref.size for ref in recording.blobs.stored()}
    for entry in recording.entries():
        item = entry.decoded.item
        for ref in item.body_refs if isinstance(item, Record) else ():
            if stored.get(ref.sha256) != ref.size:
                raise RecordingError(
                    f"{name} lacks the body {ref.sha256} of {counted(ref.size, 'byte')}, which call {item.seq} needs",
                    hint="export the recording again; nothing was written",
                )


class _PlainMember(tarfile.TarInfo):
    """A member as `_encrypt` writes it. What tarfile would hold in memory as a whole, or follow without end, is refused."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _PlainMember:
        """Return the member of a header's block. Raises tarfile.HeaderError, UnpackedError."""
        member = super().frombuf(buf, encoding, errors)
        if member.type not in _PLAIN_TYPES or member.size < 0:
            raise UnpackedError(f"a member of type {member.type!r}")
        if member.type not in tarfile.REGULAR_TYPES and member.size > _MOST_HEADER:
            raise UnpackedError(f"a header of {member.size} bytes")
        return member


class UnpackedError(ValueError):
    """An archive holds what no archive of ours holds."""


_PLAIN_TYPES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.XHDTYPE)
_MOST_HEADER = 64 << 10


def _unpack(sealed: IO[bytes], target: Path, passphrase: str, name: str) -> None:
    """Unpack the files of a recording, each once; refuse whatever else is there. Never more bytes than the archive has."""
    reader = DecryptingReader(sealed, passphrase, name)
    seen: set[str] = set()
    try:
        with tarfile.open(fileobj=reader, mode="r|", tarinfo=_PlainMember) as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # tarfile remembers each
                if member.issparse() or not member.isreg() or member.name in seen or not _is_ours(member.name):
                    raise UnpackedError(f"{member.name[:100]!r}{' with holes' if member.issparse() else ''}")
                seen.add(member.name)
                content = archive.extractfile(member)
                assert content is not None
                place = target / member.name
                place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                fd = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(fd, "wb") as out:
                    while chunk := content.read(1 << 20):
                        out.write(chunk)
    except UnpackedError as error:
        raise RecordingError(f"{name} holds what no recording holds: {error}", hint="make it anew") from error
    except (tarfile.TarError, ValueError, EOFError, OverflowError, RecursionError) as error:
        raise RecordingError(f"{name} is damaged: {error}", hint="bring the file back from a copy") from error
    while not reader.done:  # what follows the archive's end is authentic, too
        reader.read(1 << 16)


def _is_ours(name: str) -> bool:
    if name == JOURNAL_NAME:
        return True
    sha256 = name.rpartition("/")[2]
    with suppress(ValueError):
        return len(bytes.fromhex(sha256)) == 32 and sha256 == sha256.lower() and name == blob_name(sha256)
    return False
