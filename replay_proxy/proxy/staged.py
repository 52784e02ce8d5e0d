"""A restore in parts, while requests pass: a service when it is asked for, the rest when nobody asks.

One task does all of it, a part at a time, so that one part never overtakes another that it builds on:

1. Services that are asked for, together, with what they need (`replay.parts`).
2. When nobody has asked for a moment: the plan of everything, made in a thread that steps back while requests are under way.
3. Then service after service by that plan, those with few calls first. Between handfuls of calls it looks whether somebody
   asks for another service, which is then restored first.

Only what the journal held when this restore began is replayed. Calls that clients make meanwhile are recorded after it.
Between two parts it can be told how far this has come (`SoFar`), and another restore can go on from there.
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
from replay_proxy.errors import ReplayProxyError
from replay_proxy.proxy.session import SoFar
from replay_proxy.replay.compact import Plan
from replay_proxy.replay.execute import Progress, Restorer
from replay_proxy.replay.parts import UNRECOGNISED, Parts
from replay_proxy.replay.report import RestoreReport, line_of

_log = log.get("restore")

IDLE_SECONDS = 0.5
"""Without a request, before the rest is restored."""
PATIENCE_SECONDS = 20.0
"""After which it is restored though requests keep coming."""
HANDFUL = 128
"""Calls of the background between two looks at who is asking; more where there are very many."""
MOST_HANDFULS = 64
SLICE_SECONDS = 0.002
"""Of planning in the background, before the interpreter is left to others."""
BUSY_SECONDS = 0.1
"""So long after a request, planning takes a third of the time; at other times nearly all of it."""
SWITCH_SECONDS = 0.001
"""The interpreter's switch interval while a thread plans: how long a request may have to wait for it."""


class Stage(StrEnum):
    """How far a service has come."""

    WAITING = "waiting"
    RESTORING = "restoring"
    RESTORED = "restored"


class Abandoned(Exception):
    """The restore for which a thread was planning is over."""


