"""Keeping the emulator alive, with its state: bring it up, restore; notice its loss, and do it again.

One task does all of that, so nothing else restarts, empties or restores an emulator. It waits in `keep_alive` for one of two
things: the emulator is lost (`Backend.lost`), or somebody ordered a renewal (`requested_load`). Restores themselves are
`load_strategy`'s subject; what requests do meanwhile the gate is told (`requests/proxy_state.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

import tenacity

from replay_proxy import log
from replay_proxy.errors import EmulatorError, ReplayProxyError, UsageError
from replay_proxy.proxy.http.client.upstream import UpstreamClient
from replay_proxy.proxy.lifecycle.backend import Backend, ExternalEmulator, reachable
from replay_proxy.proxy.lifecycle.restoring.load_strategy import LoadStrategy
from replay_proxy.proxy.lifecycle.restoring.requested_load import (
    EmulatorLostError,
    NotNowError,
    Renewal,
    RequestedLoads,
    UnchangedError,
)
from replay_proxy.proxy.lifecycle.restoring.session_store import SessionStore
from replay_proxy.proxy.observation.observer import Observer
from replay_proxy.proxy.requests.engine import Engine
from replay_proxy.proxy.requests.gate import Gate
from replay_proxy.proxy.requests.proxy_state import ProxyState
from replay_proxy.supervision import Supervisor

_log = log.get("proxy")

LAST_CHANGES_TIMEOUT_S = 2.0
"""For changes under way, before the emulator is emptied."""
FAILURE_PAUSE_S = 1.0
"""Before the emulator is looked after again, where that met an error that nobody expected."""
WATCHING = "watching the emulator"
"""What the watching's errors are reported under."""
RAPID_RESTARTS_MAX = 5
RESTART_PAUSE_MAX_S = 10.0
TRY_AGAIN = "its last output may say why it ended; ask again when /_replay/status says `ready`"
"""What to do where the emulator is lost in the middle of a load."""


