"""The live part of a recording: what a compaction would leave of it, in the order of its replay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime

from replay_proxy.journal.compaction.rewrite import CompactionInput
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.replay.planning.compact_recording import compaction_choices

_AFTER = "after"


class LiveRecords:
    """The records that live at a moment; they can be iterated as often as one likes. Making this is blocking, for long.

    services: none for all. now: the clock by which data is beyond its retention. left_out: calls that live and cannot be read, by
    reason. Raises RecordingError, StorageError.
    """

    def __init__(self, source: CompactionInput, now: datetime, services: Collection[str] = ()) -> None:
        self.source = source
        self.left_out: Counter[str] = Counter()
        self._choices = compaction_choices(source, now)
        self._services = frozenset(services)
        self._places = sorted(self._placed())

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Record]:
        for _place, seq in self._places:
            record = self.source.fetch(seq)
            yield self._choices.change(record) if seq in self._choices.changed else record

    def _placed(self) -> Iterator[tuple[float, int]]:
        """Yield place and number of each record that lives: a witness has its place where it was read."""
        source = self.source
        for record in source.records():
            if record.seq in self._choices.dropped or source.effect.reset_after(record):
                continue
            if not record.is_readable:
                self.left_out[f"it cannot be read: {record.flaw}"] += 1
            elif not self._services or (record.head is not None and record.head.service in self._services):
                after = record.notes.get(_AFTER) if record.kind is RecordKind.WITNESS else None
                yield after + 0.5 if isinstance(after, int) else record.seq, record.seq


def without_place(record: Record) -> Record:
    """Return a record without the note of its place, for where its place is that among others."""
    if _AFTER not in record.notes:
        return record
    return replace(record, notes={name: value for name, value in record.notes.items() if name != _AFTER})
