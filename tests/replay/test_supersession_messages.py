"""Messages: what was consumed stays consumed, what waits is sent again."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import pytest

from replay_proxy.replay.planning.plan import LiveCalls, live_calls
from tests.replay.lab import Lab, operations

pytestmark = pytest.mark.emulator


def bodies(sqs: Any, queue: str) -> list[str]:
    """What a consumer finds, in its order; the queue is empty afterwards."""
    found: list[str] = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        found += [message["Body"] for message in messages]
        for message in messages:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return found


def consume(sqs: Any, queue: str, count: int) -> list[str]:
    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=count)["Messages"]
    for message in messages:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return [message["Body"] for message in messages]


def again(lab: Lab, compacted: LiveCalls) -> None:
    """Restore what was kept, all of which has to succeed."""
    lab.empty()
    report = lab.restore(compacted.kept)
    assert [problem.as_json() for problem in report.problems] == []


def test_a_deleted_message_is_neither_sent_nor_deleted(lab: Lab) -> None:
    sqs = lab.client("sqs")
    queue = sqs.create_queue(QueueName="work")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="done")
    assert consume(sqs, queue, 1) == ["done"]
    sqs.send_message(QueueUrl=queue, MessageBody="waiting")
    compacted = live_calls(lab.records)
    assert operations(compacted.kept) == ["CreateQueue", "SendMessage"]
    assert [(each.seq, each.because_of, each.loss) for each in compacted.omissions] == [(2, 3, ""), (3, 0, "")]
    again(lab, compacted)
    assert bodies(sqs, queue) == ["waiting"]


def test_a_batch_is_reduced_to_its_messages_that_are_still_there(lab: Lab) -> None:
    sqs = lab.client("sqs")
    queue = sqs.create_queue(QueueName="work")["QueueUrl"]
    sqs.send_message_batch(
        QueueUrl=queue, Entries=[{"Id": f"e{n}", "MessageBody": f"m{n}", "DelaySeconds": 0} for n in range(4)]
    )
    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    entries = [
        {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
        for number, message in enumerate(messages)
        if message["Body"] in ("m0", "m2")
    ]
    sqs.delete_message_batch(QueueUrl=queue, Entries=entries)
    compacted = live_calls(lab.records)
    assert operations(compacted.kept) == ["CreateQueue", "SendMessageBatch"]
    again(lab, compacted)
    assert sorted(bodies(sqs, queue)) == ["m1", "m3"]


def test_a_batch_without_remaining_messages_is_superseded(lab: Lab) -> None:
    sqs = lab.client("sqs")
    queue = sqs.create_queue(QueueName="work")["QueueUrl"]
    sqs.send_message_batch(QueueUrl=queue, Entries=[{"Id": f"e{n}", "MessageBody": f"m{n}"} for n in range(3)])
    assert len(bodies(sqs, queue)) == 3
    assert operations(live_calls(lab.records).kept) == ["CreateQueue"]


def test_a_purge_takes_what_was_sent_before_it(lab: Lab) -> None:
    sqs = lab.client("sqs")
    queue, other = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("purged", "other"))
    for each in (queue, other, queue):
        sqs.send_message(QueueUrl=each, MessageBody="before")
    sqs.purge_queue(QueueUrl=queue)
    sqs.send_message(QueueUrl=queue, MessageBody="after")
    compacted = live_calls(lab.records)
    assert operations(compacted.kept) == ["CreateQueue"] * 2 + ["SendMessage"] * 2
    again(lab, compacted)
    assert (bodies(sqs, queue), bodies(sqs, other)) == (["after"], ["before"])


def test_an_unknown_receipt_is_reported_as_a_loss(lab: Lab) -> None:
    sqs = lab.client("sqs")
    queue = sqs.create_queue(QueueName="work")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="comes back")
    consume(sqs, queue, 1)
    compacted = live_calls(lab.without_notes())
    assert operations(compacted.kept) == ["CreateQueue", "SendMessage"]
    assert [(each.reason, "comes back" in each.loss) for each in compacted.omissions] == [
        ("its receipt is not known", True)
    ]


def test_order_of_groups_is_kept(lab: Lab) -> None:
    sqs = lab.client("sqs")
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    queue = sqs.create_queue(QueueName="steps.fifo", Attributes=attributes)["QueueUrl"]
    for number in range(6):
        sqs.send_message(QueueUrl=queue, MessageBody=f"step {number}", MessageGroupId="one")
    assert consume(sqs, queue, 2) == ["step 0", "step 1"]
    compacted = live_calls(lab.records)
    again(lab, compacted)
    assert bodies(sqs, queue) == [f"step {number}" for number in range(2, 6)]


def test_a_repetition_goes_with_the_message_that_it_repeated(lab: Lab) -> None:
    sqs = lab.client("sqs")
    queue = sqs.create_queue(QueueName="once.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    for body in ("first", "again"):
        sqs.send_message(QueueUrl=queue, MessageBody=body, MessageGroupId="g", MessageDeduplicationId="same")
    assert consume(sqs, queue, 10) == ["first"]
    before = sqs.receive_message(QueueUrl=queue).get("Messages", [])
    compacted = live_calls(lab.records)
    again(lab, compacted)
    assert before == []
    assert bodies(sqs, queue) == []


def test_a_message_that_was_repeated_after_its_end_is_as_it_was(lab: Lab) -> None:
    """Within five minutes a queue may still take it for a repetition; some emulators do, others do not."""
    sqs = lab.client("sqs")
    queue = sqs.create_queue(QueueName="once.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    for body in ("first", "again"):
        sqs.send_message(QueueUrl=queue, MessageBody=body, MessageGroupId="g", MessageDeduplicationId="same")
        if body == "first":
            assert consume(sqs, queue, 10) == ["first"]
    lab.recording = False
    before = bodies(sqs, queue)
    again(lab, live_calls(lab.records))
    assert bodies(sqs, queue) == before


QUERY_SEND = (
    "Action=SendMessageBatch&Version=2012-11-05"
    "&SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=x%26y"
    "&SendMessageBatchRequestEntry.2.Id=b&SendMessageBatchRequestEntry.2.MessageBody=two"
)


def test_a_batch_of_the_query_protocol_is_reduced(lab: Lab) -> None:
    """What SDKs of before 2023 send; their forms are rewritten field by field."""
    sqs = lab.client("sqs")
    queue = sqs.create_queue(QueueName="old")["QueueUrl"]
    lab.send_form("sqs", queue, QUERY_SEND)
    (message,) = [
        each
        for each in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
        if each["Body"] == "x&y"
    ]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    compacted = live_calls(lab.records)
    assert operations(compacted.kept) == ["CreateQueue", "SendMessageBatch"]
    body = compacted.kept[1].request.body
    assert isinstance(body, bytes)
    fields = dict(parse_qsl(body.decode()))
    assert fields["SendMessageBatchRequestEntry.1.Id"] == "b"
    assert not any(".2." in name for name in fields)
    again(lab, compacted)
    assert bodies(sqs, queue) == ["two"]
