"""Mappings and pipes begin at the end of their streams, and show where they began at first."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.replay.start_positions import StartPositions

KINESIS = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks"
TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2026"


def request(body: Any) -> Request:
    return Request("POST", "/", Headers([("Content-Length", "1")]), orjson.dumps(body))


def answer(body: Any) -> Answer:
    return Answer(200, Headers([("Content-Length", "1")]), orjson.dumps(body))


def body_of(message: Request | Answer) -> Any:
    assert isinstance(message.body, bytes)
    assert message.headers.get("content-length") == str(len(message.body))
    return orjson.loads(message.body)


MAPPING = CallHead("lambda", "CreateEventSourceMapping", "rest-json")
PIPE = CallHead("pipes", "CreatePipe", "rest-json")


def pipe(kind: str, position: str) -> dict[str, Any]:
    return {"Source": TABLE, "SourceParameters": {kind: {"StartingPosition": position, "BatchSize": 1}}}


@pytest.mark.parametrize(
    ("head", "sent", "asked", "made", "shown"),
    [
        (
            MAPPING,
            {"EventSourceArn": KINESIS, "StartingPosition": "TRIM_HORIZON"},
            {"EventSourceArn": KINESIS, "StartingPosition": "LATEST"},
            {"UUID": "u", "StartingPosition": "LATEST"},
            {"UUID": "u", "StartingPosition": "TRIM_HORIZON"},
        ),
        (
            MAPPING,
            {
                "EventSourceArn": TABLE,
                "StartingPosition": "AT_TIMESTAMP",
                "StartingPositionTimestamp": 1.5,
                "Enabled": True,
            },
            {"EventSourceArn": TABLE, "StartingPosition": "LATEST", "Enabled": True},
            {"UUID": "u", "StartingPosition": "LATEST"},
            {"UUID": "u", "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1.5},
        ),
        (
            PIPE,
            pipe("DynamoDBStreamParameters", "TRIM_HORIZON"),
            pipe("DynamoDBStreamParameters", "LATEST"),
            {"Arn": "a", **pipe("DynamoDBStreamParameters", "LATEST")},
            {"Arn": "a", **pipe("DynamoDBStreamParameters", "TRIM_HORIZON")},
        ),
    ],
)
def test_what_begins_in_the_past(head: CallHead, sent: Any, asked: Any, made: Any, shown: Any) -> None:
    positions, original = StartPositions(), request(sent)
    assert body_of(positions.asked(original, head)) == asked
    positions.learn(original, head, answer(made))
    again = StartPositions(orjson.loads(orjson.dumps(positions.listing())))
    for each in (positions, again):
        assert body_of(each.shown(head, answer(made))) == shown
        listed = answer({"EventSourceMappings": [made, {"UUID": "other", "StartingPosition": "LATEST"}]})
        assert body_of(each.shown(head, listed))["EventSourceMappings"][0] == shown
        other = answer({"UUID": "other", "StartingPosition": "LATEST"})
        assert each.shown(head, other) is other
        assert not each.may_change(CallHead("sqs", "ListQueues", "json"))


@pytest.mark.parametrize(
    ("head", "sent"),
    [
        (MAPPING, {"EventSourceArn": KINESIS, "StartingPosition": "LATEST"}),
        (MAPPING, {"EventSourceArn": KINESIS, "StartingPosition": "TRIM_HORIZON", "Enabled": False}),
        (MAPPING, {"EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:work"}),
        (MAPPING, {"EventSourceArn": "arn:aws:kafka:us-east-1:0:cluster/c", "StartingPosition": "TRIM_HORIZON"}),
        (PIPE, pipe("KinesisStreamParameters", "LATEST")),
        (PIPE, {**pipe("KinesisStreamParameters", "TRIM_HORIZON"), "DesiredState": "STOPPED"}),
        (CallHead("kinesis", "GetShardIterator", "json"), {"StartingPosition": "TRIM_HORIZON"}),
        (MAPPING, []),
    ],
)
def test_what_begins_where_it_began(head: CallHead, sent: Any) -> None:
    original = request(sent)
    assert StartPositions().asked(original, head) is original


def test_a_setting_leaves_all_as_it_was() -> None:
    original = request({"EventSourceArn": KINESIS, "StartingPosition": "TRIM_HORIZON"})
    assert StartPositions(enabled=False).asked(original, MAPPING) is original


SCHEDULE = CallHead("scheduler", "CreateSchedule", "rest-json")
ARN = "arn:aws:scheduler:us-east-1:000000000000:schedule/default/s"


def schedule(expression: str, **more: str) -> dict[str, Any]:
    return {"ScheduleExpression": expression, "Target": {"Arn": "a", "RoleArn": "r"}, **more}


@pytest.mark.parametrize("zone", ["", "UTC", "Asia/Tokyo"])
def test_a_schedule_whose_moment_has_passed_is_switched_off(zone: str) -> None:
    sent = schedule("at(2024-02-03T04:05:06)", **({"ScheduleExpressionTimezone": zone} if zone else {}))
    positions, original = StartPositions(enabled=False), request(sent)
    assert body_of(positions.asked(original, SCHEDULE)) == {**sent, "State": "DISABLED"}
    positions.learn(original, SCHEDULE, answer({"ScheduleArn": ARN}))
    read = CallHead("scheduler", "GetSchedule", "rest-json")
    shown = {"Arn": ARN, "Name": "s", "State": "DISABLED"}
    again = StartPositions(orjson.loads(orjson.dumps(positions.listing())))
    for each in (positions, again):
        assert body_of(each.shown(read, answer(shown)))["State"] == "ENABLED"
        assert body_of(each.shown(read, answer({"Schedules": [shown]})))["Schedules"][0]["State"] == "ENABLED"
        each.forget(CallHead("scheduler", "UpdateSchedule", "rest-json"), answer({"ScheduleArn": ARN}))
        switched_off = answer(shown)
        assert each.shown(read, switched_off) is switched_off, "a client has done that since"


@pytest.mark.parametrize(
    "sent",
    [
        schedule("at(2999-02-03T04:05:06)"),
        schedule("rate(1 minute)"),
        schedule("cron(0 12 * * ? *)"),
        schedule("at(2024-02-03T04:05:06)", State="DISABLED"),
        schedule("at(2024-02-31T04:05:06)"),
        schedule("at(2024-02-03T04:05:06)", ScheduleExpressionTimezone="Nowhere/At All"),
        schedule("at(2024-02-03T04:05:06)", ScheduleExpressionTimezone="../../etc/passwd"),
    ],
)
def test_another_schedule_is_made_as_it_was(sent: Any) -> None:
    original = request(sent)
    assert StartPositions().asked(original, SCHEDULE) is original
