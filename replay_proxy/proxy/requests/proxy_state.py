"""The states of a running proxy, and which may follow which.

    STARTING ──► RESTORING ──► READY ──► (the emulator is lost) STARTING or LOST ──► RESTORING ──► READY ...

A managed emulator that is lost is started again, so the proxy is STARTING then. An external emulator is waited for: LOST.

| state | requests | who leaves it, and when |
|---|---|---|
| STARTING | wait | the lifecycle, when the emulator answers, or keeps ending |
| RESTORING | wait | the lifecycle, when the state is back, cannot be brought back, or the emulator is lost |
| READY | pass | the lifecycle, on a loss, on a load that empties the emulator, on a restore in parts that fails |
| LOST | wait for `--lost-timeout` at most | the lifecycle, when the emulator answers again |
| FAILED | 503 at once, with the reason | the lifecycle, for a load, or on a loss; never directly to READY |
| STOPPING | 503 at once | nobody: the process ends |
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class ProxyState(StrEnum):
    """What the proxy is doing; shown by `/_replay/status`.

    STARTING: waiting for the emulator to answer. RESTORING: putting the recorded state back. READY: requests pass.
    LOST: the emulator went away, and is being waited for. FAILED: the state cannot be brought back; requests get a
    503 at once. STOPPING: requests under way end, new ones are refused.
    """

    STARTING = "starting"
    RESTORING = "restoring"
    READY = "ready"
    LOST = "lost"
    FAILED = "failed"
    STOPPING = "stopping"


SETTLED = frozenset({ProxyState.READY, ProxyState.FAILED, ProxyState.STOPPING})
"""States in which waiting makes no sense."""

_S = ProxyState
TRANSITIONS: Mapping[ProxyState, frozenset[ProxyState]] = MappingProxyType(
    {
        _S.STARTING: frozenset({_S.RESTORING, _S.READY, _S.LOST, _S.FAILED, _S.STOPPING}),
        _S.RESTORING: frozenset({_S.READY, _S.STARTING, _S.LOST, _S.FAILED, _S.STOPPING}),
        _S.READY: frozenset({_S.RESTORING, _S.STARTING, _S.LOST, _S.FAILED, _S.STOPPING}),
        _S.LOST: frozenset({_S.RESTORING, _S.READY, _S.FAILED, _S.STOPPING}),
        _S.FAILED: frozenset({_S.RESTORING, _S.STARTING, _S.LOST, _S.STOPPING}),
        _S.STOPPING: frozenset(),
    }
)
"""The states that may follow each state. A state may always be entered anew, with another reason."""


class ForbiddenTransitionError(RuntimeError):
    """A fault of this program: `TRANSITIONS` does not allow the move."""


def next_state(now: ProxyState, wanted: ProxyState) -> ProxyState:
    """Return the state after a move from `now` to `wanted`.

    That is `wanted`; only a proxy that is stopping stays so, whatever the tasks say that are ended with it.

    Raises:
        ForbiddenTransitionError: `wanted` may not follow `now`.
    """
    if now is ProxyState.STOPPING:
        return now
    if wanted is not now and wanted not in TRANSITIONS[now]:
        raise ForbiddenTransitionError(f"the proxy cannot go from {now.value} to {wanted.value}")
    return wanted
