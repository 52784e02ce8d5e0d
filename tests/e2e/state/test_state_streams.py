"""Records lie in the same shards in the same order; log events in their streams with their times."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.support.stories import Story, until

pytestmark = pytest.mark.emulator


def test_records_of_a_stream_by_shard(story: Story) -> None:
    kinesis = story.client("kinesis")
    kinesis.create_stream(StreamName="clicks", ShardCount=3)
    until(lambda: kinesis.describe_stream(StreamName="clicks")["StreamDescription"]["StreamStatus"] == "ACTIVE")
    for number in range(12):
        kinesis.put_record(StreamName="clicks", PartitionKey=f"user {number % 5}", Data=f"click {number}")
    kinesis.put_record(StreamName="clicks", PartitionKey="x", ExplicitHashKey="0", Data=b"first shard")
    kinesis.put_record(StreamName="clicks", PartitionKey="x", ExplicitHashKey=str(2**128 - 2), Data=b"last shard\0\xff")
    batch = [{"PartitionKey": f"user {number % 3}", "Data": f"batch {number}"} for number in range(6)]
    kinesis.put_records(StreamName="clicks", Records=batch)
    kinesis.increase_stream_retention_period(StreamName="clicks", RetentionPeriodHours=48)
    kinesis.add_tags_to_stream(StreamName="clicks", Tags={"a": "1"})

    def read() -> Any:
        described = kinesis.describe_stream(StreamName="clicks")["StreamDescription"]
        found = {}
        for shard in described["Shards"]:
            at = kinesis.get_shard_iterator(
                StreamName="clicks", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            records = kinesis.get_records(ShardIterator=at)["Records"]
            span = shard["HashKeyRange"]["StartingHashKey"]
            found[shard["ShardId"]] = (span, [(each["PartitionKey"], each["Data"]) for each in records])
        tags = kinesis.list_tags_for_stream(StreamName="clicks")["Tags"]
        return found, described["RetentionPeriodHours"], tags

    found, hours, _ = story.survives(read)
    assert hours == 48
    assert sum(len(records) for _, records in found.values()) == 20
    shards = [records for _, records in sorted(found.values(), key=lambda each: int(each[0]))]
    assert ("x", b"first shard") in shards[0]
    assert ("x", b"last shard\0\xff") in shards[-1]


def test_sequence_numbers_name_the_same_records(story: Story) -> None:
    kinesis = story.client("kinesis")
    kinesis.create_stream(StreamName="clicks", ShardCount=1)
    until(lambda: kinesis.describe_stream(StreamName="clicks")["StreamDescription"]["StreamStatus"] == "ACTIVE")
    told = [kinesis.put_record(StreamName="clicks", PartitionKey="p", Data=f"{n}") for n in range(4)]
    story.restart()
    at = kinesis.get_shard_iterator(
        StreamName="clicks",
        ShardId=told[1]["ShardId"],
        ShardIteratorType="AFTER_SEQUENCE_NUMBER",
        StartingSequenceNumber=told[1]["SequenceNumber"],
    )["ShardIterator"]
    records = kinesis.get_records(ShardIterator=at)["Records"]
    assert [each["Data"] for each in records] == [b"2", b"3"]
    assert [each["SequenceNumber"] for each in records] == [each["SequenceNumber"] for each in told[2:]]


def test_log_events(story: Story) -> None:
    logs = story.client("logs")
    logs.create_log_group(logGroupName="/app/web", tags={"a": "1"})
    logs.create_log_group(logGroupName="/app/gone")
    logs.put_retention_policy(logGroupName="/app/web", retentionInDays=7)
    logs.put_retention_policy(logGroupName="/app/web", retentionInDays=14)
    now = int(time.time() * 1000)
    for stream in ("one", "two"):
        logs.create_log_stream(logGroupName="/app/web", logStreamName=stream)
        for turn in range(2):
            events = [{"timestamp": now - 1000 + 10 * turn + n, "message": f"{stream} {turn} {n} ü"} for n in range(3)]
            logs.put_log_events(logGroupName="/app/web", logStreamName=stream, logEvents=events)
    logs.create_log_stream(logGroupName="/app/web", logStreamName="gone")
    logs.delete_log_stream(logGroupName="/app/web", logStreamName="gone")
    logs.delete_log_group(logGroupName="/app/gone")
    logs.put_metric_filter(
        logGroupName="/app/web",
        filterName="errors",
        filterPattern="ERROR",
        metricTransformations=[{"metricName": "m", "metricNamespace": "n", "metricValue": "1"}],
    )

    def read() -> Any:
        (group,) = logs.describe_log_groups()["logGroups"]
        streams = {}
        for each in logs.describe_log_streams(logGroupName="/app/web")["logStreams"]:
            found = logs.get_log_events(
                logGroupName="/app/web", logStreamName=each["logStreamName"], startFromHead=True
            )["events"]
            streams[each["logStreamName"]] = [(event["timestamp"], event["message"]) for event in found]
        filters = logs.describe_metric_filters(logGroupName="/app/web")["metricFilters"]
        return group["retentionInDays"], group["arn"], streams, [each["filterName"] for each in filters]

    days, _, streams, _ = story.survives(read)
    assert days == 14
    assert [message for _, message in streams["one"]] == [f"one {turn} {n} ü" for turn in (0, 1) for n in range(3)]
