"""How listings are continued, whatever their tokens are called."""

from __future__ import annotations

import pytest

from replay_proxy.wire.models.pagination import pagination_of


@pytest.mark.parametrize(
    ("service", "operation", "page", "token"),
    [
        ("ec2", "DescribeInstances", {"NextToken": "t", "Reservations": []}, {"NextToken": "t"}),
        ("route53", "ListHostedZones", {"NextMarker": "t", "IsTruncated": True}, {"Marker": "t"}),
        ("route53", "ListHostedZones", {"NextMarker": "t", "IsTruncated": False}, {}),
        ("dynamodb", "ListTables", {"LastEvaluatedTableName": "t"}, {"ExclusiveStartTableName": "t"}),
        (
            "route53",
            "ListResourceRecordSets",
            {"IsTruncated": True, "NextRecordName": "a.", "NextRecordType": "A"},
            {"StartRecordName": "a.", "StartRecordType": "A"},
        ),
        ("s3", "ListObjects", {"IsTruncated": True, "Contents": [{"Key": "a"}, {"Key": "b"}]}, {"Marker": "b"}),
        ("ecs", "ListTasks", {"taskArns": ["a"]}, {}),
    ],
)
def test_the_next_page_is_asked_for_with_its_own_tokens(
    service: str, operation: str, page: dict[str, object], token: dict[str, str]
) -> None:
    pagination = pagination_of(service, operation)
    assert pagination is not None
    assert pagination.next(page) == token
    assert pagination.is_continued({"Other": "x", **token}) == bool(token)
    assert pagination.first({"Other": "x", **token}) == {"Other": "x"}


def test_lists_inside_structures_are_found_and_set() -> None:
    pagination = pagination_of("cloudfront", "ListDistributions")
    assert pagination is not None
    result = {"DistributionList": {"Items": [1], "Quantity": 1}}
    assert pagination.lists(result) == {"DistributionList.Items": [1]}
    pagination.put(result, "DistributionList.Items", [1, 2])
    assert result == {"DistributionList": {"Items": [1, 2], "Quantity": 1}}


def test_an_operation_without_pages_has_none() -> None:
    assert pagination_of("sts", "GetCallerIdentity") is None
    assert pagination_of("no-such-service", "List") is None
