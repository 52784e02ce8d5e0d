"""A seeded history like the worst one reported in public: 3,751 calls in 11 MB, of which some 7 % still matter.

`Infrastructure` makes what stays: some 150 calls of many services. `traffic` is what applications do on top of it all day:
objects put, replaced and deleted, messages sent, received and deleted, items written over, parameters rewritten and
removed; only what is named `KEPT_…` is alive at the end. Everything is done by boto3 against the endpoint that it is
given, so a history is real: what the emulator answered, the proxy recorded. The same seed gives the same calls.

`size` is a share of the whole, by which every number is multiplied: a smaller history has the same mixture. Parameters
are removed after they were rewritten, and not merely rewritten, because the versions of a parameter can be asked for: a
rewritten one is alive in all its versions.
"""

from __future__ import annotations

import functools
import io
import json
import random
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

SEED = 3464
CALLS = 3751
KEPT_OBJECTS, KEPT_MESSAGES, KEPT_ITEMS = 46, 34, 30
OBJECT_BYTES = (1000, 8600)
REGION = "us-east-1"
ROLE = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
WORDS = (
    "order",
    "invoice",
    "customer",
    "parcel",
    "street",
    "total",
    "item",
    "basket",
    "refund",
    "stock",
    "courier",
    "depot",
)


class Clients:
    """boto3 clients for one endpoint, by service; one connection each. `made` is told of each."""

    def __init__(self, url: str, made: Callable[[str, Any], None] = lambda _service, _client: None) -> None:
        import boto3
        from botocore.config import Config

        session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
        config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}, read_timeout=60)
        self._make = functools.partial(session.client, endpoint_url=url, config=config)
        self._tell = made
        self._made: dict[str, Any] = {}

    def __getitem__(self, service: str) -> Any:
        if service not in self._made:
            self._made[service] = self._make(service)
            self._tell(service, self._made[service])
        return self._made[service]


@dataclass
class Counted:
    """Clients that count the calls that a history is made of; reads do not count. `calls` by service."""

    clients: Clients
    calls: dict[str, int] = field(default_factory=dict)

    def __call__(self, service: str, operation: str, **parameters: Any) -> Any:
        self.calls[service] = self.calls.get(service, 0) + 1
        return getattr(self.clients[service], operation)(**parameters)

    @property
    def total(self) -> int:
        return sum(self.calls.values())


@dataclass
class Infrastructure:
    """What the traffic needs to know of what was made."""

    queues: list[str]
    buckets: list[str]
    tables: list[str]


