"""Texts that a client hands in, and an emulator gives out by itself later: identifiers in them stay those of clients."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.request import urlopen

import pytest

from tests.support.clients import client
from tests.support.processes import Proxy

pytestmark = pytest.mark.emulator


def test_what_an_api_answers_and_a_rule_sends_is_as_before(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--emulator", "ministack")
    network = client("ec2", proxy.url).create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    api = make_api(proxy, network)
    make_rule(proxy, network)
    before = seen(proxy, api)
    assert json.loads(before["answered"]) == {"vpc": network}
    assert json.loads(before["sent"]) == {"of": network}
    for _ in range(2):
        proxy.kill_all()
        proxy = proxy.again()
        assert proxy.status()["last_restore"]["problems"] == []
        assert seen(proxy, api) == before
        [shown] = client("ec2", proxy.url).describe_vpcs(VpcIds=[network])["Vpcs"]
        assert shown["VpcId"] == network


def make_api(proxy: Proxy, network: str) -> str:
    """Make an API whose only method answers with the id of a network. Return its id."""
    gateway = client("apigateway", proxy.url)
    api: str = gateway.create_rest_api(name="answers")["id"]
    [root] = gateway.get_resources(restApiId=api)["items"]
    where = {"restApiId": api, "resourceId": root["id"], "httpMethod": "GET"}
    gateway.put_method(**where, authorizationType="NONE")
    gateway.put_method_response(**where, statusCode="200")
    gateway.put_integration(**where, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    answer = {"application/json": json.dumps({"vpc": network})}
    gateway.put_integration_response(**where, statusCode="200", responseTemplates=answer)
    gateway.create_deployment(restApiId=api, stageName="dev")
    return api


def make_rule(proxy: Proxy, network: str) -> None:
    """Make a rule that sends a queue a text of its own for each event."""
    queue = client("sqs", proxy.url).create_queue(QueueName="told")["QueueUrl"]
    attributes = client("sqs", proxy.url).get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])[
        "Attributes"
    ]
    events = client("events", proxy.url)
    events.put_rule(Name="tell", EventPattern=json.dumps({"source": ["test"]}))
    target = {"Id": "1", "Arn": attributes["QueueArn"], "Input": json.dumps({"of": network})}
    assert not events.put_targets(Rule="tell", Targets=[target])["FailedEntryCount"]


def seen(proxy: Proxy, api: str) -> dict[str, Any]:
    """What the API answers, and what an event makes the rule send."""
    with urlopen(f"{proxy.url}/restapis/{api}/dev/_user_request_/") as answer:
        answered = answer.read().decode()
    client("events", proxy.url).put_events(Entries=[{"Source": "test", "DetailType": "t", "Detail": "{}"}])
    sqs = client("sqs", proxy.url)
    [message] = sqs.receive_message(QueueUrl=f"{proxy.url}/000000000000/told", WaitTimeSeconds=10)["Messages"]
    sqs.delete_message(QueueUrl=f"{proxy.url}/000000000000/told", ReceiptHandle=message["ReceiptHandle"])
    [target] = client("events", proxy.url).list_targets_by_rule(Rule="tell")["Targets"]
    return {"answered": answered, "sent": message["Body"], "input": target["Input"]}
