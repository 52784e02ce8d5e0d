"""The suite that `bench.testing` has pytest run: tests that each change the state, and each find it as it was.

How they get it, BENCH_WAY says: `aws_state` (the plugin), `restart` (an emulator of its own for each test), or `mock_aws` (moto
in the process). BENCH_TESTS is their number.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from bench.processes import emulator

WAY = os.environ.get("BENCH_WAY", "aws_state")
NUMBERS = range(int(os.environ.get("BENCH_TESTS", "1")))


def seed() -> None:
    """Make the state that every test is to find."""
    sqs, s3, dynamodb = (boto3.client(name) for name in ("sqs", "s3", "dynamodb"))
    queue = sqs.create_queue(QueueName="orders")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="first")
    s3.create_bucket(Bucket="uploads")
    s3.put_object(Bucket="uploads", Key="a", Body=b"a")
    key = [{"AttributeName": "pk", "KeyType": "HASH"}]
    kinds = [{"AttributeName": "pk", "AttributeType": "S"}]
    dynamodb.create_table(TableName="orders", KeySchema=key, AttributeDefinitions=kinds, BillingMode="PAY_PER_REQUEST")
    dynamodb.put_item(TableName="orders", Item={"pk": {"S": "1"}})


@pytest.fixture
def restart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An emulator of its own, started and seeded."""
    server = emulator(os.environ["REPLAY_EMULATOR"], tmp_path)
    server.ready(pause=0.01)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    seed()
    yield
    server.process.kill()
    server.process.wait()


@pytest.fixture
def mock_aws() -> Iterator[None]:
    """Moto in this process."""
    from moto import mock_aws

    with mock_aws():
        seed()
        yield


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.usefixtures(WAY)
def test_each_finds_the_state_as_it_was(number: int) -> None:
    """Change a queue, a bucket and a table."""
    sqs, s3, dynamodb = boto3.client("sqs"), boto3.client("s3"), boto3.client("dynamodb")
    assert len(sqs.list_queues()["QueueUrls"]) == 1
    assert [each["Key"] for each in s3.list_objects_v2(Bucket="uploads")["Contents"]] == ["a"]
    assert dynamodb.scan(TableName="orders")["Count"] == 1
    sqs.create_queue(QueueName=f"queue-{number}")
    s3.put_object(Bucket="uploads", Key=f"b-{number}", Body=b"b")
    dynamodb.put_item(TableName="orders", Item={"pk": {"S": f"more-{number}"}})


if __name__ == "__main__":
    seed()
