"""Some records of a recording, found by its index: the others are neither read nor decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from replay_proxy.errors import RecordingError
from replay_proxy.journal.blobs import BlobStore
from replay_proxy.journal.codec import LineError, decode_line
from replay_proxy.journal.durable import storage_error
from replay_proxy.journal.reader import Recording, damage, line_number
from replay_proxy.journal.records import JOURNAL_NAME, Record
from replay_proxy.journal.survey import Index, What


class Selection:
    """Those records of `recording` that are in effect and of a kind that is `wanted`. Has what a plan needs of a recording.

    pace: called before each record; a reader in a thread may pause there.
    """

    def __init__(
        self, recording: Recording, wanted: Callable[[What], bool], pace: Callable[[], None] = lambda: None
    ) -> None:
        self._recording = recording
        self._pace = pace
        self.index = index_of(recording)
        self.positions = [
            position
            for position in self.index.positions(wanted)
            if recording.effect.counts(self.index.seqs[position], self.index.what(position).service)
        ]

    @property
    def blobs(self) -> BlobStore:
        """The large bodies."""
        return self._recording.blobs

    def records(self) -> Iterator[Record]:
        """The records, in order; as often as asked. Raises as `records_at`."""
        return records_at(self._recording, self.positions, self._pace)


def index_of(recording: Recording) -> Index:
    """The index of a recording. Raises RecordingError where it has none: LocalStack's file is converted first."""
    if recording.index is None:
        raise RecordingError(
            f"{recording.path} is LocalStack's file", hint="`replay-proxy serve` converts it, or `replay-proxy import`"
        )
    return recording.index


def records_at(
    recording: Recording, positions: Iterable[int], pace: Callable[[], None] = lambda: None
) -> Iterator[Record]:
    """The records at these positions of the index.

    Raises:
        RecordingError: a line that cannot be decoded. StorageError: the file cannot be read.
    """
    files, index = recording.files, index_of(recording)
    if not recording.shape.exists:
        return
    path = files.root / JOURNAL_NAME
    try:
        fd = files.open_read(JOURNAL_NAME)
        try:
            for position in positions:
                pace()
                offset = index.offsets[position]
                line = files.read_at(fd, index.lengths[position], offset)
                try:
                    item = decode_line(line).item
                except LineError as error:
                    raise damage(path, line_number(files, fd, offset), offset, str(error)) from error
                if isinstance(item, Record):
                    yield item
        finally:
            files.close(fd)
    except OSError as error:
        raise storage_error("read the recording", path, error) from error
