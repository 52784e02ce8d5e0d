"""Which calls take turns, and that the journal then ends where the emulator does."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import CallHead, Headers, Request
from replay_proxy.journal import ordering as ordering_module
from replay_proxy.journal.ordering import Ordering
from replay_proxy.journal.subjects import ALONE, Subjects, subjects
from replay_proxy.wire.parameters import parse_parameters


def call(service: str, operation: str, params: dict[str, Any], account: str = "") -> tuple[CallHead, Request]:
    """A JSON call with these parameters."""
    target = {"dynamodb": "DynamoDB_20120810", "sqs": "AmazonSQS", "kinesis": "Kinesis_20131202"}[service]
    headers = Headers([("X-Amz-Target", f"{target}.{operation}"), ("Content-Type", "application/x-amz-json-1.0")])
    head = CallHead(service, operation, "json", account, "us-east-1", "test")
    return head, Request("POST", "/", headers, json.dumps(params).encode())


def s3(method: str, target: str, operation: str) -> tuple[CallHead, Request]:
    head = CallHead("s3", operation, "rest-xml", "", "us-east-1", "test")
    return head, Request(method, target, Headers([("Host", "127.0.0.1:4566")]))


def query(service: str, operation: str, form: str) -> tuple[CallHead, Request]:
    protocol = "ec2" if service == "ec2" else "query"
    headers = Headers([("Content-Type", "application/x-www-form-urlencoded")])
    request = Request("POST", "/", headers, f"Action={operation}&{form}".encode())
    return CallHead(service, operation, protocol, "", "us-east-1", "test"), request


def put(table: str, key: str, **more: str) -> tuple[CallHead, Request]:
    item = {"id": {"S": key}} | {name: {"S": value} for name, value in more.items()}
    return call("dynamodb", "PutItem", {"TableName": table, "Item": item})


TABLE = {
    "TableName": "t",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}
QUEUE = "http://127.0.0.1:4566/000000000000/orders"
FIFO = QUEUE + ".fifo"


async def waits(
    first: tuple[CallHead, Request], second: tuple[CallHead, Request], ordering: Ordering | None = None
) -> bool:
    """Does the second call wait for the first?"""
    ordering = ordering or Ordering()
    entered = asyncio.Event()

    async def later() -> None:
        async with ordering.turn(*second):
            entered.set()

    async with ordering.turn(*first):
        task = asyncio.create_task(later())
        for _ in range(5):
            await asyncio.sleep(0)
        waited = not entered.is_set()
    await asyncio.wait_for(task, 5)
    assert not ordering.under_way
    return waited


SAME = [
    ("the same object", s3("PUT", "/b/k", "PutObject"), s3("DELETE", "/b/k", "DeleteObject")),
    ("an object and its bucket", s3("PUT", "/b/k", "PutObject"), s3("DELETE", "/b", "DeleteBucket")),
    ("a bucket's settings", s3("PUT", "/b?policy", "PutBucketPolicy"), s3("PUT", "/b?acl", "PutBucketAcl")),
    (
        "a part and the completion of its upload",
        s3("PUT", "/b/k?partNumber=1&uploadId=u", "UploadPart"),
        s3("POST", "/b/k?uploadId=u", "CompleteMultipartUpload"),
    ),
    ("the same item", put("t", "1", x="a"), put("t", "1", x="b")),
    ("an item and its table", put("t", "1"), call("dynamodb", "DeleteTable", {"TableName": "t"})),
    (
        "an item put and the same updated",
        put("t", "1"),
        call("dynamodb", "UpdateItem", {"TableName": "t", "Key": {"id": {"S": "1"}}}),
    ),
    (
        "an item within a batch",
        put("t", "2"),
        call("dynamodb", "BatchWriteItem", {"RequestItems": {"t": [{"DeleteRequest": {"Key": {"id": {"S": "2"}}}}]}}),
    ),
    (
        "an item within a transaction",
        put("t", "2"),
        call(
            "dynamodb",
            "TransactWriteItems",
            {"TransactItems": [{"Update": {"TableName": "t", "Key": {"id": {"S": "2"}}, "UpdateExpression": "x"}}]},
        ),
    ),
    ("PartiQL, which is not parsed", put("t", "1"), call("dynamodb", "ExecuteStatement", {"Statement": "DELETE ..."})),
    (
        "a message and its queue",
        call("sqs", "SendMessage", {"QueueUrl": QUEUE, "MessageBody": "m"}),
        call("sqs", "PurgeQueue", {"QueueUrl": QUEUE}),
    ),
    (
        "a queue by name and by URL",
        call("sqs", "CreateQueue", {"QueueName": "orders"}),
        call("sqs", "SetQueueAttributes", {"QueueUrl": QUEUE, "Attributes": {}}),
    ),
    (
        "a message group",
        call("sqs", "SendMessage", {"QueueUrl": FIFO, "MessageBody": "1", "MessageGroupId": "g"}),
        call("sqs", "SendMessage", {"QueueUrl": FIFO, "MessageBody": "2", "MessageGroupId": "g"}),
    ),
    (
        "a topic by name and by ARN",
        query("sns", "CreateTopic", "Name=news"),
        query("sns", "DeleteTopic", "TopicArn=arn%3Aaws%3Asns%3Aus-east-1%3A000000000000%3Anews"),
    ),
    ("a VPC and its attribute", query("ec2", "CreateSubnet", "VpcId=vpc-1"), query("ec2", "DeleteVpc", "VpcId=vpc-1")),
    (
        "settings of the account, which name nothing",
        query("ec2", "EnableSerialConsoleAccess", ""),
        query("ec2", "DisableSerialConsoleAccess", ""),
    ),
    (
        "a bucket of two accounts",
        (CallHead("s3", "PutBucketAcl", "rest-xml", "000000000001"), s3("PUT", "/b?acl", "PutBucketAcl")[1]),
        (CallHead("s3", "PutBucketAcl", "rest-xml", "000000000002"), s3("PUT", "/b?acl", "PutBucketAcl")[1]),
    ),
    (
        "an account and the default one, which may be the same",
        call("sqs", "CreateQueue", {"QueueName": "x"}),
        call("sqs", "CreateQueue", {"QueueName": "x"}, "000000000000"),
    ),
    (
        "a request that cannot be read",
        put("t", "1"),
        (call("dynamodb", "PutItem", {})[0], Request("POST", "/", Headers(), b"\xff{")),
    ),
]

OTHERS = [
    ("two objects of a bucket", s3("PUT", "/b/1", "PutObject"), s3("PUT", "/b/2", "PutObject")),
    ("two buckets", s3("PUT", "/a", "CreateBucket"), s3("PUT", "/b", "CreateBucket")),
    (
        "two parts of an upload",
        s3("PUT", "/b/k?partNumber=1&uploadId=u", "UploadPart"),
        s3("PUT", "/b/k?partNumber=2&uploadId=u", "UploadPart"),
    ),
    ("two items", put("t", "1"), put("t", "2")),
    ("the same key in two tables", put("t", "1"), put("u", "1")),
    (
        "two messages of a standard queue",
        call("sqs", "SendMessage", {"QueueUrl": QUEUE, "MessageBody": "1"}),
        call("sqs", "SendMessage", {"QueueUrl": QUEUE, "MessageBody": "2"}),
    ),
    (
        "two message groups",
        call("sqs", "SendMessage", {"QueueUrl": FIFO, "MessageBody": "1", "MessageGroupId": "g"}),
        call("sqs", "SendMessage", {"QueueUrl": FIFO, "MessageBody": "2", "MessageGroupId": "h"}),
    ),
    (
        "two partitions of a stream",
        call("kinesis", "PutRecord", {"StreamName": "s", "Data": "YQ==", "PartitionKey": "1"}),
        call("kinesis", "PutRecord", {"StreamName": "s", "Data": "YQ==", "PartitionKey": "2"}),
    ),
    (
        "two new VPCs",
        query("ec2", "CreateVpc", "CidrBlock=10.0.0.0/16"),
        query("ec2", "CreateVpc", "CidrBlock=10.1.0.0/16"),
    ),
    (
        "two services",
        call("sqs", "CreateQueue", {"QueueName": "x"}),
        call("dynamodb", "DeleteTable", {"TableName": "x"}),
    ),
    (
        "two accounts",
        call("sqs", "CreateQueue", {"QueueName": "x"}, "000000000001"),
        call("sqs", "CreateQueue", {"QueueName": "x"}, "000000000002"),
    ),
]


@pytest.mark.parametrize(("one", "other"), [pytest.param(*pair, id=name) for name, *pair in SAME])
async def test_calls_that_could_touch_the_same_thing_take_turns(one: Any, other: Any) -> None:
    assert await waits(one, other)
    assert await waits(other, one)


@pytest.mark.parametrize(("one", "other"), [pytest.param(*pair, id=name) for name, *pair in OTHERS])
async def test_unrelated_calls_do_not_wait(one: Any, other: Any) -> None:
    assert not await waits(one, other)
    assert not await waits(other, one)


class TestItems:
    async def test_in_a_table_whose_key_is_not_known_any_common_attribute_makes_them_wait(self) -> None:
        assert await waits(put("t", "1", status="new"), put("t", "2", status="new"))

    async def test_once_the_key_is_known_only_the_key_counts(self) -> None:
        ordering = Ordering()
        async with ordering.turn(*call("dynamodb", "CreateTable", TABLE)):
            pass
        assert not await waits(put("t", "1", status="new"), put("t", "2", status="new"), ordering)
        assert await waits(put("t", "1", status="new"), put("t", "1", status="old"), ordering)

    async def test_a_key_that_becomes_known_in_between_still_meets(self) -> None:
        unknown = subjects(put("t", "1")[0], {"TableName": "t", "Item": {"id": {"S": "1"}, "x": {"S": "a"}}})
        known = subjects(
            put("t", "1")[0], {"TableName": "t", "Item": {"id": {"S": "1"}, "x": {"S": "b"}}}, {("", "t"): "id"}
        )
        assert unknown.meets(known)

    async def test_a_table_made_anew_has_a_new_key(self) -> None:
        ordering = Ordering()
        ordering.remember(*call("dynamodb", "CreateTable", TABLE))
        other = TABLE | {"KeySchema": [{"AttributeName": "status", "KeyType": "HASH"}]}
        ordering.remember(*call("dynamodb", "CreateTable", other))  # refused by the emulator: the table is there
        assert not await waits(put("t", "1", status="new"), put("t", "2", status="new"), ordering)
        ordering.remember(*call("dynamodb", "DeleteTable", {"TableName": "t"}))
        ordering.remember(*call("dynamodb", "CreateTable", other))
        assert await waits(put("t", "1", status="new"), put("t", "2", status="new"), ordering)


def subjects_of(head: CallHead, request: Request) -> Subjects:
    """What a call touches, worked out apart from any ordering."""
    try:
        return subjects(head, parse_parameters(head, request))
    except MalformedMessage:
        return ALONE


MIXED = [
    call("sqs", operation, params, account)
    for account in ("", "111111111111", "222222222222")
    for operation, params in (
        ("SendMessage", {"QueueUrl": QUEUE, "MessageBody": "b"}),
        ("SendMessage", {"QueueUrl": QUEUE + "2", "MessageBody": "b"}),
        ("SendMessage", {"QueueUrl": FIFO, "MessageBody": "b", "MessageGroupId": "g"}),
        ("SendMessage", {"QueueUrl": FIFO, "MessageBody": "b", "MessageGroupId": "h"}),
        ("DeleteMessage", {"QueueUrl": QUEUE, "ReceiptHandle": "r"}),
        ("DeleteQueue", {"QueueUrl": QUEUE}),
        ("CreateQueue", {"QueueName": "orders2"}),
        ("CreateQueue", {"QueueName": ["no name"]}),
    )
]


class TestTurns:
    async def test_a_call_that_is_alone_is_not_parsed(self) -> None:
        class Unreadable(Request):
            __slots__ = ()

            @property
            def body(self) -> bytes:  # type: ignore[override]  # whoever looks at it fails
                raise AssertionError("looked at")

        ordering = Ordering()
        head, request = put("t", "1")
        async with ordering.turn(head, Unreadable.__new__(Unreadable)):
            pass
        async with ordering.turn(head, request):
            pass

    async def test_plain_messages_do_not_wait_and_are_not_parsed_until_somebody_might_meet_them(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        parsed: list[str] = []

        def parse(head: CallHead, request: Request) -> dict[str, Any]:
            parsed.append(head.operation)
            return parse_parameters(head, request)

        monkeypatch.setattr(ordering_module, "parse_parameters", parse)
        ordering = Ordering()
        message = call("sqs", "SendMessage", {"QueueUrl": QUEUE, "MessageBody": "b"})
        turns = [ordering.turn(*message) for _ in range(20)]
        for turn in turns:
            await asyncio.wait_for(turn.__aenter__(), 1)
        assert not parsed
        deletion = ordering.turn(*call("sqs", "DeleteQueue", {"QueueUrl": QUEUE}))
        waiting = asyncio.create_task(deletion.__aenter__())
        await asyncio.sleep(0)
        assert len(parsed) == 21
        for turn in turns:
            assert not waiting.done()
            await turn.__aexit__(None, None, None)
        await asyncio.wait_for(waiting, 1)
        late = asyncio.create_task(ordering.turn(*message).__aenter__())
        await asyncio.sleep(0)
        assert not late.done()
        await deletion.__aexit__(None, None, None)
        await asyncio.wait_for(late, 1)

    async def test_who_meets_nobody_enters_without_waiting_and_who_meets_somebody_does_not_enter(self) -> None:
        ordering = Ordering()
        first, same, other = put("t", "1"), put("t", "1"), put("t", "2")
        turn = ordering.turn(*first)
        assert turn.enter_now()
        async with turn:  # enters no second time
            assert ordering.under_way == 1
            assert not ordering.turn(*same).enter_now()
            assert not ordering.turn(*call("dynamodb", "DeleteTable", {"TableName": "t"})).enter_now()
            beside = ordering.turn(*call("sqs", "DeleteQueue", {"QueueUrl": QUEUE}))
            assert beside.enter_now()
            assert ordering.under_way == 2
            beside.leave(well=False)
        assert ordering.under_way == 0
        again = ordering.turn(*same)
        assert again.enter_now()
        waiting = asyncio.create_task(ordering.turn(*other).__aenter__())
        await asyncio.sleep(0)
        again.leave(well=True)
        await asyncio.wait_for(waiting, 1)

    @given(st.lists(st.tuples(st.sampled_from(range(len(MIXED))), st.booleans()), max_size=30))
    def test_whom_a_call_meets_is_what_their_subjects_say(self, steps: list[tuple[int, bool]]) -> None:
        place = ordering_module._Place()
        ordering = Ordering()
        for index, leaves in steps:
            if leaves and place.under_way:
                place.leave(list(place.under_way)[index % len(place.under_way)])
                continue
            turn = ordering_module.Turn(ordering, place, *MIXED[index])
            met = set(place.meeting(turn, {})) if place.under_way else set()
            mine = turn.read({}) if not turn.loose else subjects_of(*MIXED[index])
            expected = set()
            for other in place.under_way:
                accounts = {turn.head.account, other.head.account}
                if len(accounts) == 1 or "" in accounts:
                    expected |= {other} if subjects_of(other.head, other.request).meets(mine) else set()
            assert met == expected
            place.enter(turn)
        for turn in list(place.under_way):
            place.leave(turn)
        assert not place._own
        assert not place._inside
        assert not place._alone
        assert not place._unread
        assert place._loose == 0

    async def test_whoever_asks_first_enters_first(self) -> None:
        ordering = Ordering()
        order: list[int] = []

        async def client(number: int) -> None:
            async with ordering.turn(*put("t", "same")):
                await asyncio.sleep(0)
                order.append(number)

        await asyncio.gather(*(client(number) for number in range(50)))
        assert order == list(range(50))

    async def test_a_call_that_fails_or_is_cancelled_lets_the_next_one_in(self) -> None:
        ordering = Ordering()
        with pytest.raises(ZeroDivisionError):
            async with ordering.turn(*put("t", "1")):
                _ = 1 // 0
        started = asyncio.Event()

        async def hangs() -> None:
            async with ordering.turn(*put("t", "1")):
                started.set()
                await asyncio.sleep(60)

        hanging = asyncio.create_task(hangs())
        await started.wait()
        waiting = [asyncio.create_task(hangs()) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        hanging.cancel()
        started.clear()
        await asyncio.wait_for(started.wait(), 5)
        waiting[1].cancel()
        await asyncio.gather(hanging, *waiting, return_exceptions=True)
        assert not ordering.under_way

    async def test_the_journal_ends_where_the_emulator_does(self) -> None:
        """An emulator that takes its time at random: without turns the last record is often not the last write."""
        chance = random.Random(4)

        async def race(ordering: Ordering | None) -> int:
            wrong = 0
            for _ in range(40):
                state: list[int] = []
                journal: list[int] = []

                async def write(value: int, state: list[int] = state, journal: list[int] = journal) -> None:
                    async def exchange() -> None:
                        await asyncio.sleep(chance.random() / 2000)
                        state.append(value)
                        await asyncio.sleep(chance.random() / 2000)
                        journal.append(value)

                    if ordering is None:
                        await exchange()
                    else:
                        async with ordering.turn(*put("t", "1", value=str(value))):
                            await exchange()

                await asyncio.gather(*(write(value) for value in range(4)))
                wrong += state[-1] != journal[-1]
            return wrong

        assert await race(None) > 0
        assert await race(Ordering()) == 0


def test_meeting_is_symmetric() -> None:
    some = [Subjects(), ALONE] + [
        Subjects(frozenset(own), frozenset(inside)) for own in ("", "a", "ab", "b") for inside in ("", "a", "c")
    ]
    for one in some:
        for other in some:
            assert one.meets(other) == other.meets(one)
    assert not Subjects(inside=frozenset("a")).meets(Subjects(inside=frozenset("a")))
    assert Subjects(inside=frozenset("a")).meets(Subjects(own=frozenset("a")))
    assert ALONE.meets(Subjects())
