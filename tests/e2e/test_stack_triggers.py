"""Triggers that a stack made are not set off by what a restore puts back: what was delivered and done is not done again."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients import SOON, client
from tests.support.processes import Proxy, amount, left_out

pytestmark = pytest.mark.emulator
RESTARTS = amount(1, 3)
QUIET_S = 1.0
"""After a restore, for what an emulator does a moment later."""
CODE = """import os, time
def handler(event, context):
    for record in event["Records"]:
        open(os.path.join(os.environ["SEEN"], str(time.time_ns())), "w").write(record["eventSource"])
"""


def _of(resource: str, attribute: str = "Arn") -> dict[str, Any]:
    return {"Fn::GetAtt": [resource, attribute]}


def _resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


def wiring(seen: Path) -> dict[str, Any]:
    """What reacts to objects, items, records, messages and events. seen: where the function leaves a file for each record."""
    mapping = {"FunctionName": {"Ref": "Function"}, "BatchSize": 1}
    rule = {"State": "ENABLED", "Targets": [{"Id": "1", "Arn": _of("FromRule")}]}
    told = {"QueueConfigurations": [{"Event": "s3:ObjectCreated:*", "Queue": _of("FromBucket")}]}
    table = {
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    function = {
        "FunctionName": "fn",
        "Runtime": "python3.11",
        "Handler": "index.handler",
        "Role": "arn:aws:iam::000000000000:role/r",
        "Timeout": 20,
        "Code": {"ZipFile": CODE},
        "Environment": {"Variables": {"SEEN": str(seen)}},
    }
    queues = ("FromTopic", "FromRule", "FromBucket", "Work")
    ofs = {"OfTable": _of("Table", "StreamArn"), "OfStream": _of("Stream")}
    return {
        **{name: _resource("SQS::Queue", QueueName=name) for name in queues},
        "Topic": _resource("SNS::Topic", TopicName="topic"),
        "Subscription": _resource(
            "SNS::Subscription", TopicArn={"Ref": "Topic"}, Protocol="sqs", Endpoint=_of("FromTopic")
        ),
        "Rule": _resource("Events::Rule", Name="rule", EventPattern={"source": ["shop", "aws.s3"]}, **rule),
        "Bucket": _resource("S3::Bucket", BucketName="triggering", NotificationConfiguration=told),
        "Table": _resource(
            "DynamoDB::Table", TableName="orders", StreamSpecification={"StreamViewType": "NEW_IMAGE"}, **table
        ),
        "Stream": _resource("Kinesis::Stream", Name="clicks", ShardCount=1),
        "Function": _resource("Lambda::Function", **function),
        **{
            name: _resource("Lambda::EventSourceMapping", EventSourceArn=arn, StartingPosition=position, **mapping)
            for (name, arn), position in zip(ofs.items(), ("TRIM_HORIZON", "LATEST"), strict=True)
        },
        "OfWork": _resource("Lambda::EventSourceMapping", EventSourceArn=_of("Work"), **mapping),
    }


class Shop:
    """A stack, a bucket with a notification that is older, and clients that send and put.

    all: the emulator carries out all that a stack can wire.
    """

    def __init__(self, proxy: Proxy, seen: Path, *, all: bool) -> None:  # noqa: A002
        self.proxy, self.seen, self.all, self.sent = proxy, seen, all, 0
        seen.mkdir()
        sqs, s3 = self.client("sqs"), self.client("s3")
        sqs.create_queue(QueueName="FromOlder")
        arn = sqs.get_queue_attributes(QueueUrl=self.url("FromOlder"), AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        s3.create_bucket(Bucket="older")
        told = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
        s3.put_bucket_notification_configuration(Bucket="older", NotificationConfiguration=told)
        self.resources = {"Other": _resource("SQS::Queue", QueueName="other"), **(wiring(seen) if all else {})}
        stacks = self.client("cloudformation")
        stacks.create_stack(StackName="shop", TemplateBody=json.dumps({"Resources": self.resources}))
        stacks.get_waiter("stack_create_complete").wait(StackName="shop", WaiterConfig=SOON)

    def change(self) -> None:
        """Let the stack have one more queue."""
        self.resources["Another"] = _resource("SQS::Queue", QueueName="another")
        stacks = self.client("cloudformation")
        stacks.update_stack(StackName="shop", TemplateBody=json.dumps({"Resources": self.resources}))
        stacks.get_waiter("stack_update_complete").wait(StackName="shop", WaiterConfig=SOON)

    def client(self, service: str) -> Any:
        return client(service, self.proxy.url)

    def url(self, queue: str) -> str:
        return str(self.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"])

    def act(self) -> None:
        """Set off every trigger once more, and wait until all of it is done and seen."""
        self.sent += 1
        text = str(self.sent)
        self.client("s3").put_object(Bucket="older", Key=text, Body=b"x")
        if not self.all:
            return
        self.client("s3").put_object(Bucket="triggering", Key=text, Body=b"x")
        self.client("dynamodb").put_item(TableName="orders", Item={"pk": {"S": text}})
        self.client("kinesis").put_record(StreamName="clicks", Data=text.encode(), PartitionKey=text)
        self.client("sns").publish(TopicArn="arn:aws:sns:us-east-1:000000000000:topic", Message=text)
        self.client("events").put_events(Entries=[{"Source": "shop", "DetailType": "t", "Detail": "{}"}])
        sqs = self.client("sqs")
        sqs.send_message(QueueUrl=self.url("Work"), MessageBody=text)
        eventually(lambda: self.ran() >= 3 * self.sent)
        # Only then is the message taken by the mapping gone for good.
        eventually(lambda: self.hidden() == 0)

    def hidden(self) -> int:
        """How many messages the mapping has taken, and not deleted yet."""
        sqs, asked = self.client("sqs"), {"AttributeNames": ["All"]}
        shown = sqs.get_queue_attributes(QueueUrl=self.url("Work"), **asked)["Attributes"]
        return int(shown["ApproximateNumberOfMessages"]) + int(shown["ApproximateNumberOfMessagesNotVisible"])

    def ran(self) -> int:
        """For how many records the function ran."""
        return len(list(self.seen.iterdir()))

    def waiting(self) -> dict[str, int]:
        """How many messages wait in each queue."""
        sqs, asked = self.client("sqs"), {"AttributeNames": ["ApproximateNumberOfMessages"]}
        urls = {url.rpartition("/")[2]: url for url in sqs.list_queues()["QueueUrls"]}
        shown = {name: sqs.get_queue_attributes(QueueUrl=url, **asked)["Attributes"] for name, url in urls.items()}
        return {name: int(each["ApproximateNumberOfMessages"]) for name, each in shown.items()}

    def triggers(self) -> dict[str, Any]:
        """How the stack and its triggers are shown, but for times."""
        mappings = self.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        stack = self.client("cloudformation").describe_stacks(StackName="shop")["Stacks"][0]
        return {
            "stack": stack["StackId"],
            "subscriptions": self.client("sns").list_subscriptions()["Subscriptions"],
            "mappings": {each["UUID"]: {**each, "LastModified": 0, "LastProcessingResult": ""} for each in mappings},
            "notification": self._notification() if self.all else None,
            "rules": [each["State"] for each in self.client("events").list_rules()["Rules"]],
        }

    def _notification(self) -> dict[str, Any]:
        shown: dict[str, Any] = self.client("s3").get_bucket_notification_configuration(Bucket="triggering")
        shown.pop("ResponseMetadata")
        return shown


def post(proxy: Proxy, path: str) -> None:
    request = urllib.request.Request(proxy.url + path, method="POST")
    with urllib.request.urlopen(request, timeout=120) as answer:
        answer.read()


def eventually(ask: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not ask():
        assert time.monotonic() < deadline
        time.sleep(0.05)


IN_PARTS = ("--load-strategy", "ON_REQUEST")
LONG = pytest.mark.skipif(bool(left_out(0.5)), reason=str(left_out(0.5)))


@pytest.mark.parametrize(
    ("emulator", "options"),
    [
        ("moto", ()),
        pytest.param("ministack", (), marks=LONG),
        pytest.param("ministack", IN_PARTS, marks=LONG),
    ],
)
def test_what_a_stack_wired_is_not_set_off_again(
    emulator: str, options: tuple[str, ...], start_proxy: Callable[..., Proxy], tmp_path: Path
) -> None:
    proxy = start_proxy("--emulator", emulator, *options)
    shop = Shop(proxy, tmp_path / "seen", all=emulator == "ministack")
    shown = shop.triggers()
    shop.act()
    shop.change()
    for _ in range(RESTARTS):
        shop.act()
        time.sleep(QUIET_S)
        waiting, ran = shop.waiting(), shop.ran()
        assert waiting["FromOlder"] >= shop.sent
        post(proxy, "/_replay/observe")
        proxy.kill_all()
        proxy.again()
        if options:
            shop.waiting()
            post(proxy, "/_localstack/state/load")
        restore = proxy.status()["last_restore"]
        assert (restore["problems"], restore["findings"]) == ([], [])
        assert shop.triggers() == shown
        time.sleep(QUIET_S)
        assert (shop.waiting(), shop.ran()) == (waiting, ran)
    shop.act()
    eventually(lambda: sum(shop.waiting().values()) > sum(waiting.values()))
