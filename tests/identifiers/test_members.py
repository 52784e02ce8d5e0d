from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

import replay_proxy.identifiers
from replay_proxy.identifiers.members import Role, role_by_name, role_of
from replay_proxy.wire.models import operation_model, service_model

RULES = orjson.loads((Path(replay_proxy.identifiers.__file__).parent / "data" / "members.json").read_bytes())["rules"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["match"][:40])
def test_every_rule_has_a_reason_and_names_services_that_exist(rule: dict[str, Any]) -> None:
    assert rule["reason"] and Role(rule["role"])
    for service in rule.get("service", "").split("|"):
        if service:
            model = service_model(service)
            names = {
                member
                for name in model.shape_names
                if (shape := model.shape_for(name)).type_name == "structure"
                for member in shape.members
            }
            assert any(re.fullmatch(rule["match"], name, re.IGNORECASE) for name in names)


@pytest.mark.parametrize(
    ("member", "role"),
    [
        ("VpcId", Role.IDENTIFIER),
        ("restApiId", Role.IDENTIFIER),
        ("TopicArn", Role.IDENTIFIER),
        ("QueueUrl", Role.IDENTIFIER),
        ("SecurityGroupIds", Role.IDENTIFIER),
        ("ReceiptHandle", Role.IDENTIFIER),
        ("PublicIp", Role.IDENTIFIER),
        ("uuid", Role.IDENTIFIER),
        ("UUID", Role.IDENTIFIER),
        ("Description", Role.TEXT),
        ("RequestId", Role.VOLATILE),
        ("NextToken", Role.VOLATILE),
        ("NextMarker", Role.VOLATILE),
        ("nextForwardToken", Role.VOLATILE),
        ("LastModified", Role.VOLATILE),
        ("CreateDate", Role.VOLATILE),
        ("ApproximateNumberOfMessages", Role.VOLATILE),
        ("ShardIterator", Role.VOLATILE),
        ("SecretAccessKey", Role.SECRET),
        ("MasterUserPassword", Role.SECRET),
        ("KeyFingerprint", Role.SECRET),
        ("ETag", Role.CONTENT),
        ("MD5OfMessageBody", Role.CONTENT),
        ("ChecksumSHA256", Role.CONTENT),
        ("AvailabilityZone", Role.CONTENT),
        ("TableStatus", Role.STATE),
        ("StackStatusReason", Role.STATE),
    ],
)
def test_names_say_what_members_are(member: str, role: Role) -> None:
    assert role_by_name("anything", "Anything", member) is role


def test_services_sharpen_the_rules() -> None:
    assert role_by_name("sns", "Publish", "MessageId") is Role.VOLATILE
    assert role_by_name("sqs", "SendMessage", "MessageId") is Role.IDENTIFIER
    assert role_by_name("dynamodb", "CreateTable", "LatestStreamLabel") is Role.IDENTIFIER


def test_types_say_more_than_names() -> None:
    table = operation_model("dynamodb", "CreateTable").output_shape
    assert table is not None
    description = table.members["TableDescription"]
    assert (
        role_of("dynamodb", "CreateTable", "CreationDateTime", description.members["CreationDateTime"]) is Role.VOLATILE
    )
    assert role_of("dynamodb", "CreateTable", "TableStatus", description.members["TableStatus"]) is Role.STATE
    vpc = operation_model("ec2", "CreateVpc").output_shape
    assert vpc is not None
    tenancy = vpc.members["Vpc"].members["InstanceTenancy"]
    assert role_of("ec2", "CreateVpc", "InstanceTenancy", tenancy) is Role.CONTENT
