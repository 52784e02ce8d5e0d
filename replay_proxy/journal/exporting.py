"""A copy of a recording that leaves the machine: as it is, without its secrets, or encrypted.

What is copied is what a restore would replay: the calls in effect, and their large bodies, each verified on the way.
`session.json`, torn ends, and bodies that nothing refers to stay behind.
"""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from replay_proxy.errors import RecordingError, UsageError
from replay_proxy.exchange import BlobRef, Body
from replay_proxy.journal.blobs import BlobStore, blob_name
from replay_proxy.journal.durable import Files, storage_error
from replay_proxy.journal.file import inspect
from replay_proxy.journal.lock import RecordingLock
from replay_proxy.journal.reader import Recording, read
from replay_proxy.journal.records import JOURNAL_NAME, Kind, Record
from replay_proxy.journal.redaction import MOST_TELLING, CannotRedactError, Redactor, looks_into
from replay_proxy.journal.sealing import SealedReader, SealingWriter
from replay_proxy.journal.writer import JournalWriter, SaveStrategy

SHOWN = 20


@dataclass(slots=True)
class ExportReport:
    """What was exported. redacted: how often a member was, by `service:operation:member`. left_out: calls, by reason."""

    path: str
    calls: int = 0
    blobs: int = 0
    redacted: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "path": self.path,
            "calls": self.calls,
            "blobs": self.blobs,
            "redacted": self.redacted,
            "left_out": self.left_out,
            "warnings": self.warnings,
        }


async def export(
    data_dir: Path, output: Path, *, redact: bool, passphrase: str | None, threshold: int = 256 * 1024
) -> ExportReport:
    """Copy the recording in `data_dir` into the new directory `output`, or the new file where there is a passphrase.

    Raises:
        RecordingError: there is no recording, or it is damaged. StorageError: something cannot be read or written.
        UsageError: `output` exists.
    """
    if not (data_dir / JOURNAL_NAME).exists():
        raise RecordingError(
            f"there is no recording in {data_dir}", hint="name its directory with --data-dir (DATA_DIR)"
        )
    _refuse_existing(output, directory=passphrase is None)
    if passphrase is None:
        return await _copy(read(data_dir), output, redact=redact, threshold=threshold)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=_parent(output)) as scratch:
        report = await _copy(read(data_dir), Path(scratch) / "recording", redact=redact, threshold=threshold)
        _seal(Path(scratch) / "recording", output, passphrase)
    report.path = str(output)
    return report


def _refuse_existing(output: Path, *, directory: bool) -> None:
    if output.exists() and not (directory and output.is_dir() and not any(output.iterdir())):
        raise UsageError(f"{output} exists already", hint="choose another --output; nothing is overwritten")


def _parent(output: Path) -> Path:
    if not output.parent.is_dir():
        raise UsageError(f"{output.parent} is no directory", hint="choose another --output")
    return output.parent


async def _copy(recording: Recording, target: Path, *, redact: bool, threshold: int) -> ExportReport:
    report = ExportReport(str(target))
    redactor = Redactor() if redact else None
    header = recording.header
    emulator = dict(header.emulator) if header is not None else {}
    writer = await JournalWriter.open(target, strategy=SaveStrategy.ON_SHUTDOWN, emulator=emulator)
    copier = _Copier(recording.blobs, writer.blobs, threshold)
    places = _Places()
    try:
        for record in recording.records():
            kept = await copier.with_bodies(record) if redactor is not None else record
            if redactor is not None:
                try:
                    kept = redactor.redacted(kept)
                except CannotRedactError as error:
                    reason = f"a secret may be in it, and {error}"
                    report.left_out[reason] = report.left_out.get(reason, 0) + 1
                    continue
            places.add(record.seq, writer.write(places.moved(await copier.stored(kept))))
            report.calls += 1
    finally:
        await writer.close()
    report.blobs = len(copier.copied)
    report.redacted = dict(sorted(redactor.counts.items())) if redactor is not None else {}
    report.warnings += recording.warnings
    if redactor is not None:
        leaks = [str(record.seq) for record in read(target).records() if redactor.leaks(record)]
        if not redactor.looked_for_all:
            report.warnings.append(f"only {MOST_TELLING} of the redacted values were looked for in other members")
        if leaks:
            report.warnings.append(
                f"a value that was redacted also stands in members that are not secret, in {len(leaks)} calls of the copy: "
                f"seq {', '.join(leaks[:SHOWN])}{', ...' if len(leaks) > SHOWN else ''}; look at them before you share it"
            )
    return report


