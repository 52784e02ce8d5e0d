"""What a small shop's stack does through the proxy, for people who look at it: resources that hang together, data, refusals."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from tests.support.clients import client

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def play(url: str) -> str:
    """Make the stack, write data, read, and be refused something. Returns the URL of the queue `orders`."""
    sqs, sns, s3, iam = (client(name, url) for name in ("sqs", "sns", "s3", "iam"))
    dynamodb, functions, events, ec2 = (client(name, url) for name in ("dynamodb", "lambda", "events", "ec2"))
    dead = sqs.create_queue(QueueName="orders-dead")["QueueUrl"]
    redrive = {"deadLetterTargetArn": arn_of(sqs, dead), "maxReceiveCount": "3"}
    orders = sqs.create_queue(QueueName="orders", Attributes={"RedrivePolicy": json.dumps(redrive)})["QueueUrl"]
    topic = sns.create_topic(Name="order-events")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn_of(sqs, orders))
    dynamodb.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    s3.create_bucket(Bucket="invoices")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    role = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    functions.create_function(
        FunctionName="worker",
        Runtime="python3.12",
        Role=role,
        Handler="index.handler",
        Code={"ZipFile": code()},
        Environment={"Variables": {"QUEUE_URL": orders, "TABLE": "orders", "DB_PASSWORD": "hunter22"}},
        VpcConfig={"SubnetIds": [subnet], "SecurityGroupIds": []},
    )
    functions.create_event_source_mapping(FunctionName="worker", EventSourceArn=arn_of(sqs, orders), Enabled=False)
    events.put_rule(Name="nightly", ScheduleExpression="rate(1 day)")
    events.put_targets(Rule="nightly", Targets=[{"Id": "1", "Arn": topic}])
    for number in range(4):
        key = {"S": f"order-{number}"}
        dynamodb.put_item(TableName="orders", Item={"id": key, "total": {"N": f"{number * 7}"}})
        s3.put_object(Bucket="invoices", Key=f"2026/order-{number}.pdf", Body=b"%PDF")
    dynamodb.get_item(TableName="orders", Key={"id": {"S": "order-1"}})
    with suppress(ClientError):
        s3.get_object(Bucket="invoices", Key="2026/order-9.pdf")
    with suppress(ClientError):
        dynamodb.put_item(
            TableName="orders", Item={"id": {"S": "order-1"}}, ConditionExpression="attribute_not_exists(id)"
        )
    sqs.set_queue_attributes(QueueUrl=orders, Attributes={"VisibilityTimeout": "60"})
    sqs.tag_queue(QueueUrl=orders, Tags={"team": "shop"})
    sqs.send_message(QueueUrl=orders, MessageBody=json.dumps({"order": 4, "total": 28}))
    sqs.get_queue_attributes(QueueUrl=orders, AttributeNames=["All"])
    return str(orders)


def arn_of(sqs: Any, url: str) -> str:
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(found["Attributes"]["QueueArn"])


def code() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("index.py", "def handler(event, context):\n    return None\n")
    return packed.getvalue()


def go_on(url: str) -> None:
    """What its clients do on an ordinary day."""
    sqs, s3, dynamodb, functions = (client(name, url) for name in ("sqs", "s3", "dynamodb", "lambda"))
    orders = sqs.get_queue_url(QueueName="orders")["QueueUrl"]
    functions.get_function(FunctionName="worker")
    for number in (5, 6):
        key = {"S": f"order-{number}"}
        dynamodb.put_item(TableName="orders", Item={"id": key, "total": {"N": f"{number * 7}"}})
        s3.put_object(Bucket="invoices", Key=f"2026/order-{number}.pdf", Body=b"%PDF")
        sqs.send_message(QueueUrl=orders, MessageBody=json.dumps({"order": number}))
    with suppress(ClientError):
        s3.get_object(Bucket="invoices", Key="2026/order-9.pdf")
    dynamodb.query(
        TableName="orders",
        KeyConditionExpression="id = :id",
        ExpressionAttributeValues={":id": {"S": "order-5"}},
    )
    with suppress(ClientError):
        sqs.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "5"})
    sqs.set_queue_attributes(QueueUrl=orders, Attributes={"MessageRetentionPeriod": "86400"})
    sqs.tag_queue(QueueUrl=sqs.get_queue_url(QueueName="orders-dead")["QueueUrl"], Tags={"alarm": "on"})
