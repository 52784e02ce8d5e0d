"""A restore whose answers are lost on the way: nothing is made twice, and what may be missing or there is said."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_load_strategies import is_whole, wait_until
from tests.replay.lab import RESETS
from tests.support.clients import client
from tests.support.processes import Emulator, Proxy, replay_proxy
from tests.support.relay import CARRIED_OUT, Fault, Relay

pytestmark = pytest.mark.emulator


class Stage:
    """An emulator, a recording that was made with one like it, and a relay through which it is restored."""

    def __init__(self, emulator: Emulator, start_proxy: Callable[..., Proxy]) -> None:
        self.emulator = emulator
        self.relay = Relay(emulator.port)
        self._start_proxy = start_proxy
        self.data_dir = Path()

    def record(self, make: Callable[[Callable[[str], Any]], None]) -> None:
        proxy = self._start_proxy("--upstream", self.emulator.url)
        make(lambda service: client(service, proxy.url, retries={"max_attempts": 0}))
        self.data_dir = proxy.data_dir
        proxy.stop()
        self.forget()

    def forget(self) -> None:
        """The emulator loses its state."""
        reset = urllib.request.Request(self.emulator.url + RESETS[self.emulator.name], method="POST")
        with urllib.request.urlopen(reset, timeout=30) as answer:
            assert answer.status == 200

    def restore(self, *options: str) -> tuple[dict[str, Any], int, str]:
        """The report, the exit code, and what was logged."""
        command = [*replay_proxy(), "restore", "--upstream", self.relay.url, "--data-dir", str(self.data_dir), "--json"]
        done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=120, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        assert done.stdout, done.stderr
        return json.loads(done.stdout), done.returncode, done.stderr

    def direct(self, service: str) -> Any:
        return client(service, self.emulator.url)


@pytest.fixture(scope="module", params=sorted(RESETS))
def emulator(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    emulator = Emulator(request.param, tmp_path_factory.mktemp("emulator"))
    yield emulator
    emulator.stop()


@pytest.fixture
def stage(emulator: Emulator, start_proxy: Callable[..., Proxy]) -> Iterator[Stage]:
    stage = Stage(emulator, start_proxy)
    stage.forget()
    yield stage
    stage.relay.close()


def messages(stage: Stage, queue: str) -> list[str]:
    sqs, found = stage.direct("sqs"), []
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    while got := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60).get("Messages"):
        found += [each["Body"] for each in got]
    return sorted(found)


def said_of(report: dict[str, Any], operation: str) -> list[str]:
    return [each["result"] for each in report["problems"] if each["call"].endswith(f":{operation}")]


def send_three(aws: Callable[[str], Any]) -> None:
    sqs = aws("sqs")
    url = sqs.create_queue(QueueName="jobs")["QueueUrl"]
    for body in ("one", "two", "three"):
        sqs.send_message(QueueUrl=url, MessageBody=body)


@pytest.mark.parametrize("fault", CARRIED_OUT)
def test_messages_whose_answer_is_lost_are_sent_once(stage: Stage, fault: Fault) -> None:
    stage.record(send_three)
    stage.relay.once_each("SendMessage", fault)
    stage.relay.delay_s = 10
    report, code, log = stage.restore("--call-timeout", "6")
    assert stage.relay.seen
    assert messages(stage, "jobs") == ["one", "three", "two"]
    assert (report["uncertain"], report["restored"], code) == (3, 1, 3)
    assert said_of(report, "SendMessage") == ["uncertain"] * 3
    assert log.count("may have been carried out: sqs:SendMessage") == 3
    assert "3 of them may have been carried out, or not" in log


def test_single_messages_too(stage: Stage) -> None:
    def make(aws: Callable[[str], Any]) -> None:
        sqs = aws("sqs")
        for name in ("a", "b", "c"):
            url = sqs.create_queue(QueueName=name)["QueueUrl"]
            sqs.send_message(QueueUrl=url, MessageBody=name)

    stage.record(make)
    stage.relay.once_each("SendMessage", Fault.SWALLOWED)
    report, code, _ = stage.restore()
    assert [messages(stage, name) for name in ("a", "b", "c")] == [["a"], ["b"], ["c"]]
    assert (report["uncertain"], code) == (3, 3)


def test_messages_that_never_arrived_are_reported_and_not_sent_blindly(stage: Stage) -> None:
    """From here that looks the same: the connection was closed after the request was written."""
    stage.record(send_three)
    stage.relay.once_each("SendMessage", Fault.UNSENT)
    report, code, _ = stage.restore()
    assert (messages(stage, "jobs"), report["uncertain"], code) == ([], 3, 3)


def test_what_is_put_off_is_sent_again(stage: Stage) -> None:
    stage.record(send_three)
    stage.relay.once_each("SendMessage", Fault.SLOW_DOWN)
    report, code, _ = stage.restore()
    assert stage.relay.seen
    assert (messages(stage, "jobs"), report["problems"], code) == (["one", "three", "two"], [], 0)


def test_messages_with_deduplication_ids_are_sent_again(stage: Stage) -> None:
    def make(aws: Callable[[str], Any]) -> None:
        sqs = aws("sqs")
        url = sqs.create_queue(QueueName="jobs.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
        for number in range(3):
            sqs.send_message(
                QueueUrl=url, MessageBody=f"m{number}", MessageGroupId=f"g{number}", MessageDeduplicationId=str(number)
            )

    stage.record(make)
    stage.relay.once_each("SendMessage", Fault.SWALLOWED)
    report, code, _ = stage.restore()
    assert stage.relay.seen
    assert (messages(stage, "jobs.fifo"), report["problems"], code) == (["m0", "m1", "m2"], [], 0)


TABLE = {
    "TableName": "counters",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}


def test_counters_are_not_counted_up_twice(stage: Stage) -> None:
    def make(aws: Callable[[str], Any]) -> None:
        table = aws("dynamodb")
        table.create_table(**TABLE)
        for _ in range(3):
            table.update_item(
                TableName="counters",
                Key={"id": {"S": "c"}},
                UpdateExpression="ADD n :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
            )

    stage.record(make)
    stage.relay.once_each("UpdateItem", Fault.SWALLOWED)  # all three are the same to the byte: the first of them
    report, code, _ = stage.restore()
    item = stage.direct("dynamodb").get_item(TableName="counters", Key={"id": {"S": "c"}})["Item"]
    assert (item["n"]["N"], said_of(report, "UpdateItem"), code) == ("3", ["uncertain"], 3)


@pytest.mark.parametrize("fault", [Fault.SWALLOWED, Fault.LATE])
def test_items_and_objects_are_put_again(stage: Stage, fault: Fault) -> None:
    def make(aws: Callable[[str], Any]) -> None:
        aws("dynamodb").create_table(**TABLE)
        for number in range(4):
            aws("dynamodb").put_item(TableName="counters", Item={"id": {"S": str(number)}})
        aws("s3").create_bucket(Bucket="archive")
        aws("s3").put_object(Bucket="archive", Key="a/key", Body=b"content")

    stage.record(make)
    words = ("BatchWriteItem", "PutItem", "a/key")
    met: set[str] = set()

    def fault_of(text: str) -> Fault:
        word = next((each for each in words if each in text), "")
        if not word or word in met:
            return Fault.NONE
        met.add(word)
        return fault

    stage.relay.fault = fault_of
    stage.relay.delay_s = 0.2  # LATE is only late
    report, code, _ = stage.restore()
    assert len(stage.relay.seen) >= 2
    assert (report["problems"], code) == ([], 0)
    assert len(stage.direct("dynamodb").scan(TableName="counters")["Items"]) == 4
    assert stage.direct("s3").get_object(Bucket="archive", Key="a/key")["Body"].read() == b"content"


def test_an_object_with_versions_is_not_put_twice(stage: Stage) -> None:
    def make(aws: Callable[[str], Any]) -> None:
        aws("s3").create_bucket(Bucket="archive")
        aws("s3").put_bucket_versioning(Bucket="archive", VersioningConfiguration={"Status": "Enabled"})
        aws("s3").put_object(Bucket="archive", Key="key", Body=b"content")

    stage.record(make)
    stage.relay.once_each("/archive/key", Fault.SWALLOWED)
    report, code, _ = stage.restore()
    versions = stage.direct("s3").list_object_versions(Bucket="archive")["Versions"]
    assert (len(versions), said_of(report, "PutObject"), code) == (1, ["uncertain"], 3)


def make_networks(aws: Callable[[str], Any]) -> None:
    ec2 = aws("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")


def networks(stage: Stage) -> list[str]:
    vpcs = stage.direct("ec2").describe_vpcs()["Vpcs"]
    return [each["VpcId"] for each in vpcs if each["CidrBlock"] == "10.9.0.0/16"]


@pytest.mark.parametrize("fault", [Fault.SWALLOWED, Fault.BAD_GATEWAY])
def test_what_was_made_is_found_by_reading(stage: Stage, fault: Fault) -> None:
    """A VPC has no name, but it is the only one of its block that nobody knows; and so its subnet finds it."""
    stage.record(make_networks)
    stage.relay.once_each("Action=CreateVpc", fault)
    report, code, _ = stage.restore()
    (vpc,) = networks(stage)
    assert (report["problems"], code) == ([], 0)
    assert [each["message"] for each in report["findings"] if "found by ec2:DescribeVpcs" in each["message"]]
    subnets = stage.direct("ec2").describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    assert [each["CidrBlock"] for each in subnets] == ["10.9.1.0/24"]


def test_what_was_not_made_is_not_found_and_not_made_blindly(stage: Stage) -> None:
    stage.record(make_networks)
    stage.relay.once_each("Action=CreateVpc", Fault.UNSENT)
    report, code, _ = stage.restore()
    assert (networks(stage), said_of(report, "CreateVpc"), code) == ([], ["uncertain"], 3)


def test_two_that_look_alike_are_not_taken_for_each_other(stage: Stage) -> None:
    """Where one is found before the other is made, both are known; where they are made side by side, it is said."""

    def make(aws: Callable[[str], Any]) -> None:
        for name in ("first", "second"):
            vpc = aws("ec2").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
            aws("ec2").create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": name}])

    stage.record(make)
    stage.relay.always("Action=CreateVpc", Fault.SWALLOWED)
    report, code, _ = stage.restore("--restore-concurrency", "2")
    assert len(networks(stage)) == len(stage.relay.seen) == 2
    created = 2 - len(said_of(report, "CreateVpc"))
    assert code == (0 if created == 2 else 3)
    found = stage.direct("ec2").describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.9.0.0/16"]}])["Vpcs"]
    tagged = sorted(tag["Value"] for each in found for tag in each.get("Tags", ()))
    assert len(tagged) >= created
    assert created < 2 or tagged == ["first", "second"]


@pytest.mark.parametrize("fault", [Fault.SWALLOWED, Fault.UNSENT])
def test_what_has_a_name_is_looked_up_by_it_and_made_where_it_is_not_there(stage: Stage, fault: Fault) -> None:
    def make(aws: Callable[[str], Any]) -> None:
        aws("dynamodb").create_table(**TABLE)
        aws("iam").create_user(UserName="ann")
        aws("logs").create_log_group(logGroupName="/app")
        aws("sqs").create_queue(QueueName="jobs")
        aws("sns").create_topic(Name="news")

    stage.record(make)
    names = ("CreateTable", "CreateUser", "CreateLogGroup", "CreateQueue", "CreateTopic")
    met: set[str] = set()

    def fault_of(text: str) -> Fault:
        name = next((each for each in names if each in text), "")
        if not name or name in met:
            return Fault.NONE
        met.add(name)
        return fault

    stage.relay.fault = fault_of
    report, code, log = stage.restore()
    assert met == set(names)
    assert (report["problems"], code) == ([], 0), log
    assert stage.direct("dynamodb").list_tables()["TableNames"] == ["counters"]
    assert [each["UserName"] for each in stage.direct("iam").list_users()["Users"]] == ["ann"]
    assert len(stage.direct("logs").describe_log_groups()["logGroups"]) == 1
    assert len(stage.direct("sqs").list_queues()["QueueUrls"]) == 1
    assert len(stage.direct("sns").list_topics()["Topics"]) == 1


@pytest.mark.parametrize("fault", [Fault.LATE, Fault.NONE])
def test_a_call_under_way_when_the_way_breaks_is_not_sent_again(
    stage: Stage, start_proxy: Callable[..., Proxy], fault: Fault
) -> None:
    """Fault.NONE: the way breaks between two calls, of which none is lost."""
    names = [f"q{number}" for number in range(12)]

    def make(aws: Callable[[str], Any]) -> None:
        sqs = aws("sqs")
        for name in names:
            sqs.send_message(QueueUrl=sqs.create_queue(QueueName=name)["QueueUrl"], MessageBody=name)

    stage.record(make)
    carried_out: list[str] = []
    stage.relay.delay_s = 20

    def fault_of(text: str) -> Fault:
        if "SendMessage" in text:
            carried_out.append(text)
        return fault if len(carried_out) > 3 else Fault.NONE

    stage.relay.fault = fault_of
    proxy = start_proxy("--upstream", stage.relay.url, data_dir=stage.data_dir, wait=False)
    wait_until(lambda: len(carried_out) > 3)
    time.sleep(0.5)  # the emulator has what was passed on to it
    stage.relay.cut()
    wait_until(lambda: proxy.status()["state"] == "lost")
    stage.relay.fault = lambda _text: Fault.NONE
    stage.relay.mend()
    wait_until(lambda: proxy.status()["state"] == "ready" and is_whole(proxy), 60)
    report = proxy.status()["last_restore"]
    found = {name: messages(stage, name) for name in names}
    assert all(bodies in ([], [name]) for name, bodies in found.items()), found
    missing = sum(not bodies for bodies in found.values())
    uncertain = said_of(report, "SendMessage")
    assert set(uncertain) <= {"uncertain"}
    assert missing <= len(uncertain)
    if fault is Fault.LATE:
        assert uncertain, "what was under way is named"


def test_history_of_a_parameter_is_not_doubled(stage: Stage) -> None:
    stage.record(lambda aws: aws("ssm").put_parameter(Name="/a", Value="1", Type="String", Overwrite=True))
    stage.relay.once_each('"/a"', Fault.SWALLOWED)
    report, code, _ = stage.restore()
    assert stage.direct("ssm").get_parameter(Name="/a")["Parameter"]["Version"] == 1
    assert (said_of(report, "PutParameter"), code) == (["uncertain"], 3)
