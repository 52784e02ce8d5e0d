"""Which requests are held while the gate is open: what a restore in parts has not brought back, and what is not ready yet.

A restore as a whole shuts the gate. Afterwards requests pass, but for those that need what it has begun and what settles for a
while (a function that is pending). While a restore in parts is open, each request is admitted by that. Both end with the restore,
or when it is given up; then all requests pass, and what reads show of the recorded state is watched again.
"""

from __future__ import annotations

import time

from replay_proxy import log
from replay_proxy.proxy.lifecycle.restoring.staged_restore import StagedRestore
from replay_proxy.proxy.requests.gate import Gate
from replay_proxy.proxy.requests.journaling.witness_watcher import WitnessWatcher
from replay_proxy.replay.execution.background_waits import BackgroundWaits
from replay_proxy.replay.execution.reporting.report import RestoreReport

_log = log.get("proxy")


class HeldRequests:
    """Tells the gate what to hold. watch: it pauses while a restore in parts is open; None where nothing is recorded.

    staged: the restore in parts that is open; None where the state is back as a whole, or is not wanted.
    """

    def __init__(self, gate: Gate, watch: WitnessWatcher | None) -> None:
        self._gate = gate
        self._watch = watch
        self.staged: StagedRestore | None = None

    def by_waits(self, settling: BackgroundWaits) -> None:
        """Hold, once the gate is open, what needs something that a restore as a whole has begun and that is not ready."""
        self._gate.background_waits = settling

    async def until_settled(self, settling: BackgroundWaits, report: RestoreReport, begun: float) -> None:
        """Wait until everything is ready. begun: when the restore began, by the monotonic clock."""
        try:
            for service in settling.services:
                _log.debug("something is not ready yet; requests that need it wait", service=service)
            await settling.finish()
            report.settled = time.monotonic() - begun
        finally:
            self._gate.background_waits = None
            self._gate.notify()

    def by_parts(self, staged: StagedRestore) -> None:
        """Hold what needs parts that are not back yet."""
        if self._watch is not None:
            self._watch.pause()
        self._admit_by(staged)

    def pass_if_complete(self, staged: StagedRestore) -> None:
        """Let all requests pass, where this restore in parts is still the open one, and has brought back everything."""
        if self.staged is staged and staged.is_complete:
            self._admit_by(None)
            if self._watch is not None:
                self._watch.resume()
            self._gate.notify()

    async def stop(self, *, for_good: bool) -> None:
        """Give up what is held for: a restore in parts, and what settles.

        for_good: the proxy ends, and what the recording explains is never known.
        """
        if self._gate.background_waits is not None:
            await self._gate.background_waits.stop()
            self._gate.background_waits = None
            self._gate.notify()
        if self.staged is not None:
            await self.staged.stop()
            self._admit_by(None)
            self._gate.notify()
        if not for_good and self._watch is not None:
            self._watch.resume()

    def _admit_by(self, staged: StagedRestore | None) -> None:
        self.staged = self._gate.admission = staged
