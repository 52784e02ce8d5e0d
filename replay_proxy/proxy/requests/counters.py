"""Counts what the proxy has seen since it started, for `/_replay/status` and `/_replay/metrics`, also what is not recorded."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Counters:
    """Requests by what became of them, most of them by service.

    recorded: changes that are in the journal. reads, transient: known calls that are not worth recording. refused: changes
    that the emulator refused. switched_off: changes that a setting leaves out of the recording. unrecognised: forwarded, but no
    known AWS API call, and so not recorded. unavailable: answered with a 503 by the proxy itself, and counted beside these;
    the service is "" where it is not known.
    """

    recorded: Counter[str] = field(default_factory=Counter)
    reads: Counter[str] = field(default_factory=Counter)
    transient: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    switched_off: Counter[str] = field(default_factory=Counter)
    unrecognised: int = 0
    unavailable: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """Return the counters for `/_replay/status`."""
        return {
            "recorded": self.recorded.total(),
            "reads": self.reads.total(),
            "transient": self.transient.total(),
            "refused": self.refused.total(),
            "switched_off": self.switched_off.total(),
            "switched_off_by_service": dict(sorted(self.switched_off.items())),
            "unrecognised": self.unrecognised,
            "unavailable": self.unavailable.total(),
            "recorded_by_service": dict(sorted(self.recorded.items())),
        }


@dataclass(slots=True)
class GateWaits:
    """Waits of requests at the gate.

    begun: so many have begun. seconds: what those that have ended took together. under_way: so many wait now.
    """

    begun: int = 0
    seconds: float = 0.0
    under_way: int = 0

    def begin(self) -> float:
        """Note that a request waits. Returns what `end` is to be given."""
        self.begun += 1
        self.under_way += 1
        return time.monotonic()

    def end(self, begun_at: float | None) -> None:
        """Note that a request waits no more. begun_at: what `begin` returned; None where the request has not waited."""
        if begun_at is not None:
            self.under_way -= 1
            self.seconds += time.monotonic() - begun_at
