"""Find some records of a recording by its index. The others are neither read nor decoded."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Protocol

from replay_proxy.journal.format.records import Record
from replay_proxy.journal.read.index import CallType, Index
from replay_proxy.journal.read.save_points import SavePoints
from replay_proxy.journal.storage.blobs import BlobStore


class Indexed(Protocol):
    """What `RecordLookup` needs of a recording (`Recording`)."""

    @property
    def index(self) -> Index:
        """The index of its records."""

    @property
    def effect(self) -> SavePoints:
        """Which of its records are in effect."""

    @property
    def blobs(self) -> BlobStore:
        """The bodies that are stored as blobs."""

    def at(self, position: int) -> Record:
        """Return the record at a position of the index."""


class RecordLookup:
    """The records of a recording by their positions in its index. Raises, where a record is asked for, as `Recording.at`."""

    def __init__(self, recording: Indexed) -> None:
        self.recording = recording
        self.index: Index = recording.index

    def record(self, position: int) -> Record:
        """Return the record at a position."""
        return self.recording.at(position)

    def positions(self, wanted: Callable[[CallType], bool]) -> list[int]:
        """Return the positions of the records that are `wanted` and in effect, in order."""
        index, effect = self.index, self.recording.effect
        found = index.positions(wanted)
        if effect.is_simple:
            return list(found)
        return [each for each in found if effect.counts_in_effect(index.seqs[each], index.call_type(each).service)]

    def tally(self) -> Iterator[tuple[CallType, int, int]]:
        """Yield each call type among the records in effect, how many have it, and the number of the first."""
        index = self.index
        type_places, seqs = index.type_places, index.seqs
        if not self.recording.effect.is_simple:
            found = self.positions(lambda _what: True)
            type_places, seqs = (
                array("L", (type_places[each] for each in found)),
                array("Q", (seqs[each] for each in found)),
            )
        counts = Counter(type_places)
        # Of each type the first record is the last that is put in.
        first = dict(zip(reversed(type_places), reversed(seqs), strict=True))
        for place, what in enumerate(index.call_types):
            if counts[place]:
                yield what, counts[place], first[place]


class SelectedRecords:
    """The records that are in effect and `wanted`, with what a planner asks of a recording.

    pace: called before a record is read; a reader in a thread may pause there.
    """

    def __init__(
        self, lookup: RecordLookup, wanted: Callable[[CallType], bool], pace: Callable[[], None] = lambda: None
    ) -> None:
        self._lookup = lookup
        self.pace = pace
        self.positions = lookup.positions(wanted)

    @property
    def blobs(self) -> BlobStore:
        """The bodies that are stored as blobs."""
        return self._lookup.recording.blobs

    @property
    def effect(self) -> SavePoints:
        """Which records of the recording are in effect, and what was reset."""
        return self._lookup.recording.effect

    def records(self) -> Iterator[Record]:
        """Yield the records, in order. May be called again. Raises as `RecordLookup`."""
        for position in self.positions:
            self.pace()
            yield self._lookup.record(position)

    def fetch(self, seq: int) -> Record:
        """Return one record by its number. Raises KeyError where there is none, and as `RecordLookup`."""
        self.pace()
        return self._lookup.record(self._lookup.index.position(seq))
