"""Which runs are started again, and what is answered about the others."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from replay_proxy.exchange import Answer, CallHead, Headers
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.replay.planning.plan import plan_of_records
from replay_proxy.replay.runs.answers import MARK, answer_about_runs
from replay_proxy.replay.runs.families import families, filled, put_at, role_of, values_at
from replay_proxy.replay.runs.harmless import touches_nothing
from replay_proxy.replay.runs.recorded_runs import RecordedRuns
from replay_proxy.wire.codecs.build_request import build_request
from replay_proxy.wire.models.models import operation_model

PASS = {"Type": "Pass", "End": True}
TASK = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": True}


def machine(*states: Any) -> dict[str, Any]:
    return {"StartAt": "0", "States": {str(number): state for number, state in enumerate(states)}}


@pytest.mark.parametrize(
    ("definition", "harmless"),
    [
        (machine(PASS, {"Type": "Wait", "Seconds": 1, "End": True}, {"Type": "Choice"}, {"Type": "Succeed"}), True),
        (machine(PASS, TASK), False),
        (machine({"Type": "Parallel", "Branches": [machine(PASS), machine(PASS)]}), True),
        (machine({"Type": "Parallel", "Branches": [machine(PASS), machine(TASK)]}), False),
        (machine({"Type": "Map", "ItemProcessor": machine(PASS)}), True),
        (machine({"Type": "Map", "Iterator": machine(TASK)}), False),
        (machine({"Type": "Map", "ItemProcessor": machine(PASS), "ResultWriter": {}}), False),
        (machine({"Type": "Map"}), False),
        (machine({"Type": "Unheard"}), False),
        ({}, False),
    ],
)
def test_a_machine_that_touches_nothing(definition: Any, harmless: bool) -> None:
    assert touches_nothing(json.dumps(definition)) is harmless


@pytest.mark.parametrize("text", ["", "[]", "null", '{"States": []}', '{"States": {"a": 1}}', "{"])
def test_what_is_no_definition_touches_something(text: str) -> None:
    assert not touches_nothing(text)


def test_every_member_that_the_table_names_is_in_the_models() -> None:
    """A table that names what no model has would answer nothing, and say nothing of it."""

    def shape_at(shape: Any, path: str) -> Any:
        for name in filter(None, path.split(".")):
            shape = shape.members[name.removesuffix("[]")]
            shape = shape.member if name.endswith("[]") else shape
        return shape

    for family in families():
        for operation, start in family.starts.items():
            model = operation_model(family.service, operation)
            shape = model.input_shape if start.get("in") == "request" else model.output_shape
            assert shape_at(shape, start["id"]).type_name == "string"
        for operation in (*family.steers, *family.unnamed):
            operation_model(family.service, operation)
        describe = family.describe
        view = shape_at(operation_model(family.service, describe["operation"]).output_shape, describe["view"])
        assert shape_at(view, describe["status"]).type_name == "string"
        if shape_at(view, describe["status"]).enum:
            assert family.ended <= {*shape_at(view, describe["status"]).enum}, family
        for read in (describe, *family.details):
            inputs = operation_model(family.service, read["operation"]).input_shape.members
            assert inputs.keys() >= {*read["ask"], *([read["by"]] if "by" in read else ())}, read
        for read in family.lists.values():
            model = operation_model(family.service, read["operation"])
            items = shape_at(model.output_shape, f"{read['items']}[]")
            assert "id" not in read or read["id"] in items.members
            assert model.input_shape.members.keys() >= {*read["where"], *read.get("defaults", {})}
        for read in family.ids.values():
            model = operation_model(family.service, read["operation"])
            assert model.input_shape.members[read["ids"]].type_name == "list"
            assert read["id"] in shape_at(model.output_shape, f"{read['items']}[]").members
            assert "missing" not in read or read["missing"] in model.output_shape.members
        assert role_of(family.service, describe["operation"]) is not None


def test_paths() -> None:
    value = {"tasks": [{"arn": "a"}, {"arn": "b"}, {}], "one": {"two": 3}}
    assert list(values_at(value, "tasks[].arn")) == ["a", "b"]
    assert list(values_at(value, "one.two")) == [3]
    assert list(values_at(value, "two[].x")) == list(values_at(value, "one.two.three")) == []
    assert put_at({"a": 1}, "tasks[]") == {"tasks": [{"a": 1}]}
    assert put_at({"a": 1}, "JobRun") == {"JobRun": {"a": 1}}
    assert filled({"a": ["{id}"], "b": "{request.no}", "c": "{last}"}, "x:y/z", {}) == {"a": ["x:y/z"], "c": "z"}


ARN = "arn:aws:states:us-east-1:000000000000:execution:m:"


def head(operation: str, service: str = "stepfunctions") -> CallHead:
    return CallHead(service, operation, "json", "", "us-east-1", "test")


def answer(content: Any, status: int = 200) -> Answer:
    return Answer(status, Headers([("Content-Type", "application/x-amz-json-1.0")]), orjson.dumps(content))


def known(count: int) -> RecordedRuns:
    """Executions of one machine, of which a start is recorded, and of all but the last an end."""
    runs = RecordedRuns()
    for number in range(count):
        asked = {"stateMachineArn": "machine", "name": f"e{number}", "input": "{}"}
        start = head("StartExecution")
        runs.take(
            start, build_request(start, asked, "h"), answer({"executionArn": f"{ARN}e{number}", "startDate": 1.5})
        )
        if number < count - 1:
            read, shown = (
                head("DescribeExecution"),
                {"executionArn": f"{ARN}e{number}", "status": "SUCCEEDED", "output": "{}"},
            )
            request = build_request(read, {"executionArn": f"{ARN}e{number}"}, "h")
            runs.take(read, request, answer({**shown, "stateMachineArn": "machine", "name": f"e{number}"}))
    return runs


UNKNOWN = answer({"__type": "ExecutionDoesNotExist"}, 400)


def asked(runs: RecordedRuns, operation: str, params: dict[str, Any], given: Answer) -> tuple[Answer, Any]:
    call = head(operation)
    found = answer_about_runs(runs, call, build_request(call, params, "h"), given)
    assert isinstance(found.body, bytes)
    return found, orjson.loads(found.body)


def test_a_run_that_the_emulator_does_not_know() -> None:
    runs = known(2)
    found, shown = asked(runs, "DescribeExecution", {"executionArn": ARN + "e0"}, UNKNOWN)
    assert (found.status, shown["status"], found.headers.get(MARK.lower())) == (200, "SUCCEEDED", "recording")
    _, shown = asked(runs, "DescribeExecution", {"executionArn": ARN + "e1"}, UNKNOWN)
    assert shown == {
        "executionArn": ARN + "e1",
        "name": "e1",
        "stateMachineArn": "machine",
        "status": "RUNNING",
        "input": "{}",
        "startDate": 1.5,
    }, "of which the start alone is known"
    assert asked(runs, "DescribeExecution", {"executionArn": "e0"}, UNKNOWN)[0] is UNKNOWN, "it takes an ARN alone"
    own = answer({"executionArn": ARN + "e0", "status": "RUNNING"})
    assert asked(runs, "DescribeExecution", {"executionArn": ARN + "e0"}, own)[0] is own, "the emulator knows better"
    assert asked(runs, "DescribeExecution", {"executionArn": ARN + "other"}, UNKNOWN)[0] is UNKNOWN
    busy = answer({}, 503)
    assert asked(runs, "DescribeExecution", {"executionArn": ARN + "e0"}, busy)[0] is busy


@pytest.mark.parametrize("size", [1, 2, 3, 4, 100])
def test_a_list_goes_on_with_what_was_recorded(size: int) -> None:
    runs, names, token = known(3), [], ""
    for _page in range(10):
        params = {"stateMachineArn": "machine", "maxResults": size, **({"nextToken": token} if token else {})}
        emulator = UNKNOWN if token else answer({"executions": [{"executionArn": "now", "name": "now"}]})
        _, shown = asked(runs, "ListExecutions", params, emulator)
        assert len(shown["executions"]) <= size
        names += [each["name"] for each in shown["executions"]]
        token = shown.get("nextToken", "")
        if not token:
            break
    assert names == ["now", "e2", "e1", "e0"]


def test_a_list_is_restricted_as_it_was_asked() -> None:
    empty = answer({"executions": []})
    runs = known(3)
    _, shown = asked(runs, "ListExecutions", {"stateMachineArn": "machine", "statusFilter": "RUNNING"}, empty)
    assert [each["name"] for each in shown["executions"]] == ["e2"]
    assert asked(runs, "ListExecutions", {"stateMachineArn": "another"}, empty)[0] is empty
    assert asked(runs, "ListExecutions", {}, empty)[0] is empty, "it lists the executions of one machine"
    assert asked(runs, "ListExecutions", {}, UNKNOWN)[0] is UNKNOWN
    some = answer({"executions": [{"executionArn": "now", "name": "now"}]})
    _, shown = asked(runs, "ListExecutions", {}, some)
    assert [each["name"] for each in shown["executions"]] == ["now", "e2", "e1", "e0"], (
        "this emulator lists those of all"
    )
    assert asked(runs, "ListExecutions", {"mapRunArn": "a map run"}, some)[0] is some
    more = answer({"executions": [], "nextToken": "more"})
    assert asked(runs, "ListExecutions", {"stateMachineArn": "machine"}, more)[0] is more, "not before the last page"
    other = CallHead("stepfunctions", "ListExecutions", "json", "111111111111", "us-east-1", "test")
    request = build_request(other, {"stateMachineArn": "machine"}, "h")
    assert answer_about_runs(runs, other, request, empty) is empty, "another account's"


def recorded(seq: int, operation: str, params: dict[str, Any], shown: Any, **notes: Any) -> Record:
    call = head(operation)
    kind = RecordKind.WITNESS if notes else RecordKind.MUTATION
    time = "2026-01-31T12:00:00.000000Z"
    return Record(seq, time, 1.0, kind, call, build_request(call, params, "h"), answer(shown), notes=notes)


def history(definition: Any, status: str) -> list[Record]:
    """A machine, an execution of it, and what was seen of that."""
    made = {"name": "m", "definition": json.dumps(definition), "roleArn": "arn:aws:iam::000000000000:role/r"}
    machine_arn, run = "arn:aws:states:us-east-1:000000000000:stateMachine:m", ARN + "e"
    read, note = {"executionArn": run}, {"run": run}
    return [
        recorded(1, "CreateStateMachine", made, {"stateMachineArn": machine_arn, "creationDate": 1.0}),
        recorded(
            2, "StartExecution", {"stateMachineArn": machine_arn, "name": "e"}, {"executionArn": run, "startDate": 1.0}
        ),
        recorded(3, "DescribeExecution", read, {**read, "status": "RUNNING"}, after=2, **note),
        recorded(4, "GetExecutionHistory", read, {"events": []}, after=3, **note),
        recorded(5, "DescribeExecution", read, {**read, "status": status}, after=4, **note),
        recorded(6, "SendTaskSuccess", {"taskToken": "t", "output": "{}"}, {}),
    ]


@pytest.mark.parametrize("supersede", [True, False])
@pytest.mark.parametrize(
    ("state", "status", "order", "answered"),
    [
        (TASK, "SUCCEEDED", [1], [2, 4, 5, 6]),
        (TASK, "RUNNING", [1], [2, 4, 5, 6]),
        (PASS, "SUCCEEDED", [1], [2, 4, 5, 6]),
        (PASS, "RUNNING", [1, 2, 6], []),
    ],
)
def test_what_is_started_again(state: Any, status: str, order: list[int], answered: list[int], supersede: bool) -> None:
    plan = plan_of_records(history(machine(state), status), supersede=supersede)
    assert (plan.order, [each.seq for each in plan.answered]) == (order, answered)
    assert plan.superseded_count == 6 - len(order) - len(answered)


def test_an_execution_outlives_its_machine() -> None:
    machine_arn = "arn:aws:states:us-east-1:000000000000:stateMachine:m"
    gone = recorded(7, "DeleteStateMachine", {"stateMachineArn": machine_arn}, {})
    plan = plan_of_records([*history(machine(TASK), "SUCCEEDED"), gone])
    assert [each.seq for each in plan.answered] == [2, 4, 5, 6]
