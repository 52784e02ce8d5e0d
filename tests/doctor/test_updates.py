"""Which operation sets what a creation had set, and in which form it takes it."""

from __future__ import annotations

from typing import Any

import pytest

from replay_proxy.doctor.asking import RecordedCall
from replay_proxy.doctor.diagnosis import Update
from replay_proxy.doctor.readings import Names
from replay_proxy.doctor.updates import record_set_update, update_of
from tests.resources.recordings import ACCOUNT, Tape, one

INDEXES = [
    {
        "IndexName": name,
        "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    for name in ("one", "two")
]
DEFINITIONS = [{"AttributeName": name, "AttributeType": "S"} for name in ("id", "one", "two")]
TABLE = {
    "TableName": "t",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": DEFINITIONS,
    "GlobalSecondaryIndexes": INDEXES,
}
STAGE = {"restApiId": "a1", "stageName": "prod", "deploymentId": "d1", "variables": {"to/do": "x", "b": "y"}}


def update(
    service: str, made: tuple[str, dict[str, Any], dict[str, Any]], member: str, shown: Any = None
) -> Update | None:
    """What sets a member of the one resource that a creation has made. made: operation, parameters, answer."""
    tape = Tape()
    tape.call(service, *made, protocol="rest-json" if service == "apigateway" else "json")
    model = tape.model()
    (resource,) = (each for each in model.resources.values() if each.made_by)
    return update_of(Names(model, resource), member, shown or {})


@pytest.mark.parametrize(
    ("service", "made", "member", "operation", "parameters"),
    [
        (
            "ecr",
            ("CreateRepository", {"repositoryName": "r", "imageTagMutability": "IMMUTABLE"}, {}),
            "imageTagMutability",
            "PutImageTagMutability",
            {"repositoryName": "r", "imageTagMutability": "IMMUTABLE"},
        ),
        (
            "athena",
            (
                "CreateWorkGroup",
                {"Name": "w", "Configuration": {"ResultConfiguration": {"OutputLocation": "s3://b"}}},
                {},
            ),
            "Configuration.ResultConfiguration.OutputLocation",
            "UpdateWorkGroup",
            {"WorkGroup": "w", "ConfigurationUpdates": {"ResultConfigurationUpdates": {"OutputLocation": "s3://b"}}},
        ),
        (
            "apigateway",
            ("CreateStage", STAGE, {"stageName": "prod", "deploymentId": "d1"}),
            "variables.to/do",
            "UpdateStage",
            {
                "restApiId": "a1",
                "stageName": "prod",
                "patchOperations": [{"op": "replace", "path": "/variables/to~1do", "value": "x"}],
            },
        ),
    ],
)
def test_the_model_tells_what_sets_an_attribute(
    service: str,
    made: tuple[str, dict[str, Any], dict[str, Any]],
    member: str,
    operation: str,
    parameters: dict[str, Any],
) -> None:
    assert update(service, made, member) == Update(operation, parameters)


def test_patches_change_lists_entry_by_entry_and_are_told_so_again() -> None:
    tape = Tape()
    plan = {"name": "p", "apiStages": [{"apiId": "a1", "stage": "prod"}, {"apiId": "a1", "stage": "test"}]}
    tape.call("apigateway", "CreateUsagePlan", plan, {**plan, "id": "u1"}, protocol="rest-json")
    patches = [
        {"op": "remove", "path": "/apiStages", "value": "a1:test"},
        {"op": "add", "path": "/apiStages", "value": "b2:prod"},
        {"op": "replace", "path": "/apiStages/b2:prod/throttle/~1GET/rateLimit", "value": "5"},
    ]
    given = {"usagePlanId": "u1", "patchOperations": patches}
    tape.call("apigateway", "UpdateUsagePlan", given, {"id": "u1"}, protocol="rest-json")
    model = tape.model()
    resource = one(model, "AWS::ApiGateway::UsagePlan")
    assert resource.attributes["apiStages"] == [
        {"apiId": "a1", "stage": "prod"},
        {"apiId": "b2", "stage": "prod", "throttle": {"/GET": {"rateLimit": "5"}}},
    ]
    found = update_of(Names(model, resource), "apiStages.apiId", {"apiStages": [{"apiId": "a1", "stage": "prod"}]})
    again = [{"op": "add", "path": "/apiStages", "value": "b2:prod"}]
    assert found == Update("UpdateUsagePlan", {"usagePlanId": "u1", "patchOperations": again})
    assert update_of(Names(model, resource), "apiStages.apiId", {"id": "u1"}) is None, "it is not shown as a list"


def test_patches_by_path_change_lists_of_texts() -> None:
    tape = Tape()
    made = {"id": "r1", "name": "shop"}
    tape.call("apigateway", "CreateRestApi", {"name": "shop"}, made, protocol="rest-json")
    patches = [
        {"op": "add", "path": "/binaryMediaTypes/image~1png"},
        {"op": "add", "path": "/binaryMediaTypes/image~1gif"},
        {"op": "replace", "path": "/binaryMediaTypes/image~1gif", "value": "image/jpeg"},
    ]
    tape.call(
        "apigateway", "UpdateRestApi", {"restApiId": "r1", "patchOperations": patches}, made, protocol="rest-json"
    )
    model = tape.model()
    resource = one(model, "AWS::ApiGateway::RestApi")
    assert resource.attributes["binaryMediaTypes"] == ["image/png", "image/jpeg"]
    found = update_of(Names(model, resource), "binaryMediaTypes", {"binaryMediaTypes": ["image/png"]})
    again = [{"op": "add", "path": "/binaryMediaTypes/image~1jpeg"}]
    assert found == Update("UpdateRestApi", {"restApiId": "r1", "patchOperations": again})


def test_an_index_that_is_lost_is_made_again_with_its_definitions() -> None:
    shown = {"Table": {"GlobalSecondaryIndexes": [INDEXES[0]]}}
    found = update("dynamodb", ("CreateTable", TABLE, {}), "GlobalSecondaryIndexes", shown)
    assert found is not None
    assert found.parameters == {
        "TableName": "t",
        "AttributeDefinitions": DEFINITIONS,
        "GlobalSecondaryIndexUpdates": [{"Create": INDEXES[1]}],
    }


def test_an_operation_called_after_an_attribute_need_not_ask_for_it() -> None:
    tape = Tape()
    arn = f"arn:aws:elasticloadbalancing:eu-west-1:{ACCOUNT}:loadbalancer/app/front/0123456789abcdef"
    answer = f"<LoadBalancers><member><LoadBalancerArn>{arn}</LoadBalancerArn></member></LoadBalancers>"
    answer = f"<CreateLoadBalancerResult>{answer}</CreateLoadBalancerResult>"
    body = f"<CreateLoadBalancerResponse>{answer}</CreateLoadBalancerResponse>".encode()
    given = {"Name": "front", "Subnets": ["subnet-1", "subnet-2"]}
    tape.call("elbv2", "CreateLoadBalancer", given, protocol="query", body=body)
    model = tape.model()
    balancer = one(model, "AWS::ElasticLoadBalancingV2::LoadBalancer")
    found = update_of(Names(model, balancer), "Subnets", {})
    assert found == Update("SetSubnets", {"LoadBalancerArn": arn, "Subnets": ["subnet-1", "subnet-2"]})


def test_an_attribute_that_no_operation_takes_has_no_update() -> None:
    assert update("dynamodb", ("CreateTable", TABLE, {}), "KeySchema") is None


def test_of_streams_to_which_a_table_sends_those_that_were_ended_are_not_kept() -> None:
    tape = Tape()
    tape.call("dynamodb", "CreateTable", TABLE, {})
    streams = [f"arn:aws:kinesis:eu-west-1:{ACCOUNT}:stream/{name}" for name in ("a", "b")]
    for stream in streams:
        tape.call("dynamodb", "EnableKinesisStreamingDestination", {"TableName": "t", "StreamArn": stream}, {})
    tape.call("dynamodb", "DisableKinesisStreamingDestination", {"TableName": "t", "StreamArn": streams[0]}, {})
    table = one(tape.model(), "AWS::DynamoDB::Table")
    assert table.attributes["KinesisStreamingDestination"] == [{"StreamArn": streams[1]}]


def test_a_record_set_with_a_value_that_is_too_long_to_be_kept_is_set_as_it_was_sent() -> None:
    """Alone, and not with what else its batch was about."""
    long = {"Name": "long.example.com.", "Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": "x" * 70_000}]}
    other = {"Name": "other.example.com.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "10.0.0.1"}]}
    changes = [{"Action": "CREATE", "ResourceRecordSet": each} for each in (other, long)]
    given = {"HostedZoneId": "Z1", "ChangeBatch": {"Changes": changes}}
    tape = Tape()
    made = tape.call("route53", "ChangeResourceRecordSets", given, protocol="rest-xml", body=b"<R/>")
    model = tape.model()
    record_set = next(each for each in model.resources.values() if "long.example.com." in each.key.names)
    calls = {made: RecordedCall("test", "rest-xml", {}, parameters=given)}
    upsert = {"Action": "UPSERT", "ResourceRecordSet": long}
    found = record_set_update(record_set, calls.get)
    assert found == Update("ChangeResourceRecordSets", {"HostedZoneId": "Z1", "ChangeBatch": {"Changes": [upsert]}})
    assert record_set_update(record_set, lambda _seq: None) is None, "where the call cannot be read"
