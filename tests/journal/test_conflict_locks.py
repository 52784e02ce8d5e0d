"""Which calls wait for each other, and that the journal then ends where the emulator does."""

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
from replay_proxy.journal.write import conflict_locks as conflict_locks_module
from replay_proxy.journal.write.conflict_keys import ALONE, ConflictKeys, conflict_keys_of
from replay_proxy.journal.write.conflict_locks import ConflictLocks
from replay_proxy.wire.codecs.parameters import parse_parameters


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


def meet(one: ConflictKeys, other: ConflictKeys) -> bool:
    """Could the two touch the same thing? What `ConflictLocks` finds by names, said of a pair."""
    if one.alone or other.alone:
        return True
    return bool(one.own & other.own or one.own & other.inside or one.inside & other.own)


async def waits(
    first: tuple[CallHead, Request], second: tuple[CallHead, Request], conflict_locks: ConflictLocks | None = None
) -> bool:
    """Does the second call wait for the first?"""
    conflict_locks = conflict_locks or ConflictLocks()
    entered = asyncio.Event()

    async def later() -> None:
        async with conflict_locks.lock(*second):
            entered.set()

    async with conflict_locks.lock(*first):
        task = asyncio.create_task(later())
        for _ in range(5):
            await asyncio.sleep(0)
        waited = not entered.is_set()
    await asyncio.wait_for(task, 60)
    assert not conflict_locks.under_way
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
    (
        "an item whose number is spelled in two ways",
        call("dynamodb", "PutItem", {"TableName": "t", "Item": {"id": {"N": "1"}}}),
        call("dynamodb", "PutItem", {"TableName": "t", "Item": {"id": {"N": "1.0"}}}),
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
async def test_calls_that_could_touch_the_same_thing_do_not_overlap(one: Any, other: Any) -> None:
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
        conflict_locks = ConflictLocks()
        async with conflict_locks.lock(*call("dynamodb", "CreateTable", TABLE)):
            pass
        assert not await waits(put("t", "1", status="new"), put("t", "2", status="new"), conflict_locks)
        assert await waits(put("t", "1", status="new"), put("t", "1", status="old"), conflict_locks)

    async def test_a_key_that_becomes_known_in_between_still_meets(self) -> None:
        unknown = conflict_keys_of(put("t", "1")[0], {"TableName": "t", "Item": {"id": {"S": "1"}, "x": {"S": "a"}}})
        known = conflict_keys_of(
            put("t", "1")[0], {"TableName": "t", "Item": {"id": {"S": "1"}, "x": {"S": "b"}}}, {("", "t"): "id"}
        )
        assert meet(unknown, known)

    async def test_a_table_made_anew_has_a_new_key(self) -> None:
        conflict_locks = ConflictLocks()
        conflict_locks.remember(*call("dynamodb", "CreateTable", TABLE))
        other = TABLE | {"KeySchema": [{"AttributeName": "status", "KeyType": "HASH"}]}
        conflict_locks.remember(*call("dynamodb", "CreateTable", other))  # refused by the emulator: the table is there
        assert not await waits(put("t", "1", status="new"), put("t", "2", status="new"), conflict_locks)
        conflict_locks.remember(*call("dynamodb", "DeleteTable", {"TableName": "t"}))
        conflict_locks.remember(*call("dynamodb", "CreateTable", other))
        assert await waits(put("t", "1", status="new"), put("t", "2", status="new"), conflict_locks)


def subjects_of(head: CallHead, request: Request) -> ConflictKeys:
    """What a call touches, worked out apart from any conflict_locks."""
    try:
        return conflict_keys_of(head, parse_parameters(head, request))
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


class TestLocks:
    async def test_a_call_that_is_alone_is_not_parsed(self) -> None:
        class Unreadable(Request):
            __slots__ = ()

            @property
            def body(self) -> bytes:  # type: ignore[override]  # whoever looks at it fails
                raise AssertionError("looked at")

        conflict_locks = ConflictLocks()
        head, request = put("t", "1")
        async with conflict_locks.lock(head, Unreadable.__new__(Unreadable)):
            pass
        async with conflict_locks.lock(head, request):
            pass

    async def test_plain_messages_do_not_wait_and_are_not_parsed_until_somebody_might_meet_them(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        parsed: list[str] = []

        def parse(head: CallHead, request: Request) -> dict[str, Any]:
            parsed.append(head.operation)
            return parse_parameters(head, request)

        monkeypatch.setattr(conflict_locks_module, "parse_parameters", parse)
        conflict_locks = ConflictLocks()
        message = call("sqs", "SendMessage", {"QueueUrl": QUEUE, "MessageBody": "b"})
        locks = [conflict_locks.lock(*message) for _ in range(20)]
        for lock in locks:
            await asyncio.wait_for(lock.__aenter__(), 60)
        assert not parsed
        deletion = conflict_locks.lock(*call("sqs", "DeleteQueue", {"QueueUrl": QUEUE}))
        waiting = asyncio.create_task(deletion.__aenter__())
        await asyncio.sleep(0)
        assert len(parsed) == 21
        for lock in locks:
            assert not waiting.done()
            await lock.__aexit__(None, None, None)
        await asyncio.wait_for(waiting, 60)
        late = asyncio.create_task(conflict_locks.lock(*message).__aenter__())
        await asyncio.sleep(0)
        assert not late.done()
        await deletion.__aexit__(None, None, None)
        await asyncio.wait_for(late, 60)

    async def test_who_meets_nobody_enters_without_waiting_and_who_meets_somebody_does_not_enter(self) -> None:
        conflict_locks = ConflictLocks()
        first, same, other = put("t", "1"), put("t", "1"), put("t", "2")
        lock = conflict_locks.lock(*first)
        assert lock.try_enter()
        async with lock:  # enters no second time
            assert conflict_locks.under_way == 1
            assert not conflict_locks.lock(*same).try_enter()
            assert not conflict_locks.lock(*call("dynamodb", "DeleteTable", {"TableName": "t"})).try_enter()
            beside = conflict_locks.lock(*call("sqs", "DeleteQueue", {"QueueUrl": QUEUE}))
            assert beside.try_enter()
            assert conflict_locks.under_way == 2
            beside.leave(well=False)
        assert conflict_locks.under_way == 0
        again = conflict_locks.lock(*same)
        assert again.try_enter()
        waiting = asyncio.create_task(conflict_locks.lock(*other).__aenter__())
        await asyncio.sleep(0)
        again.leave(well=True)
        await asyncio.wait_for(waiting, 60)

    @given(st.lists(st.tuples(st.sampled_from(range(len(MIXED))), st.booleans()), max_size=30))
    def test_the_calls_that_conflict_are_those_whose_keys_meet(self, steps: list[tuple[int, bool]]) -> None:
        place = conflict_locks_module._ServiceCalls()
        conflict_locks = ConflictLocks()
        for index, leaves in steps:
            if leaves and place.under_way:
                place.leave(list(place.under_way)[index % len(place.under_way)])
                continue
            lock = conflict_locks_module.ConflictLock(conflict_locks, place, *MIXED[index])
            met = set(place.conflicting(lock, {})) if place.under_way else set()
            mine = lock.read({}) if not lock.is_plain_message else subjects_of(*MIXED[index])
            expected = set()
            for other in place.under_way:
                accounts = {lock.head.account, other.head.account}
                if len(accounts) == 1 or "" in accounts:
                    expected |= {other} if meet(subjects_of(other.head, other.request), mine) else set()
            assert met == expected
            place.enter(lock)
        for lock in list(place.under_way):
            place.leave(lock)
        assert not place._own
        assert not place._inside
        assert not place._alone
        assert not place._unread
        assert place._plain_messages == 0

    async def test_whoever_asks_first_enters_first(self) -> None:
        conflict_locks = ConflictLocks()
        order: list[int] = []

        async def client(number: int) -> None:
            async with conflict_locks.lock(*put("t", "same")):
                await asyncio.sleep(0)
                order.append(number)

        await asyncio.gather(*(client(number) for number in range(50)))
        assert order == list(range(50))

    async def test_a_call_that_fails_or_is_cancelled_lets_the_next_one_in(self) -> None:
        conflict_locks = ConflictLocks()
        with pytest.raises(ZeroDivisionError):
            async with conflict_locks.lock(*put("t", "1")):
                _ = 1 // 0
        started = asyncio.Event()

        async def hangs() -> None:
            async with conflict_locks.lock(*put("t", "1")):
                started.set()
                await asyncio.sleep(60)

        hanging = asyncio.create_task(hangs())
        await started.wait()
        waiting = [asyncio.create_task(hangs()) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        hanging.cancel()
        started.clear()
        await asyncio.wait_for(started.wait(), 60)
        waiting[1].cancel()
        await asyncio.gather(hanging, *waiting, return_exceptions=True)
        assert not conflict_locks.under_way

    async def test_the_journal_ends_where_the_emulator_does(self) -> None:
        """An emulator that takes its time at random: without locks the last record is often not the last write."""
        chance = random.Random(4)

        async def race(conflict_locks: ConflictLocks | None) -> int:
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

                    if conflict_locks is None:
                        await exchange()
                    else:
                        async with conflict_locks.lock(*put("t", "1", value=str(value))):
                            await exchange()

                await asyncio.gather(*(write(value) for value in range(4)))
                wrong += state[-1] != journal[-1]
            return wrong

        assert await race(None) > 0
        assert await race(ConflictLocks()) == 0
