"""The stream of a table has the same records after a restart: their number, order, keys and images."""

from __future__ import annotations

import time
import urllib.request
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.stories import Story

pytestmark = pytest.mark.emulator

TABLE = "orders"


def table_with_stream(story: Story, **options: Any) -> Any:
    dynamodb = story.client("dynamodb")
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        **options,
    )
    return dynamodb


def records(story: Story) -> list[dict[str, Any]]:
    """All records of all streams, shard after shard."""
    streams = story.client("dynamodbstreams")
    found = []
    for stream in streams.list_streams()["Streams"]:
        arn = stream["StreamArn"]
        for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
            iterator = streams.get_shard_iterator(
                StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while iterator:
                page = streams.get_records(ShardIterator=iterator)
                if not page["Records"]:
                    break
                found += page["Records"]
                iterator = page.get("NextShardIterator")
    return found


def told(story: Story) -> list[Any]:
    """What records tell of items, in their order."""
    return [
        (each["eventName"], *(each["dynamodb"].get(name) for name in ("Keys", "OldImage", "NewImage")))
        for each in records(story)
    ]


def times(story: Story) -> list[float]:
    return [each["dynamodb"]["ApproximateCreationDateTime"].timestamp() for each in records(story)]


def key(name: str) -> dict[str, Any]:
    return {"k": {"S": name}}


def test_records_come_in_the_order_of_the_writes_to_all_items(story: Story) -> None:
    dynamodb = table_with_stream(story)
    change = {"UpdateExpression": "SET v = :v", "ExpressionAttributeValues": {":v": {"S": "x"}}}
    for number in range(6):
        dynamodb.put_item(TableName=TABLE, Item={**key(f"k{number % 4}"), "n": {"N": str(number)}})
    for number in range(4):
        dynamodb.update_item(TableName=TABLE, Key=key(f"k{number}"), **change)
        dynamodb.update_item(TableName=TABLE, Key=key("k0"), **change)
        dynamodb.put_item(TableName=TABLE, Item=key(f"new{number}"))
    dynamodb.delete_item(TableName=TABLE, Key=key("k3"))
    dynamodb.delete_item(TableName=TABLE, Key=key("never there"))
    dynamodb.batch_write_item(
        RequestItems={TABLE: [{"PutRequest": {"Item": key(name)}} for name in ("b", "a", "k3", "c")]}
    )
    dynamodb.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": TABLE, "Item": key("t")}},
            {"Update": {"TableName": TABLE, "Key": key("k1"), **change}},
            {"Delete": {"TableName": TABLE, "Key": key("b")}},
        ]
    )
    for number in range(30):
        dynamodb.put_item(TableName=TABLE, Item=key(f"many{number}"))
    assert len(story.survives(lambda: told(story))) > 45


def test_what_was_not_written_by_itself_is_no_record(story: Story) -> None:
    """A call that failed in the middle, and items that expire, let the proxy look at the table: no item is written anew."""
    dynamodb = table_with_stream(story)
    dynamodb.update_time_to_live(TableName=TABLE, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"})
    change = {"UpdateExpression": "SET v = :v", "ExpressionAttributeValues": {":v": {"S": "x"}}}
    for name in ("a", "b"):
        dynamodb.update_item(TableName=TABLE, Key=key(name), **change)
    dynamodb.execute_statement(Statement=f"INSERT INTO {TABLE} VALUE {{'k': 'p'}}")
    dynamodb.execute_statement(Statement=f"INSERT INTO {TABLE} VALUE {{'k': 'q'}}")
    dynamodb.execute_statement(Statement=f"DELETE FROM {TABLE} WHERE k = 'q'")
    with suppress(ClientError):  # moto writes the item, and fails then
        dynamodb.update_item(TableName=TABLE, Key=key("only a key"))
    dynamodb.put_item(TableName=TABLE, Item=key("c"))
    request = urllib.request.Request(f"{story.proxy.url}/_localstack/state/save", method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:  # looks at what is exposed
        assert answer.status == 200
    before = sorted(map(str, told(story)))
    story.restart()
    assert sorted(map(str, told(story))) == before


def test_records_that_clients_have_read_keep_their_times(story: Story) -> None:
    dynamodb = table_with_stream(story)
    for number in range(2):
        dynamodb.put_item(TableName=TABLE, Item={**key("a"), "n": {"N": str(number)}})
        time.sleep(1.1)
    dynamodb.delete_item(TableName=TABLE, Key=key("a"))
    before = times(story)
    assert before[-1] - before[0] >= 2
    for _ in range(2):
        story.restart()
        assert times(story) == before
    dynamodb.put_item(TableName=TABLE, Item=key("new"))
    assert abs(times(story)[-1] - time.time()) < 5


def test_records_that_nobody_has_read_show_when_their_items_were_written(story: Story) -> None:
    dynamodb = table_with_stream(story)
    changes = {"UpdateExpression": "SET v = :v", "ExpressionAttributeValues": {":v": {"S": "x"}}}
    deletion = {"DeleteRequest": {"Key": key("b")}}
    writes = [
        lambda: dynamodb.put_item(TableName=TABLE, Item={**key("a"), "n": {"N": "1"}}),
        lambda: dynamodb.put_item(TableName=TABLE, Item={**key("a"), "n": {"N": "2.50"}}),
        lambda: dynamodb.update_item(TableName=TABLE, Key=key("b"), **changes),
        lambda: dynamodb.delete_item(TableName=TABLE, Key=key("a")),
        lambda: dynamodb.batch_write_item(RequestItems={TABLE: [{"PutRequest": {"Item": key("a")}}, deletion]}),
        lambda: dynamodb.transact_write_items(
            TransactItems=[{"Update": {"TableName": TABLE, "Key": key("a"), **changes}}]
        ),
    ]
    written = []
    for write in writes:
        write()
        written.append(time.time())
        time.sleep(1.1)
    story.restart()
    found: dict[str, list[int]] = {"a": [], "b": []}
    for record in records(story):
        at = record["dynamodb"]["ApproximateCreationDateTime"].timestamp()
        nearest = min(range(len(writes)), key=lambda index: abs(written[index] - 0.5 - at))
        assert abs(written[nearest] - at) < 1.1
        found[record["dynamodb"]["Keys"]["k"]["S"]].append(nearest)
    # moto makes two records of an update that makes an item.
    assert {name: list(dict.fromkeys(each)) for name, each in found.items()} == {"a": [0, 1, 3, 4, 5], "b": [2, 4]}
