"""A message that is sent again is hidden for what is left of its delay, and no longer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from replay_proxy.exchange import CallHead, Request
from replay_proxy.replay.execution.message_delays import MessageDelays
from replay_proxy.wire.codecs.build_request import build_request
from replay_proxy.wire.codecs.parameters import parse_parameters

SENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
QUEUE = "http://localhost:4566/000000000000/orders"


def head(operation: str, protocol: str = "json") -> CallHead:
    return CallHead("sqs", operation, protocol, "", "us-east-1")


def request(operation: str, protocol: str = "json", **params: Any) -> Request:
    return build_request(head(operation, protocol), params, "localhost")


def asked(delays: MessageDelays, operation: str, protocol: str = "json", **params: Any) -> dict[str, Any]:
    original = request(operation, protocol, **params)
    return parse_parameters(
        head(operation, protocol), delays.asked(original, head(operation, protocol), SENT.isoformat())
    )


def after(seconds: float) -> MessageDelays:
    return MessageDelays((SENT + timedelta(seconds=seconds)).timestamp)


@pytest.mark.parametrize("protocol", ["json", "query"])
@pytest.mark.parametrize(("age_s", "left_s"), [(-5, 60), (0, 60), (0.5, 60), (20, 40), (59.5, 1), (60, 0), (10_000, 0)])
def test_what_is_left_of_a_delay(protocol: str, age_s: float, left_s: int) -> None:
    message = {"QueueUrl": QUEUE, "MessageBody": "m", "DelaySeconds": 60}
    assert asked(after(age_s), "SendMessage", protocol, **message) == {**message, "DelaySeconds": left_s}


def test_the_delay_of_a_queue_and_of_several_messages() -> None:
    delays = after(20)
    asked(delays, "CreateQueue", QueueName="orders", Attributes={"DelaySeconds": "30"})
    assert asked(delays, "SendMessage", QueueUrl=QUEUE, MessageBody="m")["DelaySeconds"] == 10
    entries = [{"Id": "1", "MessageBody": "m"}, {"Id": "2", "MessageBody": "m", "DelaySeconds": 0}]
    found = asked(delays, "SendMessageBatch", QueueUrl=QUEUE, Entries=entries)["Entries"]
    assert [each["DelaySeconds"] for each in found] == [10, 0]
    asked(delays, "SetQueueAttributes", QueueUrl=QUEUE, Attributes={"DelaySeconds": "0"})
    assert "DelaySeconds" not in asked(delays, "SendMessage", QueueUrl=QUEUE, MessageBody="m")


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("SendMessage", {"QueueUrl": QUEUE, "MessageBody": "DelaySeconds"}),
        ("SendMessage", {"QueueUrl": QUEUE + ".fifo", "MessageBody": "m", "DelaySeconds": 5, "MessageGroupId": "g"}),
        ("DeleteQueue", {"QueueUrl": QUEUE}),
        ("CreateQueue", {"QueueName": "orders", "Attributes": {"DelaySeconds": "0"}}),
    ],
)
def test_what_has_no_delay_stays_the_same_object(operation: str, params: dict[str, Any]) -> None:
    original = request(operation, **params)
    assert after(5).asked(original, head(operation), SENT.isoformat()) is original
    assert after(5).asked(original, head(operation), "no time") is original
