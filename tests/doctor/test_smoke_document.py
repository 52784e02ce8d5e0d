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


_CHECK = "checks:\n  - name: a\n"
_LIST = f"{_CHECK}    aws: sqs list-queues\n"
_STREAM = f"{_CHECK}    stream:\n      table: t\n      put: {{id: {{S: x}}}}\n"
_READ = "      read: {table: s, key: {id: {S: x}}}\n"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("checks: [", 1, "not YAML"),
        (f"{_LIST}    expct: {{}}\n", 4, "'expct' is not known here"),
        (f"{_CHECK}    http:\n      path: /x\n      metod: GET\n", 5, "checks.0.http: 'metod' is not known here"),
        (_CHECK, 2, "exactly one of"),
        (f"{_LIST}    queue: {{name: q, send: x}}\n", 2, "exactly one of"),
        (f"{_CHECK}    http: {{path: orders}}\n", 3, "orders"),
        (f'{_CHECK}    http:\n      path: "/x y"\n', 4, "/x y"),
        (f'{_CHECK}    http:\n      path: /x\n      headers: {{A: "b\\nC: d"}}\n', 5, "checks.0.http.headers.A"),
        (f"{_CHECK}    http:\n      path: /x\n      headers: {{A: 5}}\n", 5, "5 is not of type 'string'"),
        (f"{_LIST}    within_s: 0\n", 4, "0"),
        (f"{_LIST}    within_s: .nan\n", 4, "no number"),
        (f"{_CHECK}    invoke:\n      function: [work]\n", 4, "is not of type 'string'"),
        (f"{_CHECK}    invoke:\n      payload: {{}}\n", 3, "'function' is a required property"),
        (f"{_CHECK}    queue:\n      name: q\n      send: 1\n", 5, "1 is not of type 'string'"),
        (f"{_STREAM}      key: {{id: x}}\n{_READ}", 6, "DynamoDB"),
        (f"{_STREAM}      key: {{id: {{S: x, N: '1'}}}}\n{_READ}", 6, "DynamoDB"),
        (f"{_STREAM}      key: {{id: {{S: 1}}}}\n{_READ}", 6, "quotes"),
        (f"{_STREAM}      key: {{}}\n{_READ}", 6, "no attributes"),
        (f"{_STREAM}{_READ}", 3, "'key' is a required property"),
        (f"{_CHECK}    aws: 5\n", 3, "5 is not of type 'string'"),
        (f"{_CHECK}    aws: sqs list-quues\n", 3, "'list-quues'"),
        (f"{_CHECK}    aws: sqqs list-queues\n", 3, "'sqqs'"),
        (f"{_CHECK}    aws: sqs list-queues --most 5\n", 3, "'--most'"),
        (f"{_LIST}    expect:\n      is: 1\n      query: 'a[('\n", 6, "no JMESPath"),
        (f"{_LIST}    expect:\n      query: a || count(b)\n      is: 1\n", 5, "no function count()"),
        (f"{_LIST}    expect:\n      query: a\n", 5, "not what is expected"),
        (f"{_LIST}    expect:\n      matches: '('\n", 5, "no regular expression"),
        (f"{_LIST}    expect:\n      status: 200\n", 5, "belongs to http"),
        (f"{_LIST}    expect:\n", 4, "None is not of type 'object'"),
        (f"{_LIST}    expect: {{is: !!binary aGVsbG8=}}\n", 4, "JSON"),
        (f"{_LIST}    expect: {{is: !!bool maybe}}\n", 4, "bool"),
        (f"{_LIST}    name: b\n", 4, "'name' stands here twice: first in line 2"),
        (f"{_LIST}checks: []\n", 4, "'checks' stands here twice"),
        (f"{_LIST}  - name: a\n    aws: sns list-topics\n", 4, "check 1 is called 'a', too"),
        (f"region: 5\n{_LIST}", 1, "region"),
        (f"region: us east\n{_LIST}", 1, "no region"),
        ("checks:\n  - name: a\n\taws: x\n", 3, "\\t"),
        ("checks:\n  - name: a\n    aws: \x00\n", 3, "no text"),
        (f"{_LIST}---\n{_LIST}", 4, "another document"),
        ("checks: &a\n  - *a\n", 1, "refers to itself"),
        (f"{_CHECK}    aws: {'[' * 500}", 3, "deep"),
        ("x: 1\nchekcs: []\n", 1, "'x' is not known here"),
        ("- a\n", 1, "object"),
        ("a\n", 1, "object"),
        ("", 1, "nothing in it"),
        ("# nothing\n", 1, "nothing in it"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(UsageError) as told:
        parse_smoke_tests(text.encode(), "smoke.yaml")
    assert f"smoke.yaml, line {line}: " in told.value.message
    assert said in told.value.message
    assert told.value.hint


@pytest.mark.parametrize("content", [b"checks:\n\xff\xfe\x00", b"checks:\n  - name: \xe9\n"])
def test_what_is_no_text_is_told_with_its_line(content: bytes) -> None:
    with pytest.raises(UsageError, match=r"line 2: this is not YAML: it is not text in UTF-8"):
        parse_smoke_tests(content, "smoke.yaml")


def test_a_time_is_a_text_as_json_has_it() -> None:
    read = parse_smoke_tests(f"{_LIST}    expect: {{is: 2026-01-01}}\n".encode(), "smoke.yaml")
    assert read["checks"][0]["expect"] == {"is": "2026-01-01"}


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
        ({"a": [{"b": True}]}, {"is": {"a": [{"b": 1}]}}, 'it is {"a":[{"b":true}]}, and not {"a":[{"b":1}]}'),
        ({"a": [1, 2.0]}, {"is": {"a": [1.0, 2]}}, ""),
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
