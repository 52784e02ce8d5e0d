"""Values that are set again are set once: tags, code, filters; and what counts, or shows an earlier value, stays."""

from __future__ import annotations

import io
import json
import zipfile
from collections import Counter

import pytest

from replay_proxy.replay.planning.plan import LiveCalls, live_calls
from tests.replay.lab import Lab, operations
from tests.support.clients import SOON

pytestmark = pytest.mark.emulator

POLICY = '{"Version":"2012-10-17","Statement":[{"Sid":"s%s","Effect":"Allow","Action":"s3:Get*","Resource":"*"}]}'


def kept(compacted: LiveCalls) -> Counter[str]:
    return Counter(operations(compacted.kept))


def again(lab: Lab, compacted: LiveCalls) -> None:
    lab.empty()
    assert lab.restore(compacted.kept).problems == []


def test_tags(lab: Lab) -> None:
    sqs, sns, ssm, iam = (lab.client(name) for name in ("sqs", "sns", "ssm", "iam"))
    url = sqs.create_queue(QueueName="q", tags={"a": "0"})["QueueUrl"]
    topic = sns.create_topic(Name="t")["TopicArn"]
    ssm.put_parameter(Name="/p", Value="v", Type="String")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=POLICY % 1)
    for value in "123":
        sqs.tag_queue(QueueUrl=url, Tags={"a": value})
        sqs.tag_queue(QueueUrl=url, Tags={"b": value})
        sns.tag_resource(ResourceArn=topic, Tags=[{"Key": "a", "Value": value}])
        ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId="/p", Tags=[{"Key": "a", "Value": value}])
        iam.tag_role(RoleName="r", Tags=[{"Key": "a", "Value": value}])
    sqs.untag_queue(QueueUrl=url, TagKeys=["a"])
    sns.tag_resource(ResourceArn=topic, Tags=[{"Key": "a", "Value": "x"}, {"Key": "b", "Value": "y"}])
    compacted = live_calls(lab.records)
    found = kept(compacted)
    assert (found["TagQueue"], found["UntagQueue"]) == (1, 1)
    assert (found["TagResource"], found["AddTagsToResource"], found["TagRole"]) == (2, 1, 1)
    again(lab, compacted)
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"b": "3"}
    tags = {tag["Key"]: tag["Value"] for tag in sns.list_tags_for_resource(ResourceArn=topic)["Tags"]}
    assert tags == {"a": "x", "b": "y"}
    (tag,) = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/p")["TagList"]
    assert tag["Value"] == "3"


def test_code(lab: Lab) -> None:
    functions, iam = lab.client("lambda"), lab.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=document)["Role"]["Arn"]

    def code(number: int) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("code.py", f"def handle(event, context): return {number}")
        return out.getvalue()

    functions.create_function(
        FunctionName="f", Runtime="python3.12", Role=role, Handler="code.handle", Code={"ZipFile": code(0)}
    )
    functions.get_waiter("function_active").wait(FunctionName="f", WaiterConfig=SOON)

    def update(number: int, **more: object) -> str:
        answer = functions.update_function_code(FunctionName="f", ZipFile=code(number), **more)
        functions.get_waiter("function_updated").wait(FunctionName="f", WaiterConfig=SOON)
        return str(answer["CodeSha256"])

    for number in range(1, 4):
        update(number)
    functions.publish_version(FunctionName="f")
    for number in range(4, 6):
        update(number)
    update(6, Publish=True)
    last = update(7)
    compacted = live_calls(lab.records)
    assert kept(compacted)["UpdateFunctionCode"] == 4  # 3, 5, 6 and 7
    again(lab, compacted)
    assert functions.get_function_configuration(FunctionName="f")["CodeSha256"] == last
    versions = [each["Version"] for each in functions.list_versions_by_function(FunctionName="f")["Versions"]]
    assert versions == ["$LATEST", "1", "2"]


def test_versions_count(lab: Lab) -> None:
    iam = lab.client("iam")
    arn = iam.create_policy(PolicyName="p", PolicyDocument=POLICY % 1)["Policy"]["Arn"]
    for number in (2, 3):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=POLICY % number, SetAsDefault=True)
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    compacted = live_calls(lab.records)
    assert compacted.omissions == []
    again(lab, compacted)
    versions = {each["VersionId"] for each in iam.list_policy_versions(PolicyArn=arn)["Versions"]}
    assert versions == {"v1", "v3"}


def test_events_end_with_their_stream_or_their_group(lab: Lab) -> None:
    logs = lab.client("logs")
    for group in ("stays", "goes"):
        logs.create_log_group(logGroupName=group)
        for stream in ("one", "two"):
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
            logs.put_log_events(
                logGroupName=group, logStreamName=stream, logEvents=[{"timestamp": 1_700_000_000_000, "message": "m"}]
            )
    logs.delete_log_stream(logGroupName="stays", logStreamName="one")
    logs.delete_log_group(logGroupName="goes")
    compacted = live_calls(lab.records)
    assert operations(compacted.kept) == ["CreateLogGroup", "CreateLogStream", "PutLogEvents"]
    again(lab, compacted)
    names = [each["logStreamName"] for each in logs.describe_log_streams(logGroupName="stays")["logStreams"]]
    assert names == ["two"]


def test_tags_of_things_with_the_same_name(lab: Lab) -> None:
    ecs = lab.client("ecs")
    cluster = ecs.create_cluster(clusterName="web")["cluster"]["clusterArn"]
    ecs.register_task_definition(family="web", containerDefinitions=[{"name": "web", "image": "i", "memory": 64}])
    service = ecs.create_service(cluster="web", serviceName="web", taskDefinition="web", desiredCount=0)["service"]
    for arn in (cluster, service["serviceArn"]):
        ecs.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "1"}])
    assert kept(live_calls(lab.records))["TagResource"] == 2
