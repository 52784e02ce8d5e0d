"""Calls that are restored in one request: which, in what order, and what becomes of those that it does not take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.exchange import Answer, Request
from replay_proxy.replay.ordering.batch_groups import groups_of
from replay_proxy.replay.ordering.dependency_graph import DependencyGraph
from replay_proxy.replay.ordering.schedule import Schedule
from replay_proxy.replay.planning.plan import plan_of_records
from tests.replay.lab import Lab
from tests.replay.test_dependency_graph import graphs


def groups(lab: Lab) -> list[tuple[int, ...]]:
    graph = plan_of_records(lab.records, supersede=False).graph
    return sorted(groups_of(graph, set(graph.order)).values())


def sent(lab: Lab, edit: Callable[[Request], Answer | None] = lambda _request: None) -> list[str]:
    """Restores what was recorded into an empty emulator; the operations that were sent for it."""
    lab.empty()
    seen: list[str] = []
    exchange = lab._exchange

    def carry(request: Request) -> Answer:
        seen.append(request.headers.get("x-amz-target").rpartition(".")[2])
        return edit(request) or exchange(request)

    with patch.object(lab, "_exchange", carry):
        report = lab.restore(lab.records)
    assert [problem.as_json() for problem in report.problems] == []
    assert report.done == len(lab.records)
    return seen


def queue_with(lab: Lab, *bodies: str, **attributes: str) -> str:
    sqs = lab.client("sqs")
    name = "work.fifo" if attributes else "work"
    url: str = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    for number, body in enumerate(bodies):
        fifo = {"MessageGroupId": "g", "MessageDeduplicationId": str(number)} if attributes else {}
        text = {"StringValue": body, "DataType": "String"}
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageAttributes={"text": text}, **fifo)
    return url


def received(lab: Lab, url: str) -> list[tuple[str, str, Any]]:
    sqs = lab.client("sqs")
    found = []
    while messages := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=60
    ).get("Messages"):
        found += [(each["MessageId"], each["Body"], each["MessageAttributes"]["text"]) for each in messages]
        for each in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
    return found


@pytest.mark.parametrize("attributes", [{}, {"FifoQueue": "true"}], ids=["standard", "fifo"])
def test_messages_of_a_queue_go_ten_at_a_time_with_their_ids_and_in_their_order(
    lab: Lab, attributes: dict[str, str]
) -> None:
    url = queue_with(lab, *(f"message {n} ü" for n in range(23)), **attributes)
    ids = [orjson.loads(record.answer.body)["MessageId"] for record in lab.records[1:]]  # type: ignore[arg-type]
    assert sent(lab) == ["CreateQueue", *["SendMessageBatch"] * 3]
    found = received(lab, url)
    assert [body for _, body, _ in found] == [f"message {n} ü" for n in range(23)]
    assert [message for message, _, _ in found] == ids
    assert [text["StringValue"] for _, _, text in found] == [body for _, body, _ in found]


def test_a_change_of_the_queue_is_not_overtaken(lab: Lab) -> None:
    url = queue_with(lab, "1", "2")
    lab.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "0"})
    for body in ("3", "4"):
        lab.client("sqs").send_message(QueueUrl=url, MessageBody=body)
    assert groups(lab) == [(2, 3), (5, 6)]


def test_messages_that_the_batch_does_not_take_are_sent_alone(lab: Lab) -> None:
    url = queue_with(lab, "1", "2", "3")

    def refuse_the_second(request: Request) -> Answer | None:
        if not request.headers.get("x-amz-target").endswith("SendMessageBatch"):
            return None
        assert isinstance(request.body, bytes)
        document = orjson.loads(request.body)
        del document["Entries"][1]
        given = exchange(Request(request.method, request.target, request.headers, orjson.dumps(document)))
        assert isinstance(given.body, bytes)
        told = orjson.loads(given.body)
        told["Failed"] = [{"Id": "1", "SenderFault": False, "Code": "InternalError"}]
        return Answer(given.status, given.headers, orjson.dumps(told), given.reason)

    exchange = lab._exchange
    assert sent(lab, refuse_the_second) == ["CreateQueue", "SendMessageBatch", "SendMessage"]
    assert sorted(body for _, body, _ in received(lab, url)) == ["1", "2", "3"]


def test_an_emulator_that_knows_no_batches_gets_each_call(lab: Lab) -> None:
    url = queue_with(lab, "1", "2", "3")

    def unknown(request: Request) -> Answer | None:
        if not request.headers.get("x-amz-target").endswith("SendMessageBatch"):
            return None
        body = b'{"__type":"com.amazon.coral.service#UnknownOperationException"}'
        return Answer(400, lab.records[0].answer.headers, body)

    assert sent(lab, unknown) == ["CreateQueue", "SendMessageBatch", *["SendMessage"] * 3]
    assert [body for _, body, _ in received(lab, url)] == ["1", "2", "3"]


def table(lab: Lab, name: str) -> Any:
    dynamodb = lab.client("dynamodb")
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return dynamodb


def test_items_of_a_table_go_together_and_the_same_key_does_not(lab: Lab) -> None:
    for name in ("one", "two"):
        dynamodb = table(lab, name)
    item = {"k": {"S": "a"}, "n": {"N": "1.5"}, "b": {"B": b"\0\xff"}, "s": {"SS": ["x", "y"]}}
    dynamodb.put_item(TableName="one", Item=item)
    dynamodb.put_item(TableName="two", Item=item)
    dynamodb.put_item(TableName="one", Item={"k": {"S": "a"}, "again": {"BOOL": True}})
    dynamodb.put_item(TableName="one", Item={"k": {"S": "b"}}, ConditionExpression="attribute_not_exists(k)")
    dynamodb.put_item(TableName="one", Item={"k": {"S": "c"}})
    dynamodb.put_item(TableName="two", Item=item | {"k": {"S": "b"}})
    assert groups(lab) == [(4, 8), (5, 7)]
    assert sorted(operation for operation in sent(lab) if "Put" in operation or "Batch" in operation) == [
        "BatchWriteItem",
        "BatchWriteItem",
        "PutItem",
        "PutItem",
    ]
    found = {
        name: sorted(dynamodb.scan(TableName=name)["Items"], key=lambda each: str(each["k"])) for name in ("one", "two")
    }
    assert found["one"] == [{"k": {"S": "a"}, "again": {"BOOL": True}}, {"k": {"S": "b"}}, {"k": {"S": "c"}}]
    assert found["two"] == [item, item | {"k": {"S": "b"}}]


@given(graphs(), st.data())
def test_no_group_waits_for_itself(graph: DependencyGraph, data: st.DataObject) -> None:
    keys = st.sampled_from(["", "SendMessage\na", "SendMessage\nb", "PutItem\n"])
    graph.batches = {seq: key for seq in graph.order if (key := data.draw(keys))}
    grouped = groups_of(graph, set(graph.order))
    schedule = Schedule(graph, None, grouped)
    finished: list[int] = []
    while (seq := schedule.take()) is not None:
        group = schedule.group(seq)
        for member in group:
            own = set(group[: group.index(member)]) if graph.batches.get(member, "").startswith("Send") else set()
            assert graph.predecessors(member) <= own.union(finished)
        finished.extend(group)
        schedule.done(seq)
    assert schedule.remaining == 0
    assert sorted(finished) == graph.order
