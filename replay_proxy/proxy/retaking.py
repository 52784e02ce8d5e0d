"""Messages that a client holds while the emulator dies.

A consumer receives a message, works on it, and deletes it by the receipt handle that it got. When the emulator was
restored in between, the message lies in its queue again, and the handle is one of an earlier life, which the emulator of
today refuses. So such a message is taken once more, from behind the client's back, and the call goes on with the handle
of today. What was taken beside it is given back at once. In the recording stand the client's handle and the message's id.

That somebody else may have received the message meanwhile is what every consumer of a queue has to expect; its newer
handle is used then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.proxy.receipts import Receipts
from replay_proxy.wire.answers import parse_answer
from replay_proxy.wire.parameters import parse_parameters
from replay_proxy.wire.requests import build_request

Ask = Callable[[Request, CallHead], Awaitable[Answer]]
"""Sends a request in client ids; the answer in client ids. Raises `ConnectionError`."""

BY_HANDLE = frozenset(
    {"DeleteMessage", "DeleteMessageBatch", "ChangeMessageVisibility", "ChangeMessageVisibilityBatch"}
)
_AT_ONCE = 10
_ROUNDS = 200
_HELD_SECONDS = 20
"""For how long a message that was taken stays hidden from others; it is deleted or given back long before."""
_OF_THE_MESSAGE = frozenset(
    {"content-length", "content-type", "content-md5", "x-amz-target", "x-amz-content-sha256", "host"}
)


async def retaken(request: Request, head: CallHead, receipts: Receipts, ask: Ask) -> Request:
    """`request` with today's handles for those of an earlier life; the identical object where there are none.

    Raises `ConnectionError`.
    """
    if head.service != "sqs" or head.operation not in BY_HANDLE or not receipts.any_stale:
        return request
    try:
        parameters = parse_parameters(head, request)
    except MalformedMessage:
        return request
    entries = parameters.get("Entries", [parameters])
    wanted = receipts.stale(entry.get("ReceiptHandle", "") for entry in entries)
    if not wanted:
        return request
    queue = parameters.get("QueueUrl", "")
    today = {message: handle for message in wanted.values() if (handle := receipts.latest(message))}
    missing = set(wanted.values()) - today.keys()
    if missing:
        taken = await _take(request, head, queue, missing, ask)
        for message, handle in taken.items():
            receipts.remember(message, handle)
        today |= taken
    for entry in entries:
        handle = entry.get("ReceiptHandle", "")
        entry["ReceiptHandle"] = today.get(wanted.get(handle, ""), handle)
    return _like(request, head, parameters)


async def _take(request: Request, head: CallHead, queue: str, wanted: set[str], ask: Ask) -> dict[str, str]:
    """Receive until the messages `wanted` are found, or there are no more: message id to handle."""
    found: dict[str, str] = {}
    others: list[str] = []
    parameters = {"QueueUrl": queue, "MaxNumberOfMessages": _AT_ONCE, "VisibilityTimeout": _HELD_SECONDS}
    for _ in range(_ROUNDS):
        messages = (await _call(request, head, "ReceiveMessage", parameters, ask)).get("Messages", [])
        for each in messages:
            if each["MessageId"] in wanted:
                found[each["MessageId"]] = each["ReceiptHandle"]
            else:
                others.append(each["ReceiptHandle"])
        if not messages or found.keys() >= wanted:
            break
    for batch in _batches(others):
        entries = [
            {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0} for number, handle in enumerate(batch)
        ]
        back = {"QueueUrl": queue, "Entries": entries}
        await _call(request, head, "ChangeMessageVisibilityBatch", back, ask)
    return found


async def _call(
    request: Request, head: CallHead, operation: str, parameters: Mapping[str, Any], ask: Ask
) -> Mapping[str, Any]:
    other = replace(head, operation=operation)
    asked = _like(request, other, parameters)
    try:
        return parse_answer(other, await ask(asked, other), asked).parsed
    except MalformedMessage:
        return {}


def _like(request: Request, head: CallHead, parameters: Mapping[str, Any]) -> Request:
    """A request with these parameters, from the same client to the same address as `request`."""
    made = build_request(head, parameters, request.headers.get("host"))
    own = [(name, value) for name, value in request.headers if name.lower() not in _OF_THE_MESSAGE]
    target = made.target if head.protocol == "json" else request.target
    return Request("POST", target, Headers((*made.headers, *own)), made.body)


def _batches(handles: list[str]) -> Iterable[list[str]]:
    return (handles[at : at + _AT_ONCE] for at in range(0, len(handles), _AT_ONCE))
