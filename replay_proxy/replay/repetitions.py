"""Which calls that need not be replayed could still explain a call that is yet to come.

FIFO queues take a message for a repetition of one from the last five minutes, also when that one is deleted by now. So
what came through FIFO queues in that time stays, with its deletions, where a recording is reduced and then gone on with.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from datetime import datetime
from typing import Final

from replay_proxy.journal.reader import Recording
from replay_proxy.journal.records import Record
from replay_proxy.replay.compaction.calls import call_of
from replay_proxy.replay.compaction.messages import DEDUPLICATION, queue_of

_THROUGH_QUEUES: Final = frozenset(
    {"SendMessage", "SendMessageBatch", "DeleteMessage", "DeleteMessageBatch", "PurgeQueue", "DeleteQueue"}
)


def may_be_repeated(recording: Recording, gone: Container[int], now: datetime) -> frozenset[int]:
    """The numbers of the calls to FIFO queues that could still explain a repetition: not those of deleted queues.

    gone: the numbers of the calls that are left out, or reduced. Blocking. Raises as `Recording.at`.
    """
    horizon = (now - DEDUPLICATION).isoformat()
    found: set[int] = set()
    deleted: set[str] = set()
    for record in _latest(recording):
        if record.time < horizon:
            break
        call = call_of(record, lambda ref: b"".join(recording.blobs.read(ref)))
        queue = queue_of(call) if call is not None else ""
        if call is not None and call.operation == "DeleteQueue":
            deleted.add(queue)
        elif record.seq in gone and queue.endswith(".fifo") and queue not in deleted:
            found.add(record.seq)
    return frozenset(found)


def _latest(recording: Recording) -> Iterator[Record]:
    """The calls that bring messages into queues and out of them, the latest first."""
    index = recording.index
    wanted = [what.service == "sqs" and what.operation in _THROUGH_QUEUES for what in index.kinds]
    for position in range(len(index) - 1, -1, -1):
        if wanted[index.whats[position]]:
            record = recording.at(position)
            if recording.effect.holds(record):
                yield record
