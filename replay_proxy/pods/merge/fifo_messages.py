"""Messages of FIFO queues: two with one deduplication id are one message, as for the service itself.

A queue would take the second for a repetition of the first, and drop it without a word. So of a queue that both sides have, the
pod's message is sent, ours is not, and the report lists it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from replay_proxy.journal.format.records import Record
from replay_proxy.pods.merge.side import Side
from replay_proxy.replay.planning.supersession.batches import reduced_record
from replay_proxy.replay.planning.supersession.messages import deduplication_of
from replay_proxy.replay.recorded_call import Call, call_of
from replay_proxy.resources.resource import Key, Resource

_SENDING = ("SendMessage", "SendMessageBatch")


class FifoMessages:
    """The messages that lie in FIFO queues of a pod.

    shared: the queues that both sides have. Making this reads the pod where one of them is a FIFO queue. Blocking.
    """

    def __init__(self, pod: Side, shared: Collection[Key]) -> None:
        self._held: dict[Key, set[str]] = defaultdict(set)
        resources = pod.resources()
        queues = {key for key in shared if _is_fifo(resources[key])}
        for number, record in pod if queues else ():
            entry = pod.entry(number)
            if entry is None or entry.failed or not _is_sending(record):
                continue
            call = call_of(record, pod.load)
            for queue in pod.touched(entry)[0] if call is not None else ():
                key = pod.key(queue)
                if call is None or key not in queues or queue.data is None:
                    continue
                parts = queue.data.parts
                self._held[key].update(
                    deduplication_of(message, _scope(queue)) for message, its_id in _sent(call) if its_id in parts
                )

    def without_repetitions(self, record: Record, side: Side, queue: Resource) -> tuple[Record | None, list[str]]:
        """Return what stays of a call of a side that sends messages into a queue; and the deduplication ids that the pod has.

        None where nothing stays.
        """
        held = self._held.get(side.key(queue))
        call = call_of(record, side.load) if held and _is_sending(record) else None
        if call is None or not held:
            return record, []
        messages = [message for message, _id in _sent(call)]
        gone = {at for at, each in enumerate(messages) if deduplication_of(each, _scope(queue)) in held}
        if not gone:
            return record, []
        told = [str(messages[at].get("MessageDeduplicationId") or "one of the same content") for at in sorted(gone)]
        if len(gone) == len(messages):
            return None, told
        return reduced_record(record, gone, set(), side.load), told


def _is_sending(record: Record) -> bool:
    head = record.head
    return head is not None and head.service == "sqs" and head.operation in _SENDING


def _sent(call: Call) -> Iterator[tuple[Mapping[str, Any], Any]]:
    """Yield each message that a call sends, and its id; None where it was refused."""
    if call.operation == "SendMessage":
        yield call.params, call.result.get("MessageId")
        return
    ids = {each.get("Id"): each.get("MessageId") for each in call.result.get("Successful", ())}
    for each in call.params.get("Entries", ()):
        yield each, ids.get(each.get("Id"))


def _attribute(queue: Resource, name: str) -> str:
    attributes = queue.attributes.get("Attributes")
    return str(attributes.get(name, "")) if isinstance(attributes, Mapping) else ""


def _is_fifo(resource: Resource) -> bool:
    if (resource.key.service, resource.key.noun) != ("sqs", "Queue"):
        return False
    return _attribute(resource, "FifoQueue").lower() == "true"


def _scope(queue: Resource) -> str:
    return _attribute(queue, "DeduplicationScope")
