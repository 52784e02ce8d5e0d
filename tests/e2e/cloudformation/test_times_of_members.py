"""When a stack made its members: no call tells it, so the first read that shows it is kept."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.clients import client
from tests.support.processes import Proxy, left_out

pytestmark = pytest.mark.emulator

TEMPLATE = {
    "Resources": {
        "Jobs": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "jobs"}},
        "Drawn": {"Type": "AWS::SQS::Queue"},
        "Setting": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/app/s", "Type": "String", "Value": "1"}},
    }
}


@pytest.mark.parametrize("emulator", ["moto", "ministack"])
def test_members_of_a_stack_keep_the_times_that_a_client_has_read(
    start_proxy: Callable[..., Proxy], emulator: str
) -> None:
    if emulator != "moto" and (reason := left_out(0.3)):
        pytest.skip(f"the same on {emulator} {reason}")
    proxy = start_proxy("--emulator", emulator)
    stacks = client("cloudformation", proxy.url)
    stacks.create_stack(StackName="app", TemplateBody=json.dumps(TEMPLATE))
    stacks.get_waiter("stack_create_complete").wait(StackName="app", WaiterConfig={"Delay": 1})
    queues = client("sqs", proxy.url).list_queues()["QueueUrls"]
    assert len(queues) == 2
    # To be changed by a call is not to be made by one.
    client("sqs", proxy.url).set_queue_attributes(QueueUrl=queues[0], Attributes={"VisibilityTimeout": "40"})
    before = seen(proxy, queues)
    wait_until_kept(proxy, "GetParameter")
    for _ in range(2):
        proxy.kill_all()
        proxy = proxy.again()
        assert proxy.status()["last_restore"]["problems"] == []
        assert seen(proxy, queues) == before


def wait_until_kept(proxy: Proxy, operation: str) -> None:
    """A read is written a moment after its answer, and a kill in between is not what this is about."""
    deadline = time.monotonic() + 30
    while operation not in {each["operation"] for each in proxy.records("witness")}:
        assert time.monotonic() < deadline, f"{operation} was not kept"
        time.sleep(0.05)


def seen(proxy: Proxy, queues: list[str]) -> list[Any]:
    sqs, ssm = client("sqs", proxy.url), client("ssm", proxy.url)
    attributes = [sqs.get_queue_attributes(QueueUrl=each, AttributeNames=["All"])["Attributes"] for each in queues]
    times = [{member: value for member, value in each.items() if member.endswith("Timestamp")} for each in attributes]
    return [*times, ssm.get_parameter(Name="/app/s")["Parameter"]["LastModifiedDate"]]
