"""Carrying out a restore: which of the recorded calls is made again, and when.

Several calls are under way at a time, each as soon as the calls that it has to wait for are done (`ordering.schedule`). Most
emulators work on one call at a time; while one does, the answer to the last request and the next request are dealt with here.
How a call is made, and what is learned from it, is told in `replay_call` and `replay_batch`.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from typing import Final, Protocol

from replay_proxy import log
from replay_proxy.errors import RecordingError, StorageError
from replay_proxy.exchange import BlobRef, CallHead
from replay_proxy.identifiers.learning.compare import Difference, Severity
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.replay.execution.background_waits import BackgroundWaits, StartedWork
from replay_proxy.replay.execution.calls.call_in_progress import OnAnswer, wait_for_all
from replay_proxy.replay.execution.calls.replay_batch import BatchReplayer
from replay_proxy.replay.execution.calls.replay_call import CallReplayer
from replay_proxy.replay.execution.echoes import Echoes
from replay_proxy.replay.execution.item_writes import UnknownMoments
from replay_proxy.replay.execution.message_delays import MessageDelays
from replay_proxy.replay.execution.reporting.call_results import call_result, names_of, unexpected
from replay_proxy.replay.execution.reporting.not_restored import NotRestored
from replay_proxy.replay.execution.reporting.read_findings import ReadFindings
from replay_proxy.replay.execution.reporting.report import CallResult, RestoreReport, Result
from replay_proxy.replay.execution.resting import RestingTriggers
from replay_proxy.replay.execution.restore_target import RestoreTarget
from replay_proxy.replay.execution.sending.retry import log_retry
from replay_proxy.replay.execution.sending.sender import EmulatorSender
from replay_proxy.replay.ordering.batch_groups import groups_of
from replay_proxy.replay.ordering.dependency_graph import DependencyGraph
from replay_proxy.replay.ordering.order_table import is_barrier
from replay_proxy.replay.ordering.schedule import Schedule
from replay_proxy.replay.witness_detector import WitnessDetector
from replay_proxy.wire.models.models import streams_output

_log = log.get("restore")

Progress = Callable[[RestoreReport], None]
"""Called after every call."""

DEFAULT_CONCURRENCY_MAX: Final = 8
CALLS_AHEAD: Final = 2
"""Calls that are being made ready, or whose answers are looked at, beside those that the emulator works on."""
CALLS_WAITING_MAX: Final = 16
"""Calls that wait for work they have started, and send nothing meanwhile, beside those that are under way."""
EXPLAINED_CHUNK_BYTES: Final = 16 * 1024
"""Of a large answer, looked into at a time."""
WITNESS_SECONDS_MAX: Final = 30.0
WITNESS_POLL_INTERVAL_S: Final = 0.2
_TRANSIENT_STATE = re.compile(
    r"progress|pending|creating|starting|provision|updating|modifying|deploying", re.IGNORECASE
)


def default_concurrency() -> int:
    """Return how many calls are under way at a time where nobody says, by the number of processors.

    Most emulators can make use of two: one to work on, and one to follow it. More only get in each other's way.
    """
    return min(DEFAULT_CONCURRENCY_MAX, max(2, os.cpu_count() or 1))


class ExecutablePlan(Protocol):
    """What to replay (`planning.plan.Plan`).

    partial: the numbers of witnesses that had shown something that is no longer there; how they differ is not reported.
    """

    @property
    def graph(self) -> DependencyGraph:
        """Which calls, and which waits for which. May take a while."""

    @property
    def partial(self) -> frozenset[int]: ...

    def record(self, seq: int) -> Record:
        """Return one of the records. Raises `RecordingError` or `StorageError`."""


class Phase(StrEnum):
    """How far the carrying out of a plan is; each phase follows the one before it.

    ORDERING: the dependency graph is worked out. REPLAYING: calls are made, witnesses included. REREADING: witnesses that were
    refused at their place are read once more. FINISHED: every call is accounted for.
    """

    ORDERING = "ordering"
    REPLAYING = "replaying"
    REREADING = "rereading"
    FINISHED = "finished"


class Executor:
    """Restores into one emulator. Afterwards `target.known` holds what was learned, for live use.

    concurrency: how many requests are under way at a time. witness_detector: told of every record that was dealt with.
    echoes: the messages that the replayed calls themselves make the emulator send. resting: the triggers of stacks that wait for
    data.
    """

    def __init__(
        self, target: RestoreTarget, *, concurrency: int = 1, witness_detector: WitnessDetector | None = None
    ) -> None:
        sender = EmulatorSender(target, concurrency)
        delays = MessageDelays()
        self._calls = CallReplayer(target, sender, self._pause, delays)
        self._batches = BatchReplayer(target, sender, self._pause, delays)
        self.echoes = Echoes(sender, target.known.aliases, target.endpoints.upstream)
        self._moments = UnknownMoments(target.known.times)
        self.resting = RestingTriggers(target, sender, self.echoes)
        self.held_witnesses: list[tuple[Record, list[Difference]]] = []
        """Reads that differ, of services with triggers at rest: a later part of the restore reads them again."""
        self._call_timeout = target.call_timeout
        self._load = target.load
        self._concurrency = concurrency + CALLS_AHEAD
        self._slots = asyncio.Semaphore(self._concurrency)
        self._witness_detector = witness_detector

    async def run(
        self,
        work: ExecutablePlan,
        report: RestoreReport,
        progress: Progress = lambda _report: None,
        only: Collection[int] | None = None,
        settling: BackgroundWaits | None = None,
        later: Collection[str] = (),
    ) -> RestoreReport:
        """Replay the records of `work`, and account for each in `report` (which is returned, finished).

        only: the numbers of those to replay; what they wait for beside these has been replayed before.
        settling: takes the work that calls have started and no other call waits for; None: that is waited for as well.
        later: the services of calls that are replayed after these; triggers of stacks that they would set off stay at rest.
        Raises what `work.record` raises.
        """
        return await _Run(self, work, report, progress, settling, later).carry_out(only)

    async def replay(self, record: Record, report: RestoreReport, on_answer: OnAnswer = wait_for_all) -> CallResult:
        """Carry out one recorded mutation again. on_answer: see `CallInProgress`."""
        try:
            return call_result(record, await self._calls.replay(record, report, on_answer))
        except NotRestored as error:
            return call_result(record, error)
        except (
            Exception
        ) as error:  # whatever a file can make the program trip over must cost this one call, and no other
            return call_result(record, unexpected(record, error, in_doubt=record.seq in report.in_doubt))

    async def replay_together(self, records: list[Record], report: RestoreReport) -> None:
        """Carry out several mutations in one request, and those one by one that it does not take."""
        try:
            results = await self._batches.replay(records, report)
        except Exception as error:
            results = [
                unexpected(each, error, in_doubt=True) if each.seq in report.in_doubt else None for each in records
            ]
        for record, result in zip(records, results, strict=True):
            if result is None:
                report.add(await self.replay(record, report))
            else:
                report.add(call_result(record, result))

    async def read_witness(
        self, record: Record, report: RestoreReport, *, report_differences: bool
    ) -> list[Difference]:
        """Read a witness again, until what it shows is no longer on its way to what it showed when it was recorded.

        Returns what is other than it was; where `report_differences` is not set, what is in another account alone. A value that
        the emulator draws at each read is not among it.

        Raises:
            NotRestored: it was refused, or there was no answer.
        """
        deadline = time.monotonic() + min(WITNESS_SECONDS_MAX, self._call_timeout)
        verdict = await self._calls.replay(record, report)
        misplaced = {each: None for each in verdict.differences if each.misplaced}
        attempt = 1
        while (passing := next(filter(_is_transient, verdict.differences), None)) and time.monotonic() < deadline:
            attempt += 1
            if record.head is not None:
                log_retry(record.seq, record.head, attempt, str(passing), WITNESS_POLL_INTERVAL_S)
            await self._pause(WITNESS_POLL_INTERVAL_S)
            verdict = await self._calls.replay(record, report)
            misplaced.update((each, None) for each in verdict.differences if each.misplaced)
        found = [each for each in verdict.differences if each.severity is Severity.DIVERGED and not each.misplaced]
        if not report_differences:
            found.clear()
        if not all(each.is_loss for each in found):
            with suppress(NotRestored):
                again = {each.path: each.actual for each in (await self._calls.replay(record, report)).differences}
                # What is another value at the next read is drawn at each, and is no state.
                found = [each for each in found if each.is_loss or again.get(each.path) == each.actual]
        return [*found, *misplaced]

    def tell_of_streams(self, records: Iterable[Record], report: RestoreReport) -> None:
        """Note in the report of which tables the streams may be other ones, since nobody knows when an item was written."""
        for each in records:
            if said := self._moments.said_of(each):
                report.find(each.seq, *names_of(each), said)

    async def default_account(self) -> str:
        """Return the account of calls that say none, as clients know it; empty where the emulator does not tell."""
        return await self._calls.default_account()

    async def explain(self, records: Collection[Record]) -> None:
        """Tell the witness detector what these records show."""
        if self._witness_detector is None:
            return
        for each in records:
            if each.flaw:
                continue
            body, head = each.answer.body, each.head
            if not isinstance(body, BlobRef) or head is None or streams_output(head.service, head.operation):
                self._witness_detector.explain(head, each.request, each.answer)
                continue
            try:
                await self._explain_large(self._witness_detector, each, head, await self._load(body))
            except (RecordingError, StorageError) as error:
                self._log_unread(each, error)

    @staticmethod
    async def _explain_large(detector: WitnessDetector, record: Record, head: CallHead, body: bytes) -> None:
        bare = replace(record.answer, body=b"")
        chunks = [body[at : at + EXPLAINED_CHUNK_BYTES] for at in range(0, len(body), EXPLAINED_CHUNK_BYTES)]
        await asyncio.to_thread(detector.explain_large, head, record.request, bare, lambda: iter(chunks))

    @staticmethod
    def _log_unread(record: Record, error: Exception) -> None:
        _log.debug("a stored answer could not be read", seq=record.seq, reason=str(error))

    def new_slots(self) -> asyncio.Semaphore:
        """Return, anew, the places of which each call takes one while it is dealt with."""
        self._slots = asyncio.Semaphore(self._concurrency)
        return self._slots

    @property
    def worker_count(self) -> int:
        """How many calls may have begun and not be done."""
        return self._concurrency + CALLS_WAITING_MAX

    async def _pause(self, seconds: float) -> None:
        """Wait for the emulator, and let another call be made meanwhile."""
        self._slots.release()
        try:
            await asyncio.sleep(seconds)
        finally:
            await self._slots.acquire()


class _Run:
    """The carrying out of one plan, or of a part of it."""

    def __init__(
        self,
        executor: Executor,
        work: ExecutablePlan,
        report: RestoreReport,
        progress: Progress,
        settling: BackgroundWaits | None,
        later: Collection[str],
    ) -> None:
        self.phase = Phase.ORDERING
        self._executor = executor
        self._work = work
        self._report = report
        self._progress = progress
        self._settling = settling
        self._later = later
        self._pending: Counter[str] = Counter()
        """By service, how many calls are not done."""
        self._begun = time.monotonic() - report.seconds
        self._slots = executor.new_slots()
        self._changed = asyncio.Event()
        """Set when a call may have become ready."""
        self._refused_witnesses: list[Record] = []
        self._other_witnesses, executor.held_witnesses = executor.held_witnesses, []
        self._latest_observations: dict[str, int] = {}
        self._found = ReadFindings()
        self._schedule: Schedule | None = None

    def __repr__(self) -> str:
        return f"<restore: {self.phase}, {self._schedule!r}>"

    async def carry_out(self, only: Collection[int] | None) -> RestoreReport:
        """Replay everything, and account for it. only: see `Executor.run`."""
        graph = await asyncio.to_thread(lambda: self._work.graph)
        chosen = graph.services.keys() if only is None else set(only)
        self._schedule = schedule = Schedule(graph, only, groups_of(graph, chosen))
        self._pending = Counter(graph.services[seq] for seq in chosen)
        self.phase = Phase.REPLAYING
        workers = [asyncio.create_task(self._work_off(schedule)) for _ in range(self._executor.worker_count)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        await self._executor.resting.arm(self._report, self._later)
        self.phase = Phase.REREADING
        await self._reread_witnesses()
        await self._executor.echoes.remove()
        self.phase = Phase.FINISHED
        self._report.seconds = time.monotonic() - self._begun
        self._report.finished = True
        return self._report

    async def _work_off(self, schedule: Schedule) -> None:
        """Make calls as they become ready, until none is left."""
        while schedule.remaining:
            async with self._slots:
                seq = schedule.take()
                if seq is not None:
                    await self._make(schedule, seq)
                    continue
            self._changed.clear()
            if schedule.remaining:
                await self._changed.wait()

    async def _make(self, schedule: Schedule, seq: int) -> None:
        """Make a call, or the group of calls that it stands for."""

        def on_answer(started: StartedWork | None) -> bool:
            schedule.answered(seq)
            self._changed.set()
            if started is None or self._settling is None or not started.waiter.is_internal or schedule.is_awaited(seq):
                return True
            self._settling.add(started)
            return False

        report = self._report
        records = [self._work.record(each) for each in schedule.group(seq)]
        record = records[0]
        if len(records) > 1:
            await self._executor.replay_together(records, report)
        elif record.kind is RecordKind.WITNESS:
            await self._read_witness(record)
        else:
            result = await self._replay(record, on_answer)
            if record.kind is RecordKind.OBSERVATION and record.head is not None:
                service = record.head.service
                self._latest_observations[service] = max(record.seq, self._latest_observations.get(service, 0))
            report.add(result)
        self._executor.tell_of_streams(records, report)
        await self._executor.explain(records)
        services = [names_of(each)[0] for each in records]
        self._pending.subtract(services)
        self._executor.resting.note_made(services)
        schedule.done(seq)
        report.dealt_with.update(record.seq for record in records)
        self._changed.set()
        report.seconds = time.monotonic() - self._begun
        self._progress(report)

    async def _replay(self, record: Record, on_answer: OnAnswer) -> CallResult:
        """Make a call again, with what has to be done before and after it."""
        is_stack = record.head is not None and is_barrier(record.head)
        if is_stack:
            await self._executor.resting.arm_for_change(self._report)
        result = await self._executor.replay(record, self._report, on_answer)
        if result.result in (Result.RESTORED, Result.DIVERGED):
            self._executor.echoes.note(record)
            if is_stack:
                self._pending[names_of(record)[0]] -= 1
                pending = {service for service, count in self._pending.items() if count > 0}
                await self._executor.resting.put_to_rest(record, pending.union(self._later))
                self._pending[names_of(record)[0]] += 1
        return result

    async def _read_witness(self, record: Record) -> None:
        try:
            differences = await self._executor.read_witness(
                record, self._report, report_differences=self._is_whole(record)
            )
            if differences:
                self._other_witnesses.append((record, differences))
        except NotRestored as error:
            self._refused_witnesses.append(record)
            if record.head is not None:
                log_retry(record.seq, record.head, 2, f"{error}; read once more when all calls are made")
        except Exception as error:
            self._report.find(record.seq, *names_of(record), str(unexpected(record, error)))

    async def _reread_witnesses(self) -> None:
        """Read once more what was refused, and what may have shown an effect that was recorded after it."""
        for record in self._refused_witnesses:
            try:
                found = await self._executor.read_witness(
                    record, self._report, report_differences=self._is_whole(record)
                )
            except NotRestored as error:
                message = f"the read could not be repeated: {error}"
                self._report.find(record.seq, *names_of(record), message, loss=error.absent and self._is_whole(record))
                continue
            self._found.add(record, found)
        for record, differences in self._other_witnesses:
            service = record.head.service if record.head is not None else ""
            if self._executor.resting.has(service):
                self._executor.held_witnesses.append((record, differences))
                continue
            of_resting = self._executor.resting.seen.get(service, record.seq) < record.seq
            if of_resting or self._latest_observations.get(service, 0) > record.seq:
                with suppress(NotRestored):
                    again = await self._executor.read_witness(record, self._report, report_differences=True)
                    # Later calls may have changed what it shows: only what is other in both is worth telling.
                    self._found.add(record, [each for each in differences if each.misplaced or each in again])
                    continue
            self._found.add(record, differences)
        account = await self._executor.default_account() if self._found.owned else ""
        await asyncio.to_thread(self._found.tell, self._report, self._records, account)

    def _records(self, services: Collection[str]) -> Iterator[Record]:
        """Yield the records of the plan; of `services` alone, where there are any. Raises as `ExecutablePlan.record`."""
        of = self._work.graph.services
        return (self._work.record(seq) for seq, service in of.items() if not services or service in services)

    def _is_whole(self, record: Record) -> bool:
        """Return whether everything that a witness had shown is to be there."""
        return record.seq not in self._work.partial


def _is_transient(difference: Difference) -> bool:
    """Return whether a value is a state that will pass, where the recorded one was another."""
    found, recorded = difference.actual, difference.expected
    return _TRANSIENT_STATE.search(found) is not None and _TRANSIENT_STATE.search(recorded) is None
