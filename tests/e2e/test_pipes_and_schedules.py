"""Pipes and schedules: what they did is back, once, and what they have done is not done again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.test_observations import items, make_table, restart, save, until, waiting
from tests.support.clients import client
from tests.support.processes import Emulator, Proxy, amount, left_out

pytestmark = pytest.mark.emulator

RESTARTS = amount(1, 3)
ROLE = "arn:aws:iam::000000000000:role/r"
POLL_S = 1.0
"""Between two looks of MiniStack's pipes at their sources."""
TICK_S = 10.0
"""Between two looks of MiniStack at its schedules."""
Start = Callable[..., tuple[Emulator, Proxy]]


@pytest.fixture
def start(start_emulator: Callable[..., Emulator], start_proxy: Callable[..., Proxy]) -> Start:
    def both(name: str, *options: str) -> tuple[Emulator, Proxy]:
        emulator = start_emulator(name)
        return emulator, start_proxy("--upstream", emulator.url, *options)

    return both


def queue_arn(sqs: Any, name: str) -> str:
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])


def take_one(url: str, name: str) -> None:
    """Consume a message past the proxy."""
    sqs = client("sqs", url)
    queue = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    message = sqs.receive_message(QueueUrl=queue)["Messages"][0]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def test_pipes_from_a_table_to_a_topic_and_to_a_state_machine(start: Start) -> None:
    emulator, proxy = start("ministack")
    dynamodb, sqs, sns, pipes = (client(each, proxy.url) for each in ("dynamodb", "sqs", "sns", "pipes"))
    machines = client("stepfunctions", proxy.url)
    for table in ("orders", "copies"):
        make_table(dynamodb, table)
    specification = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    changed = dynamodb.update_table(TableName="orders", StreamSpecification=specification)["TableDescription"]
    topic = sns.create_topic(Name="told")["TopicArn"]
    sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=queue_arn(sqs, "told"), Attributes={"RawMessageDelivery": "true"}
    )
    put = {"TableName": "copies", "Item": {"id": {"S.$": "$[0].dynamodb.Keys.id.S"}}}
    state = {"Type": "Task", "Resource": "arn:aws:states:::dynamodb:putItem", "Parameters": put, "End": True}
    definition = json.dumps({"StartAt": "Put", "States": {"Put": state}})
    machine = machines.create_state_machine(name="copy", definition=definition, roleArn=ROLE)["stateMachineArn"]
    for name, target in (("tell", topic), ("copy", machine)):
        source = {"DynamoDBStreamParameters": {"StartingPosition": "TRIM_HORIZON"}}
        pipes.create_pipe(
            Name=name, Source=changed["LatestStreamArn"], SourceParameters=source, Target=target, RoleArn=ROLE
        )

    def seen() -> Any:
        return waiting(sqs, "told"), items(dynamodb, "copies"), items(dynamodb, "orders")

    def put_order(key: str, messages: int, copies: int) -> Any:
        dynamodb.put_item(TableName="orders", Item={"id": {"S": key}})
        return until(seen, lambda each: (len(each[0]), len(each[1])) == (messages, copies))

    put_order("1", 1, 1)
    put_order("2", 2, 2)
    take_one(emulator.url, "told")
    dynamodb.delete_item(TableName="copies", Key={"id": {"S": "1"}})
    before = seen()
    assert (len(before[0]), len(before[1])) == (1, 1)
    save(proxy)
    for _ in range(RESTARTS):
        assert restart(emulator, proxy, seen) == before
        time.sleep(POLL_S + 0.5)
        assert seen() == before, "nothing passed the pipe a second time"
        save(proxy)
    assert proxy.status()["last_restore"]["problems"] == []
    put_order("3", 2, 2)


def at(seconds: float) -> str:
    return f"at({datetime.now(UTC) + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S})"


