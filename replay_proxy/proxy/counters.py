"""What the proxy has seen since it started, for `/_replay/status`. What is not recorded is counted, too."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Counters:
    """Requests by what became of them.

    recorded: state changes in the journal. reads, transient: recognised, and not worth recording. refused: the emulator
    gave an error, so nothing changed. switched_off: state changes that a setting leaves out of the recording, in all and by
    service. unrecognised: no AWS API call that we know; forwarded, not recorded. unavailable:
    answered with a 503 by the proxy itself.
    """

    recorded: int = 0
    reads: int = 0
    transient: int = 0
    refused: int = 0
    switched_off: Counter[str] = field(default_factory=Counter)
    unrecognised: int = 0
    unavailable: int = 0
    by_service: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """For `/_replay/status`; `by_service` counts recorded calls."""
        return {
            "recorded": self.recorded,
            "reads": self.reads,
            "transient": self.transient,
            "refused": self.refused,
            "switched_off": self.switched_off.total(),
            "switched_off_by_service": dict(sorted(self.switched_off.items())),
            "unrecognised": self.unrecognised,
            "unavailable": self.unavailable,
            "recorded_by_service": dict(sorted(self.by_service.items())),
        }
