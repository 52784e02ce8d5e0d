"""Some records of a recording, found by its index: the others are neither read nor decoded."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

from replay_proxy.errors import RecordingError
from replay_proxy.journal.blobs import BlobStore
from replay_proxy.journal.codec import LineError, decode_line
from replay_proxy.journal.durable import storage_error
from replay_proxy.journal.reader import Places, Recording, damage, line_number
from replay_proxy.journal.records import Record
from replay_proxy.journal.survey import Index, What


class Lookup:
    """The records of a recording by their positions in its index.

    Raises (here, and where a record is asked for):
        RecordingError: LocalStack's file, which has no index; a line that cannot be decoded.
        StorageError: the journal cannot be read.
    """

    def __init__(self, recording: Recording) -> None:
        if recording.index is None:
            raise RecordingError(
                f"{recording.path} is LocalStack's file",
                hint="`replay-proxy serve` or `replay-proxy import` converts it",
            )
        self.recording = recording
        self.index: Index = recording.index
        self._fd = recording.pin.fd if recording.pin is not None else -1

    def record(self, position: int) -> Record:
        """The record at a position. Raises as `Lookup`."""
        files, path = self.recording.files, self.recording.path
        offset = self.index.offsets[position]
        try:
            item = decode_line(files.read_at(self._fd, self.index.lengths[position], offset)).item
        except LineError as error:
            raise damage(path, line_number(files, self._fd, offset), offset, str(error)) from error
        except OSError as error:
            raise storage_error("read the recording", path, error) from error
        assert isinstance(item, Record)
        return item

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

    def records(self, _places: Places | None = None) -> Iterator[Record]:
        """The records, in order; as often as asked. Raises as `Lookup`."""
        for position in self.positions:
            self.pace()
            yield self._lookup.record(position)

    def fetch(self, seq: int, _places: Places | None = None) -> Record:
        """One record by its number. Raises KeyError where there is none, and as `Lookup`."""
        self.pace()
        return self._lookup.record(self._lookup.index.position(seq))
