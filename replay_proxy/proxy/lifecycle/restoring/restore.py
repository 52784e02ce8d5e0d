"""A recording in use, and restoring it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from replay_proxy import log
from replay_proxy.call_filter import to_restore
from replay_proxy.config import Settings
from replay_proxy.emulators.ready import wait_until_ready
from replay_proxy.emulators.seeds import Seeds
from replay_proxy.errors import EmulatorError, RecordingError, ReplayProxyError, StorageError
from replay_proxy.exchange import BlobRef
from replay_proxy.identifiers.rewriting.endpoints import Endpoints
from replay_proxy.journal.format.records import JOURNAL_NAME, ControlKind, ControlRecord
from replay_proxy.journal.read.journal_file import require_recording
from replay_proxy.journal.read.reader import Recording, read
from replay_proxy.journal.storage.blobs import BlobStore
from replay_proxy.journal.write.writer import JournalWriter
from replay_proxy.proxy.http.client.upstream import UpstreamClient
from replay_proxy.proxy.lifecycle.backend import probe, wait_until_seeded
from replay_proxy.proxy.lifecycle.restoring.kept_plan import KeptPlan
from replay_proxy.proxy.lifecycle.restoring.resource_lookup import ResourceLookup
from replay_proxy.proxy.lifecycle.restoring.session_file import RestorePosition
from replay_proxy.proxy.lifecycle.restoring.session_store import SessionStore, interrupted_restore_error
from replay_proxy.proxy.lifecycle.restoring.staged_restore import StagedRestore
from replay_proxy.proxy.lifecycle.sender import RequestSender
from replay_proxy.replay.access_keys import AccessKeys
from replay_proxy.replay.execution.background_waits import BackgroundWaits
from replay_proxy.replay.execution.executor import Executor, Progress, default_concurrency
from replay_proxy.replay.execution.reporting.report import (
    UNRECOGNISED,
    RestoreReport,
    Result,
    ServiceSummary,
    service_summary,
)
from replay_proxy.replay.execution.restore_target import RestoreTarget
from replay_proxy.replay.issued.issued_lookup import IssuedLookup
from replay_proxy.replay.planning.partial_plans import PartialPlans, losses_of
from replay_proxy.replay.planning.plan import Plan, plan_of
from replay_proxy.replay.planning.plan_cache import cache_plan, plan_for, update_cached_plan
from replay_proxy.replay.recorded_call import with_bodies
from replay_proxy.replay.runs.changes import CHANGES_MAX, gives_change
from replay_proxy.replay.session_state import SessionState
from replay_proxy.replay.start_positions import StartPositions
from replay_proxy.replay.witness_detector import WitnessDetector
from replay_proxy.supervision import describe_error
from replay_proxy.wording import duration

_log = log.get("restore")

SHOWN_DETAILS = 3


@dataclass(frozen=True, slots=True)
class OpenRecording:
    """A recording in use. writer: None where it is only read."""

    data_dir: Path
    writer: JournalWriter | None

    @property
    def path(self) -> Path:
        """The path of the journal."""
        return self.data_dir / JOURNAL_NAME

    @property
    def blobs(self) -> BlobStore:
        """The store of the large bodies."""
        return self.writer.blobs if self.writer is not None else BlobStore(self.data_dir, durable=False)


async def open_recording(settings: Settings, emulator: str) -> OpenRecording:
    """Open the recording in `settings.data_dir`, for appending unless it is only read; begin one where there is none.

    Raises:
        RecordingError: in use, damaged, or not a recording. StorageError: it cannot be written.
    """
    if settings.read_only:
        require_recording(settings.data_dir)
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
    target: RestoreTarget,
    settings: Settings,
    report: RestoreReport,
    progress: Progress,
    settling: BackgroundWaits,
    witness_detector: WitnessDetector | None = None,
    on_restored: Callable[[ServiceSummary], None] | None = None,
    *,
    assumed: Collection[tuple[ControlKind, str]] = (),
    kept_plan: KeptPlan | None = None,
) -> RestoreReport:
    """Replay the recording in `data_dir`; what happened is logged, and returned in `report`.

    settling: takes what calls have begun and no other call waits for. witness_detector: shown every record.
    on_restored: given a line for each service as soon as it is back. assumed: marks, each with its
        service, that are taken for recorded at the end. kept_plan: the plan of an earlier restore, which may hold again.

    Raises:
        RecordingError, StorageError: it cannot be read.
    """
    begun = time.monotonic()
    now, choice = datetime.now(UTC), to_restore(settings)
    kept = None if kept_plan is None or assumed else kept_plan.latest(now)
    if kept is None:
        recording, plan = await asyncio.to_thread(_read_and_plan, data_dir, settings, now, assumed, kept_plan)
    else:
        recording, plan = kept
    report.path, report.through = str(recording.path), recording.found.last_seq
    report.total, report.switched_off = plan.mutation_count, plan.switched_off_count
    report.superseded = plan.superseded_count
    report.notes.extend(losses_of(plan.omissions))
    report.answered = len(plan.answered)
    await asyncio.to_thread(take_runs, recording, plan, target.known, witness_detector)
    executor = _executor(target, settings, witness_detector)
    report.seconds = time.monotonic() - begun
    shown = progress if on_restored is None else await _with_summaries(plan, progress, on_restored)
    await executor.run(plan, report, shown, settling=settling)
    report.total = report.done
    report.notes.extend(dict.fromkeys([*recording.warnings, *recording.index.warnings]))
    log_report(report)
    if settings.compaction and choice.is_everything and not settings.read_only and not assumed and kept is None:
        # Nobody is to wait for that; where the loop ends, it ends after it.
        asyncio.get_running_loop().run_in_executor(None, _cache_plan, recording, plan, now)
    return report


def _read_and_plan(
    data_dir: Path,
    settings: Settings,
    now: datetime,
    assumed: Collection[tuple[ControlKind, str]],
    kept_plan: KeptPlan | None,
) -> tuple[Recording, Plan]:
    """Return the recording, and what is to be restored of it, for `restore_recording`. Blocking; raises as that."""
    revision = None if kept_plan is None or assumed else kept_plan.revision
    recording = read(data_dir)
    for number, (kind, service) in enumerate(assumed, recording.found.last_seq + 1):
        recording.effect.add(ControlRecord(number, "", kind, service=service))
    planned = plan_of if assumed else plan_for
    plan = planned(recording, now, supersede=settings.compaction, call_filter=to_restore(settings))
    if kept_plan is not None:
        kept_plan.keep(recording, plan, now, revision)
    return recording, plan


def take_runs(
    recording: Recording,
    plan: Plan,
    known: SessionState,
    witness_detector: WitnessDetector | None,
    taken: set[int] | None = None,
) -> None:
    """Take in what the recording has of runs that are not started again, so that the proxy can answer about them. Blocking.

    Likewise of changes that calls had begun which are not made again. taken: the records that were taken in before; added to.
    Raises as the recording does when it is read.
    """
    answered = {each.seq for each in plan.answered}
    for seq in sorted(answered | _begun_changes(recording, plan)):
        if taken is not None:
            if seq in taken:
                continue
            taken.add(seq)
        record = recording.fetch(seq)
        head = record.head
        if head is None or record.flaw:
            continue
        with suppress(RecordingError, StorageError):
            request, answer = with_bodies(record, head, lambda ref: b"".join(recording.blobs.read(ref)))
            known.changes.take(head, request, answer)
            if seq not in answered:
                continue
            known.runs.take(head, request, answer)
            if witness_detector is not None:
                witness_detector.explain(head, request, answer)


def _begun_changes(recording: Recording, plan: Plan) -> set[int]:
    """Return the numbers of the latest calls that gave out a change, and are not made again."""
    index = recording.index
    giving = {index.seqs[at] for at in index.positions(lambda what: gives_change(what.service, what.operation))}
    left_out = giving & {each.seq for each in plan.omissions} if giving else set()
    return set(sorted(left_out)[-CHANGES_MAX:])


def take_all_runs(data_dir: Path, settings: Settings, known: SessionState) -> None:
    """Do as `take_runs`, where nothing is restored because the emulator lived on. Blocking; raises as `restore_recording`."""
    recording = read(data_dir)
    plan = plan_for(recording, datetime.now(UTC), supersede=settings.compaction, call_filter=to_restore(settings))
    take_runs(recording, plan, known, None)


def _cache_plan(recording: Recording, plan: Plan, now: datetime) -> None:
    """Cache the plan for the next restore. Nobody awaits that, so an error is logged here. Blocking."""
    try:
        cache_plan(recording, plan, now)
    except Exception as error:
        _log.warning("no plan was kept for the next restore", reason=describe_error(error))


def target_of(
    sender: RequestSender, endpoints: Endpoints, settings: Settings, state: SessionState | None = None
) -> RestoreTarget:
    """Return the emulator that `sender` sends to as the target of a restore. state: what is known of it already."""
    if state is None:
        at_end = StartPositions(enabled=settings.mapping_position == "end")
        state = SessionState(access_keys=AccessKeys(settings.secret_key or ""), start_positions=at_end)
    issued = IssuedLookup(settings.data_dir)
    return RestoreTarget(sender, sender.load, state, endpoints, settings.call_timeout, issued)


def _executor(target: RestoreTarget, settings: Settings, witness_detector: WitnessDetector | None) -> Executor:
    concurrency = settings.restore_concurrency or default_concurrency()
    return Executor(target, concurrency=concurrency, witness_detector=witness_detector)


async def _with_summaries(plan: Plan, progress: Progress, on_restored: Callable[[ServiceSummary], None]) -> Progress:
    """Return a progress that also calls `on_restored` for each service when the last of its calls was dealt with."""
    graph = await asyncio.to_thread(lambda: plan.graph)
    expected = Counter(graph.services[seq] for seq in graph.order if seq not in plan.witnesses)
    not_yet = set(expected)

    def tell_of(report: RestoreReport) -> None:
        progress(report)
        for service in [each for each in not_yet if report.by_service[each or UNRECOGNISED] >= expected[each]]:
            not_yet.discard(service)
            on_restored(service_summary(report, service))

    return tell_of


async def staged_restore(
    recording: Recording,
    target: RestoreTarget,
    settings: Settings,
    report: RestoreReport,
    progress: Progress,
    witness_detector: WitnessDetector,
    *,
    restores_rest: bool,
    on_stage_change: Callable[[], None],
    on_part: Callable[[bool], Awaitable[None]],
    resume_from: RestorePosition | None = None,
) -> StagedRestore:
    """Return a restore in parts of what `recording` holds, ready to be started. See `restore_recording` and `StagedRestore`.

    Raises:
        RecordingError, StorageError: it cannot be read.
    """
    if resume_from is not None:
        recording = await asyncio.to_thread(recording.through, resume_from.through)
    report.through = recording.found.last_seq
    parts = await asyncio.to_thread(
        PartialPlans,
        recording,
        datetime.now(UTC),
        supersede=settings.compaction,
        call_filter=to_restore(settings),
        caches=not settings.read_only and resume_from is None,
    )
    taken: set[int] = set()
    return StagedRestore(
        parts,
        _executor(target, settings, witness_detector),
        report,
        progress,
        restores_rest=restores_rest,
        on_stage_change=on_stage_change,
        on_part=on_part,
        on_planned=lambda plan: take_runs(recording, plan, target.known, witness_detector, taken),
        resume_from=resume_from,
    )


def update_plan_cache(data_dir: Path, seconds: float) -> None:
    """Plan what was recorded since the latest restore for the next one, if that takes no longer than `seconds`. Blocking."""
    deadline = time.monotonic() + seconds

    def pace() -> None:
        if time.monotonic() > deadline:
            raise TimeoutError

    try:
        update_cached_plan(read(data_dir), datetime.now(UTC), pace)
    except (ReplayProxyError, OSError) as error:
        _log.debug("no plan was kept for the next restore", reason=str(error) or "it took too long")


def explain_all_records(data_dir: Path, witness_detector: WitnessDetector) -> None:
    """Show every record to `witness_detector`, where nothing is replayed. Raises as `restore_recording`. Blocking."""
    recording = read(data_dir)
    blobs = BlobStore(data_dir)
    for record in recording.records():
        if record.flaw or recording.effect.reset_after(record):
            continue
        body, head = record.answer.body, record.head
        if not isinstance(body, BlobRef) or head is None:
            witness_detector.explain(head, record.request, record.answer)
            continue
        bare = replace(record.answer, body=b"")
        try:
            witness_detector.explain_large(head, record.request, bare, partial(blobs.read, body))
        except (RecordingError, StorageError) as error:
            _log.debug("a stored answer could not be read", seq=record.seq, reason=error.message)


def log_report(report: RestoreReport) -> None:
    """Log what came of a restore."""
    for note in report.notes:
        _log.warning(note)
    if report.is_empty:
        _log.info("nothing is recorded yet", recording=report.path)
    else:
        _tell(report)


def _tell(report: RestoreReport) -> None:
    for problem in report.problems:
        what = "may have been carried out" if problem.result is Result.UNCERTAIN else "not restored"
        _log.warning(
            f"{what}: {problem.service}:{problem.operation}",
            seq=problem.seq,
            reason=problem.reason,
            **({"details": "; ".join(problem.details[:SHOWN_DETAILS])} if problem.details else {}),
        )
    if report.unlisted:
        _log.warning("more is to be said of calls than a report lists", unlisted=report.unlisted)
    counts = {result.value: count for result, count in report.counts.items() if result is not Result.RESTORED}
    _tell_losses(report)
    if report.lost:
        counts["lost"] = report.lost
    if report.answered:
        counts["answered_from_recording"] = report.answered
    if report.switched_off:
        counts["switched_off"] = report.switched_off
    _log.info(report.headline, superseded=report.superseded, **counts, seconds=round(report.seconds, 2))


def _tell_losses(report: RestoreReport) -> None:
    """Log what is lost: a line for each reason, however many reads say so."""
    told: dict[tuple[str, str, str], list[int]] = {}
    for finding in report.findings:
        if finding.loss:
            told.setdefault((finding.service, finding.operation, finding.message), []).append(finding.seq)
    for (service, operation, reason), seqs in told.items():
        times = {"times": len(seqs)} if len(seqs) > 1 else {}
        _log.warning(f"lost: {service}:{operation}", seq=seqs[0], reason=reason, **times)


async def restore_once(settings: Settings, progress: Progress) -> RestoreReport:
    """`replay-proxy restore`: one restore into the emulator at `settings.upstream`.

    Raises:
        EmulatorError: it does not answer, or holds a part of an earlier restore.
        RecordingError: there is no recording, or it cannot be read.
    """
    assert settings.upstream is not None
    require_recording(settings.data_dir)
    to_restore(settings)
    upstream = UpstreamClient(settings.upstream)
    try:
        await wait_until_ready(lambda: probe(upstream), settings.ready_timeout, address=settings.upstream)
        await wait_until_seeded(upstream, Seeds(settings.ready_path), settings.ready_timeout)
        blobs = BlobStore(settings.data_dir, durable=False)
        sender = RequestSender(upstream, blobs, call_timeout=settings.call_timeout)
        lookup = ResourceLookup(settings.data_dir, sender, settings)
        session = SessionStore(settings.data_dir, sender, settings.secret_key or "", lookup=lookup)
        report = RestoreReport(str(settings.data_dir / JOURNAL_NAME))
        if (saved := await session.resume()) is not None:
            if saved.position is not None:
                raise interrupted_restore_error()
            _log.info("the emulator holds the recorded state already; nothing to restore", recording=report.path)
            report.finished = True
            return report
        target = target_of(sender, Endpoints(settings.upstream), settings)
        await session.begin(target.known)
        settling, begun = BackgroundWaits(), time.monotonic()
        await restore_recording(settings.data_dir, target, settings, report, progress, settling)
        await settling.finish()
        report.settled = time.monotonic() - begun
        await session.settle(target.known)
        return report
    except TimeoutError as error:
        raise EmulatorError(
            f"the emulator at {settings.upstream} did not answer within {duration(settings.call_timeout)}",
            hint="is it busy, or hung? --call-timeout gives it longer",
        ) from error
    finally:
        await upstream.close()
