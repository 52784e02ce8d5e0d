"""What a stack, a group or a service made by itself comes back by what made it, once, and under its identifiers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.stories import Story, until

pytestmark = pytest.mark.emulator


def done(formation: Any, name: str) -> str:
    """The state in which a stack came to rest."""

    def found() -> str:
        status = str(formation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
        return "" if status.endswith("IN_PROGRESS") else status

    return str(until(found))


def test_a_stack_whose_resources_were_changed_by_hand(story: Story) -> None:
    formation, sqs, s3, ssm = (story.client(name) for name in ("cloudformation", "sqs", "s3", "ssm"))
    template = {
        "Parameters": {"Seconds": {"Type": "String", "Default": "30"}},
        "Resources": {
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": {"Ref": "Seconds"}}},
            "Bucket": {"Type": "AWS::S3::Bucket"},
            "Size": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/size", "Type": "String", "Value": "1"}},
        },
        "Outputs": {"Url": {"Value": {"Ref": "Queue"}}, "Name": {"Value": {"Ref": "Bucket"}}},
    }
    formation.create_stack(
        StackName="app",
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": "Seconds", "ParameterValue": "31"}],
        Tags=[{"Key": "a", "Value": "1"}],
    )
    assert done(formation, "app") == "CREATE_COMPLETE"
    (stack,) = formation.describe_stacks(StackName="app")["Stacks"]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    sqs.set_queue_attributes(QueueUrl=outputs["Url"], Attributes={"VisibilityTimeout": "77"})
    sqs.send_message(QueueUrl=outputs["Url"], MessageBody="kept")
    s3.put_object(Bucket=outputs["Name"], Key="k", Body=b"old")
    s3.put_object(Bucket=outputs["Name"], Key="k", Body=b"new")
    ssm.put_parameter(Name="/size", Value="2", Type="String", Overwrite=True)

    def read() -> Any:
        (found,) = formation.describe_stacks(StackName="app")["Stacks"]
        resources = formation.describe_stack_resources(StackName="app")["StackResources"]
        timeout = sqs.get_queue_attributes(QueueUrl=outputs["Url"], AttributeNames=["VisibilityTimeout"])["Attributes"]
        return {
            "stack": (found["StackId"], found["StackStatus"], found["Parameters"], found["Tags"], found["Outputs"]),
            "resources": sorted((each["LogicalResourceId"], each["PhysicalResourceId"]) for each in resources),
            "queues": sqs.list_queues()["QueueUrls"],
            "buckets": [each["Name"] for each in s3.list_buckets()["Buckets"]],
            "timeout": timeout["VisibilityTimeout"],
            "object": s3.get_object(Bucket=outputs["Name"], Key="k")["Body"].read(),
            "size": ssm.get_parameter(Name="/size")["Parameter"]["Value"],
        }

    facts = story.survives(read)
    assert (facts["timeout"], facts["object"], facts["size"]) == ("77", b"new", "2")
    assert len(facts["queues"]) == len(facts["buckets"]) == 1
    assert [each["Body"] for each in sqs.receive_message(QueueUrl=outputs["Url"])["Messages"]] == ["kept"]


def test_stacks_that_need_each_other(story: Story) -> None:
    formation, s3, sqs = story.client("cloudformation"), story.client("s3"), story.client("sqs")
    inner = {"Resources": {"Inner": {"Type": "AWS::SQS::Queue"}}, "Outputs": {"Url": {"Value": {"Ref": "Inner"}}}}
    s3.create_bucket(Bucket="templates")
    s3.put_object(Bucket="templates", Key="inner.json", Body=json.dumps(inner))
    source = f"{story.proxy.url}/templates/inner.json"
    if story.emulator == "moto":  # which looks into its own buckets, whatever the host
        source = "https://s3.amazonaws.com/templates/inner.json"
    network = {
        "Resources": {"Network": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.9.0.0/16"}}},
        "Outputs": {"Vpc": {"Value": {"Ref": "Network"}, "Export": {"Name": "vpc"}}},
    }
    app = {
        "Resources": {
            "Subnet": {
                "Type": "AWS::EC2::Subnet",
                "Properties": {"VpcId": {"Fn::ImportValue": "vpc"}, "CidrBlock": "10.9.1.0/24"},
            },
        },
        "Outputs": {"Subnet": {"Value": {"Ref": "Subnet"}}},
    }
    for name, template in (("network", network), ("app", app)):
        formation.create_stack(StackName=name, TemplateBody=json.dumps(template))
        assert done(formation, name) == "CREATE_COMPLETE"
    outer = {"Resources": {"Nested": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": source}}}}
    formation.create_stack(StackName="outer", TemplateBody=json.dumps(outer))
    assert done(formation, "outer") == "CREATE_COMPLETE"
    # What was there once and is not any more.
    formation.create_stack(StackName="gone", TemplateBody=json.dumps(inner))
    done(formation, "gone")
    formation.delete_stack(StackName="gone")
    ec2 = story.client("ec2")

    def read() -> Any:
        stacks = sorted(
            (each["StackName"], each["StackId"], each["StackStatus"], str(each.get("Outputs")))
            for each in formation.describe_stacks()["Stacks"]
        )
        exports = [(each["Name"], each["Value"]) for each in formation.list_exports()["Exports"]]
        vpc = exports[0][1]
        subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
        return stacks, exports, [each["SubnetId"] for each in subnets], sqs.list_queues().get("QueueUrls", [])

    _, _, subnets, queues = story.survives(read)
    assert len(subnets) == 1
    assert len(queues) == 1


def test_instances_of_a_group(story: Story) -> None:
    ec2, scaling = story.client("ec2"), story.client("autoscaling")
    image = until(lambda: ec2.describe_images()["Images"])[0]["ImageId"]
    template = ec2.create_launch_template(
        LaunchTemplateName="worker", LaunchTemplateData={"ImageId": image, "InstanceType": "t2.micro"}
    )["LaunchTemplate"]["LaunchTemplateId"]
    vpc = ec2.create_vpc(CidrBlock="10.8.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.8.1.0/24", AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="workers",
        LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"},
        MinSize=1,
        MaxSize=4,
        DesiredCapacity=2,
        VPCZoneIdentifier=subnet,
    )
    scaling.set_desired_capacity(AutoScalingGroupName="workers", DesiredCapacity=3)

    def read() -> Any:
        (group,) = scaling.describe_auto_scaling_groups()["AutoScalingGroups"]
        return (
            group["AutoScalingGroupARN"],
            group["DesiredCapacity"],
            group["VPCZoneIdentifier"],
            sorted(each["InstanceId"] for each in group["Instances"]),
            sorted(
                (each["InstanceId"], each["State"]["Name"], each.get("SubnetId"))
                for reservation in ec2.describe_instances()["Reservations"]
                for each in reservation["Instances"]
            ),
        )

    _, capacity, place, in_group, machines = story.survives(read)
    assert (capacity, place) == (3, subnet)
    if machines:  # MiniStack lists instances in the group that EC2 does not know
        assert in_group == sorted(name for name, *_ in machines)
        named = ec2.describe_instances(InstanceIds=in_group)["Reservations"]
        assert sum(len(each["Instances"]) for each in named) == len(in_group)


def test_what_a_network_brings_with_it(story: Story) -> None:
    ec2 = story.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    other = ec2.create_vpc(CidrBlock="10.6.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    inside = [{"Name": "vpc-id", "Values": [vpc]}]
    group = ec2.describe_security_groups(Filters=inside)["SecurityGroups"][0]["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "d"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    (main,) = ec2.describe_route_tables(Filters=inside)["RouteTables"]
    ec2.create_route(RouteTableId=main["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", RouteTableIds=[main["RouteTableId"]])

    def read() -> Any:
        facts: dict[str, Any] = {}
        for network in (vpc, other):
            mine = [{"Name": "vpc-id", "Values": [network]}]
            groups = ec2.describe_security_groups(Filters=mine)["SecurityGroups"]
            tables = ec2.describe_route_tables(Filters=mine)["RouteTables"]
            acls = ec2.describe_network_acls(Filters=mine)["NetworkAcls"]
            facts[network] = (
                [(each["GroupId"], each["GroupName"], each["IpPermissions"]) for each in groups],
                [(each["RouteTableId"], sorted(str(route) for route in each["Routes"])) for each in tables],
                [each["NetworkAclId"] for each in acls],
                ec2.describe_vpc_attribute(VpcId=network, Attribute="enableDnsHostnames")["EnableDnsHostnames"],
            )
        facts["endpoints"] = [each["VpcEndpointId"] for each in ec2.describe_vpc_endpoints()["VpcEndpoints"]]
        return facts

    facts = story.survives(read)
    assert facts[vpc][0][0][0] == group


def test_tasks_of_a_service(story: Story) -> None:
    ecs = story.client("ecs")
    cluster = ecs.create_cluster(clusterName="c")["cluster"]["clusterArn"]
    for image in ("one", "two"):
        ecs.register_task_definition(
            family="web", containerDefinitions=[{"name": "web", "image": image, "memory": 64, "essential": True}]
        )
    ecs.create_service(cluster=cluster, serviceName="web", taskDefinition="web:1", desiredCount=2)
    ecs.update_service(cluster=cluster, service="web", taskDefinition="web:2", desiredCount=1)

    def read() -> Any:
        (service,) = ecs.describe_services(cluster=cluster, services=["web"])["services"]
        return (
            service["serviceArn"],
            service["taskDefinition"],
            service["desiredCount"],
            ecs.list_task_definitions()["taskDefinitionArns"],
            [each["clusterName"] for each in ecs.describe_clusters(clusters=[cluster])["clusters"]],
        )

    found = story.survives(read)
    assert found[1].endswith("web:2")
