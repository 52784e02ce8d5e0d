"""Names that clients chose: no part of one is an identifier, in either direction, wherever the whole name stands."""

from __future__ import annotations

from typing import Any

import pytest

from replay_proxy.exchange import Answer, Headers
from replay_proxy.identifiers.rewriting.rewrite import answer_to_client, request_to_emulator
from replay_proxy.identifiers.table.alias import AliasKind, without_secrets
from replay_proxy.identifiers.table.alias_table import AliasTable, Scope
from replay_proxy.identifiers.table.scan import translated
from replay_proxy.wire.codecs.parameters import parse_parameters

from .messages import wire_request

C, E = "vpc-0c11111111111111", "vpc-0e22222222222222222"
OTHER_C, OTHER_E = "vpc-0d33333333333333", "vpc-0f44444444444444444"
HERE = Scope("", "us-east-1")
GROUP = f"/vpc/{C}/flow"


@pytest.fixture
def table() -> AliasTable:
    table = AliasTable()
    table.add(C, E, scope=HERE)
    table.add(OTHER_C, OTHER_E, scope=HERE)
    return table


def sent(table: AliasTable, service: str, method: str, **params: Any) -> dict[str, Any]:
    """What the emulator reads."""
    request, head = wire_request(service, method, **params)
    return parse_parameters(head, request_to_emulator(request, head, table))


@pytest.mark.parametrize(
    ("service", "method", "member", "name", "more"),
    [
        ("logs", "create_log_group", "logGroupName", GROUP, {}),
        ("sqs", "create_queue", "QueueName", f"{C}.fifo", {}),
        ("ssm", "put_parameter", "Name", f"/net/{C}/cidr", {"Value": "x", "Type": "String"}),
        ("events", "put_rule", "Name", f"r.{C}", {"ScheduleExpression": "rate(1 day)"}),
        ("cloudwatch", "put_dashboard", "DashboardName", f"d.{C}", {"DashboardBody": "{}"}),
        ("iam", "create_role", "RoleName", f"r.{C}", {"AssumeRolePolicyDocument": "{}"}),
        ("s3", "create_bucket", "Bucket", f"flow.{C}", {}),
        ("ssm", "put_parameter", "Name", f"/{C}-{C}/{C}", {"Value": "x", "Type": "String"}),
        ("logs", "create_log_group", "logGroupName", f"/{C}x/{C}", {}),
    ],
)
def test_a_name_stays_as_its_client_wrote_it(
    table: AliasTable, service: str, method: str, member: str, name: str, more: dict[str, Any]
) -> None:
    assert sent(table, service, method, **{member: name}, **more)[member] == name
    for text in (name, f'"{name}"', f"arn:aws:{service}:us-east-1:1:{'parameter' if name[0] == '/' else ''}{name}"):
        assert translated(text, table, HERE, to_client=False) == text
        assert translated(text, table, HERE, to_client=True) == text


def test_what_else_has_the_identifier_in_it_is_translated(table: AliasTable) -> None:
    sent(table, "logs", "create_log_group", logGroupName=GROUP)
    for text in ("{}", "/other/{}/flow", "x/vpc/{}/flowers", "arn:aws:ec2:us-east-1:1:vpc/{}", GROUP + " {}"):
        client, emulator = text.format(C), text.format(E)
        assert translated(client, table, HERE, to_client=False) == emulator
        assert translated(emulator, table, HERE, to_client=True) == client
    # A stack named this one.
    assert translated(f"/vpc/{OTHER_C}/flow", table, HERE, to_client=False) == f"/vpc/{OTHER_E}/flow"


@pytest.mark.parametrize(
    ("service", "method", "params"),
    [
        ("logs", "describe_log_groups", {"logGroupNamePrefix": f"/vpc/{C}"}),
        ("logs", "describe_log_streams", {"logGroupName": GROUP, "logStreamNamePrefix": f"s/{C}"}),
        ("sqs", "list_queues", {"QueueNamePrefix": C}),
        ("ssm", "get_parameters_by_path", {"Path": f"/net/{C}"}),
        ("secretsmanager", "list_secrets", {"Filters": [{"Key": "name", "Values": [f"db/{C}"]}]}),
    ],
)
def test_the_beginning_of_such_a_name_stays_too(
    table: AliasTable, service: str, method: str, params: dict[str, Any]
) -> None:
    unknown = sent(table, service, method, **params)
    assert C not in str(unknown).replace(GROUP, "")
    sent(table, "logs", "create_log_group", logGroupName=GROUP)
    sent(table, "logs", "create_log_stream", logGroupName=GROUP, logStreamName=f"s/{C}/x")
    sent(table, "sqs", "create_queue", QueueName=f"{C}.fifo")
    sent(table, "ssm", "put_parameter", Name=f"/net/{C}/cidr", Value="x", Type="String")
    sent(table, "secretsmanager", "create_secret", Name=f"db/{C}", SecretString="x")
    assert sent(table, service, method, **params) == params


def test_a_short_name_of_a_log_group_is_no_part_of_a_path(table: AliasTable) -> None:
    table.add("abc123defg", "zzz999yyyy", scope=HERE)
    sent(table, "logs", "create_log_group", logGroupName="/abc123defg")
    request, head = wire_request("apigateway", "get_rest_api", restApiId="abc123defg")
    assert request_to_emulator(request, head, table).target == "/restapis/zzz999yyyy"


@pytest.mark.parametrize(
    ("service", "method", "params"),
    [
        ("logs", "create_log_group", {"logGroupName": f"/aws/lambda/{C}"}),
        ("logs", "put_retention_policy", {"logGroupName": GROUP, "retentionInDays": 1}),
        ("ssm", "put_parameter", {"Name": f"/net/{C}", "Value": "x", "Overwrite": True}),
        ("ec2", "create_key_pair", {"KeyName": C}),
    ],
)
def test_what_an_emulator_may_have_named_is_translated(
    table: AliasTable, service: str, method: str, params: dict[str, Any]
) -> None:
    assert E in str(sent(table, service, method, **params))


def test_a_name_is_no_collision_and_nobody_is_shown_it_as_an_alias(table: AliasTable) -> None:
    request, head = wire_request("sqs", "create_queue", QueueName=f"{C}.fifo")
    request_to_emulator(request, head, table)
    assert [alias.kind for alias in table.take_minted()] == [AliasKind.NAME]
    answer = Answer(200, Headers(), b'{"QueueUrl": "http://localhost/1/%s.fifo"}' % C.encode())
    assert answer_to_client(answer, head, request, table) is answer
    # Another call of its service that shows the name without having sent it.
    request, head = wire_request("sqs", "create_queue", QueueName="other")
    assert answer_to_client(answer, head, request, table) is answer
    assert not table.take_minted()
    assert {each["kind"] for each in without_secrets(table.listing())} == {"identifier"}
