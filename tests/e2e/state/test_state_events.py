"""Rules, schedules, topics and alarms come back, with their targets and links, and without firing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.stories import Story

pytestmark = pytest.mark.emulator


def test_rules_and_schedules(story: Story) -> None:
    sqs, events, schedules = story.client("sqs"), story.client("events"), story.client("scheduler")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bus = events.create_event_bus(Name="orders")["EventBusArn"]
    pattern = json.dumps({"source": ["shop"]})
    events.put_rule(Name="r", EventBusName="orders", EventPattern=json.dumps({"source": ["old"]}))
    events.put_rule(Name="r", EventBusName="orders", EventPattern=pattern)
    events.put_targets(Rule="r", EventBusName="orders", Targets=[{"Id": "1", "Arn": queue}, {"Id": "2", "Arn": queue}])
    events.remove_targets(Rule="r", EventBusName="orders", Ids=["2"])
    events.put_rule(Name="hourly", ScheduleExpression="rate(1 hour)", State="DISABLED")
    events.put_rule(Name="gone", ScheduleExpression="rate(1 hour)")
    events.delete_rule(Name="gone")
    # An event that was sent before the restart is not sent again.
    events.put_events(Entries=[{"EventBusName": "orders", "Source": "shop", "DetailType": "d", "Detail": "{}"}])
    schedules.create_schedule_group(Name="g")
    target = {"Arn": queue, "RoleArn": "arn:aws:iam::123456789012:role/r", "Input": "{}"}
    for name in ("nightly", "gone"):
        schedules.create_schedule(
            Name=name,
            GroupName="g",
            ScheduleExpression="cron(0 3 * * ? *)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target=target,
        )
    schedules.delete_schedule(Name="gone", GroupName="g")

    def read() -> Any:
        rule = events.describe_rule(Name="r", EventBusName="orders")
        found = schedules.get_schedule(Name="nightly", GroupName="g")
        return {
            "bus": events.describe_event_bus(Name="orders")["Arn"],
            "rule": (rule["Arn"], json.loads(rule["EventPattern"])),
            "rules": sorted((each["Name"], each["State"]) for each in events.list_rules()["Rules"]),
            "targets": events.list_targets_by_rule(Rule="r", EventBusName="orders")["Targets"],
            "schedule": (found["Arn"], found["ScheduleExpression"], found["Target"]["Arn"]),
            "schedules": [each["Name"] for each in schedules.list_schedules()["Schedules"]],
        }

    facts = story.survives(read)
    assert facts["bus"] == bus
    assert facts["rule"][1] == {"source": ["shop"]}
    assert facts["targets"] == [{"Id": "1", "Arn": queue}]
    assert facts["schedules"] == ["nightly"]
    # What fanned out to the queue was the emulator's own doing; it is not there twice.
    assert len(sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])) <= 1


def test_topics_and_subscriptions(any_story: Story) -> None:
    sns, sqs = any_story.client("sns"), any_story.client("sqs")
    urls = [sqs.create_queue(QueueName=f"q{number}")["QueueUrl"] for number in range(2)]
    arns = [
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"] for url in urls
    ]
    topic = sns.create_topic(Name="t", Attributes={"DisplayName": "old"}, Tags=[{"Key": "a", "Value": "1"}])["TopicArn"]
    sns.set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue="new")
    first, second = (sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"] for arn in arns)
    sns.set_subscription_attributes(
        SubscriptionArn=first, AttributeName="FilterPolicy", AttributeValue=json.dumps({"kind": ["wanted"]})
    )
    sns.unsubscribe(SubscriptionArn=second)
    fifo = sns.create_topic(Name="t.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]

    def read() -> Any:
        found = sns.get_subscription_attributes(SubscriptionArn=first)["Attributes"]
        return {
            "topics": sorted(each["TopicArn"] for each in sns.list_topics()["Topics"]),
            "name": sns.get_topic_attributes(TopicArn=topic)["Attributes"]["DisplayName"],
            "subscriptions": [each["SubscriptionArn"] for each in sns.list_subscriptions()["Subscriptions"]],
            "filter": json.loads(found["FilterPolicy"]),
            "tags": sns.list_tags_for_resource(ResourceArn=topic)["Tags"],
        }

    facts = any_story.survives(read)
    assert facts["topics"] == sorted([topic, fifo])
    assert facts["subscriptions"] == [first]
    kinds = {kind: {"kind": {"DataType": "String", "StringValue": kind}} for kind in ("wanted", "other")}
    for kind, attributes in kinds.items():
        sns.publish(TopicArn=topic, Message=kind, MessageAttributes=attributes)
    got = sqs.receive_message(QueueUrl=urls[0], MaxNumberOfMessages=10, WaitTimeSeconds=2)["Messages"]
    assert [json.loads(each["Body"])["Message"] for each in got] == ["wanted"]
    assert sqs.receive_message(QueueUrl=urls[1]).get("Messages", []) == []


def test_alarms_and_dashboards(story: Story) -> None:
    cloudwatch = story.client("cloudwatch")
    for threshold in (1, 2):
        cloudwatch.put_metric_alarm(
            AlarmName="a",
            MetricName="m",
            Namespace="n",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=threshold,
            ComparisonOperator="GreaterThanThreshold",
        )
    cloudwatch.set_alarm_state(AlarmName="a", StateValue="ALARM", StateReason="by hand")
    body = json.dumps({"widgets": []})
    cloudwatch.put_dashboard(DashboardName="d", DashboardBody=body)
    cloudwatch.put_dashboard(DashboardName="gone", DashboardBody=body)
    cloudwatch.delete_dashboards(DashboardNames=["gone"])
    cloudwatch.put_metric_data(Namespace="n", MetricData=[{"MetricName": "other", "Value": 1.0}])

    def read() -> Any:
        (alarm,) = cloudwatch.describe_alarms()["MetricAlarms"]
        return (
            alarm["AlarmArn"],
            alarm["Threshold"],
            [each["DashboardName"] for each in cloudwatch.list_dashboards()["DashboardEntries"]],
            [each["MetricName"] for each in cloudwatch.list_metrics(Namespace="n")["Metrics"]],
        )

    found = story.survives(read)
    assert found[1] == 2
    assert found[2] == ["d"]