class StagedRestore:
    """Restores `parts` through `restorer`, and accounts for it in `report`.

    eager: the rest is restored by itself; else only what is asked for. moved: called whenever a service has come further.
    bounds: told when something is about to be replayed (True), and when for now no more is. before: how far a restore had
    come that this one goes on with.
    """

    def __init__(
        self,
        parts: Parts,
        restorer: Restorer,
        report: RestoreReport,
        progress: Progress,
        *,
        eager: bool,
        moved: Callable[[], None],
        bounds: Callable[[bool], Awaitable[None]],
        before: SoFar | None = None,
    ) -> None:
        self._parts = parts
        self._restorer = restorer
        self.report = report
        self._progress = progress
        self._eager = eager
        self._moved = moved
        self._bounds = bounds
        self._depth = 0
        self._stages = dict.fromkeys(sorted(parts.calls), Stage.WAITING)
        if before is not None:
            self._stages.update(dict.fromkeys(self.services(before.services), Stage.RESTORED))
            report.dealt_with.update(before.made)
        self._asked: set[str] = set()
        # Of which only is asked what there is; of which that is known; of which it cannot be told.
        self._sought: set[str] = set()
        self._outlined: set[str] = set()
        self._opaque: set[str] = set()
        self._urgent = 0
        self._stopped = False
        self._begun = self._requested = self._slice_begun = time.monotonic()
        self._woken = asyncio.Event()
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # What others ask.

    @property
    def is_complete(self) -> bool:
        """Is everything back?"""
        return all(stage is Stage.RESTORED for stage in self._stages.values())

    @property
    def so_far(self) -> SoFar:
        """How far this has come."""
        done = frozenset(service for service, stage in self._stages.items() if stage is Stage.RESTORED)
        made = (seq for seq in self.report.dealt_with if self._parts.service(seq) not in done)
        return SoFar(self.report.through, tuple(sorted(done)), tuple(made))

    def stage(self, service: str) -> Stage:
        """How far a service has come; one of which nothing is recorded is restored."""
        return self._stages.get(service, Stage.RESTORED)

    def services(self, wanted: Collection[str] | None = None) -> set[str]:
        """Those of the services `wanted` (None: of all) of which anything is recorded."""
        return set(self._stages) if wanted is None else {service for service in wanted if service in self._stages}

    def ask(self, services: Collection[str] | None) -> bool:
        """Restore these services (None: everything) soon. True where they are back already."""
        missing = {each for each in self.services(services) if self._stages[each] is not Stage.RESTORED}
        if not missing <= self._asked:
            self._asked |= missing
            self._woken.set()
        return not missing

    async def follow(self, services: Collection[str]) -> AsyncIterator[str]:
        """Each of these services as soon as it is back. Ends early where the restore does."""
        left = set(services)
        while left:
            arrived = self._arrived
            for service in sorted(left):
                if self._stages[service] is Stage.RESTORED:
                    left.discard(service)
                    yield service
            if self._stopped:
                return
            if left and arrived is self._arrived:
                await arrived.wait()

    def admits(self, services: Collection[str] | None) -> bool:
        """May a request pass that needs these services? Under ON_REQUEST they are asked for by that."""
        self._requested = time.monotonic()
        if self._eager:
            return self.ask(services)
        return not any(self._is_on_its_way(each) for each in self.services(services))

    def outlines(self, services: Collection[str]) -> bool | None:
        """Is it known which resources of these services there are? Under ON_REQUEST that is asked for by this.

        None where that is no question: the services are asked for anyway, or it cannot be told without all of their calls.
        """
        self._requested = time.monotonic()
        missing = {each for each in self.services(services) if self._stages[each] is not Stage.RESTORED}
        if missing <= self._outlined:
            return True
        if not self._eager or missing & (self._asked | self._opaque) or not missing <= self._waiting():
            return None
        if not missing <= self._sought:
            self._sought |= missing
            self._woken.set()
        return False

    def _is_on_its_way(self, service: str) -> bool:
        stage = self._stages[service]
        return stage is Stage.RESTORING or (stage is Stage.WAITING and service in self._asked)

    def as_json(self) -> dict[str, Any]:
        """For `/_replay/status`: the services by how far they have come."""
        return {
            stage.value: sorted(service or "(not recognised)" for service, at in self._stages.items() if at is stage)
            for stage in Stage
        }

    # The task.

    def start(self) -> asyncio.Task[None]:
        """Begin. The task ends when everything is back, or fails with what the recording could not give."""
        self._task = asyncio.create_task(self._work())
        return self._task

    async def stop(self) -> None:
        """Give up, wherever it stands."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError, ReplayProxyError):
                await self._task

    async def _work(self) -> None:
        interval = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_SECONDS)
        planning: asyncio.Future[Plan] | None = None
        try:
            while waiting := self._waiting():
                self._woken.clear()
                asked = waiting & self._asked
                planned = planning is not None and planning.done()
                if planned and planning is not None:
                    planning.result()
                if self._sought:
                    await self._outline()
                elif asked and asked != waiting:
                    await self._bring_back(asked)
                elif planned and (asked or self._eager):
                    await self._bring_back({self._smallest(waiting)}, background=not asked)
                elif planning is None and (asked or self._is_idle()):
                    planning = asyncio.ensure_future(asyncio.to_thread(self._parts.whole, self._pace))
                    planning.add_done_callback(lambda _planned: self._woken.set())
                else:
                    await self._rest(idle=planning is None and self._eager)
            self.report.finished = True
            await asyncio.to_thread(self._parts.keep)
        finally:
            self._stopped = True
            if planning is not None:
                planning.add_done_callback(lambda abandoned: abandoned.cancelled() or abandoned.exception())
            self._stir()
            sys.setswitchinterval(interval)

    async def _bring_back(self, services: set[str], *, background: bool = False) -> None:
        """Restore some services, with what they need."""
        begun = time.monotonic()
        self._enter(services, Stage.RESTORING)
        async with self._part(urgent=not background):
            part = await asyncio.to_thread(self._parts.part, services)
            self.report.superseded += part.superseded
            self.report.switched_off += part.switched_off
            self.report.notes.extend(part.losses)
            todo = [seq for seq in part.seqs if not self._is_settled(seq)]
            self.report.total = self.report.done + sum(map(self._parts.mutates, todo))
            size = max(HANDFUL, len(todo) // MOST_HANDFULS if background else len(todo))
            for start in range(0, len(todo), size):
                if background and self._sought:
                    await self._outline()
                if background and (urgent := self._waiting() & self._asked):
                    await self._bring_back(urgent)
                handful = [seq for seq in todo[start : start + size] if seq not in self.report.dealt_with]
                await self._restorer.run(part.plan, self.report, self._progress, only=handful)
                self.report.finished = False
            for service in services:
                self._told(service, time.monotonic() - begun)
            self._stages.update(dict.fromkeys(services, Stage.RESTORED))
        self._enter(services, Stage.RESTORED)  # who waits is told when it is put down

    async def _outline(self) -> None:
        """Make the resources of some services, before anything is done to them."""
        services = self._sought & self._waiting()
        self._sought = set()
        async with self._part(urgent=True):
            part = await asyncio.to_thread(self._parts.outline, services)
            if part is None:
                self._opaque |= services
            else:
                todo = [seq for seq in part.seqs if not self._is_settled(seq)]
                await self._restorer.run(part.plan, self.report, self._progress, only=todo)
                self.report.finished = False
                self._outlined |= services
        self._moved()

    def _told(self, service: str, seconds: float) -> None:
        line = line_of(self.report, service)
        _log.info(
            f"restored {service or 'calls that were not recognised'}",
            calls=line["restored"],
            of=line["calls"],
            seconds=round(seconds, 2),
        )

    def _is_settled(self, seq: int) -> bool:
        """Was this call made, or was it decided when its service was restored that it need not be?"""
        return seq in self.report.dealt_with or self._stages[self._parts.service(seq)] is Stage.RESTORED

    def _enter(self, services: Collection[str], stage: Stage) -> None:
        self._stages.update(dict.fromkeys(services, stage))
        self._stir()
        self._moved()

    def _stir(self) -> None:
        arrived, self._arrived = self._arrived, asyncio.Event()
        arrived.set()

    def _waiting(self) -> set[str]:
        return {service for service, stage in self._stages.items() if stage is Stage.WAITING}

    def _smallest(self, services: Collection[str]) -> str:
        return min(services, key=lambda each: (each == UNRECOGNISED, self._parts.calls[each], each))

    # The right time.

    def _is_idle(self) -> bool:
        """Is it time to begin with the rest?"""
        return self._eager and time.monotonic() >= self._idle_at

    @property
    def _idle_at(self) -> float:
        return min(self._requested + IDLE_SECONDS, self._begun + PATIENCE_SECONDS)

    async def _rest(self, *, idle: bool) -> None:
        """Wait until somebody asks, or (`idle`) until nobody has asked for a moment."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.001, self._idle_at - time.monotonic()) if idle else None):
                await self._woken.wait()

    @asynccontextmanager
    async def _part(self, *, urgent: bool) -> AsyncIterator[None]:
        """A part is restored. urgent: somebody waits for it; planning in the background stands still."""
        self._urgent += urgent
        self._depth += 1
        try:
            if self._depth == 1:
                await self._bounds(True)
            yield
            if self._depth == 1:
                await self._bounds(False)
        finally:
            self._depth -= 1
            self._urgent -= urgent

    def _pace(self) -> None:
        """Called in the thread that plans in the background, between two records."""
        while self._urgent and not self._stopped:
            time.sleep(SLICE_SECONDS)
        if self._stopped:
            raise Abandoned
        if time.monotonic() - self._slice_begun > SLICE_SECONDS:
            busy = time.monotonic() - self._requested < BUSY_SECONDS
            time.sleep(2 * SLICE_SECONDS if busy else SLICE_SECONDS / 10)
            self._slice_begun = time.monotonic()
