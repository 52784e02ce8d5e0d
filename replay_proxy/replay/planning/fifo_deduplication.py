"""Which superseded calls could still explain a call that is yet to come: the messages of FIFO queues.

A FIFO queue takes a message for a repetition of one from the last five minutes, also where that one was deleted meanwhile. So
what went through FIFO queues in that time stays, with its deletions, where a recording is reduced and then recorded into.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from datetime import datetime
from typing import Final

from replay_proxy.journal.format.records import Record
from replay_proxy.journal.read.reader import Recording
from replay_proxy.replay.planning.supersession.messages import DEDUPLICATION, queue_of
from replay_proxy.replay.recorded_call import call_of

_THROUGH_QUEUES: Final = frozenset(
    {"SendMessage", "SendMessageBatch", "DeleteMessage", "DeleteMessageBatch", "PurgeQueue", "DeleteQueue"}
)


def may_be_repeated(recording: Recording, gone: Container[int], now: datetime) -> frozenset[int]:
    """Return the numbers of calls to FIFO queues that could still explain a repetition; not those of deleted queues.

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
    """Return the calls that bring messages into queues and out of them, the latest first."""
    index = recording.index
    wanted = [what.service == "sqs" and what.operation in _THROUGH_QUEUES for what in index.call_types]
    for position in range(len(index) - 1, -1, -1):
        if wanted[index.type_places[position]]:
            record = recording.at(position)
            if recording.effect.is_in_effect(record):
                yield record
