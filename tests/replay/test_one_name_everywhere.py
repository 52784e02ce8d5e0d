"""Resources of many services share one name, of any looks; a restore in any order that the graph allows brings all back."""

from __future__ import annotations

import io
import json
import zipfile
from random import Random

import pytest

from replay_proxy.replay.planning.plan import live_calls
from tests.replay.lab import Lab

pytestmark = pytest.mark.emulator

POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
MACHINE = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
SCALED = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}


def messaging(lab: Lab, name: str) -> tuple[str, str]:
    """Queues, a topic and a bus; the ARNs of the queue and the topic."""
    sqs, sns, events = lab.client("sqs"), lab.client("sns"), lab.client("events")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    other = sqs.create_queue(QueueName=f"{name}d")["QueueUrl"]
    redrive = json.dumps({"deadLetterTargetArn": queue, "maxReceiveCount": "3"})
    sqs.set_queue_attributes(QueueUrl=other, Attributes={"RedrivePolicy": redrive})
    topic = sns.create_topic(Name=name)["TopicArn"]
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, ReturnSubscriptionArn=True)
    sns.set_subscription_attributes(
        SubscriptionArn=subscription["SubscriptionArn"], AttributeName="RawMessageDelivery", AttributeValue="true"
    )
    events.create_event_bus(Name=name)
    events.put_rule(Name=name, EventBusName=name, EventPattern='{"source": ["x"]}')
    events.put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "1", "Arn": queue}])
    return str(queue), str(topic)


def code(lab: Lab, name: str, queue: str) -> None:
    """Identities, a function with its logs and its source, and a state machine."""
    iam, functions, logs, machines = (lab.client(each) for each in ("iam", "lambda", "logs", "stepfunctions"))
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=POLICY)["Role"]["Arn"]
    iam.create_user(UserName=name)
    iam.create_group(GroupName=name)
    iam.add_user_to_group(UserName=name, GroupName=name)
    policy = iam.create_policy(PolicyName=name, PolicyDocument=POLICY)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("l.py", "def h(event, context): return 1")
    function = functions.create_function(
        FunctionName=name, Runtime="python3.12", Role=role, Handler="l.h", Code={"ZipFile": packed.getvalue()}
    )["FunctionArn"]
    functions.publish_version(FunctionName=name)
    functions.create_alias(FunctionName=name, Name="p", FunctionVersion="1")
    functions.create_event_source_mapping(EventSourceArn=queue, FunctionName=name)
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName=name)
    logs.put_subscription_filter(logGroupName=name, filterName=name, filterPattern="", destinationArn=function)
    logs.put_retention_policy(logGroupName=name, retentionInDays=7)
    machine = machines.create_state_machine(name=name, definition=MACHINE, roleArn=role)["stateMachineArn"]
    machines.tag_resource(resourceArn=machine, tags=[{"key": "k", "value": "v"}])


def containers(lab: Lab, name: str) -> None:
    """A cluster whose service is scaled."""
    ecs, scaling = lab.client("ecs"), lab.client("application-autoscaling")
    ecs.create_cluster(clusterName=name)
    ecs.register_task_definition(family=name, containerDefinitions=[{"name": "w", "image": "i", "memory": 64}])
    ecs.create_service(cluster=name, serviceName=name, taskDefinition=name, desiredCount=0)
    ecs.update_service(cluster=name, service=name, desiredCount=1)
    service = f"service/{name}/{name}"
    scaling.register_scalable_target(ResourceId=service, MinCapacity=0, MaxCapacity=2, **SCALED)
    tracking = {"TargetValue": 1.0}
    scaling.put_scaling_policy(
        PolicyName=name,
        ResourceId=service,
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=tracking,
        **SCALED,
    )


def stores(lab: Lab, name: str, topic: str) -> None:
    """A database, secrets, parameters, keys, an alarm, a work group and an API."""
    glue, secrets, ssm, kms = (lab.client(each) for each in ("glue", "secretsmanager", "ssm", "kms"))
    glue.create_database(DatabaseInput={"Name": name})
    glue.create_table(DatabaseName=name, TableInput={"Name": name})
    secret = secrets.create_secret(Name=name, SecretString="1")["ARN"]
    secrets.put_secret_value(SecretId=secret, SecretString="2")
    secrets.put_secret_value(SecretId=name, SecretString="3")
    ssm.put_parameter(Name=name, Value="1", Type="String")
    ssm.put_parameter(Name=name, Value="2", Type="String", Overwrite=True)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=f"alias/{name}", TargetKeyId=key)
    kms.enable_key_rotation(KeyId=key)
    lab.client("cloudwatch").put_metric_alarm(
        AlarmName=name,
        MetricName="m",
        Namespace="n",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        Period=60,
        Statistic="Sum",
        Threshold=1.0,
        AlarmActions=[topic],
    )
    athena, api = lab.client("athena"), lab.client("apigateway")
    athena.create_work_group(Name=name, Configuration={})
    athena.create_named_query(Name=name, Database="d", QueryString="s", WorkGroup=name)
    rest = api.create_rest_api(name=name)["id"]
    root = api.get_resources(restApiId=rest)["items"][0]["id"]
    resource = api.create_resource(restApiId=rest, parentId=root, pathPart=name)["id"]
    api.put_method(restApiId=rest, resourceId=resource, httpMethod="GET", authorizationType="NONE")
    api.put_integration(restApiId=rest, resourceId=resource, httpMethod="GET", type="MOCK")
    api.create_deployment(restApiId=rest, stageName=name)


@pytest.mark.parametrize("name", ["a", "1", "us-east-1", "web"])
def test_everything_with_one_name_is_back(lab: Lab, name: str) -> None:
    if lab.emulator.name != "moto":
        pytest.skip("MiniStack lacks some of these operations")
    queue, topic = messaging(lab, name)
    code(lab, name, queue)
    containers(lab, name)
    stores(lab, name, topic)
    kept = live_calls(lab.records).kept
    assert len(kept) == len(lab.records)
    for seed in range(2):
        lab.empty()
        report = lab.restore(kept, shuffle=Random(seed))
        assert [problem.as_json() for problem in report.problems] == []
