"""Parameters -> botocore's serialiser -> our parser -> the same parameters."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replay_proxy.exchange import CallHead
from replay_proxy.wire.codecs.parameters import parse_parameters
from replay_proxy.wire.models.models import (
    load_description,
    model_defects,
    protocol_model,
    service_model,
    service_names,
)
from tests.wire.generated import Maker, request_of

EXCEPTIONS = orjson.loads((Path(__file__).parent / "roundtrip_exceptions.json").read_bytes())["differ"]
OURS = set(model_defects()["corrections"]["s3"][0]["merge"]["operations"])

SPREAD = [
    ("query", "sns", "Publish"),
    ("query", "sqs", "SendMessageBatch"),
    ("query", "sqs", "CreateQueue"),
    ("query", "iam", "CreatePolicy"),
    ("query", "cloudformation", "CreateStack"),
    ("query", "rds", "CreateDBInstance"),
    ("query", "autoscaling", "CreateAutoScalingGroup"),
    ("query", "cloudwatch", "PutMetricAlarm"),
    ("query", "elbv2", "CreateListener"),
    ("query", "ses", "SendEmail"),
    ("ec2", "ec2", "RunInstances"),
    ("ec2", "ec2", "DescribeInstances"),
    ("ec2", "ec2", "AuthorizeSecurityGroupIngress"),
    ("json", "dynamodb", "PutItem"),
    ("json", "dynamodb", "TransactWriteItems"),
    ("json", "sqs", "SendMessageBatch"),
    ("json", "kinesis", "PutRecords"),
    ("json", "stepfunctions", "CreateStateMachine"),
    ("json", "cognito-idp", "CreateUserPool"),
    ("json", "ecs", "RegisterTaskDefinition"),
    ("json", "events", "PutTargets"),
    ("json", "cloudwatch", "PutMetricData"),
    ("rest-json", "lambda", "CreateFunction"),
    ("rest-json", "lambda", "Invoke"),
    ("rest-json", "apigateway", "PutIntegration"),
    ("rest-json", "apigatewayv2", "CreateApi"),
    ("rest-json", "appsync", "CreateResolver"),
    ("rest-json", "scheduler", "CreateSchedule"),
    ("rest-json", "pipes", "CreatePipe"),
    ("rest-json", "bedrock-runtime", "Converse"),
    ("rest-json", "iot-data", "Publish"),
    ("rest-json", "batch", "SubmitJob"),
    ("rest-xml", "s3", "PutObject"),
    ("rest-xml", "s3", "CreateMultipartUpload"),
    ("rest-xml", "s3", "CompleteMultipartUpload"),
    ("rest-xml", "s3", "PutBucketLifecycleConfiguration"),
    ("rest-xml", "s3", "PutBucketNotificationConfiguration"),
    ("rest-xml", "s3", "PutBucketAcl"),
    ("rest-xml", "s3control", "CreateJob"),
    ("rest-xml", "route53", "ChangeResourceRecordSets"),
    ("rest-xml", "cloudfront", "CreateDistribution"),
    ("smithy-rpc-v2-cbor", "cloudwatch", "PutMetricData"),
    ("smithy-rpc-v2-cbor", "cloudwatch", "PutMetricAlarm"),
    ("smithy-rpc-v2-cbor", "arc-region-switch", "CreatePlan"),
]


def same(one: Any, other: Any) -> bool:
    """Equal in value and type; 1 and 1.0 are the same number, 1 and True are not."""
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(same(v, other[k]) for k, v in one.items())
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and math.isnan(one):
        return isinstance(other, float) and math.isnan(other)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    numbers = isinstance(one, int | float) and isinstance(other, int | float)
    return one == other and (numbers or type(one) is type(other))


def differences(service: str, operation: str, protocol: str, source: random.Random) -> dict[str, Any]:
    """Members that come back otherwise than they went in, with both values."""
    model = protocol_model(service, operation, protocol)
    params = Maker(source, protocol).parameters(model)
    request = request_of(model, params, protocol)
    parsed = parse_parameters(CallHead(service, operation, protocol), request)
    missing = object()
    return {
        name: (params.get(name), parsed.get(name))
        for name in params.keys() | parsed.keys()
        if not same(params.get(name, missing), parsed.get(name, missing))
    }


def allowed(service: str, operation: str) -> set[str]:
    return {
        member
        for entry in EXCEPTIONS
        if entry["service"] == service and entry["operation"] in (operation, "*")
        for member in entry["members"]
    }


@pytest.mark.parametrize(("protocol", "service", "operation"), SPREAD)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(source=st.randoms(use_true_random=False))
def test_parameters_come_back(protocol: str, service: str, operation: str, source: random.Random) -> None:
    found = differences(service, operation, protocol, source)
    assert {name: pair for name, pair in found.items() if name not in allowed(service, operation)} == {}


def test_every_operation_of_every_service_comes_back() -> None:
    wrong: dict[str, Any] = {}
    calls = 0
    for service in service_names():
        metadata = service_model(service).metadata
        protocols = list(metadata.get("protocols") or [metadata["protocol"]])
        protocols += [p for p, services in model_defects()["variants"].items() if service in services]
        for operation in service_model(service).operation_names:
            if service == "s3" and operation in OURS:
                continue  # added by our own data file: botocore has nothing to send it with
            for protocol in protocols:
                calls += 1
                source = random.Random(f"{service} {operation} {protocol}")
                found = differences(service, operation, protocol, source)
                kept = {name: pair for name, pair in found.items() if name not in allowed(service, operation)}
                if kept:
                    wrong[f"{service}:{operation} ({protocol})"] = kept
    assert wrong == {}
    assert calls > 19_000


def test_every_exception_names_an_operation_that_exists() -> None:
    for entry in EXCEPTIONS:
        operations = load_description(entry["service"])["operations"]
        assert entry["operation"] == "*" or entry["operation"] in operations
        assert entry["reason"].endswith(".")
