"""An app of CDK through the proxy: deployed, killed and restarted three times with a deployment in between, read back, diagnosed.

On MiniStack. On moto a stack that was made by a change set exports nothing that another could import.

`templates/*.json` is what `cdk synth` makes of `app.mjs` (aws-cdk-lib 2.276.0). Another owner stands for a changed app.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cdk import bootstrap, deploy
from tests.support.diagnoses import wrong_in
from tests.support.processes import Proxy, left_out
from tests.support.stories import Story

TEMPLATES = Path(__file__).parent / "templates"
STACKS = ("Base", "Network", "Alarms", "Shop")
"""In the order in which CDK deploys them: a later one imports what an earlier one exports."""
RESTARTS = 3
Reads = Sequence[tuple[str, str, Callable[[str], dict[str, Any]]]]

READS: Mapping[str, Reads] = {
    "AWS::ApiGateway::RestApi": [
        ("apigateway", "get_rest_api", lambda name: {"restApiId": name}),
        ("apigateway", "get_resources", lambda name: {"restApiId": name, "embed": ["methods"]}),
        ("apigateway", "get_stages", lambda name: {"restApiId": name}),
    ],
    "AWS::CloudWatch::Alarm": [("cloudwatch", "describe_alarms", lambda name: {"AlarmNames": [name]})],
    "AWS::DynamoDB::Table": [("dynamodb", "describe_table", lambda name: {"TableName": name})],
    "AWS::EC2::RouteTable": [("ec2", "describe_route_tables", lambda name: {"RouteTableIds": [name]})],
    "AWS::EC2::SecurityGroup": [("ec2", "describe_security_groups", lambda name: {"GroupIds": [name]})],
    "AWS::EC2::Subnet": [("ec2", "describe_subnets", lambda name: {"SubnetIds": [name]})],
    "AWS::EC2::VPC": [("ec2", "describe_vpcs", lambda name: {"VpcIds": [name]})],
    "AWS::Events::Rule": [
        ("events", "describe_rule", lambda name: {"Name": name}),
        ("events", "list_targets_by_rule", lambda name: {"Rule": name}),
    ],
    "AWS::IAM::Role": [
        ("iam", "get_role", lambda name: {"RoleName": name}),
        ("iam", "list_role_policies", lambda name: {"RoleName": name}),
    ],
    "AWS::KMS::Key": [
        ("kms", "describe_key", lambda name: {"KeyId": name}),
        ("kms", "list_aliases", lambda name: {"KeyId": name}),
    ],
    "AWS::Lambda::Function": [
        ("lambda", "get_function_configuration", lambda name: {"FunctionName": name}),
        ("lambda", "get_policy", lambda name: {"FunctionName": name, "Qualifier": "live"}),
        ("lambda", "list_event_source_mappings", lambda name: {"FunctionName": name}),
        ("lambda", "list_aliases", lambda name: {"FunctionName": name}),
    ],
    "AWS::Logs::LogGroup": [
        ("logs", "describe_log_groups", lambda name: {"logGroupNamePrefix": name}),
        ("logs", "describe_metric_filters", lambda name: {"logGroupName": name}),
    ],
    "AWS::S3::Bucket": [
        ("s3", "get_bucket_versioning", lambda name: {"Bucket": name}),
        ("s3", "list_object_versions", lambda name: {"Bucket": name}),
    ],
    "AWS::SNS::Topic": [
        ("sns", "get_topic_attributes", lambda name: {"TopicArn": name}),
        ("sns", "list_subscriptions_by_topic", lambda name: {"TopicArn": name}),
    ],
    "AWS::SQS::Queue": [("sqs", "get_queue_attributes", lambda name: {"QueueUrl": name, "AttributeNames": ["All"]})],
    "AWS::SSM::Parameter": [("ssm", "get_parameter", lambda name: {"Name": name})],
    "AWS::SecretsManager::Secret": [
        ("secretsmanager", "describe_secret", lambda name: {"SecretId": name}),
        ("secretsmanager", "get_secret_value", lambda name: {"SecretId": name}),
    ],
    "AWS::StepFunctions::StateMachine": [
        ("stepfunctions", "describe_state_machine", lambda name: {"stateMachineArn": name}),
    ],
}
"""By type of a stack's resource: what shows it, by the identifier that the stack tells."""

