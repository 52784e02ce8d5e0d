from __future__ import annotations

import pytest

from replay_proxy.footprint.members.handed_out import is_condition, is_handed_out
from replay_proxy.footprint.members.member_roles import Role, member_in_map, names_by_key, role_of
from replay_proxy.wire.models.models import operation_model

TOKENS = [
    ("wafv2", "CreateIPSet", "LockToken"),
    ("wafv2", "UpdateIPSet", "NextLockToken"),
    ("wafv2", "ListIPSets", "LockToken"),
    ("cloudfront", "CreateDistribution", "ETag"),
    ("cloudfront", "UpdateDistribution", "ETag"),
    ("cloudfront-keyvaluestore", "PutKey", "ETag"),
    ("iotsitewise", "DescribeAssetModel", "eTag"),
    ("network-firewall", "CreateFirewall", "UpdateToken"),
    ("kinesisanalyticsv2", "CreateApplication", "ConditionalToken"),
    ("identitystore", "CreateUser", "Revision"),
    ("s3tables", "CreateTable", "versionToken"),
    ("codepipeline", "GetPipelineState", "token"),
    ("appconfigdata", "StartConfigurationSession", "InitialConfigurationToken"),
]
NO_TOKENS = [
    # Pages.
    ("wafv2", "ListIPSets", "NextMarker"),
    ("ec2", "DescribeVpcs", "NextToken"),
    ("route53", "ListHostedZones", "NextMarker"),
    ("apigateway", "GetRestApis", "position"),
    ("kinesis", "GetRecords", "NextShardIterator"),
    ("kinesis", "GetShardIterator", "ShardIterator"),
    ("appconfigdata", "GetLatestConfiguration", "NextPollConfigurationToken"),
    # Digests of content.
    ("s3", "PutObject", "ETag"),
    ("s3", "HeadObject", "ETag"),
    # What clients choose, or their SDKs.
    ("efs", "CreateFileSystem", "CreationToken"),
    ("nosuch", "Operation", "LockToken"),
]


@pytest.mark.parametrize(("service", "operation", "member"), TOKENS)
def test_what_another_operation_takes_is_handed_out(service: str, operation: str, member: str) -> None:
    assert is_handed_out(service, operation, member)
    assert role_of(service, operation, member, None) is Role.IDENTIFIER


@pytest.mark.parametrize(("service", "operation", "member"), NO_TOKENS)
def test_pages_and_digests_are_not(service: str, operation: str, member: str) -> None:
    assert not is_handed_out(service, operation, member)


def test_keys_of_maps_are_no_members_unless_they_name_attributes() -> None:
    def shape(service: str, operation: str, *path: str) -> object:
        found = operation_model(service, operation).output_shape
        for member in path:
            assert found is not None
            found = found.members[member]
        return found

    targets = shape("servicediscovery", "GetOperation", "Operation", "Targets")
    assert role_of(
        "servicediscovery", "GetOperation", member_in_map("Targets", targets, "NAMESPACE"), targets.value
    ) is (  # type: ignore[attr-defined]
        Role.IDENTIFIER
    )
    assert member_in_map("Attributes", shape("sqs", "GetQueueAttributes", "Attributes"), "QueueArn") == "QueueArn"
    assert member_in_map("Attributes", shape("sns", "GetTopicAttributes", "Attributes"), "TopicArn") == "TopicArn"
    variables = shape("lambda", "GetFunctionConfiguration", "Environment", "Variables")
    for key in ("PASSWORD", "State", "CREATED_AT", "NextToken"):
        name = member_in_map("Variables", variables, key)
        assert role_of("lambda", "GetFunctionConfiguration", name, variables.value) is Role.TEXT  # type: ignore[attr-defined]
    assert names_by_key(shape("secretsmanager", "DescribeSecret", "VersionIdsToStages"))
    assert not names_by_key(variables) and not names_by_key(None)


@pytest.mark.parametrize(
    ("service", "member", "is_one"),
    [
        ("wafv2", "LockToken", True),
        ("wafv2", "WebACLLockToken", True),
        ("waf", "ChangeToken", True),
        ("cloudfront", "IfMatch", True),
        ("s3", "IfNoneMatch", True),
        ("lambda", "RevisionId", True),
        ("dynamodb", "ExpectedRevisionId", True),
        ("kinesisanalyticsv2", "ConditionalToken", True),
        ("logs", "sequenceToken", True),
        ("sns", "Token", False),  # of a subscription: it is said, and never handed out by an answer
        ("elasticache", "AuthToken", False),
        ("amplify", "oauthToken", False),
        ("apigateway", "ifMatch", False),
    ],
)
def test_what_allows_a_call_is_told_from_what_the_call_sets(service: str, member: str, *, is_one: bool) -> None:
    assert is_condition(service, member) is is_one
