"""A copy of a recording that leaves the machine: as it is, without its secrets, or encrypted.

What is copied is what a restore would replay: the calls in effect, and their large bodies, each verified on the way.
`session.json`, torn ends, and bodies that nothing refers to stay behind.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from replay_proxy.errors import UsageError
from replay_proxy.exchange import BlobRef, Body
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.journal.interchange.encrypted_archive import encrypt_recording
from replay_proxy.journal.interchange.redaction.messages import name_of
from replay_proxy.journal.interchange.redaction.redact import Redactor
from replay_proxy.journal.interchange.redaction.secret_catalogue import CannotRedactError, SecretCatalogue
from replay_proxy.journal.read.journal_file import require_recording
from replay_proxy.journal.read.reader import Recording, read
from replay_proxy.journal.storage.blobs import BlobStore
from replay_proxy.journal.write.writer import JournalWriter, SaveStrategy


@dataclass(slots=True)
class ExportReport:
    """What was exported.

    redacted: how often a member was, by `service:operation:member`. elsewhere: how often a secret also stood in members
    that are none, by `service:operation`. left_out: calls, by `service:operation` and reason. not_judged: what may hold
    secrets that nobody can see, by reason and `service:operation:member`.
    """

    path: str
    calls: int = 0
    blobs: int = 0
    redacted: dict[str, int] = field(default_factory=dict)
    elsewhere: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    not_judged: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the report as `--json` prints it."""
        return {
            "path": self.path,
            "calls": self.calls,
            "blobs": self.blobs,
            "redacted": self.redacted,
            "elsewhere": self.elsewhere,
            "left_out": self.left_out,
            "not_judged": self.not_judged,
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
    require_recording(data_dir)
    _refuse_existing(output, directory=passphrase is None)
    if passphrase is None:
        return await _copy(read(data_dir), output, redact=redact, threshold=threshold)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=_parent(output)) as scratch:
        report = await _copy(read(data_dir), Path(scratch) / "recording", redact=redact, threshold=threshold)
        encrypt_recording(Path(scratch) / "recording", output, passphrase)
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
    redactor = Redactor(catalogue_of(recording)) if redact else None
    header = recording.header
    emulator = dict(header.emulator) if header is not None else {}
    writer = await JournalWriter.open(target, strategy=SaveStrategy.ON_SHUTDOWN, emulator=emulator)
    copier = _Copier(recording.blobs, writer.blobs, threshold)
    numbers = _Renumbering()
    try:
        for record in recording.records():
            if recording.effect.reset_after(record):
                reason = "the emulator was reset after it"
                report.left_out[reason] = report.left_out.get(reason, 0) + 1
                continue
            if not record.is_readable:
                reason = f"it cannot be read: {record.flaw}"
                report.left_out[reason] = report.left_out.get(reason, 0) + 1
                continue
            kept = record
            if redactor is not None:
                try:
                    kept = redactor.redacted(record)
                except CannotRedactError as error:
                    reason = f"{name_of(record)}: a secret may be in it, and {error}"
                    report.left_out[reason] = report.left_out.get(reason, 0) + 1
                    continue
            numbers.add(record.seq, writer.write(numbers.renumbered(await copier.stored(kept))))
            report.calls += 1
    finally:
        await writer.close()
    report.blobs = len(copier.copied)
    report.warnings += recording.warnings
    if redactor is not None:
        report.redacted = dict(sorted(redactor.counts.items()))
        report.elsewhere = dict(sorted(redactor.elsewhere.items()))
        report.not_judged = dict(sorted(redactor.catalogue.not_judged.items()))
    return report


def catalogue_of(recording: Recording) -> SecretCatalogue:
    """Return every secret of the recording."""
    catalogue = SecretCatalogue(lambda ref: b"".join(recording.blobs.read(ref)))
    for record in recording.records():
        catalogue.learn(record)
    if catalogue.wants_names:
        for record in recording.records():
            catalogue.spare(record)
    return catalogue


class _Renumbering:
    """The new numbers of records, since a witness names the record that it came after."""

    def __init__(self) -> None:
        self._new: list[tuple[int, int]] = []

    def add(self, old: int, new: int) -> None:
        """Remember that the record `old` became `new`."""
        self._new.append((old, new))

    def renumbered(self, record: Record) -> Record:
        """Return the record with the number after which it came as the copy has it."""
        after = record.notes.get("after")
        if record.kind is not RecordKind.WITNESS or not isinstance(after, int):
            return record
        place = next((new for old, new in reversed(self._new) if old <= after), 0)
        return replace(record, notes={**record.notes, "after": place})


class _Copier:
    """Copies large bodies from one recording into another. copied: the SHA-256 of those that were."""

    def __init__(self, source: BlobStore, target: BlobStore, threshold: int) -> None:
        self._source = source
        self._target = target
        self._threshold = threshold
        self.copied: set[str] = set()

    async def stored(self, record: Record) -> Record:
        """Store the large bodies of a record in the target, and return the record with references to them."""
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
