"""A set of strings that holds 8 bytes of each, and never more than a bound.

Of each string a hash of 64 bits is kept, in a table with open addressing. Two strings with the same hash cannot be told apart:
with a million strings in the set, another string is taken for one of them with a probability of 1 to 2 x 10^13.

The set has two generations. When the young one is full, it becomes the old one, the old one is forgotten, and a new young one
begins. A string that is asked for and found in the old generation is added to the young one. So strings that nobody asks for are
forgotten first.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable

SLOT_BYTES = 8
_FIRST_SLOTS = 1 << 10
_HASH = (1 << 64) - 1


class _Generation:
    """A table of hashes. Its slots are a power of two; an empty one is 0."""

    __slots__ = ("_mask", "_slots", "count")

    def __init__(self, slots: int) -> None:
        self._slots = array("Q", (0,)) * slots
        self._mask = slots - 1
        self.count = 0

    @property
    def slots(self) -> int:
        return self._mask + 1

    @property
    def is_full(self) -> bool:
        """Whether three of four slots are taken."""
        return self.count * 4 >= self.slots * 3

    def add(self, key: int) -> bool:
        """Add `key`; return whether it was new."""
        slots, mask = self._slots, self._mask
        at = key & mask
        while found := slots[at]:
            if found == key:
                return False
            at = (at + 1) & mask
        slots[at] = key
        self.count += 1
        return True

    def __contains__(self, key: int) -> bool:
        slots, mask = self._slots, self._mask
        at = key & mask
        while found := slots[at]:
            if found == key:
                return True
            at = (at + 1) & mask
        return False

    def doubled(self) -> _Generation:
        """Return the same hashes in a table of twice the size."""
        made = _Generation(2 * self.slots)
        for key in self._slots:
            if key:
                made.add(key)
        return made


class Fingerprints:
    """A bounded set of byte strings. Use it from one thread at a time.

    bytes_max: of both generations together; a power of two. While a table is doubled there is half of it more.
    """

    def __init__(self, bytes_max: int) -> None:
        self._slots_max = bytes_max // (2 * SLOT_BYTES)
        assert self._slots_max >= _FIRST_SLOTS and not self._slots_max & (self._slots_max - 1), bytes_max
        self._young = _Generation(_FIRST_SLOTS)
        self._old = _Generation(_FIRST_SLOTS)

    @property
    def bytes_held(self) -> int:
        """The size of both tables, in bytes."""
        return (self._young.slots + self._old.slots) * SLOT_BYTES

    def __len__(self) -> int:
        """Return how many hashes are held; those in both generations count twice."""
        return self._young.count + self._old.count

    def update(self, strings: Iterable[bytes]) -> None:
        """Add `strings`."""
        for string in strings:
            self._add(_key(string))

    def missing(self, strings: Iterable[bytes]) -> list[bytes]:
        """Return those of `strings` that are not in the set."""
        found = []
        for string in strings:
            key = _key(string)
            if key in self._young:
                continue
            if key in self._old:
                self._add(key)
            else:
                found.append(string)
        return found

    def _add(self, key: int) -> None:
        if self._young.add(key) and self._young.is_full:
            if self._young.slots < self._slots_max:
                self._young = self._young.doubled()
            else:
                self._old, self._young = self._young, _Generation(_FIRST_SLOTS)


def _key(string: bytes) -> int:
    return (hash(string) & _HASH) or 1
