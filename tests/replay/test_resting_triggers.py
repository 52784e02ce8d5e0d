"""Triggers of stacks that are at rest in a restore, and what becomes of them when their stack is changed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.replay.lab import Lab

pytestmark = pytest.mark.emulator


def test_a_trigger_that_its_stack_has_taken_away_is_no_loss(lab: Lab) -> None:
    queue = lab.client("sqs").create_queue(QueueName="told")["QueueUrl"]
    asked = lab.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    told = {"Protocol": "sqs", "Endpoint": asked["Attributes"]["QueueArn"], "TopicArn": {"Ref": "T"}}
    resources: dict[str, Any] = {
        "T": {"Type": "AWS::SNS::Topic"},
        "S": {"Type": "AWS::SNS::Subscription", "Properties": told},
    }
    stacks, alarms = lab.client("cloudformation"), lab.client("cloudwatch")
    stacks.create_stack(StackName="telling", TemplateBody=json.dumps({"Resources": resources}))
    stacks.update_stack(StackName="telling", TemplateBody=json.dumps({"Resources": {"T": resources["T"]}}))
    alarms.put_metric_alarm(
        AlarmName="a", MetricName="m", Namespace="n", Period=60, Threshold=1.0, Statistic="Sum",
        ComparisonOperator="GreaterThanThreshold", EvaluationPeriods=1,
    )  # fmt: skip
    alarms.set_alarm_state(AlarmName="a", StateValue="ALARM", StateReason="r")
    assert lab.client("sns").list_subscriptions()["Subscriptions"] == []
    records = list(lab.records)
    lab.empty()
    report = lab.restore(records)
    assert lab.client("sns").list_subscriptions()["Subscriptions"] == []
    assert [each.message for each in report.findings if each.loss] == []
