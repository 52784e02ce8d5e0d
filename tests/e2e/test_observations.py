"""What an emulator did by itself is back after each restart, once; and what was consumed past the proxy stays consumed."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.clients import SOON, client
from tests.support.processes import Emulator, Proxy, amount, left_out, replay_proxy

pytestmark = pytest.mark.emulator

RESTARTS = 3
LONG = pytest.mark.skipif(bool(left_out(1)), reason=str(left_out(1)))
LOCALSTACK = pytest.param("localstack", marks=LONG)
NAMES = ["moto", "ministack", LOCALSTACK]
REPEATED = [pytest.param("moto", marks=LONG), "ministack", LOCALSTACK]
"""For what shows on another emulator what it shows on MiniStack."""
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:rotates"
Start = Callable[..., tuple[Emulator, Proxy]]


@pytest.fixture
def start(
    start_emulator: Callable[..., Emulator], start_proxy: Callable[..., Proxy]
) -> Iterator[Callable[..., tuple[Emulator, Proxy]]]:
    """Start an emulator, and a proxy in front of it: so that clients can pass the proxy by."""

    def both(name: str, *options: str) -> tuple[Emulator, Proxy]:
        emulator = start_emulator(name)
        return emulator, start_proxy("--upstream", emulator.url, *options)

    yield both


def post(proxy: Proxy, path: str) -> str:
    request = urllib.request.Request(proxy.url + path, method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(answer.read().decode())


def save(proxy: Proxy) -> None:
    post(proxy, "/_localstack/state/save")


def waiting(sqs: Any, name: str) -> list[tuple[str, str, str]]:
    """The messages of a queue, which stay there: id, body and attributes."""
    queue = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    found: list[dict[str, Any]] = []
    while messages := sqs.receive_message(
        QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=30, MessageAttributeNames=["All"]
    ).get("Messages"):
        found += messages
    for message in found:
        sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    return sorted(
        (each["MessageId"], each["Body"], json.dumps(each.get("MessageAttributes"), sort_keys=True)) for each in found
    )


def until(look: Callable[[], Any], accept: Callable[[Any], bool], seconds: float = 10.0) -> Any:
    """What `look` returns as soon as it is accepted."""
    deadline = time.monotonic() + seconds
    while not accept(seen := look()):
        assert time.monotonic() < deadline, seen
        time.sleep(0.1)
    return seen


def restart(emulator: Emulator, proxy: Proxy, look: Callable[[], Any]) -> Any:
    """What is seen after the emulator was killed, and another one took its place."""
    restores = proxy.log.count("Restored ")
    emulator.restart()
    deadline = time.monotonic() + 60
    while proxy.log.count("Restored ") == restores:
        assert time.monotonic() < deadline, proxy.log
        time.sleep(0.05)
    return look()


def with_delivery(sqs: Any, sns: Any, events: Any) -> tuple[str, str]:
    """A queue that a topic and a rule deliver to. Returns its URL and the topic."""
    queue = sqs.create_queue(QueueName="orders")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name="events")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    events.put_rule(Name="rule", EventPattern='{"source":["shop"]}')
    events.put_targets(Rule="rule", Targets=[{"Id": "1", "Arn": arn}])
    return queue, topic


@pytest.mark.parametrize("name", NAMES)
def test_what_a_topic_and_a_rule_deliver_and_others_consume(start: Start, name: str) -> None:
    emulator, proxy = start(name)
    sqs, sns, events = (client(service, proxy.url) for service in ("sqs", "sns", "events"))
    queue, topic = with_delivery(sqs, sns, events)
    sqs.send_message(QueueUrl=queue, MessageBody="sent")
    attributes = {"kind": {"DataType": "String", "StringValue": "new"}}
    for number in range(3):
        sns.publish(TopicArn=topic, Message=f"published {number}", MessageAttributes=attributes)
    events.put_events(Entries=[{"Source": "shop", "DetailType": "order", "Detail": '{"order": 1}'}])
    until(lambda: waiting(sqs, "orders"), lambda seen: len(seen) == 5)
    save(proxy)
    past = client("sqs", emulator.url)
    direct = past.get_queue_url(QueueName="orders")["QueueUrl"]
    consumed = past.receive_message(QueueUrl=direct, MaxNumberOfMessages=10, VisibilityTimeout=0)["Messages"]
    for message in consumed:
        if message["Body"] in ("sent", "published 1"):
            past.delete_message(QueueUrl=direct, ReceiptHandle=message["ReceiptHandle"])
    past.send_message(QueueUrl=direct, MessageBody="sent past the proxy")
    received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0)["Messages"]
    mine = next(message for message in received if message["Body"] == "published 2")
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=mine["ReceiptHandle"])
    before = waiting(sqs, "orders")
    assert len(before) == 3
    save(proxy)

    for _ in range(RESTARTS):
        assert restart(emulator, proxy, lambda: waiting(sqs, "orders")) == before
        save(proxy)
    assert proxy.status()["last_restore"]["problems"] == []
    seen = [(each["operation"], each["notes"]["seen_by"].partition(":")[0]) for each in proxy.records("observation")]
    assert seen.count(("SendMessage", "sqs")) == 5, seen
    assert seen.count(("DeleteMessage", "sqs")) == 2, seen
    assert len(seen) == 7, seen


@pytest.mark.parametrize(("strategy", "seconds"), [("SCHEDULED", 1.0), ("ON_REQUEST", 15.0)])
def test_a_kill_loses_no_effect_that_is_older_than_the_interval(start: Start, strategy: str, seconds: float) -> None:
    emulator, proxy = start("moto", "--save-strategy", strategy, "--flush-interval", str(seconds))
    sqs, sns, events = (client(service, proxy.url) for service in ("sqs", "sns", "events"))
    _queue, topic = with_delivery(sqs, sns, events)
    sns.publish(TopicArn=topic, Message="published")
    until(lambda: proxy.records("observation"), lambda seen: len(seen) == 1, 5.0)
    before = waiting(sqs, "orders")
    proxy.kill()
    emulator.restart()
    proxy = proxy.again()
    assert waiting(sqs, "orders") == before


@pytest.mark.parametrize("seed", range(amount(1, 6)))
def test_kills_at_random_moments(start: Start, seed: int) -> None:
    """No acknowledged call is lost, and no effect but those of the last interval; nothing comes twice."""
    chance, interval = random.Random(seed), 0.5
    emulator, proxy = start("ministack", "--flush-interval", str(interval))
    sqs, sns, events = (client(service, proxy.url) for service in ("sqs", "sns", "events"))
    _queue, topic = with_delivery(sqs, sns, events)
    other = sqs.create_queue(QueueName="others")["QueueUrl"]
    published: dict[str, float] = {}
    sent: list[str] = []
    for generation in range(amount(2, 4)):
        until_s = time.monotonic() + chance.uniform(0.7, 2.0)
        while time.monotonic() < until_s:
            text = f"{generation}/{len(published)}"
            sns.publish(TopicArn=topic, Message=text)
            published[text] = time.monotonic()
            sqs.send_message(QueueUrl=other, MessageBody=text)
            sent.append(text)
            time.sleep(chance.uniform(0, 0.05))
        killed = time.monotonic()
        proxy.kill()
        emulator.restart()
        proxy = proxy.again()
        assert sorted(each[1] for each in waiting(sqs, "others")) == sorted(sent)
        there = [each[1] for each in waiting(sqs, "orders")]
        assert len(there) == len(set(there)), "nothing comes twice"
        # A round of looks takes a while, too.
        lost = {text for text in published if text not in there}
        assert all(published[text] > killed - 2 * interval - 0.5 for text in lost), (lost, killed)
        assert there, "of so long a time something was seen"
        published = dict.fromkeys(there, 0.0)


def test_what_was_consumed_while_no_proxy_ran(start: Start) -> None:
    emulator, proxy = start("ministack")
    sqs, sns, events = (client(service, proxy.url) for service in ("sqs", "sns", "events"))
    _queue, topic = with_delivery(sqs, sns, events)
    for text in ("first", "second"):
        sns.publish(TopicArn=topic, Message=text)
    until(lambda: waiting(sqs, "orders"), lambda seen: len(seen) == 2)
    save(proxy)
    assert len(restart(emulator, proxy, lambda: waiting(sqs, "orders"))) == 2
    proxy.kill()
    past = client("sqs", emulator.url)
    direct = past.get_queue_url(QueueName="orders")["QueueUrl"]
    for message in past.receive_message(QueueUrl=direct, MaxNumberOfMessages=10, VisibilityTimeout=0)["Messages"]:
        if message["Body"] == "first":
            past.delete_message(QueueUrl=direct, ReceiptHandle=message["ReceiptHandle"])
    proxy = proxy.again()
    save(proxy)
    assert [each[1] for each in restart(emulator, proxy, lambda: waiting(sqs, "orders"))] == ["second"]


def test_what_a_restore_leaves_out_is_not_taken_for_deleted(start: Start) -> None:
    emulator, proxy = start("ministack", "--restore-kinds", "infrastructure")
    sqs, sns, events = (client(service, proxy.url) for service in ("sqs", "sns", "events"))
    queue, _topic = with_delivery(sqs, sns, events)
    sqs.send_message(QueueUrl=queue, MessageBody="sent")
    assert restart(emulator, proxy, lambda: waiting(sqs, "orders")) == []
    save(proxy)
    assert proxy.records("observation") == []


def test_the_end_of_the_proxy_and_a_load_with_reset_lose_no_effect(start: Start) -> None:
    emulator, proxy = start("ministack")
    sqs, sns, events = (client(service, proxy.url) for service in ("sqs", "sns", "events"))
    _queue, topic = with_delivery(sqs, sns, events)
    sns.publish(TopicArn=topic, Message="first")
    before = until(lambda: waiting(sqs, "orders"), lambda seen: len(seen) == 1)
    post(proxy, "/_localstack/state/load?reset=1")
    assert waiting(sqs, "orders") == before
    sns.publish(TopicArn=topic, Message="second")
    before = until(lambda: waiting(sqs, "orders"), lambda seen: len(seen) == 2)
    assert proxy.stop() == 0
    emulator.restart()
    proxy = proxy.again()
    assert waiting(sqs, "orders") == before


def observe(proxy: Proxy, *options: str) -> subprocess.CompletedProcess[str]:
    """`replay-proxy observe` as a user types it."""
    command = [*replay_proxy(), "observe", "--listen", proxy.url.removeprefix("http://"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_person_asks_for_a_look(start: Start) -> None:
    emulator, proxy = start("moto")
    client("sqs", proxy.url).create_queue(QueueName="plain")
    past = client("sqs", emulator.url)
    past.send_message(QueueUrl=past.get_queue_url(QueueName="plain")["QueueUrl"], MessageBody="sent past the proxy")
    save(proxy)
    assert proxy.records("observation") == [], "nothing can reach that queue but clients"
    other = observe(proxy, "--services", "s3,dynamodb")
    assert (other.stdout, other.returncode) == ("nothing is other than recorded\n", 0), other.stderr
    past.create_queue(QueueName="others")
    found = observe(proxy)
    told = "sqs: 1 difference recorded\nsqs others: not looked at: no recorded call has made it"
    assert found.stdout.startswith(told) and found.returncode == 0, (found.stdout, found.stderr)
    assert [each["operation"] for each in proxy.records("observation")] == ["SendMessage"]
    unknown = observe(proxy, "--services", "ec2")
    assert (unknown.returncode, "data of ec2 is not observed" in unknown.stderr) == (2, True), unknown.stderr
    proxy.stop()
    gone = observe(proxy)
    assert gone.returncode == 6 and "no proxy answers" in gone.stderr, (gone.returncode, gone.stderr)


def test_the_parameters_of_the_provider_are_nobodys_effect(start: Start) -> None:
    """moto makes those of AWS when they are read first (Terraform and CDK look images up there), and takes no such name."""
    emulator, proxy = start("moto")
    ssm = client("ssm", proxy.url)
    ssm.put_parameter(Name="mine", Value="v", Type="String")
    ssm.get_parameters_by_path(Path="/aws/service/ami-amazon-linux-latest")
    client("ssm", emulator.url).put_parameter(Name="past", Value="v", Type="String")
    assert "1" in observe(proxy).stdout
    back = restart(emulator, proxy, lambda: ssm.get_parameters(Names=["mine", "past"])["Parameters"])
    assert {each["Name"] for each in back} == {"mine", "past"}
    assert proxy.status()["last_restore"]["failed"] == 0, proxy.log


def test_observing_can_be_switched_off(start: Start) -> None:
    _emulator, proxy = start("moto", "--observe", "off")
    sqs, sns, events = (client(service, proxy.url) for service in ("sqs", "sns", "events"))
    _queue, topic = with_delivery(sqs, sns, events)
    sns.publish(TopicArn=topic, Message="published")
    save(proxy)
    assert (proxy.records("observation"), proxy.status()["observing"]) == ([], None)


def objects(s3: Any, bucket: str) -> list[tuple[str, str, bool, bytes, dict[str, str]]]:
    """All versions of all objects of a bucket, with their bytes and metadata."""
    found = []
    for each in s3.list_object_versions(Bucket=bucket).get("Versions", []):
        version = {} if each["VersionId"] == "null" else {"VersionId": each["VersionId"]}
        shown = s3.get_object(Bucket=bucket, Key=each["Key"], **version)
        found.append((each["Key"], each["VersionId"], each["IsLatest"], shown["Body"].read(), shown["Metadata"]))
    return sorted(found)


def items(dynamodb: Any, table: str) -> list[str]:
    return sorted(json.dumps(item, sort_keys=True, default=repr) for item in dynamodb.scan(TableName=table)["Items"])


def make_table(dynamodb: Any, name: str) -> None:
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


@pytest.mark.parametrize("name", REPEATED[:2])  # LocalStack's tables need a program that is not installed with it
def test_what_is_written_past_the_proxy(start: Start, name: str) -> None:
    emulator, proxy = start(name)
    s3, dynamodb = client("s3", proxy.url), client("dynamodb", proxy.url)
    past_s3, past_dynamodb = client("s3", emulator.url), client("dynamodb", emulator.url)
    make_table(dynamodb, "rows")
    for key in ("kept", "changed", "removed"):
        dynamodb.put_item(TableName="rows", Item={"id": {"S": key}, "by": {"S": "proxy"}, "n": {"N": "1.0"}})
    dynamodb.update_item(
        TableName="rows",
        Key={"id": {"S": "counted"}},
        UpdateExpression="ADD n :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )
    s3.create_bucket(Bucket="files")
    s3.create_bucket(Bucket="versions")
    s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    for bucket in ("files", "versions"):
        for key in ("kept", "changed", "removed"):
            s3.put_object(Bucket=bucket, Key=key, Body=b"proxy", Metadata={"by": "proxy"})
    past_dynamodb.put_item(
        TableName="rows", Item={"id": {"S": "changed"}, "data": {"B": b"\x00\xff"}, "of": {"SS": ["b", "a"]}}
    )
    past_dynamodb.delete_item(TableName="rows", Key={"id": {"S": "removed"}})
    past_dynamodb.put_item(TableName="rows", Item={"id": {"S": "new"}, "in": {"M": {"l": {"L": [{"NULL": True}]}}}})
    for bucket in ("files", "versions"):
        past_s3.put_object(
            Bucket=bucket, Key="changed", Body=b"another", ContentType="text/plain", Metadata={"by": "other"}
        )
        past_s3.delete_object(Bucket=bucket, Key="removed")
        past_s3.put_object(Bucket=bucket, Key="new/\u00e9 +", Body=b"\x00" * 300_000)

    ssm, secrets = client("ssm", proxy.url), client("secretsmanager", proxy.url)
    for key in ("kept", "changed", "removed"):
        ssm.put_parameter(Name=f"/app/{key}", Value="proxy", Type="String")
        secrets.create_secret(Name=key, SecretString="proxy")
    past_ssm, past_secrets = client("ssm", emulator.url), client("secretsmanager", emulator.url)
    past_ssm.put_parameter(Name="/app/changed", Value="another", Type="SecureString", Overwrite=True)
    past_ssm.delete_parameter(Name="/app/removed")
    past_ssm.put_parameter(Name="/app/new", Value="a,b", Type="StringList")
    past_secrets.put_secret_value(SecretId="changed", SecretString="another")
    rotated = ("rotated", "rotated by a function") if name == "ministack" else ()  # moto calls the function
    for key in rotated:
        secrets.create_secret(Name=key, SecretString="first")
        turned = secrets.rotate_secret(SecretId=key, RotationLambdaARN=FUNCTION)["VersionId"]
    if rotated:
        past_secrets.put_secret_value(SecretId=key, SecretString="second", ClientRequestToken=turned)

    streams, past_streams = client("kinesis", proxy.url), client("kinesis", emulator.url)
    streams.create_stream(StreamName="flow", ShardCount=1)
    streams.get_waiter("stream_exists").wait(StreamName="flow", WaiterConfig=SOON)
    streams.put_record(StreamName="flow", PartitionKey="a", Data=b"1")
    for data in (b"2", b"\x00\xff", b"2"):
        past_streams.put_record(StreamName="flow", PartitionKey="a", Data=data)

    def flow() -> list[bytes]:
        shard = streams.list_shards(StreamName="flow")["Shards"][0]["ShardId"]
        begin = streams.get_shard_iterator(StreamName="flow", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        return [each["Data"] for each in streams.get_records(ShardIterator=begin["ShardIterator"])["Records"]]

    def seen() -> Any:
        parameters = ssm.get_parameters_by_path(Path="/app", WithDecryption=True)["Parameters"]
        values = sorted((each["Name"], each["Value"], each["Type"]) for each in parameters)
        told = [
            secrets.get_secret_value(SecretId=key)["SecretString"] for key in ("kept", "changed", "removed", *rotated)
        ]
        told += [secrets.describe_secret(SecretId=key)["VersionIdsToStages"] for key in rotated]
        return items(dynamodb, "rows"), objects(s3, "files"), objects(s3, "versions"), values, told, flow()

    before = seen()
    post(proxy, "/_replay/observe")
    records = proxy.records("observation")
    assert sorted(each["operation"] for each in records) == [
        "DeleteItem",
        "DeleteObject",
        "DeleteObject",
        "DeleteParameter",
        *["PutItem"] * 3,  # one of them was updated by an expression, which tells no contents
        *["PutObject"] * 4,
        "PutParameter",
        "PutParameter",
        *["PutRecord"] * 3,
        *["PutSecretValue"] * (2 if rotated else 1),  # what RotateSecret made is none
    ]
    post(proxy, "/_replay/observe")
    assert len(proxy.records("observation")) == len(records), "what was found is not found again"

    for _ in range(RESTARTS):
        assert restart(emulator, proxy, seen) == before
        post(proxy, "/_replay/observe")
    assert proxy.status()["last_restore"]["problems"] == []
    assert len(proxy.records("observation")) == len(records), "a restore is no effect"


def test_what_reaches_the_things_of_a_stack_and_of_fifo_queues(start: Start) -> None:
    emulator, proxy = start("ministack")
    stacks, sns, sqs, dynamodb = (client(each, proxy.url) for each in ("cloudformation", "sns", "sqs", "dynamodb"))
    queue = {"QueueName": "made.fifo", "FifoQueue": True}
    topic = {"TopicName": "made.fifo", "FifoTopic": True}
    link: dict[str, Any] = {
        "TopicArn": {"Ref": "Topic"},
        "Protocol": "sqs",
        "Endpoint": {"Fn::GetAtt": ["Queue", "Arn"]},
    }
    link["RawMessageDelivery"] = True
    table = {
        "TableName": "made",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    }
    resources = {
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": queue},
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": topic},
        "Link": {"Type": "AWS::SNS::Subscription", "Properties": link},
        "Table": {"Type": "AWS::DynamoDB::Table", "Properties": table},
        "Network": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.1.0.0/16"}},
        "Value": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {"Type": "String", "Name": "network", "Value": {"Fn::Sub": "in ${Network}"}},
        },
    }
    stacks.create_stack(StackName="stack", TemplateBody=json.dumps({"Resources": resources}))
    stacks.get_waiter("stack_create_complete").wait(StackName="stack", WaiterConfig=SOON)
    arn = sns.list_topics()["Topics"][0]["TopicArn"]
    for number in range(4):
        group, duplicate = f"group {number % 2}", f"{number}"
        sns.publish(TopicArn=arn, Message=f"{number}", MessageGroupId=group, MessageDeduplicationId=duplicate)
    client("dynamodb", emulator.url).put_item(TableName="made", Item={"id": {"S": "past the proxy"}})
    until(lambda: waiting(sqs, "made.fifo"), lambda seen: len(seen) == 4)
    save(proxy)
    ssm = client("ssm", proxy.url)

    def history() -> list[tuple[str, int, int]]:
        versions = ssm.get_parameter_history(Name="network")["Parameters"]
        return [(each["Value"], each["Version"], int(each["LastModifiedDate"].timestamp())) for each in versions]

    before = history()
    for _ in range(amount(1, RESTARTS)):
        assert restart(emulator, proxy, lambda: items(dynamodb, "made")) == ['{"id": {"S": "past the proxy"}}']
        assert history() == before, "the stack has made it again, once"
        save(proxy)
    url = sqs.get_queue_url(QueueName="made.fifo")["QueueUrl"]
    received = []
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            received.append(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    assert [each for each in received if each in "02"] == ["0", "2"] and len(received) == 4, received
    assert [each for each in received if each in "13"] == ["1", "3"], received
    assert proxy.status()["last_restore"]["problems"] == []


def test_what_a_stack_has_wired_is_looked_at_soon(start: Start) -> None:
    """No call links its topic and its queue; looks at what nothing is known to have happened to are an hour apart."""
    emulator, proxy = start("moto", "--save-strategy", "ON_REQUEST", "--flush-interval", "3600")
    stacks, sns, sqs = (client(each, proxy.url) for each in ("cloudformation", "sns", "sqs"))
    told = [{"Protocol": "sqs", "Endpoint": {"Fn::GetAtt": ["Queue", "Arn"]}}]
    resources = {
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "told"}},
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "telling", "Subscription": told}},
    }
    sqs.create_queue(QueueName="first")
    until(lambda: post(proxy, "/_replay/observe") and proxy.status()["observing"]["rounds"], lambda rounds: rounds > 0)
    stacks.create_stack(StackName="stack", TemplateBody=json.dumps({"Resources": resources}))
    arn = sns.list_topics()["Topics"][0]["TopicArn"]
    sns.publish(TopicArn=arn, Message="published")
    until(lambda: proxy.records("observation"), lambda seen: len(seen) == 1)
    os.kill(proxy.process.pid, 9)
    emulator.process.kill()
    proxy.kill()
    emulator.restart()
    proxy = proxy.again()
    assert [body for _id, body, _attributes in waiting(client("sqs", proxy.url), "told")] != []


def with_notification(s3: Any, sqs: Any) -> None:
    """A bucket that tells a queue of its objects."""
    queue = sqs.create_queue(QueueName="notified")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    s3.create_bucket(Bucket="noted")
    configuration = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket="noted", NotificationConfiguration=configuration)


def take_past(emulator: Emulator, name: str, count: int = 10) -> None:
    """Consume messages of a queue past the proxy."""
    past = client("sqs", emulator.url)
    queue = past.get_queue_url(QueueName=name)["QueueUrl"]
    for message in past.receive_message(QueueUrl=queue, MaxNumberOfMessages=count)["Messages"]:
        past.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


@pytest.mark.parametrize("name", REPEATED)
def test_what_services_do_for_each_other(start: Start, name: str) -> None:
    emulator, proxy = start(name)
    s3, sqs, firehose = (client(service, proxy.url) for service in ("s3", "sqs", "firehose"))
    with_notification(s3, sqs)
    s3.put_object(Bucket="noted", Key="a", Body=b"1")
    s3.create_bucket(Bucket="delivered")
    destination = {"BucketARN": "arn:aws:s3:::delivered", "RoleARN": "arn:aws:iam::000000000000:role/r"}
    destination |= {"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 60}}
    firehose.create_delivery_stream(DeliveryStreamName="flow", ExtendedS3DestinationConfiguration=destination)
    firehose.put_record(DeliveryStreamName="flow", Record={"Data": b"record"})
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    work = sqs.create_queue(QueueName="work", Attributes={"RedrivePolicy": policy})["QueueUrl"]
    sqs.send_message(QueueUrl=work, MessageBody="poison")
    for _ in range(3):
        sqs.receive_message(QueueUrl=work, VisibilityTimeout=0)

    def seen() -> Any:
        return waiting(sqs, "notified"), objects(s3, "delivered"), waiting(sqs, "dead"), waiting(sqs, "work")

    before = until(seen, lambda each: len(each[0]) == 2 and each[1] and each[2] and not each[3])
    save(proxy)
    for _ in range(RESTARTS):
        assert restart(emulator, proxy, seen) == before
        save(proxy)
    # The test event of the notification was consumed, past the proxy; a restore makes the emulator send another one.
    take_past(emulator, "notified")
    save(proxy)
    assert restart(emulator, proxy, lambda: waiting(sqs, "notified")) == []
    assert proxy.status()["last_restore"]["problems"] == []


CODE = """
import os
import boto3

