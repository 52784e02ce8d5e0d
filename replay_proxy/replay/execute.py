"""Carrying out a restore: which of the recorded calls is made again, and when.

Several calls are under way at a time, each as soon as the calls that it has to wait for are done (`graph`). Most emulators
work on one call at a time; while one does, the answer of the last and the request of the next are dealt with here. How a
call is made, and what is learned of it, is `attempt`'s.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable, Collection
from typing import Protocol

from replay_proxy.identifiers.compare import Difference, Severity, Verdict
from replay_proxy.journal.records import Kind, Record
from replay_proxy.replay.attempt import Attempts, NotRestored, Target
from replay_proxy.replay.batching import groups_of
from replay_proxy.replay.graph import Graph, Schedule
from replay_proxy.replay.report import CallResult, RestoreReport, Result
from replay_proxy.replay.settling import Begun, Settling
from replay_proxy.replay.sightings import Sightings

Progress = Callable[[RestoreReport], None]
"""Told after every call."""

MOST_AT_ONCE = 8
AHEAD = 2
"""Calls that are being made ready, or whose answers are looked at, beside those that the emulator works on."""
MOST_WAITING = 16
"""Calls that wait for what they began, and send nothing meanwhile, beside those that are under way."""
WITNESS_SECONDS = 30.0
WITNESS_PAUSE = 0.2
_ON_THE_WAY = re.compile(r"progress|pending|creating|starting|provision|updating|modifying|deploying", re.IGNORECASE)


def default_concurrency() -> int:
    """How many calls are under way at a time where nobody says: by the number of processors.

    One to be worked on, and one to follow it, is what most emulators can make use of; more only get in each other's way.
    """
    return min(MOST_AT_ONCE, max(2, os.cpu_count() or 1))


class Work(Protocol):
    """What to replay (`compact.Plan`). partial: the numbers of witnesses that had shown what is no longer there; how they
    differ is not reported."""

    @property
    def graph(self) -> Graph:
        """Which calls, and which waits for which. May take a while."""

    @property
    def partial(self) -> frozenset[int]: ...

    def record(self, seq: int) -> Record:
        """One of them. Raises `RecordingError` or `StorageError`."""


class Restorer:
    """One restore into one emulator. Afterwards `target.known` holds what was learned, for live use."""

    def __init__(self, target: Target, *, concurrency: int = 1, sightings: Sightings | None = None) -> None:
        self._attempts = Attempts(target, concurrency, self._pause)
        self._call_timeout = target.call_timeout
        self._at_once = concurrency + AHEAD
        self._slots = asyncio.Semaphore(self._at_once)
        self._sightings = sightings

    async def run(
        self,
        work: Work,
        report: RestoreReport,
        progress: Progress = lambda _report: None,
        only: Collection[int] | None = None,
        settling: Settling | None = None,
    ) -> RestoreReport:
        """Replay the records of `work`, and account for each in `report` (which is returned, finished).

        only: the numbers of those to replay; what they wait for beside these has been replayed before.
        settling: takes what calls have begun and no other call waits for; None: that is waited for as well.
        Raises what `work.record` raises.
        """
        begun = time.monotonic() - report.seconds
        graph = await asyncio.to_thread(lambda: work.graph)
        schedule = Schedule(graph, only, groups_of(graph, graph.services.keys() if only is None else set(only)))
        freed = asyncio.Event()
        unanswered: list[Record] = []

        async def carry_out(seq: int) -> None:
            def answered(begun: Begun | None) -> bool:
                schedule.answered(seq)
                freed.set()
                if begun is None or settling is None or not begun.wait.within or schedule.is_awaited(seq):
                    return True
                settling.add(begun)
                return False

            records = [work.record(each) for each in schedule.group(seq)]
            record = records[0]
            if len(records) > 1:
                await self._replay_together(records, report)
            elif record.kind is Kind.WITNESS:
                try:
                    await self._ask(record, report, tell=seq not in work.partial)
                except NotRestored:
                    unanswered.append(record)
            else:
                report.add(await self._replay(record, report, answered))
            if self._sightings is not None:
                for record in records:
                    self._sightings.explain(record.head, record.request, record.answer)
            schedule.done(seq)
            report.dealt_with.update(record.seq for record in records)
            freed.set()
            report.seconds = time.monotonic() - begun
            progress(report)

        async def work_off() -> None:
            while schedule.remaining:
                async with self._slots:
                    seq = schedule.take()
                    if seq is not None:
                        await carry_out(seq)
                        continue
                freed.clear()
                if schedule.remaining:
                    await freed.wait()

        self._slots = asyncio.Semaphore(self._at_once)
        workers = [asyncio.create_task(work_off()) for _ in range(self._at_once + MOST_WAITING)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        for record in unanswered:
            try:
                await self._ask(record, report, tell=record.seq not in work.partial)
            except NotRestored as error:
                report.find(record.seq, *_named(record), f"the read could not be repeated: {error}")
        report.seconds = time.monotonic() - begun
        report.finished = True
        return report

    async def _replay(
        self, record: Record, report: RestoreReport, answered: Callable[[Begun | None], bool] = lambda _begun: True
    ) -> CallResult:
        """Carry out one recorded mutation again. answered: see `Attempts.make`."""
        try:
            return _result(record, await self._attempts.make(record, report, answered))
        except NotRestored as error:
            return _result(record, str(error))

    async def _replay_together(self, records: list[Record], report: RestoreReport) -> None:
        """Carry out several mutations in one request, and those one by one that it does not take."""
        for record, came in zip(records, await self._attempts.together(records, report), strict=True):
            if came is None:
                report.add(await self._replay(record, report))
            else:
                report.add(_result(record, came))

    async def _ask(self, record: Record, report: RestoreReport, *, tell: bool) -> None:
        """Read a witness again, until what it shows is no longer on its way to what it showed then.

        Raises:
            NotRestored: it was refused, or there was no answer.
        """
        deadline = time.monotonic() + min(WITNESS_SECONDS, self._call_timeout)
        verdict = await self._attempts.make(record, report)
        while any(_on_the_way(each) for each in verdict.differences) and time.monotonic() < deadline:
            await self._pause(WITNESS_PAUSE)
            verdict = await self._attempts.make(record, report)
        for difference in verdict.differences if tell else ():
            if difference.severity is Severity.DIVERGED:
                report.find(record.seq, *_named(record), str(difference))

    async def _pause(self, seconds: float) -> None:
        """Wait for the emulator, and let another call be made meanwhile."""
        self._slots.release()
        try:
            await asyncio.sleep(seconds)
        finally:
            await self._slots.acquire()


def _result(record: Record, came: Verdict | str) -> CallResult:
    """What became of a record: a verdict, or the reason for which it could not be restored."""
    named = _named(record)
    if isinstance(came, str):
        return CallResult(record.seq, *named, Result.FAILED, came)
    if came.equivalent:
        return CallResult(record.seq, *named, Result.RESTORED)
    details = tuple(str(each) for each in came.differences)
    return CallResult(record.seq, *named, Result.DIVERGED, "the answer differs", details)


def _named(record: Record) -> tuple[str, str]:
    head = record.head
    return (head.service, head.operation) if head is not None else ("?", record.request.method)


def _on_the_way(difference: Difference) -> bool:
    """Is this a state that will pass, where the recorded one was another?"""
    return _ON_THE_WAY.search(difference.actual) is not None and _ON_THE_WAY.search(difference.expected) is None
