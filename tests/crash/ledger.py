"""What clients were told: for each thing that they write, the values that it may have now.

A write that is under way allows the old value and the new one; once it is acknowledged, the new one alone. After a
crash whatever is found must be allowed, and is from then on the one value that is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

ABSENT = ""


@dataclass
class Ledger:
    """attempted, acknowledged: writes."""

    attempted: int = 0
    acknowledged: int = 0
    _allowed: dict[str, set[str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def write(self, thing: str, value: str) -> Iterator[None]:
        """Around one write; who leaves it without an exception was acknowledged."""
        with self._lock:
            self._allowed.setdefault(thing, {ABSENT}).add(value)
            self.attempted += 1
        yield
        with self._lock:
            self._allowed[thing] = {value}
            self.acknowledged += 1

    def violations(self, found: Mapping[str, str], *, settle: bool = True) -> list[str]:
        """Compare with what is there; what is wrong, a line each.

        settle: what is found of an unacknowledged write is what it is from now on. Not where an emulator lives on without
        the proxy: it may have carried out what nobody has recorded, and forgets that when it ends.
        """
        out = []
        for thing in sorted({*self._allowed, *found}):
            value = found.get(thing, ABSENT)
            allowed = self._allowed.get(thing, {ABSENT})
            if value not in allowed:
                out.append(f"{thing}: found {value!r}, allowed {sorted(allowed)}")
            if settle:
                self._allowed[thing] = {value}
        return out


def merged(ledgers: Iterable[Ledger]) -> tuple[int, int]:
    """Attempted and acknowledged writes of all."""
    ledgers = list(ledgers)
    return sum(each.attempted for each in ledgers), sum(each.acknowledged for each in ledgers)