def handler(event, _context):
    table = boto3.client(
        "dynamodb", endpoint_url=os.environ["EMULATOR"], region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test",
    )
    for record in event["Records"]:
        table.update_item(
            TableName="counted", Key=record["dynamodb"]["Keys"],
            UpdateExpression="ADD n :one", ExpressionAttributeValues={":one": {"N": "1"}},
        )
"""


def test_what_functions_and_state_machines_write(start: Start) -> None:
    emulator, proxy = start("ministack")
    services = ("dynamodb", "lambda", "stepfunctions", "sqs")
    dynamodb, functions, machines, sqs = (client(service, proxy.url) for service in services)
    role = "arn:aws:iam::000000000000:role/r"
    for table in ("source", "counted", "rows"):
        make_table(dynamodb, table)
    specification = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    changed = dynamodb.update_table(TableName="source", StreamSpecification=specification)["TableDescription"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", CODE)
    functions.create_function(
        FunctionName="count",
        Runtime="python3.11",
        Role=role,
        Handler="index.handler",
        Code={"ZipFile": code.getvalue()},
        Environment={"Variables": {"EMULATOR": emulator.url}},
    )
    stream = changed["LatestStreamArn"]
    functions.create_event_source_mapping(EventSourceArn=stream, FunctionName="count", StartingPosition="TRIM_HORIZON")
    queue = sqs.create_queue(QueueName="told")["QueueUrl"]
    put = {"TableName": "rows", "Item": {"id": {"S.$": "$.id"}}}
    tell = {"QueueUrl": queue, "MessageBody.$": "$.id"}
    task = "arn:aws:states:::"
    definition = {
        "StartAt": "Put",
        "States": {
            "Put": {
                "Type": "Task",
                "Resource": f"{task}dynamodb:putItem",
                "Parameters": put,
                "ResultPath": None,
                "Next": "Tell",
            },
            "Tell": {"Type": "Task", "Resource": f"{task}sqs:sendMessage", "Parameters": tell, "End": True},
        },
    }
    machine = machines.create_state_machine(name="machine", definition=json.dumps(definition), roleArn=role)
    for number in range(2):
        dynamodb.put_item(TableName="source", Item={"id": {"S": f"{number}"}})
        machines.start_execution(stateMachineArn=machine["stateMachineArn"], input=f'{{"id": "{number}"}}')

    logs = client("logs", proxy.url)

    def seen() -> Any:
        groups = [each["logGroupName"] for each in logs.describe_log_groups()["logGroups"]]
        events = [event for group in groups for event in logs.filter_log_events(logGroupName=group)["events"]]
        lines = sorted((event["logStreamName"], event["timestamp"], event["message"]) for event in events)
        return items(dynamodb, "counted"), items(dynamodb, "rows"), waiting(sqs, "told"), groups, lines

    before = until(seen, lambda each: [len(part) for part in each[:4]] == [2, 2, 2, 1], 30.0)
    time.sleep(1.0)  # the log is written after what the function writes
    take_past(emulator, "told", 1)
    client("dynamodb", emulator.url).delete_item(TableName="rows", Key={"id": {"S": "1"}})
    before = seen()
    assert (len(before[1]), len(before[2])) == (1, 1)
    assert before[4], "the function has a log"
    assert before[0] == ['{"id": {"S": "0"}, "n": {"N": "1"}}', '{"id": {"S": "1"}, "n": {"N": "1"}}']
    save(proxy)
    for _ in range(amount(2, RESTARTS)):
        assert restart(emulator, proxy, seen) == before
        time.sleep(1.0)
        assert seen() == before, "nothing ran a second time"
        save(proxy)
    assert proxy.status()["last_restore"]["problems"] == []


@LONG
def test_effects_in_an_account_that_a_field_names(start: Start) -> None:
    """Clients of moto may name their account in a field; what was delivered there is looked for there, and put back there."""
    emulator, proxy = start("moto")

    def in_account(service: str, account: str) -> Any:
        made = client(service, proxy.url)
        made.meta.events.register(
            "request-created", lambda request, **_: request.headers.__setitem__("x-moto-account-id", account)
        )
        return made

    def seen() -> list[Any]:
        return [waiting(in_account("sqs", account), "inbox") for account in ("111111111111", "222222222222")]

    for account in ("111111111111", "222222222222"):
        sqs, sns = in_account("sqs", account), in_account("sns", account)
        url = sqs.create_queue(QueueName="inbox")["QueueUrl"]
        topic = sns.create_topic(Name="news")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:{account}:inbox")
        sqs.send_message(QueueUrl=url, MessageBody=f"by hand in {account}")
        sns.publish(TopicArn=topic, Message=f"delivered in {account}")
    save(proxy)
    proxy.kill()
    emulator.restart()
    proxy.again()
    found = [sorted(body for _, body, _ in messages) for messages in seen()]
    for account, bodies in zip(("111111111111", "222222222222"), found, strict=True):
        assert len(bodies) == 2 and all(account in body for body in bodies), found
