"""Some records of a recording, found by its index: the others are neither read nor decoded."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

from replay_proxy.journal.blobs import BlobStore
from replay_proxy.journal.effect import Effect
from replay_proxy.journal.records import Record
from replay_proxy.journal.survey import Index, What


class Indexed(Protocol):
    """What `Lookup` needs of a recording (`Recording`)."""

    @property
    def index(self) -> Index:
        """Of its records."""

    @property
    def effect(self) -> Effect:
        """Which of them count."""

    @property
    def blobs(self) -> BlobStore:
        """The large bodies."""

    def at(self, position: int) -> Record:
        """The record at a position of the index."""


class Lookup:
    """The records of a recording by their positions in its index. Raises, where a record is asked for, as `Recording.at`."""

    def __init__(self, recording: Indexed) -> None:
        self.recording = recording
        self.index: Index = recording.index

    def record(self, position: int) -> Record:
        """The record at a position."""
        return self.recording.at(position)

    def positions(self, wanted: Callable[[What], bool]) -> list[int]:
        """The positions of the records that are `wanted` and in effect (see `effect`), in order."""
        index, effect = self.index, self.recording.effect
        found = index.positions(wanted)
        if effect.is_simple:
            return list(found)
        return [each for each in found if effect.counts(index.seqs[each], index.what(each).service)]

    def tally(self) -> Iterator[tuple[What, int, int]]:
        """What the records in effect are: how many of each, and the number of the first."""
        index = self.index
        counts = Counter(index.whats)
        for place, what in enumerate(index.kinds):
            if not counts[place]:
                continue
            if self.recording.effect.is_simple:
                yield what, counts[place], index.seqs[index.whats.index(place)]
            elif found := self.positions(partial(operator.eq, what)):
                yield what, len(found), index.seqs[found[0]]


class Selection:
    """Those records that are in effect and `wanted`; to a plan it looks like a recording.

    pace: called before a record is read; a reader in a thread may pause there.
    """

    def __init__(self, lookup: Lookup, wanted: Callable[[What], bool], pace: Callable[[], None] = lambda: None) -> None:
        self._lookup = lookup
        self.pace = pace
        self.positions = lookup.positions(wanted)

    @property
    def blobs(self) -> BlobStore:
        """The large bodies."""
        return self._lookup.recording.blobs

    def records(self) -> Iterator[Record]:
        """The records, in order; as often as asked. Raises as `Lookup`."""
        for position in self.positions:
            self.pace()
            yield self._lookup.record(position)

    def fetch(self, seq: int) -> Record:
        """One record by its number. Raises KeyError where there is none, and as `Lookup`."""
        self.pace()
        return self._lookup.record(self._lookup.index.position(seq))