def build(call: Counted, size: float = 1.0) -> Infrastructure:
    """Make the infrastructure: at full size some 150 calls."""

    def some(count: int) -> range:
        return range(max(1, round(count * size)))

    queues = _queues(call, some)
    buckets = [f"company-data-{i}" for i in some(8)]
    for i, bucket in enumerate(buckets):
        call("s3", "create_bucket", Bucket=bucket)
        if i % 3 == 0:
            tags = [{"Key": "team", "Value": f"team-{i}"}]
            call("s3", "put_bucket_tagging", Bucket=bucket, Tagging={"TagSet": tags})
    tables = [f"records-{i}" for i in some(6)]
    for table in tables:
        key = {"KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}
        kinds = [{"AttributeName": "id", "AttributeType": "S"}]
        call(
            "dynamodb",
            "create_table",
            TableName=table,
            AttributeDefinitions=kinds,
            BillingMode="PAY_PER_REQUEST",
            **key,
        )
    for i in some(12):
        call("ssm", "put_parameter", Name=f"/service/{i}/endpoint", Value=f"https://host-{i}.internal", Type="String")
    _roles_and_functions(call, some)
    _network(call, some)
    _rest_apis(call, some)
    _observation(call, some, queues)
    _keys_and_secrets(call, some)
    return Infrastructure(queues, buckets, tables)


Some = Callable[[int], range]


def _queues(call: Counted, some: Some) -> list[str]:
    queues = []
    for i in some(10):
        url = call("sqs", "create_queue", QueueName=f"work-{i}", Attributes={"VisibilityTimeout": "60"})["QueueUrl"]
        queues.append(url)
        if i % 3 == 2:
            attributes = {
                "RedrivePolicy": json.dumps({"deadLetterTargetArn": _arn(call, queues[0]), "maxReceiveCount": "5"})
            }
            call("sqs", "set_queue_attributes", QueueUrl=url, Attributes=attributes)
    for i in some(5):
        topic = call("sns", "create_topic", Name=f"events-{i}")["TopicArn"]
        for queue in queues[i : i + 2]:
            call("sns", "subscribe", TopicArn=topic, Protocol="sqs", Endpoint=_arn(call, queue))
    return queues


def _arn(call: Counted, url: str) -> str:
    asked = call.clients["sqs"].get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn: str = asked["Attributes"]["QueueArn"]
    return arn


def _roles_and_functions(call: Counted, some: Some) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        member = zipfile.ZipInfo("index.py", (2026, 1, 1, 0, 0, 0))
        package.writestr(member, "def handler(event, context):\n    return event\n")
    for i in some(8):
        role = call("iam", "create_role", RoleName=f"service-{i}", AssumeRolePolicyDocument=json.dumps(ROLE))["Role"]
        statement = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        call("iam", "put_role_policy", RoleName=f"service-{i}", PolicyName="queues", PolicyDocument=document)
        if i % 2 == 0:
            call(
                "lambda", "create_function", FunctionName=f"function-{i}", Runtime="python3.12", Role=role["Arn"],
                Handler="index.handler", Code={"ZipFile": buffer.getvalue()},
            )  # fmt: skip


def _network(call: Counted, some: Some) -> None:
    for i in some(2):
        vpc = call("ec2", "create_vpc", CidrBlock=f"10.{i}.0.0/16")["Vpc"]["VpcId"]
        gateway = call("ec2", "create_internet_gateway")["InternetGateway"]["InternetGatewayId"]
        call("ec2", "attach_internet_gateway", InternetGatewayId=gateway, VpcId=vpc)
        table = call("ec2", "create_route_table", VpcId=vpc)["RouteTable"]["RouteTableId"]
        call("ec2", "create_route", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        for zone in some(3):
            cidr, where = f"10.{i}.{zone}.0/24", f"{REGION}{'abc'[zone % 3]}"
            subnet = call("ec2", "create_subnet", VpcId=vpc, CidrBlock=cidr, AvailabilityZone=where)["Subnet"]
            call("ec2", "associate_route_table", RouteTableId=table, SubnetId=subnet["SubnetId"])
        for port in (443, 5432):
            name = f"port-{port}"
            group = call("ec2", "create_security_group", VpcId=vpc, GroupName=name, Description=name)["GroupId"]
            rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
            call("ec2", "authorize_security_group_ingress", GroupId=group, IpPermissions=[rule])


def _rest_apis(call: Counted, some: Some) -> None:
    for i in some(2):
        api = call("apigateway", "create_rest_api", name=f"public-{i}")["id"]
        root = call.clients["apigateway"].get_resources(restApiId=api)["items"][0]["id"]
        for path in ("orders", "parcels"):
            at = call("apigateway", "create_resource", restApiId=api, parentId=root, pathPart=path)["id"]
            where = {"restApiId": api, "resourceId": at, "httpMethod": "GET"}
            call("apigateway", "put_method", authorizationType="NONE", **where)
            call("apigateway", "put_integration", type="MOCK", **where)
        call("apigateway", "create_deployment", restApiId=api, stageName="live")


def _observation(call: Counted, some: Some, queues: list[str]) -> None:
    for i in some(5):
        call("events", "put_rule", Name=f"nightly-{i}", ScheduleExpression="rate(1 day)", State="DISABLED")
        target = {"Id": "queue", "Arn": _arn(call, queues[i % len(queues)])}
        call("events", "put_targets", Rule=f"nightly-{i}", Targets=[target])
        call("logs", "create_log_group", logGroupName=f"/service/{i}")
        call("logs", "put_retention_policy", logGroupName=f"/service/{i}", retentionInDays=30)


def _keys_and_secrets(call: Counted, some: Some) -> None:
    for i in some(3):
        key = call("kms", "create_key", Description=f"key {i}")["KeyMetadata"]["KeyId"]
        call("kms", "create_alias", AliasName=f"alias/service-{i}", TargetKeyId=key)
        call("secretsmanager", "create_secret", Name=f"service/{i}/database", SecretString=f"password {i}")


# -- traffic -----------------------------------------------------------------------------------------------------------

Step = Callable[[], Any]


def traffic(call: Counted, made: Infrastructure, calls: int, size: float = 1.0, seed: int = SEED) -> None:
    """Do exactly `calls` calls of data traffic, of which some 110 (at full size) are still alive afterwards."""
    noise = random.Random(seed)
    strands: list[list[Step]] = []
    for kind, count in ((_kept_object, KEPT_OBJECTS), (_kept_message, KEPT_MESSAGES), (_kept_item, KEPT_ITEMS)):
        strands += [kind(call, made, noise, i) for i in range(max(1, round(count * size)))]
    left = calls - sum(map(len, strands))
    if left < 0:
        raise ValueError(f"{calls} calls are fewer than those that stay alive")
    for number in range(calls):
        if left <= 4:
            break
        kind = noise.choices(PASSING, (48, 34, 10, 8))[0]
        strands.append(kind(call, made, noise, number))
        left -= len(strands[-1])
    strands.append([functools.partial(_put_object, call, made.buckets[0], "data/0", noise)] * left + strands.pop(0))
    # Each strand runs over a short stretch of the whole, so that they overlap as the work of many clients does.
    timed = []
    for strand in strands:
        begin, length = noise.random(), noise.random() * 0.02
        timed += [(begin + length * at, step) for at, step in enumerate(strand)]
    for _, step in sorted(timed, key=lambda each: each[0]):
        step()


def alive(call: Counted, made: Infrastructure, calls: int, seed: int = SEED) -> None:
    """Do `calls` calls that are all alive afterwards: objects, messages, items and parameters, each another one."""
    noise = random.Random(seed)
    for number in range(calls):
        match number % 4:
            case 0:
                _put_object(call, made.buckets[number % len(made.buckets)], f"alive/{number}", noise)
            case 1:
                body = json.dumps({"order": number, "text": _text(noise, 200)})
                call("sqs", "send_message", QueueUrl=made.queues[number % len(made.queues)], MessageBody=body)
            case 2:
                _item(call, made.tables[number % len(made.tables)], f"alive-{number}", noise)
            case _:
                call("ssm", "put_parameter", Name=f"/alive/{number}", Value=_text(noise, 200), Type="String")


def _text(noise: random.Random, size: int) -> str:
    return " ".join(noise.choices(WORDS, k=size // 6))


def _put_object(call: Counted, bucket: str, key: str, noise: random.Random) -> None:
    body = _text(noise, noise.randrange(*OBJECT_BYTES)).encode()
    call("s3", "put_object", Bucket=bucket, Key=key, Body=body, ContentType="text/plain")


def _kept_object(call: Counted, made: Infrastructure, noise: random.Random, number: int) -> list[Step]:
    put = functools.partial(_put_object, call, made.buckets[number % len(made.buckets)], f"data/{number}", noise)
    return [put] * noise.randint(1, 4)


def _passing_object(call: Counted, made: Infrastructure, noise: random.Random, number: int) -> list[Step]:
    bucket, key = noise.choice(made.buckets), f"tmp/{number}"
    put = functools.partial(_put_object, call, bucket, key, noise)
    return [put] * noise.randint(1, 2) + [functools.partial(call, "s3", "delete_object", Bucket=bucket, Key=key)]


def _kept_message(call: Counted, made: Infrastructure, noise: random.Random, number: int) -> list[Step]:
    backlog = made.queues[-max(1, len(made.queues) // 4) :]
    body = json.dumps({"order": number, "text": _text(noise, 200)})
    return [functools.partial(call, "sqs", "send_message", QueueUrl=backlog[number % len(backlog)], MessageBody=body)]


def _passing_message(call: Counted, made: Infrastructure, noise: random.Random, number: int) -> list[Step]:
    busy = made.queues[: -max(1, len(made.queues) // 4)] or made.queues
    url = noise.choice(busy)
    body = json.dumps({"order": number, "text": _text(noise, 200)})
    received: list[str] = []

    def receive() -> None:
        answer = call("sqs", "receive_message", QueueUrl=url, MaxNumberOfMessages=1)
        received.append(answer["Messages"][0]["ReceiptHandle"])

    return [
        functools.partial(call, "sqs", "send_message", QueueUrl=url, MessageBody=body),
        receive,
        lambda: call("sqs", "delete_message", QueueUrl=url, ReceiptHandle=received[0]),
    ]


def _item(call: Counted, table: str, name: str, noise: random.Random) -> None:
    item = {"id": {"S": name}, "total": {"N": str(noise.randrange(1000))}, "text": {"S": _text(noise, 300)}}
    call("dynamodb", "put_item", TableName=table, Item=item)


def _kept_item(call: Counted, made: Infrastructure, noise: random.Random, number: int) -> list[Step]:
    table = made.tables[number % len(made.tables)]
    return [functools.partial(_item, call, table, f"item-{number}", noise)] * noise.randint(1, 4)


def _passing_item(call: Counted, made: Infrastructure, noise: random.Random, number: int) -> list[Step]:
    table, name = noise.choice(made.tables), f"passing-{number}"
    put = functools.partial(_item, call, table, name, noise)
    return [put, put, functools.partial(call, "dynamodb", "delete_item", TableName=table, Key={"id": {"S": name}})]


def _passing_parameter(call: Counted, made: Infrastructure, noise: random.Random, number: int) -> list[Step]:
    name = f"/passing/{number}"

    def put() -> None:
        call("ssm", "put_parameter", Name=name, Value=_text(noise, 200), Type="String", Overwrite=True)

    return [put, put, functools.partial(call, "ssm", "delete_parameter", Name=name)]


PASSING = (_passing_object, _passing_message, _passing_item, _passing_parameter)
