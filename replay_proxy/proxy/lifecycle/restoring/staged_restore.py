"""A restore in parts, while requests pass: a service when it is asked for, the rest when nobody asks.

One task does all of it, a part at a time, so that one part never overtakes another that it builds on:

1. Services that are asked for, together, with what they need (`replay.planning.partial_plans`).
2. When nobody has asked for a moment: the plan of everything, made in a thread that steps back while requests are under way.
3. Then service after service by that plan, those with few calls first. Between batches of calls it looks whether somebody
   asks for another service, which is then restored first.

Only what the journal held when this restore began is replayed. Calls that clients make meanwhile are recorded after it.
Between two parts it can be told how far this has come (`RestorePosition`), and another restore can go on from there. How far
each service has come is kept in `service_stages`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import Any

from replay_proxy import log
from replay_proxy.proxy.lifecycle.restoring.service_stages import Outline, ServiceStages, Stage
from replay_proxy.proxy.lifecycle.restoring.session_file import RestorePosition
from replay_proxy.replay.execution.executor import Executor, Progress
from replay_proxy.replay.execution.reporting.report import RestoreReport, service_summary
from replay_proxy.replay.execution.sending.doubt import CUT_OFF
from replay_proxy.replay.planning.partial_plans import UNRECOGNISED, PartialPlans
from replay_proxy.replay.planning.plan import Plan

_log = log.get("restore")

IDLE_BEFORE_REST_S = 0.5
"""Without a request, before the rest is restored."""
REST_DELAY_MAX_S = 20.0
"""After which it is restored though requests keep coming."""
BATCH_CALLS_MIN = 128
"""Calls of the background between two looks at who is asking; more where there are very many."""
BATCHES_MAX = 64
PLANNING_SLICE_S = 0.002
"""Of planning in the background, before the interpreter is left to others."""
BUSY_AFTER_REQUEST_S = 0.1
"""So long after a request, planning takes a third of the time; at other times nearly all of it."""
SWITCH_INTERVAL_S = 0.001
"""The interpreter's switch interval while a thread plans: how long a request may have to wait for it."""


class Activity(StrEnum):
    """What a restore in parts does at the moment, or how it ended.

        NEW ──► IDLE ◄──► OUTLINING, RESTORING ──► COMPLETE
                 └─────────────┴──► STOPPED (given up, or failed)

    Planning of everything goes on in a thread beside these.
    """

    NEW = "new"
    IDLE = "idle"
    OUTLINING = "outlining"
    RESTORING = "restoring"
    COMPLETE = "complete"
    STOPPED = "stopped"


OVER = frozenset({Activity.COMPLETE, Activity.STOPPED})


class PlanningAbandoned(Exception):
    """The restore for which a thread was planning is over."""


