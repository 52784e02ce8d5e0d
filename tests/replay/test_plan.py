"""Plans of whole recordings: from disk, with blobs and witnesses, with calls that cannot be understood."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from replay_proxy.errors import RecordingError
from replay_proxy.exchange import Answer, BlobRef, CallHead, Headers, Request
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.journal.read.reader import read
from replay_proxy.journal.storage.blobs import BlobStore
from replay_proxy.replay.planning.plan import live_calls, plan_of
from replay_proxy.wire.signing.sigv4 import Credential
from tests.journal.samples import write_journal

HEADERS = Headers([("Host", "127.0.0.1:4566"), ("Content-Type", "application/x-amz-json-1.0")])
URL = "http://127.0.0.1:4566/000000000000/orders"


def call(seq: int, service: str, operation: str, asked: object, told: object, **more: object) -> Record:
    """A call of a JSON protocol and its answer, as an SDK and an emulator write them. more: notes."""
    return Record(
        seq=seq,
        time=f"2026-01-01T00:00:{seq % 60:02}.000000Z",
        duration_ms=1.0,
        kind=RecordKind.MUTATION,
        head=CallHead(service, operation, "json", "", "us-east-1", "test"),
        request=Request("POST", "/", HEADERS, orjson.dumps(asked)),
        answer=Answer(200, HEADERS, orjson.dumps(told)),
        credential=Credential("test", "us-east-1", service, "header"),
        notes=more,
    )


def queue(seq: int) -> Record:
    return call(seq, "sqs", "CreateQueue", {"QueueName": "orders"}, {"QueueUrl": URL})


def sent(seq: int, *bodies: str) -> Record:
    entries = [{"Id": body, "MessageBody": body} for body in bodies]
    done = [{"Id": body, "MessageId": f"m-{body}", "MD5OfMessageBody": ""} for body in bodies]
    return call(
        seq,
        "sqs",
        "SendMessageBatch",
        {"QueueUrl": URL, "Entries": entries},
        {"Successful": done, "Failed": []},
    )


def deleted(seq: int, body: str) -> Record:
    return call(seq, "sqs", "DeleteMessage", {"QueueUrl": URL, "ReceiptHandle": "r"}, {}, messages={"r": f"m-{body}"})


def witness(record: Record, after: int) -> Record:
    return replace(record, kind=RecordKind.WITNESS, notes={"after": after})


async def test_a_recording_on_disk_with_a_large_batch(tmp_path: Path) -> None:
    batch = sent(2, "keep", "drop")
    assert isinstance(batch.request.body, bytes)
    ref = await BlobStore(tmp_path, durable=False).put(batch.request.body)
    stored = replace(batch, request=replace(batch.request, body=ref))
    write_journal(tmp_path, [queue(1), stored, deleted(3, "drop")])
    plan = plan_of(read(tmp_path))
    for _ in range(2):
        records = list(plan.records())
        assert [record.seq for record in records] == [1, 2]
        body = records[1].request.body
        assert isinstance(body, bytes)
        assert [entry["Id"] for entry in orjson.loads(body)["Entries"]] == ["keep"]
    assert (plan.mutation_count, len(plan.edits.removed_entries), plan.losses) == (2, 1, ())
    assert [(each.seq, each.reason) for each in plan.omissions] == [
        (3, "the message that it deletes is not sent again")
    ]


def test_a_call_that_cannot_be_read_stays_and_so_does_what_it_mentions() -> None:
    made, gone = queue(1), call(4, "sqs", "DeleteQueue", {"QueueUrl": URL}, {})
    torn = call(2, "sqs", "SetQueueAttributes", {}, {})
    broken = replace(torn, request=Request("POST", "/", HEADERS, b'{"QueueUrl": "orders'))
    other = replace(torn, request=Request("POST", "/", HEADERS, b'{"QueueUrl": "elsewhere'))
    assert [record.seq for record in live_calls([made, broken, gone]).kept] == [1, 2, 4]
    assert [record.seq for record in live_calls([made, other, gone]).kept] == [2]


def test_everything_stays_before_a_call_whose_body_is_missing() -> None:
    made, gone = queue(1), call(4, "sqs", "DeleteQueue", {"QueueUrl": URL}, {})
    away = replace(sent(2, "x"), request=Request("POST", "/", HEADERS, BlobRef("0" * 64, 10)))
    assert [record.seq for record in live_calls([made, away, gone]).kept] == [1, 2, 4]


def test_a_call_without_effect_is_superseded_with_the_reason_of_the_tables() -> None:
    published = call(2, "sqs", "ChangeMessageVisibility", {"QueueUrl": URL}, {})
    compacted = live_calls([queue(1), published])
    assert [record.seq for record in compacted.kept] == [1]
    assert "nothing is in flight after a restart" in compacted.omissions[0].reason


def test_witnesses_of_superseded_resources_are_superseded() -> None:
    asked = {"QueueUrl": URL, "AttributeNames": ["All"]}
    arn = "arn:aws:sqs:us-east-1:000000000000:orders"
    seen = witness(call(5, "sqs", "GetQueueAttributes", asked, {"Attributes": {"QueueArn": arn}}), after=1)
    listed = witness(call(6, "sqs", "ListQueues", {}, {"QueueUrls": [URL]}), after=1)
    gone = call(4, "sqs", "DeleteQueue", {"QueueUrl": URL}, {})
    compacted = live_calls([queue(1), gone, seen, listed])
    assert [record.seq for record in compacted.kept] == [6]
    assert [record.seq for record in live_calls([queue(1), seen, listed]).kept] == [1, 5, 6]


def test_witnesses_that_showed_superseded_calls_are_partial(tmp_path: Path) -> None:
    listed = witness(call(3, "sqs", "ListQueues", {}, {"QueueUrls": [URL]}), after=1)
    write_journal(tmp_path, [queue(1), call(2, "sqs", "DeleteQueue", {"QueueUrl": URL}, {}), listed])
    plan = plan_of(read(tmp_path))
    assert ([record.seq for record in plan.records()], plan.partial) == ([3], {3})
    write_journal(tmp_path, [queue(1), listed])
    assert plan_of(read(tmp_path)).partial == frozenset()


def test_a_general_name_means_what_the_operation_is_about() -> None:
    """A rule that is called like an event bus is not a part of that bus."""
    made = call(
        1,
        "events",
        "CreateEventBus",
        {"Name": "orders"},
        {"EventBusArn": "arn:aws:events:us-east-1:0:event-bus/orders"},
    )
    rule = call(2, "events", "PutRule", {"Name": "orders", "ScheduleExpression": "rate(1 day)"}, {"RuleArn": "r"})
    gone = call(3, "events", "DeleteEventBus", {"Name": "orders"}, {})
    assert 2 in [record.seq for record in live_calls([made, rule, gone]).kept]


def test_an_access_key_that_signed_a_live_call_stays() -> None:
    key = "AKIAQRSTUV0123456789"
    user = call(1, "iam", "CreateUser", {"UserName": "app"}, {})
    made = call(
        2,
        "iam",
        "CreateAccessKey",
        {"UserName": "app"},
        {"AccessKey": {"AccessKeyId": key, "UserName": "app"}},
    )
    signed = replace(queue(3), credential=Credential(key, "us-east-1", "sqs", "header"))
    ended = call(5, "iam", "DeleteAccessKey", {"UserName": "app", "AccessKeyId": key}, {})
    gone = call(6, "iam", "DeleteUser", {"UserName": "app"}, {})
    assert [record.seq for record in live_calls([user, made, signed, ended, gone]).kept] == [1, 2, 3, 5, 6]
    assert [record.seq for record in live_calls([user, made, queue(3), ended, gone]).kept] == [3]


def topic(seq: int, name: str) -> Record:
    return call(seq, "sns", "CreateTopic", {"Name": name}, {"TopicArn": f"arn:aws:sns:us-east-1:000000000000:{name}"})


def test_subscriptions_that_wait_for_confirmation_are_told_apart(tmp_path: Path) -> None:
    arns = [f"arn:aws:sns:us-east-1:000000000000:{name}" for name in ("gone", "stays")]
    waiting = {"SubscriptionArn": "pending confirmation"}
    history = [topic(1, "gone"), topic(2, "stays")]
    for seq, arn in enumerate(arns, 3):
        asked = {"TopicArn": arn, "Protocol": "https", "Endpoint": "https://example.com/"}
        history.append(call(seq, "sns", "Subscribe", asked, waiting))
    history.append(call(5, "sns", "DeleteTopic", {"TopicArn": arns[0]}, {}))
    assert [record.seq for record in live_calls(history).kept] == [2, 4]


def test_a_second_delete_goes_only_with_all_that_it_deletes() -> None:
    history = []
    for seq, name in enumerate(("/a", "/b"), 1):
        history.append(call(seq, "ssm", "PutParameter", {"Name": name, "Value": "v", "Type": "String"}, {"Version": 1}))
    policy = {
        "TopicArn": "t",
        "AttributeName": "Policy",
        "AttributeValue": "arn:aws:ssm:us-east-1:0:parameter/b",
    }
    history += [
        call(3, "sns", "SetTopicAttributes", policy, {}),
        call(4, "ssm", "DeleteParameter", {"Name": "/a"}, {}),
        call(5, "ssm", "DeleteParameters", {"Names": ["/a", "/b"]}, {"DeletedParameters": ["/b"]}),
    ]
    # The topic's policy names /b, so that it is made again, and has to be deleted again.
    assert [record.seq for record in live_calls(history).kept] == [1, 2, 3, 4, 5]


def network(seq: int, operation: str, **asked: str) -> Record:
    """A call to EC2 in its own protocol; answers with the ids that the operation makes or shows."""
    form = "&".join(
        [f"Action={operation}", "Version=2016-11-15", *(f"{name}={value}" for name, value in asked.items())]
    )
    shown = {
        "CreateVpc": "<vpc><vpcId>vpc-0123456789abcdef0</vpcId></vpc>",
        "DescribeSecurityGroups": "<securityGroupInfo><item><groupId>sg-0fedcba9876543210</groupId></item></securityGroupInfo>",
    }.get(operation, "<return>true</return>")
    body = f'<{operation}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">{shown}</{operation}Response>'
    record = call(seq, "ec2", operation, {}, {})
    headers = Headers([("Host", "127.0.0.1:4566"), ("Content-Type", "application/x-www-form-urlencoded")])
    return replace(
        record,
        head=CallHead("ec2", operation, "ec2", "", "us-east-1", "test"),
        request=Request("POST", "/", headers, form.encode()),
        answer=Answer(200, Headers([("Content-Type", "text/xml")]), body.encode()),
    )


VPC, GROUP = "vpc-0123456789abcdef0", "sg-0fedcba9876543210"


def test_what_a_witness_showed_of_a_superseded_resource_is_superseded() -> None:
    """The default security group of a network is known from a read; a rule in it ends with the network."""
    made = network(1, "CreateVpc", CidrBlock="10.0.0.0/16")
    looked = witness(
        network(2, "DescribeSecurityGroups", **{"Filter.1.Name": "vpc-id", "Filter.1.Value.1": VPC}), after=1
    )
    rule = network(3, "AuthorizeSecurityGroupIngress", GroupId=GROUP, IpProtocol="tcp", CidrIp="10.0.0.0/8")
    gone = network(4, "DeleteVpc", VpcId=VPC)
    assert live_calls([made, looked, rule, gone]).kept == []
    assert len(live_calls([made, looked, rule]).kept) == 3


def test_a_call_that_shows_an_identifier_stays_for_the_call_that_names_it() -> None:
    made = network(1, "CreateVpc", CidrBlock="10.0.0.0/16")
    looked = witness(
        network(2, "DescribeSecurityGroups", **{"Filter.1.Name": "vpc-id", "Filter.1.Value.1": VPC}), after=1
    )
    user = network(3, "RunInstances", ImageId="ami-1", MinCount="1", MaxCount="1", **{"SecurityGroupId.1": GROUP})
    gone = network(4, "DeleteVpc", VpcId=VPC)
    assert [record.seq for record in live_calls([made, looked, user, gone]).kept] == [1, 2, 3, 4]


def test_a_blob_that_is_missing_is_an_error_of_the_recording(tmp_path: Path) -> None:
    batch = replace(sent(2, "a", "b"), request=Request("POST", "/", HEADERS, BlobRef("0" * 64, 10)))
    write_journal(tmp_path, [queue(1), batch])
    # Nothing can be decided about it, so it is kept, and whoever replays it says what is wrong.
    assert [record.seq for record in plan_of(read(tmp_path)).records()] == [1, 2]


def test_entries_that_were_refused_are_not_sent_again() -> None:
    batch = sent(2, "taken", "refused")
    told = {
        "Successful": [{"Id": "taken", "MessageId": "m"}],
        "Failed": [{"Id": "refused", "Code": "x", "SenderFault": True}],
    }
    batch = replace(batch, answer=Answer(200, HEADERS, orjson.dumps(told)))
    (_, kept) = live_calls([queue(1), batch]).kept
    assert isinstance(kept.request.body, bytes) and isinstance(kept.answer.body, bytes)
    assert [entry["Id"] for entry in orjson.loads(kept.request.body)["Entries"]] == ["taken"]
    assert orjson.loads(kept.answer.body)["Failed"] == []


def test_unprocessed_items_are_not_put_again() -> None:
    keys = {"KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}], "TableName": "things"}
    made = call(1, "dynamodb", "CreateTable", {**keys, "AttributeDefinitions": []}, {})
    writes = [{"PutRequest": {"Item": {"pk": {"S": key}}}} for key in ("taken", "left")]
    asked, told = {"RequestItems": {"things": writes}}, {"UnprocessedItems": {"things": writes[1:]}}
    (_, kept) = live_calls([made, call(2, "dynamodb", "BatchWriteItem", asked, told)]).kept
    assert isinstance(kept.request.body, bytes)
    assert orjson.loads(kept.request.body)["RequestItems"] == {"things": writes[:1]}


def test_plans_do_not_read_blobs_of_streamed_bodies() -> None:
    def load(ref: BlobRef) -> bytes:
        raise RecordingError(f"{ref.sha256} was read")

    put = call(2, "s3", "PutObject", {}, {})
    put = replace(
        put,
        head=CallHead("s3", "PutObject", "rest-xml", "", "us-east-1", "test"),
        request=Request("PUT", "/bucket/key", HEADERS, BlobRef("1" * 64, 1 << 40)),
        answer=Answer(200, Headers()),
    )
    assert [record.request.body for record in live_calls([put], load).kept] == [BlobRef("1" * 64, 1 << 40)]


@pytest.mark.parametrize("count", [2000])
def test_planning_a_superseded_history_needs_little_memory(count: int) -> None:
    history = [queue(1)]
    for number in range(count):
        history += [sent(len(history) + 1, f"{number}"), deleted(len(history) + 2, f"{number}")]
    compacted = live_calls(history)
    assert [record.seq for record in compacted.kept] == [1]
    assert len(compacted.omissions) == 2 * count
