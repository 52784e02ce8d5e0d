"""A recording in use, and restoring it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from replay_proxy import log
from replay_proxy.config import Settings
from replay_proxy.emulators.ready import wait_until_ready
from replay_proxy.errors import RecordingError
from replay_proxy.identifiers.aliases import AliasTable
from replay_proxy.identifiers.endpoints import Endpoints
from replay_proxy.journal.blobs import BlobStore
from replay_proxy.journal.reader import read
from replay_proxy.journal.records import JOURNAL_NAME
from replay_proxy.journal.writer import JournalWriter
from replay_proxy.proxy.backend import reachable
from replay_proxy.proxy.sender import Sender
from replay_proxy.proxy.session import Session
from replay_proxy.proxy.upstream import Upstream
from replay_proxy.replay.compact import Plan, plan_of
from replay_proxy.replay.execute import Progress, Restorer, default_concurrency
from replay_proxy.replay.keyring import Keyring
from replay_proxy.replay.report import RestoreReport
from replay_proxy.replay.sightings import Sightings
from replay_proxy.wire.selection import to_restore

_log = log.get("restore")

SHOWN_DETAILS = 3


@dataclass(frozen=True, slots=True)
class OpenRecording:
    """A recording in use. writer: None where it is only read."""

    data_dir: Path
    writer: JournalWriter | None

    @property
    def path(self) -> Path:
        """The journal."""
        return self.data_dir / JOURNAL_NAME

    @property
    def blobs(self) -> BlobStore:
        """The large bodies."""
        return self.writer.blobs if self.writer is not None else BlobStore(self.data_dir, durable=False)


async def open_recording(settings: Settings, emulator: str) -> OpenRecording:
    """Open the recording in `settings.data_dir` for appending; begin one where there is none. Not where it is only read.

    Raises:
        RecordingError: in use, damaged, or not a recording. StorageError: it cannot be written.
    """
    if settings.read_only:
        refuse_missing(settings.data_dir)
        return OpenRecording(settings.data_dir, None)
    writer = await JournalWriter.open(
        settings.data_dir,
        strategy=settings.save_strategy,
        flush_interval=settings.flush_interval,
        emulator={"name": emulator},
    )
    for warning in writer.warnings:
        _log.warning(warning)
    return OpenRecording(settings.data_dir, writer)


async def restore_recording(
    data_dir: Path,
    sender: Sender,
    aliases: AliasTable,
    keyring: Keyring,
    endpoints: Endpoints,
    settings: Settings,
    report: RestoreReport,
    progress: Progress,
    sightings: Sightings | None = None,
) -> RestoreReport:
    """Replay the recording in `data_dir`; what happened is logged, and returned in `report`. `sightings` is told of every record.

    Raises:
        RecordingError, StorageError: it cannot be read.
    """
    recording = await asyncio.to_thread(read, data_dir)
    report.path = str(recording.path)
    plan = await asyncio.to_thread(plan_of, recording, compaction=settings.compaction, selection=to_restore(settings))
    report.total, report.switched_off = plan.kept_count, plan.switched_off_count
    report.superseded = len(plan.dropped) - report.switched_off
    report.notes.extend(_losses(plan))
    restorer = Restorer(
        sender,
        sender.load,
        aliases,
        keyring,
        endpoints=endpoints,
        call_timeout=settings.call_timeout,
        concurrency=settings.restore_concurrency or default_concurrency(),
        sightings=sightings,
    )
    await restorer.run(plan, report, progress)
    report.total = report.done
    report.notes.extend(recording.warnings)
    for note in report.notes:
        _log.warning(note)
    if report.total or report.superseded or report.switched_off:
        _tell(report)
    else:
        _log.info("nothing is recorded yet", recording=report.path)
    return report


def refuse_missing(data_dir: Path) -> None:
    """Raises RecordingError where there is no recording in `data_dir`."""
    if not (data_dir / JOURNAL_NAME).exists():
        raise RecordingError(
            f"there is no recording in {data_dir}", hint="name its directory with --data-dir (DATA_DIR)"
        )


def explain_recording(data_dir: Path, sightings: Sightings) -> None:
    """Tell `sightings` of every record, where nothing has to be replayed. Raises as `restore_recording`; blocking."""
    for record in read(data_dir).records():
        sightings.explain(record.head, record.request, record.answer)


def _losses(plan: Plan) -> list[str]:
    """What will be missed because the recording does not say enough, a line for each reason."""
    counted = Counter(loss.reason for loss in plan.losses)
    return [f"{count} calls were left out: {reason}" for reason, count in counted.items()]


def _tell(report: RestoreReport) -> None:
    for problem in report.problems:
        _log.warning(
            f"not restored: {problem.service}:{problem.operation}",
            seq=problem.seq,
            reason=problem.reason,
            **({"details": "; ".join(problem.details[:SHOWN_DETAILS])} if problem.details else {}),
        )
    counts = {result.value: count for result, count in report.counts.items() if count}
    counts.pop("restored", None)
    if report.superseded:
        counts["superseded"] = report.superseded
    if report.switched_off:
        counts["switched_off"] = report.switched_off
    _log.info(report.headline, **counts, seconds=round(report.seconds, 2))


async def restore_once(settings: Settings, progress: Progress) -> RestoreReport:
    """`replay-proxy restore`: one restore into the emulator at `settings.upstream`.

    Raises:
        EmulatorError: it does not answer, or holds a part of an earlier restore.
        RecordingError: there is no recording, or it cannot be read.
    """
    assert settings.upstream is not None
    refuse_missing(settings.data_dir)
    to_restore(settings)
    upstream = Upstream(settings.upstream)
    try:
        await wait_until_ready(lambda: reachable(upstream), settings.ready_timeout, address=settings.upstream)
        blobs = BlobStore(settings.data_dir, durable=False)
        sender = Sender(upstream, blobs, call_timeout=settings.call_timeout)
        session = Session(settings.data_dir, sender, settings.secret_key or "")
        report = RestoreReport(str(settings.data_dir / JOURNAL_NAME))
        if await session.resume() is not None:
            _log.info("the emulator holds the recorded state already; nothing to restore", recording=report.path)
            report.finished = True
            return report
        await session.begin()
        aliases, keyring = AliasTable(), Keyring(settings.secret_key or "")
        endpoints = Endpoints(settings.upstream)
        await restore_recording(settings.data_dir, sender, aliases, keyring, endpoints, settings, report, progress)
        await session.settle(aliases, keyring)
        return report
    finally:
        await upstream.close()
