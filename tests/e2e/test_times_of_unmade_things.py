"""Times of what no call made: members of stacks, parts of a whole, and what the emulator has by itself."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.clients import client
from tests.support.processes import amount
from tests.support.scenarios.rehearsal import Rehearsal
from tests.support.stories import until

pytestmark = [pytest.mark.emulator, pytest.mark.timeout(300)]
APART_S = 1.2
"""Between two changes, so that whole seconds tell them apart; a restore makes all of them in one second."""


def template(delay: int) -> str:
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "of-stack", "DelaySeconds": delay}}
    value = {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/of/stack", "Type": "String", "Value": str(delay)}}
    return json.dumps({"Resources": {"Queue": queue, "Value": value}})


class Client:
    """Makes and changes a stack and a service, and reads all times after each change, as consoles and Terraform do."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __call__(self, service: str) -> Any:
        return client(service, self._url)

    def lives(self) -> None:
        stacks, services = self("cloudformation"), self("ecs")
        stacks.create_stack(StackName="stack", TemplateBody=template(1))
        services.create_cluster(clusterName="cluster")
        for _ in range(2):
            container = {"name": "c", "image": "i", "memory": 128}
            services.register_task_definition(family="task", containerDefinitions=[container])
        services.create_service(cluster="cluster", serviceName="web", taskDefinition="task:1", desiredCount=0)
        self.times()
        for delay, change in ((2, {"taskDefinition": "task:2"}), (3, {"desiredCount": 1}), (4, {"desiredCount": 0})):
            time.sleep(APART_S)
            stacks.update_stack(StackName="stack", TemplateBody=template(delay))
            services.update_service(cluster="cluster", service="web", **change)
            self.times()

    def times(self) -> dict[str, Any]:
        """What is shown, once the stack is ready."""
        until(lambda: self("cloudformation").describe_stacks()["Stacks"][0]["StackStatus"].endswith("_COMPLETE"))
        queue = self("sqs").get_queue_url(QueueName="of-stack")["QueueUrl"]
        shown = self("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
        (service,) = self("ecs").describe_services(cluster="cluster", services=["web"])["services"]
        deployments = [(each.get("createdAt"), each.get("updatedAt")) for each in service["deployments"]]
        return {
            "queue": [shown["CreatedTimestamp"], shown["LastModifiedTimestamp"]],
            "parameter": self("ssm").get_parameter(Name="/of/stack")["Parameter"]["LastModifiedDate"],
            "deployments": deployments,
            "work group": self("athena").get_work_group(WorkGroup="primary")["WorkGroup"].get("CreationTime"),
            "schedule group": self("scheduler").get_schedule_group(Name="default").get("CreationDate"),
        }


@pytest.mark.parametrize("emulator", ["ministack", "moto"][: amount(1, 2)])
def test_they_stay_what_they_were(emulator: str, tmp_path: Path) -> None:
    rehearsal = Rehearsal(emulator, tmp_path)
    try:
        whoever = Client(rehearsal.proxy.url)
        whoever.lives()
        before = whoever.times()
        time.sleep(APART_S)
        if emulator == "moto":
            del before["work group"]  # it says the moment of the reading
        for _ in range(amount(2, 3)):
            assert rehearsal.restart()["problems"] == []
            time.sleep(APART_S)
            assert {**whoever.times(), **before} == whoever.times()
    finally:
        rehearsal.end()
