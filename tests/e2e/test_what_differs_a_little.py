"""What the README says differs a little after a restart does, and no more than that: a test for each line.

When something is as before by now, its test fails, and the README may say less.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.test_observations import post, restart
from tests.support.clients import client
from tests.support.processes import Emulator, Proxy, left_out
from tests.support.readme_lines import check_lines
from tests.support.stories import until

pytestmark = pytest.mark.emulator

LONG = pytest.mark.skipif(bool(left_out(0.1)), reason=str(left_out(0.1)))
ROLE = "arn:aws:iam::123456789012:role/worker"
MANY = 8
"""Things that an emulator sorts by what it draws: that all stand in the order of before is one chance in 40,320."""

Front = tuple[Emulator, Proxy, Callable[[str], Any]]
Start = Callable[[str], Front]

LINES = {
    "Tokens that only page": "test_tokens_that_page_are_refused_and_a_listing_is_begun_anew",
    "Task tokens of Step Functions": "test_a_task_token_is_not_known_any_more",
    "The sequence numbers of records": "test_the_numbers_of_records_that_nobody_had_read",
    "The records in the stream of a table": "test_records_of_what_a_call_wrote_that_was_answered_with_an_error",
    "What an emulator counts by itself": "test_mails_are_counted_anew",
    "The order of lists": "test_lists_that_are_sorted_by_what_is_drawn",
    "Identifiers that code inside": "test_what_code_hands_on_by_itself",
}
"""By the beginning of each line: the test of it."""


def test_each_line_has_its_test() -> None:
    check_lines("What differs a little", LINES, globals())


@pytest.fixture
def start(start_emulator: Callable[..., Emulator], start_proxy: Callable[..., Proxy]) -> Start:
    def started(name: str) -> Front:
        emulator = start_emulator(name)
        proxy = start_proxy("--upstream", emulator.url)
        return emulator, proxy, lambda service: client(service, proxy.url)

    return started


@LONG
def test_tokens_that_page_are_refused_and_a_listing_is_begun_anew(start: Start) -> None:
    emulator, proxy, aws = start("moto")
    machines = aws("stepfunctions")
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
    for name in ("a", "b"):
        machines.create_state_machine(name=name, definition=definition, roleArn=ROLE)
    token = machines.list_state_machines(maxResults=1)["nextToken"]

    def listed() -> list[str]:
        pages = machines.get_paginator("list_state_machines").paginate(PaginationConfig={"PageSize": 1})
        return [each["name"] for page in pages for each in page["stateMachines"]]

    assert restart(emulator, proxy, listed) == ["a", "b"]
    with pytest.raises(ClientError) as refused:
        machines.list_state_machines(maxResults=1, nextToken=token)
    assert "Token" in refused.value.response["Error"]["Code"]


@LONG
def test_a_task_token_is_not_known_any_more(start: Start) -> None:
    emulator, proxy, aws = start("ministack")
    machines = aws("stepfunctions")
    activity = machines.create_activity(name="by-hand")["activityArn"]
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": activity, "End": True}}})
    machine = machines.create_state_machine(name="waits", definition=definition, roleArn=ROLE)["stateMachineArn"]
    execution = machines.start_execution(stateMachineArn=machine)["executionArn"]
    token = until(lambda: machines.get_activity_task(activityArn=activity).get("taskToken"))
    restart(emulator, proxy, lambda: None)
    with pytest.raises(ClientError):
        machines.send_task_success(taskToken=token, output="{}")
    assert machines.describe_execution(executionArn=execution)["status"] == "RUNNING", "as it was last seen"


@LONG
def test_the_numbers_of_records_that_nobody_had_read(start: Start) -> None:
    emulator, proxy, aws = start("ministack")
    table = aws("dynamodb").create_table(
        TableName="orders",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )["TableDescription"]
    for number in range(3):
        aws("dynamodb").put_item(TableName="orders", Item={"id": {"S": str(number)}})

    def numbers(streams: Any) -> dict[str, str]:
        stream = table["LatestStreamArn"]
        shard = streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"][0]["ShardId"]
        place = streams.get_shard_iterator(StreamArn=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        records = [each["dynamodb"] for each in streams.get_records(ShardIterator=place["ShardIterator"])["Records"]]
        return {each["Keys"]["id"]["S"]: each["SequenceNumber"] for each in records}

    before = numbers(client("dynamodbstreams", emulator.url))
    after = restart(emulator, proxy, lambda: numbers(aws("dynamodbstreams")))
    assert list(after) == list(before) == ["0", "1", "2"]
    assert after != before


def test_records_of_what_a_call_wrote_that_was_answered_with_an_error(start: Start) -> None:
    """moto makes an item, and answers with 500 where it cannot add to an attribute of it."""
    emulator, proxy, aws = start("moto")
    items, streams = client("dynamodb", proxy.url, retries={"max_attempts": 0}), aws("dynamodbstreams")
    table = items.create_table(
        TableName="orders",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )["TableDescription"]
    with pytest.raises(ClientError) as failed:
        added = {"of": {"Action": "ADD", "Value": {"S": "no number"}}}
        items.update_item(TableName="orders", Key={"id": {"S": "doubtful"}}, AttributeUpdates=added)
    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    items.put_item(TableName="orders", Item={"id": {"S": "later"}})

    def written() -> list[str]:
        stream = table["LatestStreamArn"]
        shard = streams.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"][0]["ShardId"]
        place = streams.get_shard_iterator(StreamArn=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        records = streams.get_records(ShardIterator=place["ShardIterator"])["Records"]
        return [each["dynamodb"]["Keys"]["id"]["S"] for each in records]

    assert written() == ["doubtful", "later"]
    post(proxy, "/_replay/observe")
    assert restart(emulator, proxy, written) == ["later", "doubtful"]
    (finding,) = proxy.status()["last_restore"]["findings"]
    assert finding["message"].startswith("orders: something other than a recorded call wrote items")
    assert sorted(each["id"]["S"] for each in items.scan(TableName="orders")["Items"]) == ["doubtful", "later"]


@LONG
def test_mails_are_counted_anew(start: Start) -> None:
    emulator, proxy, aws = start("moto")
    aws("ses").verify_email_identity(EmailAddress="me@example.com")
    aws("ses").send_email(
        Source="me@example.com",
        Destination={"ToAddresses": ["you@example.com"]},
        Message={"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "b"}}},
    )

    def sent() -> float:
        return float(aws("ses").get_send_quota()["SentLast24Hours"])

    assert sent() == 1
    assert restart(emulator, proxy, sent) == 0
    assert aws("ses").list_identities()["Identities"] == ["me@example.com"]


@LONG
@pytest.mark.parametrize("name", ["moto", "ministack"])
def test_lists_that_are_sorted_by_what_is_drawn(start: Start, name: str) -> None:
    emulator, proxy, aws = start(name)
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    for number in range(MANY):
        aws("iam").create_role(RoleName=f"r{number}", AssumeRolePolicyDocument=trust)
        aws("route53").create_hosted_zone(Name=f"z{number}.example.com", CallerReference=f"{number}")

    def listed() -> list[str]:
        if name == "moto":
            return [each["RoleId"] for each in aws("iam").list_roles()["Roles"]]
        return [each["Id"] for each in aws("route53").list_hosted_zones()["HostedZones"]]

    before = listed()
    after = restart(emulator, proxy, listed)
    assert sorted(after) == sorted(before)
    assert after != before


@LONG
def test_what_code_hands_on_by_itself(start: Start) -> None:
    emulator, proxy, aws = start("ministack")
    network = aws("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    queue = aws("sqs").create_queue(QueueName="told")["QueueUrl"]
    parameters = {"QueueUrl": queue, "MessageBody": network}
    send = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "Parameters": parameters, "End": True}
    definition = json.dumps({"StartAt": "Send", "States": {"Send": send}})
    machine = aws("stepfunctions").create_state_machine(name="tell", definition=definition, roleArn=ROLE)

    def told() -> str:
        aws("stepfunctions").start_execution(stateMachineArn=machine["stateMachineArn"])
        [message] = aws("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"]
        aws("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return str(message["Body"])

    assert told() == network
    after = restart(emulator, proxy, told)
    assert after != network
    assert after in [each["VpcId"] for each in client("ec2", emulator.url).describe_vpcs()["Vpcs"]]
    assert aws("ec2").describe_vpcs(VpcIds=[network])["Vpcs"]
