"""The file of smoke tests: what is wrong in it is told with its line; commands are read as the AWS CLI reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.doctor.smoke.commands import parse_command
from replay_proxy.doctor.smoke.document import parse_smoke_tests, schema
from replay_proxy.doctor.smoke.expectations import failure_of
from replay_proxy.errors import UsageError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("checks: [", 1, "not YAML"),
        ("checks:\n  - name: a\n    aws: sqs list-queues\n    expct: {}\n", 2, "expct"),
        ("checks:\n  - name: a\n", 2, "exactly one of"),
        ("checks:\n  - name: a\n    aws: sqs list-queues\n    queue: {name: q, send: x}\n", 2, "exactly one of"),
        ("checks:\n  - name: a\n    http: {path: orders}\n", 3, "orders"),
        ("checks:\n  - name: a\n    aws: sqs list-queues\n    within_s: 0\n", 4, "0"),
        ("chekcs: []\n", 1, "checks"),
        ("a\n", 1, "object"),
        ("", 1, "object"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(UsageError) as told:
        parse_smoke_tests(text.encode(), "smoke.yaml")
    assert f"line {line}" in told.value.message
    assert said in told.value.message


@given(st.binary(max_size=300))
def test_whatever_is_in_it_no_other_error_comes(content: bytes) -> None:
    try:
        assert parse_smoke_tests(content, "smoke.yaml")["checks"]
    except UsageError as error:
        assert error.hint


def test_the_schema_of_the_documents_is_the_one_that_is_used() -> None:
    assert json.loads((ROOT / "docs" / "schemas" / "smoke.schema.json").read_text()) == schema()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("sqs get-queue-url --queue-name orders", ("sqs", "GetQueueUrl", {"QueueName": "orders"})),
        ("aws s3api head-bucket --bucket=b", ("s3", "HeadBucket", {"Bucket": "b"})),
        (
            "sqs get-queue-attributes --queue-url U --attribute-names All Policy",
            ("sqs", "GetQueueAttributes", {"QueueUrl": "U", "AttributeNames": ["All", "Policy"]}),
        ),
        (
            'dynamodb get-item --table-name t --key \'{"id": {"S": "1"}}\' --consistent-read',
            ("dynamodb", "GetItem", {"TableName": "t", "Key": {"id": {"S": "1"}}, "ConsistentRead": True}),
        ),
        (
            "dynamodb get-item --table-name t --key '{}' --no-consistent-read",
            ("dynamodb", "GetItem", {"TableName": "t", "Key": {}, "ConsistentRead": False}),
        ),
        ("sqs list-queues --max-results 5", ("sqs", "ListQueues", {"MaxResults": 5})),
    ],
)
def test_commands_are_read_as_the_aws_cli_reads_them(text: str, wanted: object) -> None:
    assert parse_command(text) == wanted


@pytest.mark.parametrize(
    "text",
    ["", "sqs", "nosuch list", "sqs list-nothing", "sqs list-queues --nothing 1", "sqs list-queues --max-results x",
     "sqs list-queues 'a", "sqs get-queue-url --queue-name", "dynamodb get-item --key {"],
)  # fmt: skip
def test_a_command_that_is_none_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(UsageError) as told:
        parse_command(text)
    assert told.value.hint


@pytest.mark.parametrize(
    ("came", "expected", "failure"),
    [
        ({"a": {"b": 1}}, {"query": "a.b", "is": 1}, ""),
        ({"a": {"b": 1}}, {"query": "a.b", "is": 2}, "'a.b' is 1, and not 2"),
        ({"a": 1, "b": 2}, {"has": {"a": 1}}, ""),
        ({"a": 1}, {"has": {"b": 1}}, "it has b null, and not 1"),
        ("all is well", {"contains": "well"}, ""),
        ("all is well", {"matches": "^al+ "}, ""),
        ("all", {"matches": "("}, "is no regular expression"),
        ({}, {"query": "a[", "is": 1}, "is no JMESPath expression"),
        ({}, {}, ""),
    ],
)
def test_what_came_is_held_against_what_is_expected(came: object, expected: dict[str, object], failure: str) -> None:
    found = failure_of(came, expected)
    assert failure in found
    assert bool(found) is bool(failure)
