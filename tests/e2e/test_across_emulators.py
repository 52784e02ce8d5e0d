"""A recording made on one emulator restores on another: other accounts, other URLs, other ids."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable

import pytest

from tests.e2e.test_restore import emulator_options
from tests.support.clients import client
from tests.support.processes import Proxy, missing

pytestmark = pytest.mark.emulator


@pytest.mark.parametrize(
    ("first", "second"),
    [("moto", "ministack"), ("ministack", "moto"), ("moto", "localstack"), ("localstack", "ministack")],
)
def test_a_recording_moves_to_another_emulator(start_proxy: Callable[..., Proxy], first: str, second: str) -> None:
    for name in (first, second):
        reason = missing(name)
        if reason is not None:
            pytest.skip(reason)
    proxy = start_proxy(*emulator_options(first))
    sqs, sns, s3, ec2, iam = (client(service, proxy.url) for service in ("sqs", "sns", "s3", "ec2", "iam"))
    queue = sqs.create_queue(QueueName="orders")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.send_message(QueueUrl=queue, MessageBody=f"for {queue_arn}")
    topic = sns.create_topic(Name="events")["TopicArn"]
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)["SubscriptionArn"]
    s3.create_bucket(Bucket="archive")
    s3.put_object(Bucket="archive", Key="k", Body=b"content")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="web", Description="d", VpcId=vpc)["GroupId"]
    user = iam.create_user(UserName="u")["User"]

    proxy.kill_all()
    proxy = start_proxy(*emulator_options(second), port=proxy.port)

    assert sqs.get_queue_url(QueueName="orders")["QueueUrl"] == queue
    assert sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"] == queue_arn
    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    assert message["Body"] == f"for {queue_arn}", "payload is never rewritten"
    assert [each["SubscriptionArn"] for each in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]] == [
        subscription
    ]
    assert sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]["Endpoint"] == queue_arn
    assert s3.get_object(Bucket="archive", Key="k")["Body"].read() == b"content"
    found = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert [(each["GroupName"], each["VpcId"]) for each in found] == [("web", vpc)]
    again = iam.get_user(UserName="u")["User"]
    assert (again["Arn"], again["UserId"]) == (user["Arn"], user["UserId"])


def test_what_one_emulator_makes_beyond_another_is_there_once(start_proxy: Callable[..., Proxy]) -> None:
    """MiniStack marks as deleted what was never there, moto does not."""
    if reason := missing("ministack"):
        pytest.skip(reason)
    proxy = start_proxy("--emulator", "moto")
    s3 = client("s3", proxy.url)
    s3.create_bucket(Bucket="kept")
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    s3.delete_object(Bucket="kept", Key="never-there")
    seen = []
    for _ in range(3):
        proxy.kill_all()
        proxy = start_proxy("--emulator", "ministack", port=proxy.port)
        seen.append([each["Key"] for each in s3.list_object_versions(Bucket="kept").get("DeleteMarkers", [])])
        looked = urllib.request.Request(f"{proxy.url}/_replay/observe/s3", method="POST")
        with urllib.request.urlopen(looked, timeout=60) as answer:
            assert json.load(answer)["found"] == {}
    assert seen == [["never-there"]] * 3
    assert proxy.records("observation") == []
