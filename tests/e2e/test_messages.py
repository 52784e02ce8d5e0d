"""Messages that were deleted before a restart stay deleted; those that were not are back, each once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.test_restore import emulator_options
from tests.support.clients import client
from tests.support.processes import Proxy

pytestmark = pytest.mark.emulator


def test_deleted_messages_stay_deleted(start_proxy: Callable[..., Proxy], emulator_name: str) -> None:
    proxy = start_proxy(*emulator_options(emulator_name))
    sqs = client("sqs", proxy.url)
    queue = sqs.create_queue(QueueName="orders")["QueueUrl"]
    entries = [{"Id": str(number), "MessageBody": f"batch {number}"} for number in range(6)]
    sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    sqs.send_message(QueueUrl=queue, MessageBody="single")
    bodies = set()
    for _ in range(20):
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=3).get("Messages", []):
            bodies.add(message["Body"])
            if message["Body"] != "batch 4":
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        if len(bodies) == 7:
            break
    assert len(bodies) == 7
    sqs.send_message(QueueUrl=queue, MessageBody="after")

    proxy.kill_all()
    proxy = start_proxy(*emulator_options(emulator_name), port=proxy.port)

    left = []
    for _ in range(5):
        left += [
            each["Body"] for each in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        ]
    assert sorted(left) == ["after", "batch 4"]
    report = proxy.status()["last_restore"]
    assert report["problems"] == []
    assert report["superseded"] > 0


def test_a_message_received_after_a_restart_can_be_deleted_for_good(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    sqs = client("sqs", proxy.url)
    queue = sqs.create_queue(QueueName="orders")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="first")
    sqs.send_message(QueueUrl=queue, MessageBody="second")
    proxy.kill_all()
    proxy = proxy.again()
    (message,) = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=1)["Messages"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    proxy.kill_all()
    proxy = proxy.again()
    left = [each["Body"] for each in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]]
    assert left == [{"first": "second", "second": "first"}[message["Body"]]]
