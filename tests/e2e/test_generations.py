"""Three restarts in a row with new resources in between: the identifiers of every generation stay valid, in many services."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.clients import client
from tests.support.processes import Proxy, amount, left_out, localstack_python

pytestmark = pytest.mark.emulator

RESTARTS = 3
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


@dataclass(frozen=True)
class Generation:
    """What the client was shown when the resources of one generation were made."""

    number: int
    queue: str
    topic: str
    subscription: str
    key: str
    secret: str
    api: str
    resource: str
    vpc: str
    subnet: str
    group: str
    rule: str
    role: str
    role_id: str
    zone: str
    version: str
    machine: str


def create(proxy: Proxy, number: int, before: Generation | None) -> Generation:
    """One resource of each kind; where there is an earlier generation, the new resources refer to its."""

    def service(name: str) -> Any:
        return client(name, proxy.url)

    sqs, ec2, api = service("sqs"), service("ec2"), service("apigateway")
    queue = sqs.create_queue(QueueName=f"queue-{number}")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = service("sns").create_topic(Name=f"topic-{number}")["TopicArn"]
    subscribed = service("sns").subscribe(
        TopicArn=before.topic if before else topic,
        Protocol="sqs",
        Endpoint=queue_arn,
        ReturnSubscriptionArn=True,
    )
    key = service("kms").create_key(Description=f"key {number}")["KeyMetadata"]["KeyId"]
    secret = service("secretsmanager").create_secret(
        Name=f"secret-{number}", SecretString=str(number), KmsKeyId=before.key if before else key
    )
    rest = api.create_rest_api(name=f"api-{number}")["id"]
    root = next(each["id"] for each in api.get_resources(restApiId=rest)["items"] if each["path"] == "/")
    resource = api.create_resource(restApiId=rest, parentId=root, pathPart="orders")["id"]
    if before:
        api.create_resource(restApiId=before.api, parentId=before.resource, pathPart=f"of-{number}")
    vpc = ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(
        VpcId=before.vpc if before else vpc,
        CidrBlock=f"10.{before.number if before else number}.{number}.0/24",
    )["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName=f"group-{number}", Description="-", VpcId=before.vpc if before else vpc)
    rules = ec2.authorize_security_group_ingress(
        GroupId=group["GroupId"],
        IpPermissions=[
            {
                "IpProtocol": "tcp", "FromPort": 80, "ToPort": 80,
                "UserIdGroupPairs": [{"GroupId": before.group if before and number == 1 else group["GroupId"]}],
            }
        ],
    )["SecurityGroupRules"]  # fmt: skip
    role = service("iam").create_role(RoleName=f"role-{number}", AssumeRolePolicyDocument=TRUST)["Role"]
    zone = service("route53").create_hosted_zone(Name=f"zone{number}.example", CallerReference=str(number))
    bucket = service("s3")
    if not before:
        bucket.create_bucket(Bucket="archive")
        bucket.put_bucket_versioning(Bucket="archive", VersioningConfiguration={"Status": "Enabled"})
    version = bucket.put_object(Bucket="archive", Key="key", Body=f"version {number}".encode())["VersionId"]
    machine = service("stepfunctions").create_state_machine(
        name=f"machine-{number}",
        roleArn=role["Arn"],
        definition=json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Pass", "Result": queue, "End": True}}}),
    )["stateMachineArn"]
    return Generation(
        number=number, queue=queue, topic=topic, subscription=subscribed["SubscriptionArn"], key=key,
        secret=secret["ARN"], api=rest, resource=resource, vpc=vpc, subnet=subnet, group=group["GroupId"],
        rule=rules[0]["SecurityGroupRuleId"], role=role["Arn"], role_id=role["RoleId"],
        zone=zone["HostedZone"]["Id"], version=version, machine=machine,
    )  # fmt: skip


def check(proxy: Proxy, each: Generation, everything: list[Generation]) -> None:
    """All identifiers of one generation name what they named when they were made."""

    def service(name: str) -> Any:
        return client(name, proxy.url)

    number = each.number
    before = everything[number - 1] if number else each
    after = everything[number + 1] if number + 1 < len(everything) else None
    ec2, api = service("ec2"), service("apigateway")
    attributes = service("sqs").get_queue_attributes(QueueUrl=each.queue, AttributeNames=["QueueArn"])["Attributes"]
    assert attributes["QueueArn"].endswith(f":queue-{number}")
    subscription = service("sns").get_subscription_attributes(SubscriptionArn=each.subscription)["Attributes"]
    assert (subscription["TopicArn"], subscription["Endpoint"]) == (before.topic, attributes["QueueArn"])
    described = service("kms").describe_key(KeyId=each.key)["KeyMetadata"]
    assert (described["KeyId"], described["Description"]) == (each.key, f"key {number}")
    secret = service("secretsmanager").get_secret_value(SecretId=each.secret)
    assert (secret["ARN"], secret["SecretString"]) == (each.secret, str(number))
    assert service("secretsmanager").describe_secret(SecretId=each.secret)["KmsKeyId"] == before.key
    paths = {item["path"]: item["id"] for item in api.get_resources(restApiId=each.api)["items"]}
    assert paths["/orders"] == each.resource
    assert set(paths) == {"/", "/orders"} | ({f"/orders/of-{number + 1}"} if after else set())
    (subnet,) = ec2.describe_subnets(SubnetIds=[each.subnet])["Subnets"]
    assert (subnet["VpcId"], subnet["CidrBlock"]) == (before.vpc, f"10.{before.number}.{number}.0/24")
    (group,) = ec2.describe_security_groups(GroupIds=[each.group])["SecurityGroups"]
    assert (group["GroupName"], group["VpcId"]) == (f"group-{number}", before.vpc)
    pairs = [pair["GroupId"] for pair in group["IpPermissions"][0]["UserIdGroupPairs"]]
    assert pairs == [before.group if number == 1 else each.group]
    (rule,) = ec2.describe_security_group_rules(SecurityGroupRuleIds=[each.rule])["SecurityGroupRules"]
    assert rule["GroupId"] == each.group
    role = service("iam").get_role(RoleName=f"role-{number}")["Role"]
    assert (role["Arn"], role["RoleId"]) == (each.role, each.role_id)
    assert service("route53").get_hosted_zone(Id=each.zone)["HostedZone"]["Name"] == f"zone{number}.example."
    found = service("s3").get_object(Bucket="archive", Key="key", VersionId=each.version)
    assert (found["Body"].read(), found["VersionId"]) == (f"version {number}".encode(), each.version)
    machine = service("stepfunctions").describe_state_machine(stateMachineArn=each.machine)
    assert json.loads(machine["definition"])["States"]["Done"]["Result"] == each.queue
    assert machine["roleArn"] == each.role


def test_ids_of_every_generation_stay_valid_in_many_services(
    start_proxy: Callable[..., Proxy], emulator_name: str
) -> None:
    options = ["--emulator", emulator_name]
    if emulator_name == "localstack":
        if reason := left_out(1.5):
            pytest.skip(f"every generation on LocalStack {reason}")
        options += ["--emulator-python", str(localstack_python())]
    restarts = RESTARTS if emulator_name == "moto" else amount(2, RESTARTS)
    proxy = start_proxy(*options)
    generations = [create(proxy, 0, None)]
    for number in range(1, restarts + 1):
        proxy.kill_all()
        proxy = start_proxy(*options, port=proxy.port)
        assert proxy.status()["last_restore"]["problems"] == []
        for each in generations:
            check(proxy, each, generations)
        generations.append(create(proxy, number, generations[-1]))
        for each in generations:
            check(proxy, each, generations)
