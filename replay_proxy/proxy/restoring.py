"""A recording in use, and restoring it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from replay_proxy import log
from replay_proxy.config import Settings
from replay_proxy.emulators.ready import wait_until_ready
from replay_proxy.errors import EmulatorError, RecordingError, ReplayProxyError
from replay_proxy.identifiers.endpoints import Endpoints
from replay_proxy.journal.blobs import BlobStore
from replay_proxy.journal.reader import Recording, read
from replay_proxy.journal.records import JOURNAL_NAME
from replay_proxy.journal.writer import JournalWriter
from replay_proxy.proxy.backend import reachable
from replay_proxy.proxy.sender import Sender
from replay_proxy.proxy.session import Session, SoFar, interrupted
from replay_proxy.proxy.staged import StagedRestore
from replay_proxy.proxy.upstream import Upstream
from replay_proxy.replay.attempt import Target
from replay_proxy.replay.compact import Plan
from replay_proxy.replay.execute import Progress, Restorer, default_concurrency
from replay_proxy.replay.keeping import keep_plan, keep_up, plan_for
from replay_proxy.replay.keyring import Keyring
from replay_proxy.replay.knowledge import Knowledge
from replay_proxy.replay.parts import Parts, losses_of
from replay_proxy.replay.report import UNRECOGNISED, Line, RestoreReport, Result, line_of
from replay_proxy.replay.settling import Settling
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
    target: Target,
    settings: Settings,
    report: RestoreReport,
    progress: Progress,
    settling: Settling,
    sightings: Sightings | None = None,
    told: Callable[[Line], None] | None = None,
) -> RestoreReport:
    """Replay the recording in `data_dir`; what happened is logged, and returned in `report`.

    settling: takes what calls have begun and no other call waits for. sightings: told of every record.
    told: given a line for each service as soon as it is back.

    Raises:
        RecordingError, StorageError: it cannot be read.
    """
    begun = time.monotonic()
    recording = await asyncio.to_thread(read, data_dir)
    report.path, report.through = str(recording.path), recording.found.last_seq
    now, choice = datetime.now(UTC), to_restore(settings)
    plan = await asyncio.to_thread(plan_for, recording, now, compaction=settings.compaction, choice=choice)
    report.total, report.switched_off = plan.kept_count, plan.switched_off_count
    report.superseded = plan.superseded_count
    report.notes.extend(losses_of(plan.dropped))
    restorer = _restorer(target, settings, sightings)
    report.seconds = time.monotonic() - begun
    shown = progress if told is None else await _telling(plan, progress, told)
    await restorer.run(plan, report, shown, settling=settling)
    report.total = report.done
    report.notes.extend(dict.fromkeys([*recording.warnings, *recording.index.warnings]))
    tell(report)
    if settings.compaction and choice.is_everything and not settings.read_only:
        # Nobody is to wait for that; where the loop ends, it ends after it.
        asyncio.get_running_loop().run_in_executor(None, keep_plan, recording, plan, now)
    return report


def target_of(sender: Sender, endpoints: Endpoints, settings: Settings, known: Knowledge | None = None) -> Target:
    """The emulator that `sender` sends to, as what is restored into. known: of it; nothing where that is not given."""
    known = known or Knowledge(keyring=Keyring(settings.secret_key or ""))
    return Target(sender, sender.load, known, endpoints, settings.call_timeout)


def _restorer(target: Target, settings: Settings, sightings: Sightings | None) -> Restorer:
    concurrency = settings.restore_concurrency or default_concurrency()
    return Restorer(target, concurrency=concurrency, sightings=sightings)


async def _telling(plan: Plan, progress: Progress, told: Callable[[Line], None]) -> Progress:
    """A progress that also tells of each service when the last of its calls was dealt with."""
    graph = await asyncio.to_thread(lambda: plan.graph)
    expected = Counter(graph.services[seq] for seq in graph.order if seq not in plan.witnesses)
    untold = set(expected)

    def tell_of(report: RestoreReport) -> None:
        progress(report)
        for service in [each for each in untold if report.by_service[each or UNRECOGNISED] >= expected[each]]:
            untold.discard(service)
            told(line_of(report, service))

    return tell_of


async def staged_restore(
    recording: Recording,
    target: Target,
    settings: Settings,
    report: RestoreReport,
    progress: Progress,
    sightings: Sightings,
    *,
    eager: bool,
    moved: Callable[[], None],
    bounds: Callable[[bool], Awaitable[None]],
    before: SoFar | None = None,
) -> StagedRestore:
    """A restore in parts of what `recording` holds, ready to be started. See `restore_recording` and `StagedRestore`.

    Raises:
        RecordingError, StorageError: it cannot be read.
    """
    if before is not None:
        recording = await asyncio.to_thread(recording.through, before.through)
    report.through = recording.found.last_seq
    parts = await asyncio.to_thread(
        Parts,
        recording,
        datetime.now(UTC),
        compaction=settings.compaction,
        selection=to_restore(settings),
        keeps=not settings.read_only and before is None,
    )
    restorer = _restorer(target, settings, sightings)
    return StagedRestore(parts, restorer, report, progress, eager=eager, moved=moved, bounds=bounds, before=before)


def keep_up_with(data_dir: Path, seconds: float) -> None:
    """What was recorded since the latest restore is planned for the next one, if that takes no longer than so. Blocking."""
    deadline = time.monotonic() + seconds

    def pace() -> None:
        if time.monotonic() > deadline:
            raise TimeoutError

    try:
        keep_up(read(data_dir), datetime.now(UTC), pace)
    except (ReplayProxyError, OSError) as error:
        _log.debug("no plan was kept for the next restore", reason=str(error) or "it took too long")


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


def tell(report: RestoreReport) -> None:
    """Log what came of a restore."""
    for note in report.notes:
        _log.warning(note)
    if report.total or report.superseded or report.switched_off:
        _tell(report)
    else:
        _log.info("nothing is recorded yet", recording=report.path)


def _tell(report: RestoreReport) -> None:
    for problem in report.problems:
        _log.warning(
            f"not restored: {problem.service}:{problem.operation}",
            seq=problem.seq,
            reason=problem.reason,
            **({"details": "; ".join(problem.details[:SHOWN_DETAILS])} if problem.details else {}),
        )
    counts = {result.value: count for result, count in report.counts.items() if result is not Result.RESTORED}
    if report.switched_off:
        counts["switched_off"] = report.switched_off
    _log.info(report.headline, superseded=report.superseded, **counts, seconds=round(report.seconds, 2))


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
        if (saved := await session.resume()) is not None:
            if saved.so_far is not None:
                raise interrupted()
            _log.info("the emulator holds the recorded state already; nothing to restore", recording=report.path)
            report.finished = True
            return report
        await session.begin()
        target = target_of(sender, Endpoints(settings.upstream), settings)
        settling, begun = Settling(), time.monotonic()
        await restore_recording(settings.data_dir, target, settings, report, progress, settling)
        await settling.over()
        report.settled = time.monotonic() - begun
        await session.settle(target.known)
        return report
    except TimeoutError as error:
        raise EmulatorError(
            f"the emulator at {settings.upstream} did not answer within {settings.call_timeout:g} s",
            hint="is it busy, or hung? --call-timeout gives it longer",
        ) from error
    finally:
        await upstream.close()
