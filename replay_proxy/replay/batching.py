"""Several recorded calls sent as one, where AWS has an operation for that: messages to one queue, items.

What an emulator does for a request costs more than what it does for the message or the item in it. So calls that stand side
by side in the graph go together; each is accounted for by its own entry of the answer, and whatever the batch did not take
is sent as it was recorded. Only the plainest calls are taken, in JSON: no conditions, nothing asked of the answer beyond
what a batch tells, too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson

from replay_proxy.exchange import CallHead, Request
from replay_proxy.replay.compaction.calls import Call
from replay_proxy.wire.answers import Outcome

if TYPE_CHECKING:
    from replay_proxy.replay.graph import Graph

LARGEST = 16 * 1024
"""Bytes of a call's body. Ten of them are well below what a batch of messages may have (256 KiB)."""

_MESSAGE = frozenset(
    {
        "QueueUrl",
        "MessageBody",
        "DelaySeconds",
        "MessageAttributes",
        "MessageSystemAttributes",
        "MessageDeduplicationId",
        "MessageGroupId",
    }
)
_ITEM = frozenset({"TableName", "Item"})
# Operations of batches, with how many calls one of them may hold (API references of the two services).
_BATCHES = {"SendMessage": ("SendMessageBatch", 10), "PutItem": ("BatchWriteItem", 25)}
_SUMS = ("content-md5", "content-encoding", "x-amz-content-sha256")


@dataclass(frozen=True, slots=True)
class Batch:
    """One request for several calls. head: of the request; Content-Length is not set."""

    head: CallHead
    request: Request


def batch_key(call: Call) -> str:
    """Calls of the same key may share a request; empty for one that may not share any."""
    head, body = call.head, call.request.body
    named = call.params.keys()
    match call.service, call.operation:
        case "sqs", "SendMessage" if named <= _MESSAGE:
            thing = call.params.get("QueueUrl", "")
        case "dynamodb", "PutItem" if named == _ITEM and not call.result:
            # A batch could hold items of several tables, but emulators (moto) take the same key in two for a repetition.
            thing = call.params.get("TableName", "")
        case _:
            return ""
    plain = head.protocol == "json" and isinstance(body, bytes) and len(body) <= LARGEST and not call.witness
    if not plain or any(name in _SUMS or name.startswith("x-amz-checksum") for name in call.request.headers.lowers):
        return ""
    return "\n".join((call.operation, head.account, head.region, call.access_key, thing))


def groups_of(graph: Graph, chosen: Collection[int]) -> dict[int, tuple[int, ...]]:
    """Which of the calls `chosen` go together: of each group its first one, and all of them in order.

    A call joins a group if everything that it waits for comes before the first of the group, or (in a queue, where
    entries keep their order) is in the group itself, and not behind a join; so nothing can come to stand between two
    calls of a group.
    """
    place = {seq: at for at, seq in enumerate(graph.order)}
    open_groups: dict[str, list[int]] = {}
    groups: list[list[int]] = []
    for seq in graph.order:
        key = graph.batches.get(seq)
        if key is None or seq not in chosen or seq in graph.late:
            continue
        group = open_groups.get(key)
        operation = key.partition("\n")[0]
        if group is not None and len(group) < _BATCHES[operation][1]:
            direct, beyond = graph.waits_of(seq)
            if operation == "SendMessage":
                direct = direct.difference(group)
            waits = (direct | beyond).intersection(chosen)
            if all(place[other] < place[group[0]] and other not in graph.late for other in waits):
                group.append(seq)
                continue
        groups.append([seq])
        open_groups[key] = groups[-1]
    return {group[0]: tuple(group) for group in groups if len(group) > 1}


def together(head: CallHead, requests: Sequence[Request]) -> Batch | None:
    """One request for those of several calls `head`, as they are to be sent; None where they cannot be read."""
    operation, _ = _BATCHES[head.operation]
    first = requests[0]
    try:
        bodies = [orjson.loads(request.body) for request in requests if isinstance(request.body, bytes)]
        prefix, _, _ = first.headers.get("x-amz-target").rpartition(".")
        document = _messages(bodies) if head.operation == "SendMessage" else _items(bodies)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if document is None or len(bodies) != len(requests) or not prefix:
        return None
    headers = first.headers.replaced("X-Amz-Target", f"{prefix}.{operation}").without("content-length")
    request = Request(first.method, first.target, headers, orjson.dumps(document))
    return Batch(replace(head, operation=operation), request)


def apart(head: CallHead, outcome: Outcome, count: int) -> list[Outcome | None]:
    """What each of `count` calls `head` would have been answered; None for one that was not taken."""
    if not outcome.ok:
        return [None] * count
    if head.operation == "PutItem":
        taken = not outcome.parsed.get("UnprocessedItems")
        return [Outcome(outcome.status, {}, "", "") if taken else None] * count
    sent = {entry.get("Id"): entry for entry in outcome.parsed.get("Successful", ())}
    return [_message(outcome.status, sent.get(str(number))) for number in range(count)]


def _message(status: int, entry: Mapping[str, Any] | None) -> Outcome | None:
    if entry is None:
        return None
    told = {name: value for name, value in entry.items() if name != "Id"}
    return Outcome(status, told, "", "")


def _messages(bodies: list[dict[str, Any]]) -> dict[str, Any] | None:
    queues = {body["QueueUrl"] for body in bodies}
    if len(queues) != 1:
        return None
    entries = [
        {"Id": str(number)} | {name: value for name, value in body.items() if name != "QueueUrl"}
        for number, body in enumerate(bodies)
    ]
    return {"QueueUrl": queues.pop(), "Entries": entries}


def _items(bodies: list[dict[str, Any]]) -> dict[str, Any]:
    return {"RequestItems": {bodies[0]["TableName"]: [{"PutRequest": {"Item": body["Item"]}} for body in bodies]}}
