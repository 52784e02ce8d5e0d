"""The main job on real emulators: record, kill everything, start again, use the same URLs and ids."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.support.clients import client
from tests.support.processes import Proxy, localstack_python

pytestmark = pytest.mark.emulator


def emulator_options(name: str) -> list[str]:
    options = ["--emulator", name]
    if name == "localstack":
        options += ["--emulator-python", str(localstack_python())]
    return options


def restored_line(proxy: Proxy) -> str:
    lines = [line for line in proxy.log.splitlines() if "Restored " in line]
    assert len(lines) == 1, proxy.log
    return lines[0]


def test_queues_topics_objects_and_networks_come_back(start_proxy: Callable[..., Proxy], emulator_name: str) -> None:
    proxy = start_proxy(*emulator_options(emulator_name))
    sqs, sns, s3, ec2 = (client(service, proxy.url) for service in ("sqs", "sns", "s3", "ec2"))
    queue = sqs.create_queue(QueueName="orders", Attributes={"VisibilityTimeout": "31"})["QueueUrl"]
    assert queue.startswith(proxy.url), "clients are shown URLs that lead through the proxy"
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.send_message(QueueUrl=queue, MessageBody='{"order": 1}')
    topic = sns.create_topic(Name="events")["TopicArn"]
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)["SubscriptionArn"]
    s3.create_bucket(Bucket="archive")
    s3.put_object(Bucket="archive", Key="a//b c+%2F/é", Body=b"\x00\xff text", Metadata={"owner": "me"})
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]

    proxy.kill_all()
    proxy = start_proxy(*emulator_options(emulator_name), port=proxy.port)

    assert sqs.get_queue_url(QueueName="orders")["QueueUrl"] == queue
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert (attributes["VisibilityTimeout"], attributes["QueueArn"]) == ("31", queue_arn)
    messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"] for message in messages] == ['{"order": 1}']
    subscriptions = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert [each["SubscriptionArn"] for each in subscriptions] == [subscription]
    assert sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]["Endpoint"] == queue_arn
    found = s3.get_object(Bucket="archive", Key="a//b c+%2F/é")
    assert (found["Body"].read(), found["Metadata"]) == (b"\x00\xff text", {"owner": "me"})
    subnets = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"]
    assert [(each["SubnetId"], each["VpcId"]) for each in subnets] == [(subnet, vpc)]
    report = proxy.status()["last_restore"]
    assert (report["restored"], report["problems"]) == (report["total"], [])
    assert f"Restored {report['total']} API calls from persistent file: {proxy.journal}" in restored_line(proxy)


def test_ids_of_every_generation_stay_valid(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    vpcs: list[str] = []
    for generation in range(3):
        ec2 = client("ec2", proxy.url)
        vpcs.append(ec2.create_vpc(CidrBlock=f"10.{generation}.0.0/16")["Vpc"]["VpcId"])
        for number, vpc in enumerate(vpcs):
            # Every generation adds to resources of all the earlier ones.
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.{number}.{generation}.0/24")
        described = ec2.describe_vpcs(VpcIds=vpcs)["Vpcs"]
        assert {each["VpcId"]: each["CidrBlock"] for each in described} == {
            vpc: f"10.{number}.0.0/16" for number, vpc in enumerate(vpcs)
        }
        for number, vpc in enumerate(vpcs):
            subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
            assert len(subnets) == generation + 1 - number
        proxy.kill_all()
        proxy = proxy.again()
    assert proxy.status()["last_restore"]["problems"] == []


def test_reads_polls_and_failures_are_not_recorded(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    sqs, s3 = client("sqs", proxy.url), client("s3", proxy.url)
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1)
    sqs.list_queues()
    s3.list_buckets()
    with pytest.raises(s3.exceptions.ClientError):
        s3.put_object(Bucket="no-such-bucket", Key="k", Body=b"")
    assert proxy.operations() == ["sqs:CreateQueue"]
    counted = proxy.status()["requests"]
    assert (counted["recorded"], counted["reads"], counted["transient"], counted["refused"]) == (1, 2, 1, 1)


def test_the_journal_is_readable_and_keeps_no_signature(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    ssm = client("ssm", proxy.url, key="123412341234")
    ssm.put_parameter(Name="/app/name", Value="naïve", Type="String")
    header = json.loads(proxy.journal.read_text().splitlines()[0])
    assert header["format"] == "replay-proxy-recording"
    (record,) = proxy.records()
    assert (record["service"], record["operation"]) == ("ssm", "PutParameter")
    assert "account" not in record, "to moto, such a key is one of its only account"
    assert json.loads(record["request"]["body"])["Value"] == "naïve"
    assert "Signature=" not in proxy.journal.read_text()
    assert oct(proxy.journal.stat().st_mode & 0o777) == "0o600"


def test_a_call_that_cannot_be_restored_is_named_and_not_counted(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    sqs = client("sqs", proxy.url)
    sqs.create_queue(QueueName="kept")
    queue = sqs.create_queue(QueueName="gone")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"DelaySeconds": "1"})
    proxy.stop()
    # The creation of one queue is taken out, so that what came after it has nothing to work on.
    lines = proxy.journal.read_text().splitlines(keepends=True)
    proxy.journal.write_text(
        "".join(line for line in lines if '"QueueName":"gone"' not in line.replace("\\", "").replace(" ", ""))
    )
    proxy = proxy.again()
    report = proxy.status()["last_restore"]
    assert (report["restored"], report["failed"]) == (1, 1)
    assert [problem["call"] for problem in report["problems"]] == ["sqs:SetQueueAttributes"]
    assert "Restored 1 API calls" in proxy.log
    assert "not restored: sqs:SetQueueAttributes" in proxy.log


def test_json_log_lines(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--log-format", "json")
    client("s3", proxy.url).create_bucket(Bucket="bucket")
    proxy.kill_all()
    proxy = start_proxy("--log-format", "json", port=proxy.port)
    events = [json.loads(line) for line in proxy.log.splitlines() if line.startswith("{")]
    assert f"Restored 1 API calls from persistent file: {proxy.journal}" in [event["event"] for event in events]


def test_no_persistence_records_and_restores_nothing(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy(environment={"PERSISTENCE": "0"})
    client("s3", proxy.url).create_bucket(Bucket="bucket")
    assert not proxy.data_dir.exists()
    assert list(proxy.scratch.iterdir()) == [proxy.log_path]
