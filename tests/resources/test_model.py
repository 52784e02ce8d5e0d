"""The resource model: what single calls make of resources, their attributes, links, data and makers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from replay_proxy.doctor.readings import Names
from replay_proxy.doctor.tags import shown_tags, tags_reading
from replay_proxy.errors import RecordingError
from replay_proxy.exchange import BlobRef
from replay_proxy.resources.build import build_model
from replay_proxy.resources.kinds import kinds_of
from replay_proxy.resources.resource import shown
from replay_proxy.resources.resource_types import service_and_noun, type_of
from replay_proxy.wire.sensitive.masking import HIDDEN
from tests.resources.recordings import (
    ACCOUNT,
    REGION,
    Tape,
    function,
    one,
    queue,
    queue_url,
    table,
    types,
)


def links(tape: Tape, kind: str, name: str = "") -> set[tuple[str, str]]:
    """Member and target of the links of a resource; what is missing by its ARN."""
    model = tape.model()
    found = model.links(one(model, kind, name))
    return {(link.member, model.resources[link.target].label if link.target else link.text) for link in found}


def test_a_queue_is_told_by_what_clients_know_and_by_the_calls_that_made_and_changed_it() -> None:
    tape = Tape()
    made = queue(tape, "orders", DelaySeconds="5")
    changed = tape.call(
        "sqs", "SetQueueAttributes", {"QueueUrl": queue_url("orders"), "Attributes": {"VisibilityTimeout": "9"}}
    )
    sent = tape.call(
        "sqs", "SendMessage", {"QueueUrl": queue_url("orders"), "MessageBody": "héllo"}, {"MessageId": "m1"}
    )
    model = tape.model()
    found = one(model, "AWS::SQS::Queue")
    assert (found.key.account, found.key.region, found.label) == (ACCOUNT, REGION, "orders")
    assert found.identifiers["QueueUrl"] == queue_url("orders")
    assert model.arn(found) == f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"
    assert found.attributes == {"Attributes": {"DelaySeconds": "5", "VisibilityTimeout": "9"}}
    assert (found.made_by, found.changed_by, found.calls()) == (made, [changed], [made, changed, sent])
    assert (found.data.unit, found.data.count, found.data.bytes) == ("messages", 1, 6)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("member", "text"),
    [
        ("Environment.Variables.QUEUE_URL", "http://localhost.localstack.cloud:4566/111122223333/orders"),
        ("Environment.Variables.ORDERS_QUEUE", "orders"),
        ("DeadLetterConfig.TargetArn", f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"),
    ],
)
def test_a_function_is_linked_by_the_member_that_names_a_queue(member: str, text: str) -> None:
    tape = Tape()
    queue(tape, "orders")
    if member.startswith("Environment"):
        function(tape, "worker", Environment={"Variables": {member.rpartition(".")[2]: text}})
    else:
        function(tape, "worker", DeadLetterConfig={"TargetArn": text})
    role = f"arn:aws:iam::{ACCOUNT}:role/worker"
    assert links(tape, "AWS::Lambda::Function") == {(member, "orders"), ("Role", role)}


def test_links_stand_in_documents_inside_texts() -> None:
    tape = Tape()
    queue(tape, "dead")
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead"
    queue(tape, "orders", RedrivePolicy=json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3}))
    table(tape, "items")
    document = {
        "Statement": [
            {"Effect": "Allow", "Action": "*", "Resource": [f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/items/*", arn]}
        ]
    }
    params = {"name": "machine", "definition": json.dumps(document), "roleArn": f"arn:aws:iam::{ACCOUNT}:role/r"}
    tape.call(
        "stepfunctions",
        "CreateStateMachine",
        params,
        {"stateMachineArn": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:machine"},
    )
    assert links(tape, "AWS::SQS::Queue", "orders") == {("Attributes.RedrivePolicy.deadLetterTargetArn", "dead")}
    found = links(tape, "AWS::StepFunctions::StateMachine")
    assert {("definition.Statement.Resource", "items"), ("definition.Statement.Resource", "dead")} <= found


def test_an_integration_names_the_queue_in_its_path() -> None:
    tape = Tape()
    queue(tape, "orders")
    tape.call("apigateway", "CreateRestApi", {"name": "shop"}, {"id": "api1"}, protocol="rest-json")
    method = {"restApiId": "api1", "resourceId": "r1", "httpMethod": "GET"}
    tape.call("apigateway", "PutMethod", {**method, "authorizationType": "NONE"}, {}, protocol="rest-json")
    for uri in (f"sqs:path/{ACCOUNT}/orders", "sns:action/Publish", "s3:path/none/key"):
        params = {**method, "type": "AWS", "uri": f"arn:aws:apigateway:{REGION}:{uri}"}
        tape.call("apigateway", "PutIntegration", params, {}, protocol="rest-json")
        found = links(tape, "AWS::ApiGateway::Method")
        assert (("Integration.uri", "orders") in found) is uri.startswith("sqs")
        assert {member for member, _ in found} <= {"Integration.uri", "restApiId", "resourceId"}
        assert not any("arn:" in text for _, text in found)


def test_a_version_that_a_read_shows_is_no_word_that_names_it() -> None:
    tape = Tape()
    function(tape, "worker")
    versions = {"Versions": [{"FunctionName": "worker", "Version": "1"}]}
    arn = {"FunctionName": "worker"}
    tape.call("lambda", "ListVersionsByFunction", arn, versions, protocol="rest-json", witness=True)
    queue(tape, "orders", DelaySeconds="1", Policy="10.0.1.0/24")
    assert links(tape, "AWS::SQS::Queue") == set()
    assert links(tape, "AWS::Lambda::Version") == {("FunctionName", "worker")}
    tape.call("lambda", "DeleteFunction", {"FunctionName": "worker"}, protocol="rest-json")
    assert types(tape.model().resources.values()) == {"AWS::SQS::Queue"}


@pytest.mark.parametrize("region", ["us-east-1", REGION])
def test_an_arn_names_what_is_in_its_region(region: str) -> None:
    tape = Tape()
    queue(tape, "orders")
    function(tape, "worker", DeadLetterConfig={"TargetArn": f"arn:aws:sqs:{region}:{ACCOUNT}:orders"})
    arn = f"arn:aws:sqs:{region}:{ACCOUNT}:orders"
    assert ("DeadLetterConfig.TargetArn", "orders" if region == REGION else arn) in links(tape, "AWS::Lambda::Function")


def test_a_name_that_is_a_path_is_no_path_of_kinds_and_names() -> None:
    tape = Tape()
    for name in ("/prod/db", "/prod/parameter/db"):
        tape.call("ssm", "PutParameter", {"Name": name, "Value": "x", "Type": "String"}, {"Version": 1})
    for name in ("prod/db", "prod/parameter/db"):
        arn = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{name}"
        queue(tape, "orders", Policy=json.dumps({"Statement": [{"Resource": arn}]}))
        assert links(tape, "AWS::SQS::Queue") == {("Attributes.Policy.Statement.Resource", f"/{name}")}


def test_addresses_without_a_path_are_told_apart_by_their_hosts() -> None:
    tape = Tape()
    provider = {"OpenIDConnectProviderArn": f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.hub.example"}
    made = "<CreateOpenIDConnectProviderResponse><CreateOpenIDConnectProviderResult><OpenIDConnectProviderArn>"
    made += f"{provider['OpenIDConnectProviderArn']}</OpenIDConnectProviderArn></CreateOpenIDConnectProviderResult>"
    made += "</CreateOpenIDConnectProviderResponse>"
    hub = {"Url": "https://token.hub.example"}
    tape.call("iam", "CreateOpenIDConnectProvider", hub, protocol="query", body=made.encode())
    function(
        tape, "worker", Environment={"Variables": {"HOOK": "https://hook.example", "HUB": "https://token.hub.example"}}
    )
    found = {member for member, _ in links(tape, "AWS::Lambda::Function")}
    assert found == {"Role", "Environment.Variables.HUB"}


def test_plain_words_are_no_links() -> None:
    tape = Tape()
    queue(tape, "prod")
    table(tape, "python3.11")
    function(
        tape, "worker", Description="prod", Tags={"stage": "prod"}, Environment={"Variables": {"STAGE": "production"}}
    )
    assert links(tape, "AWS::Lambda::Function") == {("Role", f"arn:aws:iam::{ACCOUNT}:role/worker")}


def test_secrets_are_hidden_and_still_link() -> None:
    tape = Tape()
    queue(tape, "orders")
    function(tape, "worker", Environment={"Variables": {"DB_PASSWORD": "hunter22", "QUEUE_URL": queue_url("orders")}})
    tape.call(
        "secretsmanager", "CreateSecret", {"Name": "s", "SecretString": "hunter22"}, {"ARN": "arn:x", "Name": "s"}
    )
    model = tape.model()
    text = json.dumps([shown(each.attributes) for each in model.resources.values()])
    assert "hunter22" not in text
    assert HIDDEN in text
    assert ("Environment.Variables.QUEUE_URL", "orders") in links(tape, "AWS::Lambda::Function")


def test_a_deleted_resource_is_gone_with_its_parts() -> None:
    tape = Tape()
    function(tape, "worker")
    tape.call(
        "lambda",
        "AddPermission",
        {
            "FunctionName": "worker",
            "StatementId": "s",
            "Action": "lambda:InvokeFunction",
            "Principal": "sns.amazonaws.com",
        },
        protocol="rest-json",
    )
    tape.call(
        "lambda",
        "CreateAlias",
        {"FunctionName": "worker", "Name": "live", "FunctionVersion": "1"},
        {"Name": "live"},
        protocol="rest-json",
    )
    assert types(tape.model().resources.values()) == {
        "AWS::Lambda::Function",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Alias",
    }
    ended = tape.call(
        "lambda",
        "DeleteFunction",
        {"FunctionName": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:worker"},
        protocol="rest-json",
    )
    model = tape.model()
    assert not model.resources
    assert {each.ended_by for each in model.gone.values()} == {ended}


def test_a_name_that_is_used_again_is_a_new_resource() -> None:
    tape = Tape()
    queue(tape, "orders", DelaySeconds="5")
    tape.call("sqs", "SendMessage", {"QueueUrl": queue_url("orders"), "MessageBody": "a"}, {"MessageId": "m1"})
    tape.call("sqs", "DeleteQueue", {"QueueUrl": queue_url("orders")})
    made = queue(tape, "orders")
    found = one(tape.model(), "AWS::SQS::Queue")
    assert (found.made_by, found.attributes, found.data) == (made, {"Attributes": {}}, None)


@pytest.mark.parametrize(("service", "left"), [("", set()), ("sqs", {"AWS::DynamoDB::Table"})])
def test_a_reset_leaves_nothing_and_a_moment_before_it_has_everything(service: str, left: set[str]) -> None:
    tape = Tape()
    queue(tape, "orders")
    table(tape, "items")
    reset = tape.reset(service)
    assert types(tape.model().resources.values()) == left
    assert types(tape.model(through_seq=reset - 1).resources.values()) == {"AWS::SQS::Queue", "AWS::DynamoDB::Table"}


def test_a_witness_that_was_read_before_a_reset_shows_nothing_after_it() -> None:
    tape = Tape()
    queue(tape, "orders")
    tape.reset()
    body = b"<DescribeVpcsResponse><vpcSet><item><vpcId>vpc-1</vpcId></item></vpcSet></DescribeVpcsResponse>"
    tape.call("ec2", "DescribeVpcs", protocol="ec2", body=body, witness=True, notes={"after": 1})
    assert not tape.model().resources
    tape.call("ec2", "DescribeVpcs", protocol="ec2", body=body, witness=True, notes={"after": 3})
    assert types(tape.model().resources.values()) == {"AWS::EC2::VPC"}


STACK = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/app/1"


def stack_resources(*entries: tuple[str, str, str]) -> bytes:
    members = "".join(
        f"<member><StackName>app</StackName><StackId>{STACK}</StackId><LogicalResourceId>{logical}</LogicalResourceId>"
        f"<PhysicalResourceId>{physical}</PhysicalResourceId><ResourceType>{kind}</ResourceType>"
        "<ResourceStatus>CREATE_COMPLETE</ResourceStatus></member>"
        for logical, physical, kind in entries
    )
    return (
        "<DescribeStackResourcesResponse><DescribeStackResourcesResult><StackResources>"
        f"{members}</StackResources></DescribeStackResourcesResult></DescribeStackResourcesResponse>"
    ).encode()


def test_what_a_stack_made_appears_under_it_and_goes_with_it() -> None:
    tape = Tape()
    answer = (
        f"<CreateStackResponse><CreateStackResult><StackId>{STACK}</StackId></CreateStackResult></CreateStackResponse>"
    )
    tape.call(
        "cloudformation",
        "CreateStack",
        {"StackName": "app", "TemplateBody": "{}"},
        protocol="query",
        body=answer.encode(),
    )
    body = stack_resources(
        ("Orders", queue_url("app-orders-1"), "AWS::SQS::Queue"),
        ("Files", "app-files-1", "AWS::S3::Bucket"),
        ("Thing", "thing-1", "Custom::Thing"),
    )
    tape.call(
        "cloudformation", "DescribeStackResources", {"StackName": "app"}, protocol="query", body=body, witness=True
    )
    tape.call("sqs", "SendMessage", {"QueueUrl": queue_url("app-orders-1"), "MessageBody": "a"}, {"MessageId": "m"})
    model = tape.model()
    stack = one(model, "AWS::CloudFormation::Stack")
    assert {(each.type, each.key.names[-1]) for each in model.made_by_resource(stack)} == {
        ("AWS::SQS::Queue", "app-orders-1"),
        ("AWS::S3::Bucket", "app-files-1"),
        ("cloudformation: Custom::Thing", "thing-1"),
    }
    assert one(model, "AWS::SQS::Queue").data.count == 1  # type: ignore[union-attr]
    tape.call("cloudformation", "DeleteStack", {"StackName": STACK}, protocol="query", body=b"<DeleteStackResponse/>")
    assert not tape.model().resources


TEMPLATES = {
    "json": json.dumps({"Resources": {"Orders": {"Type": "AWS::SQS::Queue"}, "Other": {"Type": "AWS::SNS::Topic"}}}),
    "yaml": "Parameters:\n  Orders:\n    Type: String\nResources:\n  # all\n  Other:\n    Type: AWS::SNS::Topic\n"
    "  Orders:\n    Type: 'AWS::SQS::Queue'\n    Properties:\n      DelaySeconds: 3\n",
}


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
@pytest.mark.parametrize(
    ("name", "adopted"), [("my-app-Orders-1A2B", True), ("my-app-Other-1A2B", False), ("my-app", False)]
)
def test_what_a_stack_named_is_its_own(template: str, name: str, adopted: bool) -> None:
    tape = Tape()
    body = (
        f"<CreateStackResponse><CreateStackResult><StackId>{STACK}</StackId></CreateStackResult></CreateStackResponse>"
    )
    params = {"StackName": "my-app", "TemplateBody": template}
    tape.call("cloudformation", "CreateStack", params, protocol="query", body=body.encode())
    tape.call("sqs", "SendMessage", {"QueueUrl": queue_url(name), "MessageBody": "a"}, {"MessageId": "m"})
    model = tape.model()
    stack = one(model, "AWS::CloudFormation::Stack")
    assert one(model, "AWS::SQS::Queue").maker == (stack.number if adopted else 0)


def test_what_an_answer_shows_under_a_shorter_noun_is_the_same_resource() -> None:
    tape = Tape()
    tape.call("servicediscovery", "CreateHttpNamespace", {"Name": "shop"}, {"OperationId": "op-1"})
    shown_later = {"Namespace": {"Id": "ns-1", "Name": "shop", "Type": "HTTP"}}
    tape.call("servicediscovery", "GetNamespace", {"Id": "ns-1"}, shown_later, witness=True)
    model = tape.model()
    assert one(model, "AWS::ServiceDiscovery::HttpNamespace").identifiers["Id"] == "ns-1"
    tape.call("servicediscovery", "DeleteNamespace", {"Id": "ns-1"}, {"OperationId": "op-2"})
    assert not tape.model().resources


def test_instances_of_a_group_are_made_by_it() -> None:
    tape = Tape()
    params = {"AutoScalingGroupName": "workers", "MinSize": 1, "MaxSize": 2}
    tape.call(
        "autoscaling", "CreateAutoScalingGroup", params, protocol="query", body=b"<CreateAutoScalingGroupResponse/>"
    )
    body = (
        b"<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId><tagSet><item>"
        b"<key>aws:autoscaling:groupName</key><value>workers</value></item></tagSet></item></instancesSet></item>"
        b"</reservationSet></DescribeInstancesResponse>"
    )
    tape.call("ec2", "DescribeInstances", {}, protocol="ec2", body=body, witness=True)
    model = tape.model()
    assert one(model, "AWS::EC2::Instance").maker == one(model, "AWS::AutoScaling::AutoScalingGroup").number


@pytest.mark.parametrize(
    ("service", "operation", "params", "kind"),
    [
        ("sqs", "CreateQueue", {"QueueName": "shop"}, "AWS::SQS::Queue"),
        ("sns", "CreateTopic", {"Name": "shop"}, "AWS::SNS::Topic"),
        (
            "stepfunctions",
            "CreateStateMachine",
            {"name": "shop", "definition": "{}", "roleArn": "r"},
            "AWS::StepFunctions::StateMachine",
        ),
        (
            "dynamodb",
            "CreateTable",
            {"TableName": "shop", "KeySchema": [], "AttributeDefinitions": []},
            "AWS::DynamoDB::Table",
        ),
    ],
)
def test_a_recording_without_answers_has_resources_too(
    service: str, operation: str, params: dict[str, Any], kind: str
) -> None:
    tape = Tape()
    tape.call(
        service,
        operation,
        params,
        protocol="query" if service == "sns" else "json",
        body=b"",
        notes={"answer": "missing"},
    )
    assert one(tape.model(), kind).label == "shop"


def test_a_name_may_lie_in_the_one_structure_that_a_creation_has() -> None:
    tape = Tape()
    tape.call("glue", "CreateDatabase", {"DatabaseInput": {"Name": "lake"}})
    tape.call("glue", "CreateTable", {"DatabaseName": "lake", "TableInput": {"Name": "events"}})
    assert one(tape.model(), "AWS::Glue::Table").key.names == ("lake", "events")
    tape.call("glue", "DeleteDatabase", {"Name": "lake"})
    assert not tape.model().resources


@pytest.mark.parametrize(("account", "region"), [("444455556666", REGION), (ACCOUNT, "us-east-1"), ("", "us-east-1")])
def test_a_call_from_elsewhere_means_the_resource_that_its_arn_names(account: str, region: str) -> None:
    tape = Tape()
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:news"
    body = f"<CreateTopicResponse><CreateTopicResult><TopicArn>{topic}</TopicArn></CreateTopicResult></CreateTopicResponse>"
    tape.call("sns", "CreateTopic", {"Name": "news"}, protocol="query", body=body.encode())
    tape.account, tape.region = account, region
    params = {"TopicArn": topic, "AttributeName": "DisplayName", "AttributeValue": "News"}
    changed = tape.call("sns", "SetTopicAttributes", params, protocol="query", body=b"<SetTopicAttributesResponse/>")
    assert one(tape.model(), "AWS::SNS::Topic").changed_by == [changed]
    tape.call("sns", "DeleteTopic", {"TopicArn": topic}, protocol="query", body=b"<DeleteTopicResponse/>")
    assert not tape.model().resources


def test_messages_from_another_account_lie_in_the_queue_that_is_addressed() -> None:
    tape = Tape()
    queue(tape, "orders")
    tape.account = "444455556666"
    queue_there = {"QueueUrl": queue_url("orders"), "MessageBody": "a"}
    tape.call("sqs", "SendMessage", queue_there, {"MessageId": "m"})
    found = one(tape.model(), "AWS::SQS::Queue")
    assert (found.key.account, found.data.count) == (ACCOUNT, 1)  # type: ignore[union-attr]


def test_a_bucket_is_the_same_whoever_names_it() -> None:
    tape = Tape()
    tape.call("s3", "CreateBucket", {"Bucket": "files"}, protocol="rest-xml", body=b"")
    tape.account = "444455556666"
    tape.call("s3", "PutObject", {"Bucket": "files", "Key": "a", "Body": b"xyz"}, protocol="rest-xml", body=b"")
    found = one(tape.model(), "AWS::S3::Bucket")
    assert (found.key.account, found.data.bytes) == (ACCOUNT, 3)  # type: ignore[union-attr]


def test_a_lock_token_tells_a_version_and_no_resource() -> None:
    tape = Tape()
    params = {"Name": "web", "Scope": "REGIONAL", "IPAddressVersion": "IPV4", "Addresses": ["10.0.0.0/8"]}
    tape.call("wafv2", "CreateIPSet", params, {"Summary": {"Name": "web", "Id": "w-1", "LockToken": "one"}})
    named = {"Name": "web", "Scope": "REGIONAL", "Id": "w-1"}
    changed = tape.call(
        "wafv2", "UpdateIPSet", {**named, "Addresses": [], "LockToken": "two"}, {"NextLockToken": "three"}
    )
    found = one(tape.model(), "AWS::WAFv2::IPSet")
    assert (found.changed_by, found.attributes["Addresses"]) == ([changed], [])
    tape.call("wafv2", "DeleteIPSet", {**named, "LockToken": "three"})
    assert not tape.model().resources


def test_a_distribution_is_no_other_thing_that_has_an_id() -> None:
    tape = Tape()
    config = {
        "CallerReference": "a",
        "Origins": {"Quantity": 0},
        "DefaultCacheBehavior": {},
        "Comment": "",
        "Enabled": True,
    }
    body = b"<Distribution><Id>E1</Id><ARN>arn:aws:cloudfront::111122223333:distribution/E1</ARN></Distribution>"
    tape.call("cloudfront", "CreateDistribution", {"DistributionConfig": config}, protocol="rest-xml", body=body)
    params = {"Id": "E1", "IfMatch": "etag", "DistributionConfig": {**config, "Enabled": False}}
    changed = tape.call("cloudfront", "UpdateDistribution", params, protocol="rest-xml", body=body)
    assert one(tape.model(), "AWS::CloudFront::Distribution").changed_by == [changed]


def test_who_uses_a_resource_does_not_change_it() -> None:
    tape = Tape()
    tape.call("kms", "CreateKey", {}, {"KeyMetadata": {"KeyId": "k-1"}})
    tape.call("kms", "Encrypt", {"KeyId": "k-1", "Plaintext": b"secret"}, {"CiphertextBlob": "YQ==", "KeyId": "k-1"})
    tape.call(
        "cognito-idp",
        "CreateUserPoolClient",
        {"UserPoolId": "p", "ClientName": "c"},
        {"UserPoolClient": {"ClientId": "c-1"}},
    )
    sign_in = {
        "AuthFlow": "USER_PASSWORD_AUTH",
        "ClientId": "c-1",
        "AuthParameters": {"USERNAME": "a", "PASSWORD": "b"},
    }
    tape.call("cognito-idp", "InitiateAuth", sign_in, {})
    model = tape.model()
    assert all(not each.changed_by for each in model.resources.values())
    assert "AuthParameters" not in str([each.attributes for each in model.resources.values()])


@pytest.mark.parametrize("side", ["request", "answer"])
def test_a_call_whose_body_is_not_at_hand_is_told_by_the_rest(side: str) -> None:
    tape = Tape()
    function(tape, "worker")
    queue(tape, "orders")
    for at, item in enumerate(tape.items):
        message = getattr(item, side)
        tape.items[at] = replace(item, **{side: replace(message, body=BlobRef("0" * 64, 500_000))})

    def gone(ref: BlobRef) -> bytes:
        raise RecordingError("the blob is not there")

    model = build_model(tape.items, gone)
    assert model.odd == []
    assert {each.label for each in model.resources.values()} == {"worker", "orders"}


@pytest.mark.parametrize("accounts", [("", ACCOUNT), (ACCOUNT, ""), (ACCOUNT, "", ACCOUNT)])
def test_the_default_account_is_one_whether_it_is_named_or_not(accounts: tuple[str, ...]) -> None:
    tape = Tape()
    for number, account in enumerate(accounts):
        tape.account = account
        queue(tape, "orders")
        queue(tape, f"more-{number}")
    model = tape.model()
    assert sorted(each.label for each in model.resources.values()) == sorted(
        ["orders", *(f"more-{number}" for number in range(len(accounts)))]
    )
    assert {model.account_of(each) for each in model.resources.values()} == {ACCOUNT}


def test_a_role_of_another_account_does_not_tell_the_default_one() -> None:
    tape = Tape(account="")
    role = "arn:aws:iam::222222222222:role/deploy"
    arn = role.replace(":iam:", ":sts:").replace("role", "assumed-role")
    answer = (
        f"<AssumeRoleResponse><AssumeRoleResult><AssumedRoleUser><Arn>{arn}/s</Arn></AssumedRoleUser></AssumeRoleResult>"
        "</AssumeRoleResponse>"
    )
    tape.call("sts", "AssumeRole", {"RoleArn": role, "RoleSessionName": "s"}, protocol="query", body=answer.encode())
    queue(tape, "orders")
    assert tape.model().default_account == ACCOUNT


def test_a_resource_with_two_names_is_one() -> None:
    tape = Tape()
    body = (
        b"<CreateLaunchTemplateResponse><launchTemplate><launchTemplateId>lt-1</launchTemplateId><launchTemplateName>worker"
        b"</launchTemplateName></launchTemplate></CreateLaunchTemplateResponse>"
    )
    params = {"LaunchTemplateName": "worker", "LaunchTemplateData": {"ImageId": "ami-1"}}
    tape.call("ec2", "CreateLaunchTemplate", params, protocol="ec2", body=body)
    assert one(tape.model(), "AWS::EC2::LaunchTemplate").label == "worker"
    tape.call(
        "ec2",
        "DeleteLaunchTemplate",
        {"LaunchTemplateName": "worker"},
        protocol="ec2",
        body=b"<DeleteLaunchTemplateResponse/>",
    )
    assert not tape.model().resources


def test_what_a_network_made_by_itself_hangs_on_it() -> None:
    tape = Tape()
    made = b"<CreateVpcResponse><vpc><vpcId>vpc-0a</vpcId><cidrBlock>10.0.0.0/16</cidrBlock></vpc></CreateVpcResponse>"
    tape.call("ec2", "CreateVpc", {"CidrBlock": "10.0.0.0/16"}, protocol="ec2", body=made)
    groups = (
        b"<DescribeSecurityGroupsResponse><securityGroupInfo><item><groupId>sg-0b</groupId><groupName>default</groupName>"
        b"<vpcId>vpc-0a</vpcId></item></securityGroupInfo></DescribeSecurityGroupsResponse>"
    )
    tape.call("ec2", "DescribeSecurityGroups", {}, protocol="ec2", body=groups, witness=True)
    model = tape.model()
    group = one(model, "AWS::EC2::SecurityGroup")
    assert model.resources[group.maker] is one(model, "AWS::EC2::VPC")
    tape.call("ec2", "DeleteVpc", {"VpcId": "vpc-0a"}, protocol="ec2", body=b"<DeleteVpcResponse/>")
    assert not tape.model().resources


def test_a_kind_that_nobody_knows_appears_by_service_and_noun() -> None:
    tape = Tape()
    tape.call(
        "lookoutequipment", "ImportModelVersion", {"DatasetName": "d", "SourceModelVersionArn": "arn:aws:x:y:z:w"}
    )
    tape.call("glue", "CreateUsageProfile", {"Name": "profile", "Configuration": {}}, {"Name": "profile"})
    tape.call(
        "amplifybackend", "CreateToken", {"AppId": "app"}, {"AppId": "app", "SessionId": "s"}, protocol="rest-json"
    )
    assert {"AWS::Glue::UsageProfile", "amplifybackend: Token"} <= types(tape.model().resources.values())


def test_a_call_that_failed_changes_nothing_and_is_shown() -> None:
    tape = Tape()
    queue(tape, "orders")
    tape.call("sqs", "DeleteQueue", {"QueueUrl": queue_url("orders")}, {"__type": "x#QueueDoesNotExist"}, status=400)
    model = tape.model()
    assert types(model.resources.values()) == {"AWS::SQS::Queue"}
    assert [(each.error, each.failed) for each in model.calls] == [("", False), ("QueueDoesNotExist", True)]


@pytest.mark.parametrize(
    ("service", "noun", "name"),
    [
        ("sqs", "Queue", "AWS::SQS::Queue"),
        ("ec2", "Vpc", "AWS::EC2::VPC"),
        ("elbv2", "TargetGroup", "AWS::ElasticLoadBalancingV2::TargetGroup"),
        ("stepfunctions", "StateMachine", "AWS::StepFunctions::StateMachine"),
        ("cognito-idp", "User", "AWS::Cognito::UserPoolUser"),
        ("s3", "Nothing", "s3: Nothing"),
    ],
)
def test_types_are_those_of_cloudformation(service: str, noun: str, name: str) -> None:
    assert type_of(service, noun) == name
    if name.startswith("AWS::"):
        found = service_and_noun(name)
        assert type_of(*found) == name
        assert found[0] == service


def test_every_type_of_the_table_is_one_that_cloudformation_has() -> None:
    schemas = pytest.importorskip("cfnlint.schema")
    known: Any = schemas.PROVIDER_SCHEMA_MANAGER.get_resource_types("us-east-1")
    ours = {kind.type for service in ("ec2", "lambda", "iam", "rds", "apigateway") for kind in kinds_of(service)}
    assert {each for each in ours if each.startswith("AWS::")} <= set(known)


@pytest.mark.parametrize(
    ("calls", "state"),
    [
        ([("PutRule", {"State": "ENABLED"}), ("DisableRule", {})], "DISABLED"),
        ([("PutRule", {"State": "DISABLED"}), ("EnableRule", {})], "ENABLED"),
        ([("PutRule", {}), ("DisableRule", {}), ("EnableRule", {})], "ENABLED"),
        ([("PutRule", {}), ("DisableRule", {}), ("PutRule", {"State": "ENABLED"})], "ENABLED"),
    ],
)
def test_what_is_switched_by_a_call_of_its_own_is_what_its_creation_takes_as_a_member(
    calls: list[tuple[str, dict[str, str]]], state: str
) -> None:
    tape = Tape()
    for operation, more in calls:
        schedule = {"ScheduleExpression": "rate(1 day)"} if operation == "PutRule" else {}
        tape.call("events", operation, {"Name": "tick", **schedule, **more}, {})
    attributes = one(tape.model(), "AWS::Events::Rule").attributes
    assert attributes == {"ScheduleExpression": "rate(1 day)", "State": state}


def test_a_key_that_waits_for_its_end_is_not_enabled() -> None:
    tape = Tape()
    key = "11111111-2222-4333-8444-555555555555"
    tape.call("kms", "CreateKey", {}, {"KeyMetadata": {"KeyId": key}})
    tape.call("kms", "EnableKey", {"KeyId": key}, {})
    assert one(tape.model(), "AWS::KMS::Key").attributes["KeyEnabled"]
    tape.call("kms", "ScheduleKeyDeletion", {"KeyId": key, "PendingWindowInDays": 7}, {"KeyId": key})
    assert not one(tape.model(), "AWS::KMS::Key").attributes["KeyEnabled"]


def test_what_hangs_on_a_function_without_a_qualifier_is_told_apart() -> None:
    tape = Tape()
    function(tape, "work")
    url, invoked, runs = (
        tape.call("lambda", operation, {"FunctionName": "work", **given}, {}, protocol="rest-json")
        for operation, given in (
            ("CreateFunctionUrlConfig", {"AuthType": "NONE"}),
            ("PutFunctionEventInvokeConfig", {"MaximumRetryAttempts": 1}),
            ("PutRuntimeManagementConfig", {"UpdateRuntimeOn": "Auto"}),
        )
    )
    model = tape.model()
    assert one(model, "AWS::Lambda::Url").calls() == [url]
    assert one(model, "AWS::Lambda::EventInvokeConfig").calls() == [invoked]
    assert one(model, "AWS::Lambda::Function").calls()[-1] == runs


def test_tags_of_a_network_are_not_those_of_what_is_tied_to_it() -> None:
    tape = Tape()
    here: dict[str, Any] = {"protocol": "ec2"}
    made = b"<R><vpc><vpcId>vpc-1a2b3c4d</vpcId></vpc></R>"
    tape.call("ec2", "CreateVpc", {"CidrBlock": "10.0.0.0/16"}, body=made, **here)
    made = b"<R><internetGateway><internetGatewayId>igw-1a2b3c4d</internetGatewayId></internetGateway></R>"
    tape.call("ec2", "CreateInternetGateway", {}, body=made, **here)
    tie = {"InternetGatewayId": "igw-1a2b3c4d", "VpcId": "vpc-1a2b3c4d"}
    tied = tape.call("ec2", "AttachInternetGateway", tie, body=b"<R/>", **here)
    tags = {"Resources": ["vpc-1a2b3c4d"], "Tags": [{"Key": "Name", "Value": "shop"}]}
    tagged = tape.call("ec2", "CreateTags", tags, body=b"<R/>", **here)
    model = tape.model()
    assert one(model, "AWS::EC2::VPC").calls()[-1] == tagged
    assert one(model, "AWS::EC2::VPCGatewayAttachment").calls() == [tied]


@pytest.mark.parametrize("operation", ["InitiateAuth", "AdminInitiateAuth"])
def test_who_signs_in_sets_nothing_of_the_client_it_is_done_with(operation: str) -> None:
    tape = Tape()
    pool = {"UserPoolId": "us-east-1_abcdef123"}
    tape.call("cognito-idp", "CreateUserPool", {"PoolName": "p"}, {"UserPool": {"Id": pool["UserPoolId"]}})
    made = {"UserPoolClient": {**pool, "ClientId": "1a2b3c4d5e6f", "ClientName": "c"}}
    tape.call("cognito-idp", "CreateUserPoolClient", {**pool, "ClientName": "c"}, made)
    given = {"ClientId": "1a2b3c4d5e6f", "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": {"USERNAME": "ann"}}
    tape.call("cognito-idp", operation, {**given, **(pool if operation.startswith("Admin") else {})}, {})
    client = one(tape.model(), "AWS::Cognito::UserPoolClient")
    assert len(client.calls()) == 1
    assert "AuthParameters" not in client.attributes


def test_the_version_of_a_policy_that_counts_is_the_one_that_was_chosen_last() -> None:
    tape = Tape()
    here: dict[str, Any] = {"protocol": "query"}
    arn = f"arn:aws:iam::{ACCOUNT}:policy/reads"

    def version() -> Any:
        return one(tape.model(), "AWS::IAM::ManagedPolicy").attributes["DefaultVersionId"]

    policy = f"<PolicyName>reads</PolicyName><Arn>{arn}</Arn><DefaultVersionId>v1</DefaultVersionId>"
    made = f"<R><CreatePolicyResult><Policy>{policy}</Policy></CreatePolicyResult></R>"
    tape.call("iam", "CreatePolicy", {"PolicyName": "reads", "PolicyDocument": "{}"}, body=made.encode(), **here)
    assert version() == "v1"
    for number, chosen, then in ((2, True, "v2"), (3, False, "v2")):
        shown_version = f"<PolicyVersion><VersionId>v{number}</VersionId></PolicyVersion>"
        answer = f"<R><CreatePolicyVersionResult>{shown_version}</CreatePolicyVersionResult></R>"
        given = {"PolicyArn": arn, "PolicyDocument": "{}", "SetAsDefault": chosen}
        tape.call("iam", "CreatePolicyVersion", given, body=answer.encode(), **here)
        assert version() == then
    tape.call("iam", "SetDefaultPolicyVersion", {"PolicyArn": arn, "VersionId": "v3"}, body=b"<R/>", **here)
    assert version() == "v3"
    assert "VersionId" not in one(tape.model(), "AWS::IAM::ManagedPolicy").attributes


def test_the_call_that_tags_something_tells_its_arn_where_nothing_else_does() -> None:
    tape = Tape()
    pool = f"{REGION}:6f1e2d3c-0000-4000-8000-000000000001"
    asked = {"IdentityPoolName": "people", "AllowUnauthenticatedIdentities": True, "IdentityPoolTags": {"owner": "a"}}
    tape.call("cognito-identity", "CreateIdentityPool", asked, {"IdentityPoolId": pool, "IdentityPoolName": "people"})
    arn = f"arn:aws:cognito-identity:{REGION}:{ACCOUNT}:identitypool/{pool}"
    tape.call("cognito-identity", "TagResource", {"ResourceArn": arn, "Tags": {"owner": "b"}})
    model = tape.model()
    found = one(model, "AWS::Cognito::IdentityPool")
    assert (model.arn(found), found.tags) == (arn, {"owner": "b"})
    reading = tags_reading(Names(model, found))
    assert reading is not None and (reading.operation, reading.parameters) == (
        "ListTagsForResource",
        {"ResourceArn": arn},
    )


@pytest.mark.parametrize(
    ("given", "left"), [({"Tags": [{"Key": "team", "Value": "b"}]}, {"team": "b"}), ({}, {"owner": "a"})]
)
def test_an_update_of_a_stack_sets_all_its_tags_where_it_has_some(given: dict[str, Any], left: dict[str, str]) -> None:
    tape = Tape()
    tags = [{"Key": "owner", "Value": "a"}]
    asked: dict[str, dict[str, Any]] = {
        "CreateStack": {"StackName": "s", "TemplateBody": "{}", "Tags": tags},
        "UpdateStack": {"StackName": "s", "UsePreviousTemplate": True, **given},
    }
    for operation, params in asked.items():
        stack = f"<StackId>arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/s/6f1e2d3c</StackId>"
        body = f"<{operation}Response><{operation}Result>{stack}</{operation}Result></{operation}Response>"
        tape.call("cloudformation", operation, params, protocol="query", body=body.encode())
    assert one(tape.model(), "AWS::CloudFormation::Stack").tags == left


def test_tags_of_a_stage_are_not_those_of_its_api() -> None:
    tape = Tape()
    here: dict[str, Any] = {"protocol": "rest-json"}
    api, stage = (f"arn:aws:apigateway:{REGION}::/restapis/r1{path}" for path in ("", "/stages/prod"))
    tape.call("apigateway", "CreateRestApi", {"name": "shop", "tags": {"of": "api"}}, {"id": "r1"}, **here)
    given = {"restApiId": "r1", "stageName": "prod", "deploymentId": "d1", "tags": {"of": "stage"}}
    tape.call("apigateway", "CreateStage", given, {"stageName": "prod"}, **here)
    tape.call("apigateway", "TagResource", {"resourceArn": api, "tags": {"owner": "a"}}, **here)
    tape.call("apigateway", "TagResource", {"resourceArn": stage, "tags": {"owner": "b"}}, **here)
    model = tape.model()
    found = one(model, "AWS::ApiGateway::Stage")
    assert one(model, "AWS::ApiGateway::RestApi").tags == {"of": "api", "owner": "a"}
    assert (model.arn(found), found.tags) == (stage, {"of": "stage", "owner": "b"})
    reading = tags_reading(Names(model, found))
    assert reading is not None and (reading.operation, reading.parameters) == ("GetTags", {"resourceArn": stage})


def test_an_update_that_says_what_is_done_with_tags_sets_none() -> None:
    tape = Tape()
    given = {"cluster": "c", "serviceName": "s", "tags": [{"key": "owner", "value": "a"}]}
    arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/c/s"
    tape.call("ecs", "CreateService", given, {"service": {"serviceArn": arn, "serviceName": "s"}})
    changed = {"propagateTags": "SERVICE", "enableECSManagedTags": False}
    tape.call("ecs", "UpdateService", {"cluster": "c", "service": "s", **changed}, {})
    service = one(tape.model(), "AWS::ECS::Service")
    assert service.tags == {"owner": "a"}
    assert changed.items() <= service.attributes.items()
    shown = {"service": {**changed, "tags": []}}
    assert shown_tags(shown) == {}, "and a read that shows none is believed"


def test_a_token_that_allows_a_call_is_no_attribute_of_what_it_changes() -> None:
    tape = Tape()
    made = {"Name": "ips", "Scope": "REGIONAL", "IPAddressVersion": "IPV4", "Addresses": []}
    tape.call("wafv2", "CreateIPSet", made, {"Summary": {"Name": "ips", "Id": "i-1", "LockToken": "first"}})
    named = {"Name": "ips", "Scope": "REGIONAL", "Id": "i-1"}
    changed = {**named, "Addresses": ["1.1.1.1/32"], "LockToken": "first"}
    tape.call("wafv2", "UpdateIPSet", changed, {"NextLockToken": "second"})
    attributes = one(tape.model(), "AWS::WAFv2::IPSet").attributes
    assert attributes["Addresses"] == ["1.1.1.1/32"]
    assert "LockToken" not in attributes


def test_an_identifier_that_no_creation_takes_is_drawn_and_a_name_is_none() -> None:
    tape = Tape()
    for name, drawn in (("guard", "abc123"), ("other", "def456")):
        arn = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:guardrail/{drawn}"
        given = {"name": name, "blockedInputMessaging": "a", "blockedOutputsMessaging": "b"}
        tape.call(
            "bedrock", "CreateGuardrail", given, {"guardrailId": drawn, "guardrailArn": arn}, protocol="rest-json"
        )
    tape.call("bedrock", "DeleteGuardrail", {"guardrailIdentifier": "def456"}, protocol="rest-json")
    model = tape.model()
    found = one(model, "AWS::Bedrock::Guardrail")
    assert (found.key.names, found.label) == (("abc123",), "guard")
    assert Names(model, found).value("guardrailIdentifier") == "abc123"


def test_a_name_that_is_kept_in_lower_case_is_one_name_in_any_case() -> None:
    tape = Tape()
    shown = "<DBInstanceIdentifier>foobar</DBInstanceIdentifier>"
    body = f"<R><CreateDBInstanceResult><DBInstance>{shown}</DBInstance></CreateDBInstanceResult></R>".encode()
    given = {"DBInstanceIdentifier": "FooBar", "DBInstanceClass": "db.m1.small", "Engine": "mysql"}
    tape.call("rds", "CreateDBInstance", given, protocol="query", body=body)
    assert one(tape.model(), "AWS::RDS::DBInstance").key.names == ("foobar",)
    tape.call("rds", "DeleteDBInstance", {"DBInstanceIdentifier": "FooBar"}, protocol="query", body=b"<R/>")
    assert types(tape.model().resources.values()) == set()


def test_what_a_creation_again_left_open_is_not_known_until_a_call_sets_it() -> None:
    tape = Tape()
    role = f"arn:aws:iam::{ACCOUNT}:role/"
    made = {"name": "flow", "roleArn": f"{role}one", "definition": "{}", "type": "STANDARD"}
    arn = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:flow"
    tape.call(
        "stepfunctions", "CreateStateMachine", {**made, "tags": [{"key": "a", "value": "1"}]}, {"stateMachineArn": arn}
    )
    again = {**made, "roleArn": f"{role}two", "tags": [{"key": "a", "value": "2"}]}
    tape.call("stepfunctions", "CreateStateMachine", again, {"stateMachineArn": arn})
    tape.call("stepfunctions", "CreateStateMachine", again, {"stateMachineArn": arn})
    assert one(tape.model(), "AWS::StepFunctions::StateMachine").unsure == {"roleArn", "Tags.a"}
    tape.call("stepfunctions", "UpdateStateMachine", {"stateMachineArn": arn, "roleArn": f"{role}three"})
    tape.call("stepfunctions", "TagResource", {"resourceArn": arn, "tags": [{"key": "a", "value": "3"}]})
    found = one(tape.model(), "AWS::StepFunctions::StateMachine")
    assert (found.unsure, found.attributes["roleArn"], found.tags) == (set(), f"{role}three", {"a": "3"})


def test_what_is_put_again_is_as_it_was_put_and_of_the_rest_nothing_is_known() -> None:
    tape = Tape()
    tape.call("ssm", "PutParameter", {"Name": "p", "Value": "1", "Type": "String", "DataType": "aws:ec2:image"})
    tape.call("ssm", "PutParameter", {"Name": "p", "Value": "2", "Type": "String", "Overwrite": True})
    found = one(tape.model(), "AWS::SSM::Parameter")
    assert found.unsure == {"DataType"}


def test_a_copy_is_a_resource_of_its_own_and_leaves_what_it_is_of_as_it_was() -> None:
    tape = Tape()
    given = {"DBSnapshotIdentifier": "one", "DBInstanceIdentifier": "db"}
    tape.call("rds", "CreateDBSnapshot", given, protocol="query", body=b"<R/>")
    copied = {"SourceDBSnapshotIdentifier": "one", "TargetDBSnapshotIdentifier": "two", "KmsKeyId": "alias/aws/rds"}
    tape.call("rds", "CopyDBSnapshot", copied, protocol="query", body=b"<R/>")
    found = one(tape.model(), "AWS::RDS::DBSnapshot", "one")
    assert set(found.attributes) == {"DBInstanceIdentifier"}