WITNESSED = 3.0
"""Seconds after the last read until it is recorded for certain: reads are written off the latency path."""
NOT_COMPARED = {"LastAccessedDate", "LastModifiedDate", "LastUpdatedTimestamp"}
"""A read of a secret moves its date of access. When a stack changed something may be told as of the restart."""

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.slow,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(bool(left_out(2)), reason=str(left_out(2))),
]


def deploy_app(story: Story, owner: str) -> None:
    for name in STACKS:
        text = (TEMPLATES / f"{name}.json").read_text()
        deploy(story.client, name, text.replace("nobody", owner))


def read(story: Story) -> dict[str, Any]:
    """What clients see: of each stack, its outputs, its resources and their identifiers; of each resource what `READS` asks."""
    cloudformation = story.client("cloudformation")
    shown: dict[str, Any] = {}
    for stack in cloudformation.describe_stacks()["Stacks"]:
        name = stack["StackName"]
        resources = cloudformation.list_stack_resources(StackName=name)["StackResourceSummaries"]
        shown[name] = stack
        shown[f"{name}: resources"] = resources
        shown[f"{name}: template"] = cloudformation.get_template(StackName=name)["TemplateBody"]
        for each in resources:
            for service, method, parameters in READS.get(each["ResourceType"], ()):
                answer = asked(story, service, method, parameters(each["PhysicalResourceId"]))
                shown[f"{name}: {each['LogicalResourceId']}: {service}:{method}"] = answer
    shown["exports"] = cloudformation.list_exports()["Exports"]
    return shown


def asked(story: Story, service: str, method: str, parameters: dict[str, Any]) -> Any:
    """The answer, or the code of its refusal."""
    try:
        answer = getattr(story.client(service), method)(**parameters)
    except ClientError as error:
        return error.response["Error"]["Code"]
    del answer["ResponseMetadata"]
    return answer


def unlike(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Where two states differ, and in what."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({*before, *after} - NOT_COMPARED):
            yield from unlike(before.get(name), after.get(name), f"{path}/{name}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for one, other in zip(before, after, strict=True):
            yield from unlike(one, other, f"{path}[]")
    elif before != after and not is_soon_after(before, after):
        yield f"{path}: {before!r} became {after!r}"


def is_soon_after(before: Any, after: Any) -> bool:
    """Are both times of one call? What the emulator did not tell of a call is told as having been when it was answered."""
    times = [time_of(before), time_of(after)]
    return None not in times and abs(times[0] - times[1]) < timedelta(seconds=1)


def time_of(value: Any) -> Any:
    """A point in time, also one that is told as a text (Lambda's `LastModified`); None for anything else."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(?:Z|[+-]\d{4})", value):
        return datetime.fromisoformat(value)
    return value if isinstance(value, datetime) else None


def test_an_app_of_cdk_is_the_same_after_each_restart(start_proxy: Callable[..., Proxy]) -> None:
    story = Story(start_proxy, "ministack")
    bootstrap(story.client)
    deploy_app(story, "nobody")
    assert wrong_in(story.proxy) == []
    for turn in range(RESTARTS):
        before = read(story)
        time.sleep(WITNESSED)
        report = story.restart()
        assert report["diverged"] == 0, report
        after = read(story)
        assert "\n".join(unlike(before, after)) == ""
        assert wrong_in(story.proxy) == []
        deploy_app(story, f"owner-{turn}")
        assert story.client("ssm").get_parameter(Name="/shop/owner")["Parameter"]["Value"] == f"owner-{turn}"
