"""A consumer that holds its place in a stream, or the token of a session, while emulator and proxy are killed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.clients import client
from tests.support.held_files import wait_until_written, written_down
from tests.support.processes import Proxy

pytestmark = pytest.mark.emulator
EMULATORS = ("moto", "ministack")


class KinesisReader:
    """A stream, and what a consumer of it does."""

    def __init__(self, url: str) -> None:
        self.api = client("kinesis", url)
        self.api.create_stream(StreamName="clicks", ShardCount=1)
        self.shard = self.api.list_shards(StreamName="clicks")["Shards"][0]["ShardId"]

    def write(self, *names: str) -> None:
        for name in names:
            self.api.put_record(StreamName="clicks", PartitionKey="p", Data=name.encode())

    def place(self, kind: str, number: str = "") -> str:
        words = {"StartingSequenceNumber": number} if number else {}
        found = self.api.get_shard_iterator(StreamName="clicks", ShardId=self.shard, ShardIteratorType=kind, **words)
        return str(found["ShardIterator"])

    def read(self, place: str, **words: Any) -> tuple[list[tuple[str, str]], str]:
        """The records at a place, each with its number, and the place behind them."""
        got = self.api.get_records(ShardIterator=place, **words)
        return [(each["Data"].decode(), each["SequenceNumber"]) for each in got["Records"]], got["NextShardIterator"]


class TableReader:
    """The same for the stream of a table."""

    def __init__(self, url: str) -> None:
        self.table, self.api = client("dynamodb", url), client("dynamodbstreams", url)
        self.table.create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self.arn = self.table.describe_table(TableName="orders")["Table"]["LatestStreamArn"]
        described = self.api.describe_stream(StreamArn=self.arn)["StreamDescription"]
        self.shard = described["Shards"][0]["ShardId"]
        self.events: dict[str, str] = {}

    def write(self, *names: str) -> None:
        for name in names:
            self.table.put_item(TableName="orders", Item={"k": {"S": "one"}, "name": {"S": name}})

    def place(self, kind: str, number: str = "") -> str:
        words = {"SequenceNumber": number} if number else {}
        found = self.api.get_shard_iterator(StreamArn=self.arn, ShardId=self.shard, ShardIteratorType=kind, **words)
        return str(found["ShardIterator"])

    def read(self, place: str, **words: Any) -> tuple[list[tuple[str, str]], str]:
        got = self.api.get_records(ShardIterator=place, **words)
        records = got["Records"]
        for each in records:  # what a consumer knows an event by, when it comes once more
            assert self.events.setdefault(each["dynamodb"]["SequenceNumber"], each["eventID"]) == each["eventID"]
        listed = [(each["dynamodb"]["NewImage"]["name"]["S"], each["dynamodb"]["SequenceNumber"]) for each in records]
        return listed, got["NextShardIterator"]


@pytest.mark.parametrize("reader", [KinesisReader, TableReader])
@pytest.mark.parametrize("emulator", EMULATORS)
def test_consumers_go_on_where_they_were(
    start_proxy: Callable[..., Proxy], emulator: str, reader: type[KinesisReader] | type[TableReader]
) -> None:
    proxy = start_proxy("--emulator", emulator)
    stream = reader(proxy.url)
    stream.write("a", "b", "a", "b")
    first, middle = stream.read(stream.place("TRIM_HORIZON"), Limit=3)
    rest, behind = stream.read(middle)
    numbers = [number for _, number in first + rest]
    end = stream.place("LATEST")
    _, polled = stream.read(end)
    stream.write("c", "d")
    wait_until_written(proxy, middle, behind, end, polled)

    proxy.kill_all()
    proxy.again()
    stream.write("e")
    for place, names in (
        (middle, "bcde"),
        (behind, "cde"),
        (polled, "cde"),
        (end, "cde"),
        (end, "cde"),  # a client may ask twice
        (stream.place("AFTER_SEQUENCE_NUMBER", numbers[2]), "bcde"),
        (stream.place("AT_SEQUENCE_NUMBER", numbers[1]), "babcde"),
    ):
        assert "".join(name for name, _ in stream.read(place)[0]) == names, place
    again, last = stream.read(stream.place("TRIM_HORIZON"))
    assert [number for _, number in again][:4] == numbers
    assert stream.read(last)[0] == []
    assert end.strip() not in written_down(proxy)


def test_a_client_goes_on_polling_its_configuration(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--emulator", "ministack")
    admin, data = client("appconfig", proxy.url), client("appconfigdata", proxy.url)
    app = admin.create_application(Name="shop")["Id"]
    stage = admin.create_environment(ApplicationId=app, Name="test")["Id"]
    profile = admin.create_configuration_profile(ApplicationId=app, Name="main", LocationUri="hosted")["Id"]
    strategy = admin.create_deployment_strategy(
        Name="at-once", DeploymentDurationInMinutes=0, GrowthFactor=100, ReplicateTo="NONE"
    )["Id"]

    def deploy(content: bytes) -> None:
        made = admin.create_hosted_configuration_version(
            ApplicationId=app, ConfigurationProfileId=profile, Content=content, ContentType="application/json"
        )
        admin.start_deployment(
            ApplicationId=app,
            EnvironmentId=stage,
            DeploymentStrategyId=strategy,
            ConfigurationProfileId=profile,
            ConfigurationVersion=str(made["VersionNumber"]),
        )

    def session() -> str:
        return str(
            data.start_configuration_session(
                ApplicationIdentifier=app, EnvironmentIdentifier=stage, ConfigurationProfileIdentifier=profile
            )["InitialConfigurationToken"]
        )

    def poll(token: str) -> tuple[bytes, str]:
        got = data.get_latest_configuration(ConfigurationToken=token)
        return got["Configuration"].read(), got["NextPollConfigurationToken"]

    deploy(b'{"a": 1}')
    unused = session()
    content, token = poll(session())
    assert content == b'{"a": 1}'
    wait_until_written(proxy, unused, token)
    proxy.kill_all()
    proxy.again()
    assert poll(unused)[0] == b'{"a": 1}'
    _, token = poll(token)  # which may show once more what it has shown before
    assert poll(token)[0] == b""
