"""What has to be back before a request can be answered."""

from __future__ import annotations

import pytest

from replay_proxy.exchange import CallHead, Headers, Request
from replay_proxy.replay.planning.service_dependencies import dependent_services, services_needed, shows_resource_list
from replay_proxy.wire.models import models

STACKS = {"cloudformation", "cloudcontrol", "servicecatalog"}


def head(service: str, operation: str) -> CallHead:
    models.operation_model(service, operation)  # there is such an operation
    return CallHead(service, operation, "json", "", "us-east-1", "test")


def request(body: bytes = b"", target: str = "/") -> Request:
    return Request("POST", target, Headers(()), body)


@pytest.mark.parametrize(
    ("service", "operation", "body", "needed"),
    [
        ("ssm", "GetParameter", b'{"Name":"/a"}', {"ssm"}),
        ("dynamodbstreams", "ListStreams", b"{}", {"dynamodb", "dynamodbstreams"}),
        ("sns", "Subscribe", b"Endpoint=arn%3Aaws%3Asqs%3Aus-east-1%3A123456789012%3Aq", {"sns", "sqs"}),
        (
            "events",
            "PutTargets",
            b'{"Arn":"arn:aws:states:us-east-1:123456789012:stateMachine:m"}',
            {"events", "stepfunctions"},
        ),
        ("secretsmanager", "CreateSecret", b'{"Name":"s","KmsKeyId":"alias/a"}', {"secretsmanager", "kms"}),
        ("sqs", "SendMessage", b'{"MessageBody":"arn:aws:lambda:us-east-1:123456789012:function:f"}', {"sqs"}),
    ],
)
def test_a_call_needs_its_service_and_what_it_names(
    service: str, operation: str, body: bytes, needed: set[str]
) -> None:
    assert services_needed(head(service, operation), request(body)) == needed | STACKS


def test_networks_are_named_by_their_form() -> None:
    found = services_needed(head("elbv2", "CreateLoadBalancer"), request(b"Subnets.member.1=subnet-0a1b2c3d4e"))
    assert found is not None
    assert {"elbv2", "ec2", "autoscaling"} <= found


def test_what_may_touch_anything_needs_everything() -> None:
    assert services_needed(None, request(target="/restapis/a/dev/_user_request_/")) is None
    assert services_needed(head("resourcegroupstaggingapi", "GetResources"), request()) is None
    assert services_needed(head("cloudformation", "CreateStack"), request()) is None
    assert services_needed(head("cloudformation", "DescribeStacks"), request()) is not None


def test_stacks_may_have_made_a_resource_of_any_service() -> None:
    assert dependent_services("sqs") > STACKS


def test_few_operations_show_the_list_of_resources_alone() -> None:
    assert shows_resource_list(head("sqs", "ListQueues"))
    assert not shows_resource_list(head("sqs", "GetQueueAttributes"))
    assert not shows_resource_list(None)
