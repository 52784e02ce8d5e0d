"""Which recorded calls may share one request, judged by each call alone.

AWS has operations that carry several messages to one queue, or several items. Only the plainest calls may go into one: JSON, no
conditions, no checksums, and nothing asked of the answer that a batch does not tell as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from replay_proxy.replay.recorded_call import Call


class BatchOperation(NamedTuple):
    """The operation that carries several calls. calls_max: how many one request may carry."""

    name: str
    calls_max: int


BATCH_OPERATIONS: Final[Mapping[str, BatchOperation]] = {
    "SendMessage": BatchOperation("SendMessageBatch", 10),
    "PutItem": BatchOperation("BatchWriteItem", 25),
}
"""By the operation of a single call. The limits are from the API references of the two services."""

BODY_BYTES_MAX: Final = 16 * 1024
"""Of a call that may share a request. Ten such bodies are well below what a batch of messages may have (256 KiB)."""

_MESSAGE_MEMBERS = frozenset(
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
_ITEM_MEMBERS = frozenset({"TableName", "Item"})
_BODY_HEADERS = ("content-md5", "content-encoding", "x-amz-content-sha256")
"""Header fields that speak of the bytes of the body, which are others in a batch."""


def batch_key(call: Call) -> str:
    """Return a key that calls which may share a request have in common; empty for a call that must be sent alone.

    The first line of a key is the operation of the single call (see `operation_of`).
    """
    head, body = call.head, call.request.body
    members = call.params.keys()
    match call.service, call.operation:
        case "sqs", "SendMessage" if members <= _MESSAGE_MEMBERS:
            container = call.params.get("QueueUrl", "")
        case "dynamodb", "PutItem" if members == _ITEM_MEMBERS and not call.result:
            # A batch could hold items of several tables, but emulators (moto) take the same key in two for a repetition.
            container = call.params.get("TableName", "")
        case _:
            return ""
    plain = head.protocol == "json" and isinstance(body, bytes) and len(body) <= BODY_BYTES_MAX and not call.witness
    headers = call.request.headers.lowers
    if not plain or any(name in _BODY_HEADERS or name.startswith("x-amz-checksum") for name in headers):
        return ""
    return "\n".join((call.operation, head.account, head.region, call.access_key, container))


def operation_of(key: str) -> str:
    """Return the operation of the single calls that have this batch key."""
    return key.partition("\n")[0]
