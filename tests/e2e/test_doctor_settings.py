"""The doctor on what calls of their own had set, was seen right, and was taken back behind the proxy's back."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.clients import client
from tests.support.diagnoses import examined
from tests.support.processes import Proxy, left_out, missing

pytestmark = pytest.mark.emulator

Client = Callable[[str], Any]
BLOCK = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True}
TRUST = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}],
})  # fmt: skip


@dataclass(slots=True)
class Names:
    """What the state is called: by identifiers that the emulator drew."""

    policy: str
    subscription: str
    queue: str
    function: str
    table: str
    pool: str
    key: str
    network: str
    subnet: str
    peering: str
    stage: str


def document(action: str) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def make(aws: Client) -> Names:
    role = aws("iam").create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    policy = aws("iam").create_policy(PolicyName="p", PolicyDocument=document("s3:GetObject"))["Policy"]["Arn"]
    aws("iam").create_policy_version(PolicyArn=policy, PolicyDocument=document("s3:PutObject"), SetAsDefault=True)
    queue = aws("sqs").create_queue(QueueName="q", Attributes={"VisibilityTimeout": "77"}, tags={"x": "y"})["QueueUrl"]
    aws("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"DelaySeconds": "3"})
    queue_arn = aws("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = aws("sns").create_topic(Name="t")["TopicArn"]
    subscription = aws("sns").subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=queue_arn,
        Attributes={"RawMessageDelivery": "true"},
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    aws("s3").create_bucket(Bucket="lake")
    aws("s3").put_public_access_block(Bucket="lake", PublicAccessBlockConfiguration=BLOCK)
    aws("events").create_event_bus(Name="bus")
    aws("events").put_permission(
        EventBusName="bus", Action="events:PutEvents", Principal="111122223333", StatementId="others"
    )
    pool = aws("cognito-idp").create_user_pool(PoolName="p")["UserPool"]["Id"]
    aws("cognito-idp").create_group(UserPoolId=pool, GroupName="staff")
    aws("cognito-idp").admin_create_user(UserPoolId=pool, Username="ann", TemporaryPassword="Abcd1234!")
    aws("cognito-idp").admin_add_user_to_group(UserPoolId=pool, Username="ann", GroupName="staff")
    aws("secretsmanager").create_secret(Name="turning", SecretString="s")
    aws("secretsmanager").rotate_secret(SecretId="turning", RotationRules={"ScheduleExpression": "rate(3 days)"})
    key = aws("kms").create_key()["KeyMetadata"]["KeyId"]
    aws("kms").enable_key_rotation(KeyId=key, RotationPeriodInDays=180)
    network, subnet, peering = make_networks(aws)
    function = make_function(aws, role)
    stage = make_stage(aws)
    return Names(policy, subscription, queue, function, make_table(aws), pool, key, network, subnet, peering, stage)


def make_networks(aws: Client) -> tuple[str, str, str]:
    ec2 = aws("ec2")
    network, other = (ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"] for number in (1, 2))
    subnet = ec2.create_subnet(VpcId=network, CidrBlock="10.1.1.0/24")["Subnet"]["SubnetId"]
    ec2.modify_vpc_attribute(VpcId=network, EnableDnsHostnames={"Value": True})
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    peering = ec2.create_vpc_peering_connection(VpcId=network, PeerVpcId=other)["VpcPeeringConnection"]
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering["VpcPeeringConnectionId"])
    return network, subnet, peering["VpcPeeringConnectionId"]


def make_stage(aws: Client) -> str:
    gateway = aws("apigateway")
    api = gateway.create_rest_api(name="shop", tags={"of": "api"})["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    gateway.put_method(restApiId=api, resourceId=root, httpMethod="GET", authorizationType="NONE")
    gateway.put_integration(restApiId=api, resourceId=root, httpMethod="GET", type="MOCK")
    deployment = gateway.create_deployment(restApiId=api)["id"]
    gateway.create_stage(restApiId=api, stageName="prod", deploymentId=deployment, tags={"of": "stage"})
    arn = f"arn:aws:apigateway:us-east-1::/restapis/{api}/stages/prod"
    gateway.tag_resource(resourceArn=arn, tags={"owner": "a"})
    return arn


def make_function(aws: Client, role: str) -> str:
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("m.py", "def handler(event, context): return None")
    code = {"ZipFile": package.getvalue()}
    aws("lambda").publish_layer_version(LayerName="layer", Content=code)
    aws("lambda").add_layer_version_permission(
        LayerName="layer", VersionNumber=1, StatementId="all", Action="lambda:GetLayerVersion", Principal="*"
    )
    function = aws("lambda").create_function(
        FunctionName="f", Runtime="python3.12", Role=role, Handler="m.handler", Code=code, Tags={"a": "b"}
    )
    return str(function["FunctionArn"])


def make_table(aws: Client) -> str:
    table = aws("dynamodb").create_table(
        TableName="seen",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=[{"Key": "a", "Value": "b"}],
    )["TableDescription"]
    aws("dynamodb").update_continuous_backups(
        TableName="seen", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    return str(table["TableArn"])


def take_back(aws: Client, names: Names, queue_url: str) -> None:
    aws("sns").set_subscription_attributes(
        SubscriptionArn=names.subscription, AttributeName="RawMessageDelivery", AttributeValue="false"
    )
    aws("sqs").untag_queue(QueueUrl=queue_url, TagKeys=["x"])
    aws("sqs").set_queue_attributes(QueueUrl=queue_url, Attributes={"VisibilityTimeout": "30"})
    aws("s3").delete_public_access_block(Bucket="lake")
    aws("events").remove_permission(EventBusName="bus", StatementId="others")
    aws("cognito-idp").admin_remove_user_from_group(UserPoolId=names.pool, Username="ann", GroupName="staff")
    aws("kms").disable_key_rotation(KeyId=names.key)
    aws("ec2").modify_vpc_attribute(VpcId=names.network, EnableDnsHostnames={"Value": False})
    aws("ec2").modify_subnet_attribute(SubnetId=names.subnet, MapPublicIpOnLaunch={"Value": False})
    aws("ec2").delete_vpc_peering_connection(VpcPeeringConnectionId=names.peering)
    aws("apigateway").untag_resource(resourceArn=names.stage, tagKeys=["owner"])
    aws("lambda").untag_resource(Resource=names.function, TagKeys=["a"])
    aws("lambda").remove_layer_version_permission(LayerName="layer", VersionNumber=1, StatementId="all")
    aws("dynamodb").untag_resource(ResourceArn=names.table, TagKeys=["a"])
    aws("dynamodb").update_continuous_backups(
        TableName="seen", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )


TAKEN_BACK = {
    ("AWS::SNS::Subscription", "Attributes.RawMessageDelivery"),
    ("AWS::SQS::Queue", "Tags.x"),
    ("AWS::SQS::Queue", "Attributes.VisibilityTimeout"),
    ("AWS::S3::Bucket", "PublicAccessBlockConfiguration.BlockPublicAcls"),
    ("AWS::Events::EventBus", "Permission"),
    ("AWS::Cognito::UserPoolGroup", "UserToGroup.Username"),
    ("AWS::KMS::Key", "KeyRotationEnabled"),
    ("AWS::EC2::VPC", "EnableDnsHostnames.Value"),
    ("AWS::EC2::Subnet", "MapPublicIpOnLaunch"),
    ("AWS::EC2::VPCPeeringConnection", ""),
    ("AWS::ApiGateway::Stage", "Tags.owner"),
    ("AWS::Lambda::Function", "Tags.a"),
    ("AWS::Lambda::LayerVersion", "LayerVersionPermission"),
    ("AWS::DynamoDB::Table", "Tags.a"),
    ("AWS::DynamoDB::Table", "PointInTimeRecoverySpecification"),
}


def found_in(document: dict[str, Any]) -> list[tuple[str, str]]:
    return sorted((finding["type"], finding["member"]) for finding in document["findings"])


@pytest.mark.parametrize("emulator", ["moto", "ministack"])
def test_what_was_seen_right_and_taken_back_is_named_once_and_mended(
    start_proxy: Callable[..., Proxy], emulator: str
) -> None:
    if emulator != "moto" and (reason := left_out(1)):
        pytest.skip(f"the same on {emulator} {reason}")
    if reason := missing(emulator):
        pytest.skip(reason)
    proxy = start_proxy("--emulator", emulator, "--check-wiring", "0")
    names = make(lambda service: client(service, proxy.url))
    assert found_in(examined(proxy)) == [], "and so the proxy knows what this emulator shows"
    emulator_url = proxy.status()["emulator"]["url"]
    take_back(lambda service: client(service, emulator_url), names, names.queue.replace(proxy.url, emulator_url))
    expected = set(TAKEN_BACK)
    if emulator == "moto":  # MiniStack has no SetDefaultPolicyVersion
        client("iam", emulator_url).set_default_policy_version(PolicyArn=names.policy, VersionId="v1")
        expected.add(("AWS::IAM::ManagedPolicy", "DefaultVersionId"))
    mended = examined(proxy, "?repair=1")
    assert found_in(mended["before"]) == sorted(expected)
    commands = {(each["type"], each["member"]): each["commands"] for each in mended["before"]["findings"]}
    assert all(commands.values())
    assert "DelaySeconds" not in commands["AWS::SQS::Queue", "Attributes.VisibilityTimeout"][0]
    assert found_in(mended["after"]) == []
    proxy.kill_all()
    assert found_in(examined(proxy.again())) == [], "the next restore has all of it"
