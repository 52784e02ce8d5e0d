from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

import replay_proxy.footprint.members
from replay_proxy.footprint.members.member_roles import Role, role_by_name, role_of
from replay_proxy.wire.models.models import operation_model, service_model

RULES = orjson.loads((Path(replay_proxy.footprint.members.__file__).parent / "data" / "members.json").read_bytes())[
    "rules"
]


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


@pytest.mark.parametrize(
    "member",
    [
        "Runtime",
        "runtime",
        "Format",
        "OutputFormat",
        "format",
        "AutoUpdate",
        "Stat",
        "Birthdate",
        "MaxInstanceLifetime",
    ],
)
def test_a_word_that_ends_like_a_time_is_none(member: str) -> None:
    assert role_by_name("glue", "GetJob", member) is not Role.VOLATILE


@pytest.mark.parametrize(
    "member",
    [
        *("CreationTime", "created_at", "createdAt", "expires", "ValidUntil", "ssmAgentDiscoveryDatetime", "timestamp"),
        *(
            "StartTimeMillis",
            "LastModified",
            "BilledDuration",
            "executionDuration",
            "lastUpdateDate",
            "CreatedTimestamp",
        ),
    ],
)
def test_times_are_told_by_their_word(member: str) -> None:
    assert role_by_name("glue", "GetJob", member) is Role.VOLATILE


@pytest.mark.parametrize(
    "member", ["SecurityGroups", "securityGroups", "ChannelSecurityGroups", "Subnets", "DnsIps", "subnets"]
)
def test_lists_of_ids_are_told_by_what_they_list(member: str) -> None:
    assert role_by_name("efs", "DescribeMountTargetSecurityGroups", member) is Role.IDENTIFIER


@pytest.mark.parametrize(
    ("service", "member"), [("apigateway", "cacheNamespace"), ("eks", "issuer"), ("iot", "registrationCode")]
)
def test_what_an_emulator_derives_or_draws_is_an_identifier(service: str, member: str) -> None:
    assert role_by_name(service, "GetThing", member) is Role.IDENTIFIER


def test_what_is_set_for_a_table_is_not_measured() -> None:
    assert role_by_name("dynamodb", "CreateTable", "ReadCapacityUnits") is Role.CONTENT
    assert role_by_name("dynamodb", "PutItem", "ReadCapacityUnits") is Role.VOLATILE
    assert role_by_name("dynamodb", "Query", "CapacityUnits") is Role.VOLATILE
    assert role_by_name("ssm", "GetMaintenanceWindow", "Duration") is Role.TEXT


@pytest.mark.parametrize(
    ("member", "role"),
    [
        ("runtimeId", Role.IDENTIFIER),
        ("EngineSecurityGroupId", Role.IDENTIFIER),
        ("PlatformApplicationArn", Role.IDENTIFIER),
        ("RuntimeVersionArn", Role.IDENTIFIER),
        ("Runtime", Role.CONTENT),
        ("RuntimePlatform", Role.CONTENT),
        ("EngineVersion", Role.CONTENT),
        ("PlatformDetails", Role.CONTENT),
        ("DBEngine", Role.CONTENT),
    ],
)
def test_the_id_of_a_runtime_is_not_chosen_from_a_list(member: str, role: Role) -> None:
    assert role_by_name("ecs", "RunTask", member) is role
