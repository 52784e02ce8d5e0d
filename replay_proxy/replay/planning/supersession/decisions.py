"""Which calls can be left out together: rules make proposals, and the largest consistent set of them is superseded.

A proposal says: call n is superseded, unless one of the calls b1, b2, ... stays. A call without a proposal stays. Proposals may
depend on each other in circles (a queue can go unless its policy stays, which can go unless the queue stays). So at first all
calls with a proposal are taken to go. Then those are put back whose every proposal depends on a call that stays, until nothing
changes: the greatest fixed point, in time linear in the number of calls and of dependencies.

Entries of a batch can only be superseded for certain; a batch goes with its last entry.

Calls have positive numbers. A rule may propose things of its own under negative numbers, for other proposals to depend on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count, islice


@dataclass(frozen=True, slots=True)
class Omission:
    """A call that a restore leaves out.

    because_of: the number of the call that superseded it; 0 where there is none. loss: what will differ from the state that
    was; empty where nothing will. switched_off: it is not superseded, but a setting says that it is not to be restored.
    answered: it is not superseded, but is not to be made again; the proxy answers from it.
    """

    seq: int
    reason: str
    because_of: int = 0
    loss: str = ""
    switched_off: bool = False
    answered: bool = False


@dataclass(frozen=True, slots=True)
class PlanEdits:
    """What a plan takes out of a recording, by the numbers of calls.

    superseded: the calls that go. removed_entries: the entries (from 0) that batches lose. lifted_conditions: by call, the
    entries (-1: the call itself) whose conditions are removed. They no longer find what their condition was about, and are
    known to have succeeded.
    """

    superseded: dict[int, Omission]
    removed_entries: dict[int, frozenset[int]]
    lifted_conditions: dict[int, frozenset[int]]

    @property
    def edited(self) -> frozenset[int]:
        """The numbers of the calls that stay and lose something."""
        return frozenset(self.removed_entries) | frozenset(self.lifted_conditions)

    def edits_of(self, seqs: Iterable[int]) -> PlanEdits:
        """Return what it does to some of the calls that stay."""
        chosen = frozenset(seqs)
        return PlanEdits(
            {},
            {seq: gone for seq, gone in self.removed_entries.items() if seq in chosen},
            {seq: entries for seq, entries in self.lifted_conditions.items() if seq in chosen},
        )

    def after(self, earlier: PlanEdits) -> PlanEdits:
        """Return both as one. This was decided about what `earlier` had left, and counts the entries of that."""
        removed_entries, unconditional = dict(earlier.removed_entries), dict(earlier.lifted_conditions)
        for seq, gone in self.removed_entries.items():
            removed_entries[seq] = removed_entries.get(seq, _NONE) | _as_before(
                gone, earlier.removed_entries.get(seq, _NONE)
            )
        for seq, entries in self.lifted_conditions.items():
            mine = _as_before(entries, earlier.removed_entries.get(seq, _NONE))
            unconditional[seq] = unconditional.get(seq, _NONE) | mine
        return PlanEdits(self.superseded, removed_entries, unconditional)


_NONE: frozenset[int] = frozenset()


def _as_before(entries: frozenset[int], gone: frozenset[int]) -> frozenset[int]:
    """Return the numbers that `entries` of a batch had before it lost those that are `gone`; -1 stays what it is."""
    if not gone or not entries:
        return entries
    left = list(islice((place for place in count() if place not in gone), max(entries) + 1))
    return frozenset(left[entry] if entry >= 0 else entry for entry in entries)


@dataclass(slots=True)
class _Proposal:
    omission: Omission
    unless: tuple[int, ...]


@dataclass(slots=True)
class SupersessionDecisions:
    """Takes proposals, and decides about them. Calls are known by their sequence numbers."""

    _certain: dict[int, Omission] = field(default_factory=dict)
    _proposals: dict[int, list[_Proposal]] = field(default_factory=dict)
    _sizes: dict[int, int] = field(default_factory=dict)
    _entries: dict[int, dict[int, Omission]] = field(default_factory=dict)
    _unconditional: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))

    def supersede(self, seq: int, reason: str, because_of: int = 0, loss: str = "") -> None:
        """Supersede a call, whatever else is decided. The first reason stands."""
        if seq not in self._certain:
            self._certain[seq] = Omission(seq, reason, because_of, loss)
            self._proposals.pop(seq, None)
            self._entries.pop(seq, None)

    def supersede_unless(self, seq: int, reason: str, because_of: int, unless: Iterable[int]) -> None:
        """Propose that a call is superseded, unless one of `unless` stays."""
        if seq not in self._certain:
            depends_on = tuple(sorted({other for other in unless if other != seq and other not in self._certain}))
            self._proposals.setdefault(seq, []).append(_Proposal(Omission(seq, reason, because_of), depends_on))

    def note_batch(self, seq: int, size: int) -> None:
        """Note that a call is a batch of `size` entries, which can go one by one."""
        self._sizes[seq] = size

    def supersede_entry(self, seq: int, entry: int, reason: str, because_of: int = 0) -> None:
        """Supersede an entry (from 0) of a batch; a call that is no batch goes as a whole."""
        size = self._sizes.get(seq)
        if size is None:
            self.supersede(seq, reason, because_of)
            return
        if seq in self._certain:
            return
        gone = self._entries.setdefault(seq, {})
        gone.setdefault(entry, Omission(seq, reason, because_of))
        if len(gone) == size:
            self.supersede(seq, reason, because_of)

    def lift_condition(self, seq: int, entry: int = -1) -> None:
        """Note that the condition of a write, which is known to have succeeded, is to be removed."""
        self._unconditional[seq].add(entry)

    def decide(self) -> PlanEdits:
        """Return the largest set of calls that can go together, with what batches and conditional writes lose."""
        proposals, dependents = self._proposals, defaultdict[int, list[tuple[int, int]]](list)
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
                    dependents[other].append((seq, number))
        while staying:
            for seq, number in dependents.pop(staying.pop(), ()):
                refuse(seq, number)
        superseded = dict(self._certain)
        for seq, mine in proposals.items():
            if valid[seq] and seq > 0:
                superseded[seq] = next(
                    each.omission for number, each in enumerate(mine) if (seq, number) not in refused
                )
        return PlanEdits(
            dict(sorted(superseded.items())),
            {seq: frozenset(gone) for seq, gone in self._entries.items() if gone and seq not in superseded},
            {seq: frozenset(entries) for seq, entries in self._unconditional.items() if seq not in superseded},
        )
