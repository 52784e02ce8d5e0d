"""The doctor on a thousand resources: each is looked at, what is broken is found among them, and nothing is changed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.clients import client
from tests.support.diagnoses import examined
from tests.support.processes import Proxy, left_out
from tests.support.read_back.comparison import differences, is_time
from tests.support.read_back.reader import Reader

pytestmark = [pytest.mark.emulator, pytest.mark.timeout(1800)]

GROUPS = 125
SERVICES = ("sqs", "sns", "s3", "dynamodb", "ssm", "logs", "kms", "events")
OF_GROUP = 8
"""Resources of a group; beside them, there is one key."""


def make_group(aws: Callable[[str], Any], key: str, number: int) -> list[tuple[str, dict[str, Any], Any]]:
    """Make a queue that a topic, a bucket and a rule tell, and what stands beside it; the calls."""
    queue = aws("sqs").create_queue(QueueName=f"queue-{number}")["QueueUrl"]
    shown = aws("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    arn = shown["Attributes"]["QueueArn"]
    topic = aws("sns").create_topic(Name=f"topic-{number}")["TopicArn"]
    aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    aws("s3").create_bucket(Bucket=f"bucket-{number}")
    told = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    aws("s3").put_bucket_notification_configuration(Bucket=f"bucket-{number}", NotificationConfiguration=told)
    aws("events").put_rule(Name=f"rule-{number}", ScheduleExpression="rate(5 days)")
    aws("events").put_targets(Rule=f"rule-{number}", Targets=[{"Id": "1", "Arn": arn}])
    aws("ssm").put_parameter(Name=f"/parameter/{number}", Type="String", Value="on")
    aws("logs").create_log_group(logGroupName=f"/group/{number}")
    aws("kms").create_alias(AliasName=f"alias/key-{number}", TargetKeyId=key)
    return [
        ("sqs", {"QueueUrl": queue}, {}),
        ("sns", {"TopicArn": topic}, {}),
        ("s3", {"Bucket": f"bucket-{number}"}, {}),
        ("events", {"Rule": f"rule-{number}", "Name": f"rule-{number}"}, {}),
        ("ssm", {"Name": f"/parameter/{number}"}, {}),
        ("logs", {"logGroupName": f"/group/{number}"}, {}),
        ("kms", {"KeyId": key}, {}),
    ]


def test_a_thousand_resources_are_looked_at_and_left_alone(start_proxy: Callable[..., Proxy]) -> None:
    if reason := left_out(2):
        pytest.skip(f"a thousand resources: {reason}")
    proxy = start_proxy("--emulator", "ministack", "--check-wiring", "0")
    clients = {service: client(service, proxy.url) for service in SERVICES}
    key = clients["kms"].create_key()["KeyMetadata"]["KeyId"]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: make_group(clients.__getitem__, key, number), range(GROUPS)))
    calls = [call for group in made for call in group]
    behind = {service: client(service, proxy.status()["emulator"]["url"]) for service in SERVICES}

    reader = Reader(behind.__getitem__)
    before = reader.everything(SERVICES, calls)
    document = examined(proxy)
    assert [each for each in differences(before, reader.again(before.answers)) if not is_time(each)] == []
    assert before.succeeded > 200
    count = GROUPS * OF_GROUP + 1
    assert document["resources"] == {"checked": count, "there": count, "absent": 0, "not_ready": 0, "unknown": 0}
    assert document["links"]["held"] == document["links"]["checked"] >= 4 * GROUPS
    assert document["sound"]
    behind["logs"].delete_log_group(logGroupName="/group/7")
    behind["kms"].delete_alias(AliasName="alias/key-99")
    behind["events"].remove_targets(Rule="rule-111", Ids=["1"])
    found = {(each["name"], each["problem"]) for each in examined(proxy)["findings"]}
    assert found == {("/group/7", "missing"), ("alias/key-99", "missing"), ("rule-111", "link lost")}
