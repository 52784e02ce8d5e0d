"""A reset of an emulator that has none and is somebody else's: what is recorded is deleted, and what is left is told."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.between import Between
from tests.support.clients import client
from tests.support.processes import Emulator, Proxy, free_port, replay_proxy

pytestmark = pytest.mark.emulator
SERVICES = ("dynamodb", "ec2", "events", "iam", "kms", "route53", "s3", "secretsmanager", "sns", "sqs", "sts")
READ = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]})
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
        ],
    }
)


@pytest.fixture
def between(start_emulator: Callable[..., Emulator], tmp_path: Path) -> Iterator[tuple[Emulator, Between]]:
    """A moto, and what stands before it and hides its own endpoints."""
    emulator = start_emulator("moto")
    hidden = Between(tmp_path, emulator.url, SERVICES, free_port())
    yield emulator, hidden
    hidden.end()


def _make(url: str) -> dict[str, str]:
    """Make resources that refer to each other, and that hold something. Return identifiers of some."""
    s3, iam, ec2, events = (client(name, url) for name in ("s3", "iam", "ec2", "events"))
    s3.create_bucket(Bucket="versions")
    s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        s3.put_object(Bucket="versions", Key="k", Body=body)
    s3.delete_object(Bucket="versions", Key="k")
    policy = iam.create_policy(PolicyName="read", PolicyDocument=READ)["Policy"]["Arn"]
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=TRUST)
    iam.attach_role_policy(RoleName="worker", PolicyArn=policy)
    iam.put_role_policy(RoleName="worker", PolicyName="inline", PolicyDocument=READ)
    iam.create_instance_profile(InstanceProfileName="worker")
    iam.add_role_to_instance_profile(InstanceProfileName="worker", RoleName="worker")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.create_security_group(GroupName="web", Description="d", VpcId=vpc)
    queue = client("sqs", url).create_queue(QueueName="orders")["QueueUrl"]
    arn = client("sqs", url).get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = client("sns", url).create_topic(Name="news")["TopicArn"]
    client("sns", url).subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    events.put_rule(Name="hourly", ScheduleExpression="rate(1 hour)")
    events.put_targets(Rule="hourly", Targets=[{"Id": "q", "Arn": arn}])
    client("secretsmanager", url).create_secret(Name="password", SecretString="s")
    zone = client("route53", url).create_hosted_zone(Name="example.org.", CallerReference="1")["HostedZone"]["Id"]
    record = {"Name": "www.example.org.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "10.0.0.1"}]}
    client("route53", url).change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    )
    return {"vpc": vpc, "key": client("kms", url).create_key()["KeyMetadata"]["KeyId"], "policy": policy}


def _there(url: str) -> dict[str, Any]:
    """Return what an emulator lists, but for what it has by itself."""
    ec2, iam = client("ec2", url), client("iam", url)
    vpcs = ec2.describe_vpcs()["Vpcs"]
    return {
        "buckets": client("s3", url).list_buckets()["Buckets"],
        "roles": iam.list_roles()["Roles"],
        "policies": iam.list_policies(Scope="Local")["Policies"],
        "profiles": iam.list_instance_profiles()["InstanceProfiles"],
        "vpcs": [each for each in vpcs if not each["IsDefault"]],
        "gateways": ec2.describe_internet_gateways()["InternetGateways"],
        "topics": client("sns", url).list_topics()["Topics"],
        "subscriptions": client("sns", url).list_subscriptions()["Subscriptions"],
        "rules": client("events", url).list_rules()["Rules"],
        "secrets": client("secretsmanager", url).list_secrets()["SecretList"],
        "zones": client("route53", url).list_hosted_zones()["HostedZones"],
        "queues": client("sqs", url).list_queues().get("QueueUrls", []),
    }


def _reset(proxy: Proxy, *words: str) -> dict[str, Any]:
    command = [*replay_proxy(), "reset", "--yes", "--json", "--endpoint", proxy.url, *words]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=120).stdout)
    return found


def test_what_is_recorded_is_deleted_and_what_is_left_is_told(
    start_proxy: Callable[..., Proxy], between: tuple[Emulator, Between]
) -> None:
    """One service, then all, with contents and what is attached; a key is told, which nobody can delete at once."""
    emulator, hidden = between
    client("sqs", emulator.url).create_queue(QueueName="somebody-elses")
    proxy = start_proxy("--upstream", hidden.url)
    made = _make(proxy.url)
    told = _reset(proxy, "--services", "events")
    assert (told["deleted"], told["left"]) == (1, [])
    there = _there(emulator.url)
    assert (there["rules"], len(there["queues"])) == ([], 2)
    told = _reset(proxy)
    assert [(made["key"] in each["resource"], "seven days" in each["reason"]) for each in told["left"]] == [
        (True, True)
    ]
    there = _there(emulator.url)
    assert [url.rpartition("/")[2] for url in there.pop("queues")] == ["somebody-elses"]
    assert {name: found for name, found in there.items() if found} == {}
    proxy.kill()
    proxy.again()
    assert _there(emulator.url)["vpcs"] == [], "nothing of before the reset is restored"
