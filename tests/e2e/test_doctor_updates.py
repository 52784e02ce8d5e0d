"""The doctor on what a creation had set and was changed behind the proxy's back: an update of the service sets it again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.clients import client
from tests.support.diagnoses import examined
from tests.support.processes import Proxy, left_out, missing

pytestmark = pytest.mark.emulator

Client = Callable[[str], Any]
TRUST = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "firehose.amazonaws.com"}}],
})  # fmt: skip


@dataclass(slots=True)
class Names:
    """What the state is called: by identifiers that the emulator drew."""

    api: str
    plan: str
    endpoint: str
    table: str
    acl: str
    nat: str
    balancer: str
    default_group: str
    targets: str
    other_role: str
    stream: str


def make(aws: Client) -> Names:
    role, other = (
        aws("iam").create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"] for name in ("r", "other")
    )
    for bucket in ("lake", "answers"):
        aws("s3").create_bucket(Bucket=bucket)
    aws("firehose").create_delivery_stream(
        DeliveryStreamName="d",
        ExtendedS3DestinationConfiguration={"RoleARN": role, "BucketARN": "arn:aws:s3:::lake"},
    )
    aws("athena").create_work_group(
        Name="w", Configuration={"ResultConfiguration": {"OutputLocation": "s3://answers/o"}}
    )
    stream = make_table(aws)
    api, plan = make_api(aws)
    endpoint, table, acl, nat, balancer, default_group, targets = make_network(aws)
    return Names(api, plan, endpoint, table, acl, nat, balancer, default_group, targets, other, stream)


def make_table(aws: Client) -> str:
    definitions = [{"AttributeName": name, "AttributeType": "S"} for name in ("id", "who")]
    index = {
        "IndexName": "by-who",
        "KeySchema": [{"AttributeName": "who", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    aws("dynamodb").create_table(
        TableName="seen",
        AttributeDefinitions=definitions,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[index],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    aws("kinesis").create_stream(StreamName="changes", ShardCount=1)
    stream = aws("kinesis").describe_stream_summary(StreamName="changes")["StreamDescriptionSummary"]["StreamARN"]
    return str(stream)


def make_api(aws: Client) -> tuple[str, str]:
    gateway = aws("apigateway")
    api = gateway.create_rest_api(name="shop")["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    gateway.put_method(restApiId=api, resourceId=root, httpMethod="GET", authorizationType="NONE")
    gateway.put_integration(restApiId=api, resourceId=root, httpMethod="GET", type="MOCK")
    deployment = gateway.create_deployment(restApiId=api)["id"]
    gateway.create_stage(restApiId=api, stageName="prod", deploymentId=deployment, variables={"colour": "red"})
    plan = gateway.create_usage_plan(name="many", apiStages=[{"apiId": api, "stage": "prod"}])["id"]
    return api, plan


def make_network(aws: Client) -> tuple[str, ...]:
    ec2 = aws("ec2")
    network = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=network, CidrBlock=f"10.1.{number}.0/24", AvailabilityZone=f"us-east-1{zone}")[
            "Subnet"
        ]["SubnetId"]
        for number, zone in ((1, "a"), (2, "b"))
    ]
    table = ec2.create_route_table(VpcId=network)["RouteTable"]["RouteTableId"]
    endpoint = ec2.create_vpc_endpoint(VpcId=network, ServiceName="com.amazonaws.us-east-1.s3", RouteTableIds=[table])[
        "VpcEndpoint"
    ]["VpcEndpointId"]
    acl = ec2.create_network_acl(VpcId=network)["NetworkAcl"]["NetworkAclId"]
    ec2.create_network_acl_entry(
        NetworkAclId=acl,
        RuleNumber=100,
        Protocol="6",
        RuleAction="allow",
        Egress=False,
        CidrBlock="0.0.0.0/0",
        PortRange={"From": 80, "To": 80},
    )
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnets[0], AllocationId=address)["NatGateway"]["NatGatewayId"]
    group = ec2.create_security_group(GroupName="web", Description="web", VpcId=network)["GroupId"]
    of_network = [{"Name": "vpc-id", "Values": [network]}, {"Name": "group-name", "Values": ["default"]}]
    default = ec2.describe_security_groups(Filters=of_network)["SecurityGroups"][0]["GroupId"]
    balancer = aws("elbv2").create_load_balancer(Name="front", Subnets=subnets, SecurityGroups=[group])[
        "LoadBalancers"
    ][0]["LoadBalancerArn"]
    targets = aws("elbv2").create_target_group(
        Name="servers", Protocol="HTTP", Port=80, VpcId=network, TargetType="instance"
    )["TargetGroups"][0]["TargetGroupArn"]
    template = ec2.create_launch_template(LaunchTemplateName="server", LaunchTemplateData={"InstanceType": "t3.micro"})[
        "LaunchTemplate"
    ]["LaunchTemplateId"]
    aws("autoscaling").create_auto_scaling_group(
        AutoScalingGroupName="fleet",
        MinSize=0,
        MaxSize=1,
        DesiredCapacity=0,
        LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"},
        VPCZoneIdentifier=subnets[0],
        TargetGroupARNs=[targets],
    )
    return endpoint, table, acl, nat, balancer, default, targets


def change(aws: Client, names: Names) -> None:
    aws("apigateway").update_stage(
        restApiId=names.api,
        stageName="prod",
        patchOperations=[{"op": "replace", "path": "/variables/colour", "value": "blue"}],
    )
    aws("ec2").modify_vpc_endpoint(VpcEndpointId=names.endpoint, RemoveRouteTableIds=[names.table])
    aws("ec2").delete_network_acl_entry(NetworkAclId=names.acl, RuleNumber=100, Egress=False)
    aws("ec2").delete_nat_gateway(NatGatewayId=names.nat)
    aws("elbv2").set_security_groups(LoadBalancerArn=names.balancer, SecurityGroups=[names.default_group])
    stream = aws("firehose").describe_delivery_stream(DeliveryStreamName="d")["DeliveryStreamDescription"]
    aws("firehose").update_destination(
        DeliveryStreamName="d",
        CurrentDeliveryStreamVersionId=stream["VersionId"],
        DestinationId=stream["Destinations"][0]["DestinationId"],
        ExtendedS3DestinationUpdate={"RoleARN": names.other_role},
    )
    aws("dynamodb").update_table(TableName="seen", GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-who"}}])


CHANGED = {
    ("AWS::ApiGateway::Stage", "variables.colour"),
    ("AWS::EC2::VPCEndpoint", "RouteTableIds"),
    ("AWS::EC2::NetworkAcl", "NetworkAclEntry"),
    ("AWS::EC2::NatGateway", ""),
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", "SecurityGroups"),
    ("AWS::KinesisFirehose::DeliveryStream", "ExtendedS3DestinationConfiguration.RoleARN"),
    ("AWS::DynamoDB::Table", "GlobalSecondaryIndexes"),
}


def found_in(document: dict[str, Any]) -> list[tuple[str, str]]:
    return sorted((finding["type"], finding["member"]) for finding in document["findings"])


def states_in(document: dict[str, Any]) -> dict[str, str]:
    return {each["resource"]: each["state"] for each in document["tree"]}


@pytest.mark.parametrize("emulator", ["moto", "ministack"])
def test_what_a_creation_had_set_is_set_again_by_an_update(start_proxy: Callable[..., Proxy], emulator: str) -> None:
    if emulator != "moto" and (reason := left_out(1)):
        pytest.skip(f"the same on {emulator} {reason}")
    if reason := missing(emulator):
        pytest.skip(reason)
    proxy = start_proxy("--emulator", emulator, "--check-wiring", "0")
    names = make(lambda service: client(service, proxy.url))
    if emulator == "ministack":  # moto fails on it
        client("dynamodb", proxy.url).enable_kinesis_streaming_destination(TableName="seen", StreamArn=names.stream)
    sound = examined(proxy)
    assert found_in(sound) == [], "and so the proxy knows what this emulator shows"
    emulator_url = proxy.status()["emulator"]["url"]
    change(lambda service: client(service, emulator_url), names)
    expected = set(CHANGED)
    if emulator == "ministack":
        client("dynamodb", emulator_url).disable_kinesis_streaming_destination(TableName="seen", StreamArn=names.stream)
        expected.add(("AWS::DynamoDB::Table", "KinesisStreamingDestination"))
        location = {"ResultConfigurationUpdates": {"OutputLocation": "s3://answers/other"}}
        client("athena", emulator_url).update_work_group(
            WorkGroup="w", ConfigurationUpdates=location
        )  # moto fails on it
        expected.add(("AWS::Athena::WorkGroup", "Configuration.ResultConfiguration.OutputLocation"))
    if emulator == "moto":  # MiniStack cannot detach, and puts a text in the place of a list that a patch is to add to
        patch = {"op": "remove", "path": "/apiStages", "value": f"{names.api}:prod"}
        client("apigateway", emulator_url).update_usage_plan(usagePlanId=names.plan, patchOperations=[patch])
        expected.add(("AWS::ApiGateway::UsagePlan", "apiStages.apiId"))
        client("autoscaling", emulator_url).detach_load_balancer_target_groups(
            AutoScalingGroupName="fleet", TargetGroupARNs=[names.targets]
        )
        expected.add(("AWS::AutoScaling::AutoScalingGroup", "TargetGroupARNs"))
    mended = examined(proxy, "?repair=1")
    assert found_in(mended["before"]) == sorted(expected)
    assert all(each["commands"] for each in mended["before"]["findings"])
    assert found_in(mended["after"]) == []
    assert states_in(mended["after"]) == states_in(sound), "what cannot be read any more is no finding"
    proxy.kill_all()
    assert found_in(examined(proxy.again())) == [], "the next restore has all of it"
