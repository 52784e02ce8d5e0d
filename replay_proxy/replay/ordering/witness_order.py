"""The order in which records are replayed: that of the journal, with each witness at the place where it was read.

Whether a read is a witness is decided when there is time, so it may be appended a few records after it took place. Its note
`after` names the last record before it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

from replay_proxy.journal.format.records import Record, RecordKind

WINDOW_RECORDS = 512
"""In records. A witness that was appended later than that after its read is replayed where it stands in the journal."""


def in_replay_order(records: Iterable[Record], window: int = WINDOW_RECORDS) -> Iterator[Record]:
    """Yield `records` in the order of their replay, looking ahead by `window` records."""
    waiting: list[tuple[float, int, Record]] = []
    for record in records:
        heapq.heappush(waiting, (_place(record), record.seq, record))
        if len(waiting) > window:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


def _place(record: Record) -> float:
    after = record.notes.get("after")
    if record.kind is RecordKind.WITNESS and isinstance(after, int):
        return after + 0.5
    return record.seq
