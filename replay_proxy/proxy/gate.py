"""The gate: requests pass while the emulator holds its state, and wait while it does not.

Waiting is bounded. Who has waited too long gets a 503 in their own protocol, which AWS SDKs retry.

Behind an open gate a request may still have to wait for the services that it needs: of which something that the restore began
is not done yet (`settling`), or which come back in parts (`staged`).
Under the load strategy ON_REQUEST a request asks for them; under MANUAL it waits only for what somebody asked for.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum

from replay_proxy.exchange import CallHead, Request
from replay_proxy.proxy.staged import StagedRestore
from replay_proxy.replay.relatives import needs_outline, services_needed
from replay_proxy.replay.settling import Settling


class State(StrEnum):
    """What the proxy is doing; shown by `/_replay/status`.

    STARTING: waiting for the emulator to answer. RESTORING: putting the recorded state back. READY: requests pass.
    LOST: the emulator went away, and is being waited for. FAILED: the emulator cannot be brought back; requests get a
    503 at once. STOPPING: requests under way end, new ones are refused.
    """

    STARTING = "starting"
    RESTORING = "restoring"
    READY = "ready"
    LOST = "lost"
    FAILED = "failed"
    STOPPING = "stopping"


SETTLED = frozenset({State.READY, State.FAILED, State.STOPPING})
"""States in which waiting makes no sense."""


class Gate:
    """Open in state READY, shut otherwise.

    life: counts how often the emulator was found to have lost its memory.
    staged: the restore in parts that is under way, None where the state is back as a whole (or not wanted).
    settling: what a restore has begun, None where all of that is done.
    """

    def __init__(self) -> None:
        self.state = State.STARTING
        self.reason = ""
        self.life = 0
        self.staged: StagedRestore | None = None
        self.settling: Settling | None = None
        self._changed = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """True when requests pass."""
        return self.state is State.READY

    @property
    def holds_some(self) -> bool:
        """Might a request have to wait though the gate is open (`admission`)?"""
        return self.staged is not None or self.settling is not None

    def move(self, state: State, reason: str = "") -> None:
        """Enter `state`; whoever waits looks again."""
        self.state, self.reason = state, reason
        self.stir()

    def stir(self) -> None:
        """Something has changed; whoever waits looks again."""
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def shut(self, seconds: float) -> bool:
        """Wait until the gate is not open, at most `seconds`; is it shut?"""
        try:
            async with asyncio.timeout(seconds):
                while self.is_open:
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def passage(self, seconds: float) -> bool:
        """Wait until the gate is open, at most `seconds`; False when it is not (or will not be)."""
        try:
            async with asyncio.timeout(seconds):
                while self.state not in SETTLED:
                    await self._changed.wait()
        except TimeoutError:
            return False
        return self.is_open

    async def admission(self, head: CallHead | None, request: Request, seconds: float) -> bool:
        """Wait, at most `seconds`, until what this request needs is back (and the gate is open); False when it is not."""
        needed: frozenset[str] | None = None
        known = False
        try:
            async with asyncio.timeout(seconds):
                while True:
                    if self.state in SETTLED:
                        if not self.is_open or not self.holds_some:
                            return self.is_open
                        if not known:
                            needed, known = services_needed(head, request), True
                        if self._is_settled(needed) and self._is_back(needed, head):
                            return True
                    await self._changed.wait()
        except TimeoutError:
            return False

    def _is_settled(self, needed: frozenset[str] | None) -> bool:
        settling = frozenset() if self.settling is None else self.settling.services
        return not settling or (needed is not None and settling.isdisjoint(needed))

    def _is_back(self, needed: frozenset[str] | None, head: CallHead | None) -> bool:
        staged = self.staged
        if staged is None:
            return True
        outlined = staged.outlines(needed) if needed is not None and needs_outline(head) else None
        return outlined or (outlined is None and staged.admits(needed))
