"""Lists of runs show what they showed without a parameter: whether or not the emulator applies a default, or lists all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.replay.runs.answers import answer_about_runs
from replay_proxy.replay.runs.families import families, values_at
from replay_proxy.replay.runs.list_defaults import questions
from replay_proxy.replay.runs.recorded_runs import RecordedRuns
from replay_proxy.wire.codecs.build_request import build_request
from replay_proxy.wire.signing.credentials import in_the_name_of


def head(operation: str, service: str) -> CallHead:
    return CallHead(service, operation, "rest-json" if service == "batch" else "json", "", "us-east-1", "test")


def answer(content: Any) -> Answer:
    return Answer(200, Headers([("Content-Type", "application/x-amz-json-1.0")]), orjson.dumps(content))


QUERY_ID, WORK_GROUP = "q-1", "reports"
TASK_ARN = "arn:aws:ecs:us-east-1:000000000000:task/main/t1"
CLUSTER = "arn:aws:ecs:us-east-1:000000000000:cluster/main"
MACHINE, EXECUTION = (
    "arn:aws:states:us-east-1:000000000000:stateMachine:m",
    "arn:aws:states:us-east-1:000000000000:execution:m:e",
)
ENDED = {"executionArn": EXECUTION, "stateMachineArn": MACHINE, "name": "e", "status": "SUCCEEDED"}
LISTS = [
    (
        ("athena", "StartQueryExecution", {"WorkGroup": WORK_GROUP}, {"QueryExecutionId": QUERY_ID}),
        ("GetQueryExecution", {"QueryExecutionId": QUERY_ID},
         {"QueryExecution": {"QueryExecutionId": QUERY_ID, "WorkGroup": WORK_GROUP, "Status": {"State": "SUCCEEDED"}}}),
        ("ListQueryExecutions", {}, {"QueryExecutionIds": [QUERY_ID]}),
    ),
    (
        ("ecs", "RunTask", {"cluster": "main", "taskDefinition": "t"}, {"tasks": [{"taskArn": TASK_ARN, "clusterArn": CLUSTER}]}),
        ("DescribeTasks", {"cluster": "main", "tasks": [TASK_ARN]},
         {"tasks": [{"taskArn": TASK_ARN, "clusterArn": CLUSTER, "desiredStatus": "STOPPED", "lastStatus": "STOPPED"}]}),
        ("ListTasks", {"cluster": "main"}, {"taskArns": [TASK_ARN]}),
    ),
    (
        ("stepfunctions", "StartExecution", {"stateMachineArn": MACHINE, "name": "e"}, {"executionArn": EXECUTION}),
        ("DescribeExecution", {"executionArn": EXECUTION}, ENDED),
        ("ListExecutions", {}, {"executions": [ENDED]}),
    ),
    (
        ("batch", "SubmitJob", {"jobQueue": "q", "jobName": "j", "jobDefinition": "d"}, {"jobId": "j-1", "jobName": "j"}),
        ("DescribeJobs", {"jobs": ["j-1"]}, {"jobs": [{"jobId": "j-1", "jobName": "j", "status": "SUCCEEDED"}]}),
        ("ListJobs", {}, {"jobSummaryList": [{"jobId": "j-1", "jobName": "j", "status": "SUCCEEDED"}]}),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("start", "read", "listed"), LISTS)
@pytest.mark.parametrize("applied", [True, False])
def test_a_list_without_a_parameter_shows_what_it_showed(start: Any, read: Any, listed: Any, applied: bool) -> None:
    """Some emulators apply the documented default of a parameter, or list nothing without it. Others list all."""
    service, operation, params, shown = start
    runs = RecordedRuns()
    calls = [(operation, params, shown), read]
    family = next(each for each in families() if operation in each.starts and each.service == service)
    view = next(values_at(read[2], family.describe["view"]))
    asked = [short_values(asked) for which, _, asked in questions(family, view) if which == listed[0]]
    assert short_values(listed[1]) in asked, "by this it is found out when a run has ended"
    for operation, params, shown in calls if applied else [*calls, listed]:
        call = head(operation, service)
        runs.take(call, build_request(call, params, "h"), answer(shown))
    call = head(listed[0], service)
    [items] = listed[2]
    found = answer_about_runs(runs, call, build_request(call, listed[1], "h"), answer({items: []}))
    assert orjson.loads(found.body)[items] == ([] if applied else listed[2][items])
    there = answer(listed[2])
    assert answer_about_runs(runs, call, build_request(call, listed[1], "h"), there) is there, "each is listed once"


@pytest.mark.parametrize(("cluster", "known"), [("main", True), (CLUSTER, True), ("other", False), (None, False)])
def test_a_task_is_known_to_its_cluster_alone(cluster: str | None, known: bool) -> None:
    """The default of the parameter is a cluster of its own."""
    runs = RecordedRuns()
    for operation, params, shown in (LISTS[1][0][1:], LISTS[1][1]):
        call = head(operation, "ecs")
        runs.take(call, build_request(call, params, "h"), answer(shown))
    asked = {"tasks": [TASK_ARN], **({"cluster": cluster} if cluster else {})}
    call, refused = head("DescribeTasks", "ecs"), replace(answer({"__type": "ClusterNotFoundException"}), status=400)
    found = answer_about_runs(runs, call, build_request(call, asked, "h"), refused)
    assert (found is not refused) == known


def short_values(params: dict[str, Any]) -> dict[str, str]:
    return {name: value.rpartition("/")[2] for name, value in params.items()}


def test_a_read_is_made_in_the_name_of_the_client() -> None:
    fields = [("Authorization", "AWS4-HMAC-SHA256 x"), ("X-Amz-Security-Token", "t"), ("x-moto-account-id", "3" * 12)]
    like = Request("POST", "/", Headers([*fields, ("X-Amz-Target", "A.B")]))
    made = in_the_name_of(like, Request("POST", "/", Headers([("X-Amz-Target", "C.D"), ("Authorization", "old")])))
    assert {name.lower(): value for name, value in made.headers.pairs} == {
        "x-amz-target": "C.D", **{name.lower(): value for name, value in fields}
    }  # fmt: skip
