"""Which times in answers are looked at: those of a restore, those that were reckoned from it, and those that are paired."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from math import floor

from replay_proxy.identifiers.rewriting.times.moments import CLOCK_SLACK_S, Moment, Pair
from replay_proxy.identifiers.rewriting.times.time_texts import FORMS, parse_time, prefixes_between

HOUR_S = 3600
_FAR_PREFIXES_MAX = 64
"""Times outside of the restore that are paired, as texts that are looked for; with more, every time is looked at."""
# (Each begins with its literal, which makes the search for it fast.)
_EPOCH = re.compile(rb":\s?\"?(\d{10})(?:\d{3})?(?!\d)")
_CLOCK = re.compile(rb"T\d\d:(\d\d):(\d\d)")


class SoughtTimes:
    """The time from the first to the last moment of a restore, and single times outside of it. ended: of the last one."""

    def __init__(self) -> None:
        self.ended = 0.0
        self._begun = float("inf")
        self._has_moments = False
        self._far: set[int] = set()
        self._time_prefixes: tuple[bytes, ...] | None = None
        self._far_prefixes: tuple[bytes, ...] | None = None

    def add_moment(self, moment: Moment) -> None:
        """Look for the times of a moment, too; and for those that were reckoned from it, where it surely made a change."""
        self._has_moments = self._has_moments or not moment.aside
        if moment.begun < self._begun or moment.ended > self.ended:
            self._begun, self.ended = min(self._begun, moment.begun), max(self.ended, moment.ended)
            self._time_prefixes = None

    def add_pair(self, pair: Pair) -> None:
        """Look for the time that the emulator shows, too."""
        self._far.add(floor(pair.emulator))
        self._far_prefixes = None

    def may_be_in(self, data: bytes) -> bool:
        """Return whether these bytes could hold a time of the restore: quick, not exact."""
        return self._shows_restore(data) or (bool(self._far) and self._shows_pair(data)) or self._shows_distance(data)

    def _shows_restore(self, data: bytes) -> bool:
        if not self.ended:
            return False
        prefixes = self._time_prefixes
        if prefixes is None:
            prefixes = self._time_prefixes = prefixes_between(self._begun - CLOCK_SLACK_S, self.ended + CLOCK_SLACK_S)
        return any(prefix in data for prefix in prefixes)

    def _shows_pair(self, data: bytes) -> bool:
        prefixes = self._far_prefixes
        if prefixes is None:
            prefixes = self._far_prefixes = self._prefixes_of_pairs()
        return any(prefix in data for prefix in prefixes)

    def _prefixes_of_pairs(self) -> tuple[bytes, ...]:
        far = [second for second in self._far if not self.is_in_window(second)]
        if len(far) > _FAR_PREFIXES_MAX:
            return (b"",)
        found: set[bytes] = set()
        for second in far:
            when = datetime.fromtimestamp(second, UTC)
            found |= {str(second).encode(), *(when.strftime(form).encode() for form in FORMS)}
        return tuple(found)

    def _shows_distance(self, data: bytes) -> bool:
        """Return whether a time in `data` may lie whole hours away from the restore."""
        if not self._has_moments:
            return False
        begun, width = self._begun - CLOCK_SLACK_S, self.ended - self._begun + 2 * CLOCK_SLACK_S
        if width >= HOUR_S:
            return True
        return any((int(match[1]) + 1 - begun) % HOUR_S <= width + 1 for match in _EPOCH.finditer(data)) or any(
            (int(match[1]) * 60 + int(match[2]) + 1 - begun) % HOUR_S <= width + 1 for match in _CLOCK.finditer(data)
        )

    def is_in_window(self, seconds: float) -> bool:
        """Return whether a time, in seconds since 1970, lies in the moments in which things were made again."""
        return self._begun - CLOCK_SLACK_S < seconds <= self.ended + CLOCK_SLACK_S

    def may_be(self, text: str) -> bool:
        """Return whether a text is a time in the restore, whole hours away from it, or one that is paired."""
        seconds = parse_time(text)
        if seconds is None:
            return False
        if self.is_in_window(seconds) or floor(seconds) in self._far:
            return True
        return self._has_moments and self.is_in_window(seconds - self.distance(seconds))

    def distance(self, seconds: float) -> float:
        """Return the whole hours by which a time lies outside of the restore."""
        return round((seconds - self.ended) / HOUR_S) * HOUR_S
