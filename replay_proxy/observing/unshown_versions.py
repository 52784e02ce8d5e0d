"""Versions of objects that recorded calls must have made, though their answers named none.

One emulator makes a delete marker where another makes none (of a key that was never there), or does not name it. A recording of
the one, restored on the other, brings such markers with it. Made once more by an observation, there would be one more after each
restore. So in a bucket that keeps versions, each write whose answer named no version explains one version that is found there: of
the same contents, and no younger than what the recording tells.
"""

from __future__ import annotations

from dataclasses import dataclass

_Kind = tuple[str, bytes]
"""The key of an object, and the print of the version."""


@dataclass(slots=True)
class _Count:
    covered: int = 0
    latest: int = 0


class UnshownVersions:
    """Counts them for one bucket."""

    def __init__(self) -> None:
        self._is_versioned = False
        self._counts: dict[str, dict[bytes, _Count]] = {}
        self._explained: dict[str, tuple[_Kind, bool]] = {}

    def see_versioning(self, *, enabled: bool) -> None:
        """Note that the bucket keeps versions from now on, or no longer."""
        self._is_versioned = enabled

    def see_write(self, key: str, tag: bytes, *, shown: bool) -> bool:
        """Take in a write without a version of its own; tell whether it made a version that its answer does not name.

        shown: its answer names the version.
        """
        if shown:
            self._is_versioned = True
        for count in self._counts.get(key, {}).values():
            count.covered, count.latest = count.covered + count.latest, 0
        if shown or not self._is_versioned:
            return False
        self._counts.setdefault(key, {}).setdefault(tag, _Count()).latest += 1
        return True

    def explains(self, part: str, key: str, tag: bytes, *, is_latest: bool) -> bool:
        """Return whether a version that is found, and that no call shows, is of such a write. Each write explains one."""
        count = self._counts.get(key, {}).get(tag)
        if count is None or not (count.latest or (count.covered and not is_latest)):
            return False
        was_latest = bool(count.latest) and (is_latest or not count.covered)
        if was_latest:
            count.latest -= 1
        else:
            count.covered -= 1
        self._explained[part] = (key, tag), was_latest
        return True

    def begin_generation(self) -> list[str]:
        """Forget what was explained, since a restore makes these versions anew; return their parts."""
        parts = list(self._explained)
        for (key, tag), was_latest in self._explained.values():
            count = self._counts.setdefault(key, {}).setdefault(tag, _Count())
            if was_latest:
                count.latest += 1
            else:
                count.covered += 1
        self._explained.clear()
        return parts

    def clear(self) -> None:
        """Note that the bucket is gone."""
        self._is_versioned = False
        self._counts.clear()
        self._explained.clear()
