"""What calls make the emulator tell somebody (of an alarm, a stack, an object, a secret) is not told again by a restore."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.clients import SOON, client
from tests.support.processes import Emulator, Proxy, amount, left_out

pytestmark = pytest.mark.emulator

LONG = pytest.mark.skipif(bool(left_out(1)), reason=str(left_out(1)))
TOLD = {
    "moto": {"stack", "object", "mail"},
    "ministack": {"alarm", "secret", "object", "mail"},
    "localstack": {"alarm", "parameter", "object"},
}
"""What each emulator tells of, of what is asked for here."""
SOURCES = {"secret": "aws.secretsmanager", "parameter": "aws.ssm", "object": "aws.s3"}
QUIET_S = 1.0
"""After a restore, for what an emulator sends a moment later."""
TEMPLATE = json.dumps(
    {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "of-the-stack"}}}}
)


def taken(sqs: Any, name: str) -> int:
    """How many messages a queue held; they are consumed."""
    url, count = sqs.get_queue_url(QueueName=name)["QueueUrl"], 0
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        count += len(messages)
    return count


@pytest.mark.parametrize(
    "name", [pytest.param("moto", marks=LONG), "ministack", pytest.param("localstack", marks=LONG)]
)
def test_nobody_is_told_twice(
    name: str, start_emulator: Callable[..., Emulator], start_proxy: Callable[..., Proxy]
) -> None:
    emulator = start_emulator(name)
    proxy = start_proxy("--upstream", emulator.url)
    sqs, sns, events, s3 = (client(each, proxy.url) for each in ("sqs", "sns", "events", "s3"))
    arns = {}
    for each in ("alarm", "stack", "mail", *SOURCES):
        url = sqs.create_queue(QueueName=each)["QueueUrl"]
        arns[each] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topics = {each: sns.create_topic(Name=each)["TopicArn"] for each in ("alarm", "stack", "mail")}
    for each, topic in topics.items():
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arns[each])
    for each, source in SOURCES.items():
        events.put_rule(Name=each, EventPattern=json.dumps({"source": [source]}))
        events.put_targets(Rule=each, Targets=[{"Id": "1", "Arn": arns[each]}])
    alarms = client("cloudwatch", proxy.url)
    alarm = {"MetricName": "m", "Namespace": "n", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1.0}
    alarm |= {"ComparisonOperator": "GreaterThanThreshold", "Statistic": "Sum", "AlarmActions": [topics["alarm"]]}
    alarms.put_metric_alarm(AlarmName="a", **alarm)
    alarms.set_alarm_state(AlarmName="a", StateValue="ALARM", StateReason="r")
    client("secretsmanager", proxy.url).create_secret(Name="s", SecretString="1")
    client("secretsmanager", proxy.url).put_secret_value(SecretId="s", SecretString="2")
    client("ssm", proxy.url).put_parameter(Name="p", Value="v", Type="String")
    s3.create_bucket(Bucket="told")
    s3.put_bucket_notification_configuration(Bucket="told", NotificationConfiguration={"EventBridgeConfiguration": {}})
    s3.put_object(Bucket="told", Key="k", Body=b"x")
    if name != "localstack":  # it cannot send where a topic is told
        mail = client("ses", proxy.url)
        mail.verify_domain_identity(Domain="example.com")
        mail.set_identity_notification_topic(
            Identity="example.com", NotificationType="Delivery", SnsTopic=topics["mail"]
        )
        mail.send_email(
            Source="shop@example.com",
            Destination={"ToAddresses": ["success@simulator.amazonses.com"]},
            Message={"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "b"}}},
        )
    stacks = client("cloudformation", proxy.url)
    stacks.create_stack(StackName="stack", TemplateBody=TEMPLATE, NotificationARNs=[topics["stack"]])
    stacks.get_waiter("stack_create_complete").wait(StackName="stack", WaiterConfig=SOON)
    time.sleep(QUIET_S)
    assert {each for each in arns if taken(sqs, each)} == TOLD[name]
    for _ in range(amount(1, 2)):
        restores = proxy.log.count("Restored ")
        emulator.restart()
        deadline = time.monotonic() + 60
        while proxy.log.count("Restored ") == restores:
            assert time.monotonic() < deadline, proxy.log
            time.sleep(0.05)
        time.sleep(QUIET_S)
        assert {each: count for each in arns if (count := taken(sqs, each))} == {}
        assert proxy.status()["last_restore"]["problems"] == []