class _Places:
    """Where records went: a witness names the record that it came after."""

    def __init__(self) -> None:
        self._new: list[tuple[int, int]] = []

    def add(self, old: int, new: int) -> None:
        self._new.append((old, new))

    def moved(self, record: Record) -> Record:
        after = record.notes.get("after")
        if record.kind is not Kind.WITNESS or not isinstance(after, int):
            return record
        place = next((new for old, new in reversed(self._new) if old <= after), 0)
        return replace(record, notes={**record.notes, "after": place})


class _Copier:
    """Large bodies from one recording into another. copied: by their SHA-256."""

    def __init__(self, source: BlobStore, target: BlobStore, threshold: int) -> None:
        self._source = source
        self._target = target
        self._threshold = threshold
        self.copied: set[str] = set()

    async def with_bodies(self, record: Record) -> Record:
        """With those bodies in memory that have to be looked into."""
        request, answer = record.request, record.answer
        in_request, in_answer = looks_into(record)
        if in_request and isinstance(request.body, BlobRef):
            request = replace(request, body=b"".join(self._source.read(request.body)))
        if in_answer and isinstance(answer.body, BlobRef):
            answer = replace(answer, body=b"".join(self._source.read(answer.body)))
        return replace(record, request=request, answer=answer)

    async def stored(self, record: Record) -> Record:
        """With its large bodies in the target."""
        request = replace(record.request, body=await self._stored(record.request.body))
        return replace(
            record, request=request, answer=replace(record.answer, body=await self._stored(record.answer.body))
        )

    async def _stored(self, body: Body) -> Body:
        if isinstance(body, BlobRef):
            if body.sha256 not in self.copied:
                spool = self._target.begin()
                try:
                    for chunk in self._source.read(body):
                        spool.write(chunk)
                    await spool.commit()
                finally:
                    spool.abort()
                self.copied.add(body.sha256)
            return body
        if len(body) > self._threshold:
            ref = await self._target.put(body)
            self.copied.add(ref.sha256)
            return ref
        return body


def _seal(source: Path, output: Path, passphrase: str) -> None:
    """Encrypt the recording in `source` into `output`, which appears when it is complete."""
    partial = output.with_name(output.name + ".partial")
    try:
        with ExitStack() as stack:
            fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            stack.callback(partial.unlink, missing_ok=True)
            sink = stack.enter_context(os.fdopen(fd, "wb"))
            sealing = SealingWriter(sink, passphrase)
            with tarfile.open(fileobj=sealing, mode="w|", format=tarfile.PAX_FORMAT) as archive:
                for name in _members(source):
                    archive.add(source / name, arcname=name, recursive=False, filter=_anonymous)
            sealing.finish()
            sink.flush()
            os.fsync(fd)
            partial.rename(output)
    except OSError as error:
        raise storage_error("write the export", output, error) from error


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


async def unseal(source: Path, data_dir: Path, passphrase: str) -> int:
    """Decrypt an export into `data_dir`, which must hold no recording yet; how many calls it has.

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
            for ref in recording.blobs.stored():
                spool = blobs.begin()
                for chunk in recording.blobs.read(ref):
                    spool.write(chunk)
                await spool.commit()
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


def _unpack(sealed: IO[bytes], target: Path, passphrase: str, name: str) -> None:
    reader = SealedReader(sealed, passphrase, name)
    seen: set[str] = set()
    try:
        with tarfile.open(fileobj=reader, mode="r|") as archive:
            for member in archive:
                if not member.isreg() or member.name in seen or not _is_ours(member.name):
                    raise RecordingError(f"{name} holds what no recording holds: {member.name!r}", hint="make it anew")
                seen.add(member.name)
                content = archive.extractfile(member)
                assert content is not None
                place = target / member.name
                place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                fd = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(fd, "wb") as out:
                    while chunk := content.read(1 << 20):
                        out.write(chunk)
    except tarfile.TarError as error:
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
