"""Queues come back with what is in them: without what was consumed, in order, and with delays and links."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.support.stories import Story

pytestmark = pytest.mark.emulator


def drain(sqs: Any, url: str, *, seconds: float = 1.0) -> list[dict[str, Any]]:
    """All messages that can be received; each is deleted, so that FIFO groups go on."""
    found: list[dict[str, Any]] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        got = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"], MessageAttributeNames=["All"]
        ).get("Messages", [])
        for each in got:
            found.append(each)
            sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
        if got:
            deadline = time.monotonic() + seconds
    return found


def bodies(messages: list[dict[str, Any]]) -> list[str]:
    return [each["Body"] for each in messages]


def test_what_is_in_a_queue_and_what_is_not(any_story: Story) -> None:
    sqs = any_story.client("sqs")
    attributes = {"VisibilityTimeout": "40", "MaximumMessageSize": "2048", "ReceiveMessageWaitTimeSeconds": "0"}
    url = sqs.create_queue(QueueName="orders", Attributes=attributes, tags={"team": "a"})["QueueUrl"]
    sqs.tag_queue(QueueUrl=url, Tags={"team": "b", "cost": "1"})
    sqs.untag_queue(QueueUrl=url, TagKeys=["cost"])
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "41"})
    sent = {"kind": {"DataType": "String", "StringValue": "é"}, "raw": {"DataType": "Binary", "BinaryValue": b"\0\xff"}}
    for number in range(6):
        sqs.send_message(QueueUrl=url, MessageBody=f"message {number}", MessageAttributes=sent)
    for each in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=3)["Messages"]:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
    # Received and not deleted: it is in flight, and a restart ends that.
    sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1)

    def read() -> Any:
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        names = ("QueueArn", "VisibilityTimeout", "MaximumMessageSize", "MessageRetentionPeriod")
        return {name: found.get(name) for name in names}, sqs.list_queue_tags(QueueUrl=url)["Tags"]

    found = any_story.survives(read)
    assert found[0]["VisibilityTimeout"] == "41"
    assert found[1] == {"team": "b"}
    left = drain(sqs, url)
    assert bodies(left) == ["message 3", "message 4", "message 5"]
    for each in left:
        assert each["MessageAttributes"]["kind"]["StringValue"] == "é"
        assert each["MessageAttributes"]["raw"]["BinaryValue"] == b"\0\xff"


def test_the_order_and_the_groups_of_a_fifo_queue(any_story: Story) -> None:
    sqs = any_story.client("sqs")
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    url = sqs.create_queue(QueueName="steps.fifo", Attributes=attributes)["QueueUrl"]

    def send(group: str, body: str, **more: str) -> str:
        answer = sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=group, **more)
        return str(answer["MessageId"])

    for number in range(8):
        send("ab"[number % 2], f"step {number}")
    send("a", "step 2")  # content decides: a repetition of what is in the queue
    send("a", "once", MessageDeduplicationId="token")
    send("a", "twice", MessageDeduplicationId="token")
    batch = [{"Id": str(n), "MessageBody": f"batch {n}", "MessageGroupId": "b"} for n in range(3)]
    sqs.send_message_batch(QueueUrl=url, Entries=batch)
    # The first of each group is done.
    done: list[str] = []
    while len(done) < 2:
        for each in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1, AttributeNames=["All"])["Messages"]:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
            done.append(each["Body"])
    any_story.restart()
    send("a", "twice", MessageDeduplicationId="token")  # still within the five minutes
    left = drain(sqs, url)
    in_group: dict[str, list[str]] = {"a": [], "b": []}
    for each in left:
        in_group[each["Attributes"]["MessageGroupId"]].append(each["Body"])
    expected = {
        "a": ["step 0", "step 2", "step 4", "step 6", "once"],
        "b": ["step 1", "step 3", "step 5", "step 7", "batch 0", "batch 1", "batch 2"],
    }
    for name, steps in expected.items():
        assert in_group[name] == [step for step in steps if step not in done]


def test_delays(story: Story) -> None:
    sqs = story.client("sqs")
    slow = sqs.create_queue(QueueName="slow", Attributes={"DelaySeconds": "900"})["QueueUrl"]
    plain = sqs.create_queue(QueueName="plain")["QueueUrl"]
    sqs.send_message(QueueUrl=slow, MessageBody="later")
    sqs.send_message(QueueUrl=slow, MessageBody="at once", DelaySeconds=0)
    sqs.send_message(QueueUrl=plain, MessageBody="timer", DelaySeconds=900)
    sqs.send_message(QueueUrl=plain, MessageBody="now")

    def read() -> Any:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed", "DelaySeconds"]
        return [sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"] for url in (slow, plain)]

    story.survives(read)
    assert bodies(drain(sqs, slow)) == ["at once"]
    assert bodies(drain(sqs, plain)) == ["now"]


def test_dead_letters(any_story: Story) -> None:
    sqs = any_story.client("sqs")
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    dead_arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1})
    work = sqs.create_queue(QueueName="work", Attributes={"RedrivePolicy": redrive})["QueueUrl"]
    sqs.send_message(QueueUrl=dead, MessageBody="lies here already")
    sqs.send_message(QueueUrl=dead, MessageBody="was looked at and deleted")
    while True:
        (message,) = sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=1, VisibilityTimeout=1)["Messages"]
        if message["Body"] == "was looked at and deleted":
            sqs.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])
            break
    sqs.send_message(QueueUrl=work, MessageBody="fails after the restart")

    def read() -> Any:
        found = sqs.get_queue_attributes(QueueUrl=work, AttributeNames=["RedrivePolicy"])["Attributes"]
        return json.loads(found["RedrivePolicy"])["deadLetterTargetArn"]

    assert any_story.survives(read) == dead_arn
    (message,) = sqs.receive_message(QueueUrl=work, VisibilityTimeout=0)["Messages"]
    sqs.receive_message(QueueUrl=work)
    assert sorted(bodies(drain(sqs, dead))) == ["fails after the restart", "lies here already"]
