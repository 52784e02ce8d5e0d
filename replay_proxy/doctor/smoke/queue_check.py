"""Passing a message through a queue, beside the messages of others.

What is received is hidden, and counted as tried. So messages of others are shown again as soon as the check ends. Where the queue
moves what was tried too often into another queue, nothing is received while such messages are there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from typing import Any, Final, Protocol
from uuid import uuid4

from replay_proxy.doctor.smoke.expectations import failure_of

_PAUSE_S: Final = 0.25
_FIFO: Final = ".fifo"
"""The end of the name of each queue that keeps the order, and of no other."""
_GROUP: Final = "replay-smoke"


class CheckFailed(Exception):
    """A check was not carried out; its message says why."""


class SuccessfulCall(Protocol):
    """Makes a call, and returns its answer: service, operation, region, parameters. Raises CheckFailed where it is refused."""

    def __call__(self, service: str, operation: str, region: str, **parameters: Any) -> Awaitable[dict[str, Any]]: ...


class QueueCheck:
    """Carries out checks of the kind `queue`."""

    def __init__(self, call: SuccessfulCall) -> None:
        self._call = call

    async def run(self, asked: Mapping[str, Any], expected: Mapping[str, Any], region: str, deadline: float) -> str:
        """Send a message, receive it, and delete it. Return why it did not pass; empty where it did. Raises CheckFailed."""
        name = asked["name"]
        url = (await self._call("sqs", "GetQueueUrl", region, QueueName=name))["QueueUrl"]
        shown = await self._call("sqs", "GetQueueAttributes", region, QueueUrl=url, AttributeNames=["All"])
        attributes = shown.get("Attributes", {})
        waiting = int(attributes.get("ApproximateNumberOfMessages", 0))
        if waiting and attributes.get("RedrivePolicy"):
            return (
                f"{name} holds {waiting} of other messages, and its RedrivePolicy counts each receipt: nothing was "
                "sent; check a queue that is empty"
            )
        # A queue that delays would give it back after the check.
        more = (
            {"MessageGroupId": _GROUP, "MessageDeduplicationId": uuid4().hex}
            if name.endswith(_FIFO)
            else {"DelaySeconds": 0}
        )
        sent = await self._call("sqs", "SendMessage", region, QueueUrl=url, MessageBody=asked["send"], **more)
        others: list[str] = []
        try:
            while True:
                own = await self._received(url, region, deadline, sent["MessageId"], others)
                if own is not None:
                    await self._call("sqs", "DeleteMessage", region, QueueUrl=url, ReceiptHandle=own["ReceiptHandle"])
                    return failure_of(own["Body"], expected)
                if time.monotonic() > deadline:
                    return "the message was sent, and did not come back: has the queue a consumer?"
                await asyncio.sleep(_PAUSE_S)
        finally:
            for handle in others:
                with suppress(CheckFailed, OSError, TimeoutError):
                    await self._call(
                        "sqs",
                        "ChangeMessageVisibility",
                        region,
                        QueueUrl=url,
                        ReceiptHandle=handle,
                        VisibilityTimeout=0,
                    )

    async def _received(
        self, url: str, region: str, deadline: float, message_id: str, others: list[str]
    ) -> dict[str, Any] | None:
        """Receive messages; return the one that was sent. others: the handles of the others are added."""
        hidden_s = max(1, int(deadline - time.monotonic()) + 1)
        received = await self._call(
            "sqs", "ReceiveMessage", region, QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=hidden_s
        )
        own = None
        for message in received.get("Messages", ()):
            if message["MessageId"] == message_id:
                own = message
            else:
                others.append(message["ReceiptHandle"])
        return own
