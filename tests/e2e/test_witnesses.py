"""Identifiers that clients learned from reads alone stay valid, too."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from tests.support.clients import SOON, client
from tests.support.processes import Proxy
from tests.support.stories import Story

pytestmark = pytest.mark.emulator


def settle(proxy: Proxy, witnesses: int) -> None:
    """Witnesses are recorded off the latency path; wait until there are as many."""
    deadline = time.monotonic() + 60
    while len(proxy.records("witness")) < witnesses:
        assert time.monotonic() < deadline, proxy.records("witness")
        time.sleep(0.05)


def test_the_default_vpc_and_what_was_built_in_it(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    ec2 = client("ec2", proxy.url)
    default = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    settle(proxy, 1)
    group = ec2.create_security_group(GroupName="web", Description="d", VpcId=default)["GroupId"]
    before = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [default]}])["Subnets"]
    settle(proxy, 2)
    proxy.kill_all()
    proxy = proxy.again()
    assert ec2.describe_vpcs(VpcIds=[default])["Vpcs"][0]["IsDefault"] is True
    groups = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"]
    assert [(each["GroupName"], each["VpcId"]) for each in groups] == [("web", default)]
    after = ec2.describe_subnets(SubnetIds=[subnet["SubnetId"] for subnet in before])["Subnets"]
    places = [{subnet["SubnetId"]: subnet["CidrBlock"] for subnet in each} for each in (before, after)]
    assert places[0] == places[1]


def test_what_a_stack_made(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    template = {
        "Resources": {
            "Queue": {"Type": "AWS::SQS::Queue"},
            "Network": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.3.0.0/16"}},
        },
        "Outputs": {"Url": {"Value": {"Ref": "Queue"}}, "Vpc": {"Value": {"Ref": "Network"}}},
    }
    formation, sqs, ec2 = (client(service, proxy.url) for service in ("cloudformation", "sqs", "ec2"))
    stack = formation.create_stack(StackName="app", TemplateBody=json.dumps(template))["StackId"]
    formation.get_waiter("stack_create_complete").wait(StackName="app", WaiterConfig=SOON)
    described = formation.describe_stacks(StackName=stack)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
    settle(proxy, 1)
    sqs.send_message(QueueUrl=outputs["Url"], MessageBody="kept")
    proxy.kill_all()
    proxy = proxy.again()
    again = formation.describe_stacks(StackName=stack)["Stacks"][0]
    assert {output["OutputKey"]: output["OutputValue"] for output in again["Outputs"]} == outputs
    assert [each["Body"] for each in sqs.receive_message(QueueUrl=outputs["Url"])["Messages"]] == ["kept"]
    assert ec2.describe_vpcs(VpcIds=[outputs["Vpc"]])["Vpcs"][0]["CidrBlock"] == "10.3.0.0/16"
    assert proxy.status()["last_restore"]["problems"] == []


def test_a_repeated_read_is_kept_once(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy()
    ec2 = client("ec2", proxy.url)
    for _ in range(5):
        ec2.describe_vpcs()
    settle(proxy, 1)
    for _ in range(5):
        ec2.describe_vpcs()
    proxy.stop()
    assert len(proxy.records("witness")) == 1


ZONE = {"Resources": {"Z": {"Type": "AWS::Route53::HostedZone", "Properties": {"Name": "zz.example.com."}}}}
INTEGRATION = {"type": "HTTP_PROXY", "httpMethod": "GET", "payloadFormatVersion": "1.0", "uri": "https://example.com"}
GET = {"get": {"responses": {"default": {"description": "d"}}, "x-amazon-apigateway-integration": INTEGRATION}}


def test_what_only_a_large_answer_a_later_page_or_short_ids_showed(start_proxy: Callable[..., Proxy]) -> None:
    story = Story(start_proxy, "moto")
    scaling, ec2, route53 = (story.client(each) for each in ("autoscaling", "ec2", "route53"))
    gateway, discovery = story.client("apigatewayv2"), story.client("servicediscovery")
    scaling.create_launch_configuration(LaunchConfigurationName="lc", ImageId="ami-12c6146b", InstanceType="t3.micro")
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="group",
        LaunchConfigurationName="lc",
        MinSize=25,
        MaxSize=25,
        AvailabilityZones=["us-east-1a"],
        Tags=[{"Key": f"k{n}", "Value": "v" * 250, "PropagateAtLaunch": True} for n in range(45)],
    )
    for name in "abcdef":
        route53.create_hosted_zone(Name=f"{name}.example.com", CallerReference=name)
    story.client("cloudformation").create_stack(StackName="zone", TemplateBody=json.dumps(ZONE))
    for name in ("first", "second"):
        api = gateway.create_api(Name=name, ProtocolType="HTTP")["ApiId"]
    document = {"openapi": "3.0.1", "info": {"title": "t", "version": "v1"}, "paths": {"/a": GET, "/b": GET}}
    gateway.reimport_api(ApiId=api, Body=json.dumps(document))
    made = discovery.create_http_namespace(Name="space")["OperationId"]

    def instances() -> list[tuple[str, ...]]:
        found = [each for r in ec2.describe_instances()["Reservations"] for each in r["Instances"]]
        return sorted(
            (each["InstanceId"], each["PrivateIpAddress"], each["NetworkInterfaces"][0]["NetworkInterfaceId"])
            for each in found
        )

    def zones() -> list[str]:
        pages = route53.get_paginator("list_hosted_zones").paginate(PaginationConfig={"PageSize": 2})
        return sorted(f"{zone['Name']} {zone['Id']}" for page in pages for zone in page["HostedZones"])

    def all_that_was_shown() -> object:
        return (
            instances(),
            zones(),
            sorted(
                (each["RouteKey"], each["RouteId"], each["Target"]) for each in gateway.get_routes(ApiId=api)["Items"]
            ),
            discovery.get_operation(OperationId=made)["Operation"]["Targets"],
        )

    before = story.survives(all_that_was_shown)
    assert len(before[0]) == 25 and len(before[1]) == 7 and len(before[2]) == 2
    described = [each for each in story.proxy.records("witness") if each["operation"] == "DescribeInstances"]
    assert len(described) == 1, "each restart read it again, and that is no reason to record it again"
    assert "blob" in json.dumps(described[0])
