"""Texts that a client hands in, and an emulator gives out by itself later: identifiers in them stay those of clients."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any
from urllib.request import urlopen

import pytest

from tests.support.clients import client
from tests.support.processes import Proxy
from tests.support.stories import Story, until

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


CODE = """
import json, os
def handler(event, context):
    told = {"network": os.environ["NETWORK"], "pool": os.environ["POOL"], "event": event}
    print("TOLD", json.dumps(told))
    return told
"""


def test_what_functions_and_executions_tell_is_in_the_identifiers_of_clients(start_proxy: Callable[..., Proxy]) -> None:
    story = Story(start_proxy, "ministack")
    network = story.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    pool = story.client("cognito-idp").create_user_pool(PoolName="p")["UserPool"]["Id"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("code.py", CODE)
    functions, machines = story.client("lambda"), story.client("stepfunctions")
    trust = json.dumps({"Version": "2012-10-17", "Statement": []})
    role = story.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    functions.create_function(
        FunctionName="tell",
        Runtime="python3.12",
        Role=role,
        Handler="code.handler",
        Code={"ZipFile": archive.getvalue()},
        Environment={"Variables": {"NETWORK": network, "POOL": pool}},
    )
    told = {"Type": "Pass", "Result": {"network": network}, "ResultPath": "$.told", "End": True}
    definition = json.dumps({"StartAt": "Told", "States": {"Told": told}})
    machine = machines.create_state_machine(name="tell", definition=definition, roleArn=role)["stateMachineArn"]

    def read() -> dict[str, Any]:
        functions.get_waiter("function_active_v2").wait(FunctionName="tell")
        answer = functions.invoke(FunctionName="tell", LogType="Tail", Payload=json.dumps({"of": network}))
        log = base64.b64decode(answer["LogResult"]).decode()
        execution = machines.start_execution(stateMachineArn=machine, input=json.dumps({"of": network}))["executionArn"]
        ended = until(lambda: (shown := machines.describe_execution(executionArn=execution)).get("output") and shown)
        events = machines.get_execution_history(executionArn=execution)["events"]
        lines = story.client("logs").filter_log_events(logGroupName="/aws/lambda/tell")["events"]
        return {
            "returned": json.load(answer["Payload"]),
            "logged": [line for line in log.splitlines() if line.startswith("TOLD")],
            "lines": {line["message"] for line in lines if line["message"].startswith("TOLD")},
            "output": ended["output"],
            "of history": [each.get("executionSucceededEventDetails") for each in events],
        }

    seen = read()
    assert seen["returned"] == {"network": network, "pool": pool, "event": {"of": network}}
    assert json.loads(seen["output"]) == {"of": network, "told": {"network": network}}
    assert seen["logged"] and seen["lines"]
    for _ in range(2):
        story.restart()
        assert read() == seen
