"""An emulator of few services outlives the proxy, or is restarted: nothing is done twice, and nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from replay_proxy.emulators.mark_places import NAME, PLACES
from replay_proxy.emulators.process import free_port
from replay_proxy.emulators.session_mark import MarkPhase, SessionMark, SessionMarks
from replay_proxy.proxy.http.client.upstream import UpstreamClient
from replay_proxy.proxy.lifecycle.sender import RequestSender
from tests.support.between import Between
from tests.support.clients import client
from tests.support.processes import Emulator, Proxy, left_out

pytestmark = pytest.mark.emulator

RETRIES = {"retries": {"max_attempts": 6, "mode": "standard"}}
Make = Callable[[Callable[[str], Any], int], None]
Read = Callable[[Callable[[str], Any]], Any]


def make_sqs(aws: Callable[[str], Any], number: int) -> None:
    url = aws("sqs").create_queue(QueueName=f"jobs-{number}")["QueueUrl"]
    aws("sqs").send_message(QueueUrl=url, MessageBody="m")


def read_sqs(aws: Callable[[str], Any]) -> Any:
    sqs = aws("sqs")
    wanted = {"AttributeNames": ["ApproximateNumberOfMessages"]}
    return {
        url: sqs.get_queue_attributes(QueueUrl=url, **wanted)["Attributes"]
        for url in sqs.list_queues().get("QueueUrls", [])
    }


def make_dynamodb(aws: Callable[[str], Any], number: int) -> None:
    dynamodb, name = aws("dynamodb"), f"table-{number}"
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
    )
    for _ in range(2):
        dynamodb.update_item(
            TableName=name,
            Key={"k": {"S": "a"}},
            UpdateExpression="ADD n :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )


def read_dynamodb(aws: Callable[[str], Any]) -> Any:
    return {name: aws("dynamodb").scan(TableName=name)["Items"] for name in aws("dynamodb").list_tables()["TableNames"]}


def make_s3(aws: Callable[[str], Any], number: int) -> None:
    bucket = f"bucket-{number}"
    aws("s3").create_bucket(Bucket=bucket)
    aws("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    aws("s3").put_object(Bucket=bucket, Key="k", Body=b"v")


def read_s3(aws: Callable[[str], Any]) -> Any:
    names = [each["Name"] for each in aws("s3").list_buckets()["Buckets"]]
    return {name: len(aws("s3").list_object_versions(Bucket=name).get("Versions", [])) for name in names}


def make_kinesis(aws: Callable[[str], Any], number: int) -> None:
    kinesis, name = aws("kinesis"), f"stream-{number}"
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    kinesis.put_record(StreamName=name, Data=b"d", PartitionKey="p")


def read_kinesis(aws: Callable[[str], Any]) -> Any:
    kinesis, found = aws("kinesis"), {}
    for name in kinesis.list_streams()["StreamNames"]:
        shard = kinesis.list_shards(StreamName=name)["Shards"][0]["ShardId"]
        start = kinesis.get_shard_iterator(StreamName=name, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        found[name] = [each["Data"] for each in kinesis.get_records(ShardIterator=start["ShardIterator"])["Records"]]
    return found


def make_secretsmanager(aws: Callable[[str], Any], number: int) -> None:
    aws("secretsmanager").create_secret(Name=f"secret-{number}", SecretString="one")


def read_secretsmanager(aws: Callable[[str], Any]) -> Any:
    return sorted((each["Name"], each["ARN"]) for each in aws("secretsmanager").list_secrets()["SecretList"])


def make_sns(aws: Callable[[str], Any], number: int) -> None:
    arn = aws("sns").create_topic(Name=f"topic-{number}")["TopicArn"]
    aws("sns").subscribe(TopicArn=arn, Protocol="email", Endpoint="a@example.com", ReturnSubscriptionArn=True)


def read_sns(aws: Callable[[str], Any]) -> Any:
    subscribed = [each["TopicArn"] for each in aws("sns").list_subscriptions()["Subscriptions"]]
    return {each["TopicArn"]: subscribed.count(each["TopicArn"]) for each in aws("sns").list_topics()["Topics"]}


def make_logs(aws: Callable[[str], Any], number: int) -> None:
    aws("logs").create_log_group(logGroupName=f"group-{number}")


def read_logs(aws: Callable[[str], Any]) -> Any:
    return [each["logGroupName"] for each in aws("logs").describe_log_groups()["logGroups"]]


def make_ec2(aws: Callable[[str], Any], number: int) -> None:
    aws("ec2").create_vpc(CidrBlock=f"10.{number}.0.0/16")


def read_ec2(aws: Callable[[str], Any]) -> Any:
    vpcs = aws("ec2").describe_vpcs()["Vpcs"]
    return sorted((each["CidrBlock"], each["VpcId"]) for each in vpcs if each["CidrBlock"].startswith("10."))


def make_iam(aws: Callable[[str], Any], number: int) -> None:
    aws("iam").create_user(UserName=f"user-{number}")


def read_iam(aws: Callable[[str], Any]) -> Any:
    return sorted((each["UserName"], each["UserId"]) for each in aws("iam").list_users()["Users"])


def make_route53(aws: Callable[[str], Any], number: int) -> None:
    aws("route53").create_hosted_zone(Name=f"z{number}.example", CallerReference=f"{number}")


def read_route53(aws: Callable[[str], Any]) -> Any:
    return sorted((each["Name"], each["Id"]) for each in aws("route53").list_hosted_zones()["HostedZones"])


def make_events(aws: Callable[[str], Any], number: int) -> None:
    aws("events").put_rule(Name=f"rule-{number}", ScheduleExpression="rate(1 day)")


def read_events(aws: Callable[[str], Any]) -> Any:
    return sorted(each["Name"] for each in aws("events").list_rules()["Rules"])


KEEPING = ("sqs", "dynamodb", "s3", "kinesis", "secretsmanager", "sns", "logs")
"""Services in which a mark can be kept."""
NOT_KEEPING = ("ec2", "iam", "route53", "events")


def calls_of(service: str) -> tuple[Make, Read]:
    return globals()[f"make_{service}"], globals()[f"read_{service}"]


class Small:
    """An emulator of one service, and the proxy before it."""

    def __init__(
        self, scratch: Path, emulator: Emulator, start_proxy: Callable[..., Proxy], service: str, **more: Any
    ) -> None:
        self.emulator = emulator
        self.between = Between(scratch, emulator.url, (service,), free_port(), **more)
        self.start_proxy = start_proxy

    def aws(self, service: str) -> Any:
        return client(service, self.proxy.url, **RETRIES)

    def start(self, *options: str) -> None:
        self.proxy = self.start_proxy("--upstream", self.between.url, *options)

    def restart_emulator(self) -> None:
        self.between.end()
        self.emulator.restart()
        self.between.restart()


@pytest.fixture
def small(
    tmp_path: Path, start_emulator: Callable[..., Emulator], start_proxy: Callable[..., Proxy]
) -> Iterator[Callable[..., Small]]:
    made: list[Small] = []

    def start(service: str, emulator: str = "moto", **more: Any) -> Small:
        made.append(Small(tmp_path, start_emulator(emulator), start_proxy, service, **more))
        return made[-1]

    yield start
    for each in made:
        each.between.end()


@pytest.mark.parametrize("service", [*KEEPING, *NOT_KEEPING])
def test_nothing_is_done_twice_and_nothing_is_lost(small: Callable[..., Small], service: str) -> None:
    if service not in ("sqs", "ec2") and (reason := left_out(0.3)):
        pytest.skip(f"{service} {reason}")
    make, read = calls_of(service)
    it = small(service, refusal={"sqs": 404, "s3": 501}.get(service, 400))
    it.start()
    assert not read(it.aws)
    for number in range(3):
        make(it.aws, number)
    before = read(it.aws)
    assert NAME not in str(before)

    def is_as_it_was(moment: str) -> None:
        assert read(it.aws) == before, f"{moment}\n{it.proxy.log}"

    it.proxy.kill()
    it.proxy.again()
    is_as_it_was("the proxy alone was restarted")
    it.restart_emulator()
    is_as_it_was("the emulator was restarted behind the proxy")
    it.proxy.kill()
    it.proxy.again()
    is_as_it_was("the proxy alone was restarted, and the emulator's own identifiers are others")
    make(it.aws, 7)
    before = read(it.aws)
    it.proxy.kill()
    it.restart_emulator()
    it.proxy.again()
    is_as_it_was("both were restarted")
    it.between.restart()
    is_as_it_was("the emulator was out of reach for a moment")
    assert ("keeps no mark" in it.proxy.log) == (service in NOT_KEEPING)


@pytest.mark.parametrize("service", ["sqs", "dynamodb", "ec2"])
@pytest.mark.parametrize("strategy", ["ON_REQUEST", "MANUAL"])
def test_in_parts(small: Callable[..., Small], service: str, strategy: str) -> None:
    if (service, strategy) not in (("ec2", "ON_REQUEST"), ("sqs", "MANUAL")) and (reason := left_out(0.2)):
        pytest.skip(f"{service} by {strategy} {reason}")
    make, read = calls_of(service)
    it = small(service)
    it.start("--load-strategy", strategy)
    make(it.aws, 1)
    before = read(it.aws)
    it.proxy.kill()
    it.proxy.again()
    assert read(it.aws) == before
    it.proxy.kill()
    it.restart_emulator()
    it.proxy.again()
    if strategy == "ON_REQUEST":
        assert read(it.aws) == before
        deadline = time.monotonic() + 30
        while it.proxy.status()["restoring"] is not None:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        it.proxy.kill()
        it.proxy.again()
        assert read(it.aws) == before


@pytest.mark.parametrize("service", ["sqs", "dynamodb", "s3", "kinesis", "secretsmanager", "sns", "logs"])
def test_who_knows_no_accounts_shows_no_mark(small: Callable[..., Small], service: str) -> None:
    """Terraform and tests compare lists."""
    make, read = calls_of(service)
    it = small(service, accounts=False)
    it.start()
    assert not read(it.aws)
    make(it.aws, 1)
    before = read(it.aws)
    assert NAME not in str(before)
    assert len(before) == 1
    direct = str(read(lambda name: client(name, it.emulator.url)))
    assert NAME in direct, "else this test shows nothing"
    it.proxy.kill()
    it.proxy.again()
    assert read(it.aws) == before


@pytest.mark.parametrize("emulator", ["moto", "ministack"])
@pytest.mark.parametrize("service", [place.service for place in PLACES])
async def test_each_place_keeps_a_mark(small: Callable[..., Small], service: str, emulator: str) -> None:
    it = small(service, emulator)
    upstream = UpstreamClient(it.between.url)
    try:
        marks = SessionMarks(RequestSender(upstream, call_timeout=30))
        assert await marks.read() is None
        assert await marks.leave(SessionMark("a" * 32, MarkPhase.RESTORING))
        assert marks.place == service
        assert await marks.leave(SessionMark("b" * 32, MarkPhase.READY))
        assert await SessionMarks(RequestSender(upstream, call_timeout=30)).read() == SessionMark(
            "b" * 32, MarkPhase.READY
        )
    finally:
        await upstream.close()


def test_a_script_that_fills_a_new_emulator_is_no_sign_of_life(small: Callable[..., Small]) -> None:
    it = small("sqs")
    it.start()
    for number in range(3):
        make_sqs(it.aws, number)
    before = read_sqs(it.aws)
    it.proxy.kill()
    it.restart_emulator()
    client("sqs", it.emulator.url).create_queue(QueueName="jobs-0")
    it.proxy.again()
    assert read_sqs(it.aws) == before


def test_an_interrupted_restore_is_not_taken_for_the_whole(small: Callable[..., Small]) -> None:
    it = small("ec2")
    it.start()
    for number in range(1, 41):
        make_ec2(it.aws, number)
    before = read_ec2(it.aws)
    it.proxy.kill()
    it.restart_emulator()
    it.between.restart(slow=0.1)
    it.proxy.again(wait=False)
    deadline = time.monotonic() + 60
    while not _restored(it.proxy):
        assert time.monotonic() < deadline, it.proxy.log
        time.sleep(0.02)
    it.proxy.kill()
    it.between.restart()
    it.proxy.again(wait=False)
    assert it.proxy.process.wait(60) == 6, it.proxy.log
    assert "an earlier restore was interrupted" in it.proxy.log
    it.restart_emulator()
    it.proxy.again()
    assert read_ec2(it.aws) == before


def _restored(proxy: Proxy) -> int:
    try:
        told = proxy.status()["last_restore"]
    except OSError:
        return 0
    return int(told["restored"]) if told is not None else 0
