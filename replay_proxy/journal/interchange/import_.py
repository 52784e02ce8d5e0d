"""Import files of other tools into a recording."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from replay_proxy.errors import RecordingError
from replay_proxy.exchange import Body
from replay_proxy.journal.format.records import JOURNAL_NAME
from replay_proxy.journal.interchange.foreign.formats import ImportTally, expand, records
from replay_proxy.journal.read.journal_file import inspect
from replay_proxy.journal.read.reader import read
from replay_proxy.journal.storage.files import Files
from replay_proxy.journal.write.writer import JournalWriter, SaveStrategy


@dataclass(slots=True)
class ImportReport:
    """What was imported. sources: the files that were read, in that order."""

    path: str
    sources: list[str] = field(default_factory=list)
    imported: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the report as `--json` prints it."""
        return {
            "path": self.path,
            "sources": self.sources,
            "imported": self.imported,
            "left_out": self.left_out,
            "warnings": self.warnings,
        }


async def import_files(
    paths: Iterable[Path], data_dir: Path, *, append: bool = False, threshold: int = 256 * 1024
) -> ImportReport:
    """Turn recordings of other tools into one of ours in `data_dir`. All is read once before anything is written.

    append: add to a recording that holds calls already. threshold: bytes from which a body becomes a blob.

    Raises:
        RecordingError: a file cannot be imported, or `data_dir` holds calls already.
        StorageError: something cannot be read or written.
    """
    report = ImportReport(str(data_dir / JOURNAL_NAME))
    sources = expand(paths)
    report.sources = [str(source) for source in sources]
    journal = data_dir / JOURNAL_NAME
    if any(_is_same(source, journal) for source in sources):
        return await _in_place(sources, data_dir, report)
    layout = inspect(Files(data_dir))
    if not append and (layout.legacy or (layout.exists and read(data_dir).records_total)):
        raise RecordingError(
            f"{journal} holds recorded calls already",
            hint="choose an empty directory with --data-dir (DATA_DIR), or add to it with --append",
        )
    for source in sources:
        for _record in records(source, ImportTally()):
            pass
    tally = ImportTally()
    writer = await JournalWriter.open(data_dir, strategy=SaveStrategy.ON_SHUTDOWN)
    try:
        report.warnings += writer.warnings

        async def stored(body: Body) -> Body:
            if isinstance(body, bytes) and len(body) > threshold:
                return await writer.blobs.put(body)
            return body

        for source in sources:
            for record in records(source, tally):
                request = replace(record.request, body=await stored(record.request.body))
                answer = replace(record.answer, body=await stored(record.answer.body))
                writer.write(replace(record, request=request, answer=answer))
    finally:
        await writer.close()
    report.imported = tally.taken
    report.left_out = dict(tally.left_out)
    return report


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # whoever opens them says why
        return False


async def _in_place(sources: list[Path], data_dir: Path, report: ImportReport) -> ImportReport:
    """Convert a legacy file that lies where our own belongs: opening it for writing does that."""
    if len(sources) > 1:
        raise RecordingError(
            f"{data_dir / JOURNAL_NAME} is to be converted, and other files to be added to it",
            hint="import into another directory with --data-dir (DATA_DIR)",
        )
    tally = ImportTally()
    for _record in records(sources[0], tally):
        pass
    writer = await JournalWriter.open(data_dir)
    await writer.close()
    report.warnings += writer.warnings
    report.imported = read(data_dir).records_total
    report.left_out = dict(tally.left_out)
    return report
