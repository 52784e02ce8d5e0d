"""Messages, records and log events whose time is over do not come back; the clock is a parameter."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from replay_proxy.replay.planning.plan import LiveCalls, live_calls
from tests.replay.lab import Lab, operations

pytestmark = pytest.mark.emulator


def later(lab: Lab, **more: float) -> LiveCalls:
    """What is left when that much time has passed since the records were made."""
    return live_calls(lab.records, now=datetime.now(UTC) + timedelta(**more))


def counted(compacted: LiveCalls) -> int:
    writing = {"SendMessage", "SendMessageBatch", "PutRecord", "PutRecords", "PutLogEvents"}
    return sum(operation in writing for operation in operations(compacted.kept))


def test_messages(lab: Lab) -> None:
    sqs = lab.client("sqs")
    short = sqs.create_queue(QueueName="short", Attributes={"MessageRetentionPeriod": "60"})["QueueUrl"]
    plain = sqs.create_queue(QueueName="plain")["QueueUrl"]
    for url in (short, plain):
        sqs.send_message(QueueUrl=url, MessageBody="single")
        sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": str(n)} for n in range(2)])
    assert counted(live_calls(lab.records)) == 4
    assert counted(later(lab, seconds=30)) == 4
    hours = later(lab, hours=3)
    assert counted(hours) == 2
    assert all("kept messages" in each.reason for each in hours.omissions)
    assert counted(later(lab, days=3)) == 2
    assert counted(later(lab, days=5)) == 0
    lab.empty()
    report = lab.restore(hours.kept)
    assert report.problems == []
    assert "Messages" not in sqs.receive_message(QueueUrl=short)
    assert len(sqs.receive_message(QueueUrl=plain, MaxNumberOfMessages=10)["Messages"]) == 3


def test_messages_that_may_lie_in_a_dead_letter_queue(lab: Lab) -> None:
    sqs = lab.client("sqs")
    dead = sqs.create_queue(QueueName="dead", Attributes={"MessageRetentionPeriod": "1209600"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = f'{{"deadLetterTargetArn":"{arn}","maxReceiveCount":1}}'
    work = sqs.create_queue(QueueName="work", Attributes={"RedrivePolicy": redrive})["QueueUrl"]
    sqs.send_message(QueueUrl=work, MessageBody="perhaps it was moved")
    assert counted(later(lab, days=5)) == 1
    assert counted(later(lab, days=15)) == 0


def test_a_longer_period_that_once_was(lab: Lab) -> None:
    sqs = lab.client("sqs")
    url = sqs.create_queue(QueueName="q", Attributes={"MessageRetentionPeriod": "3600"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="m")
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"MessageRetentionPeriod": "7200"})
    assert counted(later(lab, hours=1.5)) == 1
    assert counted(later(lab, hours=2.5)) == 0


def test_records_of_streams(lab: Lab) -> None:
    kinesis = lab.client("kinesis")
    for name in ("short", "long"):
        kinesis.create_stream(StreamName=name, ShardCount=1)
        deadline = time.monotonic() + 30
        while kinesis.describe_stream(StreamName=name)["StreamDescription"]["StreamStatus"] != "ACTIVE":
            assert time.monotonic() < deadline
            time.sleep(0.05)
    kinesis.increase_stream_retention_period(StreamName="long", RetentionPeriodHours=48)
    for name in ("short", "long"):
        kinesis.put_record(StreamName=name, PartitionKey="p", Data=b"1")
        kinesis.put_records(StreamName=name, Records=[{"PartitionKey": "p", "Data": b"2"}])
    assert counted(later(lab, hours=23)) == 4
    days = later(lab, hours=25)
    assert counted(days) == 2
    assert {each.reason for each in days.omissions} == {"what it put there was kept for 24 hours, which are over"}
    assert counted(later(lab, hours=49)) == 0
    lab.empty()
    assert lab.restore(days.kept).problems == []


def test_events_of_log_groups(lab: Lab) -> None:
    logs = lab.client("logs")
    now = int(time.time() * 1000)

    def put(group: str, *ages: float) -> None:
        events: list[dict[str, Any]] = [
            {"timestamp": int(now - hours * 3_600_000), "message": "m"} for hours in sorted(ages, reverse=True)
        ]
        logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)

    for group, days in (("week", 7), ("ever", 0)):
        logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName="s")
        if days:
            logs.put_retention_policy(logGroupName=group, retentionInDays=days)
        put(group, 10, 9)
        put(group, 5, 0)
    assert counted(later(lab, days=6)) == 4
    assert counted(later(lab, days=6, hours=16)) == 3  # the two that are oldest are over by their own times
    week = later(lab, days=8)
    assert counted(week) == 2
    lab.empty()
    assert lab.restore(week.kept).problems == []
    found = logs.get_log_events(logGroupName="ever", logStreamName="s", startFromHead=True)["events"]
    assert len(found) == 4
    assert logs.get_log_events(logGroupName="week", logStreamName="s", startFromHead=True)["events"] == []
