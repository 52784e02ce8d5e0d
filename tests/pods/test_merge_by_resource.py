"""What `service-merge` makes of resources of both sides on real emulators: all of both, and the pod's where both say it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from tests.pods.test_pods import pod
from tests.support.clients import client
from tests.support.processes import Proxy, missing, replay_proxy


def _code(text: str) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("index.py", text)
    return sink.getvalue()


def _work(proxy: Proxy, side: str) -> None:
    """Make the same resources as the other side, with other contents; ours also changes them by later calls."""
    secrets, s3, sns, sqs, dynamodb, functions, iam = (
        client(each, proxy.url) for each in ("secretsmanager", "s3", "sns", "sqs", "dynamodb", "lambda", "iam")
    )
    pods = side == "pod"
    secrets.create_secret(Name="password", SecretString="from-pod" if pods else "first")
    if not pods:
        secrets.put_secret_value(SecretId="password", SecretString="second")
        secrets.put_secret_value(SecretId="password", SecretBinary=b"third")
    s3.create_bucket(Bucket="things")
    tags = {"k": side, f"only-{side}": "1"}
    s3.put_bucket_tagging(
        Bucket="things", Tagging={"TagSet": [{"Key": key, "Value": each} for key, each in tags.items()]}
    )
    s3.create_bucket(Bucket="one-tag")
    s3.put_bucket_tagging(Bucket="one-tag", Tagging={"TagSet": [{"Key": "team", "Value": side}]})
    rule = {"ID": side, "Filter": {"Prefix": side}, "Status": "Enabled", "Expiration": {"Days": 3}}
    s3.put_bucket_lifecycle_configuration(Bucket="things", LifecycleConfiguration={"Rules": [rule]})
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::things/*",
        "Sid": side,
    }
    s3.put_bucket_policy(Bucket="things", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    if not pods:
        s3.put_bucket_versioning(Bucket="things", VersioningConfiguration={"Status": "Enabled"})
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue=side)
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = {"FilterPolicy": json.dumps({"side": [side]})}
    made = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=policy, ReturnSubscriptionArn=True)
    if not pods:
        later = {"AttributeName": "RawMessageDelivery", "AttributeValue": "true"}
        sns.set_subscription_attributes(SubscriptionArn=made["SubscriptionArn"], **later)
        later = {"AttributeName": "FilterPolicy", "AttributeValue": json.dumps({"side": ["later"]})}
        sns.set_subscription_attributes(SubscriptionArn=made["SubscriptionArn"], **later)
    dynamodb.create_table(
        TableName="items",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for key in ("both", side):
        dynamodb.update_item(
            TableName="items",
            Key={"id": {"S": key}},
            UpdateExpression="ADD n :n",
            ExpressionAttributeValues={":n": {"N": "1" if pods else "2"}},
        )
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(
        RoleName="r", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    for name in ("both", side):
        statement = {"Effect": "Allow", "Action": f"s3:Get{side.title()}", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName="r", PolicyName=name, PolicyDocument=document)
    functions.create_function(
        FunctionName="f", Runtime="python3.12", Handler="index.handler", Role=role, Code={"ZipFile": _code(side)}
    )
    functions.publish_version(FunctionName="f", Description=side)


def _work_with_history(proxy: Proxy, side: str) -> None:
    """Write what leaves a trace beside what is there in the end: versions, an unfinished upload, a stream; and FIFO messages."""
    s3, sqs, dynamodb = (client(each, proxy.url) for each in ("s3", "sqs", "dynamodb"))
    s3.create_bucket(Bucket="versions")
    s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    for key in (f"gone-{side}", f"kept-{side}"):
        s3.put_object(Bucket="versions", Key=key, Body=b"1")
    s3.delete_object(Bucket="versions", Key=f"gone-{side}")
    upload = s3.create_multipart_upload(Bucket="versions", Key=f"part-{side}")["UploadId"]
    s3.upload_part(Bucket="versions", Key=f"part-{side}", UploadId=upload, PartNumber=1, Body=b"p")
    dynamodb.create_table(
        TableName="streamed",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    dynamodb.put_item(TableName="streamed", Item={"id": {"S": side}})
    dynamodb.delete_item(TableName="streamed", Key={"id": {"S": side}})
    url = sqs.create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    for name in ("both", side):
        sqs.send_message(QueueUrl=url, MessageBody=side, MessageGroupId="g", MessageDeduplicationId=name)


def _history(proxy: Proxy) -> dict[str, list[str]]:
    s3, sqs, dynamodb, streams = (client(each, proxy.url) for each in ("s3", "sqs", "dynamodb", "dynamodbstreams"))
    listed = s3.list_object_versions(Bucket="versions")
    stream = dynamodb.describe_table(TableName="streamed")["Table"]["LatestStreamArn"]
    events = []
    for shard in streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        events += [each["eventName"] for each in streams.get_records(ShardIterator=iterator)["Records"]]
    url = sqs.get_queue_url(QueueName="q.fifo")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    return {
        "versions": sorted(each["Key"] for each in listed["Versions"]),
        "markers": sorted(each["Key"] for each in listed["DeleteMarkers"]),
        "uploads": sorted(each["Key"] for each in s3.list_multipart_uploads(Bucket="versions")["Uploads"]),
        "stream": sorted(events),
        "messages": [attributes["ApproximateNumberOfMessages"]],
    }


def _state(proxy: Proxy) -> dict[str, Any]:
    secrets, s3, sns, dynamodb, functions, iam = (
        client(each, proxy.url) for each in ("secretsmanager", "s3", "sns", "dynamodb", "lambda", "iam")
    )
    topic = next(each["TopicArn"] for each in sns.list_topics()["Topics"])
    subscriptions = [
        sns.get_subscription_attributes(SubscriptionArn=each["SubscriptionArn"])["Attributes"]
        for each in sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    ]
    policies = {
        name: iam.get_role_policy(RoleName="r", PolicyName=name)["PolicyDocument"]["Statement"][0]["Action"]
        for name in iam.list_role_policies(RoleName="r")["PolicyNames"]
    }
    return {
        "secret": secrets.get_secret_value(SecretId="password").get("SecretString"),
        "tags": {each["Key"]: each["Value"] for each in s3.get_bucket_tagging(Bucket="things")["TagSet"]},
        "one tag": s3.get_bucket_tagging(Bucket="one-tag")["TagSet"],
        "rules": [each["ID"] for each in s3.get_bucket_lifecycle_configuration(Bucket="things")["Rules"]],
        "policy": json.loads(s3.get_bucket_policy(Bucket="things")["Policy"])["Statement"][0]["Sid"],
        "versioning": s3.get_bucket_versioning(Bucket="things").get("Status"),
        "display name": sns.get_topic_attributes(TopicArn=topic)["Attributes"]["DisplayName"],
        "subscriptions": [
            (json.loads(each["FilterPolicy"]), each.get("RawMessageDelivery", "")) for each in subscriptions
        ],
        "items": {each["id"]["S"]: each["n"]["N"] for each in dynamodb.scan(TableName="items")["Items"]},
        "role policies": policies,
        "versions": [each["Version"] for each in functions.list_versions_by_function(FunctionName="f")["Versions"]],
    }


@pytest.mark.parametrize("emulator", ["moto", "ministack"])
def test_a_resource_of_both_sides_is_whole_and_the_pods_where_both_say_it(
    start_proxy: Callable[..., Proxy], emulator: str
) -> None:
    """Contents, documents, tags, subscriptions, items and versions; loaded a second time, nothing changes."""
    if reason := missing(emulator):
        pytest.skip(reason)
    proxy = start_proxy("--emulator", emulator)
    _work(proxy, "pod")
    _work_with_history(proxy, "pod")
    pod(proxy, "save", "both")
    reset = [*replay_proxy(), "reset", "--yes"]
    subprocess.run(reset, env={**os.environ, "AWS_ENDPOINT_URL": proxy.url}, check=True, timeout=60)
    _work(proxy, "ours")
    _work_with_history(proxy, "ours")
    report = pod(proxy, "load", "both", "--merge", "service-merge", "--yes")["merge"]
    expected = {
        "secret": "from-pod",
        "tags": {"k": "pod", "only-pod": "1", "only-ours": "1"},
        "one tag": [{"Key": "team", "Value": "pod"}],
        "rules": ["pod"],
        "policy": "pod",
        "versioning": "Enabled",
        "display name": "pod",
        "subscriptions": [({"side": ["pod"]}, "true")],
        "items": {"both": "1", "pod": "1", "ours": "2"},
        "role policies": {"both": "s3:GetPod", "pod": "s3:GetPod", "ours": "s3:GetOurs"},
        "versions": ["$LATEST", "1"],
    }
    assert _state(proxy) == expected
    said = [(each["resource"].rsplit("/", 2)[-2:], each["member"]) for each in report["conflicts"]]
    assert said.count((["AWS::S3::Bucket", "things"], "Tags.k")) == 1, said
    assert len(said) == len({str(each) for each in said})
    history = {
        "versions": ["gone-ours", "gone-pod", "kept-ours", "kept-pod"],
        "markers": ["gone-ours", "gone-pod"],
        "uploads": ["part-ours", "part-pod"],
        "stream": ["INSERT", "INSERT", "REMOVE", "REMOVE"],
        "messages": ["3"],
    }
    assert _history(proxy) == history
    assert (["AWS::SQS::Queue", "q.fifo"], "messages: both") in said
    again = pod(proxy, "load", "both", "--merge", "service-merge", "--yes")["merge"]
    assert _state(proxy) == expected
    assert _history(proxy) == history
    assert not any(each["counts"]["changed"] for each in again["services"].values()), again
