"""Goes on with a message that a client holds while the emulator dies.

A consumer receives a message, works on it, and deletes it by the receipt handle that it got. When the emulator was restored
in between, the message lies in its queue again, and the handle is of an earlier generation, which the emulator of today
refuses. So the proxy receives such a message once more by itself, and the call goes on with the handle of today. Other
messages that were received beside it are given back at once. The recording holds the client's handle and the message's id.

Somebody else may have received the message in the meantime, which every consumer of a queue has to expect. Their newer handle
is used then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.proxy.requests.receipts.handles import ReceiptHandles
from replay_proxy.wire.codecs.answers import parse_answer
from replay_proxy.wire.codecs.build_request import build_request
from replay_proxy.wire.codecs.parameters import parse_parameters

Ask = Callable[[Request, CallHead], Awaitable[Answer]]
"""Sends a request in client ids, and returns the answer in client ids. Raises `UpstreamError`."""

BY_HANDLE = frozenset(
    {"DeleteMessage", "DeleteMessageBatch", "ChangeMessageVisibility", "ChangeMessageVisibilityBatch"}
)
_BATCH_MAX = 10
_RECEIVES_MAX = 200
_VISIBILITY_TIMEOUT_S = 20
"""How long a message that was received here stays hidden from others. It is deleted or given back long before."""
_CONTENT_HEADERS = frozenset(
    {"content-length", "content-type", "content-md5", "x-amz-target", "x-amz-content-sha256", "host"}
)


async def renew_receipts(request: Request, head: CallHead, receipts: ReceiptHandles, ask: Ask) -> Request:
    """Return `request` with today's handles in the place of stale ones; the same object where it names none.

    Raises `UpstreamError`.
    """
    if head.service != "sqs" or head.operation not in BY_HANDLE or not receipts.any_stale:
        return request
    try:
        parameters = parse_parameters(head, request)
    except MalformedMessage:
        return request
    entries = parameters.get("Entries", [parameters])
    wanted = receipts.stale_among(entry.get("ReceiptHandle", "") for entry in entries)
    if not wanted:
        return request
    queue = parameters.get("QueueUrl", "")
    today = {message: handle for message in wanted.values() if (handle := receipts.latest_handle(message))}
    missing = set(wanted.values()) - today.keys()
    if missing:
        taken = await _receive(request, head, queue, missing, ask)
        for message, handle in taken.items():
            receipts.remember(message, handle, queue)
        today |= taken
    for entry in entries:
        handle = entry.get("ReceiptHandle", "")
        entry["ReceiptHandle"] = today.get(wanted.get(handle, ""), handle)
    return _like(request, head, parameters)


async def _receive(request: Request, head: CallHead, queue: str, wanted: set[str], ask: Ask) -> dict[str, str]:
    """Receive until the messages `wanted` are found, or there are no more. Returns their handles by message id."""
    found: dict[str, str] = {}
    others: list[str] = []
    parameters = {"QueueUrl": queue, "MaxNumberOfMessages": _BATCH_MAX, "VisibilityTimeout": _VISIBILITY_TIMEOUT_S}
    for _ in range(_RECEIVES_MAX):
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
    """Return a request with these parameters, with the credentials and the address of `request`."""
    made = build_request(head, parameters, request.headers.get("host"))
    own = [(name, value) for name, value in request.headers if name.lower() not in _CONTENT_HEADERS]
    target = made.target if head.protocol == "json" else request.target
    return Request("POST", target, Headers((*made.headers, *own)), made.body)


def _batches(handles: list[str]) -> Iterable[list[str]]:
    return (handles[at : at + _BATCH_MAX] for at in range(0, len(handles), _BATCH_MAX))
