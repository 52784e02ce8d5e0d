"""Bringing the state back, by the load strategy: at once behind a shut gate, or in parts while requests pass.

| strategy | at the start | after a loss of the emulator | what it is then asked for |
|---|---|---|---|
| ON_STARTUP | everything, before the first request passes | the same | everything once more |
| ON_REQUEST | each service at its first request, the rest when idle | the same, from the beginning | what is missing |
| MANUAL | nothing | everything, before the next request passes | what is missing |

Somebody else's emulator may outlive the proxy, or be out of reach for a while, and still hold what was restored by then. Its
mark says what: everything; whole parts, and then a restore in parts goes on from there; or "restoring", where a proxy that
was interrupted must not take a half for the whole.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from replay_proxy import log
from replay_proxy.config import Settings
from replay_proxy.errors import EmulatorError, ReplayProxyError, StorageError
from replay_proxy.journal.reader import read
from replay_proxy.proxy.engine import Engine
from replay_proxy.proxy.gate import Gate, State
from replay_proxy.proxy.restoring import (
    OpenRecording,
    explain_recording,
    restore_recording,
    staged_restore,
    target_of,
    tell,
)
from replay_proxy.proxy.sender import Sender
from replay_proxy.proxy.session import Session, SoFar
from replay_proxy.proxy.staged import StagedRestore
from replay_proxy.proxy.witnessing import Watch
from replay_proxy.replay.attempt import Target
from replay_proxy.replay.execute import Progress
from replay_proxy.replay.knowledge import Knowledge
from replay_proxy.replay.report import Line, RestoreReport, line_of
from replay_proxy.replay.settling import Settling
from replay_proxy.replay.sightings import Sightings

_log = log.get("proxy")

QUIET_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Unfinished:
    """A restore that has not ended well yet. staged: where it is one in parts."""

    report: RestoreReport
    target: Target
    staged: StagedRestore | None = None

    @property
    def so_far(self) -> SoFar:
        """How far it has come."""
        if self.staged is not None:
            return self.staged.so_far
        return SoFar(self.report.through, (), tuple(self.report.dealt_with))


class Loader:
    """Puts the state of one recording into one emulator.

    stranger: the emulator is somebody else's, and may outlive the proxy. report: of the latest restore; None before.
    """

    def __init__(
        self,
        settings: Settings,
        recording: OpenRecording,
        *,
        gate: Gate,
        engine: Engine,
        sender: Sender,
        session: Session,
        watch: Watch | None,
        stranger: bool,
        progress: Progress,
    ) -> None:
        self._settings = settings
        self._recording = recording
        self._gate = gate
        self._engine = engine
        self._sender = sender
        self._session = session
        self._watch = watch
        self._sightings = watch.sightings if watch is not None else Sightings()
        self._stranger = stranger
        self._progress = progress
        self._busy = asyncio.Lock()
        self._finishing: asyncio.Task[None] | None = None
        self._restoring: asyncio.Task[RestoreReport] | None = None
        self._has_begun = False
        self._unfinished: _Unfinished | None = None
        self.report: RestoreReport | None = None

    async def begin(self) -> None:
        """At the start of the proxy: the state as the load strategy promises it.

        Raises:
            EmulatorError: the emulator holds a part of an earlier restore. RecordingError, StorageError: the recording
            cannot be read.
        """
        if not (self._stranger and await self._resume()):
            match self._settings.load_strategy:
                case "ON_REQUEST":
                    await self._in_parts(eager=True)
                case "MANUAL":
                    await self._in_parts(eager=False)
                case _:
                    await self.restore()
        self._has_begun = True

    async def again(self) -> None:
        """After a loss of the emulator, when it answers again and holds nothing. Raises as `begin`."""
        if self._settings.load_strategy == "ON_REQUEST":
            await self._in_parts(eager=True)
        else:
            await self.restore()

    async def go_on(self) -> None:
        """The emulator was out of reach, and holds what it held: restore what it does not hold yet. Raises as `begin`."""
        unfinished = self._unfinished
        if unfinished is None:
            if not self._has_begun:
                await self.begin()
        elif unfinished.staged is None and not unfinished.report.through:
            await self.restore()
        else:
            await self._in_parts(eager=self._is_eager, before=unfinished.so_far, target=unfinished.target)

    async def restore(self, told: Callable[[Line], None] = lambda _line: None) -> RestoreReport:
        """Restore everything now, into whatever state the emulator is in. Requests wait meanwhile. Raises as `begin`."""
        async with self._busy:
            await self.stop()
            self._gate.move(State.RESTORING, "the recorded state is being restored")
            await self._engine.quiet(QUIET_SECONDS)
            target = self._new_target()
            self.report = report = RestoreReport(str(self._recording.path))
            self._unfinished = _Unfinished(report, target)
            if self._stranger:
                await self._session.begin()
            begun, settling = time.monotonic(), Settling()
            if self._recording.writer is not None:
                self._recording.writer.take_found()
                self._recording.writer.rollback()
            self._gate.settling = settling
            await restore_recording(
                self._recording.data_dir,
                target,
                self._settings,
                report,
                self._progress,
                settling,
                self._sightings,
                told,
            )
            self._engine.carrier.take_up(target.known)
            await self._settle()
            self._finishing = asyncio.create_task(self._let_settle(settling, report, begun))
            self._gate.move(State.READY)
            return report

    async def _let_settle(self, settling: Settling, report: RestoreReport, begun: float) -> None:
        """Hold back who needs what the restore has begun, until that is done."""
        for service in settling.services:
            _log.debug("something is not ready yet; requests that need it wait", service=service)
        await settling.over()
        report.settled = time.monotonic() - begun
        self._gate.settling = None
        self._gate.stir()

    async def load(self, service: str) -> AsyncIterator[Line]:
        """What somebody asks for: a service with what it needs, or everything (empty). A line for each that is back.

        Raises as `begin`.
        """
        staged = self._gate.staged
        if staged is None:
            async for line in self._restore_again(service):
                yield line
            return
        wanted = staged.services([service] if service else None)
        staged.ask(wanted)
        self._gate.stir()
        async for name in staged.follow(wanted):
            yield line_of(staged.report, name)
        if not staged.ask(wanted):
            raise EmulatorError("the restore ended before everything was back", hint="the proxy's log says why")
        if service and not wanted:
            yield line_of(staged.report, service)

    async def _restore_again(self, service: str) -> AsyncIterator[Line]:
        """Everything is back, as far as is known; whoever asks has a reason (an emulator that was reset)."""
        lines: asyncio.Queue[Line | None] = asyncio.Queue()
        task = self._restoring = asyncio.create_task(self.restore(lines.put_nowait))
        task.add_done_callback(lambda _done: lines.put_nowait(None))
        while (line := await lines.get()) is not None:
            if service in ("", line["service"]):
                yield line
        await task

    async def stop(self, *, for_good: bool = False) -> None:
        """Give up a restore in parts, and what settles after one.

        for_good: the proxy ends, and what the recording explains is never known.
        """
        if self._finishing is not None:
            self._finishing.cancel()
            with suppress(asyncio.CancelledError):
                await self._finishing
            self._finishing = None
        if self._gate.settling is not None:
            await self._gate.settling.stop()
            self._gate.settling = None
            self._gate.stir()
        if self._gate.staged is not None:
            await self._gate.staged.stop()
            self._gate.staged = None
            self._gate.stir()
        if not for_good and self._watch is not None:
            self._watch.release()

    def status(self) -> dict[str, Any] | None:
        """How far each service has come, while the state comes back in parts; else None."""
        staged = self._gate.staged
        return None if staged is None else staged.as_json()

    async def _resume(self) -> bool:
        """Does the emulator still hold the recorded state? Then nothing has to be done."""
        saved = await self._session.resume()
        if saved is None:
            return False
        known = saved.known(self._settings.secret_key or "")
        self._engine.carrier.take_up(known)
        await asyncio.to_thread(explain_recording, self._recording.data_dir, self._sightings)
        if saved.so_far is not None:
            there = ", ".join(sorted(saved.so_far.services)) or "none yet"
            _log.info("the emulator holds a part of the recorded state; the rest can be restored", services=there)
            await self._in_parts(eager=self._is_eager, before=saved.so_far, target=self._new_target(known))
            return True
        _log.info("the emulator still holds the recorded state; nothing to restore", aliases=len(known.aliases))
        self._gate.move(State.READY)
        return True

    @property
    def _is_eager(self) -> bool:
        """Whether what is missing is restored without being asked for."""
        return self._settings.load_strategy != "MANUAL"

    async def _in_parts(self, *, eager: bool, before: SoFar | None = None, target: Target | None = None) -> None:
        """Let requests pass, and restore what they need (`eager`), or what somebody asks for.

        before, target: what the emulator holds already, and what is known of it.
        """
        async with self._busy:
            await self.stop()
            target = target or self._new_target()
            found = None
            if self._recording.writer is not None and before is None:
                self._recording.writer.rollback()
                found = self._recording.writer.take_found()
            if found is None:
                found = await asyncio.to_thread(read, self._recording.data_dir)
            self.report = report = RestoreReport(str(self._recording.path))
            staged = await staged_restore(
                found,
                target,
                self._settings,
                report,
                self._progress,
                self._sightings,
                eager=eager,
                moved=self._gate.stir,
                bounds=self._at_bounds,
                before=before,
            )
            self._unfinished = _Unfinished(report, target, staged)
            self._engine.carrier.take_up(target.known)
            if self._stranger and before is None:
                await self._session.begin_parts(target.known, staged.so_far)
            if self._watch is not None:
                self._watch.hold()
            self._gate.staged = staged
            self._finishing = asyncio.create_task(self._finish(staged, [*found.warnings, *found.index.warnings]))
            self._gate.move(State.READY)

    async def _at_bounds(self, begins: bool) -> None:
        """A part is about to be replayed, or was."""
        staged = self._gate.staged
        if not self._stranger or staged is None:
            return
        try:
            if begins:
                await self._session.begin_part()
            else:
                await self._session.end_part(self._engine.carrier.known, staged.so_far)
        except (StorageError, OSError, TimeoutError) as error:
            # Then a proxy that is interrupted from here on has to have the emulator restarted, and no more.
            _log.warning("how far the restore has come cannot be put down", reason=str(error))

    async def _finish(self, staged: StagedRestore, warnings: Collection[str]) -> None:
        """Wait for the last part, and say so."""
        try:
            await staged.start()
            staged.report.notes.extend(warnings)
            tell(staged.report)
            await self._settle()
        except (ReplayProxyError, OSError, TimeoutError) as error:
            _log.error("the recorded state cannot be restored", reason=str(error))
            self._gate.move(State.FAILED, f"the recorded state cannot be restored: {error}")
        finally:
            if self._gate.staged is staged and staged.is_complete:
                self._gate.staged = None
                if self._watch is not None:
                    self._watch.release()
                self._gate.stir()

    def _new_target(self, known: Knowledge | None = None) -> Target:
        """The emulator, of which this is known."""
        return target_of(self._sender, self._engine.carrier.endpoints, self._settings, known)

    async def _settle(self) -> None:
        """The emulator holds everything that was recorded."""
        if self._stranger:
            await self._session.settle(self._engine.carrier.known)
        elif not self._settings.read_only:
            self._session.save(self._engine.carrier.known)
        self._unfinished = None
