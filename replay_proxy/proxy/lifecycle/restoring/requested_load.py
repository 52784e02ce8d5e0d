"""What comes of a load that somebody asks for (`POST /_localstack/state/load`, or of one service).

Nothing is done twice, so it depends on what the emulator holds:

| the emulator | what is done |
|---|---|
| holds everything | nothing |
| holds a part, and a restore in parts is open (ON_REQUEST, MANUAL) | what is missing of that which is asked for |
| has forgotten (its mark is gone: somebody has emptied it) | it is emptied once more; then all that is asked for |
| holds nobody knows what, because a restore has failed | the same |
| was reset by a client, and that was not saved (save strategy MANUAL, or a recording that is only read) | the same |

(It is emptied once more because of the calls that may have come meanwhile: they are recorded, and so are made again.)
A reset that is asked for (`reset`) is the last case, whatever the emulator holds. An emulator that is somebody else's and has no
way to be emptied is restored as it is where it has forgotten; where a restore has failed, that is gone on with.

Before anything is done, the recording is read: from one that is damaged nothing is restored, and nothing is emptied for it. The
emulator itself is only touched by `emulator_recovery`, which carries out one `Renewal` after another.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from replay_proxy import log
from replay_proxy.errors import EmulatorError, ReplayProxyError, UsageError
from replay_proxy.journal.read.reader import read
from replay_proxy.proxy.lifecycle.backend import Emptying
from replay_proxy.proxy.lifecycle.restoring.load_strategy import LoadStrategy
from replay_proxy.proxy.lifecycle.restoring.session_store import SessionStore
from replay_proxy.proxy.requests.gate import Gate
from replay_proxy.proxy.requests.proxy_state import ProxyState
from replay_proxy.replay.execution.reporting.report import ServiceSummary, service_summary
from replay_proxy.supervision import describe_error
from replay_proxy.wire.models.service_names import services_of

_log = log.get("proxy")


class NotNowError(EmulatorError):
    """The emulator, or the proxy, is not there to be asked for anything."""


class EmulatorLostError(NotNowError):
    """The emulator was lost while it was being emptied, or its state restored."""


class UnchangedError(EmulatorError):
    """The emulator refused to be emptied, and holds what it held."""


@contextmanager
def _told() -> Iterator[None]:
    """Log that nothing is loaded, where the recording cannot be read."""
    try:
        yield
    except (ReplayProxyError, OSError) as error:
        hint = error.hint if isinstance(error, ReplayProxyError) else ""
        _log.error("nothing was loaded: the recording cannot be read", reason=describe_error(error), hint=hint)
        raise


def _future() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


class RenewalState(StrEnum):
    """How far a renewal has come."""

    ORDERED = "ordered"
    UNDER_WAY = "under way"
    DONE = "done"
    FAILED = "failed"


ENDED = frozenset({RenewalState.DONE, RenewalState.FAILED})


@dataclass(slots=True, repr=False)
class Renewal:
    """An order to `emulator_recovery`: empty the emulator, and then restore the recorded state.

    reason: for the clients that wait meanwhile. empty: how it is emptied; None where it is restored as it is.
    brings_back: what the emulator holds is to be there again afterwards. begun: set when requests wait for it, or it is over.
    over: done when the renewal is; fails with a `ReplayProxyError`.

        ORDERED ──► UNDER_WAY ──► DONE
           └────────────┴───────► FAILED
    """

    reason: str
    restore: Callable[[], Coroutine[Any, Any, None]]
    empty: Emptying | None
    brings_back: bool = True
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Future[None] = field(default_factory=_future)
    state: RenewalState = RenewalState.ORDERED

    def begin(self) -> None:
        """Note that the renewal is being carried out."""
        self.state = RenewalState.UNDER_WAY
        self.begun.set()

    def fail(self, error: Exception) -> None:
        """End with `error`; without effect on a renewal that has ended."""
        if self.state in ENDED:
            return
        self.state = RenewalState.FAILED
        if not isinstance(error, ReplayProxyError):
            error = EmulatorError(
                f"the recorded state cannot be restored: {describe_error(error)}", hint="the log says more"
            )
        self.begun.set()
        self.over.set_exception(error)
        self.over.exception()  # whoever asked may have left

    def succeed(self) -> None:
        """End well; without effect on a renewal that has ended."""
        if self.state not in ENDED:
            self.state = RenewalState.DONE
            self.begun.set()
            self.over.set_result(None)

    def __repr__(self) -> str:
        return f"<Renewal {self.state.value}: {self.reason}>"


class RequestedLoads:
    """Answers those who ask for a load.

    emptying: how the emulator can be emptied (`Backend.emptying`), given whether by its own reset. patience: seconds that may be
        waited for the gate now.
    external: the emulator is somebody else's.
    renewals: how often the emulator was ordered to hold something else than what was recorded: resets and loads of pods.
    """

    def __init__(
        self,
        loader: LoadStrategy,
        gate: Gate,
        session: SessionStore,
        data_dir: Path,
        emptying: Callable[[bool], Awaitable[Emptying]],
        patience: Callable[[], float],
        *,
        external: bool,
    ) -> None:
        self._loader = loader
        self._gate = gate
        self._session = session
        self._data_dir = data_dir
        self._emptying = emptying
        self._patience = patience
        self._external = external
        self._deciding = asyncio.Lock()
        self._latest: Renewal | None = None
        self._orders: deque[Renewal] = deque()
        self._has_orders = asyncio.Event()
        self.renewals = 0

    # For `emulator_recovery`.

    async def wait_for_renewal(self) -> None:
        """Wait until a renewal is ordered."""
        await self._has_orders.wait()

    def take(self) -> Renewal | None:
        """Return the next renewal that is ordered, if there is one."""
        renewal = self._orders.popleft() if self._orders else None
        if not self._orders:
            self._has_orders.clear()
        return renewal

    async def stop(self) -> None:
        """Refuse the renewals that are left: nobody carries them out any more."""
        while (renewal := self.take()) is not None:
            renewal.fail(_away("the proxy is being stopped"))

    # What others ask.

    async def load(
        self, service: str = "", *, reset: bool = False, by_own_reset: bool = False, tells_begin: bool = False
    ) -> AsyncIterator[ServiceSummary]:
        """Restore a service with what it needs, or everything (empty). Yield the summary of each service that is back.

        reset: whether the emulator is emptied before. by_own_reset: whether it then resets itself, where it can.
        tells_begin: yield a summary with the status `begun` first, as soon as requests wait for what is restored.

        Raises:
            UnknownServiceError: there is no such service. UsageError: what is asked for cannot be done.
            NotNowError: the emulator is away, or the proxy is being stopped. RecordingError, StorageError: the recording
            cannot be read. EmulatorError: the restore failed.
        """
        names = services_of(service, await self._recorded()) if service else None
        if names is None:
            await self._check()
        if service and reset:
            raise UsageError(
                "one service cannot be reset alone: others refer to what it holds; nothing was done",
                hint="POST /_localstack/state/load?reset=1 resets and restores everything",
            )
        lines: asyncio.Queue[ServiceSummary | None] = asyncio.Queue()
        renewal = await self._decide(names, lines.put_nowait, reset=reset, by_own_reset=by_own_reset)
        seen: set[object] = set()
        if renewal is not None:
            renewal.over.add_done_callback(lambda _over: lines.put_nowait(None))
            if tells_begin:
                await renewal.begun.wait()
                yield {"status": "begun"}
            while (line := await lines.get()) is not None:
                seen.add(line["service"])
                yield line
            await asyncio.shield(renewal.over)  # it goes on for others where this client leaves
        async for line in self._follow(names):
            if line["service"] not in seen:
                seen.add(line["service"])
                yield line
        await self._loader.marked()  # who empties the emulator after the answer, and asks again, is to be noticed
        if not seen:
            yield {"service": service, "status": "ok", "restored": 0, "calls": 0} if service else {"status": "ok"}

    async def _recorded(self) -> frozenset[str]:
        """Return the services of which something is recorded. Raises RecordingError, StorageError."""
        with _told():
            found = await asyncio.to_thread(read, self._data_dir)
        return frozenset(what.service for what in found.index.call_types)

    async def _check(self) -> None:
        """See whether the recording can be restored. Raises as `_recorded`."""
        with _told():
            await self._loader.recorded.check()

    async def _decide(
        self, names: frozenset[str] | None, tell: Callable[[ServiceSummary], None], *, reset: bool, by_own_reset: bool
    ) -> Renewal | None:
        """Order a renewal where one is needed, and return it. Waits until the emulator is there, and nobody else renews it."""
        async with self._deciding:
            await self._wait_until_renewed()
            failed = self._gate.state is ProxyState.FAILED
            await self._loader.marked()
            reset = reset or self._loader.recorded.is_reset_unsaved
            if not reset and not failed and await self._holds():
                return None
            renewal = await self._renewal(names, tell, reset=reset, failed=failed, by_own_reset=by_own_reset)
            self._order(renewal)
            return renewal

    async def carry_out(self, renewal: Renewal) -> None:
        """Have a reset or the load of a pod carried out, after what was ordered before it.

        It goes on where the caller is cancelled.

        Raises:
            NotNowError: the emulator is away, or the proxy is being stopped. Others: what the renewal failed with.
        """
        async with self._deciding:
            await self._wait_until_renewed()
            self.renewals += 1
            self._order(renewal)
        await asyncio.shield(renewal.over)

    @property
    def restore_failed(self) -> bool:
        """Whether requests are refused, since the recorded state could not be restored."""
        return self._gate.state is ProxyState.FAILED

    async def wait_until_back(self) -> None:
        """Wait until the emulator is there with its state, after a renewal that failed. Raises NotNowError."""
        await self._wait_until_renewed()

    async def _wait_until_renewed(self) -> None:
        """Wait until the emulator is there, and nobody renews it. Raises NotNowError."""
        while True:
            await self._wait_until_open()
            latest = self._latest
            if latest is None or latest.over.done():
                return
            await asyncio.wait({latest.over})

    def _order(self, renewal: Renewal) -> None:
        self._latest = renewal
        self._orders.append(renewal)
        self._has_orders.set()

    async def _holds(self) -> bool:
        """Return whether the emulator still holds what was restored into it; True where that cannot be told."""
        try:
            if self._session.marked or (self._external and self._loader.staged is None):
                return await self._session.holds() is not False
            return True
        except OSError as error:
            raise _away(describe_error(error)) from error

    async def _renewal(
        self,
        names: frozenset[str] | None,
        tell: Callable[[ServiceSummary], None],
        *,
        reset: bool,
        failed: bool,
        by_own_reset: bool,
    ) -> Renewal:
        async def everything() -> None:
            await self._loader.restore(tell)

        in_parts = names is not None or self._loader.is_on_request
        restore = self._loader.restore_on_request if in_parts else everything
        reason = "the emulator is being emptied, and the recorded state restored"
        back = not self._loader.recorded.goes_back
        try:
            return Renewal(reason, restore, await self._emptying(by_own_reset), brings_back=back)
        except UsageError as error:
            if reset:
                raise
            _log.warning(error.message.removesuffix("; nothing was done"), hint=error.hint)
            return Renewal("the recorded state is being restored", self._loader.go_on if failed else restore, None)
        except OSError as error:
            raise _away(describe_error(error)) from error

    async def _follow(self, names: frozenset[str] | None) -> AsyncIterator[ServiceSummary]:
        """Ask the restore in parts that is open, if one is. Yield the summary of each service that is back."""
        while (staged := self._loader.staged) is not None:
            wanted = staged.services(names)
            if staged.is_complete:
                return
            staged.ask(wanted)
            self._gate.notify()
            async for name in staged.follow(wanted):
                yield service_summary(staged.report, name)
            if staged.ask(wanted):
                return
            await self._loader.ended()
            # It was given up. Where the emulator was lost, there will be another one; else the state says why.
            await self._wait_until_open()
            if self._gate.state is ProxyState.FAILED or self._loader.staged is staged:
                if isinstance(self._loader.failure, OSError):
                    raise _away(self._gate.reason)
                raise EmulatorError(
                    self._gate.reason or "the restore ended before everything was back",
                    hint="the log says more; POST /_localstack/state/load tries again",
                )

    async def _wait_until_open(self) -> None:
        """Wait until the gate is open, or a restore has failed. Raises NotNowError where neither comes in time."""
        await self._gate.wait_until_open(self._patience())
        if self._gate.state not in (ProxyState.READY, ProxyState.FAILED):
            raise _away(self._gate.reason or f"the proxy is {self._gate.state.value}")


def _away(reason: str) -> NotNowError:
    return NotNowError(
        f"the emulator can be given no other state now: {reason}", hint="ask again when /_replay/status says `ready`"
    )
