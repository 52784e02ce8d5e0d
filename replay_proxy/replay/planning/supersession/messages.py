"""Messages in queues: sent and deleted, purged, or gone with their queue.

A delete names a receipt handle, which a receive had handed out, and receives are not recorded. What the handle stood for is in
the record's note `messages` (receipt handle to message id), which the proxy wrote when it saw both. Both the send and the delete
of a deleted message are superseded. A handle without a note cannot be resolved. A replay of that delete could only fail, so it is
left out, and the message that it deleted comes back; the `loss` of the omission says so.

A message that was sent longer ago than its queue keeps messages is superseded, too (`retention`). Where a queue has a dead-letter
queue, the longest period of any queue counts, because the message may lie there.

A message is known by its id alone, not by its queue: the emulator may have moved it to a dead-letter queue by then.

A FIFO queue takes a second message with the same deduplication id within five minutes for a repetition of the first, also when
the first was deleted meanwhile (Amazon SQS Developer Guide, "Using the message deduplication ID"). Emulators answer a repetition
with the id of the first message, or with a new one (moto). A repetition is superseded with its original: alone, it would become a
message.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from replay_proxy.replay.planning.supersession.decisions import SupersessionDecisions
from replay_proxy.replay.planning.supersession.retention import QUEUE
from replay_proxy.replay.recorded_call import Call

_Place = tuple[int, int]
"""Number of the sending call, and of the entry in it (-1 where it is no batch)."""

DEDUPLICATION = timedelta(minutes=5)
RECEIPT_UNKNOWN = "its receipt is not known"
_COMES_BACK = "a message that was deleted comes back, because the recording does not say which one it was"


class MessagesRule:
    """The rule for SQS messages. Memory: the messages in queues, and the ids of all messages that FIFO queues took."""

    def __init__(self, decisions: SupersessionDecisions, now: datetime | None = None) -> None:
        self._decisions = decisions
        self._now = now
        self._live: dict[str, tuple[_Place, str]] = {}
        self._sent: dict[str, datetime] = {}
        self._retention: dict[str, timedelta] = {}
        self._moving: set[str] = set()
        self._in_queue: dict[str, dict[str, None]] = defaultdict(dict)
        self._fifo_ids: set[str] = set()
        self._latest: dict[tuple[str, str], tuple[datetime, str]] = {}
        self._repetitions: dict[str, list[_Place]] = {}
        self._moved: set[str] = set()
        self._scopes: dict[str, str] = {}
        self.valid_until: datetime | None = None
        """When the first remaining message will be beyond its retention (once finished); None for never."""

    def see(self, call: Call) -> None:
        """Note a call to SQS; calls are shown in order."""
        match call.operation:
            case "SendMessage":
                self._send(call, -1, call.params, call.result.get("MessageId"))
            case "SendMessageBatch":
                self._send_batch(call)
            case "DeleteMessage":
                self._delete(call, [call.params.get("ReceiptHandle", "")])
            case "DeleteMessageBatch":
                done = {each.get("Id") for each in call.result.get("Successful", ())}
                entries = [each for each in call.params.get("Entries", ()) if each.get("Id") in done]
                self._delete(call, [each.get("ReceiptHandle", "") for each in entries])
            case "PurgeQueue":
                self._purge(call)
            case "DeleteQueue":
                self._empty(queue_of(call), "its queue was deleted", call.seq)
            case "StartMessageMoveTask":
                self._moved.add(_scope(call))
            case "CreateQueue" | "SetQueueAttributes":
                self._attributes(call, call.params.get("Attributes", {}))

    def finish(self) -> None:
        """Supersede messages beyond their retention, after all calls were shown."""
        longest = max(self._retention.values(), default=QUEUE)
        for message, sent in list(self._sent.items()):
            place = self._live.get(message)
            kept = None if place is None else self._retention.get(place[1])
            if place is None or kept is None or self._now is None:
                continue
            over = sent + (longest if place[1] in self._moving else kept)
            if self._now > over:
                self._remove(message, "its queue kept messages for a shorter time than has passed", 0)
            elif self.valid_until is None or over < self.valid_until:
                self.valid_until = over

    def _attributes(self, call: Call, attributes: dict[str, Any]) -> None:
        queue = queue_of(call)
        if attributes.get("DeduplicationScope"):
            self._scopes[queue] = attributes["DeduplicationScope"]
        if attributes.get("RedrivePolicy"):
            self._moving.add(queue)
        seconds = attributes.get("MessageRetentionPeriod", "")
        kept = timedelta(seconds=int(seconds)) if str(seconds).isdecimal() else None
        if call.operation == "CreateQueue":
            self._retention[queue] = max(self._retention.get(queue, timedelta()), kept or QUEUE)
        elif kept is not None and queue in self._retention:
            self._retention[queue] = max(self._retention[queue], kept)

    def _send_batch(self, call: Call) -> None:
        if not call.can_be_split:
            return
        entries = call.params.get("Entries", [])
        sent = {each.get("Id"): each.get("MessageId") for each in call.result.get("Successful", ())}
        self._decisions.note_batch(call.seq, len(entries))
        for number, entry in enumerate(entries):
            if entry.get("Id") in sent:
                self._send(call, number, entry, sent[entry["Id"]])
            elif call.result:
                self._decisions.supersede_entry(call.seq, number, "the queue had refused it")

    def _send(self, call: Call, number: int, entry: dict[str, Any], message: str | None) -> None:
        if not message:
            return
        queue, place = queue_of(call), (call.seq, number)
        home = self._live.get(message)
        if home is not None and (home[1] != queue or not queue.endswith(".fifo")):
            # The emulator moved it here by itself, or it was seen here before its sender was told its id.
            self._remove(message, "its message was seen elsewhere later", call.seq)
            self._fifo_ids.discard(message)
        if queue.endswith(".fifo"):
            if message in self._fifo_ids:
                self._drop(place, "the queue took it for a repetition of a message", 0)
                return
            self._fifo_ids.add(message)
            original = self._original(call, queue, entry, message)
            if original is not None:
                self._repetitions.setdefault(original, []).append(place)
                return
        self._live[message] = (place, queue)
        if self._now is not None:
            self._sent[message] = datetime.fromisoformat(call.time)
        self._in_queue[queue][message] = None

    def _original(self, call: Call, queue: str, entry: dict[str, Any], message: str) -> str | None:
        """Return the message in the queue of which this one is a repetition; None where it is none."""
        deduplication_id = deduplication_of(entry, self._scopes.get(queue, ""))
        now = datetime.fromisoformat(call.time)
        then, earlier = self._latest.get((queue, deduplication_id), (None, ""))
        if then is not None and now - then < DEDUPLICATION and earlier in self._live:
            return earlier
        self._latest[queue, deduplication_id] = (now, message)
        return None

    def _delete(self, call: Call, handles: list[str]) -> None:
        known = call.notes.get("messages")
        known = known if isinstance(known, dict) else {}
        unknown = 0
        for handle in handles:
            message = known.get(handle)
            if message is None:
                unknown += 1
            else:
                self._remove(message, "its message was deleted", call.seq)
        if unknown:
            self._decisions.supersede(call.seq, RECEIPT_UNKNOWN, loss=_COMES_BACK)
        else:
            self._decisions.supersede(call.seq, "the message that it deletes is not sent again")

    def _purge(self, call: Call) -> None:
        self._empty(queue_of(call), "its queue was purged", call.seq)
        if _scope(call) not in self._moved:
            self._decisions.supersede(call.seq, "the messages that it deletes are not sent again")

    def _empty(self, queue: str, reason: str, because_of: int) -> None:
        for message in list(self._in_queue.pop(queue, ())):
            self._remove(message, reason, because_of)

    def _remove(self, message: str, reason: str, because_of: int) -> None:
        found = self._live.pop(message, None)
        self._sent.pop(message, None)
        if found is None:
            return
        place, queue = found
        self._in_queue.get(queue, {}).pop(message, None)
        self._drop(place, reason, because_of)
        for repetition in self._repetitions.pop(message, ()):
            self._drop(repetition, "it repeated a message that was deleted", because_of)

    def _drop(self, place: _Place, reason: str, because_of: int) -> None:
        seq, number = place
        if number < 0:
            self._decisions.supersede(seq, reason, because_of)
        else:
            self._decisions.supersede_entry(seq, number, reason, because_of)


def deduplication_of(message: Mapping[str, Any], scope: str) -> str:
    """Return by what a FIFO queue tells a message from a repetition. scope: the queue's `DeduplicationScope`."""
    said = message.get("MessageDeduplicationId") or hashlib.sha256(message.get("MessageBody", "").encode()).hexdigest()
    return f"{message.get('MessageGroupId')}\0{said}" if scope == "messageGroup" else str(said)


def _scope(call: Call) -> str:
    return f"{call.head.account}/{call.head.region}"


def queue_of(call: Call) -> str:
    """Return account, region and name of the queue that a call names."""
    name = call.params.get("QueueName") or call.params.get("QueueUrl", "").rstrip("/").rpartition("/")[2]
    return f"{_scope(call)}/{name}"
