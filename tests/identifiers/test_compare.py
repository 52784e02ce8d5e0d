from __future__ import annotations

import datetime
from typing import Any

import pytest

from replay_proxy.exchange import BlobRef, CallHead
from replay_proxy.identifiers.aliases import AliasTable
from replay_proxy.identifiers.compare import Difference, Severity, Verdict, differences, equivalent
from replay_proxy.wire.answers import Outcome

NOW, THEN = (
    datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC),
)


def judged(call: str, recorded: Any, replayed: Any) -> Verdict:
    table = AliasTable()
    table.add("vpc-0c111111", "vpc-0e222222")
    table.add("123456789012", "000000000000")
    service, _, operation = call.partition(":")
    head = CallHead(service, operation, "json", region="us-east-1")
    return equivalent(head, Outcome(200, recorded), Outcome(200, replayed), table)


@pytest.mark.parametrize(
    ("call", "recorded", "replayed"),
    [
        ("ec2:CreateVpc", {"Vpc": {"VpcId": "vpc-0c111111"}}, {"Vpc": {"VpcId": "vpc-0e222222"}}),
        ("iam:GetUser", {"User": {"CreateDate": THEN}}, {"User": {"CreateDate": NOW}}),
        (
            "logs:DescribeLogGroups",
            {"logGroups": [{"creationTime": 1}]},
            {"logGroups": [{"creationTime": 2}]},
        ),
        (
            "sqs:CreateQueue",
            {"QueueUrl": "http://localhost:4566/123456789012/q"},
            {"QueueUrl": "http://127.0.0.1:1/000000000000/q"},
        ),
        (
            "sqs:ListQueues",
            {"QueueUrls": ["http://a/1/q", "http://a/1/r"]},
            {"QueueUrls": ["http://b/1/r", "http://b/1/q"]},
        ),
        (
            "ec2:DescribeTags",
            {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]},
            {"Tags": [{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "1"}]},
        ),
        (
            "sqs:GetQueueAttributes",
            {"Attributes": {"Policy": '{"a": 1, "b": "vpc-0c111111"}'}},
            {"Attributes": {"Policy": '{"b":"vpc-0e222222","a":1}'}},
        ),
        ("ec2:CreateVpc", {"Vpc": {"IsDefault": False, "Tags": []}}, {"Vpc": {}}),
        (
            "sqs:ListQueues",
            {"QueueUrls": ["http://a/1/q"], "NextToken": "x"},
            {"QueueUrls": ["http://a/1/q"]},
        ),
    ],
)
def test_what_means_the_same_is_no_difference(call: str, recorded: Any, replayed: Any) -> None:
    assert judged(call, recorded, replayed) == Verdict(True, ())


@pytest.mark.parametrize(
    ("call", "recorded", "replayed", "path"),
    [
        ("ec2:CreateKeyPair", {"KeyMaterial": "a"}, {"KeyMaterial": "b"}, "KeyMaterial"),
        ("kms:Encrypt", {"CiphertextBlob": b"a"}, {"CiphertextBlob": b"b"}, "CiphertextBlob"),
        ("lambda:CreateFunction", {"State": "Pending"}, {"State": "Active"}, "State"),
        ("ec2:X", {"MacAddress": "02:00:4602x"}, {"MacAddress": "02:00:1302x"}, "MacAddress"),
        (
            "ec2:RunInstances",
            {"Instances": [{"State": {"Code": 0, "Name": "pending"}}]},
            {"Instances": [{"State": {"Code": 16, "Name": "pending"}}]},
            "Instances[0].State.Code",
        ),
        ("ec2:CreateVpc", {"Vpc": {}}, {"Vpc": {"DhcpOptionsId": "default"}}, "Vpc.DhcpOptionsId"),
    ],
)
def test_what_cannot_be_the_same_is_noted(call: str, recorded: Any, replayed: Any, path: str) -> None:
    verdict = judged(call, recorded, replayed)
    assert verdict.equivalent
    assert [(each.path, each.severity) for each in verdict.differences] == [(path, Severity.NOTE)]


@pytest.mark.parametrize(
    ("call", "recorded", "replayed", "difference"),
    [
        (
            "ec2:CreateVpc",
            {"Vpc": {"CidrBlock": "10.0.0.0/16"}},
            {"Vpc": {"CidrBlock": "10.1.0.0/16"}},
            ("Vpc.CidrBlock", "10.0.0.0/16", "10.1.0.0/16"),
        ),
        (
            "ec2:CreateVpc",
            {"Vpc": {"VpcId": "vpc-0c111111"}},
            {"Vpc": {"VpcId": "vpc-0d333333"}},
            ("Vpc.VpcId", "vpc-0c111111", "vpc-0d333333"),
        ),
        ("s3:PutObject", {"ETag": '"a"'}, {"ETag": '"b"'}, ("ETag", '"a"', '"b"')),
        (
            "sqs:ListQueues",
            {"QueueUrls": ["http://a/1/q", "http://a/1/r"]},
            {"QueueUrls": ["http://a/1/q"]},
            ("QueueUrls[1]", "http://a/1/r", "nothing"),
        ),
        (
            "sqs:ListQueues",
            {"QueueUrls": []},
            {"QueueUrls": ["http://a/1/q"]},
            ("QueueUrls[+]", "nothing", "http://a/1/q"),
        ),
        (
            "s3:GetBucketVersioning",
            {"Status": "Enabled"},
            {"Status": "Suspended"},
            ("Status", "Enabled", "Suspended"),
        ),
        (
            "cloudformation:DescribeStacks",
            {"Stacks": [{"StackStatus": "CREATE_COMPLETE"}]},
            {"Stacks": [{"StackStatus": "ROLLBACK_COMPLETE"}]},
            ("Stacks[0].StackStatus", "CREATE_COMPLETE", "ROLLBACK_COMPLETE"),
        ),
        (
            "ec2:CreateVpc",
            {"Vpc": {"IsDefault": True}},
            {"Vpc": {"IsDefault": False}},
            ("Vpc.IsDefault", "True", "False"),
        ),
        (
            "s3:GetObject",
            {"Body": BlobRef("a", 1)},
            {"Body": BlobRef("b", 1)},
            ("Body", "BlobRef(sha256='a', size=1)", "BlobRef(sha256='b', size=1)"),
        ),
    ],
)
def test_what_differs_has_diverged(call: str, recorded: Any, replayed: Any, difference: tuple[str, str, str]) -> None:
    verdict = judged(call, recorded, replayed)
    assert verdict == Verdict(False, (Difference(*difference),))
    assert str(verdict.differences[0]) == "{}: expected {}, got {}".format(*difference)


def test_outcomes_of_different_kind() -> None:
    head, table = CallHead("ec2", "CreateVpc", "ec2"), AliasTable()
    good, bad = Outcome(200, {"Vpc": {}}), Outcome(400, {}, "VpcLimitExceeded", "no")
    assert [str(each) for each in differences(head, good, bad, table)] == [
        "outcome: expected status 200, got status 400 (VpcLimitExceeded)"
    ]
    assert differences(head, bad, Outcome(403, {}, "VpcLimitExceeded", "other words"), table) == []
    assert not equivalent(head, bad, Outcome(500, {}, "InternalError", ""), table).equivalent


def test_long_values_are_cut() -> None:
    [difference] = judged(
        "ssm:GetParameter", {"Parameter": {"Value": "a" * 999}}, {"Parameter": {"Value": "b"}}
    ).differences
    assert len(difference.expected) == 200 and difference.expected.endswith("…")