class StagedRestore:
    """Restores `parts` through `executor`, and accounts for it in `report`.

    restores_rest: everything is restored in the end by itself; else only what is asked for. on_stage_change: called whenever a
    service has come further. on_part: called when something is about to be replayed (True), and when for now no more is
    (False). on_planned: called in a thread with the plan of each part.
    resume_from: how far the restore had come that this one goes on with.
    """

    def __init__(
        self,
        parts: PartialPlans,
        executor: Executor,
        report: RestoreReport,
        progress: Progress,
        *,
        restores_rest: bool,
        on_stage_change: Callable[[], None],
        on_part: Callable[[bool], Awaitable[None]],
        on_planned: Callable[[Plan], None],
        resume_from: RestorePosition | None = None,
    ) -> None:
        self._parts = parts
        self._executor = executor
        self.report = report
        self._progress = progress
        self._restores_rest = restores_rest
        self._on_stage_change = on_stage_change
        self._on_part = on_part
        self._on_planned = on_planned
        self._stages = ServiceStages(parts.calls, () if resume_from is None else resume_from.services)
        if resume_from is not None:
            report.dealt_with.update(resume_from.made)
            report.in_doubt.update(dict.fromkeys(resume_from.in_doubt, CUT_OFF))
        self._activity = Activity.NEW
        self._depth = 0
        self._urgent = 0
        self._begun = self._requested = self._slice_begun = time.monotonic()
        self._woken = asyncio.Event()
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<StagedRestore {self._activity.value} {self._stages!r}>"

    # For requests, and for whoever asks for a load.

    @property
    def is_complete(self) -> bool:
        """Is every service restored?"""
        return self._stages.are_complete

    @property
    def position(self) -> RestorePosition:
        """How far this has come."""
        done = frozenset(self._stages.at(Stage.RESTORED))
        made = (seq for seq in self.report.dealt_with if self._parts.service(seq) not in done)
        return RestorePosition(self.report.through, tuple(sorted(done)), tuple(made), self.report.left_in_doubt)

    def services(self, wanted: Collection[str] | None = None) -> set[str]:
        """Return those of the services `wanted` (None: of all) of which anything is recorded."""
        return self._stages.known(wanted)

    def ask(self, services: Collection[str] | None) -> bool:
        """Restore these services (None: everything) soon. Return whether they are back already."""
        missing = self._stages.missing(services)
        if self._stages.ask(missing):
            self._woken.set()
        return not missing

    async def follow(self, services: Collection[str]) -> AsyncIterator[str]:
        """Give each of these services as soon as it is back. Ends early where the restore does."""
        left = set(services)
        while left:
            arrived = self._arrived
            for service in sorted(left):
                if self._stages.stage(service) is Stage.RESTORED:
                    left.discard(service)
                    yield service
            if self._activity in OVER:
                return
            if left and arrived is self._arrived:
                await arrived.wait()

    def admits(self, services: Collection[str] | None) -> bool:
        """Return whether a request may pass that needs these services. Under ON_REQUEST this also asks for them."""
        self._requested = time.monotonic()
        if self._restores_rest:
            return self.ask(services)
        return not any(self._stages.is_coming(each) for each in self.services(services))

    def outlines(self, services: Collection[str]) -> bool | None:
        """Return whether it is known which resources these services have. Under ON_REQUEST this also asks for that.

        None where the question has no answer: the services are asked for anyway, or it cannot be told without all of their
        calls.
        """
        self._requested = time.monotonic()
        missing = self._stages.missing(services)
        unknown = {each for each in missing if self._stages.outline(each) is not Outline.MADE}
        if not unknown:
            return True
        if not self._restores_rest or not self._stages.can_outline(missing):
            return None
        if not unknown <= self._stages.outlines_wanted:
            self._stages.enter_outline(unknown, Outline.WANTED)
            self._woken.set()
        return False

    def as_json(self) -> dict[str, Any]:
        """Return the services by how far they have come, for `/_replay/status`."""
        return {
            stage.value: sorted(service or "(not recognised)" for service in self._stages.at(stage)) for stage in Stage
        }

    # The task.

    def start(self) -> asyncio.Task[None]:
        """Begin. Return a task that ends when everything is back, or fails with what the recording could not give."""
        self._task = asyncio.create_task(self._work())
        return self._task

    async def stop(self) -> None:
        """Give up, wherever it stands."""
        self._end()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError, Exception):  # what it failed with is told by whoever started it
                await self._task

    def _end(self) -> None:
        if self._activity is not Activity.COMPLETE:
            self._activity = Activity.STOPPED

    async def _work(self) -> None:
        self._activity = Activity.IDLE
        interval = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        planning: asyncio.Future[Plan] | None = None
        try:
            while waiting := self._stages.at(Stage.WAITING):
                self._woken.clear()
                asked = self._stages.asked
                planned = planning is not None and planning.done()
                if planned and planning is not None:
                    planning.result()
                if self._stages.outlines_wanted:
                    await self._outline()
                elif asked and asked != waiting:
                    await self._bring_back(asked)
                elif planned and (asked or self._restores_rest):
                    await self._bring_back({self._smallest(waiting)}, background=not asked)
                elif planning is None and (asked or self._is_idle()):
                    planning = asyncio.ensure_future(asyncio.to_thread(self._parts.whole, self._pace))
                    planning.add_done_callback(lambda _planned: self._woken.set())
                else:
                    await self._rest(idle=planning is None and self._restores_rest)
            self.report.finished = True
            await asyncio.to_thread(self._parts.cache_whole)
            self._activity = Activity.COMPLETE
        finally:
            self._end()
            if planning is not None:
                planning.add_done_callback(lambda abandoned: abandoned.cancelled() or abandoned.exception())
            self._notify()
            sys.setswitchinterval(interval)

    async def _bring_back(self, services: set[str], *, background: bool = False) -> None:
        """Restore some services, with what they need."""
        begun = time.monotonic()
        self._enter(services, Stage.RESTORING)
        async with self._part(urgent=not background):
            part = await asyncio.to_thread(self._parts.part, services)
            await asyncio.to_thread(self._on_planned, part.plan)
            self.report.answered = max(self.report.answered, len(part.plan.answered))
            self.report.superseded += part.superseded
            self.report.switched_off += part.switched_off
            self.report.notes.extend(part.losses)
            todo = [seq for seq in part.seqs if not self._is_settled(seq)]
            self.report.total = self.report.done + sum(map(self._parts.mutates, todo))
            size = max(BATCH_CALLS_MIN, len(todo) // BATCHES_MAX if background else len(todo))
            for start in range(0, len(todo), size):
                if background and self._stages.outlines_wanted:
                    await self._outline()
                if background and (urgent := self._stages.asked):
                    await self._bring_back(urgent)
                batch = [seq for seq in todo[start : start + size] if seq not in self.report.dealt_with]
                later = self._later(services if start + size >= len(todo) else ())
                await self._executor.run(part.plan, self.report, self._progress, only=batch, later=later)
                self.report.finished = False
            await self._executor.resting.arm(self.report, self._later(services))
            for service in services:
                self._log_restored(service, time.monotonic() - begun)
            self._stages.enter(services, Stage.RESTORED)
        self._enter(services, Stage.RESTORED)  # who waits is told when it is put down

    async def _outline(self) -> None:
        """Make the resources of some services, before anything is done to them."""
        services = self._stages.outlines_wanted
        async with self._part(urgent=True, activity=Activity.OUTLINING):
            part = await asyncio.to_thread(self._parts.creations, services)
            if part is None:
                self._stages.enter_outline(services, Outline.IMPOSSIBLE)
            else:
                todo = [seq for seq in part.seqs if not self._is_settled(seq)]
                later = self._later(())
                await self._executor.run(part.plan, self.report, self._progress, only=todo, later=later)
                self.report.finished = False
                self._stages.enter_outline(services, Outline.MADE)
        self._on_stage_change()

    def _later(self, finished: Collection[str]) -> set[str]:
        """Return the services that still have calls to be made when those of some services are."""
        return self.services().difference(self._stages.at(Stage.RESTORED), finished)

    def _log_restored(self, service: str, seconds: float) -> None:
        line = service_summary(self.report, service)
        _log.info(
            f"restored {service or 'calls that were not recognised'}",
            calls=line["restored"],
            of=line["calls"],
            seconds=round(seconds, 2),
        )

    def _is_settled(self, seq: int) -> bool:
        """Was this call made, or was it decided when its service was restored that it need not be?"""
        return seq in self.report.dealt_with or self._stages.stage(self._parts.service(seq)) is Stage.RESTORED

    def _enter(self, services: Collection[str], stage: Stage) -> None:
        self._stages.enter(services, stage)
        self._notify()
        self._on_stage_change()

    def _notify(self) -> None:
        arrived, self._arrived = self._arrived, asyncio.Event()
        arrived.set()

    def _smallest(self, services: Collection[str]) -> str:
        return min(services, key=lambda each: (each == UNRECOGNISED, self._parts.calls[each], each))

    # The right time.

    def _is_idle(self) -> bool:
        """Is it time to begin with the rest?"""
        return self._restores_rest and time.monotonic() >= self._idle_at

    @property
    def _idle_at(self) -> float:
        return min(self._requested + IDLE_BEFORE_REST_S, self._begun + REST_DELAY_MAX_S)

    async def _rest(self, *, idle: bool) -> None:
        """Wait until somebody asks, or (`idle`) until nobody has asked for a moment."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.001, self._idle_at - time.monotonic()) if idle else None):
                await self._woken.wait()

    @asynccontextmanager
    async def _part(self, *, urgent: bool, activity: Activity = Activity.RESTORING) -> AsyncIterator[None]:
        """Restore a part inside of this. urgent: somebody waits for it; planning in the background stands still."""
        before, self._activity = self._activity, activity
        self._urgent += urgent
        self._depth += 1
        try:
            if self._depth == 1:
                await self._on_part(True)
            yield
            if self._depth == 1:
                await self._on_part(False)
        finally:
            self._depth -= 1
            self._urgent -= urgent
            if self._activity not in OVER:
                self._activity = before

    def _pace(self) -> None:
        """Called in the thread that plans in the background, between two records."""
        while self._urgent and self._activity not in OVER:
            time.sleep(PLANNING_SLICE_S)
        if self._activity in OVER:
            raise PlanningAbandoned
        if time.monotonic() - self._slice_begun > PLANNING_SLICE_S:
            busy = time.monotonic() - self._requested < BUSY_AFTER_REQUEST_S
            time.sleep(2 * PLANNING_SLICE_S if busy else PLANNING_SLICE_S / 10)
            self._slice_begun = time.monotonic()
