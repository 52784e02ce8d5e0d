"""Resources that are gone take with them what only hung on them, and nothing else."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from replay_proxy.replay.planning.plan import live_calls
from tests.replay.lab import Lab, operations

pytestmark = pytest.mark.emulator

TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


def policy(resource: str) -> str:
    statement = {"Effect": "Allow", "Action": "*", "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def kept(lab: Lab) -> list[str]:
    """The operations that are kept, after a restore of them in which every one succeeded."""
    compacted = live_calls(lab.records)
    numbers = {record.seq for record in compacted.kept} | {each.seq for each in compacted.omissions}
    assert numbers == {record.seq for record in lab.records}
    lab.empty()
    report = lab.restore(compacted.kept)
    assert [problem.as_json() for problem in report.problems] == []
    return operations(compacted.kept)


def function_code() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        package.writestr(zipfile.ZipInfo("worker.py", (2020, 1, 1, 0, 0, 0)), "def handle(event, context): pass\n")
    return out.getvalue()


def test_a_queue_with_its_settings_and_messages(lab: Lab) -> None:
    sqs = lab.client("sqs")
    queue = sqs.create_queue(QueueName="gone")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"DelaySeconds": "0"})
    sqs.tag_queue(QueueUrl=queue, Tags={"a": "b"})
    sqs.send_message(QueueUrl=queue, MessageBody="m")
    sqs.create_queue(QueueName="stays")
    sqs.delete_queue(QueueUrl=queue)
    assert kept(lab) == ["CreateQueue"]
    assert [url.rpartition("/")[2] for url in sqs.list_queues()["QueueUrls"]] == ["stays"]


def test_a_name_that_is_used_again_means_the_new_one(lab: Lab) -> None:
    sqs = lab.client("sqs")
    for delay in ("1", "2"):
        queue = sqs.create_queue(QueueName="again", Attributes={"DelaySeconds": "0"})["QueueUrl"]
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"DelaySeconds": delay})
        if delay == "1":
            sqs.delete_queue(QueueUrl=queue)
    assert kept(lab) == ["CreateQueue", "SetQueueAttributes"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["DelaySeconds"])["Attributes"]
    assert attributes["DelaySeconds"] == "2"


def test_a_bucket_with_objects_and_settings(lab: Lab) -> None:
    s3 = lab.client("s3")
    for bucket in ("gone", "stays"):
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    s3.put_bucket_tagging(Bucket="gone", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.delete_object(Bucket="gone", Key="k")
    s3.delete_bucket(Bucket="gone")
    assert kept(lab) == ["CreateBucket", "PutObject"]
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["stays"]


def test_a_bucket_that_was_copied_from_stays_as_long_as_the_copy(lab: Lab) -> None:
    s3 = lab.client("s3")
    for bucket in ("source", "stays"):
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket="source", Key="k", Body=b"precious")
    s3.copy_object(Bucket="stays", Key="k", CopySource="source/k")
    s3.delete_object(Bucket="source", Key="k")
    s3.delete_bucket(Bucket="source")
    assert len(kept(lab)) == len(lab.records)
    assert s3.get_object(Bucket="stays", Key="k")["Body"].read() == b"precious"


def test_a_network_with_all_that_is_in_it(lab: Lab) -> None:
    ec2 = lab.client("ec2")

    def network(block: int) -> dict[str, str]:
        vpc = ec2.create_vpc(CidrBlock=f"10.{block}.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.{block}.1.0/24")["Subnet"]["SubnetId"]
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        link = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
        group = ec2.create_security_group(GroupName=f"g{block}", Description="d", VpcId=vpc)["GroupId"]
        rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
        ec2.create_tags(Resources=[vpc, subnet], Tags=[{"Key": "Name", "Value": f"n{block}"}])
        return {
            "vpc": vpc,
            "subnet": subnet,
            "gateway": gateway,
            "table": table,
            "link": link,
            "group": group,
        }

    gone, stays = network(1), network(2)
    ec2.delete_security_group(GroupId=gone["group"])
    ec2.disassociate_route_table(AssociationId=gone["link"])
    ec2.delete_route_table(RouteTableId=gone["table"])
    ec2.detach_internet_gateway(InternetGatewayId=gone["gateway"], VpcId=gone["vpc"])
    ec2.delete_internet_gateway(InternetGatewayId=gone["gateway"])
    ec2.delete_subnet(SubnetId=gone["subnet"])
    ec2.delete_vpc(VpcId=gone["vpc"])
    assert kept(lab) == [
        "CreateVpc",
        "CreateSubnet",
        "CreateInternetGateway",
        "AttachInternetGateway",
        "CreateRouteTable",
        "CreateRoute",
        "AssociateRouteTable",
        "CreateSecurityGroup",
        "AuthorizeSecurityGroupIngress",
        "CreateTags",
    ]
    assert ec2.describe_vpcs(VpcIds=[stays["vpc"]])["Vpcs"][0]["CidrBlock"] == "10.2.0.0/16"
    groups = ec2.describe_security_groups(GroupIds=[stays["group"]])["SecurityGroups"]
    assert [rule["FromPort"] for rule in groups[0]["IpPermissions"]] == [80]


def test_a_tag_on_a_live_resource_keeps_the_dead_one_of_the_same_call(lab: Lab) -> None:
    ec2 = lab.client("ec2")
    vpcs = [ec2.create_vpc(CidrBlock=f"10.{n}.0.0/16")["Vpc"]["VpcId"] for n in range(2)]
    ec2.create_tags(Resources=vpcs, Tags=[{"Key": "Name", "Value": "both"}])
    ec2.delete_vpc(VpcId=vpcs[0])
    assert kept(lab) == ["CreateVpc", "CreateVpc", "CreateTags", "DeleteVpc"]
    described = ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": ["both"]}])["Vpcs"]
    assert [each["VpcId"] for each in described] == [vpcs[1]]


def make_role(iam: Any, name: str, policy_arn: str) -> str:
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=policy_arn)
    iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=policy("*"))
    return str(arn)


def drop_role(iam: Any, name: str, policy_arn: str) -> None:
    iam.delete_role_policy(RoleName=name, PolicyName="inline")
    iam.detach_role_policy(RoleName=name, PolicyArn=policy_arn)
    iam.delete_role(RoleName=name)


def test_a_role_with_its_policies(lab: Lab) -> None:
    iam = lab.client("iam")
    shared = iam.create_policy(PolicyName="shared", PolicyDocument=policy("*"))["Policy"]["Arn"]
    for name in ("gone", "stays"):
        make_role(iam, name, shared)
    drop_role(iam, "gone", shared)
    assert kept(lab) == ["CreatePolicy", "CreateRole", "AttachRolePolicy", "PutRolePolicy"]
    attached = iam.list_attached_role_policies(RoleName="stays")["AttachedPolicies"]
    assert [each["PolicyArn"] for each in attached] == [shared]
    assert iam.list_role_policies(RoleName="stays")["PolicyNames"] == ["inline"]


@pytest.mark.parametrize("role", ["web", "billing"])
def test_an_attachment_outlives_its_policy(lab: Lab, role: str) -> None:
    """moto deletes a policy that is attached, and lists it on; what ends it is the end of its role, not of a namesake."""
    iam = lab.client("iam")
    policy_arn = iam.create_policy(PolicyName="web", PolicyDocument=policy("*"))["Policy"]["Arn"]
    make_role(iam, role, policy_arn)
    deleted = ["DeletePolicy"]
    try:
        iam.delete_policy(PolicyArn=policy_arn)
    except iam.exceptions.DeleteConflictException:
        deleted = []
    assert kept(lab) == ["CreatePolicy", "CreateRole", "AttachRolePolicy", "PutRolePolicy", *deleted]
    listed = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert [each["PolicyArn"] for each in listed] == [policy_arn]


def test_a_role_stays_as_long_as_a_function_names_it(lab: Lab) -> None:
    iam, functions = lab.client("iam"), lab.client("lambda")
    role = iam.create_role(RoleName="runner", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]

    def make(name: str) -> None:
        functions.create_function(
            FunctionName=name,
            Role=role,
            Runtime="python3.12",
            Handler="worker.handle",
            Code={"ZipFile": function_code()},
        )

    make("work")
    iam.delete_role(RoleName="runner")
    assert operations(live_calls(lab.records).kept) == ["CreateRole", "CreateFunction", "DeleteRole"]
    functions.delete_function(FunctionName="work")
    assert kept(lab) == []
    assert functions.list_functions()["Functions"] == []


def test_a_topic_takes_its_subscriptions(lab: Lab) -> None:
    sns, sqs = lab.client("sns"), lab.client("sqs")
    queue = sqs.create_queue(QueueName="listener")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topics = [sns.create_topic(Name=name)["TopicArn"] for name in ("gone", "stays")]
    links = [sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"] for topic in topics]
    for link in links:
        sns.set_subscription_attributes(SubscriptionArn=link, AttributeName="RawMessageDelivery", AttributeValue="true")
    sns.delete_topic(TopicArn=topics[0])
    assert kept(lab) == ["CreateQueue", "CreateTopic", "Subscribe", "SetSubscriptionAttributes"]
    assert [each["SubscriptionArn"] for each in sns.list_subscriptions()["Subscriptions"]] == [links[1]]


def test_a_parameter_begins_anew_after_a_delete(lab: Lab) -> None:
    ssm = lab.client("ssm")
    for value in ("one", "two"):
        ssm.put_parameter(Name="/app/a", Value=value, Type="String", Overwrite=True)
        ssm.put_parameter(Name="/app/b", Value=value, Type="String", Overwrite=True)
    ssm.delete_parameters(Names=["/app/a"])
    ssm.put_parameter(Name="/app/a", Value="three", Type="String")
    assert kept(lab) == ["PutParameter", "PutParameter", "PutParameter"]
    found = {
        each["Name"]: (each["Value"], each["Version"])
        for each in ssm.get_parameters(Names=["/app/a", "/app/b"])["Parameters"]
    }
    assert found == {"/app/a": ("three", 1), "/app/b": ("two", 2)}


def test_a_table_with_its_items(lab: Lab) -> None:
    dynamodb = lab.client("dynamodb")
    for name in ("gone", "stays"):
        dynamodb.create_table(
            TableName=name,
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        dynamodb.put_item(TableName=name, Item={"pk": {"S": "a"}})
    dynamodb.delete_table(TableName="gone")
    assert kept(lab) == ["CreateTable", "PutItem"]
    assert dynamodb.list_tables()["TableNames"] == ["stays"]


def test_a_secret_that_can_be_restored_is_kept(lab: Lab) -> None:
    secrets = lab.client("secretsmanager")
    for name in ("soft", "hard"):
        secrets.create_secret(Name=name, SecretString="s")
        secrets.put_secret_value(SecretId=name, SecretString="t")
    secrets.delete_secret(SecretId="soft", RecoveryWindowInDays=7)
    secrets.delete_secret(SecretId="hard", ForceDeleteWithoutRecovery=True)
    assert kept(lab) == ["CreateSecret", "PutSecretValue", "DeleteSecret"]


def test_an_api_with_its_parts(lab: Lab) -> None:
    api = lab.client("apigateway")
    made = api.create_rest_api(name="gone")["id"]
    root = next(each["id"] for each in api.get_resources(restApiId=made)["items"] if each["path"] == "/")
    part = api.create_resource(restApiId=made, parentId=root, pathPart="p")["id"]
    api.put_method(restApiId=made, resourceId=part, httpMethod="GET", authorizationType="NONE")
    api.put_integration(restApiId=made, resourceId=part, httpMethod="GET", type="MOCK")
    api.create_deployment(restApiId=made, stageName="live")
    stays = api.create_rest_api(name="gone")["id"]
    api.delete_rest_api(restApiId=made)
    assert kept(lab) == ["CreateRestApi"]
    assert [each["id"] for each in api.get_rest_apis()["items"]] == [stays]


def test_a_log_group_with_streams_and_events(lab: Lab) -> None:
    logs = lab.client("logs")
    for group in ("/gone", "/stays"):
        logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName="s")
        logs.put_log_events(
            logGroupName=group, logStreamName="s", logEvents=[{"timestamp": 1767225600000, "message": "m"}]
        )
        logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    logs.delete_log_group(logGroupName="/gone")
    assert kept(lab) == ["CreateLogGroup", "CreateLogStream", "PutLogEvents", "PutRetentionPolicy"]


def test_filters_of_a_log_group_whatever_else_is_called_like_them(lab: Lab) -> None:
    role = lab.client("iam").create_role(RoleName="prod", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    lab.client("lambda").create_function(
        FunctionName="prod", Runtime="python3.12", Role=role, Handler="worker.handle", Code={"ZipFile": function_code()}
    )
    logs, of = lab.client("logs"), {"logGroupName": "prod"}
    logs.create_log_group(**of)
    metric = {"metricName": "prod", "metricNamespace": "prod", "metricValue": "1"}
    logs.put_metric_filter(filterName="prod", filterPattern="x", metricTransformations=[metric], **of)
    logs.delete_metric_filter(filterName="prod", **of)
    logs.put_retention_policy(retentionInDays=7, **of)
    logs.delete_retention_policy(**of)
    logs.create_log_stream(logStreamName="prod", **of)
    logs.delete_log_group(**of)
    # The name is none of the group's stream any more.
    logs.create_log_group(logGroupName="/of/prod")
    logs.create_log_stream(logGroupName="/of/prod", logStreamName="prod")
    assert kept(lab) == ["CreateRole", "CreateFunction", "CreateLogGroup", "CreateLogStream"]


def test_instances_go_when_all_of_their_call_are_terminated(lab: Lab) -> None:
    ec2 = lab.client("ec2")
    image = "ami-12c6146b"
    runs = [
        [each["InstanceId"] for each in ec2.run_instances(ImageId=image, MinCount=2, MaxCount=2)["Instances"]]
        for _ in range(2)
    ]
    ec2.terminate_instances(InstanceIds=runs[0])
    ec2.terminate_instances(InstanceIds=runs[1][:1])
    kept_operations = kept(lab)
    assert kept_operations == ["RunInstances", "TerminateInstances"]
    reservations = ec2.describe_instances(InstanceIds=runs[1])["Reservations"]
    states = {each["InstanceId"]: each["State"]["Name"] for group in reservations for each in group["Instances"]}
    assert (states[runs[1][0]], states[runs[1][1]]) == ("terminated", "running")


def test_a_gateway_with_its_address_and_network(lab: Lab) -> None:
    ec2 = lab.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    gateway = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    ec2.delete_nat_gateway(NatGatewayId=gateway)
    assert operations(live_calls(lab.records).kept) == ["CreateVpc", "CreateSubnet", "AllocateAddress"]
    ec2.release_address(AllocationId=address)
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)
    assert kept(lab) == []


@pytest.mark.parametrize("gone", ["x/shared", "/x/shared"])
def test_the_end_of_one_leaves_what_is_called_alike_but_for_a_slash(lab: Lab, gone: str) -> None:
    logs, ssm = lab.client("logs"), lab.client("ssm")
    stays = {"x/shared": "/x/shared", "/x/shared": "x/shared"}[gone]
    for name in ("/x/shared", "x/shared"):
        logs.create_log_group(logGroupName=name)
        logs.put_retention_policy(logGroupName=name, retentionInDays=7)
    logs.delete_log_group(logGroupName=gone)
    ssm.put_parameter(Name="/x/one", Value="v", Type="String")
    assert kept(lab) == ["CreateLogGroup", "PutRetentionPolicy", "PutParameter"]
    groups = logs.describe_log_groups()["logGroups"]
    assert [(each["logGroupName"], each["retentionInDays"]) for each in groups] == [(stays, 7)]
