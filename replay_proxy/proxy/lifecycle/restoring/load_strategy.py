"""Bringing the state back, by the load strategy: at once behind a shut gate, or in parts while requests pass.

| strategy | at the start | after a loss of the emulator | what it is then asked for |
|---|---|---|---|
| ON_STARTUP | everything, before the first request passes | the same | what is missing |
| ON_REQUEST | each service at its first request, the rest when idle | the same, from the beginning | what is missing |
| MANUAL | nothing | everything, before the next request passes | what is missing |

(Who asks, and what "missing" is then, is the subject of `requested_load`; which requests wait meanwhile, of `held_requests`.)

| state | holds of the recording | what may happen |
|---|---|---|
| NEW | not known yet | `begin`; `again`, where the emulator is lost before anything was restored |
| WHOLE | nobody knows what, while calls are replayed | `stop`, after which `is_interrupted`; then `again` or `go_on` |
| IN_PARTS | the parts that `StagedRestore.position` names | the same; requests pass |
| COMPLETE | everything | `restore` anew, for a load with reset; `again` after a loss |

An external emulator may outlive the proxy, or be out of reach for a while, and still hold what was restored by then. Its
mark says what: everything; whole parts, and then a restore in parts goes on from there; or "restoring", where a proxy that
was interrupted must not take a half for the whole.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Any

from replay_proxy import log
from replay_proxy.config import Settings
from replay_proxy.journal.format.records import ControlKind
from replay_proxy.proxy.lifecycle.backend import Emptying
from replay_proxy.proxy.lifecycle.restoring.held_requests import HeldRequests
from replay_proxy.proxy.lifecycle.restoring.left_state import LeftState
from replay_proxy.proxy.lifecycle.restoring.load_states import TRANSITIONS, LoadState, Unfinished
from replay_proxy.proxy.lifecycle.restoring.progress_notes import ProgressNotes
from replay_proxy.proxy.lifecycle.restoring.recorded_state import RecordedState
from replay_proxy.proxy.lifecycle.restoring.restore import (
    OpenRecording,
    log_report,
    restore_recording,
    staged_restore,
    target_of,
)
from replay_proxy.proxy.lifecycle.restoring.session_file import RestorePosition
from replay_proxy.proxy.lifecycle.restoring.session_store import SessionStore
from replay_proxy.proxy.lifecycle.restoring.staged_restore import StagedRestore
from replay_proxy.proxy.lifecycle.sender import RequestSender
from replay_proxy.proxy.requests.engine import Engine
from replay_proxy.proxy.requests.gate import Gate
from replay_proxy.proxy.requests.journaling.witness_watcher import WitnessWatcher
from replay_proxy.proxy.requests.proxy_state import ProxyState
from replay_proxy.replay.execution.background_waits import BackgroundWaits
from replay_proxy.replay.execution.executor import Progress
from replay_proxy.replay.execution.reporting.report import RestoreReport, RestoreTotals, ServiceSummary
from replay_proxy.replay.execution.restore_target import RestoreTarget
from replay_proxy.replay.session_state import SessionState
from replay_proxy.replay.witness_detector import WitnessDetector
from replay_proxy.supervision import Supervisor, describe_error

_log = log.get("proxy")

QUIET_TIMEOUT_S = 10.0
RESTORE = "the restore"
"""What a failure is reported under."""


class LoadStrategy:
    """Puts the state of one recording into one emulator.

    external: the emulator is somebody else's, and may outlive the proxy. may_keep_state: it may hold its state at a start.
    emptying: how it is emptied (`Backend.emptying`). recorded: the state that is to be restored. report: of the latest
    restore; None before. totals: what the restores add up to.
    failure: what the latest restore failed with; None where it did not.
    """

    def __init__(
        self,
        settings: Settings,
        recording: OpenRecording,
        *,
        gate: Gate,
        engine: Engine,
        sender: RequestSender,
        session: SessionStore,
        watch: WitnessWatcher | None,
        external: bool,
        may_keep_state: bool,
        emptying: Callable[[], Awaitable[Emptying]],
        progress: Progress,
        supervisor: Supervisor,
    ) -> None:
        self._settings = settings
        self._recording = recording
        self._gate = gate
        self._engine = engine
        self._sender = sender
        self._session = session
        self._watch = watch
        self._witness_detector = watch.witness_detector if watch is not None else WitnessDetector()
        self._external = external
        self._may_keep_state = may_keep_state
        self._left_state = LeftState(
            settings, recording, session, emptying, self._witness_detector, may_have_gaps=external
        )
        self._progress = progress
        self._supervisor = supervisor
        self._busy = asyncio.Lock()
        self._finishing: asyncio.Task[None] | None = None
        self._notes = ProgressNotes(session, engine, supervisor, external=external, read_only=settings.read_only)
        self._state = LoadState.NEW
        self._unfinished: Unfinished | None = None
        self._empties_before: Emptying | None = None
        self.recorded = RecordedState(recording)
        self._held = HeldRequests(gate, watch)
        self.report: RestoreReport | None = None
        self.totals = RestoreTotals()
        self.failure: Exception | None = None

    async def begin(self) -> None:
        """Restore at the start of the proxy what the load strategy promises for that.

        Raises:
            EmulatorError: the emulator holds a part of an earlier restore. RecordingError, StorageError: the recording
            cannot be read.
        """
        if not (self._may_keep_state and await self._resume()):
            self._engine.translator.begin_emulator_generation()
            await self._left_state.empty_if_outdated()
            match self._settings.load_strategy:
                case "ON_REQUEST":
                    await self._in_parts(restores_rest=True)
                case "MANUAL":
                    await self._in_parts(restores_rest=False)
                case _:
                    await self.restore()

    async def again(self) -> None:
        """Restore after a loss, when the emulator answers again and holds nothing. Raises as `begin`."""
        await self._left_state.empty_if_outdated()
        if self._settings.load_strategy == "ON_REQUEST":
            await self._in_parts(restores_rest=True)
        else:
            await self.restore()

    async def renew_session(self) -> None:
        """Note that the emulator came back, or was found, with its state: see `SessionStore.renew`."""
        if self._state is LoadState.COMPLETE:
            await self._session.renew(self._engine.translator.session_state)

    async def go_on(self) -> None:
        """Restore what is missing in an emulator that was out of reach, and holds what it held. Raises as `begin`."""
        unfinished = self._unfinished
        if self._empties_before is not None:
            await self._empties_before()
            self.forget_witnesses()
            await self.restore()
        elif unfinished is None:
            if self._state is LoadState.NEW:
                await self.begin()
            elif not self._external:
                self._notes.leave_mark()
        elif unfinished.staged is None and not unfinished.report.through:
            await self.restore()
        else:
            position, target = unfinished.position, unfinished.target
            await self._in_parts(
                restores_rest=self._restores_rest, resume_from=position, target=target, earlier=unfinished.report
            )

    async def restore(
        self,
        on_restored: Callable[[ServiceSummary], None] = lambda _line: None,
        *,
        keep: Callable[[], Awaitable[None]] | None = None,
        assumed: Collection[tuple[ControlKind, str]] = (),
    ) -> RestoreReport:
        """Restore everything now, into whatever state the emulator is in. Requests wait meanwhile. Raises as `begin`.

        assumed: marks, each with its service, that are taken for recorded at the end. With none, what is pending under `MANUAL`
        is void from now on. keep: records what was assumed, before any request passes.
        """
        async with self._busy:
            await self.stop()
            self._gate.move(ProxyState.RESTORING, "the recorded state is being restored")
            await self._engine.in_flight.wait_for_none(QUIET_TIMEOUT_S)
            target = self._new_target()
            self.report = report = RestoreReport(str(self._recording.path))
            self._enter(LoadState.WHOLE, Unfinished(report, target))
            await self._notes.begin(target.known, emptied=self._empties_before is not None)
            begun, settling = time.monotonic(), BackgroundWaits()
            self.recorded.begin_whole(keeps_pending=bool(assumed))
            self._held.by_waits(settling)
            await restore_recording(
                self._recording.data_dir,
                target,
                self._settings,
                report,
                self._progress,
                settling,
                self._witness_detector,
                on_restored,
                assumed=assumed,
                kept_plan=self.recorded.kept_plan,
            )
            if keep is not None:
                await keep()
            self.totals.add(report)
            self._engine.translator.use_session(target.known)
            await self._settle()
            self._finishing = self._supervisor.start("what settles", self._held.until_settled(settling, report, begun))
            self._is_back()
            return report

    def empties_before(self, empty: Emptying) -> None:
        """Have the emulator emptied before `go_on`: the restore that begins is of a state that may never count."""
        self._empties_before = empty

    async def mark_partial(self) -> None:
        """Mark an emulator that is about to be emptied bit by bit: whoever is interrupted has not to take it for whole.

        Raises:
            EmulatorError, StorageError, OSError: it cannot be marked; then nothing may be deleted.
        """
        await self._notes.begin(self._engine.translator.session_state, emptied=True)

    def translate_by_interrupted(self) -> None:
        """Translate by what a restore has learned that did not come to its end, so that what it has made can be named."""
        if self._unfinished is not None:
            self._engine.translator.use_session(self._unfinished.target.known)

    async def hold_witnesses(self) -> None:
        """Record no witnesses until they are forgotten or released: what is recorded now is of another state than they are."""
        if self._watch is not None:
            await self._watch.rest()

    def release_witnesses(self) -> None:
        """Record witnesses again: the emulator holds what it held."""
        if self._watch is not None:
            self._watch.resume()

    def forget_witnesses(self) -> None:
        """Forget what the recording explains: it is another one from now on, and is shown again when it is restored."""
        self._witness_detector.forget()
        if self._watch is not None:
            self._watch.forget()

    async def start_over(self, services: Collection[str] = ()) -> None:
        """Go on from an emulator that was made to forget these services, or everything (none), as a client asked.

        What was recorded of them before is not restored any more. To be called when nothing is being restored.

        Raises:
            StorageError: the reset could not be recorded.
        """
        self.recorded.reset(services)
        told = ", ".join(sorted(services)) or "everything"
        then = (
            "a load brings back what was saved"
            if self.recorded.is_reset_unsaved
            else "what was recorded before is not restored any more"
        )
        _log.info(f"the emulator was reset; {then}", forgotten=told)
        self.forget_witnesses()
        if not services:
            self._engine.translator.use_session(self._new_target().known)
            self._unfinished = None
        if self._unfinished is None:
            await self._notes.begin_restored()
        await self.recorded.promised()
        if self._unfinished is None:
            self._enter(LoadState.COMPLETE)
            self._is_back()
        else:
            await self.go_on()

    async def restore_on_request(self) -> None:
        """Restore everything anew, in parts: as requests or loads ask for it. Raises as `begin`."""
        await self._in_parts(restores_rest=self.is_on_request)

    @property
    def is_on_request(self) -> bool:
        """Does a request bring back what it needs?"""
        return self._settings.load_strategy == "ON_REQUEST"

    @property
    def is_interrupted(self) -> bool:
        """Did a restore end without its end, so that `go_on` has something to do?"""
        unfinished = self._unfinished
        return unfinished is not None and (self._finishing is None or self._finishing.done())

    async def ended(self) -> None:
        """Wait until a restore in parts that has ended is logged, and its failure shown."""
        if self._finishing is not None:
            await asyncio.wait({self._finishing})

    async def marked(self) -> None:
        """Wait until a mark that is being left is there, or cannot be: from then on it is seen when the emulator is emptied."""
        await self._notes.marked()

    def _enter(self, state: LoadState, unfinished: Unfinished | None = None) -> None:
        assert state in TRANSITIONS[self._state]
        assert (unfinished is None) is (state is LoadState.COMPLETE)
        if unfinished is None:
            self._empties_before = None
        else:
            self.recorded.restoring()
        self._state, self._unfinished = state, unfinished

    def __repr__(self) -> str:
        interrupted = ", interrupted" if self.is_interrupted else ""
        return f"<LoadStrategy {self._settings.load_strategy} {self._state.value}{interrupted} {self.staged or ''}>"

    def fail(self, error: Exception) -> None:
        """Note that a restore failed. Requests get the reason at once; a load, or a restart, can go on."""
        self.failure = error
        self.totals.failed += 1
        reason = self._supervisor.trouble(RESTORE, error)
        self._gate.move(ProxyState.FAILED, f"the recorded state cannot be restored: {reason}")

    def _is_back(self) -> None:
        self.failure = None
        self._supervisor.well(RESTORE)
        self._gate.move(ProxyState.READY)

    async def stop(self, *, for_good: bool = False) -> None:
        """Give up a restore in parts, and what settles after one.

        for_good: the proxy ends, and what the recording explains is never known.
        """
        if self._finishing is not None:
            self._finishing.cancel()
            with suppress(asyncio.CancelledError):
                await self._finishing
        self._finishing = None
        await self._notes.stop()
        await self._held.stop(for_good=for_good)

    @property
    def staged(self) -> StagedRestore | None:
        """The restore in parts that is open; None where the state is back as a whole, or is not wanted."""
        return self._held.staged

    def status(self) -> dict[str, Any] | None:
        """Return how far each service has come, while the state comes back in parts; else None."""
        staged = self.staged
        return None if staged is None else staged.as_json()

    async def _resume(self) -> bool:
        """Take up the session of before, where the emulator still holds its state. Return whether it does."""
        saved = await self._left_state.take_up(self._engine.translator)
        if saved is None:
            return False
        state = self._engine.translator.session_state
        if saved.position is not None:
            await self._in_parts(
                restores_rest=self._restores_rest, resume_from=saved.position, target=self._new_target(state)
            )
            return True
        self._enter(LoadState.COMPLETE)
        await self.renew_session()
        self._gate.move(ProxyState.READY)
        return True

    @property
    def _restores_rest(self) -> bool:
        """Is what is missing restored without being asked for?"""
        return self._settings.load_strategy != "MANUAL"

    async def _in_parts(
        self,
        *,
        restores_rest: bool,
        resume_from: RestorePosition | None = None,
        target: RestoreTarget | None = None,
        earlier: RestoreReport | None = None,
    ) -> None:
        """Let requests pass, and restore what they need (`restores_rest`), or what somebody asks for.

        resume_from, target: what the emulator holds already, and what is known of it. earlier: of the restore that is gone on
        with, where this proxy has begun it.
        """
        async with self._busy:
            await self.stop()
            target = target or self._new_target()
            found = await self.recorded.begin_parts(goes_on=resume_from is not None)
            self.report = report = RestoreReport(str(self._recording.path))
            if earlier is not None:
                report.take_over(earlier)
            staged = await staged_restore(
                found,
                target,
                self._settings,
                report,
                self._progress,
                self._witness_detector,
                restores_rest=restores_rest,
                on_stage_change=self._gate.notify,
                on_part=self._note_part,
                resume_from=resume_from,
            )
            self._enter(LoadState.IN_PARTS, Unfinished(report, target, staged))
            self._session.state = target.known
            self._engine.translator.use_session(target.known)
            if resume_from is None:
                await self._notes.begin(target.known, staged.position)
            self._held.by_parts(staged)
            warnings = [*found.warnings, *found.index.warnings]
            self._finishing = self._supervisor.start(RESTORE, self._finish(staged, warnings))
            self._is_back()

    async def _note_part(self, begins: bool) -> None:
        if self.staged is not None:
            await self._notes.part(begins, self.staged)

    async def _finish(self, staged: StagedRestore, warnings: Collection[str]) -> None:
        """Carry out a restore in parts, and log what came of it."""
        try:
            await staged.start()
            staged.report.notes.extend(warnings)
            log_report(staged.report)
            self.totals.add(staged.report)
            await self._settle()
        except Exception as error:
            if self._gate.is_open or not isinstance(error, OSError):
                self.fail(error)
            else:  # the emulator is lost, and whoever has seen that restores everything
                _log.warning("the restore was interrupted", reason=describe_error(error))
        finally:
            self._held.pass_if_complete(staged)

    def _new_target(self, state: SessionState | None = None) -> RestoreTarget:
        """Return the emulator as a target of a restore. state: what is known of it, where it lived on."""
        return target_of(self._sender, self._engine.translator.endpoints, self._settings, state)

    def has_all_of(self, service: str) -> bool:
        """Return whether all that was recorded of a service when it was restored is known to be back."""
        report = self.report
        if report is None:
            return self._session.whole
        return report.finished and not (report.switched_off or report.lost or report.troubled[service])

    async def _settle(self) -> None:
        """Save and mark that the emulator holds everything that was recorded."""
        if self.report is not None:
            self._session.whole = not self.report.troubled.total() and self.has_all_of("")
        await self._notes.settle()
        self._enter(LoadState.COMPLETE)