@pytest.mark.skipif(left_out(0.2) is not None, reason=str(left_out(0.2)))
def test_a_schedule_whose_moment_has_passed_is_there_and_switched_off(start: Start) -> None:
    emulator, proxy = start("ministack")
    schedules = client("scheduler", proxy.url)
    target = {"Arn": "arn:aws:sqs:us-east-1:000000000000:told", "RoleArn": ROLE}
    queue_arn(client("sqs", proxy.url), "told")
    for name, expression in (("passed", "at(2024-02-03T04:05:06)"), ("later", at(3600)), ("often", "rate(1 hour)")):
        schedules.create_schedule(
            Name=name, ScheduleExpression=expression, FlexibleTimeWindow={"Mode": "OFF"}, Target=target
        )

    def states(url: str) -> dict[str, str]:
        own = client("scheduler", url)
        listed = {each["Name"]: each["State"] for each in own.list_schedules()["Schedules"]}
        assert listed == {name: own.get_schedule(Name=name)["State"] for name in listed}
        return listed

    all_on = dict.fromkeys(("later", "often", "passed"), "ENABLED")
    assert states(proxy.url) == all_on
    for _ in range(RESTARTS):
        assert restart(emulator, proxy, lambda: states(proxy.url)) == all_on
        assert states(emulator.url) == {**all_on, "passed": "DISABLED"}, "an emulator would take it for overdue"
    assert proxy.status()["last_restore"]["problems"] == []
    # What a client says of it now, counts.
    again = {"FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target, "ScheduleExpression": at(3600)}
    schedules.update_schedule(Name="passed", State="DISABLED", **again)
    assert states(proxy.url)["passed"] == "DISABLED"
    schedules.update_schedule(Name="passed", State="ENABLED", **again)
    assert restart(emulator, proxy, lambda: states(emulator.url)) == all_on


@pytest.mark.skipif(left_out(1) is not None, reason=str(left_out(1)))
def test_a_schedule_whose_moment_passes_while_the_emulator_is_down_does_not_act(start: Start) -> None:
    emulator, proxy = start("ministack")
    sqs, schedules = client("sqs", proxy.url), client("scheduler", proxy.url)
    target = {"Arn": queue_arn(sqs, "told"), "RoleArn": ROLE, "Input": "now"}
    moment = time.monotonic() + 25
    schedules.create_schedule(Name="once", ScheduleExpression=at(25), FlexibleTimeWindow={"Mode": "OFF"}, Target=target)
    emulator.end()
    time.sleep(max(0.0, moment - time.monotonic()) + 1)
    restart(emulator, proxy, lambda: None)
    time.sleep(TICK_S + 2)
    assert waiting(sqs, "told") == []
    assert schedules.get_schedule(Name="once")["State"] == "ENABLED"
    assert client("scheduler", emulator.url).get_schedule(Name="once")["State"] == "DISABLED"
    assert proxy.status()["last_restore"]["problems"] == []


@pytest.mark.skipif(left_out(1.5) is not None, reason=str(left_out(1.5)))
def test_schedules_that_have_acted_do_not_act_again(start: Start) -> None:
    emulator, proxy = start("ministack")
    sqs, schedules, events = (client(each, proxy.url) for each in ("sqs", "scheduler", "events"))
    arns = {name: queue_arn(sqs, name) for name in ("once", "gone", "often")}
    window = {"Mode": "OFF"}
    for name, more in (("once", {}), ("gone", {"ActionAfterCompletion": "DELETE"})):
        target = {"Arn": arns[name], "RoleArn": ROLE, "Input": name}
        schedules.create_schedule(
            Name=name, ScheduleExpression=at(-1), FlexibleTimeWindow=window, Target=target, **more
        )
    events.put_rule(Name="often", ScheduleExpression="rate(1 minute)")
    events.put_targets(Rule="often", Targets=[{"Id": "1", "Arn": arns["often"], "Input": '"often"'}])

    dynamodb = client("dynamodb", proxy.url)
    make_table(dynamodb, "rows")
    dynamodb.update_time_to_live(TableName="rows", TimeToLiveSpecification={"Enabled": True, "AttributeName": "until"})
    for key, until_s in (("over", -1), ("stays", 86_400)):
        item = {"id": {"S": key}, "until": {"N": str(int(time.time()) + until_s)}}
        dynamodb.put_item(TableName="rows", Item=item)

    def seen() -> Any:
        names = sorted(each["Name"] for each in schedules.list_schedules()["Schedules"])
        return [[each[1] for each in waiting(sqs, name)] for name in ("once", "gone")], names

    def keys() -> list[str]:
        return [each["id"]["S"] for each in dynamodb.scan(TableName="rows")["Items"]]

    before = until(seen, lambda each: each == ([["once"], ["gone"]], ["once"]), 3 * TICK_S)
    take_one(emulator.url, "gone")
    until(lambda: waiting(sqs, "often"), lambda found: len(found) == 1, 60 + 2 * TICK_S)
    until(keys, lambda found: found == ["stays"], 60 + TICK_S)
    save(proxy)
    before = seen()
    assert before == ([["once"], []], ["once"])
    for _ in range(3):
        assert restart(emulator, proxy, seen) == before
        assert len(waiting(sqs, "often")) == 1
        assert keys() == ["stays"]
        time.sleep(TICK_S + 2)
        assert seen() == before, "nothing acted a second time"
        assert schedules.get_schedule(Name="once")["State"] == "ENABLED"
        save(proxy)
    assert proxy.status()["last_restore"]["problems"] == []


@pytest.mark.skipif(left_out(1) is not None, reason=str(left_out(1)))
@pytest.mark.parametrize("name", ["moto", "ministack", "localstack"])
def test_which_pipes_and_schedules_no_emulator_carries_out(start_emulator: Callable[..., Emulator], name: str) -> None:
    """A limit of the emulators, not of the proxy: when one begins to act, this fails, and the stories above are for it, too."""
    url = start_emulator(name).url
    sqs, pipes, schedules, events = (client(each, url) for each in ("sqs", "pipes", "scheduler", "events"))
    arns = {each: queue_arn(sqs, each) for each in ("source", "piped", "scheduled", "often")}
    if name == "localstack":
        with pytest.raises(ClientError):
            pipes.list_pipes()
    else:
        pipes.create_pipe(Name="pipe", Source=arns["source"], Target=arns["piped"], RoleArn=ROLE)
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName="source")["QueueUrl"], MessageBody="m")
    events.put_rule(Name="often", ScheduleExpression="rate(1 minute)")
    events.put_targets(Rule="often", Targets=[{"Id": "1", "Arn": arns["often"]}])
    schedules.create_schedule(
        Name="once",
        ScheduleExpression=at(1),
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": arns["scheduled"], "RoleArn": ROLE},
    )
    time.sleep(60 + 1.5 * TICK_S)
    acted = {each for each in ("piped", "scheduled", "often") if waiting(sqs, each)}
    assert acted == {"moto": set(), "ministack": {"scheduled", "often"}, "localstack": {"often"}}[name]
    assert len(waiting(sqs, "source")) == 1
