"""What can be left out together: rules make proposals, and the largest consistent set of them is carried out.

A proposal says: call n can go, unless one of the calls b1, b2, ... stays. A call without a proposal stays. Proposals may
lean on each other in circles (a queue can go unless its policy stays, which can go unless the queue stays); so all calls
with a proposal are taken to go at first, and are put back as long as a proposal leans on a call that stays: the greatest
fixed point, in time linear in the number of calls and leanings.

Entries of a batch can be dropped for certain only; a batch goes with its last entry.

Beside calls, which have positive numbers, a rule may propose things of its own under negative ones, to lean on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count, islice


@dataclass(frozen=True, slots=True)
class Dropped:
    """A call that is left out. because_of: the number of the call that made it superfluous, 0 where there is none.

    loss: what will be different from the state that was, empty where nothing will. switched_off: a setting says that it
    is not to be restored; nothing else made it superfluous.
    """

    seq: int
    reason: str
    because_of: int = 0
    loss: str = ""
    switched_off: bool = False


@dataclass(frozen=True, slots=True)
class Decided:
    """The decisions. dropped: by number. thinned: the entries (from 0) that a batch loses, by number.

    unconditional: writes, by number and entry (-1: the call itself), that no longer find what their condition was about;
    that they succeeded is known.
    """

    dropped: dict[int, Dropped]
    thinned: dict[int, frozenset[int]]
    unconditional: dict[int, frozenset[int]]

    @property
    def edited(self) -> frozenset[int]:
        """The numbers of the calls that lose something and stay."""
        return frozenset(self.thinned) | frozenset(self.unconditional)

    def edits_of(self, seqs: Iterable[int]) -> Decided:
        """What it does to these of the calls that stay."""
        chosen = frozenset(seqs)
        return Decided(
            {},
            {seq: gone for seq, gone in self.thinned.items() if seq in chosen},
            {seq: entries for seq, entries in self.unconditional.items() if seq in chosen},
        )

    def after(self, earlier: Decided) -> Decided:
        """Both as one. These were made about what `earlier` had left, and count the entries of that."""
        thinned, unconditional = dict(earlier.thinned), dict(earlier.unconditional)
        for seq, gone in self.thinned.items():
            thinned[seq] = thinned.get(seq, _NONE) | _as_before(gone, earlier.thinned.get(seq, _NONE))
        for seq, entries in self.unconditional.items():
            mine = _as_before(entries, earlier.thinned.get(seq, _NONE))
            unconditional[seq] = unconditional.get(seq, _NONE) | mine
        return Decided(self.dropped, thinned, unconditional)


_NONE: frozenset[int] = frozenset()


def _as_before(entries: frozenset[int], gone: frozenset[int]) -> frozenset[int]:
    """As which `entries` of a batch were known before it lost those that are `gone`; -1 stays what it is."""
    if not gone or not entries:
        return entries
    left = list(islice((place for place in count() if place not in gone), max(entries) + 1))
    return frozenset(left[entry] if entry >= 0 else entry for entry in entries)


@dataclass(slots=True)
class _Proposal:
    dropped: Dropped
    unless: tuple[int, ...]


@dataclass(slots=True)
class Decisions:
    """Takes proposals, and decides. Calls are known by their sequence numbers."""

    _certain: dict[int, Dropped] = field(default_factory=dict)
    _proposals: dict[int, list[_Proposal]] = field(default_factory=dict)
    _sizes: dict[int, int] = field(default_factory=dict)
    _entries: dict[int, dict[int, Dropped]] = field(default_factory=dict)
    _unconditional: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))

    def drop(self, seq: int, reason: str, because_of: int = 0, loss: str = "") -> None:
        """The call goes, whatever else is decided. The first reason stands."""
        if seq not in self._certain:
            self._certain[seq] = Dropped(seq, reason, because_of, loss)
            self._proposals.pop(seq, None)
            self._entries.pop(seq, None)

    def propose(self, seq: int, reason: str, because_of: int, unless: Iterable[int]) -> None:
        """The call can go, unless one of `unless` stays."""
        if seq not in self._certain:
            leaning = tuple(sorted({other for other in unless if other != seq and other not in self._certain}))
            self._proposals.setdefault(seq, []).append(_Proposal(Dropped(seq, reason, because_of), leaning))

    def batch(self, seq: int, size: int) -> None:
        """The call is a batch of so many entries, which can go one by one."""
        self._sizes[seq] = size

    def drop_entry(self, seq: int, entry: int, reason: str, because_of: int = 0) -> None:
        """An entry (from 0) of a batch goes; a call that is no batch goes as a whole."""
        size = self._sizes.get(seq)
        if size is None:
            self.drop(seq, reason, because_of)
            return
        if seq in self._certain:
            return
        gone = self._entries.setdefault(seq, {})
        gone.setdefault(entry, Dropped(seq, reason, because_of))
        if len(gone) == size:
            self.drop(seq, reason, because_of)

    def lift_condition(self, seq: int, entry: int = -1) -> None:
        """A conditional write, of which it is known that it succeeded, is to be made unconditional."""
        self._unconditional[seq].add(entry)

    def is_certain(self, seq: int) -> bool:
        """Is it settled that this call goes?"""
        return seq in self._certain

    def decide(self) -> Decided:
        """The largest set of calls that can go together."""
        proposals, leaning_on = self._proposals, defaultdict[int, list[tuple[int, int]]](list)
        valid = {seq: len(mine) for seq, mine in proposals.items()}
        refused: set[tuple[int, int]] = set()
        staying: list[int] = []

        def refuse(seq: int, number: int) -> None:
            if (seq, number) not in refused:
                refused.add((seq, number))
                valid[seq] -= 1
                if not valid[seq]:
                    staying.append(seq)

        for seq, mine in proposals.items():
            for number, proposal in enumerate(mine):
                if any(other not in proposals and other not in self._certain for other in proposal.unless):
                    refuse(seq, number)
                    continue
                for other in proposal.unless:
                    leaning_on[other].append((seq, number))
        while staying:
            for seq, number in leaning_on.pop(staying.pop(), ()):
                refuse(seq, number)
        dropped = dict(self._certain)
        for seq, mine in proposals.items():
            if valid[seq] and seq > 0:
                dropped[seq] = next(each.dropped for number, each in enumerate(mine) if (seq, number) not in refused)
        return Decided(
            dict(sorted(dropped.items())),
            {seq: frozenset(gone) for seq, gone in self._entries.items() if gone and seq not in dropped},
            {seq: frozenset(entries) for seq, entries in self._unconditional.items() if seq not in dropped},
        )
