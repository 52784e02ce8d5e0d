"""The gate: requests pass while the emulator holds its state, and wait while it does not.

Waiting is bounded. Who has waited too long gets a 503 in their own protocol, which AWS SDKs retry.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum


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
    """

    def __init__(self) -> None:
        self.state = State.STARTING
        self.reason = ""
        self.life = 0
        self._changed = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """True when requests pass."""
        return self.state is State.READY

    def move(self, state: State, reason: str = "") -> None:
        """Enter `state`; whoever waits looks again."""
        self.state, self.reason = state, reason
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
