"""How often is looked at what nothing is known to have happened to: so seldom that it takes a small share of the time.

Where looks have found nothing for a while, it is looked more seldom yet, until one finds something again.
"""

from __future__ import annotations

from typing import Final

QUIET_LOOKS: Final = 4
"""Looks in a row that find nothing, until the time between two of them is doubled."""
DOUBLED_MAX: Final = 2
"""How often it is doubled at most."""


class Pace:
    """share: percent of the time that such looks may take, in all. interval_s: between two at least, in seconds."""

    def __init__(self, share: int, interval_s: float) -> None:
        self._share = share
        self._interval_s = interval_s
        self._due_at = 0.0
        self._quiet = 0

    def is_due(self, now: float) -> bool:
        """Return whether it is time. now: by a clock that only grows, in seconds."""
        return self._share > 0 and now >= self._due_at

    def note(self, now: float, took_s: float, *, found: bool) -> None:
        """Note that looks have ended, how long the emulator worked on them, in seconds, and whether they found anything."""
        self._quiet = 0 if found else self._quiet + 1
        rest = took_s * (100 / self._share - 1) if self._share else 0.0
        self._due_at = now + max(self._interval_s, rest * 2 ** min(self._quiet // QUIET_LOOKS, DOUBLED_MAX))

    def hurry(self) -> None:
        """Look as soon as possible: nothing is known."""
        self._due_at = 0.0
        self._quiet = 0
