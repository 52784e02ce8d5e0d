"""Tables come back with their items, however they were written, and with their indexes and settings."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.stories import Story

pytestmark = pytest.mark.emulator


def table(dynamodb: Any, name: str, **more: Any) -> None:
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
            {"AttributeName": "owner", "AttributeType": "S"},
        ],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-owner",
                "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
        **more,
    )


def item(pk: str, sk: int, **more: Any) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"N": str(sk)}, **more}


def rows(dynamodb: Any, name: str) -> list[str]:
    return sorted(repr(sorted(each.items())) for each in dynamodb.scan(TableName=name)["Items"])


def test_items_after_writes_of_all_kinds(story: Story) -> None:
    dynamodb = story.client("dynamodb")
    table(dynamodb, "orders")
    table(dynamodb, "stock")
    owner = {"owner": {"S": "me"}}
    dynamodb.put_item(TableName="orders", Item=item("a", 1, **owner), ConditionExpression="attribute_not_exists(pk)")
    with pytest.raises(ClientError):
        dynamodb.put_item(TableName="orders", Item=item("a", 1), ConditionExpression="attribute_not_exists(pk)")
    dynamodb.put_item(
        TableName="orders",
        Item=item("a", 1, v={"N": "2"}, **owner),
        ConditionExpression="#o = :o",
        ExpressionAttributeNames={"#o": "owner"},
        ExpressionAttributeValues={":o": {"S": "me"}},
    )
    for step in (1, 10, 100):
        dynamodb.update_item(
            TableName="stock",
            Key=item("counter", 0),
            UpdateExpression="ADD n :step SET l = list_append(if_not_exists(l, :none), :one)",
            ExpressionAttributeValues={
                ":step": {"N": str(step)},
                ":none": {"L": []},
                ":one": {"L": [{"N": str(step)}]},
            },
        )
    dynamodb.update_item(
        TableName="stock",
        Key=item("counter", 0),
        UpdateExpression="REMOVE l[1] SET m = :m, b = :b, s = :s",
        ExpressionAttributeValues={
            ":m": {"M": {"x": {"BOOL": True}}},
            ":b": {"B": b"\0\xfe"},
            ":s": {"SS": ["p", "q"]},
        },
    )
    dynamodb.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": "orders", "Item": item("t", 1, **owner)}},
            {
                "Update": {
                    "TableName": "stock",
                    "Key": item("counter", 0),
                    "UpdateExpression": "ADD n :one",
                    "ExpressionAttributeValues": {":one": {"N": "1000"}},
                }
            },
            {
                "ConditionCheck": {
                    "TableName": "orders",
                    "Key": item("a", 1),
                    "ConditionExpression": "attribute_exists(pk)",
                }
            },
        ]
    )
    with pytest.raises(ClientError):
        dynamodb.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": "orders", "Item": item("never", 1)}},
                {
                    "ConditionCheck": {
                        "TableName": "orders",
                        "Key": item("nobody", 1),
                        "ConditionExpression": "attribute_exists(pk)",
                    }
                },
            ]
        )
    dynamodb.batch_write_item(
        RequestItems={
            "orders": [{"PutRequest": {"Item": item("b", n, **owner)}} for n in range(5)],
            "stock": [{"PutRequest": {"Item": item("b", n)}} for n in range(2)],
        }
    )
    dynamodb.batch_write_item(
        RequestItems={"orders": [{"DeleteRequest": {"Key": item("b", 0)}}, {"PutRequest": {"Item": item("b", 1)}}]}
    )
    dynamodb.delete_item(TableName="orders", Key=item("b", 2), ConditionExpression="attribute_exists(pk)")
    with suppress(ClientError):  # PartiQL, as far as the emulator has it
        dynamodb.execute_statement(Statement="INSERT INTO orders VALUE {'pk': 'sql', 'sk': 1, 'owner': 'me'}")
        dynamodb.execute_statement(Statement="UPDATE orders SET v='2' WHERE pk='sql' AND sk=1")
        dynamodb.execute_statement(Statement="DELETE FROM orders WHERE pk='b' AND sk=4")

    def read() -> Any:
        found = dynamodb.query(
            TableName="orders",
            IndexName="by-owner",
            KeyConditionExpression="#o = :o",
            ExpressionAttributeNames={"#o": "owner"},
            ExpressionAttributeValues={":o": {"S": "me"}},
        )["Items"]
        return rows(dynamodb, "orders"), rows(dynamodb, "stock"), sorted(repr(sorted(each.items())) for each in found)

    story.survives(read)
    counter = dynamodb.get_item(TableName="stock", Key=item("counter", 0))["Item"]
    assert counter["n"] == {"N": "1111"}
    assert counter["l"] == {"L": [{"N": "1"}, {"N": "100"}]}
    # A counter that goes on counting goes on from where it was.
    dynamodb.update_item(
        TableName="stock",
        Key=item("counter", 0),
        UpdateExpression="ADD n :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )
    story.restart()
    assert dynamodb.get_item(TableName="stock", Key=item("counter", 0))["Item"]["n"] == {"N": "1112"}


def test_settings_of_tables(story: Story) -> None:
    dynamodb = story.client("dynamodb")
    table(dynamodb, "orders", Tags=[{"Key": "a", "Value": "1"}])
    arn = dynamodb.describe_table(TableName="orders")["Table"]["TableArn"]
    dynamodb.update_time_to_live(
        TableName="orders", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
    )
    dynamodb.update_continuous_backups(
        TableName="orders", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    dynamodb.tag_resource(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    dynamodb.untag_resource(ResourceArn=arn, TagKeys=["a"])
    dynamodb.update_table(
        TableName="orders", StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    )
    dynamodb.update_table(
        TableName="orders",
        AttributeDefinitions=[{"AttributeName": "day", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[
            {
                "Create": {
                    "IndexName": "by-day",
                    "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            }
        ],
    )
    for number in range(3):
        dynamodb.put_item(TableName="orders", Item=item("streamed", number))
    streams = story.client("dynamodbstreams")

    def read() -> Any:
        described = dynamodb.describe_table(TableName="orders")["Table"]
        kept = dynamodb.describe_continuous_backups(TableName="orders")["ContinuousBackupsDescription"]
        stream = described["LatestStreamArn"]
        (shard,) = streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]
        begin = streams.get_shard_iterator(
            StreamArn=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        seen = streams.get_records(ShardIterator=begin)["Records"]
        return {
            "ttl": dynamodb.describe_time_to_live(TableName="orders")["TimeToLiveDescription"],
            "backups": kept["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"],
            "tags": dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"],
            "indexes": sorted(each["IndexName"] for each in described["GlobalSecondaryIndexes"]),
            "id": described.get("TableId"),
            "stream": stream,
            "records": [each["dynamodb"]["Keys"]["sk"]["N"] for each in seen],
        }

    facts = story.survives(read)
    assert facts["tags"] == [{"Key": "b", "Value": "2"}]
    assert facts["records"] == ["0", "1", "2"]
