"""The doctor on sound states whose links the emulator shows in part, under another name, or not at all: nothing is found."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.diagnoses import wrong_in
from tests.support.processes import Proxy
from tests.support.stories import Story

pytestmark = pytest.mark.emulator

TRUST = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}],
})  # fmt: skip


def test_a_sound_state_is_sound(start_proxy: Callable[..., Proxy]) -> None:
    story = Story(start_proxy, "moto")
    role = story.client("iam").create_role(RoleName="service", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    queues = [queue(story, name) for name in ("jobs", "orders")]
    make_function(story, role, queues)
    make_api_beside_a_provider_of_identities(story)
    make_options_of_a_network(story)
    story.client("codebuild").create_project(
        name="web",
        source={"type": "S3", "location": "lake/web.zip"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "standard", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=role,
    )
    query = json.dumps(
        {"ResourceTypeFilters": ["AWS::AllSupported"], "TagFilters": [{"Key": "owner", "Values": ["x"]}]}
    )
    story.client("resource-groups").create_group(Name="team", ResourceQuery={"Type": "TAG_FILTERS_1_0", "Query": query})
    assert wrong_in(story.proxy) == []
    story.restart()
    assert wrong_in(story.proxy) == []


def queue(story: Story, name: str) -> str:
    sqs = story.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])


def make_function(story: Story, role: str, queues: list[str]) -> None:
    """A function with an alias; a mapping names the one, the other the alias, and moto shows the version in its place."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("index.py", "def handler(event, context): return None")
    made: Any = story.client("lambda")
    function = made.create_function(
        FunctionName="worker",
        Runtime="python3.12",
        Role=role,
        Handler="index.handler",
        Code={"ZipFile": package.getvalue()},
        Publish=True,
    )
    alias = made.create_alias(FunctionName="worker", Name="live", FunctionVersion=function["Version"])
    made.create_event_source_mapping(EventSourceArn=queues[0], FunctionName=alias["AliasArn"])
    made.create_event_source_mapping(EventSourceArn=queues[1], FunctionName="worker")
    made.create_function_url_config(FunctionName="worker", AuthType="NONE")
    made.put_function_event_invoke_config(
        FunctionName="worker", DestinationConfig={"OnFailure": {"Destination": queues[0]}}
    )


def make_api_beside_a_provider_of_identities(story: Story) -> None:
    """Both have addresses without a path."""
    story.client("iam").create_open_id_connect_provider(Url="https://token.hub.example", ThumbprintList=["a" * 40])
    story.client("apigatewayv2").create_api(Name="web", ProtocolType="HTTP")


def make_options_of_a_network(story: Story) -> None:
    """What shows the options does not show of which network they are."""
    ec2 = story.client("ec2")
    network = ec2.create_vpc(CidrBlock="10.60.0.0/16")["Vpc"]["VpcId"]
    options = ec2.create_dhcp_options(DhcpConfigurations=[{"Key": "domain-name", "Values": ["inside.example"]}])
    ec2.associate_dhcp_options(DhcpOptionsId=options["DhcpOptions"]["DhcpOptionsId"], VpcId=network)
