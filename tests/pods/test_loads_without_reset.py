"""Pods in an emulator that is somebody else's, and that cannot be emptied, or does not say whether it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pods.test_pods import pod
from tests.support.between import Between
from tests.support.clients import client
from tests.support.processes import Emulator, Proxy, free_port

pytestmark = pytest.mark.emulator
SERVICES = ("ec2", "kms", "s3", "sns", "sqs", "ssm", "sts")


@pytest.fixture
def between(start_emulator: Callable[..., Emulator], tmp_path: Path) -> Iterator[tuple[Emulator, Between]]:
    """A moto, and what stands before it and hides its own endpoints."""
    emulator = start_emulator("moto")
    hidden = Between(tmp_path, emulator.url, SERVICES, free_port())
    yield emulator, hidden
    hidden.end()


def _made(url: str, name: str) -> dict[str, str]:
    """Make a queue with a message, a topic that tells it, a bucket with an object, and a network. Return identifiers."""
    sqs, sns, s3, ec2 = (client(each, url) for each in ("sqs", "sns", "s3", "ec2"))
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody=name)
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name=name)["TopicArn"]
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="k", Body=name.encode())
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    return {"queue": queue, "subscription": subscription, "vpc": vpc}


def _there(url: str) -> dict[str, Any]:
    """Return what an emulator lists, but for what it has by itself, as its client names it."""
    sqs, sns, s3, ec2 = (client(each, url) for each in ("sqs", "sns", "s3", "ec2"))
    buckets = [each["Name"] for each in s3.list_buckets()["Buckets"]]
    queues = sqs.list_queues().get("QueueUrls", [])
    counts = [
        sqs.get_queue_attributes(QueueUrl=each, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
        for each in queues
    ]
    return {
        "queues": dict(zip(queues, [each["ApproximateNumberOfMessages"] for each in counts], strict=True)),
        "subscriptions": [each["SubscriptionArn"] for each in sns.list_subscriptions()["Subscriptions"]],
        "objects": {each: [found["Key"] for found in s3.list_objects_v2(Bucket=each)["Contents"]] for each in buckets},
        "vpcs": [each["VpcId"] for each in ec2.describe_vpcs()["Vpcs"] if not each["IsDefault"]],
    }


def _shown(made: dict[str, str], name: str) -> dict[str, Any]:
    return {
        "queues": {made["queue"]: "1"},
        "subscriptions": [made["subscription"]],
        "objects": {name: ["k"]},
        "vpcs": [made["vpc"]],
    }


def test_what_is_recorded_makes_room_for_a_pod(
    start_proxy: Callable[..., Proxy], between: tuple[Emulator, Between]
) -> None:
    """There and back, with the ids that each pod was saved with; what nobody can delete at once is told."""
    emulator, hidden = between
    proxy = start_proxy("--upstream", hidden.url)
    first = _made(proxy.url, "first")
    pod(proxy, "save", "first")
    key = client("kms", proxy.url).create_key()["KeyMetadata"]["KeyId"]
    client("sqs", emulator.url).create_queue(QueueName="somebody-elses")
    loaded = pod(proxy, "load", "first", "--merge", "overwrite", "--yes")
    assert [key in each["resource"] for each in loaded["left"]] == [True]
    assert loaded["restore"]["problems"] == []
    there = _there(proxy.url)
    assert len(there["queues"]) == 2, "what nobody has recorded stays"
    client("sqs", emulator.url).delete_queue(
        QueueUrl=client("sqs", emulator.url).get_queue_url(QueueName="somebody-elses")["QueueUrl"]
    )
    assert _there(proxy.url) == _shown(first, "first")
    proxy.kill()
    assert _there(proxy.again().url) == _shown(first, "first"), "found as it was left"
