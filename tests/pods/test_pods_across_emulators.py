"""A pod that goes round: saved on one emulator, loaded into the next, saved there, and so on. Each shows the ids of the first.

The resources are those that all three know without further downloads; DynamoDB and functions are in the tests of two.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_restore import emulator_options
from tests.pods.test_pods import pod
from tests.support.clients import client
from tests.support.processes import Proxy, left_out, missing

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(bool(left_out(2)), reason=str(left_out(2))),
    pytest.mark.skipif(missing("localstack") is not None, reason=str(missing("localstack"))),
]
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)


def _make(url: str) -> dict[str, str]:
    """Make a stack of ten services through a proxy. Return what clients were shown of it."""
    sqs, sns, s3, ec2, iam = (client(each, url) for each in ("sqs", "sns", "s3", "ec2", "iam"))
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    dead_arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": "3"})
    queue = sqs.create_queue(QueueName="orders", Attributes={"RedrivePolicy": redrive}, tags={"team": "blue"})[
        "QueueUrl"
    ]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.send_message(QueueUrl=queue, MessageBody=f"about {arn}")
    topic = sns.create_topic(Name="news")["TopicArn"]
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    s3.create_bucket(Bucket="archive")
    s3.put_bucket_versioning(Bucket="archive", VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket="archive", Key="k", Body=b"first", Metadata={"by": "me"})["VersionId"]
    second = s3.put_object(Bucket="archive", Key="k", Body=b"second")["VersionId"]
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="web", Description="d", VpcId=vpc)["GroupId"]
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=TRUST)
    user = iam.create_user(UserName="ann")["User"]["UserId"]
    key = client("kms", url).create_key(Description="of orders")["KeyMetadata"]["KeyId"]
    client("kms", url).create_alias(AliasName="alias/orders", TargetKeyId=key)
    secret = client("secretsmanager", url).create_secret(Name="password", SecretString="s3cret")["ARN"]
    client("ssm", url).put_parameter(Name="/app/queue", Value=queue, Type="String")
    client("logs", url).create_log_group(logGroupName="/app")
    events = client("events", url)
    events.put_rule(Name="hourly", ScheduleExpression="rate(1 hour)")
    events.put_targets(Rule="hourly", Targets=[{"Id": "q", "Arn": arn}])
    zone = client("route53", url).create_hosted_zone(Name="example.org.", CallerReference="1")["HostedZone"]["Id"]
    return {
        "queue": queue, "arn": arn, "dead": dead_arn, "topic": topic, "subscription": subscription, "first": first,
        "second": second, "vpc": vpc, "subnet": subnet, "group": group, "user": user, "key": key, "secret": secret,
        "zone": zone,
    }  # fmt: skip


def _shown(url: str, ids: dict[str, str]) -> dict[str, Any]:
    """Read everything back, by the ids that clients were shown."""
    sqs, sns, s3, ec2, iam = (client(each, url) for each in ("sqs", "sns", "s3", "ec2", "iam"))
    names = ["QueueArn", "RedrivePolicy", "ApproximateNumberOfMessages"]
    attributes = sqs.get_queue_attributes(QueueUrl=ids["queue"], AttributeNames=names)["Attributes"]
    alias = client("kms", url).describe_key(KeyId="alias/orders")["KeyMetadata"]
    target = client("events", url).list_targets_by_rule(Rule="hourly")["Targets"][0]
    first = s3.get_object(Bucket="archive", Key="k", VersionId=ids["first"])
    subnet = ec2.describe_subnets(SubnetIds=[ids["subnet"]])["Subnets"][0]
    return {
        "url": sqs.get_queue_url(QueueName="orders")["QueueUrl"],
        "queue": [attributes["QueueArn"], json.loads(attributes["RedrivePolicy"])["deadLetterTargetArn"]],
        "messages": attributes["ApproximateNumberOfMessages"],
        "tags": sqs.list_queue_tags(QueueUrl=ids["queue"])["Tags"],
        "topics": [each["TopicArn"] for each in sns.list_topics()["Topics"]],
        "endpoint": sns.get_subscription_attributes(SubscriptionArn=ids["subscription"])["Attributes"]["Endpoint"],
        "objects": [first["Body"].read(), first["Metadata"], s3.get_object(Bucket="archive", Key="k")["VersionId"]],
        "vpc": ec2.describe_vpcs(VpcIds=[ids["vpc"]])["Vpcs"][0]["CidrBlock"],
        "subnet": [subnet["VpcId"], subnet["CidrBlock"]],
        "group": ec2.describe_security_groups(GroupIds=[ids["group"]])["SecurityGroups"][0]["VpcId"],
        "role": iam.get_role(RoleName="worker")["Role"]["AssumeRolePolicyDocument"]["Statement"],
        "user": iam.get_user(UserName="ann")["User"]["UserId"],
        "key": [alias["KeyId"], alias["Description"]],
        "secret": client("secretsmanager", url).get_secret_value(SecretId=ids["secret"])["SecretString"],
        "parameter": client("ssm", url).get_parameter(Name="/app/queue")["Parameter"]["Value"],
        "groups": [each["logGroupName"] for each in client("logs", url).describe_log_groups()["logGroups"]],
        "target": [target["Id"], target["Arn"]],
        "zone": client("route53", url).get_hosted_zone(Id=ids["zone"])["HostedZone"]["Name"],
    }


@pytest.mark.parametrize(
    "way", [("moto", "localstack", "ministack", "moto"), ("moto", "ministack", "localstack", "moto")]
)
def test_a_pod_goes_round_all_emulators(
    start_proxy: Callable[..., Proxy], tmp_path: Path, way: tuple[str, ...]
) -> None:
    """Every direction between two of the three is in one of the two ways."""
    proxy = start_proxy(*emulator_options(way[0]), data_dir=tmp_path / "0")
    ids = _make(proxy.url)
    before = _shown(proxy.url, ids)
    for number, emulator in enumerate(way[1:], 1):
        pod(proxy, "save", "stack")
        proxy.stop()
        proxy = start_proxy(*emulator_options(emulator), port=proxy.port, data_dir=tmp_path / str(number))
        loaded = pod(proxy, "load", f"stack:{number}", "--merge", "overwrite", "--yes")
        # What one emulator tells more than another (a size, a zone) is listed, and is no failure.
        refused = [each for each in loaded["restore"]["problems"] if each["result"] != "diverged"]
        assert refused == [], emulator
        assert _shown(proxy.url, ids) == before, emulator
