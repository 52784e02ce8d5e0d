"""Items by key: only the last write counts, as far as nothing built on the earlier ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from replay_proxy.replay.planning.plan import live_calls
from tests.replay.lab import Lab, operations

pytestmark = pytest.mark.emulator


@pytest.fixture
def table(lab: Lab) -> Any:
    dynamodb = lab.client("dynamodb")
    make(dynamodb, "things")
    return dynamodb


def make(dynamodb: Any, name: str, **more: Any) -> None:
    dynamodb.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        **more,
    )


def item(key: str, value: str) -> dict[str, Any]:
    return {"pk": {"N": key}, "v": {"S": value}}


def kept(lab: Lab) -> list[str]:
    """The operations that are kept, after a restore of them in which every one had an equivalent answer."""
    compacted = live_calls(lab.records)
    lab.empty()
    report = lab.restore(compacted.kept)
    assert [problem.as_json() for problem in report.problems] == []
    return operations(compacted.kept)


def contents(dynamodb: Any, name: str = "things") -> dict[str, str]:
    return {each["pk"]["N"]: each["v"]["S"] for each in dynamodb.scan(TableName=name)["Items"]}


def test_only_the_last_put_of_a_key_is_repeated(lab: Lab, table: Any) -> None:
    for value in ("one", "two", "three"):
        table.put_item(TableName="things", Item=item("1", value))
    assert kept(lab) == ["CreateTable", "PutItem"]
    assert contents(table) == {"1": "three"}


def test_a_number_that_is_spelled_in_two_ways_is_left_alone(lab: Lab, table: Any) -> None:
    for key in ("1", "1.0"):
        table.put_item(TableName="things", Item=item(key, key))
    table.delete_item(TableName="things", Key={"pk": {"N": "1.0"}})
    before = contents(table)
    kept(lab)
    assert contents(table) == before


def test_a_deleted_item_is_neither_put_nor_deleted(lab: Lab, table: Any) -> None:
    table.put_item(TableName="things", Item=item("1", "gone"))
    table.put_item(TableName="things", Item=item("2", "stays"))
    table.delete_item(TableName="things", Key={"pk": {"N": "1"}})
    assert kept(lab) == ["CreateTable", "PutItem"]
    assert contents(table) == {"2": "stays"}


def test_an_update_keeps_what_it_builds_on(lab: Lab, table: Any) -> None:
    table.put_item(TableName="things", Item=item("1", "dropped"))
    table.put_item(TableName="things", Item=item("1", "base"))
    table.update_item(
        TableName="things",
        Key={"pk": {"N": "1"}},
        UpdateExpression="SET u = v",
        ConditionExpression="attribute_exists(v)",
    )
    assert kept(lab) == ["CreateTable", "PutItem", "UpdateItem"]
    assert table.scan(TableName="things")["Items"][0]["u"] == {"S": "base"}


def test_a_delete_takes_everything_that_an_item_was_built_from(lab: Lab, table: Any) -> None:
    table.put_item(TableName="things", Item=item("1", "base"))
    table.update_item(TableName="things", Key={"pk": {"N": "1"}}, UpdateExpression="SET u = v")
    table.delete_item(TableName="things", Key={"pk": {"N": "1"}})
    assert kept(lab) == ["CreateTable"]
    assert contents(table) == {}


def test_a_condition_on_what_is_not_repeated_is_lifted(lab: Lab, table: Any) -> None:
    table.put_item(TableName="things", Item=item("1", "first"))
    table.put_item(
        TableName="things",
        Item=item("1", "second"),
        ConditionExpression="#v = :old",
        ExpressionAttributeNames={"#v": "v"},
        ExpressionAttributeValues={":old": {"S": "first"}},
        ReturnValues="ALL_OLD",
    )
    compacted = live_calls(lab.records)
    body = compacted.kept[-1].request.body
    assert isinstance(body, bytes)
    assert sorted(json.loads(body)) == ["Item", "TableName"]
    assert kept(lab) == ["CreateTable", "PutItem"]
    assert contents(table) == {"1": "second"}


def test_a_condition_that_is_fulfilled_stays(lab: Lab, table: Any) -> None:
    table.put_item(TableName="things", Item=item("1", "only"), ConditionExpression="attribute_not_exists(pk)")
    assert live_calls(lab.records).kept == lab.records


def test_a_batch_is_reduced_to_what_is_still_there(lab: Lab, table: Any) -> None:
    make(table, "other")
    puts = [{"PutRequest": {"Item": item(str(number), "batch")}} for number in range(4)]
    table.batch_write_item(
        RequestItems={"things": puts, "other": [{"PutRequest": {"Item": item("9", "batch")}}]},
        ReturnConsumedCapacity="TOTAL",
    )
    table.delete_item(TableName="things", Key={"pk": {"N": "0"}})
    table.put_item(TableName="things", Item=item("1", "later"))
    table.batch_write_item(RequestItems={"things": [{"DeleteRequest": {"Key": {"pk": {"N": "2"}}}}]})
    assert kept(lab) == ["CreateTable", "CreateTable", "BatchWriteItem", "PutItem"]
    assert (contents(table), contents(table, "other")) == ({"1": "later", "3": "batch"}, {"9": "batch"})


def test_what_a_transaction_relied_on_stays(lab: Lab, table: Any) -> None:
    table.put_item(TableName="things", Item=item("1", "checked"))
    check = {"TableName": "things", "Key": {"pk": {"N": "1"}}, "ConditionExpression": "attribute_exists(pk)"}
    put = {"TableName": "things", "Item": item("2", "put")}
    table.transact_write_items(TransactItems=[{"ConditionCheck": check}, {"Put": put}])
    table.put_item(TableName="things", Item=item("1", "later"))
    table.delete_item(TableName="things", Key={"pk": {"N": "2"}})
    assert kept(lab) == ["CreateTable", "PutItem", "TransactWriteItems", "PutItem", "DeleteItem"]
    assert contents(table) == {"1": "later"}


def test_a_table_with_a_stream_is_left_alone(lab: Lab, table: Any) -> None:
    make(table, "streamed", StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"})
    for value in ("one", "two"):
        table.put_item(TableName="streamed", Item=item("1", value))
    assert kept(lab) == ["CreateTable", "CreateTable", "PutItem", "PutItem"]


def test_a_statement_of_partiql_keeps_what_was_there(lab: Lab, table: Any) -> None:
    table.put_item(TableName="things", Item=item("1", "one"))
    statement = "UPDATE things SET v = 'two' WHERE pk = 1"
    try:
        table.execute_statement(Statement=statement)
    except table.exceptions.ClientError as error:
        pytest.skip(f"no PartiQL here: {error}")
    table.put_item(TableName="things", Item=item("1", "three"))
    table.delete_item(TableName="things", Key={"pk": {"N": "1"}})
    assert kept(lab) == ["CreateTable", "PutItem", "ExecuteStatement", "DeleteItem"]


def test_a_deleted_table_takes_batches_and_transactions(lab: Lab, table: Any) -> None:
    make(table, "gone")
    table.batch_write_item(RequestItems={"gone": [{"PutRequest": {"Item": item("1", "x")}}]})
    table.transact_write_items(TransactItems=[{"Put": {"TableName": "gone", "Item": item("2", "x")}}])
    table.delete_table(TableName="gone")
    assert kept(lab) == ["CreateTable"]


def test_a_batch_into_a_live_table_keeps_the_dead_one(lab: Lab, table: Any) -> None:
    make(table, "gone")
    put, other = ([{"PutRequest": {"Item": item(key, "x")}}] for key in "12")
    table.batch_write_item(RequestItems={"gone": other, "things": put})
    table.delete_table(TableName="gone")
    assert kept(lab) == ["CreateTable", "CreateTable", "BatchWriteItem", "DeleteTable"]
    assert contents(table) == {"1": "x"}
