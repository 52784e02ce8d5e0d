"""The number of an account is replaced where it stands for the account, and nowhere else: not in names, tags, values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from replay_proxy.exchange import CallHead, Headers, Request
from replay_proxy.identifiers.rewriting.rewrite import answer_to_client, request_to_emulator
from replay_proxy.identifiers.table.alias_table import AliasKind, AliasTable

from .messages import json_answer, wire_request, xml_answer

C, E = "123456789012", "000000000000"
TAG = {"Key": "owner", "Value": C}


@pytest.fixture
def table() -> AliasTable:
    table = AliasTable()
    table.add(C, E, kind=AliasKind.ACCOUNT)
    return table


def sent(table: AliasTable, service: str, method: str, **params: Any) -> Request:
    request, head = wire_request(service, method, **params)
    return request_to_emulator(request, head, table)


@pytest.mark.parametrize(
    ("service", "method", "params"),
    [
        ("ssm", "put_parameter", {"Name": "/x", "Value": C, "Type": "String"}),
        ("ssm", "put_parameter", {"Name": C, "Value": f"of {C}, as is", "Type": "String", "Description": C}),
        ("ssm", "add_tags_to_resource", {"ResourceId": "/x", "ResourceType": "Parameter", "Tags": [TAG]}),
        ("sqs", "create_queue", {"QueueName": C}),
        ("sqs", "create_queue", {"QueueName": f"{C}.fifo", "Attributes": {"FifoQueue": "true"}}),
        ("sqs", "create_queue", {"QueueName": "q", "tags": {"owner": C, "AccountId": C}}),
        ("sns", "create_topic", {"Name": C, "Tags": [{"Key": "owner", "Value": C}], "Attributes": {"DisplayName": C}}),
        ("iam", "create_role", {"RoleName": C, "AssumeRolePolicyDocument": "{}", "Tags": [{"Key": "AccountId", "Value": C}]}),
        ("ec2", "create_tags", {"Resources": ["vpc-1"], "Tags": [{"Key": "OwnerId", "Value": C}]}),
        ("ec2", "describe_vpcs", {"Filters": [{"Name": "tag:owner", "Values": [C]}]}),
        ("resourcegroupstaggingapi", "get_resources", {"TagFilters": [{"Key": "Owner", "Values": [C]}]}),
        ("s3", "create_bucket", {"Bucket": C}),
        ("s3", "put_bucket_tagging", {"Bucket": C, "Tagging": {"TagSet": [{"Key": "owner", "Value": C}]}}),
        ("dynamodb", "create_table", {"TableName": C}),
        ("logs", "create_log_group", {"logGroupName": C, "tags": {"account": C}}),
        ("lambda", "tag_resource", {"Resource": "arn:aws:lambda:us-east-1:1:function:f", "Tags": {"account": C}}),
        ("lambda", "get_function", {"FunctionName": C}),
        ("events", "put_rule", {"Name": C, "Description": C}),
        ("stepfunctions", "create_state_machine", {"name": C, "definition": "{}", "roleArn": "r"}),
        ("kms", "create_key", {"Description": C, "Tags": [{"TagKey": "Owner", "TagValue": C}]}),
        ("cloudwatch", "put_metric_data", {"Namespace": C, "MetricData": [{"MetricName": C, "Value": 1}]}),
    ],
)  # fmt: skip
def test_names_tags_and_values_stay(table: AliasTable, service: str, method: str, params: dict[str, Any]) -> None:
    request, head = wire_request(service, method, **params)
    assert request_to_emulator(request, head, table) is request


QUEUE = f"http://localhost:4566/{C}/q"
IMAGE = f"{C}.dkr.ecr.us-east-1.amazonaws.com/r:1"
FROM_GROUP = {"UserIdGroupPairs": [{"UserId": C, "GroupId": "sg-2"}]}
TRUST = {"Statement": [{"Principal": {"AWS": C}, "Condition": {"StringEquals": {"aws:SourceAccount": [C, "1"]}}}]}


@pytest.mark.parametrize(
    ("service", "method", "params"),
    [
        ("ssm", "put_parameter", {"Name": "/x", "Value": f"arn:aws:sns:us-east-1:{C}:t", "Type": "String"}),
        ("sqs", "add_permission", {"QueueUrl": QUEUE, "Label": "l", "AWSAccountIds": [C], "Actions": ["*"]}),
        ("sqs", "get_queue_url", {"QueueName": "q", "QueueOwnerAWSAccountId": C}),
        ("iam", "create_role", {"RoleName": "r", "AssumeRolePolicyDocument": json.dumps(TRUST)}),
        ("lambda", "add_permission", {"FunctionName": f"{C}:function:f", "Principal": C, "SourceAccount": C}),
        ("events", "put_permission", {"Principal": C, "StatementId": "s", "Action": "events:PutEvents"}),
        ("events", "put_rule", {"Name": "r", "EventPattern": json.dumps({"account": [C]})}),
        ("ec2", "describe_snapshots", {"OwnerIds": [C], "Filters": [{"Name": "owner-id", "Values": ["1", C]}]}),
        ("ec2", "authorize_security_group_ingress", {"GroupId": "sg-1", "IpPermissions": [FROM_GROUP]}),
        ("ecr", "describe_repositories", {"registryId": C}),
        ("ecs", "register_task_definition", {"family": "f", "containerDefinitions": [{"image": IMAGE}]}),
        ("glue", "get_database", {"CatalogId": C, "Name": "d"}),
        ("organizations", "attach_policy", {"PolicyId": "p", "TargetId": C}),
        ("s3", "get_bucket_location", {"Bucket": "b", "ExpectedBucketOwner": C}),
        ("quicksight", "list_dashboards", {"AwsAccountId": C}),
    ],
)  # fmt: skip
def test_accounts_change(table: AliasTable, service: str, method: str, params: dict[str, Any]) -> None:
    request = sent(table, service, method, **params)
    text = f"{request.target}\n{request.headers.pairs}\n{request.body!r}"
    assert E in text
    assert C not in text


def answered(table: AliasTable, service: str, operation: str, body: str) -> str:
    answer = xml_answer(body.encode()) if body.startswith("<") else json_answer(body.encode())
    head = CallHead(service, operation, "query" if body.startswith("<") else "json")
    found = answer_to_client(answer, head, Request("POST", "/", Headers()), table).body
    assert isinstance(found, bytes)
    return found.decode()


def attribute(name: str) -> str:
    return f"<r><Attributes><entry><key>{name}</key><value>{E}</value></entry></Attributes></r>"


@pytest.mark.parametrize(
    ("service", "operation", "body", "changes"),
    [
        ("ssm", "GetParameter", f'{{"Parameter":{{"Name":"/x","Value":"{E}"}}}}', False),
        ("sqs", "ListQueueTags", f'{{"Tags":{{"owner":"{E}"}}}}', False),
        ("ec2", "DescribeTags", f"<r><tagSet><item><key>OwnerId</key><value>{E}</value></item></tagSet></r>", False),
        ("ec2", "DescribeVpcs", f"<r><vpcSet><item><ownerId>{E}</ownerId></item></vpcSet></r>", True),
        ("sns", "GetTopicAttributes", attribute("Owner"), True),
        ("sns", "GetTopicAttributes", attribute("DisplayName"), False),
        ("sts", "GetCallerIdentity", f"<r><Account>{E}</Account></r>", True),
        ("ecr", "DescribeRepositories", f'{{"repositories":[{{"registryId":"{E}"}}]}}', True),
        ("cloudformation", "DescribeStacks", f"<r><member><OutputValue>{E}</OutputValue></member></r>", True),
        ("organizations", "ListAccounts", f'{{"Accounts":[{{"Id":"{E}"}}]}}', True),
        ("sqs", "CreateQueue", f'{{"QueueUrl":"http://localhost:4566/{E}/{E}"}}', None),
    ],
)  # fmt: skip
def test_answers(table: AliasTable, service: str, operation: str, body: str, changes: bool | None) -> None:
    expected = {True: body.replace(E, C), False: body, None: body.replace(f"/{E}/", f"/{C}/")}[changes]
    assert answered(table, service, operation, body) == expected


def test_the_address_of_a_queue_that_is_called_like_the_account(table: AliasTable) -> None:
    head = CallHead("sqs", "ReceiveMessage", "query")
    for place in ("", "/queue/us-east-1"):
        request = Request("POST", f"{place}/{C}/{C}", Headers())
        assert request_to_emulator(request, head, table).target == f"{place}/{E}/{C}"


def test_what_is_no_call_of_aws_names_no_account_in_its_path(table: AliasTable) -> None:
    request = Request("GET", f"/restapis/abc/dev/_user_request_/customers/{C}?of={C}", Headers([("x-customer", C)]))
    assert request_to_emulator(request, None, table) is request
