"""What the recording of before tells of containers and their contents. Blocking: for a thread."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from threading import Event
from time import sleep

from replay_proxy.errors import RecordingError
from replay_proxy.exchange import Answer, BlobRef, Request
from replay_proxy.journal.format.records import Record
from replay_proxy.journal.read.reader import Recording, read
from replay_proxy.replay.recorded_call import BlobLoader, Call, call_of
from replay_proxy.wire.mutability.judge import is_data

_PAUSE_AFTER = 20
"""Records, between two pauses in which requests of clients are served."""
_PAUSE_S = 0.002
_BLOB_BYTES_MAX = 4 << 20


class RecordedHistory:
    """The calls of a recording up to the record `through`.

    pending_from: records from this number on count although they were not saved yet: this proxy made them. cancelled: nobody
    waits for them any more.
    """

    def __init__(self, data_dir: Path, through: int, pending_from: int, cancelled: Event) -> None:
        self._recording = read(data_dir)
        self._through = through
        self._pending_from = pending_from
        self._cancelled = cancelled

    def infrastructure(self) -> Iterator[Call]:
        """Yield the calls that made or changed resources. Raises as `read`."""
        return self._calls(lambda service, operation: not is_data(service, operation))

    def of_services(self, services: Collection[str]) -> Iterator[Call]:
        """Yield all calls to these services. Raises as `read`."""
        return self._calls(lambda service, _operation: service in services)

    def _calls(self, wanted: Callable[[str, str], bool]) -> Iterator[Call]:
        recording, index = self._recording, self._recording.index
        load = _loader(recording)
        count = 0
        for position, seq in enumerate(index.seqs):
            if seq > self._through or self._cancelled.is_set():
                return
            what = index.call_type(position)
            if not what.kind.is_change or not wanted(what.service, what.operation):
                continue
            record = recording.at(position)
            if not self._counts(record):
                continue
            call = call_of(record, load) or _outline(record)
            count += 1
            if count % _PAUSE_AFTER == 0:
                sleep(_PAUSE_S)
            if call is not None:
                yield call

    def _counts(self, record: Record) -> bool:
        effect = self._recording.effect
        if effect.reset_after(record):
            return False
        return record.seq >= self._pending_from or effect.is_in_effect(record)


def _loader(recording: Recording) -> BlobLoader:
    blobs = recording.blobs

    def load(ref: BlobRef) -> bytes:
        if ref.size > _BLOB_BYTES_MAX:
            raise RecordingError("too large to be looked at")  # the code of a function, which links nothing
        return b"".join(blobs.read(ref))

    return load


def _outline(record: Record) -> Call | None:
    """Return a call of which nothing but its operation is known; None where not even that is."""
    if record.head is None or record.flaw:
        return None
    request = Request(record.request.method, record.request.target, record.request.headers)
    answer = Answer(record.answer.status, record.answer.headers)
    key = record.credential.access_key
    return Call(record.seq, record.time, record.head, {}, request, answer, {}, False, key)
