"""What runs inside of the emulator was given its identifiers, and tells them: clients see their own."""

from __future__ import annotations

import base64
import gzip
import json

import pytest

from replay_proxy.exchange import Answer, CallHead, Headers
from replay_proxy.identifiers.rewriting.rewrite import answer_to_client, request_to_emulator
from replay_proxy.identifiers.table.alias_table import AliasKind, AliasTable, Origin, Scope

from .messages import json_answer, wire_request

C, E = "vpc-0c11111111111111", "vpc-0e22222222222222222"
SHORT_C, SHORT_E = "4401935", "7702143"
"""Digits alone: they may be anything in what users write."""


@pytest.fixture
def table() -> AliasTable:
    table = AliasTable()
    table.add(C, E, scope=Scope("", "us-east-1"))
    origin = Origin(0, "lambda:CreateThing", "ThingId")
    table.add(SHORT_C, SHORT_E, scope=Scope("", "us-east-1"), learned_from=origin)
    table.add("123456789012", "000000000000", kind=AliasKind.ACCOUNT, scope=Scope("", ""))
    return table


TOLD = {
    "of": E,
    "ThingId": SHORT_E,
    "padded": "000000000000",
    "nested": json.dumps({"arn": f"arn:aws:ec2:us-east-1:000000000000:vpc/{E}"}),
}
SEEN = {
    "of": C,
    "ThingId": SHORT_E,
    "padded": "000000000000",
    "nested": json.dumps({"arn": f"arn:aws:ec2:us-east-1:123456789012:vpc/{C}"}),
}


@pytest.mark.parametrize("filler", ["", "x" * 20000], ids=["small", "large"])
def test_what_a_function_returns_and_logs(table: AliasTable, filler: str) -> None:
    request, head = wire_request("lambda", "invoke", FunctionName="f", Payload=json.dumps(SEEN))
    assert request_to_emulator(request, head, table) is request
    log = base64.b64encode(f"START\n{E} {SHORT_E}\n".encode()).decode()
    body = json.dumps({**TOLD, "filler": filler}).encode()
    headers = [("Content-Type", "application/json"), ("X-Amz-Log-Result", log), ("Content-Length", str(len(body)))]
    result = answer_to_client(Answer(200, Headers(headers), body), head, request, table)
    assert isinstance(result.body, bytes)
    assert json.loads(result.body) == {**SEEN, "filler": filler}
    assert result.headers.get("content-length") == str(len(result.body))
    assert base64.b64decode(result.headers.get("x-amz-log-result")).decode() == f"START\n{C} {SHORT_E}\n"


def test_a_log_that_is_no_base64_stays(table: AliasTable) -> None:
    request, head = wire_request("lambda", "invoke", FunctionName="f", Payload="{}")
    told = Answer(200, Headers([("X-Amz-Log-Result", f"<{E}>")]), b"{}")
    assert answer_to_client(told, head, request, table) is told


def test_compressed_answers_of_functions(table: AliasTable) -> None:
    request, head = wire_request("lambda", "invoke", FunctionName="f", Payload="{}")
    told = Answer(200, Headers([("Content-Encoding", "gzip")]), gzip.compress(json.dumps(TOLD).encode()))
    result = answer_to_client(told, head, request, table)
    assert isinstance(result.body, bytes)
    assert json.loads(result.body) == SEEN


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (CallHead("logs", "FilterLogEvents", "json"), lambda text: {"events": [{"message": text}]}),
        (CallHead("logs", "GetLogEvents", "json"), lambda text: {"events": [{"message": text}]}),
        (CallHead("stepfunctions", "DescribeExecution", "json"), lambda text: {"output": text, "cause": text}),
        (CallHead("stepfunctions", "StartSyncExecution", "json"), lambda text: {"output": text}),
        (
            CallHead("stepfunctions", "GetExecutionHistory", "json"),
            lambda text: {"events": [{"taskSucceededEventDetails": {"output": text}}]},
        ),
    ],
    ids=lambda each: getattr(each, "operation", ""),
)
def test_log_lines_and_results_of_executions(table: AliasTable, head: CallHead, told: object) -> None:
    assert callable(told)
    head = CallHead(head.service, head.operation, head.protocol, region="us-east-1")
    request, _ = wire_request("sqs", "list_queues")
    result = answer_to_client(json_answer(json.dumps(told(json.dumps(TOLD))).encode()), head, request, table)
    assert isinstance(result.body, bytes)
    assert json.loads(result.body) == told(json.dumps(SEEN))


def test_what_clients_send_and_read_as_data_stays(table: AliasTable) -> None:
    request, head = wire_request(
        "logs", "put_log_events", logGroupName="g", logStreamName="s", logEvents=[{"timestamp": 1, "message": C}]
    )
    assert request_to_emulator(request, head, table) is request
    request, head = wire_request("dynamodb", "scan", TableName="tab")
    told = json_answer(json.dumps({"Items": [{"k": {"S": E}}]}).encode())
    assert answer_to_client(told, head, request, table) is told
