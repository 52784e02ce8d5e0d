"""Several recorded calls sent as one, where AWS has an operation for that: messages to one queue, items.

What an emulator does for a request costs more than what it does for the message or the item in it. So calls that may share
a request (`ordering.batch_key`), and that stand side by side in the graph (`ordering.batch_groups`), go together. Each is
accounted for by its own entry of the answer. Whatever the batch did not take is sent as it was recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from replay_proxy.exchange import CallHead, Request
from replay_proxy.replay.ordering.batch_key import BATCH_OPERATIONS
from replay_proxy.wire.codecs.answers import Outcome


@dataclass(frozen=True, slots=True)
class Batch:
    """One request for several calls. head: of the request; Content-Length is not set."""

    head: CallHead
    request: Request


def batch_of(head: CallHead, requests: Sequence[Request]) -> Batch | None:
    """Return one request for several calls `head`; None where one of them cannot be read.

    requests: of the single calls, as they would be sent to the emulator.
    """
    operation = BATCH_OPERATIONS[head.operation].name
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


def outcomes_of(head: CallHead, outcome: Outcome, count: int) -> list[Outcome | None]:
    """Return what each of `count` calls `head` would have been answered; None for a call that the batch did not take."""
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
    members = {name: value for name, value in entry.items() if name != "Id"}
    return Outcome(status, members, "", "")


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
