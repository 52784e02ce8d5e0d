"""The gate: requests pass while the emulator holds its state, and wait while it does not.

Waiting is bounded. A request that has waited too long is answered by a 503 in its own protocol, which AWS SDKs retry.

A request that needs certain services may have to wait although the gate is open, for one of two reasons. Something that the
restore has begun in these services is not ready yet (`background_waits`). Or they come back in parts (`admission`): under the
load strategy ON_REQUEST a request asks for them; under MANUAL it waits only for those that somebody has asked for.
"""

from __future__ import annotations

import asyncio

from replay_proxy.exchange import CallHead, Request
from replay_proxy.proxy.requests.admission import ServiceAdmission
from replay_proxy.proxy.requests.counters import GateWaits
from replay_proxy.proxy.requests.proxy_state import SETTLED, ProxyState, next_state
from replay_proxy.replay.execution.background_waits import BackgroundWaits
from replay_proxy.replay.planning.service_dependencies import services_needed, shows_resource_list
from replay_proxy.wire.signing.credentials import has_session_token


class Gate:
    """Open in state READY, shut otherwise.

    emulator_generation: grows each time the emulator is found to have lost its memory.
    contents_epoch: grows each time the gate is shut: what was read of the emulator before may be gone by now, by a reset, a
    restore or a loss, and is not to be compared with anything, nor recorded.
    before: the state before the present one.
    admission: the restore in parts that is under way; None where the state is back as a whole, or is not wanted.
    background_waits: what a restore has begun and is not ready yet; None where there is nothing.
    waits: counts the waits of requests.
    """

    def __init__(self) -> None:
        self.state = ProxyState.STARTING
        self.reason = ""
        self.emulator_generation = 0
        self.contents_epoch = 0
        self.before = ProxyState.STARTING
        self.admission: ServiceAdmission | None = None
        self.background_waits: BackgroundWaits | None = None
        self.waits = GateWaits()
        self._changed = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether requests pass."""
        return self.state is ProxyState.READY

    @property
    def holds_services_back(self) -> bool:
        """Whether a request may have to wait although the gate is open (`wait_for_services`)."""
        return self.admission is not None or self.background_waits is not None

    @property
    def observed_epoch(self) -> int | None:
        """The epoch of the contents that a look at the emulator sees now; None where they are being emptied or restored.

        A proxy that ends may look once more, unless it ends in the middle of that.
        """
        ends_whole = self.state is ProxyState.STOPPING and self.before is ProxyState.READY
        return self.contents_epoch if self.is_open or ends_whole else None

    def move(self, state: ProxyState, reason: str = "") -> None:
        """Enter `state`, and wake everyone who waits here. A proxy that is stopping stays so.

        Raises:
            ForbiddenTransitionError: `state` may not follow the present one (`proxy_state.TRANSITIONS`).
        """
        if next_state(self.state, state) is state:
            if state is not self.state:
                self.contents_epoch += self.is_open
                self.before = self.state
            self.state, self.reason = state, reason
        self.notify()

    def __repr__(self) -> str:
        behind = [name for name in ("admission", "background_waits") if getattr(self, name) is not None]
        return f"<Gate {self.state.value}{f' ({self.reason})' if self.reason else ''} {' '.join(behind) or 'unrestricted'}>"

    def notify(self) -> None:
        """Wake everyone who waits here, so that they look again: something has changed."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def wait_until_shut(self, seconds: float) -> bool:
        """Wait until the gate is shut, at most `seconds`. Returns whether it is."""
        try:
            async with asyncio.timeout(seconds):
                while self.is_open:
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def wait_until_open(self, seconds: float) -> bool:
        """Wait until the gate is open, at most `seconds`. Returns whether it is; at once where it will not open by itself."""
        try:
            async with asyncio.timeout(seconds):
                while self.state not in SETTLED:
                    await self._changed.wait()
        except TimeoutError:
            return False
        return self.is_open

    async def wait_for_services(self, head: CallHead | None, request: Request, seconds: float) -> bool:
        """Wait, at most `seconds`, until the gate is open and what this request needs is back. Returns whether it is."""
        needed: frozenset[str] | None = None
        known = False
        waiting_since: float | None = None
        try:
            async with asyncio.timeout(seconds):
                while True:
                    if self.state in SETTLED:
                        if not self.is_open or not self.holds_services_back:
                            return self.is_open
                        if not known:
                            needed, known = services_needed(head, request), True
                        # Names alone do not suffice to tell for which account temporary credentials are.
                        listed = None if has_session_token(request) else head
                        if self._is_ready(needed) and self._is_back(needed, listed):
                            return True
                    if waiting_since is None:
                        waiting_since = self.waits.begin()
                    await self._changed.wait()
        except TimeoutError:
            return False
        finally:
            self.waits.end(waiting_since)

    def _is_ready(self, needed: frozenset[str] | None) -> bool:
        pending = frozenset() if self.background_waits is None else self.background_waits.services
        return not pending or (needed is not None and pending.isdisjoint(needed))

    def _is_back(self, needed: frozenset[str] | None, head: CallHead | None) -> bool:
        admission = self.admission
        if admission is None:
            return True
        outlined = admission.outlines(needed) if needed is not None and shows_resource_list(head) else None
        return outlined or (outlined is None and admission.admits(needed))