class EmulatorRecovery:
    """Brings the emulator back whenever it is lost.

    session, load_strategy, requested_loads: None where nothing is recorded or restored. observer: looks at the emulator before it
    is emptied. returns: how often the emulator was lost and came back since.
    """

    def __init__(
        self,
        backend: Backend,
        upstream: UpstreamClient,
        *,
        gate: Gate,
        engine: Engine,
        supervisor: Supervisor,
        session: SessionStore | None,
        load_strategy: LoadStrategy | None,
        requested_loads: RequestedLoads | None,
        observer: Observer | None,
    ) -> None:
        self._backend = backend
        self._upstream = upstream
        self._gate = gate
        self._engine = engine
        self._supervisor = supervisor
        self._session = session
        self._load_strategy = load_strategy
        self._requested_loads = requested_loads
        self._observer = observer
        self._is_external = isinstance(backend, ExternalEmulator)
        self.returns = 0

    async def restore_at_start(self) -> None:
        """Restore what the load strategy promises for the start, and let requests pass.

        Raises:
            EmulatorError: the emulator was lost again and again. RecordingError, StorageError: the recording cannot be read.
        """
        if self._load_strategy is not None:
            try:
                await self._while_it_lives(self._load_strategy.begin())
            except EmulatorLostError as error:
                await self._recover_from(error, attempts=RAPID_RESTARTS_MAX)
        self._let_requests_pass()

    async def keep_alive(self) -> None:
        """Bring the emulator back, and its state with it, each time it is lost.

        An error that nobody expected moves the proxy to FAILED, where requests get the reason, and the work goes on.

        Raises:
            EmulatorError: the emulator keeps ending.
        """
        while True:
            try:
                await self._follow_losses()
            except EmulatorError:
                raise
            except Exception as error:
                self._fail(error)
                await asyncio.sleep(FAILURE_PAUSE_S)

    def report_unreachable(self, reason: str) -> None:
        """Note that a request found nobody. A managed emulator's process says more, so nothing follows from that there."""
        if isinstance(self._backend, ExternalEmulator):
            if self._gate.is_open:
                self._gate.move(ProxyState.LOST, reason)
            self._backend.report_unreachable()

    def _let_requests_pass(self) -> None:
        """Open the gate, unless a restore in parts has failed by now."""
        if self._gate.state is not ProxyState.FAILED:
            self._gate.move(ProxyState.READY)

    def _fail(self, error: Exception) -> None:
        if self._load_strategy is not None:
            self._load_strategy.fail(error)
        else:
            self._gate.move(ProxyState.FAILED, self._supervisor.trouble("bringing the emulator back", error))

    async def _follow_losses(self) -> None:
        restarts = 0
        while True:
            begun, answered = asyncio.get_running_loop().time(), self._engine.policy.answered_count
            reason = await self._wait_until_lost()
            before = self._gate.state, self._gate.reason
            self._gate.move(self._state_without_emulator, reason)
            if self._is_external and await self._still_there():
                if before[0] is ProxyState.FAILED:
                    self._gate.move(*before)
                    continue
                if self._load_strategy is None or not self._load_strategy.is_interrupted:
                    self._gate.move(ProxyState.READY)
                    continue
            if self._load_strategy is not None:
                await self._load_strategy.stop()
            _log.warning("the emulator is lost; waiting for it", reason=reason)
            lasted_s = asyncio.get_running_loop().time() - begun
            # One that is killed while it does its work is no program that cannot run.
            useful = lasted_s > RESTART_PAUSE_MAX_S or self._engine.policy.answered_count > answered
            restarts = 0 if useful else restarts + 1
            if restarts >= RAPID_RESTARTS_MAX and not self._is_external:
                self._give_up(f"{reason}, for the {restarts}th time in a row")
            await self._recover()

    async def _wait_until_lost(self) -> str:
        """Wait until the emulator is lost, and carry out renewals meanwhile. Return why it is thought to be lost."""
        while True:
            lost = asyncio.create_task(self._lost())
            waits: set[asyncio.Task[Any]] = {lost}
            if self._requested_loads is not None:
                waits.add(asyncio.create_task(self._requested_loads.wait_for_renewal()))
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in waits:
                    await end_task(task)
            renewal = None if self._requested_loads is None else self._requested_loads.take()
            if renewal is not None:
                await self._renew(renewal)
            elif not lost.cancelled():
                return lost.result()

    async def _lost(self) -> str:
        """Wait until the emulator is lost. Return why that is thought.

        An error of the watching itself is no loss: it is reported, requests go on, and the watching is begun anew.
        """
        while True:
            well = asyncio.get_running_loop().call_later(FAILURE_PAUSE_S, self._supervisor.well, WATCHING)
            try:
                return await self._backend.lost()
            except Exception as error:
                self._supervisor.trouble(WATCHING, error)
            finally:
                well.cancel()
            await asyncio.sleep(FAILURE_PAUSE_S)

    async def _renew(self, renewal: Renewal) -> None:
        """Empty the emulator where that is ordered, and restore the recorded state."""
        assert self._load_strategy is not None
        before = self._gate.state, self._gate.reason
        self._gate.move(ProxyState.RESTORING, renewal.reason)
        renewal.begin()
        try:
            await self._load_strategy.stop()
            await self._engine.in_flight.wait_for_none(LAST_CHANGES_TIMEOUT_S)
            if renewal.empty is not None:
                if self._observer is not None and before[0] is ProxyState.READY and renewal.brings_back:
                    await self._observer.look_before_loss()
                try:
                    await renewal.empty()
                except (ReplayProxyError, OSError) as error:
                    await self._recover_unemptied(renewal, before, error)
                    return
            self._engine.begin_emulator_generation()
            await self._while_it_lives(renewal.restore())
            self._let_requests_pass()
            renewal.succeed()
        except EmulatorLostError as error:
            renewal.fail(error)
            await self._recover_from(error)
        except Exception as error:
            renewal.fail(error)
            self._fail(error)
        finally:
            renewal.fail(NotNowError("the proxy is being stopped", hint="start it again"))

    async def _recover_unemptied(self, renewal: Renewal, before: tuple[ProxyState, str], error: Exception) -> None:
        """Go on after an emulator refused to be emptied, or was lost in the middle of that."""
        assert self._load_strategy is not None
        unchanged = isinstance(error, UnchangedError | UsageError) or (self._is_external and await self._still_there())
        if not unchanged:
            lost = EmulatorLostError(f"the emulator was lost while it was being emptied: {error}", hint=TRY_AGAIN)
            renewal.fail(lost)
            await self._recover_from(lost)
            return
        renewal.fail(error)
        if before[0] is ProxyState.FAILED:
            self._gate.move(*before)
        else:
            await self._while_it_lives(self._load_strategy.go_on())
            self._let_requests_pass()

    async def _recover_from(self, error: EmulatorError, attempts: int | None = None) -> None:
        """Recover from a loss in the middle of a restore. Raises as `_recover`."""
        self._gate.move(self._state_without_emulator, error.message)
        _log.warning("the emulator is lost; waiting for it", reason=error.message)
        if self._load_strategy is not None:
            await self._load_strategy.stop()
        await self._recover(attempts)

    async def _recover(self, attempts: int | None = None) -> None:
        """Wait until the emulator is back, with its state.

        Raises:
            EmulatorError: it was not, after so many attempts (None: for ever).
        """
        async for attempt in tenacity.AsyncRetrying(
            wait=tenacity.wait_exponential(multiplier=0.1, max=RESTART_PAUSE_MAX_S),
            retry=tenacity.retry_if_exception_type((EmulatorError, OSError, TimeoutError)),
            stop=tenacity.stop_never if attempts is None else tenacity.stop_after_attempt(attempts),
            reraise=True,
        ):
            with attempt:
                try:
                    await self._bring_back()
                except (ReplayProxyError, OSError, TimeoutError) as error:
                    state = ProxyState.LOST if self._is_external else self._gate.state
                    self._gate.move(state, f"the emulator is not back yet: {error}")
                    _log.warning("the emulator is not back yet", reason=str(error))
                    raise

    async def _bring_back(self) -> None:
        await self._backend.up(self._upstream)
        self.returns += 1
        self._gate.move(ProxyState.RESTORING, "the emulator is back; its state is looked for")
        if await self._is_same():
            _log.info("the emulator is back, with its state")
            if self._load_strategy is not None:
                await self._while_it_lives(self._load_strategy.go_on())
                await self._load_strategy.renew_session()
        else:
            self._engine.begin_emulator_generation()
            if self._load_strategy is not None:
                await self._while_it_lives(self._load_strategy.again())
        self._let_requests_pass()

    async def _while_it_lives(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work of a restore; give it up where the emulator is lost meanwhile.

        Raises:
            EmulatorLostError: it was lost. Others: what the restore failed with.
        """
        restore = asyncio.create_task(work)
        lost: asyncio.Task[str] | None = None
        try:
            while not restore.done():
                lost = asyncio.create_task(self._lost())
                await asyncio.wait({restore, lost}, return_when=asyncio.FIRST_COMPLETED)
                if not lost.done():
                    continue
                if not restore.done() and not (self._is_external and await self._still_there()):
                    raise EmulatorLostError(f"{lost.result()} while its state was being restored", hint=TRY_AGAIN)
            try:
                restore.result()
            except OSError as error:
                # A call may meet the end of the emulator before `lost` tells of it.
                if await (self._still_there() if self._is_external else reachable(self._upstream)):
                    raise
                raise EmulatorLostError(f"{error} while its state was being restored", hint=TRY_AGAIN) from error
        finally:
            try:
                if lost is not None:
                    await end_task(lost)
            finally:
                await end_task(restore)

    async def _is_same(self) -> bool:
        """Return whether this is the emulator of before: it may have been out of reach only, or keep its state by itself."""
        if not self._backend.may_keep_state:
            return False
        return self._is_external if self._session is None else bool(await self._session.holds())

    async def _still_there(self) -> bool:
        """Return whether the emulator answers and holds its state: some servers close idle connections."""
        try:
            holds = None if self._session is None else await self._session.holds()
            return await reachable(self._upstream) if holds is None else holds
        except (OSError, TimeoutError):
            return False

    def _give_up(self, reason: str) -> None:
        _log.error("the emulator keeps ending; it is not started again", reason=reason)
        self._gate.move(ProxyState.FAILED, f"the emulator keeps ending: {reason}")
        raise EmulatorError(f"the emulator keeps ending: {reason}", hint="its last output is above; run it by hand")

    @property
    def _state_without_emulator(self) -> ProxyState:
        return ProxyState.LOST if self._is_external else ProxyState.STARTING


async def end_task(task: asyncio.Task[Any]) -> None:
    """End a task, and raise what it failed with."""
    if not task.done():
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
