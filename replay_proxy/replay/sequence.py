"""The order in which records are replayed: that of the journal, with each witness where it was made.

A witness is looked at when there is time, and may be appended a few records after the read took place. Its note `after` names the
record that was the last one then.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

from replay_proxy.journal.records import Kind, Record

WINDOW = 512
"""Records. A witness that was appended later than that after its read is replayed where it stands."""


def in_order(records: Iterable[Record], window: int = WINDOW) -> Iterator[Record]:
    """`records` in the order of their replay, looking ahead by `window` records."""
    waiting: list[tuple[float, int, Record]] = []
    for record in records:
        heapq.heappush(waiting, (_place(record), record.seq, record))
        if len(waiting) > window:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


def _place(record: Record) -> float:
    after = record.notes.get("after")
    if record.kind is Kind.WITNESS and isinstance(after, int):
        return after + 0.5
    return record.seq
