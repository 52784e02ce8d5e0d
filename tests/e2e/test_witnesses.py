"""Identifiers that clients learned from reads alone stay valid, too."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from tests.support.clients import SOON, client
from tests.support.processes import Proxy

pytestmark = pytest.mark.emulator


def settle(proxy: Proxy, witnesses: int) -> None:
    """Witnesses are recorded off the latency path; wait until there are as many."""
    deadline = time.monotonic() + 10
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
