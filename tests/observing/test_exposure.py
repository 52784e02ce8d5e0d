"""Which data something other than a recorded call can change, told from the calls that made the infrastructure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.observing.exposure import may_wire
from replay_proxy.observing.watched import Watched
from replay_proxy.replay.recorded_call import Call

QUEUE_URL = "http://127.0.0.1:4566/000000000000/orders"
QUEUE_ARN = "arn:aws:sqs:us-east-1:000000000000:orders"
TOPIC_ARN = "arn:aws:sns:us-east-1:000000000000:events"
TABLE_ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/rows"
FUNCTION_ARN = "arn:aws:lambda:us-east-1:000000000000:function:work"
BUCKET_ARN = "arn:aws:s3:::files"


def call(service: str, operation: str, **params: Any) -> Call:
    head = CallHead(service, operation, "json", "", "us-east-1", "test")
    request = Request("POST", "/", Headers((("Host", "127.0.0.1:4566"),)))
    return Call(1, "2026-01-31T12:00:01.000000Z", head, params, request, Answer(200, Headers()), {}, False, "test")


def made() -> Watched:
    """A queue, a table, a bucket and a stream, which nothing acts on."""
    watched = Watched()
    watched.see(call("sqs", "CreateQueue", QueueName="orders"))
    keys = [{"AttributeName": "id", "KeyType": "HASH"}]
    watched.see(call("dynamodb", "CreateTable", TableName="rows", KeySchema=keys))
    watched.see(call("s3", "CreateBucket", Bucket="files"))
    watched.see(call("kinesis", "CreateStream", StreamName="flow"))
    return watched


def exposed(watched: Watched) -> set[str]:
    return {str(each) for each in watched.exposed()}


def changed(watched: Watched) -> set[str]:
    return {str(each) for each in watched.dirty}


def test_data_that_nothing_acts_on_is_not_looked_at() -> None:
    watched = made()
    watched.see_effect(call("dynamodb", "PutItem", TableName="rows", Item={"id": {"S": "1"}}), recorded=True)
    assert (exposed(watched), changed(watched), watched.noted_services) == (set(), set(), frozenset())


LINKS = [
    (call("sns", "Subscribe", TopicArn=TOPIC_ARN, Protocol="sqs", Endpoint=QUEUE_ARN), "sqs orders"),
    (call("events", "PutTargets", Rule="r", Targets=[{"Id": "1", "Arn": QUEUE_ARN}]), "sqs orders"),
    (
        call(
            "s3",
            "PutBucketNotificationConfiguration",
            Bucket="files",
            NotificationConfiguration={"QueueConfigurations": [{"QueueArn": QUEUE_ARN, "Events": ["s3:*"]}]},
        ),
        "sqs orders",
    ),
    (
        call(
            "firehose",
            "CreateDeliveryStream",
            DeliveryStreamName="d",
            ExtendedS3DestinationConfiguration={"BucketARN": BUCKET_ARN, "RoleARN": "arn:aws:iam::000000000000:role/r"},
        ),
        "s3 files",
    ),
    (
        call("pipes", "CreatePipe", Name="p", Source=f"{TABLE_ARN}/stream/2026", Target=QUEUE_ARN, RoleArn="r"),
        "dynamodb rows",
    ),
    (call("scheduler", "CreateSchedule", Name="s", Target={"Arn": QUEUE_ARN, "Input": "{}"}), "sqs orders"),
    (
        call(
            "dynamodb",
            "EnableKinesisStreamingDestination",
            TableName="rows",
            StreamArn="arn:aws:kinesis:r:a:stream/flow",
        ),
        "kinesis flow",
    ),
    (
        call(
            "sqs",
            "CreateQueue",
            QueueName="work",
            Attributes={"RedrivePolicy": f'{{"deadLetterTargetArn":"{QUEUE_ARN}"}}'},
        ),
        "sqs orders",
    ),
    (call("s3", "PutBucketLifecycleConfiguration", Bucket="files", LifecycleConfiguration={"Rules": []}), "s3 files"),
]


@pytest.mark.parametrize(("link", "target"), LINKS, ids=[link.operation for link, _target in LINKS])
def test_what_a_call_links_is_exposed(link: Call, target: str) -> None:
    watched = made()
    watched.see(link)
    assert target in exposed(watched)


def test_only_what_a_call_can_have_an_effect_on_is_looked_at() -> None:
    watched = made()
    watched.see(call("sns", "Subscribe", TopicArn=TOPIC_ARN, Protocol="sqs", Endpoint=QUEUE_ARN))
    watched.see(call("sqs", "CreateQueue", QueueName="others"))
    watched.see_effect(call("sns", "Publish", TopicArn=f"{TOPIC_ARN}-2", Message="m"), recorded=False)
    assert changed(watched) == set()
    watched.see_effect(call("sns", "Publish", TopicArn=TOPIC_ARN, Message="m"), recorded=False)
    assert changed(watched) == {"sqs orders"}


def test_what_runs_code_reaches_everything() -> None:
    watched = made()
    watched.see(call("lambda", "CreateFunction", FunctionName="work", Role="r", Code={"ZipFile": b""}))
    assert exposed(watched) == {"sqs orders", "dynamodb rows", "s3 files", "kinesis flow"}
    watched.see_effect(call("dynamodb", "PutItem", TableName="rows", Item={"id": {"S": "1"}}), recorded=True)
    assert changed(watched) == set(), "nothing runs when an item is put"
    watched.see(call("lambda", "CreateEventSourceMapping", EventSourceArn=f"{TABLE_ARN}/stream/1", FunctionName="work"))
    watched.see_effect(call("dynamodb", "PutItem", TableName="rows", Item={"id": {"S": "1"}}), recorded=True)
    assert changed(watched) == exposed(watched)


def test_a_queue_that_is_deleted_is_looked_at_no_longer() -> None:
    watched = made()
    watched.see(call("sns", "Subscribe", TopicArn=TOPIC_ARN, Protocol="sqs", Endpoint=QUEUE_ARN))
    watched.see(call("sqs", "DeleteQueue", QueueUrl=QUEUE_URL))
    assert "sqs orders" not in exposed(watched)


def test_parameters_and_networks_run_nothing() -> None:
    watched = made()
    watched.see(call("ssm", "PutParameter", Name="/app/name", Value="v", Type="String"))
    watched.see(call("ec2", "CreateVpc", CidrBlock="10.0.0.0/16"))
    assert exposed(watched) == set()
    watched.see(call("apigateway", "PutIntegration", restApiId="a", resourceId="r", httpMethod="GET", type="AWS"))
    assert "ssm parameters" in exposed(watched)


def test_what_acts_by_the_clock_is_looked_at_without_a_call() -> None:
    watched = made()
    watched.see(call("events", "PutRule", Name="pattern", EventPattern="{}"))
    watched.see(call("events", "PutTargets", Rule="pattern", Targets=[{"Id": "1", "Arn": QUEUE_ARN}]))
    assert watched.reached_by_clock() == []
    watched.see(
        call("scheduler", "CreateSchedule", Name="s", Target={"Arn": "arn:aws:sqs:us-east-1:0:others", "Input": "{}"})
    )
    watched.see(call("sqs", "CreateQueue", QueueName="others"))
    assert {str(each) for each in watched.reached_by_clock()} == {"sqs others", "scheduler schedules"}
    watched.see(call("s3", "PutBucketLifecycleConfiguration", Bucket="files", LifecycleConfiguration={"Rules": []}))
    assert {str(each) for each in watched.reached_by_clock()} == {
        "sqs others",
        "scheduler schedules",
        "s3 files",
    }


def test_the_default_account_is_one_account_by_whatever_name() -> None:
    watched = Watched()
    made_queue = call("sqs", "CreateQueue", QueueName="orders")
    made_queue.__dict__["result"] = {"QueueUrl": QUEUE_URL}
    watched.see(made_queue)
    for account, count in (("000000000000", 1), ("111111111111", 2)):
        bucket = call("sqs", "SetQueueAttributes", QueueUrl=QUEUE_URL, Attributes={})
        watched.see(replace(bucket, head=replace(bucket.head, account=account)))
        assert len(watched.callers) == count


@pytest.mark.parametrize(
    ("parameters", "wires"),
    [
        ({"TemplateBody": '{"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}}'}, False),
        ({"TemplateBody": '{"Resources": {"S": {"Type": "AWS::SNS::Subscription"}}}'}, True),
        ({"TemplateBody": "Transform: AWS::Serverless-2016-10-31"}, True),
        ({"TypeName": "AWS::SQS::Queue", "DesiredState": "{}"}, False),
        ({"TypeName": "AWS::S3::Bucket", "DesiredState": '{"NotificationConfiguration": {}}'}, True),
        ({"TemplateURL": "http://localhost/bucket/key"}, True),
    ],
)
def test_a_stack_may_wire_what_its_template_names(parameters: dict[str, str], wires: bool) -> None:
    assert may_wire(parameters) is wires
